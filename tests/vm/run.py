#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the test groups and counts. Called by tests/run.sh, inside the SDK."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from context import Context
from report import Report, Tally

GROUPS = ("host", "fuzz", "checker", "kunit", "write", "matrix", "features", "images", "stress", "devices", "corrupt", "mutations", "nfs")
# The short form judges a change, so it is the same each time; what is new to find is the campaign's.
SHORT_SEED = 20261122
# They use every processor themselves, and nothing else should be timed beside them.
ALONE = ("host", "fuzz")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run.sh", description=__doc__)
    parser.add_argument("--campaign", action="store_true", help="every case and every seed; hours")
    parser.add_argument("--only", action="append", metavar="GROUP", help=f"one of {', '.join(GROUPS)} (may be repeated)")
    parser.add_argument("--seed", type=int, help=f"the seed of the mutations; without it {SHORT_SEED}, and a new one for each campaign")
    parser.add_argument("--case", type=int, metavar="N", help="one mutation alone, with --only mutations --seed S")
    parser.add_argument("--jobs", type=int, default=2, help="how many groups with guests run at the same time (2)")
    parser.add_argument("--verbose", action="store_true", help="name the passing cases too")
    parser.add_argument("--fstype", default="ntfs_rs", help="another driver in place of ours, to try the tests themselves")
    parser.add_argument("--module", type=Path, metavar="FILE", help="a module that is built already, for the kernel of the chosen groups")
    arguments = parser.parse_args()
    chosen = [name for word in arguments.only or [] for name in word.split(",")] or list(GROUPS)
    unknown = [name for name in chosen if name not in GROUPS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)} (there are {', '.join(GROUPS)})")

    seed = arguments.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32) if arguments.campaign else SHORT_SEED
    base = Context(Report(""), arguments.campaign, arguments.fstype, seed, arguments.case, arguments.module)
    start = time.monotonic()
    total = Tally()

    def group(name: str) -> Tally:
        report = Report(name, arguments.verbose)
        module = importlib.import_module(f"groups.{name}")
        return report.run(lambda: module.run(dataclasses.replace(base, report=report)))

    alone = [name for name in ("module", *ALONE) if name in chosen or (name == "module" and base.ours and not base.built)]
    tallies = {name: group(name) for name in alone}
    for tally in tallies.values():
        total.add(tally)
    if "module" in tallies and tallies["module"].failed:
        print("the module does not build: no group with a guest is run", flush=True)
    else:
        # A guest is busy on one processor most of the time.
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for tally in pool.map(group, [name for name in GROUPS if name in chosen and name not in ALONE]):
                total.add(tally)
    print(f"logs in {base.logs}; {time.monotonic() - start:.0f} s in all")
    print(total.line(), flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
