# SPDX-License-Identifier: GPL-2.0-only
"""Mutated volumes under KASAN, from a printed seed: 100 in the short form, and in the campaign 2,000, under lockdep as well.

A guest that dies takes one case with it: the case is named, and a new guest goes on behind it.
"""

from __future__ import annotations

import re

from context import Context
from machine import WITHOUT_LOCKDEP, run_job

SHORT, LONG, PER_GUEST = 100, 2000, 500
MOST_DEATHS = 8


def run(context: Context) -> None:
    context.report.say(f"     mutations: seed {context.seed}")
    if context.case is not None:
        cases = [context.case]
    else:
        cases = list(range(LONG if context.campaign else SHORT))
    deaths = 0
    while cases and deaths < MOST_DEATHS:
        batch = cases[:PER_GUEST]
        notes = run_job(
            context, "mutations", {"cases": batch}, kernel="debug", label=str(batch[0]), timeout=300 + 20 * len(batch),
            append="" if context.campaign else WITHOUT_LOCKDEP, smp=1,
        )  # fmt: skip
        started = [int(m[1]) for note in notes if (m := re.match(r"start (\d+):", note))]
        done = started[-1] + 1 if started else batch[-1] + 1
        if done <= batch[-1]:
            deaths += 1
        cases = [case for case in cases if case >= done]
    if cases:
        context.report.failed(f"{len(cases)} mutations were run", f"given up after {deaths} guests died")
