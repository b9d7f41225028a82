# SPDX-License-Identifier: GPL-2.0-only
"""NFS export over the loopback, in the stock kernel: the debug one has no network."""

from __future__ import annotations

from context import Context
from machine import run_job
from shared import real_volumes


def run(context: Context) -> None:
    shared = real_volumes(context)
    # One has more than 500 names, which takes a while.
    wanted = ("lin-colinfinck", "win10-2k-index-slack") if context.campaign else ("win10-2k-index-slack",)
    volumes = [v for v in shared.volumes if v["id"] in wanted]
    run_job(context, "nfs", {"volumes": volumes}, disks=shared.disks, timeout=1800)
