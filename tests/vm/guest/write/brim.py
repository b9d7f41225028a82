# SPDX-License-Identifier: GPL-2.0-only
"""Many ways to run a volume full: several processes at once, each with files of its own and a model of them.

Whatever fails for want of room leaves each byte as it was, or as it was to be. What a call said it did stays,
on the full volume and after a remount; emptied, the files give back every cluster.
"""

from __future__ import annotations

import errno
import mmap
import os
import pickle
import random
import signal

from .. import syscalls, volume
from ..case import Report
from . import after
from .ground import FOLDER, Ground, differs, free_clusters, is_compressed, mixture, read_whole
from .power import KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, agrees
from .threshold import collect, spawn
from .verify import INSERT_RANGE

WORKERS = 3
BLOCK = 4096
KEPT = "plain 4096"


class Filler:
    """A process that makes its files grow until there is no room, and then goes on for a while."""

    def __init__(self, folder: str, names: list[str], contents: dict[str, bytes], seed: int, cluster: int, pieces: int) -> None:
        self.dice, self.cluster, self.pieces = random.Random(seed), cluster, pieces
        self.paths = {name: f"{folder}/{name}" for name in names}
        self.models = {name: contents[name] for name in names}
        self.steps: list[str] = []
        self.refused = 0
        # A workload prefers a few of the ways.
        acts = [self.append, self.write, self.direct, self.store, self.allocate, self.insert, self.fill_hole, self.punch, self.synced, self.small]
        self.acts = [(act, self.dice.choice((0, 1, 5))) for act in acts] + [(self.append, 1), (self.truncate, 1)]

    def run(self, steps: int) -> None:
        after_full = 0
        for _ in range(steps):
            name = self.dice.choice(list(self.paths))
            act = self.dice.choices([act for act, _ in self.acts], [weight for _, weight in self.acts])[0]
            before = self.refused
            self.step(act, name)
            after_full += self.refused > 0
            if after_full > 20 and self.refused > before:
                break
        for name, path in self.paths.items():
            fd = os.open(path, os.O_RDWR)
            try:
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)
            self.compare(name)

    def compare(self, name: str) -> None:
        problem = differs(read_whole(self.paths[name]), self.models[name])
        assert not problem, f"{name!r}: {problem}\n" + "\n".join(self.steps[-12:])

    def step(self, act, name: str) -> None:
        """One call. One that does all makes of the model what it is to make; any other, each byte one or the other."""
        old = self.models[name]
        self.steps.append(f"({act.__name__} {name!r} of {len(old)} was begun)")
        new, call = act(name, bytearray(old))
        fd = os.open(self.paths[name], os.O_RDWR)
        try:
            complete = call(fd)
        except OSError as error:
            assert error.errno == errno.ENOSPC, f"{act.__name__}: {error}\n" + "\n".join(self.steps[-12:])
            complete = False
        finally:
            os.close(fd)
        self.steps[-1] = f"{act.__name__} {name!r} from {len(old)} to {len(new)} bytes: {'done' if complete else 'no room'}"
        self.models[name] = bytes(new)
        if not complete:
            self.refused += 1
            found = read_whole(self.paths[name])
            problem = agrees(found, [old, bytes(new)])
            assert not problem, f"{name!r}: {problem}\n" + "\n".join(self.steps[-12:])
            self.models[name] = found

    def piece(self) -> bytes:
        length = 1 + self.dice.choice((self.dice.randrange(900), self.dice.randrange(20000), self.dice.randrange(self.pieces)))
        return mixture(self.dice, length) if self.dice.random() < 0.3 else self.dice.randbytes(length)

    @staticmethod
    def put(model: bytearray, at: int, piece: bytes) -> bytearray:
        model += bytes(max(at - len(model), 0))
        model[at : at + len(piece)] = piece
        return model

    def written(self, model: bytearray, at: int, piece: bytes, flags: int = 0, path: str = ""):
        def call(fd: int) -> bool:
            if not flags:
                return os.pwrite(fd, piece, at) == len(piece)
            other = os.open(path, os.O_WRONLY | flags)
            try:
                with mmap.mmap(-1, len(piece)) as buffer:
                    buffer[:] = piece
                    return os.pwritev(other, [buffer], at) == len(piece)
            finally:
                os.close(other)

        return self.put(model, at, piece), call

    def append(self, name: str, model: bytearray):
        return self.written(model, len(model), self.piece())

    def write(self, name: str, model: bytearray):
        return self.written(model, self.dice.randrange(len(model) + 20000), self.piece())

    def synced(self, name: str, model: bytearray):
        return self.written(model, len(model), self.piece(), os.O_SYNC, self.paths[name])

    def small(self, name: str, model: bytearray):
        """Around what fits into the record, from an empty file now and then."""
        length = self.dice.randrange(400, 900)
        return self.written(model, 0 if len(model) < 1000 else len(model), self.dice.randbytes(length))

    def direct(self, name: str, model: bytearray):
        at = self.dice.randrange(len(model) + 1) // BLOCK * BLOCK
        return self.written(model, at, self.dice.randbytes(BLOCK * self.dice.choice((1, 4, 16))), os.O_DIRECT, self.paths[name])

    def fill_hole(self, name: str, model: bytearray):
        """A hole is made, and filled in the middle: the record gets longer, too."""
        at = len(model) + self.dice.randrange(5) * self.cluster + 5000
        return self.written(model, at, self.piece())

    def store(self, name: str, model: bytearray):
        """In a child, since a page for which there is no room kills it."""
        if not model:
            return model, lambda fd: True
        size, at = len(model), self.dice.randrange(len(model))
        piece = self.piece()[: size - at]

        def call(fd: int) -> bool:
            child = os.fork()
            if child == 0:
                view = mmap.mmap(fd, size)
                view[at : at + len(piece)] = piece
                os._exit(0)
            _, status = os.waitpid(child, 0)
            assert status == 0 or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS, f"a store ended with {status}"
            return status == 0

        return self.put(model, at, piece), call

    def allocated(self, model: bytearray, mode: int, at: int, length: int):
        def call(fd: int) -> bool:
            syscalls.fallocate(fd, mode, at, length)
            return True

        return model, call

    def allocate(self, name: str, model: bytearray):
        at, length = self.dice.randrange(len(model) + 1), len(self.piece())
        # Nothing can be set aside for a compressed file.
        mode = self.dice.choice((0, ZERO_RANGE) if is_compressed(name) else (0, KEEP_SIZE, ZERO_RANGE))
        if mode == ZERO_RANGE:
            end = min(at + length, len(model))
            model[at:end] = bytes(end - at)
        if mode != KEEP_SIZE:
            model += bytes(max(at + length - len(model), 0))
        return self.allocated(model, mode, at, length)

    def punch(self, name: str, model: bytearray):
        at, length = self.dice.randrange(len(model) + 1), len(self.piece())
        end = min(at + length, len(model))
        model[at:end] = bytes(end - at)
        return self.allocated(model, PUNCH_HOLE | KEEP_SIZE, at, length)

    def insert(self, name: str, model: bytearray):
        unit = max(self.cluster, BLOCK)
        at = self.dice.randrange(len(model) + 1) // unit * unit
        if at >= len(model) or is_compressed(name):
            return self.append(name, model)
        return self.allocated(model[:at] + bytes(unit) + model[at:], INSERT_RANGE, at, unit)

    def truncate(self, name: str, model: bytearray):
        size = self.dice.randrange(len(model) + 1)

        def call(fd: int) -> bool:
            os.ftruncate(fd, size)
            return True

        return model[:size], call


