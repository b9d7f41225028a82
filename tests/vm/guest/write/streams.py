# SPDX-License-Identifier: GPL-2.0-only
"""Named streams, written as extended attributes: at random, hundreds on one file, and beside those who read and write the file."""

from __future__ import annotations

import errno
import mmap
import os
import random
import struct
import time
import zlib

from .. import volume
from ..case import Report, expect_error
from .ground import FOLDER, Ground, differs, read_whole
from .threshold import MEMORY, collect, spawn

NAMES = [f"{number:02} {'x' * length}" for number, length in enumerate((0, 3, 10, 20, 60, 0, 5, 11, 200, 2, 7, 1))]
LENGTHS = (0, 1, 20, 60, 100, 200, 400, 680, 760, 1000, 3000, 3900, 5000, 20_000, 65_536)
HEADER = struct.Struct("<III")
LONGEST_WAIT = 300.0


def user(name: str) -> str:
    return f"user.{name}"


def path_of(root: str, name: str) -> str:
    """A file of the volume, or the folder that they are in."""
    return f"{root}/{FOLDER}/{name}".rstrip("/")


def all_streams(path: str) -> dict[str, bytes]:
    return {name[5:]: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith("user.")}


def wrong_streams(path: str, wanted: dict[str, bytes]) -> str:
    """How the streams of a file differ from those that it should have, in words."""
    found = all_streams(path)
    if set(found) != set(wanted):
        return f"missing {sorted(set(wanted) - set(found))[:4]}, too many {sorted(set(found) - set(wanted))[:4]}"
    for name in wanted:
        if problem := differs(found[name], wanted[name]):
            return f"{name!r}: {problem}"
    return ""


class Exerciser:
    """Random changes of the streams of all files, and of the files themselves; a model has what should be there."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground, self.dice = ground, random.Random(seed)
        self.steps: dict[str, list[str]] = {name: [] for name in ground.streams}
        self.refused = 0

    def length(self) -> int:
        return self.dice.randrange(self.dice.choice(LENGTHS) + 1)

    def set(self, path: str, name: str) -> str:
        stream, value = self.dice.choice(NAMES), self.dice.randbytes(self.length())
        streams = self.ground.streams[name]
        flags = self.dice.choice((0, 0, os.XATTR_REPLACE if stream in streams else os.XATTR_CREATE))
        os.setxattr(path, user(stream), value, flags)
        streams[stream] = value
        return f"set {stream[:12]!r} {len(value)}"

    def remove(self, path: str, name: str) -> str:
        stream = self.dice.choice(NAMES)
        if self.ground.streams[name].pop(stream, None) is None:
            expect_error(errno.ENODATA, os.removexattr, path, user(stream))
            expect_error(errno.ENODATA, os.setxattr, path, user(stream), b"", os.XATTR_REPLACE)
        else:
            expect_error(errno.EEXIST, os.setxattr, path, user(stream), b"", os.XATTR_CREATE)
            os.removexattr(path, user(stream))
        return f"remove {stream[:12]!r}"

    def write(self, path: str, name: str) -> str:
        """Of the file itself, which crosses its record's limits."""
        if not name:
            return ""
        content = self.dice.randbytes(self.dice.choice((0, 10, 300, 600, 700, 5000)))
        with open(path, "r+b") as file:
            file.truncate(self.dice.choice((0, len(content))))
            file.write(content)
        self.ground.contents[name] = content
        return f"write {len(content)}"

    def sync(self, path: str, name: str) -> str:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return "fsync"

    def run(self, root: str, steps: int) -> None:
        acts = ((self.set, 12), (self.remove, 5), (self.write, 3), (self.sync, 1))
        for _ in range(steps):
            name = self.dice.choice(list(self.ground.streams))
            path, (act,) = path_of(root, name), self.dice.choices([act for act, _ in acts], [weight for _, weight in acts])
            self.steps[name].append(act(path, name))
            if problem := wrong_streams(path, self.ground.streams[name]):
                raise AssertionError(f"{name!r}: {problem}\n" + "; ".join(self.steps[name][-12:]))


