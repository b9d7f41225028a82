# SPDX-License-Identifier: GPL-2.0-only
"""The broken volumes of ../shared/images/corrupt: first the kernel's own drivers set the bar, then ours.

Under KASAN, and in the campaign under lockdep.
"""

from __future__ import annotations

import dataclasses
import json

from context import Context
from machine import WITHOUT_LOCKDEP, run_job
from report import Report
from shared import broken_volumes

PEERS = ("ntfs", "ntfs3")
MOST_DEATHS = 6


def most(context: Context) -> int:
    """How many names of a volume are looked at: more than any has in the long form.

    One has 53,634, which takes minutes under emulation; on another, the kernel's ntfs lists the same names
    without end.
    """
    return 60_000 if context.campaign else 150


def bar(context: Context, volumes: list[dict[str, object]], disks: list[object]) -> dict[str, dict[str, list[int]]]:
    """volume -> driver -> [errno of mount, names]. A peer that crashes the guest shows nothing of that volume."""
    # Their crashes, hangs and splats are theirs: counted by nobody.
    quiet = dataclasses.replace(context, report=Report("peers", silent=True))
    found: dict[str, dict[str, list[int]]] = {}
    skip: list[list[str]] = []
    todo = list(volumes)
    for attempt in range(MOST_DEATHS):
        plan: dict[str, object] = {"volumes": todo, "peers": PEERS, "skip": skip, "bare": True, "most": most(context)}
        started: list[str] = []
        for note in run_job(
            quiet, "peers", plan, kernel="debug", disks=disks, timeout=2400, append=WITHOUT_LOCKDEP, smp=1, label=str(attempt)
        ):
            kind, _, rest = note.partition(" ")
            if kind == "start":
                started = json.loads(rest)
            elif kind == "peer":
                name, fstype, status, names, _errors = json.loads(rest)
                found.setdefault(name, {})[fstype] = [status, names]
        missing = [v for v in todo if len(found.get(str(v["id"]), {})) + sum(s[0] == v["id"] for s in skip) < len(PEERS)]
        if not missing or not started:
            break
        context.report.say(f"     {started[1]} takes the guest down on {started[0]}")
        skip.append(started)
        todo = missing
    return found


def run(context: Context) -> None:
    shared = broken_volumes(context)
    limit = bar(context, shared.volumes, shared.disks)
    plan: dict[str, object] = {"volumes": shared.volumes, "bar": limit, "most": most(context)}
    append = "" if context.campaign else WITHOUT_LOCKDEP
    run_job(context, "corrupt", plan, kernel="debug", disks=shared.disks, timeout=2400, append=append, smp=1)
