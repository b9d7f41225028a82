# SPDX-License-Identifier: GPL-2.0-only
"""The structures of a volume, read and written below every driver: for making what no driver makes.

Trusts the volume (it is one that mkntfs made) and knows only what the tests change.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

STANDARD_INFORMATION, ATTRIBUTE_LIST, FILE_NAME, VOLUME_INFORMATION, DATA = 0x10, 0x20, 0x30, 0x70, 0x80
INDEX_ROOT, INDEX_ALLOCATION, BITMAP, REPARSE_POINT = 0x90, 0xA0, 0xB0, 0xC0
END = 0xFFFFFFFF


@dataclass
class Attribute:
    """An attribute record at `at` in its MFT record."""

    at: int
    type: int
    length: int
    resident: bool
    name: str
    lowest_vcn: int = 0
    pairs: int = 0
    value: int = 0
    value_length: int = 0


@dataclass(frozen=True)
class Run:
    """`length` clusters from `lcn`; no `lcn`: a hole."""

    length: int
    lcn: int | None


def decode_runs(pairs: bytes) -> list[Run]:
    """Mapping pairs to runs."""
    runs, at, lcn = [], 0, 0
    while at < len(pairs) and pairs[at]:
        length_size, offset_size = pairs[at] & 15, pairs[at] >> 4
        length = int.from_bytes(pairs[at + 1 : at + 1 + length_size], "little")
        offset = pairs[at + 1 + length_size : at + 1 + length_size + offset_size]
        if offset_size:
            lcn += int.from_bytes(offset, "little", signed=True)
        runs.append(Run(length, lcn if offset_size else None))
        at += 1 + length_size + offset_size
    return runs


def undo_fixup(buffer: bytes) -> bytearray:
    """A multi-sector record with its last words put back."""
    record = bytearray(buffer)
    offset, count = struct.unpack_from("<HH", record, 4)
    for index in range(1, count):
        end = index * 512
        record[end - 2 : end] = record[offset + 2 * index : offset + 2 * index + 2]
    return record


def redo_fixup(record: bytes, header: bytes | None = None) -> bytearray:
    """The inverse: the record as it stands on the disk. `header` says where its update sequence is when the
    record's own has been damaged."""
    buffer = bytearray(record)
    offset, count = struct.unpack_from("<HH", header or buffer, 4)
    for index in range(1, count):
        end = index * 512
        buffer[offset + 2 * index : offset + 2 * index + 2] = buffer[end - 2 : end]
        buffer[end - 2 : end] = buffer[offset : offset + 2]
    return buffer


def attributes(record: bytes) -> Iterator[Attribute]:
    """The attributes of a record whose fixups are undone."""
    at = struct.unpack_from("<H", record, 20)[0]
    while at + 16 <= len(record):
        kind, length = struct.unpack_from("<II", record, at)
        if kind == END or length < 16 or at + length > len(record):
            return
        nonresident, name_length, name_offset = struct.unpack_from("<BBH", record, at + 8)
        name = record[at + name_offset : at + name_offset + 2 * name_length].decode("utf-16-le", "replace")
        attribute = Attribute(at, kind, length, not nonresident, name)
        if nonresident:
            attribute.lowest_vcn = struct.unpack_from("<Q", record, at + 16)[0]
            attribute.pairs = at + struct.unpack_from("<H", record, at + 32)[0]
        else:
            attribute.value_length, offset = struct.unpack_from("<IH", record, at + 16)
            attribute.value = at + offset
        yield attribute
        at += length


