# SPDX-License-Identifier: GPL-2.0-only
"""Reparse points: links of Windows and of WSL, raw and relative, and the special files."""

from __future__ import annotations

import errno
import os
import stat

from ..case import Report, expect_error
from .ground import Ground

SAME_IN_BOTH = {
    "relative": "target/file", "relative folder": "target", "up and down": "../reparse/target/file",
    "dangling": "no such file", "other script": "目標/ファイル", "long": "/".join(["a long component"] * 40),
    "wsl link": "target/file", "wsl link utf8": "目標/ファイル 😀", "wsl absolute": "/usr/bin/env",
    "wsl long": "/".join(["component"] * 100),
}  # fmt: skip
# What the in-tree driver's option of the same name gives.
RAW = {
    "absolute": "/??/C:/Windows/notepad.exe", "absolute folder": "/??/C:/Users", "junction": "/??/C:/reparse/target",
    "unc": "/??/UNC/server/share/x",
}  # fmt: skip
RELATIVE = {
    "absolute": "./../Windows/notepad.exe", "absolute folder": "./../Users", "junction": "./../reparse/target",
}  # fmt: skip


def run(report: Report, ground: Ground) -> None:
    for option, more in (("", RAW), ("native_symlink=raw", RAW), ("native_symlink=rel", RELATIVE)):
        with ground.mount(option) as root:
            for name, want in (SAME_IN_BOTH | more).items():
                with report.case(f"{option or 'by default'}: the target of '{name}'"):
                    path = f"{root}/reparse/{name}"
                    got = os.readlink(path)
                    assert got == want, f"{got!r} instead of {want!r}"
                    assert os.lstat(path).st_size == len(os.fsencode(got)), os.lstat(path).st_size
                    assert stat.S_ISLNK(os.lstat(path).st_mode)
            with report.case(f"{option or 'by default'}: following links leads to the file"):
                for name in ("relative", "up and down", "wsl link"):
                    assert os.stat(f"{root}/reparse/{name}").st_size == 123, name
                assert os.listdir(f"{root}/reparse/relative folder") == ["file"]
                expect_error(errno.ENOENT, os.stat, f"{root}/reparse/dangling")
            elsewhere = f"{option or 'by default'}: a mount point of another volume"
            if more is RAW:
                with report.case(f"{elsewhere} is a link that names it"):
                    assert "01234567-89ab-cdef-0123-456789abcdef" in os.readlink(f"{root}/reparse/mount point")
            else:
                with report.case(f"{elsewhere}, or of another computer, cannot be followed, and says so"):
                    for name in ("mount point", "unc"):
                        expect_error(errno.EOPNOTSUPP, os.readlink, f"{root}/reparse/{name}")
    with ground.mount("native_symlink=rel") as root:
        with report.case("with native_symlink=rel a junction leads to its folder"):
            assert os.listdir(f"{root}/reparse/junction") == ["file"]
    with ground.mount() as root:
        with report.case("special files have their kinds and device numbers"):
            kinds = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK, "char": stat.S_IFCHR, "block": stat.S_IFBLK}
            for name, kind in kinds.items():
                assert stat.S_IFMT(os.lstat(f"{root}/reparse/{name}").st_mode) == kind, name
            assert os.lstat(f"{root}/reparse/char").st_rdev == os.makedev(1, 3)
            assert os.lstat(f"{root}/reparse/block").st_rdev == os.makedev(259, 70_000)
        with report.case("a device node works where the mount allows it, and nodev forbids it"):
            with open(f"{root}/reparse/char", "rb") as null:
                assert null.read(10) == b""
    with report.case("a file with an unknown tag is what its data says"):
        with ground.mount() as root:
            assert stat.S_ISREG(os.lstat(f"{root}/reparse/unknown tag").st_mode)
