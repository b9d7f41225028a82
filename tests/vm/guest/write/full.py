# SPDX-License-Identifier: GPL-2.0-only
"""A volume that runs full: what was taken is kept, nothing else is touched, and all clusters come back."""

from __future__ import annotations

import errno
import os
import random

from .. import volume
from ..case import Report
from ..ntfs_raw import RawVolume, attributes
from .ground import FOLDER, Ground, differs, free_clusters, is_compressed, mixture, read_whole

PIECE = 192 << 10
LAST = 4096
# Clusters of a compression unit.
UNIT = 16


def fill(path: str, pool: bytes) -> tuple[bytes, str]:
    """Appends until there is no room, then in small pieces. Returns what the file holds, and what is wrong with that."""
    taken, problem = bytearray(read_whole(path)), ""
    fd = os.open(path, os.O_WRONLY)
    try:
        for length in (PIECE, LAST, 512):
            while True:
                try:
                    count = os.pwrite(fd, pool[len(taken) % 1000 :][:length], len(taken))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
                taken += pool[len(taken) % 1000 :][:count]
            size = os.fstat(fd).st_size
            if size != len(taken) and not problem:
                problem = f"after ENOSPC for a write of {length} bytes at {len(taken)} the size is {size}"
        os.fsync(fd)
    finally:
        os.close(fd)
    found = read_whole(path)
    return found, problem or differs(found, bytes(taken))


def run(report: Report, ground: Ground) -> None:
    """Fills through one file and then another, writes over what is there, empties them, and counts."""
    contents, pool = ground.contents, os.urandom(PIECE + 1000)
    first, second = (f"plain {size}" for size in (4096, 700))
    with ground.mount() as root:
        folder = f"{root}/{FOLDER}"
        with report.case("a full volume gives ENOSPC and keeps what it took"):
            for name in (first, second):
                os.truncate(f"{folder}/{name}", 0)
            os.sync()
            empty = free_clusters(root)
            assert empty > 100, f"{empty} free clusters to begin with"
            contents[first] = contents[second] = b""
            contents[first], problem = fill(f"{folder}/{first}", pool)
            left = free_clusters(root)
            contents[second], other = fill(f"{folder}/{second}", pool)
            assert not problem and not other, f"{problem}\n{other}"
        with report.case("ENOSPC comes when no cluster is free"):
            assert left < 10, f"{left} of {empty} clusters are free where writing gave ENOSPC"
        with report.case("a full volume takes what needs no cluster"):
            fd = os.open(f"{folder}/{first}", os.O_RDWR)
            try:
                over = pool[7 : 7 + PIECE]
                assert os.pwrite(fd, over, 5000) == len(over), "a short write over what is there"
                os.fsync(fd)
            finally:
                os.close(fd)
            contents[first] = contents[first][:5000] + over + contents[first][5000 + len(over) :]
    with ground.mount() as root:
        folder = f"{root}/{FOLDER}"
        with report.case("nothing was lost on the full volume"):
            problems = [f"{name!r}: {text}" for name, wanted in contents.items() if (text := differs(read_whole(f"{folder}/{name}"), wanted))]
            assert not problems, "\n".join(problems[:8])
        with report.case("all clusters come back when the files are emptied"):
            for name in (first, second):
                os.truncate(f"{folder}/{name}", 0)
                contents[name] = b""
            volume.drop_caches()
            now = free_clusters(root)
            assert now == empty, f"{now} free clusters instead of {empty}"
    with ground.mount() as root, report.case("and are free after a remount"):
        now = free_clusters(root)
        assert now == empty, f"{now} free clusters instead of {empty}"
    for name in sorted(name for name in contents if is_compressed(name)):
        units(report, ground, name)


def of_the_mft(image: str) -> int:
    """The clusters that `$MFT` has, with its bitmap."""
    raw = RawVolume(image)
    try:
        record = raw.read_record(0)
        assert record is not None
        values = [attribute for attribute in attributes(record) if not attribute.resident]
        return sum(run.length for value in values for run in raw.runs(record, value))
    finally:
        raw.close()


def units(report: Report, ground: Ground, name: str) -> None:
    """The same through a compressed file, for each unit of which all clusters are set aside until it is written. So are
    the records that its runs may need, and $MFT does not get shorter again."""
    for kind, content in (("noise", os.urandom(PIECE + 1000)), ("a mixture", mixture(random.Random(7), PIECE + 1000))):
        with report.case(f"a full volume keeps what a compressed file took, and gets all back ({kind})"):
            before = of_the_mft(ground.image)
            with ground.mount() as root:
                path = f"{root}/{FOLDER}/{name}"
                os.truncate(path, 0)
                os.sync()
                empty = free_clusters(root)
                ground.contents[name] = b""
                ground.contents[name], problem = fill(path, content)
                left = free_clusters(root)
                volume.drop_caches()
                problem = problem or differs(read_whole(path), ground.contents[name])
                os.truncate(path, 0)
                ground.contents[name] = b""
                os.sync()
                now = free_clusters(root)
            grown = of_the_mft(ground.image) - before
            assert not problem, problem
            assert left < 2 * UNIT, f"{left} of {empty} clusters are free where writing gave ENOSPC"
            assert now + grown == empty, f"{now} free clusters instead of {empty}, and $MFT got {grown}"
            assert grown * ground.cluster <= 256 << 10, f"$MFT got {grown} clusters for a file that took {empty}"
