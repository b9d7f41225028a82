# SPDX-License-Identifier: GPL-2.0-only
"""Touches everything that a mounted volume offers, expecting nothing but an answer or an error."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from . import syscalls

MOST_NAMES = 100_000
PIECE = 64 << 10


@dataclass
class Touched:
    """How much answered, and which error numbers came."""

    names: int = 0
    bytes: int = 0
    errors: dict[int, int] = field(default_factory=dict)

    def error(self, error: OSError) -> None:
        number = error.errno or 0
        self.errors[number] = self.errors.get(number, 0) + 1


def touch_attributes(target: int | bytes) -> None:
    """Asks an open file, or what a path leads to, for its extended attributes, and for some that no list tells of."""
    follow = {} if isinstance(target, int) else {"follow_symlinks": False}
    for attribute in [*os.listxattr(target, **follow)[:8], "system.ntfs_acl", "system.ntfs_object_id", "system.ntfs_ea"]:
        with contextlib.suppress(OSError):
            os.getxattr(target, attribute, **follow)


def touch_file(path: bytes, size: int, touched: Touched, tick: Callable[[], None]) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        tails = {0, PIECE, size // 2, max(size - PIECE, 0), size, size + PIECE}
        for offset in sorted(tails):
            try:
                touched.bytes += len(os.pread(fd, PIECE, offset))
            except OSError as error:
                touched.error(error)
        tick()
        for where in (os.SEEK_HOLE, os.SEEK_DATA):
            try:
                os.lseek(fd, 0, where)
            except OSError as error:
                touched.error(error)
        try:
            syscalls.fiemap(fd, count=32)
        except OSError as error:
            touched.error(error)
        if 0 < size < PIECE:
            with contextlib.suppress(OSError, ValueError), mmap.mmap(fd, 0, prot=mmap.PROT_READ):
                pass  # only the mapping: a page that cannot be read would be a SIGBUS
        touch_attributes(fd)
    finally:
        os.close(fd)


def prod(root: str, tick: Callable[[], None]) -> Touched:
    """Walks, stats, reads, maps, follows and looks up below `root`. Ends even when folders form a circle."""
    touched = Touched()
    top = os.fsencode(root)
    pending = [top]
    seen: set[tuple[int, int]] = set()
    with contextlib.suppress(OSError):
        os.statvfs(root)
    while pending and touched.names < MOST_NAMES:
        folder = pending.pop()
        tick()
        try:
            names = os.listdir(folder)
        except OSError as error:
            touched.error(error)
            continue
        for name in names:
            touched.names += 1
            path = folder + b"/" + name
            try:
                info = os.lstat(path)
                kind = info.st_mode & 0o170000
                if kind == 0o040000:
                    if (info.st_dev, info.st_ino) not in seen:
                        seen.add((info.st_dev, info.st_ino))
                        pending.append(path)
                elif kind == 0o100000:
                    touch_file(path, info.st_size, touched, tick)
                elif kind == 0o120000:
                    os.readlink(path)
                if kind != 0o100000:
                    touch_attributes(path)
            except OSError as error:
                touched.error(error)
        for absent in (b"no such name", b"\xff\xfe", b"x" * 255, b"DATA~1"):
            try:
                os.lstat(folder + b"/" + absent)
            except OSError as error:
                touched.error(error)
    tick()
    return touched
