# SPDX-License-Identifier: GPL-2.0-only
"""File data by every door: buffered, direct, mapped, spliced; and what a file says of its layout."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import struct

from .. import syscalls, volume
from ..case import Report, expect_error
from ..ntfs_raw import DATA, RawVolume
from ..ntfs_raw import attributes as attributes_of
from .ground import Ground

FILES = [
    "data/size 0", "data/size 1", "data/size 513", "data/size 680", "data/size 4096", "data/size 4097", "data/size 65537",
    "data/several MiB", "data/hole at the start", "data/hole in the middle", "data/hole at the end", "data/only a hole",
    "data/every other cluster", "data/not aligned", "data/many runs", "attributes/crowded",
]  # fmt: skip


def sparse_map(fd: int, size: int) -> list[tuple[int, int]]:
    """The ranges that SEEK_DATA and SEEK_HOLE call data."""
    ranges, at = [], 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        assert at > start, (start, at)
        ranges.append((start, at))
    return ranges


def direct(fd: int, size: int, piece: int) -> bytes:
    """The file by O_DIRECT in aligned pieces."""
    buffer = mmap.mmap(-1, piece)
    content = bytearray()
    while len(content) < size:
        count = os.preadv(fd, [buffer], len(content))
        assert count > 0, f"no data at {len(content)} of {size}"
        content += buffer[:count]
        if count % 4096:
            break
    return bytes(content)


def mapped(fd: int, size: int) -> bytes:
    """The file by mmap; the tail of the last page must be zeros."""
    if size == 0:
        return b""
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
        return bytes(view)


def spliced(fd: int, size: int) -> bytes:
    """The file through a pipe."""
    reader, writer = os.pipe()
    content = bytearray()
    try:
        while moved := os.splice(fd, writer, 1 << 16, offset_src=len(content)):
            content += os.read(reader, moved)
    finally:
        os.close(reader)
        os.close(writer)
    return bytes(content)


def sent(fd: int, size: int) -> bytes:
    """The file by sendfile to another file."""
    target = os.memfd_create("sent")
    try:
        at = 0
        while moved := os.sendfile(target, fd, at, 1 << 20):
            at += moved
        return os.pread(target, size + 1, 0)
    finally:
        os.close(target)


def run(report: Report, ground: Ground) -> None:
    with ground.mount() as root:
        for name in FILES:
            size = os.stat(f"{root}/{name}").st_size
            want = ground.oracle.entries[f"/{name}"].sha256
            fd = os.open(f"{root}/{name}", os.O_RDONLY)
            doors = {"mmap": mapped, "splice": spliced, "sendfile": sent}
            for door, read in doors.items():
                volume.drop_caches()
                with report.case(f"{name}: {door} reads the same bytes"):
                    assert hashlib.sha256(read(fd, size)).hexdigest() == want
            with report.case(f"{name}: a read at and beyond the end gives nothing"):
                assert os.pread(fd, 10, size) == b"" and os.pread(fd, 10, size + (1 << 33)) == b""
            os.close(fd)
            with report.case(f"{name}: O_DIRECT reads the same bytes, and the page cache does not mind"):
                fd = os.open(f"{root}/{name}", os.O_RDONLY | os.O_DIRECT)
                try:
                    for piece in (4096, 1 << 18):
                        assert hashlib.sha256(direct(fd, size, piece)[:size]).hexdigest() == want, f"pieces of {piece}"
                finally:
                    os.close(fd)
            with report.case(f"{name}: what SEEK_DATA leaves out is zeros, and SEEK_HOLE ends at the end"):
                fd = os.open(f"{root}/{name}", os.O_RDONLY)
                try:
                    content = os.pread(fd, size, 0)
                    ranges, rebuilt = sparse_map(fd, size), bytearray(size)
                    for start, end in ranges:
                        rebuilt[start:end] = content[start:end]
                    assert bytes(rebuilt) == content, ranges[:4]
                    expect_error(errno.ENXIO, os.lseek, fd, size, os.SEEK_DATA)
                    expect_error(errno.ENXIO, os.lseek, fd, size, os.SEEK_HOLE)
                finally:
                    os.close(fd)
        holes(report, root)
        layout(report, root, ground)
        huge(report, root)


def holes(report: Report, root: str) -> None:
    with report.case("a file that is only a hole has no data at all"):
        fd = os.open(f"{root}/data/only a hole", os.O_RDONLY)
        assert sparse_map(fd, os.fstat(fd).st_size) == [] and os.fstat(fd).st_blocks == 0, os.fstat(fd).st_blocks
        os.close(fd)
    with report.case("a file with holes takes less room than it is long"):
        info = os.stat(f"{root}/data/hole in the middle")
        assert 0 < info.st_blocks * 512 < info.st_size, (info.st_blocks, info.st_size)


def layout(report: Report, root: str, ground: Ground) -> None:
    raw = RawVolume(ground.image)
    for name in ("data/several MiB", "data/many runs", "data/every other cluster", "data/hole at the start", "data/size 65537"):
        number = os.stat(f"{root}/{name}").st_ino
        record = raw.read_record(number)
        assert record is not None
        extents = [a for a in attributes_of(record) if a.type == DATA and not a.name and not a.resident]
        fd = os.open(f"{root}/{name}", os.O_RDONLY)
        try:
            if extents:  # else the runs are in extension records, and content has been compared already
                runs = raw.runs(record, extents[0])
                with report.case(f"{name}: fiemap has the runs of the record"):
                    want, at = [], 0
                    for run_ in runs:
                        if run_.lcn is not None:
                            want.append((at, run_.lcn * raw.cluster, run_.length * raw.cluster))
                        at += run_.length * raw.cluster
                    for count in (512, 1):
                        got = [(e.logical, e.physical, e.length) for e in syscalls.fiemap(fd, count=count)]
                        assert merged(got) == merged(want), f"{merged(got)[:4]} instead of {merged(want)[:4]}"
                with report.case(f"{name}: FIBMAP agrees with fiemap"):
                    block = syscalls.block_size(fd)
                    for extent in syscalls.fiemap(fd)[:20]:
                        # What was never written has no block to read from.
                        written = not extent.flags & syscalls.FIEMAP_UNWRITTEN
                        got, want_block = syscalls.fibmap(fd, extent.logical // block), extent.physical // block * written
                        assert got == want_block, f"blocks of {block}: {got} instead of {want_block} for {extent}"
            with report.case(f"{name}: the last extent is marked as the last"):
                marks = [bool(e.flags & syscalls.FIEMAP_LAST) for e in syscalls.fiemap(fd)]
                assert not marks or (marks[-1] and not any(marks[:-1])), marks
        finally:
            os.close(fd)
    raw.close()
    with report.case("fiemap of a resident file says that it is inline"):
        fd = os.open(f"{root}/data/size 8", os.O_RDONLY)
        extents = syscalls.fiemap(fd)
        os.close(fd)
        assert len(extents) == 1 and extents[0].flags & syscalls.FIEMAP_INLINE, extents


def merged(extents: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Neighbours joined, since a driver may split or join them."""
    out: list[tuple[int, int, int]] = []
    for logical, physical, length in extents:
        if out and out[-1][0] + out[-1][2] == logical and out[-1][1] + out[-1][2] == physical:
            out[-1] = (out[-1][0], out[-1][1], out[-1][2] + length)
        else:
            out.append((logical, physical, length))
    return out


def huge(report: Report, root: str) -> None:
    for name, places in (("4 GiB and one", (0, (4 << 30) + 1 - 4096)), ("2 to the 40", (0, 1 << 39, (1 << 40) - 4096))):
        fd = os.open(f"{root}/data/{name}", os.O_RDONLY)
        size = os.fstat(fd).st_size
        with report.case(f"{name}: SEEK_DATA finds each piece that was written, and no more"):
            ranges = sparse_map(fd, size)
            assert len(ranges) <= len(places) + 1, ranges
            for place in places:
                assert any(start <= place and place + 4096 <= end for start, end in ranges), (place, ranges)
        with report.case(f"{name}: a read across a hole's edge has data on one side and zeros on the other"):
            place = places[1]
            if place % 4096 == 0:
                piece = os.pread(fd, 8192, place - 4096)
                assert piece[:4096] == bytes(4096) and piece[4096:].strip(b"\0"), struct.unpack_from("<4Q", piece, 4080)
        os.close(fd)
