# SPDX-License-Identifier: GPL-2.0-only
"""The real volumes under KASAN and lockdep, many readers at once: all of them in the campaign, a choice in the short form."""

from __future__ import annotations

from context import Context
from machine import run_job
from shared import real_volumes

# One of each sort: small clusters and a deep folder, many folders and LZNT1, WOF, attribute lists, short names, random bytes.
CHOICE = ("lin-colinfinck", "win-lznt1-bigdir", "syn-wof", "win10-ads-attrlist", "win7-512-cluster-unclean", "syz-ntfs-16")


def run(context: Context) -> None:
    shared = real_volumes(context)
    volumes = [v for v in shared.volumes if context.campaign or v["id"] in CHOICE]
    plan: dict[str, object] = {
        "volumes": volumes, "seconds": 20 if context.campaign else 4, "loops": 30 if context.campaign else 6, "kmemleak": True,
    }  # fmt: skip
    run_job(context, "stress", plan, kernel="debug", disks=shared.disks, timeout=3600, append="kmemleak=on")
