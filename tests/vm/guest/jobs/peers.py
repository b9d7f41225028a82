# SPDX-License-Identifier: GPL-2.0-only
"""How many names the drivers of the kernel show on each broken volume: the bar for ours.

Runs in a guest of its own, since a driver that falls over here must not count against ours, and takes
only this guest with it.
"""

from __future__ import annotations

import json

from .. import volume, watch
from ..case import Report
from ..count import mount_and_count
from ..main import mount_disk


def run(report: Report, plan: dict) -> None:
    folder = mount_disk(0)
    for fstype in plan["peers"]:
        volume.run("modprobe", fstype)
    for item in plan["volumes"]:
        for fstype in plan["peers"]:
            if [item["id"], fstype] in plan["skip"]:
                continue
            report.note(f"start {json.dumps([item['id'], fstype])}")
            with volume.shared_volume(item, folder) as device:
                outcome = watch.watched(mount_and_count(fstype, device, plan["most"]))
            answer = outcome.value if outcome.value else [-1, 0, 0]
            report.note("peer " + json.dumps([item["id"], fstype, *answer]))
            if outcome.stuck:
                raise SystemExit(1)
