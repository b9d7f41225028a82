# SPDX-License-Identifier: GPL-2.0-only
"""The volumes that are written on: made by mkntfs, filled through ntfs-3g, so that the driver under test needs to make no name."""

from __future__ import annotations

import contextlib
import os
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .. import volume

FOLDER = "files"
# What all clusters have before they are allocated, where a test is to recognise that.
STALE = b"STALE, of nobody"
# The attribute that a folder has in which files are compressed, and what the names of those begin with.
ATTRIBUTE_COMPRESSED = 0x800
COMPRESSED = "compressed"
# Below, at and above what fits into a record of 1 KiB, and of 4 KiB.
SIZES = (0, 1, 100, 511, 512, 513, 600, 640, 680, 700, 720, 760, 1000, 2000, 3000, 3600, 3700, 3800, 4095, 4096)


@dataclass
class Ground:
    """An image with a volume, and the bytes that each file in `FOLDER` must have."""

    fstype: str
    image: str
    sector: int
    cluster: int
    contents: dict[str, bytes] = field(default_factory=dict)
    # The named streams that files must have; those of the folder by the empty name.
    streams: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @contextlib.contextmanager
    def mount(self, options: str = "") -> Iterator[str]:
        """The volume, writable, by the driver under test."""
        with volume.loop(self.image, sector=self.sector, writable=True) as device:
            with volume.mounted(self.fstype, device, options, flags=0, at="/mnt/written") as root:
                yield root


def make(fstype: str, image: str, spec: dict, seed: int) -> Ground:
    """An empty volume with plain files of each size, compressed and sparse ones, one with many names, some with long ones."""
    ground = Ground(fstype, image, spec["sector"], spec["cluster"])
    with open(image, "wb") as file:
        for _ in range(0, spec["size"] if spec.get("stale") else 0, len(STALE) << 16):
            file.write(STALE * (1 << 16))
        file.truncate(spec["size"])
    volume.run(
        "mkntfs", "-Q", "-F", "-q", "-L", "written", "-p", "0", "-s", str(spec["sector"]), "-c", str(spec["cluster"]), image,
    )  # fmt: skip
    dice = random.Random(seed)
    with volume.ntfs3g(image, "compression") as root:
        os.mkdir(f"{root}/{FOLDER}")
        compressed(ground, root, spec.get("compressed", ()), dice)
        for size in spec.get("sizes", SIZES):
            plain(ground, root, f"plain {size}", dice.randbytes(size))
        for size in spec.get("sparse", ()):
            sparse(ground, root, f"sparse {size}", size, dice)
        if spec.get("links"):
            # So many names that the file has an attribute list, and its data may be in another record.
            plain(ground, root, "many names", dice.randbytes(300))
            for number in range(spec["links"]):
                os.link(f"{root}/{FOLDER}/many names", f"{root}/{FOLDER}/another name of the same file, number {number:03}")
        for number, length in enumerate(spec.get("crowded", ())):
            name = f"crowd {number:02}"
            plain(ground, root, name, dice.randbytes(30))
            for link in links_of(name, length):
                os.link(f"{root}/{FOLDER}/{name}", f"{root}/{FOLDER}/{link}")
    return ground


def links_of(name: str, length: int) -> list[str]:
    """The two other names of a file whose record they nearly fill, of so many letters together."""
    return [f"{name} {half} ".ljust(part, "x") for half, part in enumerate((length // 2, length - length // 2))]


def plain(ground: Ground, root: str, name: str, content: bytes) -> None:
    with open(f"{root}/{FOLDER}/{name}", "wb") as file:
        file.write(content)
    ground.contents[name] = content


def compressed(ground: Ground, root: str, sizes: Sequence[int], dice: random.Random) -> None:
    """Files that are compressed: made where that is inherited, and then moved."""
    if not sizes:
        return
    made = f"{root}/where files are compressed"
    os.mkdir(made)
    os.setxattr(made, "system.ntfs_attrib_be", struct.pack(">I", ATTRIBUTE_COMPRESSED))
    for size in sizes:
        name, content = f"{COMPRESSED} {size}", mixture(dice, size)
        with open(f"{made}/{name}", "wb") as file:
            file.write(content)
        os.rename(f"{made}/{name}", f"{root}/{FOLDER}/{name}")
        ground.contents[name] = content


def is_compressed(name: str) -> bool:
    return name.startswith(COMPRESSED)


def mixture(dice: random.Random, size: int) -> bytes:
    """Bytes of which some get smaller, some do not, and some are zero."""
    text, content = b"what gets smaller, gets it well; ", bytearray()
    while len(content) < size:
        length = dice.choice((3000, 20000, 70000))
        content += dice.choice((dice.randbytes(length), (text * (length // len(text) + 1))[:length], bytes(length)))
    return bytes(content[:size])


def sparse(ground: Ground, root: str, name: str, size: int, dice: random.Random) -> None:
    """A file of holes with a little data in between."""
    content = bytearray(size)
    with open(f"{root}/{FOLDER}/{name}", "wb") as file:
        file.truncate(size)
        for place in range(size // 7, size - 5000, size // 3 + 1):
            piece = dice.randbytes(5000)
            file.seek(place)
            file.write(piece)
            content[place : place + 5000] = piece
    ground.contents[name] = bytes(content)


def free_clusters(root: str) -> int:
    return os.statvfs(root).f_bfree


def differs(found: bytes, wanted: bytes) -> str:
    """Where two contents begin to differ, in words; nothing when they do not."""
    if found == wanted:
        return ""
    if len(found) != len(wanted):
        return f"{len(found)} bytes instead of {len(wanted)}"
    place = next(index for index in range(len(wanted)) if found[index] != wanted[index])
    end = len(wanted)
    while found[end - 1] == wanted[end - 1]:
        end -= 1
    return f"differs from {place} to {end - 1}: {found[place : place + 16].hex()} instead of {wanted[place : place + 16].hex()}"


def read_whole(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
