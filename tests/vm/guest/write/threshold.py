# SPDX-License-Identifier: GPL-2.0-only
"""Small files that cross the resident limit up and down while others read, map, splice and sync.

What is asserted is what a page cache promises: a byte that is read is one of those that were there
between the start and the end of the read. No more: a read beside a write may see a part of it. Each
file has one writer, and in memory that all share it tells its generation: the one that is complete, the
one that is begun, and how often the file was made shorter (odd: it is happening). A generation is one
pwrite of bytes that depend on it and on their place. While nothing is made shorter, each byte belongs
to a generation between the one complete before the read and the one begun after it, no zeros are seen,
and the file is at least as long as before; else zeros are allowed, as beside any truncate.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import random
import time

from .. import syscalls, volume
from ..case import Report
from .ground import FOLDER, Ground

FILES = 4
SLOT = 64
BLOCK = 4096
# Up across the limit of a record of 1 KiB, and of one of 4 KiB.
STAIRS = ((40, 300, 560, 640, 700, 720, 760, 1100, 2500), (600, 690, 700, 710, 1500), (100, 3000, 3500, 3700, 3900, 4000), (1, 695, 4096, 9000))


def pattern(number: int, generation: int, length: int) -> bytes:
    """The bytes of a generation; never zero, and different from its neighbours' at every place."""
    row = bytes(1 + (generation * 37 + number * 11 + place * 5) % 251 for place in range(251))
    return (row * (length // 251 + 1))[:length]


class Shared:
    """The counters of one file, in memory that all processes have.

    Each is written and read by one copy of its eight bytes: `struct.pack_into` zeroes them first, and others see that.
    """

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        self.memory, self.base = memory, number * SLOT

    def get(self, index: int) -> int:
        at = self.base + 8 * index
        return int.from_bytes(self.memory[at : at + 8], "little")

    def set(self, index: int, value: int) -> None:
        at = self.base + 8 * index
        self.memory[at : at + 8] = value.to_bytes(8, "little")


COMPLETE, BEGUN, SHORTENED, LENGTH = range(4)


def writer(path: str, number: int, shared: Shared, until: float, seed: int) -> None:
    """Climbs the stairs, then goes down again by truncate; now and then by way of an empty file."""
    dice, generation, now = random.Random(seed), 0, 0
    fd = os.open(path, os.O_RDWR)
    while True:
        for length in STAIRS[number % len(STAIRS)]:
            # A shorter generation would leave the end of another behind it.
            if length < now:
                continue
            for _ in range(dice.choice((1, 1, 3))):
                generation += 1
                shared.set(BEGUN, generation)
                assert os.pwrite(fd, pattern(number, generation, length), 0) == length, "a short write"
                shared.set(LENGTH, length)
                shared.set(COMPLETE, generation)
            if dice.random() < 0.2:
                os.fsync(fd)
        if time.monotonic() > until:
            break
        shared.set(SHORTENED, shared.get(SHORTENED) + 1)
        # The file that is mapped keeps its first page, or its readers would be killed.
        down = dice.choice((0, 1, 500) if number % 2 else (1, 30))
        os.ftruncate(fd, down)
        generation += 1
        shared.set(BEGUN, generation)
        now = max(down, 1)
        assert os.pwrite(fd, pattern(number, generation, now), 0) == now, "a short write"
        shared.set(LENGTH, now)
        shared.set(COMPLETE, generation)
        shared.set(SHORTENED, shared.get(SHORTENED) + 1)
    os.fsync(fd)
    os.close(fd)


def judged(number: int, found: bytes, before: tuple[int, int, int], after: tuple[int, int], how: str) -> str:
    """Whether these bytes may be seen; `before` is (complete, shortened, length), `after` (begun, shortened)."""
    complete, shortened, length = before
    begun, shortened_after = after
    quiet = shortened == shortened_after and not shortened & 1
    if quiet and len(found) < length:
        return f"{how}: {len(found)} bytes of a file that had {length}"
    first, last = complete if quiet else max(complete - 1, 0), begun
    if last - first > 60:
        return ""
    allowed = [pattern(number, generation, len(found)) for generation in range(max(first, 1), last + 1)]
    if found in allowed:
        return ""
    for place, byte in enumerate(found):
        if not any(row[place] == byte for row in allowed) and (byte or quiet):
            return (
                f"{how}: byte {place} of {len(found)} is {byte:#x}, which no generation from {first} to {last} has there; "
                f"{found[place : place + 12].hex()} (length before {length}, shortened {shortened} and {shortened_after})"
            )
    return ""


def take(fd: int, how: str) -> bytes:
    """The content by one of the ways to read."""
    if how == "map":
        size = os.fstat(fd).st_size
        if not size:
            return b""
        # Of the first page only: a truncate may have taken the others away since.
        with mmap.mmap(fd, min(size, BLOCK), prot=mmap.PROT_READ) as view:
            return view[:]
    if how == "splice":
        out, into = os.pipe()
        try:
            count = os.splice(fd, into, 16384, offset_src=0)
            return os.read(out, count) if count else b""
        finally:
            os.close(out)
            os.close(into)
    if how == "direct":
        with mmap.mmap(-1, 16384) as buffer:
            return buffer[: os.preadv(fd, [buffer], 0)]
    return os.pread(fd, 16384, 0)


def reader(path: str, number: int, shared: Shared, how: str, until: float) -> str:
    """Reads until the time is over; the first thing that may not be is the answer."""
    fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if how == "direct" else 0))
    try:
        while time.monotonic() < until:
            shortened = shared.get(SHORTENED)
            complete, length = shared.get(COMPLETE), shared.get(LENGTH)
            if how == "map":
                length = min(length, BLOCK)
            try:
                found = take(fd, how)
            except ValueError:
                # Python looks at the size too, and finds it smaller.
                continue
            begun, shortened_after = shared.get(BEGUN), shared.get(SHORTENED)
            problem = judged(number, found, (complete, shortened, length), (begun, shortened_after), how)
            if problem:
                return problem
    finally:
        os.close(fd)
    return ""


