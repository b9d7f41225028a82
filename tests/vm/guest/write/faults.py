# SPDX-License-Identifier: GPL-2.0-only
"""Each failure inside each writing call, one at a time: allocations, pages, copies from the user, transfers that it begins.

`/proc/self/fail-nth` lets the n-th thing fail that can, if our module is among the callers. The call then
gives an error that says so, or comes to its end in spite of it; called again it works, and the file is as
its model. n goes up until the call has no n-th.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .. import syscalls, volume
from ..case import Report, Skip
from .ground import FOLDER, Ground, differs, read_whole
from .power import agrees
from .verify import COLLAPSE_RANGE, INSERT_RANGE, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE

FAIL = "/proc/thread-self/fail-nth"
KINDS = ("failslab", "fail_page_alloc", "fail_usercopy", "fail_make_request")
EXPECTED = (errno.ENOMEM, errno.EIO, errno.ENOSPC, errno.EFAULT)
# By force, since a sync that failed leaves the volume marked; and a device that fails is not to end the writing.
OPTIONS = "force,errors=continue"
MOST = 2000
NAME = "plain 3000"
MS_REMOUNT = 32


def setting(path: str, value: str) -> None:
    with open(path, "w") as file:
        file.write(value)


@contextlib.contextmanager
def injection(fstype: str, device: str) -> Iterator[None]:
    """Lets everything fail that is called by the module; nothing is said of each failure."""
    start = int(open(f"/sys/module/{fstype}/sections/.text").read(), 16)
    end = start + int(open(f"/sys/module/{fstype}/coresize").read())
    for kind in KINDS:
        folder = f"/sys/kernel/debug/{kind}"
        for name, value in (("verbose", "0"), ("require-start", hex(start)), ("require-end", hex(end)), ("stacktrace-depth", "32")):
            setting(f"{folder}/{name}", value)
        for name in ("ignore-gfp-wait", "ignore-gfp-highmem"):
            if os.path.exists(f"{folder}/{name}"):
                setting(f"{folder}/{name}", "N")
    # Those of the smallest order, too.
    setting("/sys/kernel/debug/fail_page_alloc/min-order", "0")
    switch = f"/sys/block/{os.path.basename(device)}/make-it-fail"
    setting(switch, "1")
    try:
        yield
    finally:
        setting(switch, "0")


class Failing:
    """`with Failing(n) as failing`: the n-th fails in the block; `failing.happened` tells whether there was one."""

    # How many there were in all.
    total = 0

    def __init__(self, nth: int) -> None:
        self.nth, self.happened = nth, False

    def __enter__(self) -> Failing:
        self.fd = os.open(FAIL, os.O_RDWR)
        os.write(self.fd, str(self.nth).encode())
        return self

    def __exit__(self, *_: object) -> None:
        self.happened = self.nth > 0 and os.pread(self.fd, 20, 0).strip() == b"0"
        Failing.total += self.happened
        os.pwrite(self.fd, b"0", 0)
        os.close(self.fd)


@dataclass
class Call:
    """A call on a file with some content, and what it makes of that. `act` gives what it did of `whole`, if that is less."""

    name: str
    before: bytes
    after: bytes
    act: Callable[[str, int], int | None]
    whole: int = 0
    # After an error the data of the file itself may be lost, as everywhere.
    syncs: bool = False


def calls(dice: random.Random) -> list[Call]:
    """Writing, truncating, allocating, in the record, over its limit and in clusters."""
    small, large, piece = dice.randbytes(300), dice.randbytes(50_000), dice.randbytes(20_000)

    def write(name: str, before: bytes, at: int, piece: bytes, flags: int = 0) -> Call:
        def act(path: str, fd: int) -> int:
            if not flags:
                return os.pwrite(fd, piece, at)
            with mmap.mmap(-1, len(piece)) as buffer:
                buffer[:] = piece
                return os.pwritev(OTHER[flags], [buffer], at)

        after = bytearray(before + bytes(max(at - len(before), 0)))
        after[at : at + len(piece)] = piece
        return Call(name, before, bytes(after), act, len(piece), flags != 0)

    def truncate(name: str, before: bytes, size: int) -> Call:
        return Call(name, before, before[:size].ljust(size, b"\0"), lambda path, fd: os.ftruncate(fd, size))

    def allocate(name: str, before: bytes, after: bytes, mode: int, at: int, length: int, syncs: bool = False) -> Call:
        return Call(name, before, after, lambda path, fd: syscalls.fallocate(fd, mode, at, length), syncs=syncs)

    def sync(name: str, before: bytes, at: int, piece: bytes) -> Call:
        call = write(name, before, at, piece)
        call.whole, call.syncs = 0, True
        call.act = lambda path, fd: os.fsync(fd)
        return call

    hole = large[:8192] + bytes(24576) + large[32768:]
    unit = 8192
    return [
        write("a write within the record", small, 50, piece[:100]),
        write("a write that leaves the record", small, 200, piece[:5000]),
        write("an append to clusters", large, len(large), piece),
        write("a write behind the end", large, len(large) + 30000, piece),
        write("a write over what is there", large, 7000, piece),
        write("a direct write", large, 8192, piece[:16384], os.O_DIRECT),
        write("a write with O_SYNC", large, len(large) - 100, piece, os.O_SYNC),
        truncate("a truncate down to clusters", large, 9000),
        truncate("a truncate to nothing", large, 0),
        truncate("a truncate up in clusters", large, 90_000),
        truncate("a truncate that leaves the record", small, 6000),
        allocate("an allocation behind the end", large, large.ljust(90_000, b"\0"), 0, len(large) + 1, 90_000 - len(large) - 1),
        allocate("an allocation that keeps the size", small, small, KEEP_SIZE, 0, 60_000),
        allocate("a punch", large, hole, PUNCH_HOLE | KEEP_SIZE, 8192, 24576),
        allocate("zeroing", large, hole, ZERO_RANGE, 8192, 24576),
        allocate("taking out", large, large[:unit] + large[3 * unit :], COLLAPSE_RANGE, unit, 2 * unit, True),
        allocate("putting in", large, large[:unit] + bytes(unit) + large[unit:], INSERT_RANGE, unit, unit, True),
        sync("a sync of clusters", large, len(large) - 3000, piece),
        sync("a sync of a value in its record", small, 50, piece[:100]),
    ]


# Descriptors of the file with other flags, for the calls that need them.
OTHER: dict[int, int] = {}


def sync(fd: int) -> None:
    """Makes a file durable."""
    try:
        os.fsync(fd)
    except OSError:
        # What failed before is told once to each who has the file open.
        os.fsync(fd)


class Round:
    """One call with one failure in it."""

    def __init__(self, path: str, fd: int, call: Call) -> None:
        self.path, self.fd, self.call = path, fd, call

    def prepare(self) -> None:
        """The content before, all of it on the device; for a sync what is to be synced is in the page cache."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, self.call.before, 0)
        sync(self.fd)
        if self.call.name.startswith("a sync"):
            self.rewrite()

    def rewrite(self) -> None:
        os.ftruncate(self.fd, len(self.call.after))
        os.pwrite(self.fd, self.call.after, 0)

    def content(self, forget: bool = False) -> bytes:
        if forget:
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return read_whole(self.path)

    def run(self, nth: int) -> bool:
        """Whether there was an n-th thing to fail."""
        call = self.call
        self.prepare()
        done: int | None = 0
        said = "it succeeds"
        with Failing(nth) as failing:
            try:
                done = call.act(self.path, self.fd)
            except OSError as error:
                done, said = -1, errno.errorcode.get(error.errno or 0, str(error))
                assert error.errno in EXPECTED, f"failure {nth}: {said}"
        if not failing.happened:
            assert done != -1, f"without a failure ({nth}): {said}"
        found = self.content()
        complete = done != -1 and (done or 0) == call.whole
        if complete:
            problem = differs(found, call.after)
        else:
            problem = agrees(found, [call.before, call.after, bytes(len(call.before))] if call.syncs else [call.before, call.after])
        assert not problem, f"failure {nth}, {said}: {problem}"
        if complete and not failing.happened:
            return False
        if not complete:
            if call.syncs or call.name.startswith("taking") or call.name.startswith("putting"):
                self.again()
            else:
                assert (call.act(self.path, self.fd) or 0) == call.whole, f"failure {nth}: again it does a part"
        problem = differs(self.content(), call.after)
        assert not problem, f"failure {nth}, {said}, and again: {problem}"
        sync(self.fd)
        problem = differs(self.content(forget=True), call.after)
        assert not problem, f"failure {nth}, {said}, again and synced: {problem}"
        return True

    def again(self) -> None:
        """The call once more, from what was there before."""
        self.prepare()
        self.call.act(self.path, self.fd)


