# SPDX-License-Identifier: GPL-2.0-only
"""Counting and printing: failures and skips by name as they happen, one line per group, one at the end.

Each group has a report of its own, since two groups may run at the same time; what belongs together is
printed at once.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass


class Skip(Exception):
    """A whole group cannot run here; the text says why. Counts as one skipped case."""


@dataclass
class Tally:
    """Results of a group, or of all."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def line(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class Report:
    """The cases of one group. A silent one counts, but prints nothing."""

    def __init__(self, group: str, verbose: bool = False, silent: bool = False) -> None:
        self.group = group
        self.verbose = verbose
        self.silent = silent
        self.tally = Tally()

    def say(self, text: str) -> None:
        """Prints lines that belong together. Names in them may have any bytes."""
        if not self.silent:
            print(text.encode("ascii", "backslashreplace").decode(), flush=True)

    def passed(self, name: str) -> None:
        self.tally.passed += 1
        if self.verbose:
            self.say(f"ok   {self.group}: {name}")

    def failed(self, name: str, why: str) -> None:
        self.tally.failed += 1
        self.say("\n     ".join([f"FAIL {self.group}: {name}", *why.strip().splitlines()[:30]]))

    def skipped(self, name: str, why: str) -> None:
        self.tally.skipped += 1
        self.say(f"skip {self.group}: {name}: {why}")

    def count(self, passed: int, failed: int, skipped: int = 0) -> None:
        """Cases that another program ran and named."""
        self.tally.add(Tally(passed, failed, skipped))

    def check(self, name: str, problem: str) -> None:
        """Passes when there is no problem."""
        if problem:
            self.failed(name, problem)
        else:
            self.passed(name)

    def run(self, body: Callable[[], None]) -> Tally:
        """Runs the group; what it raises is one failed case."""
        start = time.monotonic()
        try:
            body()
        except Skip as why:
            self.skipped("the whole group", str(why))
        except Exception as why:
            self.failed("the group runs to its end", "".join(traceback.format_exception(why)[-4:]))
        if self.tally == Tally():
            self.failed("the group runs to its end", "it had no case at all")
        self.say(f"== {self.group}: {self.tally.line()} ({time.monotonic() - start:.0f} s)")
        return self.tally
