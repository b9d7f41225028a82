# SPDX-License-Identifier: GPL-2.0-only
"""System calls that Python has no function for, with the numbers of x86-64."""

from __future__ import annotations

import array
import ctypes
import fcntl
import mmap
import os
import struct
from dataclasses import dataclass

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_NOATIME, MS_BIND = 1, 2, 4, 8, 32, 1024, 4096
MS_POSIXACL = 1 << 16
MNT_FORCE, MNT_DETACH = 1, 2

FS_IOC_GETFSLABEL = 0x81009431
FS_IOC_GETFSUUID = 0x80111500
FS_IOC_FIEMAP = 0xC020660B
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR = 0x801C581F, 0x401C5820
FS_COMPR, FS_IMMUTABLE, FS_ENCRYPT, FS_CASEFOLD = 0x4, 0x10, 0x800, 0x40000000
FS_XFLAG_CASEFOLD = 0x40000
FIBMAP, FIGETBSZ = 1, 2
FITRIM = 0xC0185879
RWF_DSYNC, RWF_NOWAIT = 2, 8

STATX_ATTR_COMPRESSED, STATX_ATTR_IMMUTABLE, STATX_ATTR_ENCRYPTED = 0x4, 0x10, 0x800
STATX_ALL, STATX_DIOALIGN = 0xFFF, 0x2000

SYS_STATX, SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 332, 428, 429, 442
SYS_GETDENTS64, SYS_NAME_TO_HANDLE, SYS_OPEN_BY_HANDLE = 217, 303, 304
SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT = 430, 431, 432


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def syscall(number: int, *args) -> int:
    """syscall(2) that raises OSError."""
    return _checked(LIBC.syscall(ctypes.c_long(number), *args), f"syscall {number}")


def mount(device: str, target: str, fstype: str, flags: int = 0, options: str = "") -> None:
    """mount(2): no helper program, no guessing, the error number of the kernel."""
    _checked(
        LIBC.mount(device.encode(), target.encode(), fstype.encode(), ctypes.c_ulong(flags), options.encode() or None),
        f"mount {fstype} {device} -o {options}",
    )


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _checked(LIBC.umount2(target.encode(), flags), f"umount {target}")


@dataclass(frozen=True)
class Statx:
    """The part of struct statx that the tests look at."""

    mask: int
    attributes: int
    attributes_mask: int
    nlink: int
    mode: int
    ino: int
    size: int
    blocks: int
    blksize: int
    btime_ns: int
    dio_mem_align: int
    dio_offset_align: int


def statx(path: str | bytes, flags: int = AT_SYMLINK_NOFOLLOW) -> Statx:
    """statx(2) of `path`, without following a link."""
    buffer = ctypes.create_string_buffer(256)
    syscall(SYS_STATX, AT_FDCWD, os.fsencode(path), flags, STATX_ALL | STATX_DIOALIGN, buffer)
    raw = buffer.raw
    mask, blksize, attributes, nlink, _uid, _gid, mode = struct.unpack_from("<IIQIIIH", raw, 0)
    ino, size, blocks, attributes_mask = struct.unpack_from("<QQQQ", raw, 32)
    seconds, nanos = struct.unpack_from("<qI", raw, 80)
    mem_align, offset_align = struct.unpack_from("<II", raw, 152)
    return Statx(
        mask, attributes, attributes_mask, nlink, mode, ino, size, blocks, blksize,
        seconds * 10**9 + nanos, mem_align, offset_align,
    )  # fmt: skip


def getxattr_size(path: str, name: str, room: int) -> int:
    """What getxattr(2) returns when there is room for so many bytes; 0 asks for the length."""
    buffer = ctypes.create_string_buffer(max(room, 1))
    return _checked(LIBC.getxattr(os.fsencode(path), os.fsencode(name), buffer, ctypes.c_size_t(room)), f"getxattr {name}")


