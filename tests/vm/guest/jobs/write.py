# SPDX-License-Identifier: GPL-2.0-only
"""Writing into existing files by the driver under test: at random, from many processes, on a full volume.

Every part has a volume of its own, and ends with the checkers and with other implementations reading
what was written.
"""

from __future__ import annotations

import os

from .. import kmsg, volume
from ..case import Report
from ..main import mount_disk
from ..write import after, blocks, brim, crowded, defects, faults, full, ground, nested, others, power, promises, shatter, stops, streams, threshold, verify, windows


def parts_of(report: Report, spec: dict, plan: dict, made: ground.Ground) -> None:
    """The part that this volume is for."""
    seed = plan["seed"] + spec["number"]
    if spec["part"] == "verify":
        verify.run(report, made, seed, spec["steps"], spec["remounts"], plan["unsupported"])
    elif spec["part"] == "threshold":
        threshold.run(report, made, seed, spec["seconds"], plan["unsupported"])
    elif spec["part"] == "windows":
        windows.run(report, made, seed, spec["seconds"])
    elif spec["part"] == "full":
        full.run(report, made)
    elif spec["part"] == "shatter":
        shatter.run(report, made, seed, spec["pieces"])
    elif spec["part"] == "power":
        power.run(report, made, seed, spec["steps"], spec["cuts"])
    elif spec["part"] == "faults":
        faults.run(report, made, seed, spec["stride"])
    elif spec["part"] == "brim":
        brim.run(report, made, seed, spec["workloads"], spec["steps"])
    elif spec["part"] == "nested":
        nested.run(report, made, spec["seconds"], spec["stressors"], seed)
    elif spec["part"] == "crowded":
        crowded.run(report, made, seed, spec["crowded"])
    elif spec["part"] == "streams":
        streams.run(report, made, seed, spec["steps"], spec["many"], spec["seconds"])
    elif spec["part"] == "promises":
        promises.run(report, made)
    elif spec["part"] == "stops":
        stops.run(report, made)
    elif spec["part"] == "blocks":
        blocks.run(report, made)
    elif spec["part"] == "peers":
        defects.run(report, made, spec["seconds"])
    else:
        others.fsx(report, made, "plain 3000", seed, spec["steps"], plan["unsupported"])
        for name in sorted(filter(ground.is_compressed, made.contents)):
            others.fsx(report, made, name, seed, spec["steps"], plan["unsupported"])
        others.fio(report, made, "plain 4096", seed, spec["bytes"])


def run(report: Report, plan: dict) -> None:
    volume.run("modprobe", "fuse", check=False)
    folder, log = mount_disk(0, writable=True), kmsg.Kmsg()
    for spec in plan["specs"]:
        report.prefix = spec["name"]
        kmsg.say(spec["name"])
        image = f"{folder}/{spec['number']}.img"
        try:
            made = ground.make(plan["fstype"], image, spec, plan["seed"] + spec["number"])
            parts_of(report, spec, plan, made)
            after.run(report, made, plan["readers"])
        except (OSError, RuntimeError) as error:
            report.failed("the volume mounts and unmounts", str(error))
        if os.path.exists(image):
            os.unlink(image)
        report.check("no splat", kmsg.splats(log.new()))
