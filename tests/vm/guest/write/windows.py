# SPDX-License-Identifier: GPL-2.0-only
"""A value that leaves its record, or comes back to it, while another thread stands exactly between looking and locking.

The windows are made wide from outside: a device that is suspended stops who writes to it with the folio locked, so that
others stop before that lock; memory that `userfaultfd` fills stops a writer whose mapping is made before it locks the
folio; and of two processes on one processor, the one that is to be late is never run before the other one sleeps.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import multiprocessing.synchronize
import os
import random
import struct
import threading
import time
from collections.abc import Iterator

from .. import syscalls, volume
from ..case import Report
from ..jobs.devices import dmsetup, mapped
from .ground import FOLDER, Ground, differs, read_whole
from .threshold import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, collect, spawn

LINEAR = "0 {size} linear {device} 0"
NAME = "windows"
PAGE = 4096
# How many pages are moved among.
MANY = 80
FEWEST_TURNS = 100
# userfaultfd(2) and its ioctls.
SYS_USERFAULTFD = 323
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_COPY = 0xC018AA3F, 0xC020AA00, 0xC028AA03
SYNC_FILE_RANGE_WRITE, SYNC_FILE_RANGE_WRITE_AND_WAIT = 2, 7


def bytes_of(seed: int, length: int) -> bytes:
    """No zeros among them."""
    return bytes(1 + byte % 255 for byte in random.Random(seed).randbytes(length))


def on_one_processor(policy: int) -> None:
    """For what is to run first, `SCHED_FIFO`, and for what is to be late, `SCHED_IDLE`."""
    os.sched_setaffinity(0, {0})
    os.sched_setscheduler(0, policy, os.sched_param(10 if policy == os.SCHED_FIFO else 0))


def wait_until_stuck(pid: int) -> None:
    """Until a process sleeps where no signal wakes it, and goes on doing so."""
    stuck, until = 0, time.monotonic() + 60
    while stuck < 10:
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        assert state != "Z" and time.monotonic() < until, f"a process does not stop, its state is {state}"
        stuck = stuck + 1 if state == "D" else 0
        time.sleep(0.02)


class Scene:
    """A file, and the device under it."""

    def __init__(self, ground: Ground, root: str, name: str) -> None:
        self.ground, self.name, self.path = ground, name, f"{root}/{FOLDER}/{name}"

    @contextlib.contextmanager
    def opened(self, flags: int = 0) -> Iterator[int]:
        """Open before the device is suspended, so that no name has to be looked up then."""
        fd = os.open(self.path, os.O_RDWR | flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def put(self, content: bytes) -> None:
        """The whole content, durable; from an empty file on, so that it is in its record if it fits."""
        os.truncate(self.path, 0)
        with open(self.path, "r+b", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
        self.ground.contents[self.name] = content

    def expect(self, content: bytes) -> None:
        """This is in the page cache, and on the volume."""
        self.ground.contents[self.name] = content
        problem = differs(read_whole(self.path), content)
        assert not problem, f"in the page cache: {problem}"
        with open(self.path, "rb", buffering=0) as file:
            os.fsync(file.fileno())
        volume.drop_caches()
        problem = differs(read_whole(self.path), content)
        assert not problem, f"on the volume: {problem}"

    def is_in_record(self) -> bool:
        with open(self.path, "rb", buffering=0) as file:
            return any(extent.flags & syscalls.FIEMAP_INLINE for extent in syscalls.fiemap(file.fileno()))


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Nothing reaches the device, until the end of the block."""
    dmsetup("suspend", "--noflush", "--nolockfs", NAME)
    try:
        yield
    finally:
        dmsetup("resume", NAME)


def later(act, *arguments) -> tuple[int, int]:
    """A process that runs when no other wants to."""

    def run() -> str:
        on_one_processor(os.SCHED_IDLE)
        return act(*arguments) or ""

    return spawn(run)


def first(act, *arguments) -> tuple[int, int]:
    """A process that runs before all others."""

    def run() -> str:
        on_one_processor(os.SCHED_FIFO)
        return act(*arguments) or ""

    return spawn(run)


def end(*children: tuple[int, int]) -> None:
    said = [text for text in [collect(*child) for child in children] if text]
    assert not said, "\n".join(said)


def punch(fd: int, length: int) -> None:
    syscalls.fallocate(fd, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, 0, length)


def store(view: mmap.mmap, at: int, byte: int) -> None:
    view[at] = byte


def store_while_it_is_punched(scene: Scene, unit: int) -> None:
    """`page_mkwrite` looked at the hint, and gets the lock of the folio when its bytes are in clusters, and those are gone."""
    content = bytes_of(1, 600)
    scene.put(content)
    with scene.opened() as fd, mmap.mmap(fd, len(content)) as view:
        assert view[0] == content[0]
        with suspended():
            converter = first(punch, fd, unit)
            wait_until_stuck(converter[0])
            storer = later(store, view, 100, 0xAA)
            wait_until_stuck(storer[0])
        end(converter, storer)
    assert not scene.is_in_record(), "the value is in its record"
    wanted = bytearray(content)
    wanted[: min(unit, 600)] = bytes(min(unit, 600))
    wanted[100] = 0xAA
    scene.expect(bytes(wanted))


