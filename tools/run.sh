#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/run.sh   boot Debian's stock kernel with ntfs_rs and a real NTFS volume
#
# From the environment (`make run IMAGE=...`):
#   IMAGE    a volume, a partition or a whole disk: a raw, qcow2, vhdx, vhd, vmdk or vdi file, or a
#            block device. Without it, a sample volume made by mkntfs and ntfs-3g.
#   RW       1: what the guest writes reaches IMAGE. Otherwise IMAGE is never written.
#   OPTIONS  mount options
#
# On a terminal it gives a shell in the guest; without one it shows the volume and ends.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

sample=$cache/sample

# check_image: what can be said of IMAGE before anything is made for it. Sets `path` and `sector`.
check_image() {
	local mounted
	[ -e "$IMAGE" ] || die "IMAGE=$IMAGE: no such file or device"
	[ ! -d "$IMAGE" ] || die "IMAGE=$IMAGE is a folder; it should be an image file or a block device"
	[ -f "$IMAGE" ] || [ -b "$IMAGE" ] || die "IMAGE=$IMAGE is neither a file nor a block device"
	[ -r "$IMAGE" ] || die "IMAGE=$IMAGE cannot be read"
	path=/host$(realpath "$IMAGE")
	sector=512
	if [ -b "$IMAGE" ]; then
		sector=$(blockdev --getss "$IMAGE" 2>/dev/null) || die "IMAGE=$IMAGE cannot be opened"
		mounted=$(lsblk -rno MOUNTPOINTS "$IMAGE" | grep -m 1 / || true)
		[ "${RW-}" != 1 ] || [ -z "$mounted" ] ||
			die "IMAGE=$IMAGE is in use at $mounted: unmount it, or leave out RW=1"
	else
		[ -s "$IMAGE" ] || die "IMAGE=$IMAGE is empty"
		looks_right || die "IMAGE=$IMAGE is neither an NTFS volume, nor a disk with partitions, nor a disk image"
	fi
}

# looks_right: a boot sector or its copy at the end, a partition table, or what a format begins with.
looks_right() {
	head -c 4096 "$IMAGE" | grep -qaE 'NTFS    |-FVE-FS-|EFI PART|^QFI|^vhdxfile|^conectix|^KDMV|VirtualBox' ||
		[ "$(head -c 512 "$IMAGE" | tail -c 2 | od -An -tx1)" = ' 55 aa' ] ||
		tail -c 512 "$IMAGE" | grep -qa 'NTFS    '
}

make_sample() {
	mkdir -p "$sample"
	rm -f "$sample/ntfs.new"
	truncate -s 256M "$sample/ntfs.new"
	mkntfs --quiet --fast --force --label Sample "$sample/ntfs.new"
	# Not on the host, where FUSE may be missing.
	# shellcheck disable=SC2016 # the guest's DISK0
	"$tools/vm.py" --payload "$tools/guest" --disk "$sample/ntfs.new,rw" --timeout 900 \
		'ntfs-3g -o noatime,special_files=wsl "$DISK0" /mnt && python3 fill.py /mnt && umount /mnt'
	mv "$sample/ntfs.new" "$sample/ntfs.raw"
}

need_sample() {
	local inputs
	inputs=$(hash_of "$tools/guest/fill.py" "$(declare -f make_sample)")
	! fresh sample "$inputs" || return 0
	lock sample
	! fresh sample "$inputs" || return 0
	step "Sample volume: mkntfs, filled by ntfs-3g" make_sample
	stamp sample "$inputs"
	# The guest may take long, and another run may want to begin.
	exec 9>&-
}

if [ "${1-}" = --help ]; then usage; fi
[ $# = 0 ] || die "unknown argument $1: see --help"

if ! in_sdk; then
	path='' sector=512
	[ -z "${IMAGE-}" ] || check_image
	"$tools/sdk.sh"
	"$tools/kernel.sh" stock
	"$tools/guest.sh"
	"$tools/module.sh"
	exec "$tools/sdk.sh" enter --host env IMAGE="${IMAGE-}" RW="${RW-}" OPTIONS="${OPTIONS-}" \
		IMAGE_PATH="$path" IMAGE_SECTOR="$sector" "$tools/run.sh"
fi

mode=snapshot
if [ -n "$IMAGE" ]; then
	info=$(qemu-img info "$IMAGE_PATH" 2>&1) || die "IMAGE=$IMAGE: $(tail -n 1 <<<"$info")"
	format=$(sed -n 's/^file format: //p;T;q' <<<"$info")
	[ "$RW" != 1 ] || mode=durable
else
	need_sample
	IMAGE_PATH=$sample/ntfs.raw
	format=raw
fi

payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
cp "$cache/module/stock/ntfs_rs.ko" "$tools/guest/show" "$payload/"
terminal=()
if [ -t 0 ] && [ -t 1 ]; then terminal=(--interactive); fi
printf 'Starting Linux %s ...\n' "$(cat "$cache/kernel/stock/release")"
"$tools/vm.py" "${terminal[@]}" --payload "$payload" \
	--disk "$IMAGE_PATH,format=$format,$mode,sector=$IMAGE_SECTOR" \
	"$(printf 'SHELL_WANTED=%q OPTIONS=%q ./show' "${terminal[*]}" "$OPTIONS")"
