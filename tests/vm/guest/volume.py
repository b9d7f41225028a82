# SPDX-License-Identifier: GPL-2.0-only
"""Loop devices and mounts as context managers, for the driver under test and for the oracles.

The kernel's drivers are mounted with mount(2) itself, never through mount(8), which would run ntfs-3g
for type `ntfs` and retry with other options.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator

from . import syscalls


def run(*command: str, check: bool = True, timeout: float = 600, env: dict[str, str] | None = None) -> str:
    """The output (both streams) of a command; an exit status that is not 0 is an error."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
        errors="surrogateescape", stdin=subprocess.DEVNULL, env=env,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stdout.strip()[-1500:]}")
    return done.stdout


# What a mount may read, whatever the size of the volume: the table of capital letters, the head of the log, records.
MOST_AT_MOUNT = 1 << 20


def own_reads() -> int:
    """Bytes that this task has had read from devices."""
    with open("/proc/self/io") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))


LOOP_CLR_FD, LOOP_CONFIGURE, LOOP_CTL_GET_FREE = 0x4C01, 0x4C0A, 0x4C82


def attach(image: str, sector: int = 512, offset: int = 0, size: int = 0, writable: bool = False) -> str:
    """Makes a loop device over (a part of) an image. By ioctl: a program for it takes a second under emulation."""
    file = os.open(image, os.O_RDWR if writable else os.O_RDONLY)
    try:
        while True:
            control = os.open("/dev/loop-control", os.O_RDWR)
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            os.close(control)
            device = os.open(f"/dev/loop{number}", os.O_RDWR if writable else os.O_RDONLY)
            try:
                # struct loop_config: the file, the sector size, a loop_info64, room.
                info = struct.pack("<QQQQQIIII", 0, 0, 0, offset, size, number, 0, 0, 0 if writable else 1)
                fcntl.ioctl(device, LOOP_CONFIGURE, struct.pack("<II", file, sector) + info.ljust(232, b"\0") + bytes(64))
                return f"/dev/loop{number}"
            except OSError as error:
                # Another process was faster.
                if error.errno != errno.EBUSY:
                    raise
            finally:
                os.close(device)
    finally:
        os.close(file)


def detach(device: str) -> None:
    """Frees a loop device; one that is still in use is freed by the kernel when it no longer is."""
    fd = os.open(device, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.ioctl(fd, LOOP_CLR_FD)
    finally:
        os.close(fd)


@contextlib.contextmanager
def loop(image: str, sector: int = 512, offset: int = 0, size: int = 0, writable: bool = False) -> Iterator[str]:
    """A loop device for the time of the block."""
    device = attach(image, sector, offset, size, writable)
    try:
        yield device
    finally:
        detach(device)


def unmount(target: str, seconds: float = 30) -> None:
    """umount(2), trying again while something transient still holds the mount."""
    until = time.monotonic() + seconds
    while True:
        try:
            return syscalls.umount(target)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextlib.contextmanager
def mounted(fstype: str, device: str, options: str = "", flags: int = syscalls.MS_RDONLY, at: str = "") -> Iterator[str]:
    """A mount of a kernel driver; unmounted at the end whatever happens."""
    target = at or f"/mnt/{fstype}-{os.path.basename(device)}"
    os.makedirs(target, exist_ok=True)
    syscalls.mount(device, target, fstype, flags, options)
    try:
        yield target
    finally:
        unmount(target)


@contextlib.contextmanager
def ntfs3g(image: str, options: str = "", readonly: bool = False, streams: str = "xattr") -> Iterator[str]:
    """A mount by ntfs-3g: the oracle for reading, and the only writer that the tests trust.

    It stays in the foreground, so that the end of the process tells that its last block is written. Named streams
    are extended attributes, or with `streams="windows"` what is behind a colon in a path, which can be of any size.
    """
    target = f"/mnt/ntfs-3g-{os.getpid()}"
    os.makedirs(target, exist_ok=True)
    words = [f"streams_interface={streams}", "special_files=wsl", "no_def_opts", "allow_other", "no_detach"]
    words += ["ro"] if readonly else ["big_writes"]
    words += [options] if options else []
    process = subprocess.Popen(
        ["ntfs-3g", "-o", ",".join(words), image, target], env=dict(os.environ, LC_ALL="C.UTF-8"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    while not os.path.ismount(target):
        if process.poll() is not None:
            said = process.stdout.read().decode("utf-8", "replace") if process.stdout else ""
            raise RuntimeError(f"ntfs-3g refuses {image}: {said.strip()[-500:]}")
        time.sleep(0.02)
    try:
        yield target
    finally:
        unmount(target)
        process.communicate(timeout=120)


def drop_caches() -> None:
    """Page cache, dentries and inodes: everything that the kernel can forget."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")


def partition(disk: str, offset: int) -> str:
    """The block device of the partition of `disk` that begins at `offset` bytes (the disk itself for 0)."""
    if offset == 0:
        return disk
    name = os.path.basename(disk)
    for entry in os.listdir(f"/sys/block/{name}"):
        start = f"/sys/block/{name}/{entry}/start"
        if os.path.exists(start) and int(open(start).read()) * 512 == offset:
            return f"/dev/{entry}"
    raise RuntimeError(f"{disk} has no partition at {offset}")


@contextlib.contextmanager
def shared_volume(item: dict, folder: str) -> Iterator[str]:
    """The device of a volume of the shared images: a partition of a disk, or a loop over a raw file."""
    if "disk" in item:
        yield partition(os.environ[f"DISK{item['disk']}"], item["offset"])
    else:
        with loop(f"{folder}/{item['file']}", sector=item.get("sector", 512), offset=item["offset"]) as device:
            yield device
