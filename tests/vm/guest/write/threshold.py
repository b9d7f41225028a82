# SPDX-License-Identifier: GPL-2.0-only
"""Small files that cross the resident limit up and down, by every means, while others read, map, splice and sync.

What is asserted is what a page cache promises: a byte that is read is one of those that were there
between the start and the end of the read. No more: a read beside a write may see a part of it. Each
file has one writer, and in memory that all share it tells its generation: the one that is complete, the
one that is begun, and how often the file was made shorter, or got zeros (odd: it is happening). A generation is one
write, or one pass of stores, of bytes that depend on it and on their place. While there are no zeros, each byte belongs
to a generation between the one complete before the read and the one begun after it, no zeros are seen,
and the file is at least as long as before; else zeros are allowed, as beside any truncate.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import random
import time
from collections.abc import Iterator

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
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE = 1, 2
# What the memory manager is told to do: to forget all that is clean, and to move pages together.
MEMORY = {"drop": ("/proc/sys/vm/drop_caches", "3"), "compact": ("/proc/sys/vm/compact_memory", "1")}


class Writer:
    """The one process that changes a file; how it does so, the dice say."""

    def __init__(self, path: str, number: int, shared: Shared, align: int, punches: bool, seed: int) -> None:
        self.path, self.number, self.shared, self.align, self.punches = path, number, shared, align, punches
        self.dice = random.Random(seed)
        self.fd, self.direct = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR | os.O_DIRECT)
        self.buffer = mmap.mmap(-1, 16384)
        self.generation = self.size = 0

    def begin(self, length: int) -> bytes:
        """The next generation, which all may see from now on."""
        self.generation += 1
        self.shared.set(BEGUN, self.generation)
        return pattern(self.number, self.generation, length)

    def complete(self, length: int) -> None:
        self.size = length
        self.shared.set(LENGTH, length)
        self.shared.set(COMPLETE, self.generation)

    @contextlib.contextmanager
    def zeros(self) -> Iterator[None]:
        """While zeros may be seen, or fewer bytes. One within another would say that it is over."""
        assert not self.shared.get(SHORTENED) & 1
        self.shared.set(SHORTENED, self.shared.get(SHORTENED) + 1)
        yield
        self.shared.set(SHORTENED, self.shared.get(SHORTENED) + 1)

    def write(self, length: int) -> None:
        """By pwrite(2)."""
        assert os.pwrite(self.fd, self.begin(length), 0) == length, "a short write"
        self.complete(length)

    def write_directly(self, length: int) -> None:
        """With O_DIRECT, whole sectors."""
        length = -(-length // self.align) * self.align
        self.buffer[:length] = self.begin(length)
        with memoryview(self.buffer) as view:
            assert os.pwritev(self.direct, [view[:length]], 0) == length, "a short direct write"
        self.complete(length)

    def store(self, length: int) -> None:
        """Through a shared mapping, as far as the file goes."""
        length = min(length, os.fstat(self.fd).st_size)
        with mmap.mmap(self.fd, length) as view:
            view[:] = self.begin(length)
        self.complete(length)

    def extend_and_store(self, length: int) -> None:
        """Zeros by ftruncate(2), then stores."""
        with self.zeros():
            os.ftruncate(self.fd, length)
            self.store(length)

    def allocate_and_store(self, length: int) -> None:
        """Zeros by fallocate(2), then stores."""
        with self.zeros():
            syscalls.fallocate(self.fd, 0, 0, length)
            self.store(length)

    def allocate_and_write(self, length: int) -> None:
        """Clusters by fallocate(2) that the size does not tell of, then pwrite(2)."""
        syscalls.fallocate(self.fd, FALLOC_KEEP_SIZE, 0, length)
        self.write(length)

    def punch_and_store(self, _length: int) -> None:
        """A hole of all that there is, then stores into it."""
        with self.zeros():
            syscalls.fallocate(self.fd, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, 0, self.size)
            self.store(self.size)

    def up(self) -> None:
        """Climbs the stairs."""
        means = (
            self.write, self.write, self.write, self.write_directly, self.extend_and_store, self.allocate_and_store,
            self.allocate_and_write,
        )  # fmt: skip
        for length in STAIRS[self.number % len(STAIRS)]:
            # A shorter generation would leave the end of another behind it.
            if length < self.size:
                continue
            self.dice.choice(means)(length)
            for _ in range(self.dice.choice((0, 0, 2))):
                self.dice.choice((self.write, self.store, self.punch_and_store if self.punches else self.store))(self.size)
            if self.dice.random() < 0.2:
                os.fsync(self.fd)

    def down(self) -> None:
        """Makes the file shorter, and mostly empty: then its value is in its record again."""
        with self.zeros():
            size = self.dice.choice((0, 0, 0, 1, 30, 500))
            if size == 0 and self.dice.random() < 0.3:
                os.close(os.open(self.path, os.O_WRONLY | os.O_TRUNC))
            else:
                os.ftruncate(self.fd, size)
            if self.dice.random() < 0.5:
                self.write(max(size, 1))
            else:
                os.ftruncate(self.fd, max(size, 1))
                self.store(max(size, 1))


def writer(path: str, number: int, shared: Shared, until: float, align: int, punches: bool, seed: int) -> None:
    """Up and down until the time is over, and up at last."""
    act = Writer(path, number, shared, align, punches, seed)
    act.up()
    while time.monotonic() < until:
        act.down()
        act.up()
    os.fsync(act.fd)


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
        # Of the first page only: a truncate may have taken the others away since. If it took that too, the kernel, which
        # is made to look in the place of this process, gives an error, and no signal.
        out, into = os.pipe()
        try:
            with mmap.mmap(fd, min(size, BLOCK), prot=mmap.PROT_READ) as view:
                return os.read(out, os.write(into, view))
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise
            return b""
        finally:
            os.close(out)
            os.close(into)
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
    """Syncs, drops caches, moves pages, asks for extents."""
    while time.monotonic() < until:
        if kind == "sync":
            os.sync()
        elif kind in MEMORY:
            path, word = MEMORY[kind]
            with open(path, "w") as file:
                file.write(word)
        else:
            for name in names:
                with open(f"{folder}/{name}", "rb") as file:
                    if kind == "fiemap":
                        syscalls.fiemap(file.fileno())
                    else:
                        os.fsync(file.fileno())
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


def run(report: Report, ground: Ground, seed: int, seconds: float, unsupported: list[str]) -> None:
    """Four files, one writer and four readers each, and five who disturb; then the last generation must be there."""
    names = [f"plain {size}" for size in (100, 640, 700, 3700)][:FILES]
    memory = mmap.mmap(-1, 4096)
    align = max(ground.sector, 512)
    with ground.mount() as root:
        folder, until = f"{root}/{FOLDER}", time.monotonic() + seconds
        children = []
        shares = [Shared(memory, number) for number in range(FILES)]
        for number, name in enumerate(names):
            # What was there before is generation 0, of which nothing is known.
            path = f"{folder}/{name}"
            os.truncate(path, 0)
            shares[number].set(SHORTENED, 0)
            children.append(spawn(writer, path, number, shares[number], until, align, "punch" not in unsupported, seed + number))
        for number, name in enumerate(names):
            for how in ("pread", "splice", "direct", "map"):
                children.append(spawn(reader, f"{folder}/{name}", number, shares[number], how, until))
        for kind in ("sync", "fsync", "fiemap", *MEMORY):
            children.append(spawn(disturber, folder, names, kind, until))
        problems = [said for said in [collect(*child) for child in children] if said]
        total = sum(share.get(COMPLETE) for share in shares)
        name = f"readers see only what was written, while {FILES} files cross the resident limit"
        report.check(name, [f"seed {seed}: {text}" for text in problems])
        report.note(f"{report.prefix}: {total} generations in {seconds} s, seed {seed}")
        for number, name in enumerate(names):
            ground.contents[name] = pattern(number, shares[number].get(COMPLETE), shares[number].get(LENGTH))
        volume.drop_caches()
        with report.case("the last generation is there"):
            for number, name in enumerate(names):
                with open(f"{folder}/{name}", "rb") as file:
                    problem = judged(number, file.read(), (shares[number].get(COMPLETE), 0, shares[number].get(LENGTH)), (shares[number].get(BEGUN), 0), name)
                assert not problem, problem
