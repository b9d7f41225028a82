# SPDX-License-Identifier: GPL-2.0-only
"""Writing that is stopped: for a while by a freeze, for good by FS_IOC_SHUTDOWN, and for one file by its use as swap."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator

from .. import syscalls, volume
from ..case import Report, Skip, expect_error
from ..ntfs_raw import RawVolume
from .defects import child, is_over, opened, path_of
from .ground import Ground, read_whole
from .promises import copy_of, words

KI, MI = 1 << 10, 1 << 20
NAME = "plain 4096"
FS_IOC_SHUTDOWN = 0x8004587D
# What is brought to the device first: everything, metadata, nothing.
HOW = {"everything": 0, "metadata": 1, "nothing": 2}
MADV_PAGEOUT = 21


def is_clean(ground: Ground) -> bool:
    """Whether a volume is not marked dirty: then it is mounted writable. Another one may be mounted meanwhile."""
    with volume.loop(ground.image, sector=ground.sector, writable=True) as device:
        with volume.mounted(ground.fstype, device, flags=0, at="/mnt/looked-at") as root:
            return "ro" not in words(root)


def content(image: str) -> bytes:
    with volume.ntfs3g(image, readonly=True) as root:
        return read_whole(path_of(root, NAME))


@contextlib.contextmanager
def frozen(root: str) -> Iterator[None]:
    volume.run("fsfreeze", "--freeze", root)
    try:
        yield
    finally:
        volume.run("fsfreeze", "--unfreeze", root)


def freeze(report: Report, ground: Ground) -> None:
    model = bytearray(ground.contents[NAME])

    def put(piece: bytes, at: int) -> None:
        model[at : at + len(piece)] = piece

    with ground.mount() as root, opened(path_of(root, NAME)) as fd, mmap.mmap(fd, 4096) as view:
        put(b"written", 0)
        put(b"stored", 100)
        os.pwrite(fd, b"written", 0)
        view[100:106] = b"stored"

        def store() -> None:
            view[300:305] = b"later"

        acts = {
            "write": lambda: os.pwrite(fd, b"later", 200), "store": store, "truncate": lambda: os.ftruncate(fd, 5000),
            "utime": lambda: os.utime(path_of(root, NAME)), "fallocate": lambda: syscalls.fallocate(fd, 1, 0, 64 * KI),
        }  # fmt: skip
        with frozen(root):
            with report.case("a frozen volume is clean, and has everything that was written"), copy_of(ground) as copy:
                assert is_clean(copy), "it is marked dirty"
                assert content(copy.image) == model, content(copy.image)[:310]
            children = {name: child(act) for name, act in acts.items()}
            with report.case("who writes to a frozen volume waits"):
                early = [name for name, pid in children.items() if is_over(pid, 1)]
                assert not early, early
                with copy_of(ground) as copy:
                    assert content(copy.image) == model, "something was written"
        with report.case("and goes on when it thaws"):
            late = [name for name, pid in children.items() if not is_over(pid, 30)]
            assert not late, late
        put(b"later", 200)
        put(b"later", 300)
        model += bytes(5000 - len(model))
        os.fsync(fd)
        with report.case("a volume that thawed is marked again when it is changed"), copy_of(ground) as copy:
            assert not is_clean(copy), "it is not marked dirty"
            assert content(copy.image) == model
    ground.contents[NAME] = bytes(model)
    with report.case("and is clean after the unmount"):
        assert is_clean(ground)


def shut_down(fd: int, how: int) -> None:
    fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("<I", how))


def shutdown(report: Report, ground: Ground) -> None:
    old = ground.contents[NAME]
    for what, how in HOW.items():
        with copy_of(ground) as copy:
            with copy.mount() as root, opened(path_of(root, NAME)) as fd, mmap.mmap(fd, 4096) as view:
                os.pwrite(fd, b"durable", 0)
                os.fsync(fd)
                os.pwrite(fd, b"cached", 1000)
                view[2000:2006] = b"stored"
                with report.case(f"FS_IOC_SHUTDOWN with {what} brought to the device first: nothing can be changed after it"):
                    shut_down(fd, how)
                    shut_down(fd, how)
                    assert "emergency_ro" in words(root), words(root)
                    ways = {
                        "write": lambda: os.pwrite(fd, b"after", 3000), "longer": lambda: os.pwrite(fd, b"after", 9000),
                        "truncate": lambda: os.ftruncate(fd, 10), "fallocate": lambda: os.posix_fallocate(fd, 0, MI),
                        "utime": lambda: os.utime(path_of(root, NAME)),
                    }  # fmt: skip
                    for name, way in ways.items():
                        try:
                            way()
                        except OSError as error:
                            assert error.errno in (errno.EROFS, errno.EIO), f"{name}: {error}"
                        else:
                            raise AssertionError(f"{name} succeeds")
                    if what != "everything":
                        expect_error((errno.EROFS, errno.EIO), os.fsync, fd)
                    assert os.pread(fd, 7, 0) == b"durable"
            with report.case(f"FS_IOC_SHUTDOWN with {what} first: just that is on the device"):
                wanted = bytearray(old)
                wanted[:7] = b"durable"
                if what == "everything":
                    wanted[1000:1006], wanted[2000:2006] = b"cached", b"stored"
                assert content(copy.image) == wanted
                assert is_clean(copy) == (what == "everything")
    with ground.mount() as root, opened(path_of(root, NAME)) as fd, report.case("FS_IOC_SHUTDOWN is for the administrator, and knows what it is asked for"):
        expect_error(errno.EINVAL, shut_down, fd, 3)

        def as_nobody() -> None:
            os.seteuid(65534)
            expect_error(errno.EPERM, shut_down, fd, 0)

        assert is_over(child(as_nobody), 10)
        assert os.pwrite(fd, old[:1], 0) == 1


def closing(report: Report, ground: Ground) -> None:
    """What a folder says of the size of a file whose data is on the device, when that was closed, and metadata alone is brought there."""
    size = 300_000
    with copy_of(ground) as copy:
        with copy.mount() as root:
            path = path_of(root, NAME)
            folder = os.stat(os.path.dirname(path)).st_ino
            with opened(path) as fd:
                os.pwrite(fd, b"the end", size - 7)
                syscalls.write_out(fd)
            with open(path, "rb") as file, report.case("the copies of the sizes in folders are right when a file is closed"):
                shut_down(file.fileno(), HOW["metadata"])
                raw = RawVolume(copy.image)
                try:
                    listed = raw.listed_sizes(folder, NAME)
                finally:
                    raw.close()
                wanted = (os.stat(path).st_blocks * 512, size)
                assert listed == wanted, f"{listed} instead of {wanted}"


def swap(report: Report, ground: Ground) -> None:
    size = 24 * MI
    with ground.mount() as root, opened(path_of(root, NAME)) as fd:
        path = path_of(root, NAME)
        if not os.path.exists("/proc/swaps"):
            with report.case("a file is swapped to"):
                raise Skip("this kernel does not swap")
            return
        with report.case("a file in its record, and one with holes, is not swapped to"):
            for length in (300, size):
                os.ftruncate(fd, 0)
                os.ftruncate(fd, length)
                if length > MI:
                    volume.run("mkswap", path)
                try:
                    volume.run("swapon", path)
                except RuntimeError as error:
                    assert "Invalid argument" in str(error) or "it appears to have holes" in str(error), error
                else:
                    volume.run("swapoff", path)
                    raise AssertionError(f"{length} bytes are swapped to")
        os.ftruncate(fd, 0)
        os.posix_fallocate(fd, 0, size)
        for at in range(0, size, MI):
            os.pwrite(fd, bytes(MI), at)
        volume.run("mkswap", path)
        with report.case("a file is swapped to, and what comes back is what went"):
            volume.run("swapon", path)
            try:
                memory, pattern = mmap.mmap(-1, 12 * MI, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), os.urandom(MI)
                for at in range(0, 12 * MI, MI):
                    memory[at : at + MI] = pattern
                start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
                syscalls.LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(12 * MI), MADV_PAGEOUT)
                with open("/proc/swaps") as file:
                    used = int(file.read().splitlines()[1].split()[3])
                assert used > 6 * KI, f"{used} KiB of swap are used"
                for name, way in {
                    "write": lambda: os.pwrite(fd, b"x", 0), "truncate": lambda: os.ftruncate(fd, MI), "punch": lambda: syscalls.fallocate(fd, 3, 0, MI),
                }.items():  # fmt: skip
                    try:
                        way()
                    except OSError as error:
                        assert error.errno in (errno.ETXTBSY, errno.EPERM), f"{name}: {error}"
                    else:
                        raise AssertionError(f"{name} succeeds on a file that is swapped to")
                volume.drop_caches()
                wrong = [at for at in range(0, 12 * MI, MI) if memory[at : at + MI] != pattern]
                assert not wrong, wrong
            finally:
                volume.run("swapoff", path)
        os.ftruncate(fd, 0)
    ground.contents[NAME] = b""


def run(report: Report, ground: Ground) -> None:
    freeze(report, ground)
    shutdown(report, ground)
    closing(report, ground)
    swap(report, ground)
