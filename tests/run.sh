#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tests/run.sh [--campaign] [--only GROUP]...   (more with --help)
#
# The tests: makes what they need (SDK, kernels, guest, modules), runs the groups, and ends with one line
# `N passed, N failed`, and `, N skipped` when something was. The exit status is 0 when nothing failed.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/lib.sh"

if ! in_sdk; then
	"$tools/sdk.sh"
	if [[ " $* " != *" --help "* ]]; then
		"$tools/kernel.sh" stock debug
		"$tools/guest.sh"
	fi
	exec "$tools/sdk.sh" enter "$top/tests/run.sh" "$@"
fi
exec python3 -B "$top/tests/vm/run.py" "$@"
