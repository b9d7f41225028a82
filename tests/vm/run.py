#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the test groups and counts. Called by tests/run.sh, inside the SDK."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import random
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from context import Context
from report import Report, Tally

# Those that need no module of ours, and those with guests: what takes longest comes first, so that both workers end together.
WITHOUT_GUESTS = ("host", "fuzz", "checker")
WITH_GUESTS = ("write", "corrupt", "features", "stress", "matrix", "devices", "mutations", "kunit", "images", "nfs")
# What is timed, for people to judge. It runs after the others, when nothing else does.
CAMPAIGN_ONLY = ("speed",)
GROUPS = (*WITHOUT_GUESTS, *WITH_GUESTS, *CAMPAIGN_ONLY)
# The short form judges a change, so it is the same each time; what is new to find is the campaign's.
SHORT_SEED = 20261122


def ran_early(said: list[str], total: Tally) -> set[str]:
    """Counts and shows what a run of groups without guests said; gives their names."""
    ran = set()
    for line in said:
        if found := re.match(r"== (\w+): (\d+) passed, (\d+) failed(?:, (\d+) skipped)? ", line):
            ran.add(found[1])
            total.add(Tally(int(found[2]), int(found[3]), int(found[4] or 0)))
        if not line.startswith("logs in") and not re.fullmatch(r"\d+ passed, \d+ failed.*", line):
            print(line, flush=True)
    return ran


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run.sh", description=__doc__)
    parser.add_argument("--campaign", action="store_true", help="every case and every seed; hours")
    parser.add_argument("--only", action="append", metavar="GROUP", help=f"one of {', '.join(GROUPS)} (may be repeated)")
    parser.add_argument("--seed", type=int, help=f"the seed of the mutations; without it {SHORT_SEED}, and a new one for each campaign")
    parser.add_argument("--case", type=int, metavar="N", help="one mutation alone, with --only mutations --seed S")
    parser.add_argument("--jobs", type=int, default=2, help="how many groups run at the same time (2)")
    parser.add_argument("--early", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="name the passing cases too")
    parser.add_argument("--fstype", default="ntfs_rs", help="another driver in place of ours, to try the tests themselves")
    parser.add_argument("--module", type=Path, metavar="FILE", help="a module that is built already, for the kernel of the chosen groups")
    arguments = parser.parse_args()
    chosen = [name for word in arguments.only or [] for name in word.split(",")]
    chosen = chosen or [name for name in GROUPS if arguments.campaign or name not in CAMPAIGN_ONLY]
    unknown = [name for name in chosen if name not in GROUPS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)} (there are {', '.join(GROUPS)})")

    seed = arguments.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32) if arguments.campaign else SHORT_SEED
    base = Context(Report(""), arguments.campaign, arguments.fstype, seed, arguments.case, arguments.module)
    start = time.monotonic()
    total = Tally()
    if arguments.early:
        # What it did not come to is run now.
        ran = ran_early(arguments.early.read_text(errors="replace").splitlines(), total)
        chosen = [name for name in chosen if name not in ran]

    def group(name: str) -> Tally:
        report = Report(name, arguments.verbose)
        module = importlib.import_module(f"groups.{name}")
        return report.run(lambda: module.run(dataclasses.replace(base, report=report)))

    # A guest is busy on one processor most of the time, and so is the compiler.
    with ThreadPoolExecutor(arguments.jobs) as pool:
        # The first one, so that it is under way when a group waits for it.
        module = pool.submit(group, "module") if base.ours and not base.built and set(chosen) & {*WITH_GUESTS, *CAMPAIGN_ONLY} else None

        def with_guest(name: str) -> Tally:
            if module and module.result().failed:
                print(f"the module does not build: {name} is not run", flush=True)
                return Tally()
            return group(name)

        running = [pool.submit(group, name) for name in WITHOUT_GUESTS if name in chosen]
        running += [pool.submit(with_guest, name) for name in WITH_GUESTS if name in chosen]
        for done in [module, *running]:
            total.add(done.result() if done else Tally())
        for name in CAMPAIGN_ONLY:
            if name in chosen:
                total.add(with_guest(name))
    print(f"logs in {base.logs}; {time.monotonic() - start:.0f} s in all")
    print(total.line(), flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
