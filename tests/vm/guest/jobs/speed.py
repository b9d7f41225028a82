# SPDX-License-Identifier: GPL-2.0-only
"""Reads the same files through each driver in turns, and says how fast that was: a note with a row for each file and way.

Each driver has the volume mounted from a disk of its own, all of them the same bytes. Before each run everything that the
kernel can forget is forgotten. The contents are compared first.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
from collections.abc import Callable
from contextlib import ExitStack

from .. import syscalls, volume
from ..case import Report
from ..speed import contents, measure
from ..speed.measure import Run, Way

MI = 1 << 20
# Less than this part of what a peer reads in a second is a fault; the rest is for people to judge.
FLOOR = 0.25
WAYS = (
    Way("buffered 4K in sequence", "read", 4096, 1, 64 * MI),
    Way("buffered 1M in sequence", "read", MI, 1, 64 * MI),
    Way("buffered 1M in sequence, 4 jobs", "read", MI, 4, 64 * MI),
    Way("buffered 4K at random", "randread", 4096, 1, 16 * MI),
    Way("buffered 4K at random, 4 jobs", "randread", 4096, 4, 16 * MI),
    Way("cached 4K at random, 4 jobs", "randread", 4096, 4, 16 * MI, warm=True),
    Way("mmap 4K in sequence", "read", 4096, 1, 64 * MI, engine="mmap"),
    Way("mmap 4K at random", "randread", 4096, 1, 16 * MI, engine="mmap"),
    Way("mmap 4K at random, 4 jobs", "randread", 4096, 4, 16 * MI, engine="mmap"),
    Way("direct 1M in sequence", "read", MI, 1, 64 * MI, direct=True),
    Way("direct 1M in sequence, 4 jobs", "read", MI, 4, 64 * MI, direct=True),
    Way("direct 4K at random", "randread", 4096, 1, 16 * MI, direct=True),
    Way("direct 4K at random, 4 jobs", "randread", 4096, 4, 16 * MI, direct=True),
)
TREE = {"names of a tree (find)": ["find"], "attributes of a tree (ls -lR)": ["ls", "-lRn"]}


class Comparison:
    """The drivers, the one under test last, and where each has the volume mounted."""

    def __init__(self, report: Report, plan: dict, roots: dict[str, str]) -> None:
        self.report, self.plan, self.roots = report, plan, roots
        self.ours = plan["fstype"]
        self.environment = measure.keep("fio", "find", "ls")
        # What fio does when it has nothing to read.
        idle = "/run/idle"
        with open(idle, "wb") as file:
            file.write(bytes(4 * 4096))
        start = lambda jobs: measure.fio(self.environment, idle, Way("", "read", 4096, jobs, 0), 4096 * jobs).busy  # noqa: E731
        self.without = {jobs: statistics.median(start(jobs) for _ in range(5)) for jobs in (1, 4)}
        report.note(f"to start fio: {self.without} s of processors")

    def compare(self, what: str, way: str, drivers: list[str], act: Callable[[str], Run], without: float = 0.0, warm: bool = False) -> None:
        """Runs `act` for each root, in turns, some rounds; one row, and a case for the floor."""
        runs: dict[str, list[Run]] = {fstype: [] for fstype in drivers}
        failed: dict[str, str] = {}
        for turn in range(self.plan["rounds"]):
            for fstype in drivers if turn % 2 else reversed(drivers):
                if fstype in failed:
                    continue
                volume.drop_caches()
                try:
                    if warm:
                        act(self.roots[fstype])
                    runs[fstype].append(act(self.roots[fstype]))
                except OSError as error:
                    failed[fstype] = str(error)
        row = {fstype: measure.median(runs[fstype], without) for fstype in drivers if fstype not in failed}
        self.report.note("row " + json.dumps([what, way, row]))
        for fstype, why in failed.items():
            self.report.note(f"{what}, {way}: {fstype} does not: {why}")
        problems = [failed[self.ours]] if self.ours in failed else []
        if not problems and self.plan["kernel"] == "stock":
            ours = row[self.ours][0]
            problems = [
                f"{ours:.1f} in a second, {fstype} {speed:.1f}" for fstype, (speed, _) in row.items() if ours < speed * FLOOR
            ]  # fmt: skip
        self.report.check(f"{what}: {way}", problems)

    def readers(self, name: str) -> list[str]:
        """The drivers that read the whole content of a file right; ours must."""
        want = self.plan["digests"][name]
        good = []
        for fstype, root in self.roots.items():
            try:
                with open(f"{root}/{name}", "rb") as file:
                    got = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                got = str(error)
            if got == want:
                good.append(fstype)
            else:
                self.report.note(f"{name}: {fstype} does not read it: {got}")
            if fstype == self.ours:
                self.report.check(f"{name}: the content is right", [] if got == want else [got])
        return good if self.ours in good else []


def run(report: Report, plan: dict) -> None:
    with ExitStack() as stack:
        roots = {}
        for number, fstype in enumerate(plan["drivers"]):
            if fstype != plan["fstype"]:
                volume.run("modprobe", fstype)
            roots[fstype] = stack.enter_context(volume.mounted(fstype, os.environ[f"DISK{number}"]))
        comparison = Comparison(report, plan, roots)
        with report.case("the fragmented file is in more than a thousand pieces"):
            with open(f"{roots[plan['fstype']]}/fragmented", "rb") as file:
                found = len(syscalls.fiemap(file.fileno()))
            assert found > 1000, found
        for name in contents.SIZES:
            if plan["files"] and name not in plan["files"]:
                continue
            drivers = comparison.readers(name)
            for way in WAYS if drivers else ():
                if plan["ways"] and way.name not in plan["ways"]:
                    continue
                if way.direct and name in contents.COMPRESSED:
                    # Nobody reads around the page cache what is to be decoded.
                    continue
                size = min(contents.SIZES[name], way.most) // plan["share"]
                read = lambda root, way=way, name=name, size=size: measure.fio(comparison.environment, f"{root}/{name}", way, size)  # noqa: E731
                comparison.compare(name, way.name, drivers, read, comparison.without[way.jobs], way.warm)
        names = contents.FOLDERS * (contents.NAMES + 1) + 1
        for title, words in TREE.items() if not plan["files"] or "tree" in plan["files"] else ():
            for state in ("cold", "cached"):
                list_all = lambda root, words=words: measure.command(comparison.environment, [*words, f"{root}/tree"], names)  # noqa: E731
                comparison.compare(title, state, plan["drivers"], list_all, warm=state == "cached")
