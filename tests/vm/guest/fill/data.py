# SPDX-License-Identifier: GPL-2.0-only
"""Contents: around the resident limit, the cluster and 64 KiB; holes; many runs; very long sparse files."""

from __future__ import annotations

import os

from .content import content, write


def holes(path: str, length: int, pieces: list[tuple[int, int]]) -> None:
    """A file of `length` bytes in which only the pieces (offset, length) were written."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.ftruncate(fd, length)
        for offset, size in pieces:
            os.pwrite(fd, content(f"{path}@{offset}", size), offset)
    finally:
        os.close(fd)


def interleaved(first: str, second: str, runs: int, step: int) -> None:
    """Two files written in turns: each gets about `runs` runs, because the other one is in the way."""
    fds = [os.open(path, os.O_CREAT | os.O_WRONLY, 0o644) for path in (first, second)]
    try:
        for index in range(runs):
            for fd in fds:
                os.pwrite(fd, content(f"{fd}{index}", step), index * step)
                os.fsync(fd)
    finally:
        for fd in fds:
            os.close(fd)


def fill(root: str, scale: int) -> None:
    cluster = os.statvfs(root).f_frsize
    near_resident = range(560, 761, 1 if scale > 2 else 8 if scale > 1 else 40)
    large_record = range(3500, 3800, 20 if scale > 1 else 150)
    sizes = {0, 1, 8, 513, 4095, 4096, 4097, 65536, 65537, *near_resident, *large_record}
    if scale > 1:
        sizes |= {2, 7, 9, 100, 511, 512, 1023, 1024, 1025, 65535}
    if cluster <= 131072 or scale > 1:
        sizes |= {cluster - 1, cluster, cluster + 1, 3 * cluster + 5}
    if cluster > 131072 and scale == 1:
        # Each of them takes a whole cluster on the disk and in the emulator's time.
        sizes = {0, 1, 513, 600, 680, 760, 4097, 65537}
    for size in sorted(sizes):
        write(f"{root}/size {size}", size)
    if scale > 1:
        write(f"{root}/several MiB", 5 * (1 << 20) + 12345)

    end = 64 * max(cluster, 4096) if cluster < 1 << 20 else 8 * cluster
    piece = min(max(cluster, 4096), 65536)
    holes(f"{root}/hole at the start", end, [(end - piece, piece)])
    holes(f"{root}/hole in the middle", end, [(0, piece), (end - piece, piece)])
    holes(f"{root}/hole at the end", end, [(0, piece)])
    holes(f"{root}/only a hole", end + 17, [])
    holes(f"{root}/every other cluster", end, [(at, piece) for at in range(0, end, 8 * piece)])
    holes(f"{root}/not aligned", end - 3, [(5, 100), (piece * 3 + 11, piece + 3), (end - 500, 100)])
    # Longer than 4 GiB, and longer than anything that fits in 32 bits of clusters of 512 bytes.
    # With small clusters the mapping pairs of these stay short all the same: they are holes.
    for name, length in (("4 GiB less one", (4 << 30) - 1), ("4 GiB", 4 << 30), ("4 GiB and one", (4 << 30) + 1)):
        holes(f"{root}/{name}", length, [(0, 4096), (length - 4096, 4096)])
    holes(f"{root}/2 to the 40", 1 << 40, [(0, 4096), (1 << 39, 4096), ((1 << 40) - 4096, 4096)])

    runs = {1: 15, 2: 300, 3: 10_000}[min(scale, 3)]
    if cluster <= 65536:
        interleaved(f"{root}/many runs", f"{root}/many runs too", runs, cluster)
