# SPDX-License-Identifier: GPL-2.0-only
"""Writing into existing files, on volumes of several geometries; every volume is checked and read by others afterwards."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import images
import programs
from context import CACHE, Context
from machine import run_job
from report import Report

KI, MI = 1 << 10, 1 << 20
# What a driver may refuse. Ours is asked for all that it says it can do.
UNSUPPORTED = {
    "ntfs": ["zero", "zero beyond"],
    "ntfs3": ["zero", "zero beyond", "punch", "insert", "collapse"],
    "ntfs_rs": [],
}


# The sizes of the compressed files that a part has.
COMPRESSED = {"verify": [0, 600, 5000, 300_000], "full": [70_000], "others": [3000], "power": [500, 90_000, 150_000], "brim": [650, 40_000]}


def specs(campaign: bool, fstype: str) -> list[dict[str, object]]:
    """One volume per part and geometry."""
    chosen: list[dict[str, object]] = []

    def add(part: str, sector: int, cluster: int, size: int, **more: object) -> None:
        name = f"{part}, sector {sector}, cluster {cluster}"
        # Nobody compresses on larger clusters, and the others refuse most of what is done here.
        if part in COMPRESSED and cluster <= 4 * KI and fstype == "ntfs_rs":
            more["compressed"] = COMPRESSED[part]
        chosen.append(dict(part=part, name=name, number=len(chosen), sector=sector, cluster=cluster, size=size, **more))

    many = 20 if campaign else 1
    # Lengths of names that leave no room in a record of 1 KiB for a value in clusters.
    full_of_names = [208, 212]
    geometries = ((512, 512), (512, 4096), (512, 64 * KI), (4096, 4096))
    for sector, cluster in geometries:
        size = 64 * MI if cluster < 64 * KI else 256 * MI
        # The kernel's ntfs opens no sparse file on larger clusters, and ntfs3 gives ENOENT for many a step on one.
        sparse = [] if fstype == "ntfs3" or (fstype == "ntfs" and cluster > 4096) else [300_000, 70_000]
        add("verify", sector, cluster, size, steps=3000 if campaign else 120, remounts=3, sparse=sparse, links=12 if cluster == 4096 else 0)
    for sector, cluster in geometries if campaign else ((512, 4096), (4096, 4096)):
        add("threshold", sector, cluster, 64 * MI, seconds=150 if campaign else 10)
    for cluster in (512, 4096) if fstype == "ntfs_rs" else ():
        add("windows", 512, cluster, 64 * MI, seconds=60 if campaign else 10)
    for cluster in (512, 4096, 64 * KI):
        add("full", 512, cluster, 12 * MI if cluster < 64 * KI else 48 * MI, sizes=[0, 100, 700, 4096])
    for cluster in (512, 4096) if campaign else (4096,):
        add("shatter", 512, cluster, 256 * MI, pieces=3000 if campaign else 200, sizes=[0, 700, 4096])
    for cluster in () if fstype != "ntfs_rs" else (512, 4096) if campaign else (4096,):
        # From where the record has room for the runs as well to where it has none for the names.
        add("crowded", 512, cluster, 64 * MI, sizes=[4096], crowded=list(range(180 if campaign else 200, 216, 2)))
    for sector, cluster in () if fstype != "ntfs_rs" else geometries if campaign else ((512, 4096), (4096, 4096)):
        size, sizes = 64 * MI if cluster < 64 * KI else 256 * MI, [0, 100, 600, 660, 5000]
        more = dict(sizes=sizes, links=12, crowded=[180, 200, 208, 212])
        more |= dict(steps=2000, many=300, seconds=60) if campaign else dict(steps=60, many=80, seconds=8)
        add("streams", sector, cluster, size, **more)
    if fstype == "ntfs_rs":
        add("promises", 512, 4096, 64 * MI)
        add("stops", 512, 4096, 64 * MI)
        add("blocks", 512, 64 * KI, 64 * MI, sizes=[4096])
    # One volume with clusters smaller than a page, whose last case may leave a task behind.
    add("peers", 512, 512, 64 * MI, seconds=120 if campaign else 4)
    for sector, cluster in geometries if campaign else ((512, 4096),):
        add("others", sector, cluster, 128 * MI if cluster < 64 * KI else 256 * MI, steps=1000 * many, bytes=4 * MI * (8 if campaign else 1))
    for cluster in (4096, 512, 64 * KI) if campaign else (4096,):
        sizes = [300, 699, 5000, 20000, 60000, 120000]
        cuts = (500 if cluster == 4096 else 100) if campaign else 16
        add("power", 512, cluster, 16 * MI if cluster < 64 * KI else 64 * MI, sizes=sizes, stale=True, crowded=full_of_names, steps=240 if campaign else 60, cuts=cuts)
    add("faults", 512, 4096, 64 * MI, sizes=[100, 3000], stride=1 if campaign else 7)
    for cluster in (512, 4096, 64 * KI) if campaign else (4096,):
        sizes = [100, 200, 300, 600, 690, 695, 1000, 4096, 9000, 30000]
        workloads = (50 if cluster == 4096 else 15) if campaign else 2
        add("brim", 512, cluster, 12 * MI if cluster < 64 * KI else 48 * MI, sizes=sizes, crowded=full_of_names, workloads=workloads, steps=400)
    for sector, cluster in geometries if campaign else ((512, 4096),):
        size = 128 * MI if cluster < 64 * KI else 256 * MI
        add("nested", sector, cluster, size, sizes=[4096], seconds=20 if campaign else 4, stressors=8 if campaign else 3)
    return chosen


# What is done in the debug kernel in the short form: where threads meet, and where something fails.
IN_DEBUG = ("verify", "threshold", "windows", "shatter", "streams", "faults")


PANIC = "Kernel panic - not syncing: ntfs_rs ("


def panics(context: Context, disk: Path) -> None:
    """errors=panic, in a guest that it ends."""
    import vm

    # That the guest does not come to its end is what is asked for.
    quiet = dataclasses.replace(context, report=Report("panic", silent=True))
    notes = run_job(quiet, "panic", disks=[vm.Disk(disk, mode="rw")], timeout=600)
    console = (context.logs / "panic-stock.console").read_text(errors="surrogateescape")
    happened = notes == ["mounted"] and PANIC in console
    context.report.check("errors=panic panics when something broken is met, and not before", "" if happened else f"{notes}\n{console[-1500:]}")


def fits(module: Path, kernel: str) -> bool:
    """Whether a module is built for a kernel."""
    words = ["modinfo", "-F", "vermagic", str(module)]
    magic = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return magic[:1] == (CACHE / "kernel" / kernel / "release").read_text().split()


def run(context: Context) -> None:
    import vm

    context.report.say(f"     write: seed {context.seed}")
    # Only the debug kernel has ntfs3, and only it sees what goes wrong without a trace.
    kernels = {"ntfs3": ["debug"], "ntfs": ["stock"]}.get(context.fstype, ["debug", "stock"])
    is_whole = context.campaign or context.built or len(kernels) == 1
    if context.built:
        kernels = [name for name in kernels if fits(context.built, name)]
    wanted = specs(context.campaign, context.fstype)
    if parts := os.environ.get("NTFS_RS_PARTS"):
        wanted = [spec for spec in wanted if spec["part"] in parts.split(",")]
    extra = {"fsx": programs.fsx()} if any(spec["part"] == "others" for spec in wanted) else {}
    for kernel in kernels:
        plan: dict[str, object] = {
            "unsupported": UNSUPPORTED[context.fstype],
            # Only the debug kernel injects failures.
            "specs": [
                spec for spec in wanted
                if (is_whole or (spec["part"] in IN_DEBUG) == (kernel == "debug")) and (spec["part"] != "faults" or kernel == "debug")
            ],
            "readers": ([] if context.fstype != "ntfs_rs" else ["ntfs", "ntfs3"] if kernel == "debug" else ["ntfs"]),
        }  # fmt: skip
        if not plan["specs"]:
            continue
        disk = images.scratch(8)
        try:
            run_job(
                context, "write", plan, kernel=kernel, disks=[vm.Disk(disk, mode="rw")], timeout=21600 if context.campaign else 2700, checker=True,
                programs=extra,
            )  # fmt: skip
            if kernel == "stock" and context.ours and any(spec["part"] == "promises" for spec in wanted):
                panics(context, disk)
        finally:
            disk.unlink(missing_ok=True)
