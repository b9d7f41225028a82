#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/guest.sh   make the guest's root when it is missing or out of date
#
# CACHE/guest/root.ext4: the Debian 13 in which tools/vm.py runs commands, read-only.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

packages=(
	busybox-static iproute2 kmod procps python3 fdisk tree
	ntfs-3g e2fsprogs attr acl xfsprogs dmsetup nfs-common nfs-kernel-server
	fio stress-ng strace
)
guest=$cache/guest
root=$guest/root

# What the host's apt needs to reach the mirror, the SDK has already.
install_root() {
	local mirror
	mirror=$(awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list)
	rm -rf --one-file-system "$root"
	mkdir -p "$guest"
	# The packages' scripts must not start their servers.
	debootstrap --variant=minbase --include="$(IFS=, && echo "${packages[*]}")" trixie "$root" "$mirror"
	cp -a /opt/ntfsprogs-plus "$root/opt/"
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
}

make_image() {
	rm -f "$guest/root.ext4"
	mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$guest/root.new" $(($(du -sm "$root" | cut -f 1) * 5 / 4 + 64))m
	mv "$guest/root.new" "$guest/root.ext4"
	rm -rf --one-file-system "$root"
}

case ${1-} in
'') ;;
--help) usage ;;
*) die "unknown argument $1: see --help" ;;
esac
if ! in_sdk; then
	"$tools/sdk.sh"
	exec "$tools/sdk.sh" enter "$tools/guest.sh" "$@"
fi
inputs=$(hash_of "${packages[@]}" "$(declare -f install_root make_image)")
! fresh guest "$inputs" || exit 0
lock guest
! fresh guest "$inputs" || exit 0
need_space 3000 "$cache"
step "Guest: Debian 13 with test programs" install_root
step "Guest: disk image" make_image
stamp guest "$inputs"
