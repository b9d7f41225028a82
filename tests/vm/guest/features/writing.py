# SPDX-License-Identifier: GPL-2.0-only
"""A read-only mount: every way to write is EROFS, and not a byte of the volume changes."""

from __future__ import annotations

import errno
import os

from .. import volume, walk
from ..case import Report, expect_error
from .ground import Ground, digest


def run(report: Report, ground: Ground) -> None:
    ways = {
        "opening for writing": lambda r: open(f"{r}/data/size 8", "r+b"),
        "creating": lambda r: os.open(f"{r}/new", os.O_CREAT | os.O_WRONLY),
        "truncating": lambda r: os.truncate(f"{r}/data/size 8", 0),
        "unlinking": lambda r: os.unlink(f"{r}/data/size 8"),
        "mkdir": lambda r: os.mkdir(f"{r}/new"),
        "rmdir": lambda r: os.rmdir(f"{r}/directories/0 names"),
        "renaming": lambda r: os.rename(f"{r}/data/size 8", f"{r}/data/other"),
        "linking": lambda r: os.link(f"{r}/data/size 8", f"{r}/data/other"),
        "symlinking": lambda r: os.symlink("x", f"{r}/new"),
        "mknod": lambda r: os.mkfifo(f"{r}/new"),
        "chmod": lambda r: os.chmod(f"{r}/data/size 8", 0o600),
        "chown": lambda r: os.chown(f"{r}/data/size 8", 1, 1),
        "utimes": lambda r: os.utime(f"{r}/data/size 8"),
        "setxattr": lambda r: os.setxattr(f"{r}/data/size 8", "user.x", b"1"),
        "removexattr": lambda r: os.removexattr(f"{r}/data/size 8", "user.x"),
    }
    with ground.copy() as image:
        before = digest(image)
        with volume.loop(image, writable=True) as device:
            with volume.mounted(ground.fstype, device, "", at="/mnt/writing") as root:
                for name, way in ways.items():
                    with report.case(f"{name} is EROFS"):
                        expect_error(errno.EROFS, way, root)
                walk.walk(root)
                os.sync()
        with report.case("a read-only mount, a walk and an unmount change no byte of the volume"):
            assert digest(image) == before
