# SPDX-License-Identifier: GPL-2.0-only
"""One case for each defect that was found in another NTFS driver: writes and clusters that get lost, waits that should not be."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator

from .. import syscalls, volume, watch
from ..case import Report
from .ground import FOLDER, Ground, differs, read_whole

KI, MI = 1 << 10, 1 << 20
PATIENCE = 8.0


def path_of(root: str, name: str) -> str:
    return f"{root}/{FOLDER}/{name}"


@contextlib.contextmanager
def opened(path: str, flags: int = os.O_RDWR) -> Iterator[int]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def child(act: Callable[[], None]) -> int:
    """Does `act` in a process of its own, which ends with status 0 if that succeeds."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return pid


def is_over(pid: int, seconds: float) -> bool:
    """Whether a child ends, well, in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0, f"it ended with status {status:#x}"
            return True
        time.sleep(0.05)
    return False


def in_child(act: Callable[[], None], seconds: float) -> None:
    """Does `act` in a child, which has to end in time; it is killed if not, which may not help it."""
    pid = child(act)
    if is_over(pid, seconds):
        return
    stack = watch.stack_of(pid)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError(f"it waits for ever:\n{stack}")


def compare(ground: Ground) -> None:
    """Every file as it should be, after a new mount."""
    with ground.mount() as root:
        problems = [f"{name!r}: {text}" for name, wanted in sorted(ground.contents.items()) if (text := differs(read_whole(path_of(root, name)), wanted))]
    assert not problems, "\n".join(problems[:8])


def stores_into_a_small_file(ground: Ground) -> None:
    name = "plain 513"
    with ground.mount() as root, opened(path_of(root, name)) as fd:
        with mmap.mmap(fd, 513) as view:
            view[100:200] = b"s" * 100
        os.sync()
    ground.contents[name] = ground.contents[name][:100] + b"s" * 100 + ground.contents[name][200:]
    compare(ground)


def stores_before_the_conversion(ground: Ground) -> None:
    name, more = "plain 512", b"m" * 6000
    with ground.mount() as root, opened(path_of(root, name)) as fd:
        with mmap.mmap(fd, 512) as view:
            view[0:300] = b"S" * 300
            assert os.pwrite(fd, more, 512) == len(more)
        os.sync()
    ground.contents[name] = b"S" * 300 + ground.contents[name][300:512] + more
    compare(ground)


def first_page_at_the_conversion(ground: Ground, seconds: float) -> None:
    """One grows a small file out of its record while another writes all back, again and again."""
    name, until, stop = "plain 640", time.monotonic() + seconds, threading.Event()
    with ground.mount() as root, opened(path_of(root, name)) as fd:

        def write_back() -> None:
            with opened(path_of(root, name), os.O_RDONLY) as other:
                while not stop.is_set():
                    os.fdatasync(other)

        helper = threading.Thread(target=write_back)
        helper.start()
        problem, turn = "", 0
        try:
            while time.monotonic() < until and not problem:
                turn += 1
                os.ftruncate(fd, 0)
                small, large = bytes([1 + turn % 200]) * 300, bytes([1 + (turn + 7) % 200]) * 7000
                os.pwrite(fd, small, 0)
                os.pwrite(fd, large, 300)
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                problem = differs(read_whole(path_of(root, name)), small + large)
        finally:
            stop.set()
            helper.join()
        assert not problem, f"in turn {turn}: {problem}"
        ground.contents[name] = small + large
    compare(ground)


def fsync_beside_others(ground: Ground, rounds: int) -> None:
    """After fsync a copy of the device has the file, whatever others do with it."""
    name, copy = "plain 2000", f"{ground.image}.copy"
    with ground.mount() as root, opened(path_of(root, name)) as fd:
        content, stop = bytearray(ground.contents[name]), threading.Event()

        def disturb() -> None:
            while not stop.is_set():
                os.utime(path_of(root, name))
                syscalls.fiemap(fd)
                os.stat(path_of(root, name))

        helpers = [threading.Thread(target=disturb) for _ in range(3)]
        for helper in helpers:
            helper.start()
        try:
            for turn in range(rounds):
                piece = bytes([65 + turn]) * 3000
                os.pwrite(fd, piece, len(content))
                content += piece
                os.fsync(fd)
                shutil.copyfile(ground.image, copy)
                with volume.ntfs3g(copy, readonly=True) as found:
                    problem = differs(read_whole(path_of(found, name)), bytes(content))
                assert not problem, f"fsync {turn + 1}: {problem}"
        finally:
            stop.set()
            for helper in helpers:
                helper.join()
            ground.contents[name] = bytes(content)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy)


def direct_io_behind_the_valid_part(ground: Ground) -> None:
    """What a disk holds where nothing was written is never seen, neither during a direct write nor after it."""
    name, size, stale = "plain 3000", 4 * MI, b"\xab"
    with ground.mount() as root, opened(path_of(root, name), os.O_RDWR | os.O_DIRECT) as fd:
        with opened(path_of(root, "plain 4096")) as filler:
            os.pwrite(filler, stale * (16 * MI), 0)
            os.fsync(filler)
            os.ftruncate(filler, 0)
            os.sync()
        ground.contents["plain 4096"] = b""
        os.ftruncate(fd, 0)
        syscalls.fallocate(fd, 0, 0, size)
        seen, stop = set(), threading.Event()

        def look() -> None:
            with opened(path_of(root, name), os.O_RDONLY) as reader:
                while not stop.is_set():
                    seen.update(set(os.pread(reader, size, 0)))
                    os.posix_fadvise(reader, 0, 0, os.POSIX_FADV_DONTNEED)

        helper = threading.Thread(target=look)
        helper.start()
        model = bytearray(size)
        try:
            with mmap.mmap(-1, 64 * KI) as buffer:
                buffer[:] = b"\xcd" * len(buffer)
                for place in range(3 * 64 * KI, size, 4 * 64 * KI):
                    assert os.pwritev(fd, [buffer], place) == len(buffer)
                    model[place : place + len(buffer)] = buffer[:]
        finally:
            stop.set()
            helper.join()
        os.fsync(fd)
        assert seen <= {0, 0xCD}, f"bytes {sorted(seen)} were seen"
    ground.contents[name] = bytes(model)
    compare(ground)


def discard_beside_allocation(ground: Ground, seconds: float) -> None:
    """Clusters that one gives back another gets at once; what it writes there stays."""
    until, dice = time.monotonic() + seconds, random.Random(5)
    with ground.mount("discard") as root:
        space = os.statvfs(root)
        # Nearly nothing is left but what the two take turns with.
        rest = space.f_bavail * space.f_frsize
        with opened(path_of(root, "plain 3700")) as fd:
            ballast = max(rest - 8 * MI, 0) // MI * MI
            os.posix_fallocate(fd, 0, ballast + 1)
            os.fsync(fd)
        ground.contents["plain 3700"] = b""
        giver_path, taker_path = path_of(root, "plain 3800"), path_of(root, "plain 3600")
        problem, stop = [], threading.Event()

        def give() -> None:
            with opened(giver_path) as fd:
                while not stop.is_set():
                    with contextlib.suppress(OSError):
                        os.pwrite(fd, b"g" * (3 * MI), 0)
                    with contextlib.suppress(OSError):
                        os.fsync(fd)
                    os.ftruncate(fd, 0)
                    os.sync()

        giver = threading.Thread(target=give)
        giver.start()
        content = b""
        try:
            with opened(taker_path) as fd:
                while time.monotonic() < until and not problem:
                    os.ftruncate(fd, 0)
                    content = bytes([dice.randrange(1, 255)]) * (2 * MI)
                    done = 0
                    while done < len(content):
                        try:
                            done += os.pwrite(fd, content[done:], done)
                        except OSError as error:
                            if error.errno != errno.ENOSPC:
                                raise
                            os.sync()
                            break
                    content = content[:done]
                    os.fsync(fd)
                    time.sleep(dice.random() / 10)
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    if text := differs(read_whole(taker_path), content):
                        problem.append(text)
        finally:
            stop.set()
            giver.join()
        for name in ("plain 3700", "plain 3800"):
            os.truncate(path_of(root, name), 0)
            ground.contents[name] = b""
        ground.contents["plain 3600"] = content
        assert not problem, problem[0]
    compare(ground)


def fstrim(ground: Ground, report: Report) -> None:
    """FITRIM in pieces that begin anywhere, beside a writer, takes nothing that is in use."""
    dice = random.Random(7)
    with ground.mount() as root:
        names = sorted(ground.contents)
        root_fd = os.open(root, os.O_RDONLY)
        try:
            stop, written = threading.Event(), bytearray()

            def write() -> None:
                with opened(path_of(root, "plain 1000")) as fd:
                    os.ftruncate(fd, 0)
                    while not stop.is_set() and len(written) < 6 * MI:
                        piece = bytes([dice.randrange(1, 255)]) * dice.choice((500, 4096, 70000))
                        os.pwrite(fd, piece, len(written))
                        written.extend(piece)
                        if dice.random() < 0.2:
                            os.fsync(fd)

            writer = threading.Thread(target=write)
            writer.start()
            total = 0
            try:
                size = os.statvfs(root).f_blocks * os.statvfs(root).f_frsize
                for start in (0, 1, 4096, 32768 * ground.cluster // 2, *(dice.randrange(size // 2) for _ in range(20))):
                    total += syscalls.fitrim(root_fd, start)
            finally:
                stop.set()
                writer.join()
                ground.contents["plain 1000"] = bytes(written)
            report.note(f"{report.prefix}: FITRIM gives {total} bytes in all, for {len(names)} files")
            os.sync()
        finally:
            os.close(root_fd)
    compare(ground)


def hold_inode(path: str) -> int:
    """A child that is in the midst of a write to the file, until it is killed."""
    child = os.fork()
    if not child:
        with contextlib.suppress(OSError), opened(path) as fd:
            os.pwritev(fd, [syscalls.Userfault(64 * KI).memory], 0)
        os._exit(0)
    time.sleep(1.5)
    return child


def no_wait_for_a_writer(ground: Ground) -> None:
    """RWF_NOWAIT gives EAGAIN while the file is being written, and does not wait."""
    name = "plain 4095"
    with ground.mount() as root, opened(path_of(root, name)) as fd:
        os.pwrite(fd, b"h" * (256 * KI), 0)
        os.fsync(fd)
        ground.contents[name] = b"h" * (256 * KI)
        child = hold_inode(path_of(root, name))
        try:

            def write() -> None:
                try:
                    os.pwritev(fd, [b"n" * 4096], 128 * KI, syscalls.RWF_NOWAIT)
                except OSError as error:
                    assert error.errno == errno.EAGAIN, error

            in_child(write, PATIENCE)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    with ground.mount() as root:
        # Whoever was killed may have written a part, and one that did not wait is no defect if it got through.
        ground.contents[name] = read_whole(path_of(root, name))


def write_from_itself(ground: Ground) -> None:
    """A write to a small file from a mapping of the same file that is not in memory."""
    name = "plain 100"
    with ground.mount() as root:
        path = path_of(root, name)
        volume.drop_caches()

        def write() -> None:
            fd = os.open(path, os.O_RDWR)
            with mmap.mmap(fd, 100, prot=mmap.PROT_READ) as view:
                assert os.pwritev(fd, [memoryview(view)[:50]], 50) == 50

        try:
            in_child(write, PATIENCE)
        except AssertionError:
            # The mount cannot be taken down while a task is stuck in it.
            syscalls.umount(root, syscalls.MNT_DETACH)
            os.makedirs(root, exist_ok=True)
            syscalls.mount("none", root, "tmpfs")
            raise
    ground.contents[name] = ground.contents[name][:50] * 2
    compare(ground)


def run(report: Report, ground: Ground, seconds: float) -> None:
    """Each case begins with a volume in order. The one that may leave a task behind for ever is the last."""
    cases: list[tuple[str, Callable[[], None]]] = [
        ("stores through a mapping of a small file are kept", lambda: stores_into_a_small_file(ground)),
        ("stores through a mapping are kept when the file leaves its record", lambda: stores_before_the_conversion(ground)),
        ("the first page is kept when the file leaves its record", lambda: first_page_at_the_conversion(ground, seconds)),
        ("a file is on the device after fsync, whatever others do with it", lambda: fsync_beside_others(ground, 6)),
        ("direct I/O shows nothing of what was on the disk before", lambda: direct_io_behind_the_valid_part(ground)),
        ("a discard takes nothing that was allocated again", lambda: discard_beside_allocation(ground, seconds)),
        ("FITRIM takes nothing that is in use", lambda: fstrim(ground, report)),
        ("RWF_NOWAIT does not wait for another writer", lambda: no_wait_for_a_writer(ground)),
        ("a small file can be written from a mapping of itself", lambda: write_from_itself(ground)),
    ]
    saved = f"{ground.image}.saved"
    for name, act in cases:
        shutil.copyfile(ground.image, saved)
        contents, failures = dict(ground.contents), report.failures
        with report.case(name):
            act()
        if report.failures > failures:
            os.rename(saved, ground.image)
            ground.contents = contents
    with contextlib.suppress(FileNotFoundError):
        os.unlink(saved)
