# SPDX-License-Identifier: GPL-2.0-only
"""Counts the names of a volume: those that can be stat'ed, and those that are listed but give an error.

Few of them are counted as they are listed, so that nothing is listed to its end in vain. For many it is find(1), since
broken volumes can have forty thousand names and Python is slow under emulation.
"""

from __future__ import annotations

import os
import select
import stat
import subprocess
import time
from collections.abc import Callable, Iterator

from . import syscalls, volume


# More than so many are many.
FEW = 1000
SECONDS_BETWEEN_LOOKS = 5.0
# A listing that goes round in a circle moves too, so it has an end here. The debug kernel lists 50,000 names in
# half a minute, and takes three times as long beside other guests.
MOST_SECONDS_WITHOUT_A_NAME = 180.0


def positions(pid: int) -> str:
    """How far a process has come in what it has open. It moves with each piece of a folder that is listed."""
    words = []
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fdinfo"):
            with open(f"/proc/{pid}/fdinfo/{descriptor}") as file:
                words.append(f"{descriptor} {file.readline()}")
    except OSError:
        # A descriptor that was closed meanwhile, or the process has ended.
        pass
    return "".join(sorted(words))


def names(root: str) -> Iterator[tuple[str, os.stat_result | OSError]]:
    """The names below a folder as they are listed, each folder before what is in it: a path, and its stat or what is wrong
    with the name or with listing the folder."""
    above: list[tuple[str, Iterator[os.DirEntry[str]]]] = []

    def enter(path: str) -> OSError | None:
        try:
            above.append((path, os.scandir(path)))
        except OSError as error:
            return error
        return None

    wrong = enter(root)
    if wrong:
        yield root, wrong
    while above:
        folder, entries = above[-1]
        try:
            entry = next(entries, None)
        except OSError as error:
            above.pop()
            yield folder, error
            continue
        if entry is None:
            above.pop()
            continue
        try:
            info = os.lstat(entry.path)
        except OSError as error:
            yield entry.path, error
            continue
        yield entry.path, info
        if stat.S_ISDIR(info.st_mode) and (wrong := enter(entry.path)):
            yield entry.path, wrong


def count(root: str, tick: Callable[[], None], most: int) -> tuple[int, int]:
    """(names with a working stat, names and folders with an error); no more than `most` names."""
    return count_few(root, tick, most) if most <= FEW else count_many(root, tick, most)


def count_few(root: str, tick: Callable[[], None], most: int) -> tuple[int, int]:
    """Ends at `most` names; errors end it later, so that their order among the names decides nothing."""
    good = bad = 0
    for _, info in names(root):
        tick()
        if isinstance(info, OSError):
            bad += 1
        else:
            good += 1
        if good >= most or bad >= 4 * most:
            break
    return good, bad


def count_many(root: str, tick: Callable[[], None], most: int) -> tuple[int, int]:
    """Ends at `most` names; errors end it later, so that their order among the names decides nothing. find(1)
    lists a folder of up to 100,000 names to its end before it says anything of it; its position in the
    folder is the sign of life until then.
    """
    find = subprocess.Popen(
        ["find", root, "-mindepth", "1", "-printf", "%s %P\\0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    good = bad = 0
    assert find.stdout
    seen, heard = "", time.monotonic()
    while True:
        if not select.select([find.stdout], [], [], SECONDS_BETWEEN_LOOKS)[0]:
            now = positions(find.pid)
            if now != seen and time.monotonic() - heard < MOST_SECONDS_WITHOUT_A_NAME:
                tick()
            seen = now
            continue
        heard = time.monotonic()
        piece = os.read(find.stdout.fileno(), 1 << 16)
        if not piece:
            break
        good += piece.count(b"\0")
        bad += piece.count(b"find: ")
        tick()
        if good >= most or bad >= 4 * most:
            find.kill()
            break
    find.wait()
    return min(good, most), bad


def mount_and_count(fstype: str, device: str, most: int, more: Callable[[str, Callable[[], None]], None] | None = None):
    """A step for `watch`: [errno of mount or 0, names, errors]. `more` runs on the mount as well."""
    target = f"/mnt/count-{fstype}"
    os.makedirs(target, exist_ok=True)

    def step(tick: Callable[[], None]) -> list[int]:
        try:
            syscalls.mount(device, target, fstype, syscalls.MS_RDONLY)
        except OSError as error:
            return [error.errno or -1, 0, 0]
        tick()
        try:
            good, bad = count(target, tick, most)
            if more:
                more(target, tick)
        finally:
            volume.unmount(target)
        return [0, good, bad]

    return step
