#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Fills the NTFS volume that ntfs-3g has mounted at the given folder with what real volumes hold.

Runs in the guest, for the sample volume of `make run` (tools/run.sh).
"""

import hashlib
import os
import struct
import sys
from pathlib import Path

NAMES = [
    "English and ASCII.txt",
    "Français – été.txt",
    "Ελληνικά.txt",
    "Русский язык.txt",
    "עברית.txt",
    "العربية.txt",
    "हिन्दी.txt",
    "ไทย.txt",
    "ქართული.txt",
    "中文文件.txt",
    "日本語のファイル.txt",
    "한국어 파일.txt",
    "emoji 🦀 outside the BMP.txt",
    "Straße İstanbul ǅ.txt",
    "x" * 251 + ".txt",
]
SYMLINK_TAG = 0xA000000C


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress and are the same in every run."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def windows_symlink(path: Path, target: str) -> None:
    """A relative symbolic link as Windows makes it, which ntfs-3g does not do by itself."""
    name = target.replace("/", "\\").encode("utf-16-le")
    body = struct.pack("<HHHHI", len(name), len(name), 0, len(name), 1) + name + name
    path.write_bytes(b"")
    os.setxattr(
        path,
        "system.ntfs_reparse_data",
        struct.pack("<IHH", SYMLINK_TAG, len(body), 0) + body,
    )


def fragment(folder: Path) -> None:
    """Files that grow by turns, so that the runs of each lie between those of the others."""
    for turn in range(120):
        for seed, name in enumerate("abc"):
            with open(folder / f"by turns {name}.bin", "ab") as file:
                file.write(noise(turn * 3 + seed, 4096 * (1 + turn % 3)))
                file.flush()
                os.fsync(file.fileno())


def main() -> None:
    top = Path(sys.argv[1])
    (top / "README.txt").write_text(
        "This NTFS volume was made by mkntfs, filled by ntfs-3g, and is read by ntfs_rs.\n"
    )

    scripts = top / "names in many scripts"
    scripts.mkdir()
    for name in NAMES:
        (scripts / name).write_text(f"The name of this file is {name}\n")

    deep = top / "deep"
    for level in range(1, 41):
        deep = deep / f"level {level}"
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("Forty folders down.\n")

    many = top / "5000 files"
    many.mkdir()
    for number in range(5000):
        (many / f"file {number:04}.txt").write_text(f"{number}\n")

    contents = top / "contents"
    contents.mkdir()
    (contents / "empty").write_bytes(b"")
    # Around the size at which a file leaves its MFT record.
    for size in (1, 100, 600, 700, 720, 760, 4096, 65536, 3_000_000):
        (contents / f"{size} bytes.bin").write_bytes(noise(size, size))
    with open(contents / "sparse, 1 GiB.bin", "wb") as file:
        for offset in (0, 100 << 20, (1 << 30) - 5):
            file.seek(offset)
            file.write(b"data\n")
    fragment(contents)

    links = top / "links"
    links.mkdir()
    (links / "first name").write_text("One file with three names.\n")
    os.link(links / "first name", links / "second name")
    os.link(links / "first name", top / "third name")
    windows_symlink(links / "windows link", "first name")
    os.symlink("../README.txt", links / "link made by ntfs-3g")

    (links / "with streams").write_text("The unnamed stream.\n")
    for number in range(3):
        os.setxattr(
            links / "with streams",
            f"user.stream {number}",
            noise(number, 900 * (number + 1)),
        )


if __name__ == "__main__":
    main()
