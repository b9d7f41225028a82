# SPDX-License-Identifier: GPL-2.0-only
"""Volumes of every geometry, made by two makers, filled through ntfs-3g, read by ours and by two oracles."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from pathlib import Path

import images
from context import CACHE, ROOT, Context
from machine import run_here, run_job

KI, MI, GI, TI = 1 << 10, 1 << 20, 1 << 30, 1 << 40


def spec(maker: str, sector: int, cluster: int, size: int, scale: int, **more: object) -> dict[str, object]:
    """One volume. Its name is the head of its cases' names."""
    extra = "".join(f", {key.replace('_', ' ')}" for key in more if key not in ("self_check",))
    where = f"{size // TI} TiB" if size >= TI else f"{size // MI} MiB"
    name = f"{maker}, {where}, sector {sector}, cluster {cluster}{extra}"
    file = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return dict(name=name, file=file, maker=maker, sector=sector, cluster=cluster, size=size, scale=scale, **more)


def size_for(cluster: int) -> int:
    """Big enough for the small filling: a file takes at least a cluster."""
    return 64 * MI if cluster <= 16 * KI else max(512 * cluster, 256 * MI)


def specs(campaign: bool) -> list[dict[str, object]]:
    """The long ones first, so that two workers end together."""
    full, small = (3, 2) if campaign else (2, 1)
    chosen = [
        spec("mkntfs", 512, 4096, 2 * GI if campaign else 400 * MI, full, self_check=True),
        spec("mkntfs", 512, 512, 1 * GI if campaign else 200 * MI, full),
        spec("mkntfs", 512, 4096, 16 * MI, 0, fragment=True),
        spec("mkntfs", 512, 512, 6 * MI, 0, fragment=True),
        spec("mkntfs", 512, 4096, 1 * GI if campaign else 128 * MI, 0, huge=200_000 if campaign else 5_000),
    ]
    clusters = [512 << shift for shift in range(13)]
    chosen += [spec("mkntfs", 512, cluster, size_for(cluster), small) for cluster in clusters if cluster not in (512, 4096)]
    chosen += [
        spec("mkntfs", 1024, 1024, 64 * MI, small),
        spec("mkntfs", 2048, 4096, 64 * MI, small),
        spec("mkntfs", 4096, 4096, 64 * MI, small),
        spec("mkntfs", 4096, 64 * KI, size_for(64 * KI), small),
        spec("mkntfs", 4096, 2 * MI, size_for(2 * MI), small),
        spec("ntfsprogs-plus", 512, 512, 64 * MI, small),
        spec("ntfsprogs-plus", 512, 4096, 64 * MI, small),
        spec("ntfsprogs-plus", 512, 64 * KI, size_for(64 * KI), small),
        spec("ntfsprogs-plus", 512, 2 * MI, size_for(2 * MI), small),
        spec("ntfsprogs-plus", 4096, 4096, 64 * MI, small),
    ]
    if campaign:
        chosen += [
            spec("mkntfs", 512, 4096, 3 * TI, 2),
            spec("mkntfs", 512, 64 * KI, 15 * TI, 1),
        ]
        chosen += [spec("ntfsprogs-plus", 512, c, size_for(c), 2) for c in clusters if c not in (512, 4096, 64 * KI, 2 * MI)]
    return chosen


def prepared(context: Context, wanted: list[dict[str, object]]) -> Path:
    """As `_prepared`, for groups that run at the same time."""
    with images.MAKING:
        return _prepared(context, wanted)


def _prepared(context: Context, wanted: list[dict[str, object]]) -> Path:
    """The disk with these volumes, filled and listed; made when the cache has none from the same sources."""
    import vm

    sources = sorted((ROOT / "tests" / "vm" / "guest").rglob("*.py"))
    inputs = [path for path in sources if path.parent.name == "fill" or path.name in ("fill.py", "walk.py", "ntfs_raw.py")]
    text = json.dumps(wanted) + "".join(path.read_text() for path in inputs)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = CACHE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"matrix-{'long' if context.campaign else 'short'}"
    disk = folder / f"{name}-{key}.ext4"
    if disk.exists():
        return disk
    for old in folder.glob(f"{name}-*.ext4"):
        old.unlink()
    failed = context.report.tally.failed
    plan: dict[str, object] = {"specs": wanted, "bare": True}
    if Path("/dev/fuse").exists() and "fuse" in Path("/proc/filesystems").read_text():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            volumes, fresh = Path(work) / "volumes", Path(work) / "disk"
            volumes.mkdir()
            run_here(context, "fill", plan, volumes)
            images.pack(volumes, fresh)
            fresh.rename(disk)
    else:
        fresh = images.scratch(200 if context.campaign else 32)
        try:
            run_job(context, "fill", plan, disks=[vm.Disk(fresh, mode="rw")], timeout=7200 if context.campaign else 1500, smp=1)
            fresh.rename(disk)
        finally:
            fresh.unlink(missing_ok=True)
    if context.report.tally.failed > failed:
        # Good for this run, but the next one tries again.
        disk = disk.rename(disk.with_suffix(".once.ext4"))
    return disk


def run(context: Context) -> None:
    import vm

    wanted = specs(context.campaign)
    disk = prepared(context, wanted)
    run_job(context, "matrix", {"specs": wanted}, disks=[vm.Disk(disk)], timeout=7200 if context.campaign else 1500, smp=1)
