#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tests/fuzz.sh [--seconds N] [TARGET...]
#
# Runs the fuzz targets of tests/fuzz, N seconds each (300 unless given); all of them unless some are
# named. Prints a line for each with how many inputs were tried; a crash or hang leaves its input in
# the cache and fails. What an earlier run found interesting is where the next begins.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tools/lib.sh"

seconds=300
targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--help) usage ;;
	--seconds)
		[[ ${2-} =~ ^[1-9][0-9]*$ ]] || die "--seconds wants a number"
		seconds=$2
		shift
		;;
	-*) die "unknown argument $1: see --help" ;;
	*)
		[ -f "$top/tests/fuzz/fuzz_targets/$1.rs" ] || die "there is no target $1"
		targets+=("$1")
		;;
	esac
	shift
done

if ! in_sdk; then
	"$tools/sdk.sh"
	exec "$tools/sdk.sh" enter "$top/tests/fuzz.sh" --seconds "$seconds" "${targets[@]}"
fi

if [ ${#targets[@]} = 0 ]; then
	mapfile -t targets < <(cd "$top/tests/fuzz/fuzz_targets" && printf '%s\n' *.rs | sed 's/\.rs$//')
fi
home=$cache/fuzz
images=$home/images
triple=$(rustc -vV | sed -n 's/^host: //p')
binaries=$cache/target/fuzz/$triple/release

# The instrumentation of `cargo fuzz`, as far as a stable compiler has it. There is no address
# sanitizer, and no need for one: what is fuzzed is safe Rust.
build() {
	local flags=(
		--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
		-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
		-Cllvm-args=-sanitizer-coverage-trace-compares
	)
	# With --target the flags do not reach build scripts, which could not be linked with them.
	RUSTFLAGS="${flags[*]}" cargo build --release --target "$triple" \
		--target-dir "$cache/target/fuzz" --manifest-path "$top/tests/fuzz/Cargo.toml"
}

# Images to begin with: one of mkntfs, and the small ones among the real volumes if they are there.
seed() {
	local image
	mkdir -p "$images.new"
	truncate -s 2M "$images.new/mkntfs.raw"
	mkntfs -q -F -s 512 -p 0 -H 0 -S 0 -L fuzz "$images.new/mkntfs.raw"
	for image in lin-colinfinck syz-ntfs-00 syz-ntfs-16 syz-ntfs3-00; do
		[ ! -f "$top/../shared/images/$image.raw.zst" ] ||
			zstd -qdf "$top/../shared/images/$image.raw.zst" -o "$images.new/$image.raw"
	done
	rm -rf "$images"
	mv "$images.new" "$images"
	"$top/tests/fuzz/seeds.py" "$home/corpus" "$images"/*.raw
}

# fuzz TARGET: prints its line.
fuzz() {
	local log=$home/log/$1.log crashes=$home/crashes/$1 tried
	mkdir -p "$home/log" "$home/corpus/$1" "$crashes"
	if NTFS_RS_FUZZ_IMAGES=$images "$binaries/$1" "$home/corpus/$1" -artifact_prefix="$crashes/" \
		-max_total_time="$seconds" -timeout=30 -rss_limit_mb=4096 -print_final_stats=1 \
		>"$log" 2>&1 </dev/null; then
		tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
		printf '%-16s %10d inputs in %d s\n' "$1" "${tried:-0}" "$seconds"
		[ "${tried:-0}" -gt 0 ]
	else
		printf '%-16s FAILED: %s\n' "$1" "$(grep -aE 'panicked at|ERROR: libFuzzer' "$log" | head -n 1)"
		printf '  input: %s\n  log:   %s\n' \
			"$(sed -n 's/^.*Test unit written to //p' "$log" | tail -n 1)" "$log"
		return 1
	fi
}

step "Fuzz: build" build
step "Fuzz: images to begin with" seed
passed=0 failed=0
for target in "${targets[@]}"; do
	if fuzz "$target"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
