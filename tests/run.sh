#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tests/run.sh [--campaign] [--only GROUP]...   (more with --help)
#
# The tests: makes what they need (SDK, kernels, guest, modules), runs the groups, and ends with one line
# `N passed, N failed`, and `, N skipped` when something was. The exit status is 0 when nothing failed.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/lib.sh"

# make_all: the kernels and the guest. The debug kernel keeps all processors busy for long; the others wait for the
# network and the disk much of the time, so they are made beside it.
make_all() {
	local said rc=0
	"$tools/kernel.sh" source
	said=$(mktemp)
	{ "$tools/kernel.sh" stock && "$tools/guest.sh"; } >"$said" 2>&1 </dev/null &
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
		make_all
	fi
	exec "$tools/sdk.sh" enter "$top/tests/run.sh" "$@"
fi
exec python3 -B "$top/tests/vm/run.py" "$@"
