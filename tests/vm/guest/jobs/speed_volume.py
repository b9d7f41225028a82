# SPDX-License-Identifier: GPL-2.0-only
"""Makes the volume that is read for speed, through ntfs-3g: on a disk of the guest, or in a file on the host where that has FUSE.

What WOF has compressed was so by wimlib, which guests have not: the bodies come in a folder, as NAME.body.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import sys
from pathlib import Path

from .. import volume
from ..case import Report
from ..speed import contents

COMPRESSED = 0x800


def make(place: str, bodies: Path) -> None:
    """All of it, on an empty file or device."""
    volume.run("mkntfs", "-Q", "-F", "-q", "-L", "speed", "-p", "0", "-s", "512", "-c", "4096", place)
    with volume.ntfs3g(place, "compression") as root:
        fragmented(root, contents.content("fragmented"))
        whole(f"{root}/plain", contents.content("plain"))
        sparse(f"{root}/sparse", contents.content("sparse"))
        os.mkdir(f"{root}/compressed")
        os.setxattr(f"{root}/compressed", "system.ntfs_attrib_be", struct.pack(">I", COMPRESSED))
        whole(f"{root}/compressed/lznt1", contents.content("lznt1"))
        os.rename(f"{root}/compressed/lznt1", f"{root}/lznt1")
        tree(f"{root}/tree")
    with volume.ntfs3g(place, streams="windows") as root:
        for name, (algorithm, _, _) in contents.WOF.items():
            whole(f"{root}/{name}", b"")
            whole(f"{root}/{name}:WofCompressedData", (bodies / f"{name}.body").read_bytes())
            os.truncate(f"{root}/{name}", contents.SIZES[name])
            wof = struct.pack("<IHHIIII", 0x80000017, 16, 0, 1, 2, 1, algorithm)
            os.setxattr(f"{root}/{name}", "system.ntfs_reparse_data", wof)


def whole(path: str, body: bytes) -> None:
    with open(path, "wb") as file:
        file.write(body)


def sparse(path: str, body: bytes) -> None:
    """Only the pieces that are no holes."""
    with open(path, "wb", buffering=0) as file:
        file.truncate(len(body))
        for at in range(0, len(body), 2 * contents.PIECE):
            file.seek(at)
            file.write(body[at : at + contents.PIECE])


def fragmented(root: str, body: bytes) -> None:
    """Written when nothing but single clusters is free; then all else is taken away."""
    os.mkdir(f"{root}/small")
    count = len(body) // 4096 + 500
    for number in range(2 * count):
        whole(f"{root}/small/{number}", bytes(4096))
    with contextlib.suppress(OSError), open(f"{root}/filler", "wb", buffering=0) as file:
        while file.write(bytes(contents.MI)):
            pass
    for number in range(0, 2 * count, 2):
        os.unlink(f"{root}/small/{number}")
    whole(f"{root}/fragmented", body)
    shutil.rmtree(f"{root}/small")
    os.unlink(f"{root}/filler")


def tree(root: str) -> None:
    """Folders of many files, of which a quarter has something in it."""
    for folder in range(contents.FOLDERS):
        os.makedirs(f"{root}/folder {folder}")
        for number in range(contents.NAMES):
            whole(f"{root}/folder {folder}/file number {number * 7919 % contents.NAMES:05}", b"" if number % 4 else b"something")


def run(report: Report, plan: dict) -> None:
    volume.run("modprobe", "fuse", check=False)
    with report.case("the volume is made and filled by ntfs-3g"):
        make(os.environ["DISK0"], Path("/payload"))


def main() -> int:
    """Without a guest: `python3 -m guest.jobs.speed_volume PLAN FOLDER`, inside the SDK, whose mounts are its own."""
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    report = Report(sys.stdout)
    with report.case("the volume is made and filled by ntfs-3g"):
        make(f"{sys.argv[2]}/{plan['image']}", Path(sys.argv[2]))
    report.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
