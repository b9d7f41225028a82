# SPDX-License-Identifier: GPL-2.0-only
"""What users and programs do with a mounted volume beyond reading files, on the stock kernel; some of it on the debug kernel as well."""

from __future__ import annotations

import json
import os
from pathlib import Path

import images
from context import Context
from groups.matrix import prepared, specs
from groups.write import fits
from machine import run_job


def run(context: Context) -> None:
    import vm

    wanted = specs(context.campaign)
    full = next(spec for spec in wanted if spec.get("self_check"))
    disks: list[object] = [vm.Disk(prepared(context, wanted))]
    plan: dict[str, object] = {"file": full["file"], "themes": os.environ.get("NTFS_RS_THEMES", "").split(",") if os.environ.get("NTFS_RS_THEMES") else []}
    if context.images:
        # A raw volume as a 4Kn disk of the machine: win10-default-10m, all of whose names are in its truth.
        row = next(i for i in json.loads((context.images / "manifest.json").read_text())["images"] if i["id"] == "win10-default-10m")
        raw = images.CACHE / "tmp" / "4kn.raw"
        images.unzstd(context.images / row["file"])(raw)
        disks.append(vm.Disk(raw, sector=4096))
        plan["names"] = row["volumes"][0]["user_entries"] + 1
    if not context.built or fits(context.built, "stock"):
        long: list[Path] = [images.scratch()] if context.campaign else []
        try:
            room = {"room": len(disks)} if long else {}
            run_job(context, "features", plan | room, disks=[*disks, *(vm.Disk(disk, mode="rw") for disk in long)], timeout=3600 if long else 1500, smp=1, checker=True)
        finally:
            for disk in long:
                disk.unlink()
    # Only the debug kernel has ntfs3, to read and write extended attributes beside us, and sees how locks are taken.
    if context.ours and (not context.built or fits(context.built, "debug")):
        plan = {"file": full["file"], "themes": ["xattrs", "acls", "unpacking"]}
        run_job(context, "features", plan, kernel="debug", disks=disks[:1], timeout=1500, smp=1, checker=True)
