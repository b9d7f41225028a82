# SPDX-License-Identifier: GPL-2.0-only
"""Reparse points: Windows' links in their variants, WSL's links and special files, tags that nobody knows."""

from __future__ import annotations

import os
import socket
import stat
import struct

from .content import attempt, write

SYMLINK, MOUNT_POINT, LX_SYMLINK = 0xA000000C, 0xA0000003, 0xA000001D
UNKNOWN_WITH_DATA, UNKNOWN_SURROGATE = 0x00004711, 0x20004711


def _names(substitute: str, shown: str) -> tuple[bytes, bytes]:
    """The offsets and lengths of the two names, and the names themselves."""
    one, other = substitute.encode("utf-16-le"), shown.encode("utf-16-le")
    return struct.pack("<HHHH", 0, len(one), len(one), len(other)), one + other


def symlink(substitute: str, shown: str, relative: bool) -> bytes:
    """The reparse buffer of a Windows symbolic link."""
    head, text = _names(substitute, shown)
    body = head + struct.pack("<I", 1 if relative else 0) + text
    return struct.pack("<IHH", SYMLINK, len(body), 0) + body


def junction(substitute: str, shown: str) -> bytes:
    """The reparse buffer of a junction or a mount point; its names end with NUL."""
    one, other = substitute.encode("utf-16-le"), shown.encode("utf-16-le")
    body = struct.pack("<HHHH", 0, len(one), len(one) + 2, len(other)) + one + b"\0\0" + other + b"\0\0"
    return struct.pack("<IHH", MOUNT_POINT, len(body), 0) + body


def _set(path: str, buffer: bytes, folder: bool = False) -> None:
    if folder:
        os.mkdir(path)
    else:
        write(path, 0)
    os.setxattr(path, "system.ntfs_reparse_data", buffer)


def fill(root: str, scale: int) -> None:
    problems: list[str] = []
    os.mkdir(f"{root}/target")
    write(f"{root}/target/file", 123)
    windows = {
        "relative": (symlink("target\\file", "target\\file", True), False),
        "relative folder": (symlink("target", "target", True), True),
        "up and down": (symlink("..\\reparse\\target\\file", "..\\reparse\\target\\file", True), False),
        "dangling": (symlink("no such file", "no such file", True), False),
        "absolute": (symlink("\\??\\C:\\Windows\\notepad.exe", "C:\\Windows\\notepad.exe", False), False),
        "absolute folder": (symlink("\\??\\C:\\Users", "C:\\Users", False), True),
        "unc": (symlink("\\??\\UNC\\server\\share\\x", "\\\\server\\share\\x", False), False),
        "other script": (symlink("目標\\ファイル", "目標\\ファイル", True), False),
        "long": (symlink("\\".join(["a long component"] * 40), "x", True), False),
        "junction": (junction("\\??\\C:\\reparse\\target", "C:\\reparse\\target"), True),
        "mount point": (junction("\\??\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\", ""), True),
    }
    for name, (buffer, folder) in windows.items():
        attempt(problems, name, _set, f"{root}/{name}", buffer, folder)
    data = struct.pack("<IHH", UNKNOWN_WITH_DATA, 16, 0) + bytes(16) + b"unknown payload!"
    attempt(problems, "unknown tag", _set, f"{root}/unknown tag", data)
    attempt(problems, "wsl link", os.symlink, "target/file", f"{root}/wsl link")
    attempt(problems, "wsl link utf8", os.symlink, "目標/ファイル 😀", f"{root}/wsl link utf8")
    attempt(problems, "wsl absolute", os.symlink, "/usr/bin/env", f"{root}/wsl absolute")
    attempt(problems, "wsl long", os.symlink, "/".join(["component"] * 100), f"{root}/wsl long")
    attempt(problems, "fifo", os.mkfifo, f"{root}/fifo")
    attempt(problems, "char", os.mknod, f"{root}/char", 0o644 | stat.S_IFCHR, os.makedev(1, 3))
    attempt(problems, "block", os.mknod, f"{root}/block", 0o644 | stat.S_IFBLK, os.makedev(259, 70_000))
    attempt(problems, "socket", os.mknod, f"{root}/socket", 0o644 | stat.S_IFSOCK)
    if problems:
        raise OSError(0, "; ".join(problems))
