# SPDX-License-Identifier: GPL-2.0-only
"""Each fuzz target for a short, fixed time; `make fuzz` and the campaign take longer."""

from __future__ import annotations

import re

from context import ROOT, Context


def run(context: Context) -> None:
    seconds = 300 if context.campaign else 3
    done = context.command("fuzz", str(ROOT / "tests" / "fuzz.sh"), "--seconds", str(seconds), timeout=6 * 3600)
    targets = re.findall(r"^(\w+) +(\d+) inputs in \d+ s$", done.stdout, re.MULTILINE)
    failed = re.findall(r"^(\w+) +FAILED: (.*(?:\n  .*)*)", done.stdout, re.MULTILINE)
    for name, count in targets:
        context.report.passed(f"{name} survives {count} inputs")
    for name, why in failed:
        context.report.failed(f"{name} survives its inputs", why)
    if not targets or (done.returncode and not failed):
        context.report.failed("the fuzz targets build and run", "\n".join(done.stdout.splitlines()[-15:]))
