# SPDX-License-Identifier: GPL-2.0-only
"""What makes records grow: hard links, streams, extended attributes; with them attribute lists and extension records."""

from __future__ import annotations

import os

from .content import content, write


def fill(root: str, scale: int) -> None:
    for count in {1: (2, 12), 2: (2, 100), 3: (2, 100, 1024)}[min(scale, 3)]:
        folder = f"{root}/{count} links"
        os.mkdir(folder)
        first = f"{folder}/name 0000"
        write(first, 1000 + count)
        for index in range(1, count):
            os.link(first, f"{folder}/name {index:04d}{' longer' * (index % 5)}")
    twin = f"{root}/a long name with a short twin.text"
    write(twin, 33)
    os.setxattr(twin, "system.ntfs_dos_name", b"ALONGN~1.TEX")
    os.mkdir(f"{root}/links into")
    os.link(f"{root}/2 links/name 0000", f"{root}/links into/another folder")

    for count in {1: (1, 10), 2: (1, 100), 3: (1, 100, 1000)}[min(scale, 3)]:
        path = f"{root}/{count} streams"
        write(path, 300 + count)
        for index in range(count):
            os.setxattr(path, f"user.stream {index:03d}", content(f"{count}/{index}", 20 + index % 700))
    write(f"{root}/long streams", 5000)
    os.setxattr(f"{root}/long streams", "user.one", content("one", 9000))
    os.setxattr(f"{root}/long streams", "user.two", content("two", 40000))
    os.mkdir(f"{root}/folder with a stream")
    os.setxattr(f"{root}/folder with a stream", "user.on a folder", b"x" * 600)

    # The unnamed data moves to an extension record when names and streams crowd the base record.
    crowded = f"{root}/crowded"
    write(crowded, 20_000)
    for index in range(20):
        os.link(crowded, f"{root}/crowded link {index} {'with a long name ' * 8}")
        os.setxattr(crowded, f"user.{index}", content(f"crowded{index}", 90))
    fd = os.open(crowded, os.O_WRONLY)
    os.pwrite(fd, content("crowded end", 70_000), 200_000)
    os.close(fd)
    # A folder whose $INDEX_ALLOCATION lives in an extension record.
    folder = f"{root}/folder of many streams"
    os.mkdir(folder)
    for index in range(60 if scale > 1 else 20):
        os.setxattr(folder, f"user.{index}", content(f"folder{index}", 60))
    for index in range(150 if scale > 1 else 40):
        write(f"{folder}/file {index} of this folder", index)


def fragment_mft(root: str, files: int) -> None:
    """Leaves only single free clusters on the volume, then makes records until $MFT has used them.

    The volume is filled up, every other file is deleted, and new records have nowhere else to go.
    """
    cluster = os.statvfs(root).f_frsize
    os.mkdir(f"{root}/stay")
    os.mkdir(f"{root}/go")
    count = 0
    try:
        for count in range(files):
            write(f"{root}/{'stay' if count % 2 else 'go'}/{count:06d}", max(cluster, 1024))
    except OSError:
        pass
    for name in os.listdir(f"{root}/go"):
        os.unlink(f"{root}/go/{name}")
    os.mkdir(f"{root}/new")
    try:
        for index in range(count * 2):
            # Resident data: only the record itself takes room.
            write(f"{root}/new/{index:06d}", 200)
    except OSError:
        pass
    # Room for whatever comes after us.
    for name in sorted(os.listdir(f"{root}/stay"))[:40]:
        os.unlink(f"{root}/stay/{name}")
