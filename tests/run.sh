#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tests/run.sh [--campaign] [--only GROUP]...   (more with --help)
#
# The tests: makes what they need (SDK, kernels, guest, modules), runs the groups, and ends with one line
# `N passed, N failed`, and `, N skipped` when something was. The exit status is 0 when nothing failed.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/lib.sh"

# What the groups said that need no kernel, if they ran beside the making of one.
early=$cache/tmp/early

# make_all: the kernels and the guest. The debug kernel keeps all processors busy for long, but not all the time; the
# others, and groups that need none, are made beside it.
make_all() {
	local said rc=0 groups=
	[ $# != 0 ] || [ -f "$cache/stamp/kernel-debug" ] || groups=fuzz,checker
	mkdir -p "$cache/tmp"
	rm -f "$early"
	"$tools/kernel.sh" source
	said=$(mktemp)
	{
		"$tools/kernel.sh" stock && "$tools/guest.sh" &&
			if [ -n "$groups" ]; then "$tools/sdk.sh" enter "$top/tests/run.sh" --only "$groups" >"$early" || true; fi
	} >"$said" 2>&1 </dev/null &
	job=$!
	"$tools/kernel.sh" debug
	wait "$job" || rc=$?
	job=
	cat "$said"
	rm -f "$said"
	[ $rc = 0 ] || exit $rc
}

if ! in_sdk; then
	"$tools/sdk.sh"
	if [[ " $* " != *" --help "* ]]; then
		make_all "$@"
		[ ! -f "$early" ] || set -- --early "$early" "$@"
	fi
	exec "$tools/sdk.sh" enter "$top/tests/run.sh" "$@"
fi
exec python3 -B "$top/tests/vm/run.py" "$@"