def fill(folder: str, names: list[str], contents: dict[str, bytes], seed: int, cluster: int, pieces: int, steps: int, notes: str) -> str:
    """What a process does; its models and how often there was no room are left in the file `notes`."""
    filler = Filler(folder, names, contents, seed, cluster, pieces)
    filler.run(steps)
    with open(notes, "wb") as file:
        pickle.dump((filler.models, filler.refused), file)
    return ""


def empty(folder: str, ground: Ground, names: list[str]) -> None:
    for name in names:
        os.truncate(f"{folder}/{name}", 0)
        ground.contents[name] = b""
    os.sync()


def use_all(path: str, root: str, cluster: int) -> None:
    """Not one cluster is left over."""
    fd = os.open(path, os.O_WRONLY)
    try:
        for length in (64 * max(cluster, BLOCK), cluster):
            while True:
                try:
                    if os.write(fd, b"x" * length) < length:
                        break
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
        os.fsync(fd)
    finally:
        os.close(fd)
    left = free_clusters(root)
    assert left == 0, f"{left} clusters are free, and there is no room"


def workload(report: Report, ground: Ground, seed: int, steps: int) -> None:
    names = sorted(name for name in ground.contents if name != KEPT)
    with ground.mount() as root:
        folder = f"{root}/{FOLDER}"
        empty(folder, ground, names)
        at_first = free_clusters(root)
        pieces = at_first * ground.cluster // 12
        children = [
            spawn(fill, folder, names[number::WORKERS], ground.contents, seed * 10 + number, ground.cluster, pieces, steps, f"/tmp/filled-{number}")
            for number in range(WORKERS)
        ]
        problems = [said for child in children if (said := collect(*child))]
        assert not problems, "\n".join(problems)
        refused = 0
        for number in range(WORKERS):
            with open(f"/tmp/filled-{number}", "rb") as file:
                models, count = pickle.load(file)
            ground.contents.update(models)
            refused += count
        assert refused, f"there was always room, with {free_clusters(root)} of {at_first} clusters free at the end"
    after.checkers(report, ground)
    with ground.mount() as root:
        folder = f"{root}/{FOLDER}"
        problems = [f"{name!r}: {text}" for name, wanted in ground.contents.items() if (text := differs(read_whole(f"{folder}/{name}"), wanted))]
        assert not problems, "after a remount:\n" + "\n".join(problems[:8])
        empty(folder, ground, names)
        now = free_clusters(root)
        assert now == at_first, f"{now} free clusters instead of {at_first}"
        # (Of a compressed one the last unit is set aside as a whole.)
        use_all(f"{folder}/{next(name for name in names if not is_compressed(name))}", root, ground.cluster)
        empty(folder, ground, names)
        now = free_clusters(root)
        assert now == at_first, f"{now} free clusters instead of {at_first}, after the last was used"


def run(report: Report, ground: Ground, seed: int, count: int, steps: int) -> None:
    """So many workloads, one after another on one volume."""
    prefix = report.prefix
    for number in range(count):
        report.prefix = f"{prefix}, workload {number} (seed {seed + number})"
        with report.case("a full volume keeps what it took, and gives all back"):
            workload(report, ground, seed + number, steps)
    report.prefix = prefix
