# SPDX-License-Identifier: GPL-2.0-only
"""Files in thousands of pieces, whose runs need many MFT records and an attribute list, and their way back."""

from __future__ import annotations

import os
import random

from .. import volume
from ..case import Report
from .ground import FOLDER, Ground, differs, free_clusters, read_whole

NAMES = ("plain 0", "plain 700", "plain 4096")


def step_of(ground: Ground) -> int:
    """Every other cluster, and not less than a page: smaller pieces would be filled to one by the page cache."""
    return 2 * max(ground.cluster, 4096)


def write_pieces(root: str, ground: Ground, count: int, dice: random.Random, offset: int = 0) -> None:
    """Pieces of a cluster with holes between them, in any order, through several files at once."""
    step = step_of(ground)
    contents = {name: bytearray(ground.contents[name]) for name in NAMES}
    files = {name: os.open(f"{root}/{FOLDER}/{name}", os.O_WRONLY) for name in NAMES}
    try:
        places = [(name, place) for name in NAMES for place in range(count)]
        dice.shuffle(places)
        for turn, (name, place) in enumerate(places):
            at, piece = offset + place * step, dice.randbytes(step // 2)
            assert os.pwrite(files[name], piece, at) == len(piece), "a short write"
            if len(contents[name]) < at + len(piece):
                contents[name].extend(bytes(at + len(piece) - len(contents[name])))
            contents[name][at : at + len(piece)] = piece
            if turn % 997 == 500:
                os.fsync(files[name])
            elif turn % 499 == 100:
                os.sync()
    finally:
        for fd in files.values():
            os.close(fd)
    for name in NAMES:
        ground.contents[name] = bytes(contents[name])


def compared(root: str, ground: Ground) -> None:
    problems = [f"{name!r}: {text}" for name in NAMES if (text := differs(read_whole(f"{root}/{FOLDER}/{name}"), ground.contents[name]))]
    assert not problems, "\n".join(problems)


def punch(root: str, ground: Ground, dice: random.Random) -> None:
    """Takes whole pieces out, a fifth of them, of a middle part of each file."""
    step = step_of(ground)
    for name in NAMES:
        content = bytearray(ground.contents[name])
        fd = os.open(f"{root}/{FOLDER}/{name}", os.O_RDWR)
        try:
            pieces = len(content) // step
            for place in dice.sample(range(pieces // 4, pieces * 3 // 4), pieces // 5):
                volume.run("fallocate", "-p", "-o", str(place * step), "-l", str(step), f"{root}/{FOLDER}/{name}")
                content[place * step : (place + 1) * step] = bytes(step)
        finally:
            os.close(fd)
        ground.contents[name] = bytes(content)


def cut(root: str, ground: Ground, keep: int) -> None:
    for name in NAMES:
        os.truncate(f"{root}/{FOLDER}/{name}", keep)
        ground.contents[name] = ground.contents[name][:keep]


def mft_allocated(root: str) -> int:
    """Bytes. Its data may end before: ntfs-3g allocates more than it needs, and a longer $MFT uses that first."""
    return os.stat(f"{root}/$MFT").st_blocks * 512


def run(report: Report, ground: Ground, seed: int, pieces: int) -> None:
    """Each step is followed by a new mount; the caller lets others read what it leaves."""
    dice = random.Random(seed)
    with ground.mount("show_sys_files") as root:
        for name in NAMES:
            os.truncate(f"{root}/{FOLDER}/{name}", 0)
            ground.contents[name] = b""
        os.sync()
        empty, records = free_clusters(root), mft_allocated(root)
        with report.case(f"{pieces} pieces of each file are written and read, seed {seed}"):
            write_pieces(root, ground, pieces, dice)
            compared(root, ground)
    with ground.mount() as root:
        with report.case("they are there after a remount"):
            compared(root, ground)
        with report.case("what was between them is written as well"):
            write_pieces(root, ground, pieces // 3, dice, offset=step_of(ground) // 2)
            compared(root, ground)
        with report.case("pieces become holes"):
            punch(root, ground, dice)
            compared(root, ground)
        with report.case("the end is cut off"):
            cut(root, ground, pieces // 2 * step_of(ground) + 77)
            volume.drop_caches()
            compared(root, ground)
    with ground.mount() as root:
        cut(root, ground, 0)
    with ground.mount("show_sys_files") as root, report.case("all clusters come back but those of a longer $MFT"):
        taken = empty - free_clusters(root)
        longer = (mft_allocated(root) - records) // ground.cluster
        # Its bitmap may need one more as well.
        assert longer <= taken <= longer + 1, f"{taken} clusters are not free, and $MFT has {longer} more"
    with ground.mount() as root, report.case("and can be used again"):
        write_pieces(root, ground, pieces // 2, dice)
        compared(root, ground)
