# SPDX-License-Identifier: GPL-2.0-only
"""Loads the module in a kernel with KUnit and reads the results that it leaves in debugfs."""

from __future__ import annotations

import os
import re
import subprocess

from .. import kmsg, volume
from ..case import Report

RESULTS = "/sys/kernel/debug/kunit"
LINE = re.compile(r"^\s+(not )?ok \d+ (\S+)(?: # (SKIP.*))?")


def run(report: Report, plan: dict) -> None:
    log = kmsg.Kmsg()
    before = set(os.listdir(RESULTS))
    if not os.path.exists("/payload/ntfs_rs.ko"):
        report.failed("the module has KUnit tests", "there is no module of ours to load")
        return
    with report.case("the module loads in the debug kernel"):
        volume.run("insmod", "/payload/ntfs_rs.ko")
    lines = log.new()
    suites = sorted(set(os.listdir(RESULTS)) - before)
    report.check("the module has KUnit suites", [] if suites else ["/sys/kernel/debug/kunit has none"])
    tests = 0
    for suite in suites:
        with open(f"{RESULTS}/{suite}/results") as file:
            text = file.read()
        for line in text.splitlines():
            found = LINE.match(line)
            if not found:
                continue
            name = f"{suite}: {found[2]}"
            tests += 1
            if found[3]:
                report.skipped(name, found[3])
            elif found[1]:
                where = text.find(found[0])
                report.failed(name, text[max(where - 900, 0) : where])
            else:
                report.passed(name)
    report.check("the tests of the suites were run", [] if tests > len(suites) else [f"{tests} results in {len(suites)} suites"])
    report.check("no splat while they ran", kmsg.splats(lines))
    with report.case("the module unloads"):
        subprocess.run(["rmmod", "ntfs_rs"], check=True)
    report.check("no splat when it was unloaded", kmsg.splats(log.new()))
