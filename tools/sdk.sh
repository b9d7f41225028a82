#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/sdk.sh                        make the SDK when it is missing or out of date
# tools/sdk.sh enter [--host] CMD...  run CMD in it
#
# The SDK is a folder with Debian 13 and everything that building and testing need, in the cache
# (NTFS_RS_CACHE, /var/cache/ntfs_rs unless set). Its packages come from the mirror that the host's own
# apt uses; NTFS_RS_MIRROR names another. In it the checkout and the cache have the paths that they
# have outside, and with --host the rest of the host is at /host.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=trixie
packages=(
	# the kernel and its Rust
	build-essential bc bison flex libelf-dev libssl-dev kmod cpio rsync xz-utils zstd pahole
	rustc cargo rust-src rustfmt rust-clippy bindgen clang libclang-dev libclang-rt-dev lld llvm
	# images and virtual machines
	qemu-system-x86 qemu-utils busybox-static debootstrap e2fsprogs fdisk ntfs-3g
	# tests
	python3 python3-venv ca-certificates libwim15t64 groff-base
)

# host_mirror: where the host's apt gets Debian from.
host_mirror() {
	local uri
	if [ -n "${NTFS_RS_MIRROR-}" ]; then
		printf '%s\n' "$NTFS_RS_MIRROR"
		return
	fi
	# shellcheck disable=SC2016 # the names are apt's
	uri=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | awk '$2 !~ /-/ && $3 == "main" && !seen++ { print $1 }')
	case $uri in
	# Debian's cloud images name a file with one mirror a line.
	mirror+file:*) uri=$(grep -m 1 -oE '^[a-z]+:[^[:space:]]+' "${uri#mirror+file:}") ;;
	esac
	[ -n "$uri" ] || die "no Debian mirror in this host's apt settings: set NTFS_RS_MIRROR to one"
	printf '%s\n' "${uri%/}"
}

need_debootstrap() {
	command -v debootstrap >/dev/null && [ -e /usr/share/debootstrap/scripts/$suite ] &&
		ls /usr/share/keyrings/debian-archive-$suite* >/dev/null 2>&1 && return
	command -v apt-get >/dev/null || die "needs debootstrap, and this host has no apt-get to install it with"
	step "Host: debootstrap" install_debootstrap
}

install_debootstrap() {
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		debootstrap debian-archive-keyring ca-certificates
}

# How the host reaches its mirror (proxy, certificates, checks) holds for the SDK as well. Only
# those settings: others name programs that the SDK does not have.
apt_settings() {
	apt-config dump | grep -E '^Acquire::(https?|ftp|Check-|Force|Retries)' >"$1/etc/apt/apt.conf.d/10host" || true
	printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' >"$1/etc/apt/apt.conf.d/20ntfs_rs"
	# Should the power fail, it is made anew: nothing has to be waited for.
	echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/ntfs_rs"
	printf "deb $2 %s main\n" $suite $suite-updates $suite-backports >"$1/etc/apt/sources.list"
}

base_system() {
	rm -rf --one-file-system "$sdk.new"
	contain / debootstrap --variant=minbase --include=ca-certificates $suite "$sdk.new" "$1"
	apt_settings "$sdk.new" "$1"
}

build_tools() {
	contain "$sdk.new" apt-get update
	contain "$sdk.new" apt-get install -y "${packages[@]}"
	# It conflicts with the package ntfs-3g, and we want both.
	contain "$sdk.new" sh -ec 'cd /root && apt-get download ntfsprogs-plus/'$suite'-backports &&
		dpkg-deb -x ntfsprogs-plus_*.deb /opt/ntfsprogs-plus && rm ntfsprogs-plus_*.deb && apt-get clean'
	rm -rf --one-file-system "$sdk"
	mv "$sdk.new" "$sdk"
}

create() {
	local inputs mirror
	inputs=$(hash_of $suite "${packages[@]}")
	! fresh sdk "$inputs" || return 0
	need_root
	lock sdk
	! fresh sdk "$inputs" || return 0
	need_space 5000 "$cache"
	mirror=$(host_mirror)
	need_debootstrap
	step "SDK: Debian 13 base system" base_system "$mirror"
	step "SDK: compilers, QEMU, tools" build_tools
	stamp sdk "$inputs"
}

enter() {
	[ -x "$sdk/usr/bin/env" ] || die "there is no SDK yet: run tools/sdk.sh"
	if in_sdk; then
		[ "$1" != --host ] || shift
		exec "$@"
	fi
	need_root
	# A host's cargo may be told to use another registry.
	mkdir -p "$cache/cargo"
	[ ! -f "${CARGO_HOME:-${HOME:-/root}/.cargo}/config.toml" ] ||
		cp "${CARGO_HOME:-${HOME:-/root}/.cargo}/config.toml" "$cache/cargo/config.toml"
	contain "$sdk" "$@"
}

case ${1-} in
'') in_sdk || create ;;
enter)
	shift
	[ $# -gt 0 ] || die "enter what? See --help"
	enter "$@"
	;;
--help) usage ;;
*) die "unknown argument $1: see --help" ;;
esac
