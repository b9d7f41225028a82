#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/kernel.sh NAME...   make the named kernels when they are missing or out of date
#
#   stock   the newest Linux 7.3 of Debian's backports as it is, and a tree to build Rust modules for
#           it: Debian's headers have no Rust metadata, so it is made anew from Debian's source,
#           configuration and compiler, and refused unless its symbols are those of the stock kernel
#   debug   the same source with the checks of tools/debug.config
#   source  Debian's packages and the source alone, of which both are made
#
# Each comes to CACHE/kernel/NAME: release, vmlinuz, build/ (the KDIR of a module), initramfs.cpio and
# modules.ext4 (for tools/vm.py).

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

kernels=$cache/kernel
source=$kernels/source
base=7.3
jobs=$(nproc)

# Where the parts of the kernel's packages are put while they are looked at.
packages=$kernels/packages

# newest_release: the release of the newest cloud kernel, such as 7.3.4+deb13-cloud-amd64.
newest_release() {
	apt-cache search --names-only "^linux-image-${base//./\\.}[^-]*-cloud-amd64\$" |
		sed -nE 's/^linux-image-([^ ]+) .*/\1/p' | sort -V | tail -n 1
}

# Everything of one version: an image with another version's source would not fit together.
download() {
	local release version name
	apt-get update
	release=$(newest_release)
	[ -n "$release" ] || die "the package mirror has no linux-image-$base*-cloud-amd64; this driver is for Linux $base"
	version=$(apt-cache show --no-all-versions "linux-headers-$release" | sed -n 's/^Version: //p')
	rm -rf "$packages"
	mkdir -p "$packages"
	chmod 755 "$packages"
	cd "$packages"
	# Debian moved the parts of the image into packages of their own during 7.x.
	for name in image binary modules base; do
		! apt-cache show "linux-$name-$release=$version" >/dev/null 2>&1 ||
			apt-get -o APT::Sandbox::User=root download "linux-$name-$release=$version"
	done
	apt-get -o APT::Sandbox::User=root download "linux-headers-$release=$version" "linux-source-$base=$version"
	for name in linux-source-* linux-headers-*; do
		dpkg-deb -x "$name" headers
		rm "$name"
	done
	for name in *.deb; do
		dpkg-deb -x "$name" image
		rm "$name"
	done
	printf '%s\n' "$release" >release
}

unpack_source() {
	rm -rf "$source" "$source.new"
	mkdir "$source.new"
	tar -C "$source.new" --strip-components=1 -xf "$packages/headers/usr/src/linux-source-$base.tar.xz"
	mv "$source.new" "$source"
	rm "$packages/headers/usr/src/linux-source-$base.tar.xz"
}

need_source() {
	local inputs
	inputs=$(hash_of $base)
	! fresh kernel-source "$inputs" || return 0
	lock kernel-source
	! fresh kernel-source "$inputs" || return 0
	need_space 9000 "$cache"
	step "Kernel: Debian's packages" download
	step "Kernel: unpack the source" unpack_source
	stamp kernel-source "$inputs"
	printf '  Linux %s\n' "$(cat "$packages/release")"
}

stock_build() {
	local release headers
	release=$(cat "$packages/release")
	headers=$packages/headers/usr/src/linux-headers-$release
	mkdir -p build
	cp "$headers/.config" "$headers/Module.symvers" build/
	cd "$source"
	local options=(-j"$jobs" O="$kernels/stock/build" LOCALVERSION="${release#"$(make -s kernelversion)"}")
	make "${options[@]}" olddefconfig
	make "${options[@]}" prepare modules_prepare
	[ "$(cat "$kernels/stock/build/include/config/kernel.release")" = "$release" ] ||
		die "the source makes another release than $release"
	rust_symbols_fit "$kernels/stock/build"
}

