# SPDX-License-Identifier: GPL-2.0-only
"""Folders of many sizes: an index in the root only, one block, several blocks, several levels."""

from __future__ import annotations

import os

from .content import write

SIZES = {1: (0, 1, 11, 40), 2: (0, 1, 10, 11, 100, 1000), 3: (0, 1, 10, 11, 100, 1000, 10_000)}


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644))


def fill(root: str, scale: int) -> None:
    for size in SIZES[min(scale, 3)]:
        folder = f"{root}/{size} names"
        os.mkdir(folder)
        for index in range(size):
            # Not in the order of the index, and of unequal lengths, so that blocks split unevenly.
            number = index * 7919 % max(size, 1)
            _touch(f"{folder}/{number:06d}{'-' + 'long' * (number % 13)}")
    # Entries taken out again leave blocks that are half empty or wholly empty.
    folder = f"{root}/holes in the index"
    os.mkdir(folder)
    count = 400 if scale > 1 else 60
    for index in range(count):
        _touch(f"{folder}/{index:04d} with a name that takes some room")
    for index in range(count // 4, count * 3 // 4):
        os.unlink(f"{folder}/{index:04d} with a name that takes some room")
    # Folders in folders, and a folder that was full and is empty now.
    for index in range(5 if scale > 1 else 2):
        os.makedirs(f"{root}/tree/{index}/{index}{index}/leaf")
        write(f"{root}/tree/{index}/{index}{index}/leaf/file", 100 + index)
    os.mkdir(f"{root}/emptied")
    for index in range(20):
        _touch(f"{root}/emptied/{index} some name that makes the index leave the record")
    for index in range(20):
        os.unlink(f"{root}/emptied/{index} some name that makes the index leave the record")


def fill_huge(root: str, count: int) -> None:
    """One folder of `count` names."""
    os.mkdir(f"{root}/huge")
    for index in range(count):
        _touch(f"{root}/huge/file number {index * 7919 % count:07d}")
