# SPDX-License-Identifier: GPL-2.0-only
"""A volume of 4 TiB: mounting it reads no more than mounting a small one, and what is free is counted beside that.

What the task that mounts has read is what the kernel charges to it (/proc/self/io); the count is made by another
task. All bounds are in bytes, so that no machine is too fast or too slow for them.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable

from .. import syscalls, volume
from ..case import Report
from . import records
from .ground import Ground

SIZE, CLUSTER = 4 << 40, 4096
BITMAP = SIZE // CLUSTER // 8
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
TRIES = 5


def device_reads(device: str) -> int:
    """Bytes that anybody has read from a device."""
    with open(f"/sys/block/{os.path.basename(device)}/stat") as file:
        return int(file.read().split()[2]) * 512


def reads_of(act: Callable[[], object]) -> int:
    before = volume.own_reads()
    act()
    return volume.own_reads() - before


def free_by_ntfs3g(image: str, act: Callable[[str], object] = lambda _root: None) -> tuple[int, int]:
    """Free clusters and records as ntfs-3g counts them, after something was done on its mount."""
    with volume.ntfs3g(image) as root:
        act(root)
    with volume.ntfs3g(image, readonly=True) as root:
        info = os.statvfs(root)
        return info.f_bfree, info.f_files


def free(root: str) -> int:
    return os.statvfs(root).f_bfree


def run(report: Report, ground: Ground) -> None:
    image = f"{ground.room}/wide.img"
    with open(image, "wb") as file:
        file.truncate(SIZE)
    try:
        volume.run("mkntfs", "-Q", "-F", "-q", "-L", "wide", "-p", "0", "-s", "512", "-c", str(CLUSTER), image)

        def fill(root: str) -> None:
            with open(f"{root}/file", "wb") as out:
                out.write(b"x" * 300_000)

        want, _ = free_by_ntfs3g(image, fill)
        with volume.loop(image, writable=True) as device:
            reading(report, ground, device, want)
            ends(report, ground, device)
            expected = changes(report, ground, device, want)
        with report.case("after allocations and frees beside the count ntfs-3g counts the same clusters"):
            after, _ = free_by_ntfs3g(image)
            assert after == expected, (after, expected)
        records.run(report, ground, image, 1_000_000 if ground.campaign else 20_000)
    finally:
        os.unlink(image)


def reading(report: Report, ground: Ground, device: str, want: int) -> None:
    for name, flags in (("read-only", syscalls.MS_RDONLY), ("read-write", 0)):
        os.makedirs("/mnt/size", exist_ok=True)
        before = device_reads(device)
        at_mount = reads_of(lambda flags=flags: syscalls.mount(device, "/mnt/size", ground.fstype, flags, ""))
        try:
            with report.case(f"mounting 4 TiB {name} reads less than a MiB, where $Bitmap has {BITMAP >> 20}"):
                assert 0 < at_mount < volume.MOST_AT_MOUNT, at_mount
            with report.case(f"df of 4 TiB, {name}, is that of ntfs-3g"):
                assert free("/mnt/size") == want, (free("/mnt/size"), want)
            with report.case(f"all of $Bitmap was read for that, and once ({name})"):
                read = device_reads(device) - before
                assert BITMAP <= read < BITMAP + (8 << 20), read
            with report.case(f"a second df reads nothing ({name})"):
                assert reads_of(lambda: free("/mnt/size")) == 0
        finally:
            volume.unmount("/mnt/size")


def ends(report: Report, ground: Ground, device: str) -> None:
    def aborted(act: Callable[[], object]) -> list[int]:
        """What was read from the mount on until `act` was done, in some tries: once less than all, if it ends the count."""
        read = []
        for _ in range(TRIES):
            before = device_reads(device)
            syscalls.mount(device, "/mnt/size", ground.fstype, 0, "")
            try:
                act()
                read.append(device_reads(device) - before)
            finally:
                if os.path.ismount("/mnt/size"):
                    volume.unmount("/mnt/size")
            if read[-1] < BITMAP:
                break
        return read

    with report.case("an unmount ends the count"):
        read = aborted(lambda: syscalls.umount("/mnt/size"))
        assert min(read) < BITMAP, read
    with report.case("a remount to read-only does not wait for the count"):
        read = aborted(lambda: syscalls.mount(device, "/mnt/size", ground.fstype, syscalls.MS_REMOUNT | syscalls.MS_RDONLY, ""))
        assert min(read) < BITMAP, read

    def freeze() -> None:
        fd = os.open("/mnt/size", os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FIFREEZE, 0)
            try:
                frozen = device_reads(device)
                time.sleep(1)
                assert device_reads(device) == frozen, "the count goes on while the volume is frozen"
            finally:
                fcntl.ioctl(fd, FITHAW, 0)
        finally:
            os.close(fd)

    with report.case("a freeze ends the count, and a thaw begins it again"):
        read = aborted(freeze)
        assert min(read) < BITMAP, read
        before = device_reads(device)
        syscalls.mount(device, "/mnt/size", ground.fstype, 0, "")
        try:
            freeze()
            until = time.monotonic() + 300
            while device_reads(device) - before < BITMAP:
                assert time.monotonic() < until, "the count did not go on"
                time.sleep(0.5)
        finally:
            volume.unmount("/mnt/size")


def changes(report: Report, ground: Ground, device: str, want: int) -> int:
    """Allocates and frees while the count runs; gives the clusters that are free then."""
    syscalls.mount(device, "/mnt/size", ground.fstype, 0, "")
    try:
        fd = os.open("/mnt/size/file", os.O_RDWR)
        try:
            held = os.fstat(fd).st_blocks * 512 // CLUSTER
            with report.case("who allocates beside the count waits for no more of it than he needs"):
                # The first part of the count, and the block of the bitmap where the file is; and what changes are read.
                read = reads_of(lambda: syscalls.fallocate(fd, 0, 0, 100 << 20))
                assert read < 2 << 20, read
            for size in (50 << 20, 400 << 20, 7 << 20):
                os.ftruncate(fd, size)
                syscalls.fallocate(fd, 0, 0, size)
                os.pwrite(fd, b"y" * 100_000, size - 100_000)
                os.fsync(fd)
            now = os.fstat(fd).st_blocks * 512 // CLUSTER
        finally:
            os.close(fd)
        os.sync()
        expected = want - (now - held)
        with report.case("df is exact after allocations and frees beside the count"):
            assert free("/mnt/size") == expected, (free("/mnt/size"), expected, want)
    finally:
        volume.unmount("/mnt/size")
    return expected