def disturber(folder: str, names: list[str], kind: str, until: float) -> str:
    """Syncs, drops caches, asks for extents."""
    while time.monotonic() < until:
        if kind == "sync":
            os.sync()
        elif kind == "drop":
            with open("/proc/sys/vm/drop_caches", "w") as file:
                file.write("3")
        else:
            for name in names:
                with open(f"{folder}/{name}", "rb") as file, contextlib.suppress(OSError):
                    syscalls.fiemap(file.fileno())
        time.sleep(0.02)
    return ""


def spawn(act, *arguments) -> tuple[int, int]:
    """A process; what it says comes through the pipe."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = act(*arguments) or ""
        except BaseException as error:
            said = f"{act.__name__}: {type(error).__name__}: {error}"
        os.write(into, said.encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(into)
    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 8192)
    return pid, out


def collect(pid: int, out: int) -> str:
    said = b""
    while piece := os.read(out, 4096):
        said += piece
    os.close(out)
    _, status = os.waitpid(pid, 0)
    return said.decode() or (f"a process ended with {status}" if status else "")


def run(report: Report, ground: Ground, seed: int, seconds: float) -> None:
    """Four files, one writer and four readers each, and three who disturb; then the last generation must be there."""
    names = [f"plain {size}" for size in (100, 640, 700, 3700)][:FILES]
    memory = mmap.mmap(-1, 4096)
    with ground.mount() as root:
        folder, until = f"{root}/{FOLDER}", time.monotonic() + seconds
        children = []
        shares = [Shared(memory, number) for number in range(FILES)]
        for number, name in enumerate(names):
            # What was there before is generation 0, of which nothing is known.
            path = f"{folder}/{name}"
            os.truncate(path, 0)
            shares[number].set(SHORTENED, 0)
            children.append(spawn(writer, path, number, shares[number], until, seed + number))
        for number, name in enumerate(names):
            for how in ("pread", "splice", "direct", "pread" if number % 2 else "map"):
                children.append(spawn(reader, f"{folder}/{name}", number, shares[number], how, until))
        for kind in ("sync", "drop", "fiemap"):
            children.append(spawn(disturber, folder, names, kind, until))
        problems = [said for said in [collect(*child) for child in children] if said]
        total = sum(share.get(COMPLETE) for share in shares)
        report.check(f"readers see only what was written, while {FILES} files cross the resident limit", problems)
        report.note(f"{report.prefix}: {total} generations in {seconds} s")
        for number, name in enumerate(names):
            ground.contents[name] = pattern(number, shares[number].get(COMPLETE), shares[number].get(LENGTH))
        volume.drop_caches()
        with report.case("the last generation is there"):
            for number, name in enumerate(names):
                with open(f"{folder}/{name}", "rb") as file:
                    problem = judged(number, file.read(), (shares[number].get(COMPLETE), 0, shares[number].get(LENGTH)), (shares[number].get(BEGUN), 0), name)
                assert not problem, problem
