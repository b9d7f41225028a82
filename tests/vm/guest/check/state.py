# SPDX-License-Identifier: GPL-2.0-only
"""What the volume says of itself: version and dirty flag, the log's state, the mirror of $MFT, the table of upper case."""

from __future__ import annotations

import struct

from . import layout
from .disk import Disk, unfixed
from .files import File

DIRTY = 1
MIRRORED = 4
NO_CLIENT = 0xFFFF
CLEAN = 2
PAGE = 4096


def check_flags(files: list[File], complaints: list[str]) -> None:
    """No flag of $Volume asks for a repair."""
    volume = next((file for file in files if file.number == 3), None)
    stream = volume.stream(layout.VOLUME_INFORMATION) if volume else None
    if stream is None or len(stream.first.value) < 12:
        complaints.append("$Volume: no information")
        return
    (flags,) = struct.unpack_from("<H", stream.first.value, 10)
    if flags & DIRTY:
        complaints.append(f"$Volume: marked as dirty (flags {flags:#x})")


def check_log(disk: Disk, files: list[File], complaints: list[str]) -> None:
    """$LogFile is empty, or one of its restart pages tells of a clean unmount."""
    stream = next((file.stream(layout.DATA) for file in files if file.number == 2), None)
    if stream is None or not stream.whole:
        complaints.append("$LogFile: no log")
        return
    head = disk.read_runs(stream.runs, min(stream.size, 2 * PAGE))
    # Windows' own formatting fills less than the whole.
    if head.count(b"\xff") == len(head):
        return
    states = []
    for place in (0, PAGE):
        page = head[place : place + PAGE]
        if page[:4] != b"RSTR":
            continue
        (area,) = struct.unpack_from("<H", page, 24)
        newest, _, _, in_use, flags = struct.unpack_from("<QHHHH", page, area)
        states.append((newest, in_use == NO_CLIENT or bool(flags & CLEAN)))
    if not states:
        complaints.append("$LogFile: neither empty nor with a restart page")
    elif not max(states)[1]:
        complaints.append("$LogFile: not clean")


def check_mirror(disk: Disk, files: list[File], complaints: list[str]) -> None:
    """The first records of $MFT are in $MFTMirr as well."""
    stream = next((file.stream(layout.DATA) for file in files if file.number == 1), None)
    size = disk.record_size
    if stream is None or not stream.runs or stream.size < MIRRORED * size:
        complaints.append("$MFTMirr: holds no four records")
        return
    if stream.runs[0][0] != disk.foreign.boot_sector.Mft2StartLcn:
        complaints.append("$MFTMirr: is not where the boot sector says")
    mirror = stream.read(disk)
    for number in range(MIRRORED):
        here, there = (whole[number * size : (number + 1) * size] for whole in (disk.table, mirror))
        if unfixed(here) != unfixed(there):
            complaints.append(f"$MFTMirr: record {number} differs")


def upper_of(disk: Disk, complaints: list[str]) -> list[int]:
    """$UpCase, read by dissect; its beginning is the same on every volume."""
    plain = list(range(0x10000))
    try:
        table = disk.foreign.mft.get(10).open().read()
    except Exception as error:
        complaints.append(f"$UpCase: {error}")
        return plain
    if len(table) != 0x20000:
        complaints.append(f"$UpCase: {len(table)} bytes")
        return plain
    upper = list(struct.unpack("<65536H", table))
    for unit in range(0x80):
        if upper[unit] != ord(chr(unit).upper()):
            complaints.append(f"$UpCase: makes {upper[unit]:#x} of {unit:#x}")
    return upper
