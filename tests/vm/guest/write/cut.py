# SPDX-License-Identifier: GPL-2.0-only
"""A block device that keeps a log of what reaches it (dm-log-writes), and the states in which a power cut could leave it.

A device may keep what it was not told to flush, or not, in any order. So a cut leaves all that came before
some flush, and of what came between that one and the next either a beginning or any selection.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .. import volume

DM_TARGET_MSG = 0xC138FD0E
DM_HEAD = 312
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
MAGIC = 0x6A736677736872
LOG_SIZE = 1 << 30
NAME = "written"


def mark(text: str) -> None:
    """Puts a mark into the log: what comes before it in the log had reached the device, and been flushed if that was asked for."""
    message = struct.pack("<Q", 0) + f"mark {text}".encode() + b"\0"
    size = DM_HEAD + len(message)
    head = struct.pack("<IIIII", 4, 0, 0, size, DM_HEAD).ljust(48, b"\0") + NAME.encode().ljust(128, b"\0")
    control = os.open("/dev/mapper/control", os.O_RDWR)
    try:
        fcntl.ioctl(control, DM_TARGET_MSG, bytearray(head.ljust(DM_HEAD, b"\0") + message))
    finally:
        os.close(control)


@contextlib.contextmanager
def logged(image: str, log: str, sector: int) -> Iterator[str]:
    """The image as a device for the time of the block; what is written to it is in the file `log` afterwards."""
    volume.run("modprobe", "dm-log-writes", check=False)
    with open(log, "wb") as file:
        file.truncate(LOG_SIZE)
    before = set(os.listdir("/sys/block"))
    with volume.loop(image, sector=sector, writable=True) as device, volume.loop(log, sector=sector, writable=True) as log_device:
        table = f"0 {os.path.getsize(image) // 512} log-writes {device} {log_device}"
        volume.run("dmsetup", "--noudevsync", "--noudevrules", "create", NAME, "--table", table)
        try:
            (made,) = [name for name in set(os.listdir("/sys/block")) - before if name.startswith("dm-")]
            yield f"/dev/{made}"
        finally:
            volume.run("dmsetup", "--noudevsync", "--noudevrules", "remove", "--retry", NAME)


@dataclass(frozen=True)
class Entry:
    """One entry of the log: a write to bytes `at` of the device with data at `data` of the log, or a mark."""

    at: int
    length: int
    flags: int
    data: int
    text: str = ""


def read_log(log: str) -> list[Entry]:
    entries = []
    with open(log, "rb") as file:
        magic, version, count, sector = struct.unpack("<QQQI", file.read(28))
        assert (magic, version) == (MAGIC, 1), f"no log of dm-log-writes: {magic:#x}, version {version}"
        place = sector
        for _ in range(count):
            file.seek(place)
            head = file.read(sector)
            at, length, flags, extra = struct.unpack_from("<QQQQ", head)
            place += sector
            text = head[32 : 32 + extra].decode().rstrip("\0") if flags & MARK else ""
            entries.append(Entry(at * sector, 0 if flags & MARK else length * sector, flags, place, text))
            if not flags & (MARK | DISCARD):
                place += length * sector
    return entries


@dataclass(frozen=True)
class Point:
    """A state after a cut: all of `entries[:whole]` is there, and of what follows up to `until` those of `also`.

    What was promised before `until` had been promised when the power went.
    """

    whole: int
    also: tuple[int, ...]
    until: int
    how: str


def points(entries: list[Entry], count: int, dice: random.Random) -> list[Point]:
    """The ends of the log, and so many others in between, in ascending order."""
    flushes = [number for number, entry in enumerate(entries) if entry.flags & (FLUSH | FUA)]
    chosen = [Point(0, (), 0, "before all"), Point(len(entries), (), len(entries), "after all")]
    busy = [
        (start + 1, end)
        for start, end in zip(flushes, flushes[1:])
        if sum(bool(entry.length) for entry in entries[start + 1 : end]) > 1
    ]
    while len(chosen) < count:
        if dice.random() < 0.4 or not busy:
            # The log is in the order in which the device had done it.
            whole = dice.randrange(1, len(entries) + 1)
            chosen.append(Point(whole, (), whole, f"in order up to entry {whole}"))
            continue
        start, end = dice.choice(busy)
        within = [number for number in range(start, end) if entries[number].length]
        also = tuple(number for number in within if dice.random() < dice.choice((0.2, 0.5, 0.8)))
        chosen.append(Point(start, also, end, f"up to flush {start - 1}, and of {len(within)} writes after it {len(also)}: {also[:20]}"))
    return sorted(chosen, key=lambda point: point.whole)


class Replay:
    """Goes through the log once, in order, and makes an image of each point."""

    def __init__(self, image: str, log: str, entries: list[Entry]) -> None:
        self.image, self.entries, self.done = image, entries, 0
        self.log = os.open(log, os.O_RDONLY)

    def close(self) -> None:
        os.close(self.log)

    def apply(self, target: int, entry: Entry) -> None:
        assert not entry.flags & DISCARD, "a discard, which was not asked for"
        if entry.length:
            os.pwrite(target, os.pread(self.log, entry.length, entry.data), entry.at)

    def to(self, point: Point, copy: str) -> None:
        """Makes `copy` what a cut at this point leaves. Points come in ascending order."""
        base = os.open(self.image, os.O_RDWR)
        try:
            while self.done < point.whole:
                self.apply(base, self.entries[self.done])
                self.done += 1
        finally:
            os.close(base)
        volume.run("cp", "--sparse=always", self.image, copy)
        target = os.open(copy, os.O_RDWR)
        try:
            for number in point.also:
                self.apply(target, self.entries[number])
        finally:
            os.close(target)
