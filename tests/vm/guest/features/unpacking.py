# SPDX-License-Identifier: GPL-2.0-only
"""Files of "compact OS" that are changed: the first change, of whichever kind, makes ordinary files of them."""

from __future__ import annotations

import errno
import mmap
import os
import random
import struct
import threading
from collections.abc import Callable

from .. import syscalls, volume
from ..case import Report, expect_error
from ..check import check
from .encoded import WOF
from .ground import Ground

CHUNK = 4096
SIZE = 300_001
REPARSE = "system.ntfs_reparse_data"


def content(name: str) -> bytes:
    return random.Random(name).randbytes(SIZE)


def stream(plain: bytes) -> bytes:
    """The compressed stream of a file none of whose chunks is shorter encoded than as it is."""
    count = -(-len(plain) // CHUNK)
    return b"".join(struct.pack("<I", number * CHUNK) for number in range(1, count)) + plain


def write(path: str, old: bytes) -> bytes:
    with open(path, "r+b") as file:
        file.seek(70_000)
        file.write(b"new" * 1000)
    return old[:70_000] + b"new" * 1000 + old[73_000:]


def append(path: str, old: bytes) -> bytes:
    with open(path, "ab") as file:
        file.write(b"behind")
    return old + b"behind"


def shorten(path: str, old: bytes) -> bytes:
    os.truncate(path, 100_000)
    return old[:100_000]


def empty(path: str, old: bytes) -> bytes:
    with open(path, "wb"):
        pass
    return b""


def lengthen(path: str, old: bytes) -> bytes:
    os.truncate(path, 400_000)
    return old + bytes(400_000 - len(old))


def direct(path: str, old: bytes) -> bytes:
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, 8192)
    buffer.write(b"D" * 8192)
    os.pwritev(fd, [buffer], 65536)
    os.close(fd)
    return old[:65536] + b"D" * 8192 + old[65536 + 8192 :]


def mapped(path: str, old: bytes) -> bytes:
    fd = os.open(path, os.O_RDWR)
    with mmap.mmap(fd, 0) as memory:
        assert memory[:] == old
        memory[9000:9005] = b"store"
        assert memory[:9000] + b"store" + memory[9005:] == old[:9000] + b"store" + old[9005:]
    os.close(fd)
    return old[:9000] + b"store" + old[9005:]


def allocate(path: str, old: bytes) -> bytes:
    fd = os.open(path, os.O_RDWR)
    os.posix_fallocate(fd, 0, 350_000)
    os.close(fd)
    return old + bytes(350_000 - len(old))


WAYS: dict[str, Callable[[str, bytes], bytes]] = {
    "write": write, "append": append, "truncate shorter": shorten, "open with O_TRUNC": empty, "truncate longer": lengthen,
    "direct write": direct, "store through a mapping": mapped, "fallocate": allocate,
}  # fmt: skip
LEFT_ALONE = ("only opened", "only read", "read meanwhile", "too large")


def make(image: str) -> None:
    with open(image, "wb") as file:
        file.truncate(48 << 20)
    volume.run("mkntfs", "-Q", "-F", "-q", "-L", "packed", "-p", "0", "-s", "512", "-c", "4096", image)
    with volume.ntfs3g(image, "streams_interface=windows") as root:
        for name in (*WAYS, *LEFT_ALONE):
            with open(f"{root}/{name}", "wb") as file:
                file.truncate(SIZE)
            with open(f"{root}/{name}:WofCompressedData", "wb") as file:
                file.write(stream(content(name)))
    with volume.ntfs3g(image) as root:
        for name in (*WAYS, *LEFT_ALONE):
            os.setxattr(f"{root}/{name}", REPARSE, WOF)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def is_packed(path: str) -> bool:
    try:
        return os.getxattr(path, REPARSE) == WOF
    except OSError as error:
        assert error.errno == errno.ENODATA, error
        return False