def write_back_while_it_moves(scene: Scene) -> None:
    """`writepages` looked at the hint, and gets the lock of a dirty folio when its bytes are in clusters."""
    content = bytes_of(2, 600)
    scene.put(content)
    with scene.opened() as fd, mmap.mmap(fd, len(content)) as view:
        # Dirty, and writable without a fault from now on.
        view[0] = content[0]
        with suspended():
            converter = spawn(os.ftruncate, fd, 9000)
            wait_until_stuck(converter[0])
            # What the converter copies, it has copied.
            view[100] = 0xBB
            writer = spawn(sync_range, fd)
            wait_until_stuck(writer[0])
        end(converter, writer)
    wanted = bytearray(content.ljust(9000, b"\0"))
    wanted[100] = 0xBB
    scene.expect(bytes(wanted))


def sync_range(fd: int, how: int = SYNC_FILE_RANGE_WRITE) -> None:
    """Begins to write all that is dirty, and nothing more."""
    assert syscalls.LIBC.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), how) == 0


def read_whole_at(fd: int, wanted: bytes) -> str:
    return differs(os.pread(fd, 16384, 0), wanted)


def read_while_it_moves(scene: Scene) -> None:
    """Beside a value that moves a reader has all bytes at once, and a truncation waits and has the last word."""
    content = bytes_of(3, 600)
    scene.put(content)
    with scene.opened() as fd:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        with suspended():
            converter = spawn(os.ftruncate, fd, 9000)
            wait_until_stuck(converter[0])
            end(spawn(read_whole_at, fd, content))
            shortener = spawn(os.ftruncate, fd, 300)
            wait_until_stuck(shortener[0])
        end(converter, shortener)
    scene.expect(content[:300])


class Fault:
    """A page of memory whose first use waits until it is filled."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.fd = syscalls.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
        fcntl.ioctl(self.fd, UFFDIO_API, struct.pack("<QQQ", 0xAA, 0, 0))
        fcntl.ioctl(self.fd, UFFDIO_REGISTER, struct.pack("<QQQQ", self.address, PAGE, 1, 0))

    def wait(self) -> None:
        """Until somebody uses it."""
        event = os.read(self.fd, 32)
        assert event[0] == 0x12, f"an event that is no fault: {event.hex()}"

    def fill(self, content: bytes) -> None:
        source = ctypes.create_string_buffer(content, PAGE)
        fcntl.ioctl(self.fd, UFFDIO_COPY, struct.pack("<QQQQq", self.address, ctypes.addressof(source), PAGE, 0, 0))
        os.close(self.fd)


def write_while_its_place_comes(scene: Scene) -> None:
    """A writer has a map that says "no place yet" when another one's bytes get theirs, and leave the page cache."""
    content = bytearray(bytes_of(4, 5000).ljust(16 * PAGE, b"\0"))
    scene.put(bytes(content[:5000]))
    os.truncate(scene.path, len(content))
    page, piece = bytes_of(5, PAGE), bytes_of(6, 100)
    at = 8 * PAGE
    with scene.opened() as fd:
        assert os.pwrite(fd, page, at) == PAGE
        fault = Fault()
        arguments = (ctypes.c_int(fd), ctypes.c_void_p(fault.address), ctypes.c_size_t(len(piece)), ctypes.c_int64(at + 1000))
        counts: list[int] = []
        writer = threading.Thread(target=lambda: counts.append(syscalls.LIBC.pwrite(*arguments)))
        writer.start()
        fault.wait()
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        fault.fill(piece)
        writer.join()
    assert counts == [len(piece)], f"the writer wrote {counts}"
    content[at : at + PAGE] = page
    content[at + 1000 : at + 1000 + len(piece)] = piece
    scene.expect(bytes(content))


def read_around_the_cache(fd: int, wanted: list[bytes]) -> str:
    with mmap.mmap(-1, PAGE) as buffer:
        count = os.preadv(fd, [buffer], 0)
        found = buffer[:count]
    return "" if found in wanted else f"{count} bytes that never were there: {found[:32].hex()}"


def empty_and_write(fd: int, content: bytes) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, content, 0)


def read_directly_while_it_comes_back(scene: Scene) -> None:
    """A direct read looked at the hint, and is about to ask where the clusters are when there are none any more."""
    old, new, short = bytes_of(7, 2 * PAGE), bytes_of(8, 2 * PAGE), bytes_of(9, 40)
    scene.put(old)
    with scene.opened() as fd, scene.opened(os.O_DIRECT) as direct:
        os.pwrite(fd, new, 0)
        with suspended():
            # It has the dirty folios written, and waits for that.
            reader = later(read_around_the_cache, direct, [new[:PAGE], b"", short])
            wait_until_stuck(reader[0])
            shortener = first(empty_and_write, fd, short)
            wait_until_stuck(shortener[0])
        end(reader, shortener)
    scene.expect(short)


