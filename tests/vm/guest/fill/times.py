# SPDX-License-Identifier: GPL-2.0-only
"""Times to the 100 ns, before 1970, after 2038, and at both ends of what NTFS can say."""

from __future__ import annotations

import os
import struct

from .content import write

EPOCH = 116_444_736_000_000_000  # 1970 in units of 100 ns since 1601
STAMPS = {
    "first": 1,
    "one second after 1601": 10_000_000,
    "before 1970": EPOCH - 1,
    "before 1970 by half a second": EPOCH - 5_000_000,
    "in 1969": EPOCH - 123_456_789_012_345,
    "in 1900": EPOCH - 22_089_888_000_000_000 + 7,
    "at 1970": EPOCH,
    "100 ns after 1970": EPOCH + 1,
    "in 2026": EPOCH + 17_900_000_001_234_567,
    "last of 32 bits": EPOCH + (2**31 - 1) * 10_000_000 + 9_999_999,
    "after 2038": EPOCH + 2**31 * 10_000_000 + 1,
    "after 2106": EPOCH + 2**32 * 10_000_000 + 3,
    "in 9999": 2_650_467_743_999_999_999,
    "in 30000": EPOCH + 884_541_340_800 * 10_000_000 + 1,
}


def fill(root: str, scale: int) -> None:
    for number, (name, stamp) in enumerate(STAMPS.items()):
        path = f"{root}/{name}"
        if number % 3:
            write(path, 10)
        else:
            os.mkdir(path)
        # Creation, modification, access, change: different ones, so that a mix-up shows.
        stamps = [stamp, max(stamp - 10_000_000, 1), max(stamp - 20_000_003, 1)]
        os.setxattr(path, "system.ntfs_times", struct.pack("<QQQ", *stamps))
