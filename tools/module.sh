#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/module.sh [stock|debug|KDIR]   build ntfs_rs.ko (for the stock kernel unless told otherwise)
#
# stock and debug are made when they are missing, and are built for inside the SDK. KDIR is the build
# folder of any other Linux 7.3 with CONFIG_RUST=y; for that one make, the C compiler, bindgen and
# RUSTC (rustc unless set) are the host's. A tree that does not fit is refused. The module comes to
# OUT (CACHE/module/NAME unless set); the checkout stays clean.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# fits KDIR: dies with the reason when a module for this tree cannot be built or would not load.
fits() {
	local release wanted compiler
	ls "$1/.config" "$1/Makefile" >/dev/null 2>&1 ||
		die "$1 is not the build folder of a kernel: it has no .config or no Makefile"
	release=$(cat "$1/include/config/kernel.release" 2>/dev/null) ||
		die "$1 is not prepared: run make there first"
	case $release in
	7.3 | 7.3[!0-9]*) ;;
	*) die "$1 is Linux $release, and this driver is for 7.3" ;;
	esac
	grep -qx CONFIG_RUST=y "$1/.config" || die "Linux $release in $1 is without CONFIG_RUST=y"
	[ -f "$1/rust/libkernel.rmeta" ] ||
		die "$1 has no Rust metadata (rust/libkernel.rmeta): a headers package is not enough, it takes a built tree"
	wanted=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"$/\1/p' "$1/.config")
	# In the module's folder, where make will run it: rustup chooses by folder.
	compiler=$(cd "$top" && "$rustc" --version 2>&1) || die "cannot run $rustc: set RUSTC to the compiler of $1, $wanted"
	[ "$compiler" = "$wanted" ] ||
		die "the kernel in $1 was built with '$wanted' and $rustc is '$compiler': set RUSTC, they must be the same"
	rust_symbols_fit "$1"
}

build() {
	local options=(-C "$kdir" M="$top" MO="$out" RUSTC="$rustc")
	! grep -qx CONFIG_CC_IS_CLANG=y "$kdir/.config" || options+=(LLVM=1)
	mkdir -p "$out"
	make -j"$(nproc)" "${options[@]}" modules 2>&1 | tee "$out/build.log"
	# With KUnit the tests are in it, and those may panic.
	if ! grep -qx CONFIG_KUNIT=y "$kdir/.config" && nm "$out/ntfs_rs.ko" | grep panicking; then
		die "ntfs_rs.ko can panic: the symbols above must not be in it"
	fi
}

rustc=${RUSTC:-rustc}
kdir=${1:-stock}
case $kdir in
--help) usage ;;
stock | debug | "$cache"/kernel/*/build)
	name=${kdir#"$cache/kernel/"}
	name=${name%/build}
	kdir=$cache/kernel/$name/build
	if ! in_sdk; then
		"$tools/kernel.sh" "$name"
		exec "$tools/sdk.sh" enter env ${OUT:+OUT="$OUT"} "$tools/module.sh" "$name"
	fi
	rustc=/usr/bin/rustc
	;;
*)
	[ -d "$kdir" ] || die "$kdir: no such folder; it should be the build folder of a kernel"
	kdir=$(cd "$kdir" && pwd -P)
	name=$(basename "$kdir")-$(hash_of "path $kdir")
	;;
esac
out=${OUT:-$cache/module/$name}
fits "$kdir"
lock "module-$(basename "$out")-$(hash_of "path $out")"
# shellcheck disable=SC2034 # lib.sh: a compiler's messages are for the reader
show_log=1
step "Module for $(cat "$kdir/include/config/kernel.release")" build
grep -iw warning "$out/build.log" || true
printf '  %s, %d KiB\n' "$out/ntfs_rs.ko" $(($(stat -c %s "$out/ntfs_rs.ko") / 1024))