def sync_until(path: str, over: multiprocessing.synchronize.Event) -> None:
    fd = os.open(path, os.O_RDWR)
    while not over.is_set():
        sync_range(fd)
    os.close(fd)


def turns_of(seconds: float) -> Iterator[int]:
    """So long, and at least as many as give a race a chance; a slow machine gets the time for that."""
    turn, until = 0, time.monotonic() + seconds
    while (now := time.monotonic()) < until or (turn < FEWEST_TURNS and now < until + 60):
        turn += 1
        yield turn
    assert turn >= FEWEST_TURNS, f"only {turn} turns"


def forgotten(fd: int, wanted: bytes) -> str:
    """What is dirty is written, and all is forgotten and read again."""
    sync_range(fd, SYNC_FILE_RANGE_WRITE_AND_WAIT)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return differs(os.pread(fd, len(wanted) + 1, 0), wanted)


def come_back(path: str, seed: int, seconds: float) -> str:
    """Gets into clusters, and at any moment of somebody else's writeback back into the record, with other bytes."""
    dice = random.Random(seed)
    fd = os.open(path, os.O_RDWR)
    for turn in turns_of(seconds):
        os.pwrite(fd, bytes_of(turn, 5000), 0)
        time.sleep(dice.random() * 0.002)
        short = bytes_of(turn + 1, 40)
        os.ftruncate(fd, 0)
        os.pwrite(fd, short, 0)
        time.sleep(0.003)
        if problem := forgotten(fd, short):
            return f"turn {turn}: {problem}"
    os.close(fd)
    return ""


def move(path: str, seed: int, seconds: float) -> str:
    """Gives a page other clusters at any moment of somebody else's writeback of all pages."""
    dice = random.Random(seed)
    content = bytearray(bytes_of(seed, MANY * PAGE))
    fd = os.open(path, os.O_RDWR)
    for turn in turns_of(seconds):
        moved = dice.randrange(MANY // 4, MANY) * PAGE
        # In one piece again, that one map has all of.
        if turn % 8 == 1:
            os.ftruncate(fd, 0)
            os.pwrite(fd, content, 0)
            sync_range(fd, SYNC_FILE_RANGE_WRITE_AND_WAIT)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        # One by one, so that each page has a folio of its own. The one that moves is clean: nothing has to be waited for.
        for place in range(0, MANY * PAGE, PAGE):
            if place != moved:
                content[place : place + 8] = struct.pack("=Q", turn)
                os.pwrite(fd, content[place : place + PAGE], place)
        time.sleep(dice.random() * 0.005)
        content[moved : moved + PAGE] = piece = bytes_of(turn, PAGE)
        syscalls.fallocate(fd, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, moved, PAGE)
        os.pwrite(fd, piece, moved)
        if problem := forgotten(fd, bytes(content)):
            return f"turn {turn}, page {moved // PAGE}: {problem}"
    os.close(fd)
    return ""


def write_back_beside(scene: Scene, act, seed: int, seconds: float) -> None:
    """Somebody writes back all the time, and is interrupted anywhere."""
    scene.put(b"")
    over = multiprocessing.Event()
    syncer = later(sync_until, scene.path, over)
    try:
        end(first(act, scene.path, seed, seconds))
    finally:
        over.set()
        end(syncer)
        scene.ground.contents[scene.name] = read_whole(scene.path)


def run(report: Report, ground: Ground, seed: int, seconds: float) -> None:
    volume.run("modprobe", "dm-mod", check=False)
    with volume.loop(ground.image, sector=ground.sector, writable=True) as device, mapped(NAME, device, LINEAR) as stacked:
        with volume.mounted(ground.fstype, stacked, flags=0, at="/mnt/written") as root:
            scene = Scene(ground, root, "plain 640")
            # All that a change needs to know is known, and the volume is marked.
            scene.put(bytes_of(0, PAGE))
            with report.case("a store through a mapping waits while the value moves, and its cluster is punched: it is there"):
                store_while_it_is_punched(scene, ground.cluster)
            with report.case("writeback waits while the value moves: what was stored meanwhile is written"):
                write_back_while_it_moves(scene)
            with report.case("a reader and a truncation wait while the value moves: both have the bytes"):
                read_while_it_moves(scene)
            with report.case("a write waits for its bytes while those around them get their place: they stay"):
                write_while_its_place_comes(scene)
            with report.case("a direct read waits while the value comes back to its record: it reads what is there"):
                read_directly_while_it_comes_back(scene)
            # `writepages` looked at the hint "in clusters", and finds a dirty folio of a value that is in its record by then.
            with report.case("writeback comes while the value comes back to its record: nothing is lost"):
                write_back_beside(scene, come_back, seed, seconds)
            # It has a map of the clusters that later folios had when it began, and that belong to nobody by then.
            with report.case("writeback comes while a part gets other clusters: it goes there"):
                write_back_beside(scene, move, seed, seconds)