stock_image() {
	local release tree=$packages/image
	release=$(cat "$packages/release")
	# Debian has moved these folders in the past: both ways of naming them work.
	mkdir -p "$tree/usr/lib"
	if [ -d "$tree/lib" ] && [ ! -L "$tree/lib" ]; then
		cp -a "$tree/lib/." "$tree/usr/lib/"
		rm -r "${tree:?}/lib"
	fi
	ln -sfn usr/lib "$tree/lib"
	for image in "$tree/boot/vmlinuz-$release" "$tree/lib/modules/$release/vmlinuz"; do
		[ ! -f "$image" ] || cp "$image" vmlinuz
	done
	[ -f vmlinuz ] || die "no vmlinuz in the packages of $release"
	depmod -b "$tree" "$release"
	boot_files "$tree" "$release" virtio_blk overlay
}

debug_build() {
	local line options=(-j"$jobs" LLVM=1 O="$kernels/debug/build")
	mkdir -p build
	cd "$source"
	# KASAN and Rust together need clang. An interrupted build goes on where it was.
	make "${options[@]}" KCONFIG_ALLCONFIG="$tools/debug.config" allnoconfig
	while read -r line; do
		case $line in
		CONFIG_*) grep -qxF "$line" "$kernels/debug/build/.config" || die "Kconfig dropped $line" ;;
		esac
	done <"$tools/debug.config"
	nice make "${options[@]}" bzImage modules
	rm -rf "$kernels/debug/tree"
	make "${options[@]}" INSTALL_MOD_PATH="$kernels/debug/tree" modules_install
}

debug_image() {
	local release
	release=$(cat build/include/config/kernel.release)
	cp build/arch/x86/boot/bzImage vmlinuz
	ln -sfn . tree/usr
	boot_files tree "$release"
	rm -rf tree
}

# boot_files TREE RELEASE [NAME...]: what tools/vm.py boots with: an initramfs with busybox and the
# named modules (in the order in which they load), and an image of all modules.
boot_files() {
	local folder=$1/lib/modules/$2 name file number=10 initramfs
	initramfs=$(mktemp -d)
	mkdir -p "$initramfs"/{bin,modules,proc,sys,dev,lower,rw,root}
	cp /bin/busybox "$initramfs/bin/"
	for name in "${@:3}"; do
		for file in $(modprobe -d "$1" -S "$2" --show-depends "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p'); do
			number=$((number + 1))
			case $file in
			*.xz) xz -dc "$file" ;;
			*.zst) zstd -dc "$file" ;;
			*) cat "$file" ;;
			esac >"$initramfs/modules/$number-$(basename "${file%%.ko*}").ko"
		done
	done
	(cd "$initramfs" && find . | cpio -o -H newc --quiet) >initramfs.cpio
	rm -rf "$initramfs" modules.ext4
	mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$folder" modules.ext4 $(($(du -sm "$folder" | cut -f 1) * 5 / 4 + 16))m
	printf '%s\n' "$2" >release
}

# make_kernel NAME [FUNCTION TITLE]...
make_kernel() {
	local name=$1 config=$tools/$1.config inputs
	shift
	# The stock kernel has none; where the checkout is does not matter.
	[ -f "$config" ] || config=stock
	inputs=$(hash_of "$(cat "$packages/release")" "$(declare -f "$name"_{build,image} boot_files)" "$config")
	! fresh "kernel-$name" "$inputs" || return 0
	lock "kernel-$name"
	! fresh "kernel-$name" "$inputs" || return 0
	mkdir -p "$kernels/$name"
	cd "$kernels/$name"
	while [ $# -gt 0 ]; do
		step "$2" "$1"
		shift 2
	done
	stamp "kernel-$name" "$inputs"
	printf '  Linux %s\n' "$(cat release)"
}

[ $# -gt 0 ] || die "which kernel? See --help"
[ "$1" != --help ] || usage
if ! in_sdk; then
	"$tools/sdk.sh"
	exec "$tools/sdk.sh" enter "$tools/kernel.sh" "$@"
fi
need_source
for name; do
	case $name in
	stock) make_kernel stock stock_build "Stock kernel: Rust metadata" stock_image "Stock kernel: boot files" ;;
	debug) make_kernel debug debug_build "Debug kernel: build" debug_image "Debug kernel: boot files" ;;
	source) ;;
	*) die "no kernel $name: see --help" ;;
	esac
done
