# SPDX-License-Identifier: GPL-2.0-only
"""File contents that tell where they came from: no two blocks of 16 bytes are equal."""

from __future__ import annotations

import hashlib
import os


def content(seed: str, size: int) -> bytes:
    """`size` bytes that depend on the seed only. SHAKE is fast enough under emulation."""
    return hashlib.shake_128(seed.encode("utf-8", "surrogateescape")).digest(size)


def write(path: str | bytes, size: int, seed: str | None = None) -> None:
    """A file with `size` bytes of its content."""
    with open(path, "wb", buffering=0) as file:
        body = content(seed or os.path.basename(os.fsdecode(path)), size)
        at = 0
        while at < len(body):
            at += file.write(body[at : at + (1 << 20)])


def attempt(problems: list[str], what: str, act, *args, **kw) -> bool:
    """Runs one step that ntfs-3g may refuse (names that it does not take, full volumes)."""
    try:
        act(*args, **kw)
    except OSError as error:
        problems.append(f"{what}: {os.strerror(error.errno or 0)}")
        return False
    return True