def lgetxattr(path: str, name: str) -> bytes:
    """A value by lgetxattr(2), with exactly the room that it says it needs."""
    where, which, what = os.fsencode(path), os.fsencode(name), f"lgetxattr {name}"
    size = _checked(LIBC.lgetxattr(where, which, None, ctypes.c_size_t(0)), what)
    buffer = ctypes.create_string_buffer(max(size, 1))
    got = _checked(LIBC.lgetxattr(where, which, buffer, ctypes.c_size_t(size)), what) if size else 0
    return buffer.raw[:got]


def listxattr_size(path: str, room: int) -> int:
    """What listxattr(2) returns when there is room for so many bytes; 0 asks for the length."""
    buffer = ctypes.create_string_buffer(max(room, 1))
    return _checked(LIBC.listxattr(os.fsencode(path), buffer, ctypes.c_size_t(room)), "listxattr")


def fs_label(path: str) -> str:
    """FS_IOC_GETFSLABEL."""
    fd = os.open(path, os.O_RDONLY)
    try:
        buffer = bytearray(256)
        fcntl.ioctl(fd, FS_IOC_GETFSLABEL, buffer)
        return bytes(buffer).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def fs_uuid(path: str) -> bytes:
    """FS_IOC_GETFSUUID: as many bytes as the driver says are valid."""
    fd = os.open(path, os.O_RDONLY)
    try:
        buffer = bytearray(17)
        fcntl.ioctl(fd, FS_IOC_GETFSUUID, buffer)
        return bytes(buffer[1 : 1 + buffer[0]])
    finally:
        os.close(fd)


def file_flags(path: str) -> int:
    """FS_IOC_GETFLAGS, as lsattr calls it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        buffer = bytearray(8)
        fcntl.ioctl(fd, FS_IOC_GETFLAGS, buffer)
        return struct.unpack_from("<I", buffer)[0]
    finally:
        os.close(fd)


def file_xflags(path: str) -> int:
    """FS_IOC_FSGETXATTR: the flags."""
    fd = os.open(path, os.O_RDONLY)
    try:
        buffer = bytearray(28)
        fcntl.ioctl(fd, FS_IOC_FSGETXATTR, buffer)
        return struct.unpack_from("<I", buffer)[0]
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Extent:
    """One record of FIEMAP, in bytes."""

    logical: int
    physical: int
    length: int
    flags: int


FIEMAP_LAST, FIEMAP_UNKNOWN, FIEMAP_ENCODED = 1, 2, 8
FIEMAP_NOT_ALIGNED, FIEMAP_INLINE, FIEMAP_UNWRITTEN = 0x100, 0x200, 0x800


def fiemap(fd: int, start: int = 0, length: int = 2**63 - 1, count: int = 512) -> list[Extent]:
    """All extents, asked for `count` at a time so that continuing is tried too."""
    extents: list[Extent] = []
    end = start + length
    while start < end:
        buffer = bytearray(struct.pack("<QQIIII", start, end - start, 0, 0, count, 0) + bytes(56 * count))
        fcntl.ioctl(fd, FS_IOC_FIEMAP, buffer)
        mapped = struct.unpack_from("<I", buffer, 20)[0]
        for index in range(mapped):
            logical, physical, size, _, _, flags = struct.unpack_from("<QQQQQI", buffer, 32 + 56 * index)
            extents.append(Extent(logical, physical, size, flags))
        if mapped == 0 or extents[-1].flags & FIEMAP_LAST:
            break
        start = extents[-1].logical + extents[-1].length
    return extents


def fibmap(fd: int, block: int) -> int:
    """FIBMAP: the device block of a file block, 0 for a hole."""
    buffer = array.array("i", [block])
    fcntl.ioctl(fd, FIBMAP, buffer)
    return buffer[0]


def block_size(fd: int) -> int:
    """FIGETBSZ: the unit of FIBMAP."""
    buffer = array.array("i", [0])
    fcntl.ioctl(fd, FIGETBSZ, buffer)
    return buffer[0]


def fitrim(fd: int, start: int = 0, length: int = 2**64 - 1, least: int = 0) -> int:
    """FITRIM: how many bytes were discarded."""
    buffer = bytearray(struct.pack("<QQQ", start, length, least))
    fcntl.ioctl(fd, FITRIM, buffer)
    return struct.unpack_from("<Q", buffer, 8)[0]


class Userfault:
    """Memory whose first touch waits for ever, for who has to be stopped in the midst of a system call."""

    def __init__(self, length: int) -> None:
        uffdio_api, uffdio_register, missing = 0xC018AA3F, 0xC020AA00, 1
        self.fd = syscall(323, os.O_CLOEXEC)
        fcntl.ioctl(self.fd, uffdio_api, bytearray(struct.pack("<QQQ", 0xAA, 0, 0)))
        self.memory = mmap.mmap(-1, length)
        view = ctypes.c_char.from_buffer(self.memory)
        fcntl.ioctl(self.fd, uffdio_register, bytearray(struct.pack("<QQQQ", ctypes.addressof(view), length, missing, 0)))


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2) with its mode, which Python's function has not."""
    _checked(LIBC.fallocate64(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)), f"fallocate {mode:#x} {length} at {offset}")


