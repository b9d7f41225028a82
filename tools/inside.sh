#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# inside.sh CACHE TOP ROOT [--host] COMMAND...
#
# The inner half of `contain` in lib.sh: process 1 of a new mount and PID namespace. Mounts what
# COMMAND needs in the folder ROOT (the checkout, its ../shared, the cache and /tmp at the paths they
# have outside; with --host everything else at /host) and runs COMMAND there.

set -euo pipefail
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1-} in
--help | '')
	sed -n '4,8s/^# //p' "$0"
	exit 0
	;;
esac

cache=$1 top=$2 root=$3
shift 3

# same FILE-OR-FOLDER [OPTIONS]: show it in ROOT at its own path.
same() {
	if [ -d "$1" ]; then
		mkdir -p "$root$1"
	else
		mkdir -p "$root$(dirname "$1")"
		[ -e "$root$1" ] || : >"$root$1"
	fi
	mount --rbind -o "${2:-rw}" "$1" "$root$1"
}

if [ "${1-}" = --host ]; then
	shift
	mkdir -p "$root/host"
	mount --rbind / "$root/host"
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
for folder in /tmp /var/tmp "$cache" "$top"; do
	same "$folder"
done
[ ! -d "$top/../shared" ] || same "$(cd "$top/../shared" && pwd -P)" ro
# The host's own, so that names resolve and a proxy with its own certificate is trusted.
bundle=/etc/ssl/certs/ca-certificates.crt
for file in /etc/resolv.conf "$bundle"; do
	[ ! -f "$file" ] || same "$file" ro
done

folder=$top
case $PWD/ in "$top"/* | "$cache"/*) folder=$PWD ;; esac

environment=(
	NTFS_RS_SDK=1 NTFS_RS_CACHE="$cache"
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" DEBIAN_FRONTEND=noninteractive
	CARGO_HOME="$cache/cargo" CARGO_TARGET_DIR="$cache/target"
	# By default make names a pipe in /tmp after its process id, and ids repeat between namespaces.
	MAKEFLAGS=--jobserver-style=pipe
	CARGO_HTTP_CAINFO="$bundle" SSL_CERT_FILE="$bundle" PIP_CERT="$bundle"
)
for name in http_proxy https_proxy no_proxy CI PIP_INDEX_URL; do
	[ -z "${!name-}" ] || environment+=("$name=${!name}")
done

# In one piece, so that a change of this file while COMMAND runs (an update) does not reach this shell.
{
	rc=0
	chroot "$root" env -i -C "$folder" "${environment[@]}" "$@" || rc=$?
	exit $rc
}
