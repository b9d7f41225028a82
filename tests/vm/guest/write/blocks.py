# SPDX-License-Identifier: GPL-2.0-only
"""A block of the device that cannot be written for a while, in the middle of a cluster of which a part is initialized."""

from __future__ import annotations

import errno
import os

from .. import syscalls, volume
from ..case import Report, expect_error
from ..jobs.devices import mapped, switch
from .defects import opened, path_of
from .ground import STALE, Ground, differs, read_whole
from .promises import copy_of

BLOCK, SECTOR = 4096, 512
NAME = "plain 4096"
# What is there before, within the second block of the first cluster, and what is written then.
OLD, END = 4196, 4 * BLOCK


def content(image: str) -> bytes:
    with volume.ntfs3g(image, readonly=True) as root:
        return read_whole(path_of(root, NAME))


def run(report: Report, ground: Ground) -> None:
    linear = "0 {size} linear {device} 0"
    old, new = b"o" * OLD, b"n" * (END - OLD)
    with volume.loop(ground.image, sector=ground.sector, writable=True) as device, mapped("blocks", device, linear) as path:
        with volume.mounted(ground.fstype, path, flags=0, at="/mnt/written") as root, opened(path_of(root, NAME)) as fd:
            os.pwrite(fd, old, 0)
            syscalls.fallocate(fd, 1, 0, ground.cluster)
            os.fsync(fd)
            start = syscalls.fiemap(fd)[0].physical
            bad = (start + 2 * BLOCK) // SECTOR
            count = BLOCK // SECTOR
            behind = bad + count
            # Of whoever had the cluster before.
            with open(ground.image, "r+b") as image:
                image.seek(start + 2 * BLOCK)
                image.write((STALE * BLOCK)[: 2 * BLOCK])
            switch(
                "blocks", device,
                f"0 {bad} linear {{device}} 0\n{bad} {count} error\n{behind} " + str(int(volume.run("blockdev", "--getsz", device)) - behind)
                + f" linear {{device}} {behind}",
            )  # fmt: skip
            with report.case("a block that cannot be written is an error of fsync, each time"):
                os.pwrite(fd, new, OLD)
                for _ in range(2):
                    expect_error(errno.EIO, os.fsync, fd)
            switch("blocks", device, linear)
            volume.drop_caches()
            with report.case("what is in its place is not read, and what was there before is"):
                for at in (BLOCK, 2 * BLOCK, 2 * BLOCK + 1, END - 1):
                    expect_error(errno.EIO, os.pread, fd, 1, at)
                assert os.pread(fd, BLOCK, 0) == old[:BLOCK]
            with report.case("nor is it mixed with what is written to a part of the block"):
                expect_error(errno.EIO, os.pwrite, fd, b"part", 2 * BLOCK + 100)
            with report.case("the device has the end that was durable"), copy_of(ground) as copy:
                found = content(copy.image)
                assert found[:OLD] == old and not found[OLD:].strip(b"\0"), differs(found, old)
            with report.case("what is written again is there, and durable"):
                whole = old[BLOCK:] + new
                os.pwrite(fd, whole, BLOCK)
                os.fsync(fd)
                volume.drop_caches()
                assert os.pread(fd, END, 0) == old + new
                with copy_of(ground) as copy:
                    assert content(copy.image) == old + new
    ground.contents[NAME] = old + new
