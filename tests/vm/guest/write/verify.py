# SPDX-License-Identifier: GPL-2.0-only
"""Does at random what programs do to files, keeps a model of each in memory, and compares every read with it.

One seed gives one run. A difference ends the run of that volume with the last steps on that file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import random
from collections.abc import Callable

from .. import syscalls, volume
from ..case import Report
from .ground import FOLDER, Ground, differs, is_compressed, mixture

LARGEST = 3 << 20
PIECE = 1 << 20
BLOCK = 4096
KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE = 1, 2, 8, 16, 32
MODES = {
    "allocate": 0, "allocate beyond": KEEP_SIZE, "punch": PUNCH_HOLE | KEEP_SIZE, "zero": ZERO_RANGE,
    "zero beyond": ZERO_RANGE | KEEP_SIZE, "collapse": COLLAPSE_RANGE, "insert": INSERT_RANGE,
}  # fmt: skip
GET_FLAGS, IS_COMPRESSED = 0x80086601, 0x4
# What cannot be done to a compressed file: no clusters are set aside for it, and its units do not move.
NOT_IN_UNITS = ("allocate beyond", "collapse", "insert")


class Wrong(AssertionError):
    """A file is not as its model."""


class Subject:
    """A file with its model."""

    def __init__(self, root: str, name: str, content: bytes, steps: list[str]) -> None:
        self.name, self.model, self.steps = name, bytearray(content), steps
        self.open(root)

    def open(self, root: str) -> None:
        self.path = f"{root}/{FOLDER}/{self.name}"
        self.fd = os.open(self.path, os.O_RDWR)

    def close(self) -> None:
        os.close(self.fd)

    def compare(self, what: str, found: bytes, place: int, wanted: bytes) -> None:
        problem = differs(found, wanted)
        if problem:
            steps = "\n".join(self.steps[-14:])
            raise Wrong(f"{self.name!r} of {len(self.model)} bytes, {what} at {place}: {problem}\n{steps}")

    def size(self) -> None:
        found = os.fstat(self.fd).st_size
        if found != len(self.model):
            raise Wrong(f"{self.name!r}: size {found} instead of {len(self.model)}\n" + "\n".join(self.steps[-14:]))


class Exerciser:
    """One run over all files of a volume."""

    def __init__(self, ground: Ground, seed: int, unsupported: list[str]) -> None:
        self.ground, self.dice, self.unsupported = ground, random.Random(seed), set(unsupported)
        self.pool = mixture(self.dice, 2 * PIECE)
        self.refused: set[str] = set()
        # What was done to each file, over all mounts.
        self.steps: dict[str, list[str]] = {}
        self.done = 0
        self.at: Subject | None = None
        # How often each step is taken, of the sum.
        self.acts: list[tuple[int, Callable[[Subject], str]]] = [
            (22, self.write), (8, self.append), (12, self.truncate), (10, self.allocate), (12, self.map_write),
            (6, self.direct_write), (10, self.read), (4, self.map_read), (5, self.direct_read), (4, self.seek),
            (3, self.extents), (4, self.sync), (3, self.whole),
        ]  # fmt: skip

    def bytes(self, length: int) -> bytes:
        start = self.dice.randrange(len(self.pool) - length + 1)
        return self.pool[start : start + length]

    def length(self) -> int:
        """Short ones mostly; now and then up to 1 MiB."""
        return self.dice.choice((
            self.dice.randrange(16), self.dice.randrange(300), self.dice.randrange(300), self.dice.randrange(5000),
            self.dice.randrange(70000), 4096, self.dice.randrange(PIECE) if self.dice.random() < 0.3 else 512,
        ))  # fmt: skip

    def place(self, subject: Subject) -> int:
        """In the file, around its end, or behind it."""
        size, dice = len(subject.model), self.dice
        return min(LARGEST, max(0, dice.choice((
            dice.randrange(size + 1), dice.randrange(size + 1), size - dice.randrange(100), size + dice.randrange(1000),
            dice.randrange(1200), dice.randrange(size + 1) & ~(BLOCK - 1), dice.randrange(max(size * 2, 8192)),
        ))))  # fmt: skip

    @staticmethod
    def put(model: bytearray, place: int, piece: bytes) -> None:
        if piece:
            model += bytes(max(place - len(model), 0))
            model[place : place + len(piece)] = piece

    def write(self, subject: Subject) -> str:
        place, piece = self.place(subject), self.bytes(self.length())
        written = os.pwrite(subject.fd, piece, place)
        assert written == len(piece), f"pwrite: {written} of {len(piece)} bytes"
        self.put(subject.model, place, piece)
        return f"write {len(piece)} at {place}"

    def append(self, subject: Subject) -> str:
        piece = self.bytes(self.length()) if len(subject.model) < LARGEST else b""
        # By a descriptor of its own: this flag belongs to the open.
        fd = os.open(subject.path, os.O_WRONLY | os.O_APPEND)
        try:
            assert os.write(fd, piece) == len(piece), "a short write"
        finally:
            os.close(fd)
        subject.model += piece
        return f"append {len(piece)}"

    def truncate(self, subject: Subject) -> str:
        size = self.dice.choice((
            0, 1, self.dice.randrange(560, 780), self.dice.randrange(3500, 4100), self.place(subject), len(subject.model) // 2,
            self.ground.cluster + self.dice.randrange(-1, 2), min(LARGEST, len(subject.model) + self.dice.randrange(200000)),
        ))  # fmt: skip
        os.ftruncate(subject.fd, size)
        subject.model += bytes(max(size - len(subject.model), 0))
        del subject.model[size:]
        return f"truncate to {size}"

    def allocate(self, subject: Subject) -> str:
        name, size = self.dice.choice(list(MODES)), len(subject.model)
        place, length = self.place(subject), max(self.length(), 1)
        if name in ("collapse", "insert"):
            unit = max(self.ground.cluster, BLOCK)
            place, length = place // unit * unit, -(-length // unit) * unit
            if place + length >= size and name == "collapse" or place >= size or size + length > LARGEST:
                return "nothing"
        try:
            syscalls.fallocate(subject.fd, MODES[name], place, length)
        except OSError as error:
            refused = name in self.unsupported or is_compressed(subject.name) and name in NOT_IN_UNITS
            if error.errno == errno.EOPNOTSUPP and refused:
                self.refused.add(name)
                return f"{name}: not supported"
            raise
        model, end = subject.model, place + length
        if name in ("punch", "zero", "zero beyond"):
            model[place : min(end, size)] = bytes(max(min(end, size) - place, 0))
        if name in ("allocate", "zero"):
            model += bytes(max(end - size, 0))
        elif name == "collapse":
            del model[place:end]
        elif name == "insert":
            model[place:place] = bytes(length)
        return f"{name} {length} at {place}"

    def map_write(self, subject: Subject) -> str:
        size = len(subject.model)
        if not size:
            return "nothing"
        place = self.dice.randrange(size)
        piece = self.bytes(min(self.length(), size - place))
        with mmap.mmap(subject.fd, size) as view:
            view[place : place + len(piece)] = piece
            if self.dice.random() < 0.5:
                view.flush()
        self.put(subject.model, place, piece)
        return f"store {len(piece)} at {place}"

    def direct(self, subject: Subject, flags: int) -> int | None:
        try:
            return os.open(subject.path, flags | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL or "direct" not in self.unsupported:
                raise
            self.refused.add("direct")
            return None

    def direct_write(self, subject: Subject) -> str:
        fd = self.direct(subject, os.O_WRONLY)
        if fd is None:
            return "nothing"
        place, length = self.place(subject) // BLOCK * BLOCK, self.dice.choice((1, 1, 2, 5, 16, 40)) * BLOCK
        piece = self.bytes(length)
        with mmap.mmap(-1, length) as buffer:
            buffer[:] = piece
            try:
                written = os.pwritev(fd, [buffer], place)
            finally:
                os.close(fd)
        assert written == length, f"direct write: {written} of {length} bytes"
        self.put(subject.model, place, piece)
        return f"direct write {length} at {place}"

    def direct_read(self, subject: Subject) -> str:
        fd = self.direct(subject, os.O_RDONLY)
        if fd is None:
            return "nothing"
        place, length = self.place(subject) // BLOCK * BLOCK, self.dice.choice((1, 4, 16, 64)) * BLOCK
        with mmap.mmap(-1, length) as buffer:
            try:
                count = os.preadv(fd, [buffer], place)
            finally:
                os.close(fd)
            subject.compare("direct read", buffer[:count], place, bytes(subject.model[place : place + length]))
        return f"direct read {length} at {place}"

    def read(self, subject: Subject) -> str:
        place, length = self.place(subject), self.length()
        subject.compare("read", os.pread(subject.fd, length, place), place, bytes(subject.model[place : place + length]))
        return f"read {length} at {place}"

    def map_read(self, subject: Subject) -> str:
        if subject.model:
            with mmap.mmap(subject.fd, 0, prot=mmap.PROT_READ) as view:
                subject.compare("mapping", view[:], 0, bytes(subject.model))
        return "map and read"

    def whole(self, subject: Subject) -> str:
        found = bytearray()
        while piece := os.pread(subject.fd, PIECE, len(found)):
            found += piece
        subject.compare("the whole", bytes(found), 0, bytes(subject.model))
        return "read the whole"

    def seek(self, subject: Subject) -> str:
        """What is called a hole holds zeros only; data and holes take turns up to the end."""
        place, size = 0, len(subject.model)
        while place < size:
            try:
                data = os.lseek(subject.fd, place, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                data = size
            if any(subject.model[place:data]):
                subject.compare("SEEK_DATA passes over data", bytes(data - place), place, bytes(subject.model[place:data]))
            if data >= size:
                break
            place = os.lseek(subject.fd, data, os.SEEK_HOLE)
            assert data < place <= size, f"SEEK_HOLE from {data} gives {place} of {size}"
        return "seek"

    def extents(self, subject: Subject) -> str:
        before = -1
        for extent in syscalls.fiemap(subject.fd):
            assert extent.logical >= before, f"fiemap goes back from {before} to {extent.logical}"
            before = extent.logical + extent.length
        return "fiemap"

    def sync(self, subject: Subject) -> str:
        what = self.dice.choice((os.fsync, os.fdatasync))
        what(subject.fd)
        return what.__name__

    def step(self, subject: Subject) -> None:
        """One step on one file. What it raises is the finding, with the steps before it."""
        act = self.dice.choices([act for _, act in self.acts], [weight for weight, _ in self.acts])[0]
        subject.steps.append(f"({act.__name__} was begun)")
        try:
            said = act(subject)
        except Wrong:
            raise
        except (OSError, AssertionError) as error:
            steps = "\n".join(subject.steps[-14:])
            raise Wrong(f"{subject.name!r} of {len(subject.model)} bytes: {error}\n{steps}") from error
        subject.steps[-1] = said
        subject.size()

    def turn(self, subjects: list[Subject], steps: int) -> None:
        """The steps of one mount; every file whole at both ends."""
        for subject in subjects:
            self.at = subject
            subject.size()
            self.whole(subject)
        for _ in range(steps):
            self.at = chosen = self.dice.choice(subjects)
            # Several on end, since what follows a step at once matters most.
            for _ in range(4):
                self.step(chosen)
                self.done += 1
            if self.dice.random() < 0.04:
                volume.drop_caches()
                self.whole(chosen)
        for subject in subjects:
            self.at = subject
            self.whole(subject)

    def run(self, steps: int, remounts: int) -> str:
        """All steps, over as many mounts. Returns the finding that ended them; its file is no longer known then."""
        contents, problem = self.ground.contents, ""
        for number in range(remounts + 1):
            with self.ground.mount() as root, contextlib.ExitStack() as opened:
                subjects = []
                for name in sorted(contents):
                    subjects.append(Subject(root, name, contents[name], self.steps.setdefault(name, [])))
                    subjects[-1].steps.append(f"mount number {number + 1}")
                    opened.callback(subjects[-1].close)
                try:
                    self.turn(subjects, steps // (remounts + 1))
                except Wrong as error:
                    problem = str(error)
                contents.update({subject.name: bytes(subject.model) for subject in subjects})
                if problem and self.at:
                    del contents[self.at.name]
            if problem:
                return f"after {self.done} steps, on mount {number + 1}: {problem}"
        return ""


def smaller(report: Report, ground: Ground) -> None:
    """Compressed files are what they are called, and take no more than they need; what does not get smaller is whole."""
    text, noise = b"what gets smaller, gets it well; " * 10000, random.Random(1).randbytes(200_000)
    with report.case("what is written to a compressed file takes less than its bytes"), ground.mount() as root:
        for name in sorted(filter(is_compressed, ground.contents)):
            fd = os.open(f"{root}/{FOLDER}/{name}", os.O_RDWR)
            try:
                flags = fcntl.ioctl(fd, GET_FLAGS, bytes(8))
                os.pwrite(fd, text, 0)
                os.ftruncate(fd, len(text))
                os.fsync(fd)
                taken = os.fstat(fd).st_blocks * 512
                os.pwrite(fd, noise, len(text))
                os.fsync(fd)
                more = os.fstat(fd).st_blocks * 512 - taken
            finally:
                os.close(fd)
            ground.contents[name] = text + noise
            assert int.from_bytes(flags[:4], "little") & IS_COMPRESSED, f"{name!r} is not compressed"
            assert taken < len(text) // 6, f"{name!r}: {len(text)} bytes of text take {taken}"
            assert more > len(noise) // 2, f"{name!r}: {len(noise)} bytes of noise take {more}"


def far(report: Report, ground: Ground) -> None:
    """Beyond 2 GiB and 4 GiB a compressed file has what was written there, whoever reads it."""
    name = next(filter(is_compressed, sorted(ground.contents)))
    places = {at: mixture(random.Random(at), 150_000) for at in ((2 << 30) - 70_000, (4 << 30) - 1, (5 << 30) + 12345)}

    def agree(fd: int) -> None:
        for at, piece in places.items():
            problem = differs(os.pread(fd, len(piece), at), piece)
            assert not problem, f"{len(piece)} bytes at {at}: {problem}"

    with report.case("a compressed file is written beyond 2 GiB and 4 GiB"):
        with ground.mount() as root, open(f"{root}/{FOLDER}/{name}", "r+b", buffering=0) as file:
            for at, piece in places.items():
                os.pwrite(file.fileno(), piece, at)
            agree(file.fileno())
            os.fsync(file.fileno())
            volume.drop_caches()
            agree(file.fileno())
        with volume.ntfs3g(ground.image, readonly=True) as root, open(f"{root}/{FOLDER}/{name}", "rb", buffering=0) as file:
            agree(file.fileno())
        with ground.mount() as root, open(f"{root}/{FOLDER}/{name}", "r+b", buffering=0) as file:
            agree(file.fileno())
            at = (4 << 30) + 30_000
            syscalls.fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, at, 100_000)
            found, piece = os.pread(file.fileno(), 150_000, (4 << 30) - 1), places[(4 << 30) - 1]
            problem = differs(found, piece[:30_001] + bytes(100_000) + piece[130_001:])
            assert not problem, f"after a punch: {problem}"
            os.ftruncate(file.fileno(), len(ground.contents[name]))


def run(report: Report, ground: Ground, seed: int, steps: int, remounts: int, unsupported: list[str]) -> None:
    """All steps, and what the compressed files take at the end."""
    exerciser = Exerciser(ground, seed, unsupported)
    with report.case(f"{steps * 4} steps at random with {remounts} remounts agree with their model (seed {seed})"):
        problem = exerciser.run(steps, remounts)
        assert not problem, problem
        if exerciser.refused:
            report.note(f"{report.prefix}: not supported: {', '.join(sorted(exerciser.refused))}")
    if any(map(is_compressed, ground.contents)):
        smaller(report, ground)
        far(report, ground)
