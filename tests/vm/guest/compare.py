# SPDX-License-Identifier: GPL-2.0-only
"""What two listings of one volume disagree on, aspect by aspect.

An oracle can be wrong too. Its known errors stand in a table with their reasons (`known.py`); what the
table explains is reported as a note and left out, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .walk import Entry, Listing


@dataclass(frozen=True)
class Known:
    """An oracle's answer that is not ours, and why that is right. `matches` gets the entry and the volume's spec."""

    oracle: str
    aspect: str
    matches: Callable[[Entry, dict], bool]
    reason: str


def _times(entry: Entry) -> tuple[int, int, int]:
    return (entry.mtime, entry.atime, entry.ctime)


# aspect -> what is compared for one entry; None: this entry has no such aspect.
ASPECTS: dict[str, Callable[[Entry], object]] = {
    "types": lambda e: e.type,
    "sizes": lambda e: e.size if e.type == "file" else None,
    "contents": lambda e: (e.sha256, e.error) if e.type == "file" else None,
    "times": _times,
    "link counts": lambda e: e.nlink if e.type == "file" else None,
    "link targets": lambda e: e.target if e.type == "symlink" else None,
    "device numbers": lambda e: e.rdev if e.type in ("char", "block") else None,
}


@dataclass
class Differences:
    """Problems per aspect, and the disagreements that the table explains."""

    problems: dict[str, list[str]]
    explained: dict[str, list[str]]


def compare(oracle_name: str, oracle: Listing, ours: Listing, known: Iterable[Known] = (), spec: dict | None = None) -> Differences:
    """Ours against the oracle's, in both directions."""
    table = [row for row in known if row.oracle == oracle_name]
    problems: dict[str, list[str]] = {aspect: [] for aspect in ("names", *ASPECTS)}
    explained: dict[str, list[str]] = {}

    def differ(aspect: str, entry: Entry, text: str) -> None:
        for row in table:
            if row.aspect == aspect and row.matches(entry, spec or {}):
                explained.setdefault(row.reason, []).append(f"{aspect}: {entry.path}")
                return
        problems[aspect].append(text)

    for path, entry in oracle.entries.items():
        if path not in ours.entries:
            differ("names", entry, f"{path!r}: missing")
    for path, entry in ours.entries.items():
        theirs = oracle.entries.get(path)
        if theirs is None:
            differ("names", entry, f"{path!r}: not in the oracle's listing")
            continue
        # Of two different kinds of thing only that is worth saying.
        for aspect, value in ASPECTS.items() if theirs.type == entry.type else [("types", ASPECTS["types"])]:
            want, got = value(theirs), value(entry)
            if want != got:
                differ(aspect, entry, f"{path!r}: {oracle_name} says {want!r}, we say {got!r}")
    problems["names"] += [f"listing: {error}" for error in ours.errors if error not in oracle.errors]
    return Differences(problems, explained)