def store(path: str, content: bytes, piece: bytes, at: int, nth: int) -> tuple[bool, int]:
    """Stores to a shared mapping and msync in a child, which a failure may kill: whether there was one, and how it ended."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        fd = os.open(path, os.O_RDWR)
        view = mmap.mmap(fd, len(content))
        failing = Failing(nth)
        status = 0
        try:
            with failing:
                # A child that is killed has told nothing, and then there was one.
                view[at : at + len(piece)] = piece
                view.flush()
        except OSError as error:
            status = error.errno or 1
        os.write(into, b"1" if failing.happened else b"0")
        os._exit(status)
    os.close(into)
    said = os.read(out, 1)
    os.close(out)
    _, status = os.waitpid(child, 0)
    return said != b"0", status


def stores(path: str, fd: int, dice: random.Random, numbers: Callable[[], Iterator[int]]) -> int:
    content, piece, at = dice.randbytes(40_000), dice.randbytes(9000), 11_000
    after = content[:at] + piece + content[at + len(piece) :]
    for nth in numbers():
        os.ftruncate(fd, 0)
        os.pwrite(fd, content, 0)
        sync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        happened, status = store(path, content, piece, at, nth)
        killed, code = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, os.waitstatus_to_exitcode(status)
        assert killed in (0, signal.SIGBUS), f"failure {nth}: signal {killed}"
        assert killed or code == 0 or code in EXPECTED, f"failure {nth}: errno {code}"
        problem = agrees(read_whole(path), [content, after])
        assert not problem, f"failure {nth}: {problem}"
        if not happened:
            assert status == 0, f"without a failure ({nth}): status {status}"
            return nth
        if status:
            with open(path, "r+b") as file:
                file.write(content)
        _, status = store(path, content, piece, at, 0)
        assert status == 0, f"failure {nth}, and again: status {status}"
        sync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        problem = differs(read_whole(path), after)
        assert not problem, f"failure {nth}, and again: {problem}"
    return 0


def remounts(root: str, device: str, fstype: str, numbers: Callable[[], Iterator[int]]) -> int:
    """To read-only and back, with something to write on the way."""
    path = f"{root}/{FOLDER}/{NAME}"
    for nth in numbers():
        content = os.urandom(20_000)
        with open(path, "r+b") as file:
            file.write(content)
        happened = False
        for flags in (syscalls.MS_RDONLY, 0):
            with Failing(nth) as failing:
                try:
                    syscalls.mount(device, root, fstype, MS_REMOUNT | flags, OPTIONS)
                    error = 0
                except OSError as why:
                    error = why.errno or 1
            # Why a volume cannot be written is told in the log.
            refused = flags == 0 and error == errno.EROFS
            assert error == 0 or (error in EXPECTED or refused) and failing.happened, f"failure {nth}: {errno.errorcode.get(error, error)}"
            happened |= failing.happened
            if error:
                syscalls.mount(device, root, fstype, MS_REMOUNT | flags, OPTIONS)
            found = read_whole(path)[: len(content)]
            # What is written back on the way may be lost, as everywhere.
            problem = differs(found, content)
            assert not problem, f"failure {nth}: {problem}"
        if not happened:
            return nth
    return 0


def run(report: Report, ground: Ground, seed: int, stride: int) -> None:
    """Every `stride`-th failure of each call, one of the first among them."""
    dice = random.Random(seed)
    if not os.path.exists(FAIL):
        with report.case("failures inside of each writing call"):
            raise Skip("this kernel injects no failures")
        return

    def numbers() -> Iterator[int]:
        return iter(range(1 + dice.randrange(stride), MOST, stride))

    ends: dict[str, int] = {}
    with volume.loop(ground.image, sector=ground.sector, writable=True) as device:
        with volume.mounted(ground.fstype, device, OPTIONS, flags=0, at="/mnt/written") as root, injection(ground.fstype, device):
            path = f"{root}/{FOLDER}/{NAME}"
            fd = os.open(path, os.O_RDWR)
            OTHER.update({flag: os.open(path, os.O_RDWR | flag) for flag in (os.O_DIRECT, os.O_SYNC)})
            for call in calls(dice):
                with report.case(f"each failure in {call.name}"):
                    turn = Round(path, fd, call)
                    ends[call.name] = next((nth for nth in numbers() if not turn.run(nth)), 0)
                    assert ends[call.name], f"still failures after {MOST}"
            with report.case("each failure in a store to a mapping and msync"):
                ends["store"] = stores(path, fd, dice, numbers)
                assert ends["store"], f"still failures after {MOST}"
            for other in (fd, *OTHER.values()):
                os.close(other)
            with report.case("each failure in a remount"):
                ends["remount"] = remounts(root, device, ground.fstype, numbers)
                assert ends["remount"], f"still failures after {MOST}"
            ground.contents[NAME] = read_whole(path)
    report.note(f"{report.prefix}: calls without a failure from this one on: {ends}")
    with report.case("there was something to fail"):
        assert Failing.total > 200 // stride, f"only {Failing.total} failures"
    # A sync that failed leaves the mark, so that somebody checks the volume; that is done next.
    volume.run("ntfsfix", "-d", ground.image)
