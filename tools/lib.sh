# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Common to the shell tools: sourced, not run. The host may be a fresh Debian 12 or 13 with nothing
# installed, so only what its base system has is used here.

set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(dirname "$tools")
cache=${NTFS_RS_CACHE:-/var/cache/ntfs_rs}
# shellcheck disable=SC2034 # used by the scripts that source this
sdk=$cache/sdk

# What runs beside this script and must not outlive it: a step and the display of its progress.
job='' ticker=''
stop_jobs() {
	[ -z "$ticker" ] || kill "$ticker" 2>/dev/null || true
	# What the step has started in namespaces of its own dies with it (contain).
	[ -z "$job" ] || kill -KILL "$job" 2>/dev/null || true
}
trap stop_jobs EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# usage: the comment at the head of the script is its --help.
usage() {
	sed -n '3,/^[^#]/{s/^# \{0,1\}//p}' "$0"
	exit 0
}

need_root() {
	[ "$(id -u)" = 0 ] || die "needs root (chroot, mount): try sudo"
}

# need_space MIB DIR: before something big is begun.
need_space() {
	local free
	mkdir -p "$2" || die "cannot make $2"
	free=$(df --output=avail -m "$2" | tail -n 1 | tr -d ' ')
	[ "$free" -ge "$1" ] ||
		die "needs $1 MiB free in $2 and there are $free: free some, or set NTFS_RS_CACHE to a folder elsewhere"
}

# in_sdk: true inside of tools/sdk.sh enter.
in_sdk() { [ -n "${NTFS_RS_SDK-}" ]; }

# hash_of FILE-OR-TEXT...: names the inputs of a step; a file counts by its content.
hash_of() {
	local input
	for input; do
		if [ -f "$input" ]; then sha256sum <"$input"; else printf '%s\n' "$input"; fi
	done | sha256sum | cut -c 1-16
}

# fresh NAME HASH: was the step NAME completed with these inputs?
fresh() { [ "$(cat "$cache/stamp/$1" 2>/dev/null)" = "$2" ]; }

# stamp NAME HASH: the step NAME is complete; written last, by rename, so an interrupt leaves none.
stamp() {
	mkdir -p "$cache/stamp"
	printf '%s\n' "$2" >"$cache/stamp/.$1.$$"
	mv "$cache/stamp/.$1.$$" "$cache/stamp/$1"
}

# lock NAME: one run at a time builds NAME; held until this process and its children end.
lock() {
	mkdir -p "$cache/lock" 2>/dev/null || true
	[ -w "$cache/lock" ] || die "cannot write to the cache folder $cache: run as root, or set NTFS_RS_CACHE"
	exec 9>>"$cache/lock/$1"
	flock -n 9 && return
	printf 'another run is making %s; waiting for it\n' "$1"
	flock 9
}

# tick NAME LOG: shows that NAME is going on. On a terminal the time and the last line of the log,
# else a dot every ten seconds.
tick() {
	local start=$SECONDS last
	printf '%-44s' "$1"
	while sleep 1 && kill -0 $$; do
		if [ -t 1 ]; then
			last=$(tail -c 400 "$2" 2>/dev/null | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]' | cut -c 1-50)
			printf '\r\033[K%-44s%4d s  \033[2m%s\033[0m' "$1" $((SECONDS - start)) "$last"
		elif [ $(((SECONDS - start) % 10)) = 0 ]; then
			printf '.'
		fi
	done
}

# why LOG: the cause of a failure in a few words.
why() {
	local free
	free=$(df --output=avail -m "$cache" | tail -n 1 | tr -d ' ')
	# Not every program that fails for lack of space says so.
	if [ "$free" -lt 20 ] || grep -qs 'No space left on device' "$1"; then
		printf 'the disk is full (%s MiB left in %s)' "$free" "$cache"
	elif grep -qsE 'Could not resolve|Temporary failure|Unable to connect|Could not connect|Connection (refused|timed out|failed)|Network is unreachable|unable to resolve|Failed getting release file' "$1"; then
		printf 'the network or the package mirror cannot be reached'
	else
		{
			grep "^$(basename "$0"): " "$1" | cut -d ' ' -f 2- ||
				grep -iE 'error|fatal|cannot' "$1" | grep -v '^make' ||
				grep -vE '^[[:space:]]*$' "$1"
		} | tail -n 1 | cut -c 1-200
	fi
}

# step NAME COMMAND...: runs a command or a function of the script with its output in a log, which is
# shown after a failure when show_log is set.
# Not to be called where set -e is off (in a condition): the function would run on after an error.
step() {
	local name=$1 log start=$SECONDS rc
	shift
	mkdir -p "$cache/log"
	log=$cache/log/$(printf '%s' "$name" | tr -cs '[:alnum:]' '-').log
	: >"$log"
	tick "$name" "$log" &
	ticker=$!
	# Beside the script, since a trap waits for a command in the foreground, but not for `wait`.
	(
		trap - EXIT
		set -e
		"$@"
	) >"$log" 2>&1 </dev/null &
	job=$!
	rc=0
	wait "$job" || rc=$?
	job=
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	ticker=
	[ ! -t 1 ] || printf '\r\033[K%-44s' "$name"
	if [ $rc != 0 ]; then
		printf ' failed after %d s\n' $((SECONDS - start))
		[ -z "${show_log-}" ] || cat "$log" >&2
		die "$name: $(why "$log") (log: $log)"
	fi
	printf '%5d s\n' $((SECONDS - start))
}

# rust_symbols_fit TREE: does the Rust metadata of the built tree belong to the kernel whose
# Module.symvers is there? A name holds a hash of the compiler's version text and of the crate's
# options. Nothing else would notice a misfit where MODVERSIONS is off.
rust_symbols_fit() {
	local differ
	[ -f "$1/rust/kernel.o" ] || return 0 # a package with metadata only; the compiler checks that
	differ=$(LC_ALL=C comm -3 --check-order \
		<(awk '$2 ~ /^_R/ { print $2 }' "$1/Module.symvers" | LC_ALL=C sort -u) \
		<(nm -p --defined-only "$1"/rust/{core,kernel,bindings}.o |
			awk '$2 ~ /^[TRDB]$/ && $3 ~ /^_R/ { print $3 }' | LC_ALL=C sort -u))
	[ -z "$differ" ] || die "the Rust metadata in $1 is not that of the kernel: $(wc -l <<<"$differ")" \
		"names differ, such as $(head -n 3 <<<"$differ" | tr -d '\t' | paste -sd ' ')"
}

# contain ROOT [--host] COMMAND...: COMMAND in the folder ROOT, in namespaces of its own: what it
# mounts and starts ends with it, however it or this script ends, so there is nothing to undo.
contain() {
	setpriv --pdeathsig KILL -- \
		unshare --mount --pid --fork --kill-child --propagation private -- \
		"$tools/inside.sh" "$cache" "$top" "$@"
}
