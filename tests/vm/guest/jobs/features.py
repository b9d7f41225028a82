# SPDX-License-Identifier: GPL-2.0-only
"""The feature tests: every theme on the full volume of the matrix, and a 4Kn virtio disk of its own."""

from __future__ import annotations

import importlib
import os

from .. import kmsg, volume, walk
from ..case import Report
from ..features.ground import Ground
from ..main import mount_disk

THEMES = ("listing", "reading", "attributes", "options", "handles", "links", "xattrs", "acls", "writing", "geometry", "encoded", "unpacking", "size")


def run(report: Report, plan: dict) -> None:
    folder = mount_disk(0, writable=True)
    image = f"{folder}/{plan['file']}.img"
    room = mount_disk(plan["room"], writable=True) if "room" in plan else folder
    oracle = walk.Listing.load(f"{folder}/{plan['file']}.jsonl")
    with volume.loop(image) as device:
        ground = Ground(plan["fstype"], image, device, oracle, kmsg.Kmsg(), folder, room, plan["campaign"])
        for theme in THEMES:
            if plan["themes"] and theme not in plan["themes"]:
                continue
            report.prefix = theme
            with report.case("the theme runs to its end"):
                importlib.import_module(f"guest.features.{theme}").run(report, ground)
    report.prefix = "geometry"
    if "names" in plan:
        with report.case("a volume of 512-byte sectors on a virtio disk of 4096-byte sectors is read"):
            with open(f"/sys/block/{os.path.basename(os.environ['DISK1'])}/queue/logical_block_size") as size:
                assert size.read().strip() == "4096"
            with volume.mounted(plan["fstype"], os.environ["DISK1"]) as root:
                listing = walk.walk(root)
                assert len(listing.entries) == plan["names"] and not listing.errors, (len(listing.entries), listing.errors)
                assert not [entry for entry in listing.entries.values() if entry.error]
