# SPDX-License-Identifier: GPL-2.0-only
"""Every real volume of ../shared/images on the stock kernel, against its ground truth."""

from __future__ import annotations

from context import Context
from machine import run_job
from shared import real_volumes


def run(context: Context) -> None:
    shared = real_volumes(context)
    run_job(context, "truth", {"volumes": shared.volumes}, disks=shared.disks, timeout=1500, smp=1)