def run(report: Report, ground: Ground) -> None:
    image = f"{ground.scratch}/packed.img"
    make(image)
    wanted = {name: content(name) for name in (*WAYS, *LEFT_ALONE)}
    try:
        with volume.loop(image, writable=True) as device:
            with ground.mount("", device=device, flags=0, at="/mnt/packed") as root:
                alone(report, root)
                for name, change in WAYS.items():
                    with report.case(f"{name}: it is an ordinary file then, with all of its bytes"):
                        path = f"{root}/{name}"
                        if len(name) % 2:
                            assert read(path) == wanted[name]
                        wanted[name] = change(path, wanted[name])
                        assert not is_packed(path) and "user.WofCompressedData" not in os.listxattr(path)
                        assert os.stat(path).st_size == len(wanted[name]) and read(path) == wanted[name]
                        os.sync()
                        volume.drop_caches()
                        assert read(path) == wanted[name]
                readers(report, root)
                full(report, root)
                wanted["read meanwhile"] = wanted["read meanwhile"][:-1] + b"!"
            with report.case("the checker finds nothing on the volume"):
                complaints = [line for line in check(device) if " has times " not in line]
                assert not complaints, complaints[:8]
            with ground.mount("", device=device, at="/mnt/packed") as root, report.case("all of it is there after the next mount"):
                assert not [name for name in wanted if read(f"{root}/{name}") != wanted[name]]
                assert sorted(name for name in wanted if is_packed(f"{root}/{name}")) == ["only opened", "only read", "too large"]
        with volume.ntfs3g(image, readonly=True) as root, report.case("ntfs-3g reads the same of those that were changed"):
            changed = [*WAYS, "read meanwhile"]
            assert not [name for name in changed if read(f"{root}/{name}") != wanted[name]]
    finally:
        os.unlink(image)


def alone(report: Report, root: str) -> None:
    with report.case("to open, to read, and to change times or permissions leaves it as it is"):
        os.close(os.open(f"{root}/only opened", os.O_RDWR))
        os.utime(f"{root}/only opened", (5, 5))
        fd = os.open(f"{root}/only read", os.O_RDWR)
        assert os.pread(fd, SIZE, 0) == content("only read")
        with mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as memory:
            memory[0:3] = b"own"
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE) as memory:
            assert memory[:100] == content("only read")[:100]
        os.fsync(fd)
        os.close(fd)
        assert is_packed(f"{root}/only opened") and is_packed(f"{root}/only read")


def readers(report: Report, root: str) -> None:
    with report.case("who reads meanwhile sees the same bytes all the time"):
        path, whole = f"{root}/read meanwhile", content("read meanwhile")
        wrong: list[int] = []
        stop = threading.Event()

        def look(seed: int) -> None:
            dice = random.Random(seed)
            fd = os.open(path, os.O_RDONLY)
            while not stop.is_set():
                at = dice.randrange(SIZE - 5000)
                if os.pread(fd, 5000, at) != whole[at : at + 5000]:
                    wrong.append(at)
                if dice.random() < 0.05:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)

        threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, b"!", SIZE - 1)
        os.fsync(fd)
        os.close(fd)
        os.sync()
        stop.set()
        for thread in threads:
            thread.join()
        assert not [at for at in wrong if at + 5000 < SIZE], wrong[:5]
        assert not is_packed(path)


def full(report: Report, root: str) -> None:
    with report.case("on a full volume it stays as it is: ENOSPC"):
        space, path = os.statvfs(root), f"{root}/too large"
        size = os.stat(f"{root}/write").st_size
        fd = os.open(f"{root}/write", os.O_RDWR)
        try:
            os.posix_fallocate(fd, 0, size + (space.f_bfree - 20) * space.f_frsize)
            os.fsync(fd)
            expect_error(errno.ENOSPC, os.truncate, path, 5)
            with open(path, "r+b", buffering=0) as file:
                expect_error(errno.ENOSPC, file.write, b"x")
            assert is_packed(path) and read(path) == content("too large")
        finally:
            os.ftruncate(fd, size)
            os.fsync(fd)
            os.close(fd)
        os.sync()