def verify(report: Report, ground: Ground, seed: int, steps: int) -> None:
    exerciser = Exerciser(ground, seed)
    for turn in range(3):
        with report.case(f"random changes of streams, mount {turn}, seed {seed}"), ground.mount() as root:
            exerciser.run(root, steps)
            for name, streams in ground.streams.items():
                assert not (problem := wrong_streams(path_of(root, name), streams)), f"{name!r}: {problem}"
        with report.case(f"streams and files after mount {turn}"), ground.mount() as root:
            for name, streams in ground.streams.items():
                assert not (problem := wrong_streams(path_of(root, name), streams)), f"{name!r}: {problem}"
                if name:
                    assert not (problem := differs(read_whole(path_of(root, name)), ground.contents[name])), f"{name!r}: {problem}"


def many(report: Report, ground: Ground, name: str, seed: int, count: int) -> None:
    """So many streams that their list is in clusters."""
    dice, streams = random.Random(seed), ground.streams[name]
    with report.case(f"{count} streams on {name!r}"), ground.mount() as root:
        path = path_of(root, name)
        for number in range(count):
            streams[f"one of many, {number}"] = dice.randbytes(dice.randrange(150))
            os.setxattr(path, user(f"one of many, {number}"), streams[f"one of many, {number}"])
            if number % 50 == 49:
                os.sync()
        assert not (problem := wrong_streams(path, streams)), problem
    with report.case(f"most of {count} streams go again"), ground.mount() as root:
        path = path_of(root, name)
        assert not (problem := wrong_streams(path, streams)), problem
        for stream in dice.sample(sorted(streams), len(streams) - 20):
            os.removexattr(path, user(stream))
            del streams[stream]
        assert not (problem := wrong_streams(path, streams)), problem


