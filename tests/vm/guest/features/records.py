# SPDX-License-Identifier: GPL-2.0-only
"""A volume whose $MFT has very many records: mounting it reads no more than mounting one with a few, and takes no longer.

The records are put there below every driver, as they are after so many files were made and deleted: sound, and free.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator

from .. import syscalls, volume
from ..case import Report
from ..ntfs_raw import BITMAP, DATA, INDEX_ALLOCATION, RawVolume, Run, attributes, redo_fixup, undo_fixup
from .ground import Ground

MFT, CLUSTERS, ROOT = 0, 6, 5
# What a mount under emulation may take, whatever the volume.
SECONDS = 2.0
MOUNTS = 5


def encode_runs(runs: list[Run]) -> bytes:
    """Mapping pairs of runs that are no holes, all less than 2^39 clusters."""
    out, last = bytearray(), 0
    for run in runs:
        assert run.lcn is not None
        length = run.length.to_bytes(8, "little").rstrip(b"\0")
        # The highest bit is a sign.
        length += b"\0" if length[-1] & 0x80 else b""
        out += bytes([0x50 | len(length)]) + length + (run.lcn - last).to_bytes(5, "little", signed=True)
        last = run.lcn
    return bytes(out + b"\0")


def free_record(number: int, size: int) -> bytes:
    """A record as deleting a file leaves it, at the least: a sequence number, and no attribute."""
    record = bytearray(size)
    count = size // 512 + 1
    first = -(-(48 + 2 * count) // 8) * 8
    struct.pack_into("<4sHHQHHHHIIQHHI", record, 0, b"FILE", 48, count, 0, 1, 0, first, 0, first + 8, size, 0, 0, 0, number)
    struct.pack_into("<H", record, 48, 1)
    struct.pack_into("<I", record, first, 0xFFFFFFFF)
    return bytes(redo_fixup(record))


def blocks(first: int, count: int, size: int) -> Iterator[bytes]:
    """Free records from a number on, a thousand at a time."""
    block = bytearray(free_record(0, size) * 1024)
    for start in range(first, first + count, 1024):
        now = min(1024, first + count - start)
        numbers = struct.pack("<1024I", *range(start, start + 1024))
        for byte in range(4):
            block[44 + byte :: size] = numbers[byte::4]
        yield bytes(block[: now * size])


def grow(image: str, count: int) -> int:
    """Gives $MFT `count` records in all, with clusters where nothing was; says how many of them are in use."""
    raw = RawVolume(image, writable=True)
    record = raw.read_record(MFT)
    assert record is not None
    data = next(a for a in attributes(record) if a.type == DATA)
    bitmap = next(a for a in attributes(record) if a.type == BITMAP)
    old, initialized = raw.record_count(), struct.unpack_from("<Q", record, data.at + 56)[0]
    behind = Run(-(-(count - old) * raw.record_size // raw.cluster), raw.sectors * raw.sector // raw.cluster // 3 * 2)
    total = old * raw.record_size + behind.length * raw.cluster
    count = total // raw.record_size
    # The bitmap of the records moves, with what it has.
    size = -(-count // 64) * 8
    moved = Run(-(-size // raw.cluster), (behind.lcn or 0) + behind.length)
    taken = raw.runs(record, bitmap)
    bits = b"".join(os.pread(raw.fd, run.length * raw.cluster, (run.lcn or 0) * raw.cluster) for run in taken)
    bits = bits[: struct.unpack_from("<Q", record, bitmap.at + 56)[0]]
    mark(raw, behind.lcn or 0, behind.length + moved.length, True)
    for run in taken:
        mark(raw, run.lcn or 0, run.length, False)
    os.pwrite(raw.fd, bits.ljust(moved.length * raw.cluster, b"\0"), (moved.lcn or 0) * raw.cluster)
    # The attribute behind the other first, since that gets longer.
    record = lengthened(record, bitmap.at, [moved], moved.length * raw.cluster, size)
    record = lengthened(record, data.at, [*raw.mft, behind], total, total)
    for number in range(initialized // raw.record_size, old):
        os.pwrite(raw.fd, free_record(number, raw.record_size), raw.record_place(number) or 0)
    at = (behind.lcn or 0) * raw.cluster
    for block in blocks(old, count - old, raw.record_size):
        at += os.pwrite(raw.fd, block, at)
    raw.write_record(MFT, record)
    os.pwrite(raw.fd, redo_fixup(record), raw.mirror_lcn * raw.cluster)
    list_size(raw, "$MFT", total)
    raw.close()
    return int.from_bytes(bits, "little").bit_count()


def lengthened(record: bytearray, at: int, runs: list[Run], allocated: int, size: int) -> bytearray:
    """The record with other runs and sizes of the attribute at `at`."""
    used, length = struct.unpack_from("<I", record, 24)[0], struct.unpack_from("<I", record, at + 4)[0]
    pairs = struct.unpack_from("<H", record, at + 32)[0]
    body = record[at : at + pairs] + encode_runs(runs)
    body += bytes(-len(body) % 8)
    struct.pack_into("<I", body, 4, len(body))
    struct.pack_into("<Q", body, 24, sum(run.length for run in runs) - 1)
    struct.pack_into("<QQQ", body, 40, allocated, size, size)
    changed = record[:at] + body + record[at + length : used]
    struct.pack_into("<I", changed, 24, len(changed))
    assert len(changed) <= len(record), "the record has no room"
    return changed.ljust(len(record), b"\0")


def mark(raw: RawVolume, first: int, count: int, taken: bool) -> None:
    """Sets or clears bits of $Bitmap, of which all are the other way."""
    record = raw.read_record(CLUSTERS)
    assert record is not None
    runs = raw.runs(record, next(a for a in attributes(record) if a.type == DATA))
    start, end = first // 8, (first + count + 7) // 8
    place, last = raw.place(runs, start), raw.place(runs, end)
    assert place is not None and last == place + end - start, "$Bitmap is in pieces there"
    number = int.from_bytes(os.pread(raw.fd, end - start, place), "little")
    bits = ((1 << count) - 1) << first % 8
    assert number & bits == (0 if taken else bits), "clusters are not as they should be"
    os.pwrite(raw.fd, (number ^ bits).to_bytes(end - start, "little"), place)


def list_size(raw: RawVolume, name: str, size: int) -> None:
    """Says in the root folder how long a file of the system is."""
    record = raw.read_record(ROOT)
    assert record is not None
    units = name.encode("utf-16-le")
    for run in raw.runs(record, next(a for a in attributes(record) if a.type == INDEX_ALLOCATION)):
        for place in range((run.lcn or 0) * raw.cluster, ((run.lcn or 0) + run.length) * raw.cluster, raw.block_size):
            block = undo_fixup(os.pread(raw.fd, raw.block_size, place))
            at = block.find(units)
            while block[:4] == b"INDX" and at >= 66:
                if block[at - 2] == len(name):
                    struct.pack_into("<QQ", block, at - 66 + 40, size, size)
                    os.pwrite(raw.fd, redo_fixup(block), place)
                    return
                at = block.find(units, at + 1)
    raise AssertionError(f"{name} is not listed")


def mounting(fstype: str, device: str) -> tuple[float, int]:
    """The best time in seconds of some mounts, and the bytes that the longest has read."""
    times, read = [], []
    os.makedirs("/mnt/records", exist_ok=True)
    for _ in range(MOUNTS):
        volume.drop_caches()
        before, start = volume.own_reads(), time.monotonic()
        syscalls.mount(device, "/mnt/records", fstype, syscalls.MS_RDONLY, "")
        times.append(time.monotonic() - start)
        read.append(volume.own_reads() - before)
        volume.unmount("/mnt/records")
    return min(times), max(read)


def run(report: Report, ground: Ground, image: str, count: int) -> None:
    """On a sound volume of some TiB, which gets that many records."""
    with volume.loop(image) as device:
        few, _ = mounting(ground.fstype, device)
    start = time.monotonic()
    used = grow(image, count)
    report.note(f"{count} records made in {time.monotonic() - start:.1f} s")
    with report.case(f"the volume is sound with {count} records, as ntfsfix, ntfsck and ntfs-3g have it"):
        volume.run("ntfsfix", "-n", image)
        volume.run("/opt/ntfsprogs-plus/usr/sbin/ntfsck", "-n", image, timeout=1800)
        with volume.ntfs3g(image, readonly=True) as root:
            free = os.statvfs(root).f_bfree
    with volume.loop(image) as device:
        many, read = mounting(ground.fstype, device)
        report.note(f"mounting takes {few:.3f} s with a few records, {many:.3f} s and {read} bytes with {count}")
        with report.case(f"mounting 4 TiB with {count} records reads less than a MiB"):
            assert 0 < read < volume.MOST_AT_MOUNT, read
        with report.case(f"mounting it takes less than {SECONDS:g} s, as with a few"):
            assert many < SECONDS, (few, many)
        with volume.mounted(ground.fstype, device) as root, report.case(f"df counts {count} records, and those in use, and free clusters as ntfs-3g"):
            ours = os.statvfs(root)
            assert ours.f_files >= count and ours.f_files - ours.f_ffree == used and ours.f_bfree == free, (ours, used, free)