class RawVolume:
    """An open image. `writable` for those that change it."""

    def __init__(self, path: str, writable: bool = False) -> None:
        self.fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        boot = os.pread(self.fd, 512, 0)
        assert boot[3:7] == b"NTFS", f"{path} holds no NTFS"
        self.sector = struct.unpack_from("<H", boot, 11)[0]
        per_cluster = boot[13]
        self.cluster = self.sector * (per_cluster if per_cluster <= 0x80 else 1 << (256 - per_cluster))
        self.sectors, self.mft_lcn, self.mirror_lcn = struct.unpack_from("<QQQ", boot, 40)
        self.record_size = self._coded(boot[64])
        self.block_size = self._coded(boot[68])
        self.mft = self._mft_runs()

    def _coded(self, byte: int) -> int:
        return 1 << (256 - byte) if byte > 127 else byte * self.cluster

    def _mft_runs(self) -> list[Run]:
        record = undo_fixup(os.pread(self.fd, self.record_size, self.mft_lcn * self.cluster))
        return next(self.runs(record, a) for a in attributes(record) if a.type == DATA and not a.resident)

    def close(self) -> None:
        os.close(self.fd)

    def runs(self, record: bytes, attribute: Attribute) -> list[Run]:
        """The runs of this extent of an attribute."""
        return decode_runs(record[attribute.pairs : attribute.at + attribute.length])

    def record_place(self, number: int) -> int | None:
        """The byte offset of an MFT record; None beyond the first extent of $MFT."""
        return self.place(self.mft, number * self.record_size)

    def place(self, runs: list[Run], offset: int) -> int | None:
        """The byte on the volume of a byte in an attribute."""
        for run in runs:
            if offset < run.length * self.cluster:
                return None if run.lcn is None else run.lcn * self.cluster + offset
            offset -= run.length * self.cluster
        return None

    def record_count(self) -> int:
        """How many records the first extent of $MFT has room for."""
        return sum(run.length for run in self.mft) * self.cluster // self.record_size

    def read_record(self, number: int) -> bytearray | None:
        """A record with its fixups undone; None when there is none."""
        place = self.record_place(number)
        if place is None:
            return None
        raw = os.pread(self.fd, self.record_size, place)
        return undo_fixup(raw) if raw[:4] == b"FILE" else None

    def write_record(self, number: int, record: bytes) -> None:
        """Puts a record back, fixups done."""
        place = self.record_place(number)
        assert place is not None
        os.pwrite(self.fd, redo_fixup(record), place)

    def listed_sizes(self, folder: int, name: str) -> tuple[int, int] | None:
        """Allocated and data size of a file as the entry of its folder has them; None when there is none."""
        record = self.read_record(folder)
        assert record is not None
        nodes = []
        for attribute in attributes(record):
            if attribute.type == INDEX_ROOT:
                nodes.append(bytes(record[attribute.value : attribute.value + attribute.value_length]))
            elif attribute.type == INDEX_ALLOCATION:
                for run in self.runs(record, attribute):
                    assert run.lcn is not None
                    raw = os.pread(self.fd, run.length * self.cluster, run.lcn * self.cluster)
                    blocks = (raw[at : at + self.block_size] for at in range(0, len(raw), self.block_size))
                    nodes += [bytes(undo_fixup(block)) for block in blocks if block[:4] == b"INDX"]
        # $FILE_NAME: a byte of the length and one of the namespace, and then the name.
        units = name.encode("utf-16-le")
        for node in nodes:
            at = node.find(units)
            while at >= 66:
                if node[at - 2] == len(name):
                    return struct.unpack_from("<QQ", node, at - 66 + 40)
                at = node.find(units, at + 1)
        return None

    def shorten_initialized(self, number: int, initialized: int) -> bool:
        """Sets the initialized size of a file's unnamed data: what is behind it must read as zeros."""
        record = self.read_record(number)
        assert record is not None
        for attribute in attributes(record):
            if attribute.type == DATA and not attribute.name and not attribute.resident and attribute.lowest_vcn == 0:
                struct.pack_into("<Q", record, attribute.at + 56, initialized)
                self.write_record(number, record)
                return True
        return False

    def mark_dirty(self) -> None:
        """Sets the dirty flag of the volume, in the copy of the record too."""
        record = self.read_record(3)
        assert record is not None
        information = next(attribute for attribute in attributes(record) if attribute.type == VOLUME_INFORMATION)
        record[information.value + 10] |= 1
        self.write_record(3, record)
        os.pwrite(self.fd, redo_fixup(record), self.mirror_lcn * self.cluster + 3 * self.record_size)