def errors(report: Report, ground: Ground, name: str) -> None:
    with report.case("names that no stream can have, and attributes that are no streams"), ground.mount() as root:
        path = path_of(root, name)
        for bad in ("user.", "user.a/b", "user.a:b", "user.\udcff"):
            expect_error(errno.EINVAL, os.setxattr, path, bad, b"1")
        for other in ("trusted.x", "security.x", "system.x", "system.ntfs_ea"):
            expect_error(errno.EOPNOTSUPP, os.setxattr, path, other, b"1")
            expect_error(errno.EOPNOTSUPP, os.removexattr, path, other)
        expect_error(errno.ENODATA, os.removexattr, path, "user.")
        assert not (problem := differs(read_whole(path), ground.contents[name])), problem
    with report.case("a stream changes the ctime of the file, and nothing else of it"):
        with ground.mount() as root:
            path = path_of(root, name)
            before = os.stat(path)
            time.sleep(0.02)
            os.setxattr(path, user("timed"), b"1")
            after = os.stat(path)
            assert after.st_ctime_ns > before.st_ctime_ns and after.st_mtime_ns == before.st_mtime_ns
            assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)
        ground.streams[name]["timed"] = b"1"
        with ground.mount() as root:
            again = os.stat(path_of(root, name))
            assert (again.st_ctime_ns // 100, again.st_mtime_ns // 100) == (after.st_ctime_ns // 100, after.st_mtime_ns // 100)


def copied(report: Report, ground: Ground, source: str, to: str) -> None:
    with report.case("cp takes the streams along"), ground.mount() as root:
        volume.run("cp", "--preserve=xattr", path_of(root, source), path_of(root, to))
        ground.streams[to].update(ground.streams[source])
        ground.contents[to] = ground.contents[source]
        assert not (problem := wrong_streams(path_of(root, to), ground.streams[to])), problem


def sealed(generation: int, length: int) -> bytes:
    """A value that tells whether it is whole."""
    body = bytes((generation * 31 + place * 7) % 256 for place in range(251))
    body = (body * (length // 251 + 1))[:length]
    return HEADER.pack(generation, length, zlib.crc32(body)) + body


def broken(value: bytes) -> str:
    if len(value) < HEADER.size:
        return f"{len(value)} bytes"
    _, length, check = HEADER.unpack_from(value)
    body = value[HEADER.size :]
    return "" if len(body) == length and zlib.crc32(body) == check else f"{len(body)} bytes of {length}, or others"


def watch(path: str, names: list[str], stop: mmap.mmap) -> str:
    """Reads the streams again and again: each is there, and whole."""
    until, turns = time.monotonic() + LONGEST_WAIT, 0
    while not stop[0] and time.monotonic() < until:
        for name in names:
            try:
                value = os.getxattr(path, user(name))
            except OSError as error:
                # Longer than when its length was asked for.
                if error.errno == errno.ERANGE:
                    continue
                return f"{name!r}: {error}"
            if problem := broken(value):
                return f"{name!r} is not whole: {problem}"
        if missing := {user(name) for name in names} - set(os.listxattr(path)):
            return f"not listed: {missing}"
        turns += 1
    return "" if turns else "not one turn was made"


def write_data(path: str, seed: int, stop: mmap.mmap) -> str:
    """Changes the file, so that its value leaves the record and comes back."""
    dice, until = random.Random(seed), time.monotonic() + LONGEST_WAIT
    fd = os.open(path, os.O_RDWR)
    try:
        while not stop[0] and time.monotonic() < until:
            os.ftruncate(fd, dice.choice((0, 10, 200)))
            content = dice.randbytes(dice.choice((20, 400, 800, 9000, 100_000)))
            os.pwrite(fd, content, 0)
            if dice.random() < 0.3:
                os.fsync(fd)
            if (found := os.pread(fd, len(content), 0)) != content:
                return differs(found, content)
    finally:
        os.close(fd)
    return ""


def disturb(stop: mmap.mmap) -> str:
    until = time.monotonic() + LONGEST_WAIT
    while not stop[0] and time.monotonic() < until:
        os.sync()
        where, what = MEMORY["drop"]
        with open(where, "w") as file:
            file.write(what)
        time.sleep(0.01)
    return ""


def together(report: Report, ground: Ground, name: str, seed: int, seconds: float) -> None:
    dice, names = random.Random(seed), [f"sealed {number}" for number in range(6)]
    with report.case(f"streams are set while others read them and write the file (seed {seed})"), ground.mount() as root:
        path, stop = path_of(root, name), mmap.mmap(-1, mmap.PAGESIZE)
        last = {stream: sealed(0, 50) for stream in names}
        for stream, value in last.items():
            os.setxattr(path, user(stream), value)
        children = [spawn(watch, path, names, stop) for _ in range(2)]
        children += [spawn(write_data, path, seed, stop), spawn(disturb, stop)]
        until, generation = time.monotonic() + seconds, 0
        try:
            while time.monotonic() < until:
                generation += 1
                stream = dice.choice(names)
                last[stream] = sealed(generation, dice.choice((10, 100, 300, 700, 5000, 30_000)))
                os.setxattr(path, user(stream), last[stream])
                passing = f"passing {generation % 3}"
                os.setxattr(path, user(passing), dice.randbytes(dice.randrange(300)))
                os.removexattr(path, user(passing))
        finally:
            stop[0] = 1
            problems = [said for child in children if (said := collect(*child))]
        ground.streams[name].update(last)
        ground.contents[name] = read_whole(path)
        report.note(f"{report.prefix}: {generation} generations")
        assert not problems, "\n".join(problems)


def run(report: Report, ground: Ground, seed: int, steps: int, count: int, seconds: float) -> None:
    ground.streams.update({name: {} for name in ("", *ground.contents)})
    files = sorted(ground.contents)
    errors(report, ground, files[0])
    verify(report, ground, seed, steps)
    many(report, ground, files[0], seed, count)
    many(report, ground, "", seed, count)
    together(report, ground, files[1], seed, seconds)
    copied(report, ground, files[0], files[2])
