# SPDX-License-Identifier: GPL-2.0-only
"""Devices that do not fit the volume: too short, with bigger sectors, with a bad first or last sector."""

from __future__ import annotations

import errno
import os

from .. import volume, walk
from ..case import Report
from ..ntfs_raw import RawVolume
from .ground import Ground


def listed(ground: Ground, device: str) -> int:
    """How many names a walk finds, contents read."""
    with volume.mounted(ground.fstype, device, at="/mnt/geometry") as root:
        listing = walk.walk(root)
        assert not listing.errors and not [e for e in listing.entries.values() if e.error], listing.errors
        return len(listing.entries)


def run(report: Report, ground: Ground) -> None:
    with ground.copy() as image:
        raw = RawVolume(image, writable=True)
        total = raw.sectors * raw.sector
        with volume.loop(image) as device:
            want = listed(ground, device)
        with report.case("a volume longer than its device is refused, with the two sizes in the log"):
            for size in (total - 4096, total // 2, 1 << 20):
                with volume.loop(image, size=size) as device:
                    status, lines = ground.refused(device)
                    assert status in (errno.EINVAL, errno.EUCLEAN, errno.EIO), errno.errorcode.get(status, status)
                    assert lines, "nothing in the log"
        with report.case("a volume exactly as long as its device, without its last sector, is mounted"):
            with volume.loop(image, size=total) as device:
                assert listed(ground, device) == want
        with report.case("a volume of 512-byte sectors on a device of 4096-byte sectors is read"):
            with volume.loop(image, sector=4096) as device:
                assert listed(ground, device) == want
        first = os.pread(raw.fd, 512, 0)
        for words, broken in (
            ("zeroed", bytes(512)),
            ("random", os.urandom(512)),
            ("without its name", first[:3] + b"XXXX    " + first[11:]),
        ):
            with report.case(f"with the boot sector {words}, the backup at the end is used and the log says so"):
                os.pwrite(raw.fd, broken, 0)
                os.fsync(raw.fd)
                with volume.loop(image) as device:
                    ground.log.new()
                    assert listed(ground, device) == want
                    said = [line for line in ground.log.new() if ground.fstype in line]
                    assert any("backup" in line.lower() or "boot" in line.lower() for line in said), said
        with report.case("with both boot sectors bad the volume is refused"):
            last = os.fstat(raw.fd).st_size - 512
            second = os.pread(raw.fd, 512, total)
            os.pwrite(raw.fd, bytes(512), total)
            os.pwrite(raw.fd, bytes(512), last)
            with volume.loop(image) as device:
                status, lines = ground.refused(device)
                assert status == errno.EINVAL and lines, (errno.errorcode.get(status, status), lines)
            os.pwrite(raw.fd, second, total)
        os.pwrite(raw.fd, first, 0)
        raw.close()
    with report.case("a device without NTFS is EINVAL, with a line that says so"):
        path = f"{ground.scratch}/zeros"
        with open(path, "wb") as file:
            file.truncate(8 << 20)
        with volume.loop(path) as device:
            status, lines = ground.refused(device)
            assert status == errno.EINVAL and lines, (errno.errorcode.get(status, status), lines)
        os.unlink(path)
    for size in (0, 512, 1024, 4096, 65536):
        with report.case(f"a device of {size} bytes is refused"):
            path = f"{ground.scratch}/short"
            with open(path, "wb") as file:
                file.write((first + bytes(65536))[:size])
            with volume.loop(path) as device:
                status, _lines = ground.refused(device)
                assert status in (errno.EINVAL, errno.EIO, errno.EUCLEAN), errno.errorcode.get(status, status)
            os.unlink(path)
