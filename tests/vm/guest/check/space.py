# SPDX-License-Identifier: GPL-2.0-only
"""Clusters and records that are in use, against the bitmaps that say so."""

from __future__ import annotations

from collections.abc import Iterator

from . import layout
from .disk import Disk
from .files import File
from .records import RESERVED, Table

CHUNK = 4096


def set_bits(bitmap: bytearray, first: int, count: int) -> None:
    """Sets `count` bits from `first` on."""
    end = first + count
    while first < end and first & 7:
        bitmap[first >> 3] |= 1 << (first & 7)
        first += 1
    whole = (end - first) >> 3
    bitmap[first >> 3 : (first >> 3) + whole] = b"\xff" * whole
    for bit in range(first + 8 * whole, end):
        bitmap[bit >> 3] |= 1 << (bit & 7)


def ranges(bits: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, last) of those that follow each other."""
    first = last = None
    for bit in bits:
        if last is not None and bit == last + 1:
            last = bit
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = bit
    if first is not None and last is not None:
        yield first, last


def only_in(one: bytes, other: bytes, count: int) -> Iterator[int]:
    """The bits below `count` that are set in `one` and not in `other`."""
    for start in range(0, len(one), CHUNK):
        left, right = one[start : start + CHUNK], other[start : start + CHUNK]
        if left == right:
            continue
        for index, (mine, theirs) in enumerate(zip(left, right[: len(left)].ljust(len(left), b"\0"), strict=True)):
            more = mine & ~theirs
            if more:
                for bit in range(8):
                    number = (start + index) * 8 + bit
                    if more >> bit & 1 and number < count:
                        yield number


def owners(files: list[File], disk: Disk) -> list[tuple[int, int, File, str]]:
    """(first cluster, behind the last, file, attribute) of every run, ascending."""
    taken = []
    for file in files:
        for stream in file.streams.values():
            for lcn, count in stream.runs:
                if lcn is not None and lcn < disk.clusters:
                    taken.append((lcn, min(lcn + count, disk.clusters), file, stream.first.title()))
    taken.sort(key=lambda one: one[:2])
    return taken


def check_clusters(disk: Disk, files: list[File], complaints: list[str]) -> None:
    """Each cluster belongs to one run at most, and $Bitmap marks those and no others."""
    used = bytearray((disk.clusters + 7) // 8)
    end, owner = 0, ""
    for lcn, behind, file, title in owners(files, disk):
        if lcn < end:
            file.complain(f"{title}: clusters {lcn} to {min(end, behind) - 1} belong to {owner} too")
        set_bits(used, lcn, behind - lcn)
        if behind > end:
            end, owner = behind, f"record {file.number}, {title}"
    stream = next((file.stream(layout.DATA) for file in files if file.number == 6), None)
    if stream is None or not stream.whole:
        complaints.append("$Bitmap: no bitmap")
        return
    marked = stream.read(disk)
    if len(marked) * 8 < disk.clusters:
        complaints.append(f"$Bitmap: {len(marked)} bytes for {disk.clusters} clusters")
    for first, last in ranges(only_in(bytes(used), marked, disk.clusters)):
        complaints.append(f"$Bitmap: clusters {first} to {last} are in use and marked as free")
    for first, last in ranges(only_in(marked, bytes(used), disk.clusters)):
        complaints.append(f"$Bitmap: clusters {first} to {last} are marked and belong to nothing")
    behind = [bit for bit in range(disk.clusters, len(marked) * 8) if not marked[bit >> 3] >> (bit & 7) & 1]
    if behind:
        complaints.append(f"$Bitmap: bit {behind[0]} is clear, behind the {disk.clusters} clusters of the volume")


def check_records(disk: Disk, table: Table, files: list[File], complaints: list[str]) -> None:
    """$MFT's own bitmap against the flags in the records."""
    stream = next((file.stream(layout.BITMAP) for file in files if file.number == 0), None)
    if stream is None or not stream.whole:
        complaints.append("$MFT: no bitmap")
        return
    marked = stream.read(disk)
    if len(marked) * 8 < table.count:
        complaints.append(f"$MFT: a bitmap of {len(marked)} bytes for {table.count} records")
    used = bytearray((table.count + 7) // 8)
    for number in table.used:
        used[number >> 3] |= 1 << (number & 7)
    for number in only_in(bytes(used), marked, table.count):
        complaints.append(f"record {number}: in use, and $MFT's bitmap says that it is free")
    for number in only_in(marked, bytes(used), len(marked) * 8):
        if number not in RESERVED:
            complaints.append(f"record {number}: free or beyond $MFT's end, and its bitmap says that it is in use")
