# SPDX-License-Identifier: GPL-2.0-only
"""The volume below its files: geometry, reading by runs, fixups, both boot sectors."""

from __future__ import annotations

import os
import struct

from dissect.ntfs import NTFS
from dissect.util.stream import AlignedStream

from .layout import DATA, MULTI_SECTOR

# (first cluster, None for a hole; how many)
Run = tuple[int | None, int]
STRIDE = 512
PIECE = 4 << 20


class Window(AlignedStream):
    """The part of a file or device that is the volume, as dissect wants it."""

    def __init__(self, fd: int, offset: int, size: int) -> None:
        super().__init__(size)
        self.fd, self.offset = fd, offset

    def _read(self, offset: int, length: int) -> bytes:
        return os.pread(self.fd, length, self.offset + offset)


class Disk:
    """An open volume at `offset` of a file or device, and the whole of its $MFT."""

    def __init__(self, path: str, offset: int = 0) -> None:
        self.fd = os.open(path, os.O_RDONLY)
        self.offset = offset
        self.foreign = NTFS(Window(self.fd, offset, os.lseek(self.fd, 0, os.SEEK_END) - offset))
        boot = self.foreign.boot_sector
        self.sector, self.cluster = self.foreign.sector_size, self.foreign.cluster_size
        self.record_size = self.foreign._record_size
        coded = boot.ClustersPerIndexBuffer
        self.block_size = coded * self.cluster if coded > 0 else 1 << -coded
        self.sectors = boot.NumberSectors
        self.clusters = self.sectors * self.sector // self.cluster
        table = self.foreign.mft.get(0).attributes.find("", DATA)
        self.table_runs: list[Run] = table.dataruns()
        self.table = self.read_runs(self.table_runs, table.size())

    def close(self) -> None:
        os.close(self.fd)

    def read(self, place: int, length: int) -> bytes:
        """Bytes of the volume; shorter where it ends."""
        return os.pread(self.fd, length, self.offset + place)

    def read_runs(self, runs: list[Run], size: int) -> bytes:
        """The first `size` bytes of what lies in these runs, read in big pieces."""
        pieces, left = [], size
        for lcn, count in runs:
            place, length = 0, min(count * self.cluster, left)
            left -= length
            if lcn is None:
                pieces.append(bytes(length))
                continue
            while place < length:
                piece = self.read(lcn * self.cluster + place, min(PIECE, length - place))
                if not piece:
                    pieces.append(bytes(length - place))
                    break
                pieces.append(piece)
                place += len(piece)
        return b"".join(pieces)


def unfixed(raw: bytes) -> bytes | str:
    """A record or block with its last words put back, or what is wrong with its update sequence."""
    offset, count = MULTI_SECTOR.unpack_from(raw)
    if count != len(raw) // STRIDE + 1 or offset & 1 or offset + 2 * count > STRIDE - 2:
        return f"update sequence of {count} words at {offset}"
    words = raw[offset : offset + 2 * count]
    record, check = bytearray(raw), words[:2]
    for index in range(1, count):
        end = index * STRIDE
        if record[end - 2 : end] != check:
            return f"sector {index - 1} was not written with the others"
        record[end - 2 : end] = words[2 * index : 2 * index + 2]
    return bytes(record)


def boot_sectors(disk: Disk) -> list[str]:
    """The second boot sector, behind the last cluster, is as the first."""
    first, second = disk.read(0, 512), disk.read(disk.sectors * disk.sector, 512)
    complaints = []
    if struct.unpack_from("<H", first, 510)[0] != 0xAA55:
        complaints.append("boot sector: no end mark 0xaa55")
    if len(second) < 512:
        complaints.append("backup boot sector: beyond the end of the disk")
    elif first != second:
        complaints.append("backup boot sector: differs from the first")
    return complaints
