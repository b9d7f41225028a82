# SPDX-License-Identifier: GPL-2.0-only
"""After every run, when the volume is unmounted: three checkers, then every byte by every other implementation."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from .. import volume
from ..case import Report
from ..check import check
from .ground import FOLDER, Ground, differs, read_whole

NTFSCK = "/opt/ntfsprogs-plus/usr/sbin/ntfsck"


def checkers(report: Report, ground: Ground) -> None:
    """ntfsck, ntfsfix and our own."""
    with volume.loop(ground.image, sector=ground.sector) as device:
        for name, command in (("ntfsck", [NTFSCK, "-n", device]), ("ntfsfix", ["ntfsfix", "-n", device])):
            with report.case(f"{name} finds nothing"):
                try:
                    volume.run(*command)
                except RuntimeError as error:
                    lines = [line for line in re.split(r"[\r\n]+", str(error)) if "percent" not in line]
                    raise AssertionError("\n".join(lines[:1] + lines[-14:])) from None
        complaints = check(device)
        stale = [line for line in complaints if " has times " in line]
        report.check("the checker finds nothing", [line for line in complaints if line not in stale])
        report.check("the times in the folders are those of the files", stale)


def compare(ground: Ground, root: str, fstype: str = "") -> list[str]:
    """What is otherwise than it was written."""
    problems = []
    for name, wanted in ground.contents.items():
        path = f"{root}/{FOLDER}/{name}"
        try:
            size, found = os.stat(path).st_size, read_whole(path)
        except OSError as error:
            # The kernel's ntfs opens no sparse file on such clusters, whoever wrote it.
            if fstype == "ntfs" and ground.cluster > 4096 and error.errno == errno.EOPNOTSUPP:
                continue
            problems.append(f"{name!r}: {error}")
            continue
        if size != len(wanted):
            problems.append(f"{name!r}: size {size} instead of {len(wanted)}")
        problem = differs(found, wanted)
        if problem:
            problems.append(f"{name!r}: {problem}")
    return problems + compare_streams(ground, root, fstype)


def compare_streams(ground: Ground, root: str, fstype: str) -> list[str]:
    """The same of named streams: ntfs3 opens those of files, others have them as extended attributes."""
    problems = []
    if fstype == "ntfs":
        return problems
    for name, wanted in ground.streams.items():
        path = f"{root}/{FOLDER}/{name}".rstrip("/")
        if fstype == "ntfs3":
            found = {stream: read_whole(f"{path}:{stream}") for stream in wanted if name}
            wanted = wanted if name else {}
        else:
            found = {stream[5:]: os.getxattr(path, stream) for stream in os.listxattr(path) if stream.startswith("user.")}
        if set(found) != set(wanted):
            problems.append(f"{name!r}: {len(found)} streams instead of {len(wanted)}: {sorted(set(found) ^ set(wanted))[:4]}")
        problems += [f"{name!r}:{stream!r}: {problem}" for stream in wanted if (problem := differs(found.get(stream, b""), wanted[stream]))]
    return problems


def readers(report: Report, ground: Ground, fstypes: list[str]) -> None:
    """The driver itself from scratch, other drivers of this kernel, and ntfs-3g, all read-only."""
    with volume.loop(ground.image, sector=ground.sector) as device:
        for fstype in [ground.fstype, *fstypes]:
            with report.case(f"{fstype} reads what was written"), loaded(fstype, fstype != ground.fstype):
                with volume.mounted(fstype, device, at="/mnt/reader") as root:
                    problems = compare(ground, root, fstype)
                assert not problems, "\n".join(problems[:8])
        with report.case("ntfs-3g reads what was written"):
            with volume.ntfs3g(device, readonly=True) as root:
                problems = compare(ground, root)
            assert not problems, "\n".join(problems[:8])


@contextlib.contextmanager
def loaded(fstype: str, needed: bool) -> Iterator[None]:
    """A driver for the time of the block: those of the kernel name a cache alike, so that two at once give a warning."""
    if needed:
        volume.run("modprobe", fstype)
    try:
        yield
    finally:
        if needed:
            volume.run("rmmod", fstype)


def run(report: Report, ground: Ground, fstypes: list[str]) -> None:
    checkers(report, ground)
    readers(report, ground, fstypes)
