# SPDX-License-Identifier: GPL-2.0-only
"""Files whose records are full of names: a value that leaves such a record moves names out of it."""

from __future__ import annotations

import mmap
import os
import random
import time
from dataclasses import dataclass

from ..case import Report
from ..ntfs_raw import ATTRIBUTE_LIST, FILE_NAME, RawVolume, attributes
from .ground import FOLDER, Ground, differs, links_of, read_whole
from .threshold import collect, spawn

LONGEST_WAIT = 300.0


@dataclass
class Base:
    """What a base record holds of names."""

    names: int
    has_list: bool


def bases(image: str, inodes: dict[str, int]) -> dict[str, Base]:
    """The base record of each file, read below every driver."""
    raw, found = RawVolume(image), {}
    try:
        for name, number in inodes.items():
            record = raw.read_record(number)
            assert record is not None, f"record {number} is not there"
            kinds = [attribute.type for attribute in attributes(record)]
            found[name] = Base(kinds.count(FILE_NAME), ATTRIBUTE_LIST in kinds)
    finally:
        raw.close()
    return found


def watch(folder: str, links: dict[str, list[str]], stop: mmap.mmap) -> str:
    """Finds every file by every name again and again, and lists the folder, until it is told to stop."""
    wanted, until = {*links, *(name for names in links.values() for name in names)}, time.monotonic() + LONGEST_WAIT
    turns = 0
    while not stop[0] and time.monotonic() < until:
        for name, others in links.items():
            numbers = {os.stat(f"{folder}/{other}").st_ino for other in (name, *others)}
            if len(numbers) != 1:
                return f"the names of {name!r} are of several files: {numbers}"
            count = os.stat(f"{folder}/{name}").st_nlink
            if count != 1 + len(others):
                return f"{name!r} has {count} links"
        missing = wanted - set(os.listdir(folder))
        if missing:
            return f"not listed: {sorted(missing)[:3]}"
        turns += 1
    return "" if turns else "not one turn was made"


def write(folder: str, name: str, content: bytes, durable: bool) -> None:
    fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_TRUNC)
    try:
        assert os.pwrite(fd, content, 0) == len(content), "a short write"
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def compared(folder: str, ground: Ground, links: dict[str, list[str]]) -> None:
    problems = []
    for name, others in links.items():
        for other in (name, *others):
            problem = differs(read_whole(f"{folder}/{other}"), ground.contents[name])
            if problem:
                problems.append(f"{other!r}: {problem}")
    assert not problems, "\n".join(problems[:8])


def run(report: Report, ground: Ground, seed: int, lengths: list[int]) -> None:
    """All of them are written at once with somebody who looks for the names; then made short again, and long again."""
    dice = random.Random(seed)
    links = {f"crowd {number:02}": links_of(f"crowd {number:02}", length) for number, length in enumerate(lengths)}
    with ground.mount() as root:
        inodes = {name: os.stat(f"{root}/{FOLDER}/{name}").st_ino for name in links}
    before = bases(ground.image, inodes)
    with ground.mount() as root:
        folder, stop = f"{root}/{FOLDER}", mmap.mmap(-1, mmap.PAGESIZE)
        children = [spawn(watch, folder, links, stop) for _ in range(2)]
        with report.case(f"values leave records that are full of names, seed {seed}"):
            for name in dice.sample(sorted(links), len(links)):
                ground.contents[name] = dice.randbytes(dice.choice((800, 5000, 40000)))
                write(folder, name, ground.contents[name], dice.random() < 0.5)
            compared(folder, ground, links)
        stop[0] = 1
        problems = [said for child in children if (said := collect(*child))]
        report.check("all names are found meanwhile", problems)
    now = bases(ground.image, inodes)
    with report.case("names are in other records than before"):
        moved = [name for name in links if now[name].names < before[name].names]
        report.note(f"{report.prefix}: names left {[sum(map(len, links[name])) for name in moved]}")
        assert len(moved) >= 3, f"of {len(links)} files {len(moved)} had to move a name: {before}"
        lists = [name for name in moved if not before[name].has_list]
        assert lists, "each of them had an attribute list before"
    with ground.mount() as root, report.case("the values come back into the records, and leave them again"):
        folder = f"{root}/{FOLDER}"
        for size in (0, 20, 30000, 1, 2000):
            for name in links:
                ground.contents[name] = dice.randbytes(size)
                write(folder, name, ground.contents[name], dice.random() < 0.2)
            compared(folder, ground, links)
    with ground.mount() as root, report.case("all is there after a remount"):
        compared(f"{root}/{FOLDER}", ground, links)
