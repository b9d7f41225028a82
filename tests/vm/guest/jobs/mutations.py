# SPDX-License-Identifier: GPL-2.0-only
"""Broken volumes by the hundred: each is mounted, prodded and unmounted; the kernel must only say no.

A case is repeated alone by its seed and number. The bases are made afresh by mkntfs and ntfs-3g, whose
layout does not depend on the time of day, so that a number means the same damage each time.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys

from .. import kmsg, prod, syscalls, volume, watch
from ..case import Report
from ..fill import data, reparse
from ..fill.content import content, write
from ..mutate import Change, Mutator
from ..ntfs_raw import RawVolume

BASES = [(512, 4096, 12), (512, 512, 5), (4096, 4096, 12)]
REFUSALS = {errno.EUCLEAN, errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT, errno.ENOMEM, errno.EFBIG}
ANSWERS = REFUSALS | {
    errno.ENXIO, errno.ESTALE, errno.ENODATA, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EOVERFLOW,
    errno.EACCES, errno.EPERM, errno.ENODEV, errno.EILSEQ, errno.ENOTTY,
}  # fmt: skip


def base(path: str, sector: int, cluster: int, mebibytes: int) -> None:
    """A small volume that has one of everything."""
    with open(path, "wb") as file:
        file.truncate(mebibytes << 20)
    volume.run("mkntfs", "-Q", "-F", "-q", "-L", "base", "-p", "0", "-s", str(sector), "-c", str(cluster), path)
    with volume.ntfs3g(path) as root:
        os.mkdir(f"{root}/d")
        for index in range(45):
            write(f"{root}/d/file {index:03d} with a longish name", index * 40)
        write(f"{root}/one run", 9000)
        data.interleaved(f"{root}/runs", f"{root}/more runs", 12, cluster)
        data.holes(f"{root}/holes", 300_000, [(0, 5000), (200_000, 5000)])
        # Crowded: its attribute list, and its names in extension records.
        write(f"{root}/crowded", 20_000)
        for index in range(8):
            os.link(f"{root}/crowded", f"{root}/link {index} {'long ' * 20}")
            os.setxattr(f"{root}/crowded", f"user.{index}", content(str(index), 90))
        os.symlink("d", f"{root}/wsl")
        write(f"{root}/native", 0)
        os.setxattr(f"{root}/native", "system.ntfs_reparse_data", reparse.symlink("d", "d", True))
        os.mkdir(f"{root}/deep")
        os.mkdir(f"{root}/deep/er")
        write(f"{root}/deep/er/file", 5)


def apply(path: str, changes: list[Change], back: bool) -> None:
    """Writes the changes, or what was there before (in the other order, for ranges may overlap)."""
    fd = os.open(path, os.O_WRONLY)
    try:
        for change in reversed(changes) if back else changes:
            os.pwrite(fd, change.old if back else change.new, change.place)
    finally:
        os.close(fd)


def mount_and_prod(fstype: str, device: str, options: str, target: str):
    """The step of a case; its answer is (errno of mount or 0, what was touched)."""

    def step(tick) -> tuple[int, prod.Touched | None]:
        try:
            syscalls.mount(device, target, fstype, syscalls.MS_RDONLY, options)
        except OSError as error:
            return error.errno or 0, None
        tick()
        try:
            touched = prod.prod(target, tick)
        finally:
            volume.unmount(target)
        tick()
        return 0, touched

    return step


class Arena:
    """One base: its image, its loop device, its mutator."""

    def __init__(self, number: int) -> None:
        sector, cluster, mebibytes = BASES[number]
        self.image = f"/tmp/base-{number}.img"
        base(self.image, sector, cluster, mebibytes)
        self.mutator = Mutator(RawVolume(self.image))
        self.device = volume.attach(self.image, sector)
        self.name = f"sector {sector}, cluster {cluster}"


def one_case(report: Report, arena: Arena, fstype: str, seed: int, number: int, log: kmsg.Kmsg) -> bool:
    """Runs a case; False when the guest is no longer fit for another one."""
    words, changes = arena.mutator.case(seed, number)
    name = f"mutation {number} of seed {seed}"
    report.note(f"start {number}: {arena.name}: {words}")
    kmsg.say(f"{name}: {words}")
    log.new()
    apply(arena.image, changes, back=False)
    options = "" if number % 4 else "showmeta"
    outcome = watch.watched(mount_and_prod(fstype, arena.device, options, "/mnt/case"))
    apply(arena.image, changes, back=True)
    lines = log.new()
    what = f"{arena.name}: {words}; repeat it with --only mutations --seed {seed} --case {number}"
    splat = kmsg.splats(lines)
    if outcome.stuck or splat or outcome.error:
        report.failed(name, "\n".join([what, outcome.stuck, outcome.error, *splat]))
        return not outcome.stuck
    status, touched = outcome.value
    problems = []
    if status:
        if status not in REFUSALS:
            problems.append(f"mount refused with {errno.errorcode.get(status)}")
        if not any(fstype in line for line in lines):
            problems.append(f"mount refused with {errno.errorcode.get(status)} and no line in the log")
    elif touched:
        strange = {errno.errorcode.get(n, str(n)): c for n, c in touched.errors.items() if n not in ANSWERS}
        if strange:
            problems.append(f"strange errors: {strange}")
    if outcome.seconds > watch.LIMIT:
        problems.append(f"took {outcome.seconds:.0f} s")
    if problems:
        report.failed(name, "\n".join([what, *problems]))
    else:
        report.passed(name)
    return True


def run(report: Report, plan: dict) -> None:
    os.makedirs("/mnt/case", exist_ok=True)
    subprocess.run(["modprobe", "fuse"], check=False)
    arenas = [Arena(number) for number in range(len(BASES))]
    log = kmsg.Kmsg()
    with report.case("the sound base volumes are read without an error"):
        for arena in arenas:
            outcome = watch.watched(mount_and_prod(plan["fstype"], arena.device, "", "/mnt/case"))
            assert not outcome.error and not outcome.stuck, outcome
            status, touched = outcome.value
            assert status == 0, f"{arena.name}: mount fails with {errno.errorcode.get(status)}"
            bad = {n: c for n, c in touched.errors.items() if n not in (errno.ENOENT, errno.ENXIO, errno.EOPNOTSUPP)}
            assert not bad and touched.names > 55, f"{arena.name}: {touched}"
    for number in plan["cases"]:
        if not one_case(report, arenas[number % len(arenas)], plan["fstype"], plan["seed"], number, log):
            report.note("the guest has a process that cannot be ended: no more cases here")
            sys.exit(1)
