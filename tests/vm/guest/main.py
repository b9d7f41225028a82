# SPDX-License-Identifier: GPL-2.0-only
"""Entry of the guest: reads the plan, loads the driver under test, runs the job, says that it ended."""

from __future__ import annotations

import importlib
import json
import os
import sys

from . import volume
from .case import Report

DISKS = "/disks"


def load_driver(fstype: str) -> None:
    """Our module from the payload, or a driver of the kernel standing in for it."""
    if os.path.exists("/payload/ntfs_rs.ko"):
        volume.run("insmod", "/payload/ntfs_rs.ko")
    else:
        volume.run("modprobe", fstype)


def mount_disk(number: int, writable: bool = False) -> str:
    """The ext4 disk number `number`, as a folder."""
    folder = f"{DISKS}/{number}"
    os.makedirs(folder, exist_ok=True)
    volume.run("mount", "-t", "ext4", "-o", "rw,discard" if writable else "ro,noload", os.environ[f"DISK{number}"], folder)
    return folder


def main() -> int:
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    report = Report(sys.stdout)
    volume.run("modprobe", "loop", check=False)
    if not plan.get("bare"):
        load_driver(plan["fstype"])
    job = importlib.import_module(f"guest.jobs.{plan['job']}")
    job.run(report, plan)
    report.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
