# SPDX-License-Identifier: GPL-2.0-only
"""The files that are read for speed. Contents depend on the name alone, so that the host knows them without the volume."""

from __future__ import annotations

import hashlib
import random

MI = 1 << 20
UNIT = 65536
# Data and holes take turns in the sparse file.
PIECE = 65536
SIZES = {"plain": 64 * MI, "sparse": 32 * MI, "fragmented": 16 * MI, "lznt1": 8 * MI, "xpress8k": 8 * MI, "lzx": 8 * MI}
# What WOF has compressed, by wimlib on the host: the number of the algorithm, wimlib's codec, the bytes of a chunk.
WOF = {"xpress8k": (2, 1, 8192), "lzx": (1, 2, 32768)}
COMPRESSED = ("lznt1", *WOF)
# The folders of the tree, and how many names each has.
FOLDERS, NAMES = 4, 5000


def text(seed: str, size: int) -> bytes:
    """Words, which shrink to about a half, and in each eighth unit noise, which does not shrink."""
    dice = random.Random(seed)
    words = [bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(2000)]
    most = b" ".join(dice.choices(words, k=MI // 5))[:MI]
    body = bytearray()
    # The same words at other places: nothing looks back as far as that.
    while len(body) < size:
        turn = len(body) // MI * 977
        body += most[turn:] + most[:turn]
    for at in range(7 * UNIT, size, 8 * UNIT):
        body[at : at + UNIT] = dice.randbytes(UNIT)
    return bytes(body[:size])


def content(name: str) -> bytes:
    """What must be read."""
    size = SIZES[name]
    if name in COMPRESSED:
        return text(name, size)
    body = bytearray(hashlib.shake_128(name.encode()).digest(size))
    if name == "sparse":
        for at in range(PIECE, size, 2 * PIECE):
            body[at : at + PIECE] = bytes(PIECE)
    return bytes(body)