def write_out(fd: int) -> None:
    """sync_file_range(2) of the whole file: its data is on the device then, and nothing else of it."""
    before, write, after = 1, 2, 4
    _checked(LIBC.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), before | write | after), "sync_file_range")


@dataclass(frozen=True)
class Handle:
    """A file handle as NFS would keep it."""

    type: int
    data: bytes


def name_to_handle(path: str | bytes, flags: int = 0) -> Handle:
    """name_to_handle_at(2)."""
    buffer = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0) + bytes(128))
    mount_id = ctypes.c_int()
    syscall(SYS_NAME_TO_HANDLE, AT_FDCWD, os.fsencode(path), buffer, ctypes.byref(mount_id), flags)
    size, kind = struct.unpack_from("<Ii", buffer.raw, 0)
    return Handle(kind, buffer.raw[8 : 8 + size])


def open_by_handle(mount_fd: int, handle: Handle, flags: int = os.O_RDONLY) -> int:
    """open_by_handle_at(2)."""
    buffer = ctypes.create_string_buffer(struct.pack("<Ii", len(handle.data), handle.type) + handle.data)
    return syscall(SYS_OPEN_BY_HANDLE, mount_fd, buffer, flags)


@dataclass(frozen=True)
class Dirent:
    """struct linux_dirent64."""

    ino: int
    offset: int
    type: int
    name: bytes


def getdents(fd: int, size: int) -> list[Dirent]:
    """One getdents64(2) with a buffer of `size` bytes; empty at the end."""
    buffer = ctypes.create_string_buffer(size)
    used = syscall(SYS_GETDENTS64, fd, buffer, size)
    entries, at = [], 0
    while at < used:
        ino, offset, length, kind = struct.unpack_from("<QqHB", buffer.raw, at)
        name = buffer.raw[at + 19 : at + length].split(b"\0", 1)[0]
        entries.append(Dirent(ino, offset, kind, name))
        at += length
    return entries


def idmap_mount(source: str, target: str, namespace_fd: int) -> None:
    """Clones the mount at `source` to `target` with the id mapping of a user namespace."""
    open_tree_clone = 1
    tree = syscall(SYS_OPEN_TREE, AT_FDCWD, source.encode(), open_tree_clone | os.O_CLOEXEC)
    try:
        idmap = 0x00100000
        attributes = struct.pack("<QQQQ", idmap, 0, 0, namespace_fd)
        syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, len(attributes))
        move_mount_f_empty_path = 4
        syscall(SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), move_mount_f_empty_path)
    finally:
        os.close(tree)
