# SPDX-License-Identifier: GPL-2.0-only
"""Power cuts while several processes write: after each the volume mounts, its structures hold, and what was synced is there.

Each process has files of its own and keeps all their versions. A byte of a file may be that of any version
from the last one that was synced before the cut to the one that was being made. Before all, the volume is
filled with a pattern, so that the content of a cluster before it was allocated is recognised.
"""

from __future__ import annotations

import mmap
import os
import pickle
import random
import re
from dataclasses import dataclass, field
from typing import TypeVar

from .. import kmsg, syscalls, volume
from ..case import Report
from ..check import check
from . import cut
from .after import NTFSCK
from .ground import FOLDER, STALE, Ground, differs, is_compressed, mixture, read_whole
from .threshold import collect, spawn
from .verify import KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE

T = TypeVar("T")
BLOCK = 4096
LARGEST = 200_000
WORKERS = 3
# What a log that is not replayed leaves behind, in the words of our checker ...
LEFT = re.compile(
    r"^\$Volume: marked as dirty|^\$Bitmap: clusters \d+ to \d+ are marked and belong to nothing"
    r"|^record \d+: an extension record of record \d+, whose list has nothing of it$"
    r"|^record \d+: free or beyond \$MFT's end, and its bitmap says that it is in use$"
    r"|^record \d+: its entry .* in record \d+ has (sizes|times|flags) "
)
MIRROR = re.compile(r"^\$MFTMirr: record 3 differs")
# ... and of ntfsck, which does not say which way the bits differ: our checker does.
NTFSCK_LEFT = re.compile(
    r"Inode\((6:80|0:b0)\): Cluster bitmap|(Allocated|Data) size is different with IDX|[Vv]olume is dirty"
)
# A record that is not made yet, or that no list has yet; both have to say it of the same one.
UNKNOWN = re.compile(r"^record (\d+): (free or beyond|an extension record of record \d+, whose list has nothing)")
NTFSCK_UNKNOWN = re.compile(r"Inode\((\d+)\) open failed\. Clear MFT bitmap")
NTFSCK_MIRROR = re.compile(r"\$MFT/\$MFTMirr records do not match")


@dataclass
class History:
    """The versions of a file, each with the number of the step that made it, and the steps after which it was durable."""

    versions: list[tuple[int, bytes]]
    synced: list[int] = field(default_factory=list)
    # Ranges that were written and made durable alone: the step, where they begin, and where they end.
    pieces: list[tuple[int, int, int]] = field(default_factory=list)
    # What each step was.
    steps: list[tuple[int, str]] = field(default_factory=list)
    # Each stream by its name: its values, as the versions; `None` is none.
    streams: dict[str, list[tuple[int, bytes | None]]] = field(default_factory=dict)

    def judged(self, found: bytes, reached: int, begun: int) -> str:
        """What is wrong with the content after a cut; see `allowed`."""
        problem = agrees(found, self.allowed(reached, begun))
        for step, start, end in self.pieces:
            if step <= reached and not problem:
                later = [content for number, content in self.versions if step <= number <= begun]
                problem = agrees(found[start:end], [content[start:end] for content in later])
                problem = problem and f"written with O_SYNC at {start}: {problem}"
        return problem

    def judged_streams(self, found: dict[str, bytes], reached: int, begun: int) -> str:
        """The same of the streams, of which each is there as a whole or not at all."""
        for name, values in self.streams.items():
            wanted = self.since_sync(values, reached, begun)
            if found.get(name) not in wanted:
                value = found.get(name, b"none")
                return f"its stream {name!r} is none of {len(wanted)}: {len(value)} bytes {value[:16].hex()}"
        return f"streams nobody made: {sorted(set(found) - set(self.streams))}" if set(found) - set(self.streams) else ""

    def since_sync(self, versions: list[tuple[int, T]], reached: int, begun: int) -> list[T]:
        """The versions from the one that was there at the last sync to the one that was being made."""
        base = max((step for step in self.synced if step <= reached), default=-1)
        first = max(number for number, (step, _) in enumerate(versions) if step <= base)
        return [content for step, content in versions[first:] if step <= begun]

    def allowed(self, reached: int, begun: int) -> list[bytes]:
        """What a cut may leave of it after step `reached` had ended and while `begun` was done, oldest first."""
        return self.since_sync(self.versions, reached, begun)


class Worker:
    """A process that changes its files, one step at a time, and marks each in the log."""

    def __init__(self, root: str, number: int, names: list[str], contents: dict[str, bytes], seed: int) -> None:
        self.number, self.dice = number, random.Random(seed)
        self.paths = {name: f"{root}/{FOLDER}/{name}" for name in names}
        self.fds = {name: os.open(path, os.O_RDWR) for name, path in self.paths.items()}
        self.histories = {name: History([(-1, contents[name])]) for name in names}
        self.said = ""
        self.step = -1
        # Where the present step has written with O_SYNC.
        self.piece: tuple[int, int] | None = None

    def run(self, steps: int) -> None:
        acts = (
            (self.write, 20), (self.append, 14), (self.truncate, 10), (self.allocate, 8), (self.punch, 6), (self.zero, 4), (self.store, 10),
            (self.direct, 6), (self.durable, 8), (self.sync, 10), (self.sync_all, 2), (self.stream, 20),
        )  # fmt: skip
        for step in range(steps):
            self.step = step
            name = self.dice.choice(list(self.fds))
            act = self.dice.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
            history = self.histories[name]
            old = history.versions[-1][1]
            self.said = ""
            new = act(name, self.fds[name], bytearray(old))
            if new is not None and bytes(new) != old:
                history.versions.append((step, bytes(new)))
                if self.piece:
                    history.pieces.append((step, *self.piece))
            self.piece = None
            history.steps.append((step, f"{step} {act.__name__} {self.said} {len(old)}"))
            for synced in self.done_by(act, name):
                self.histories[synced].synced.append(step)
            cut.mark(f"{self.number}:{step}")
        for fd in self.fds.values():
            os.close(fd)

    def done_by(self, act: object, name: str) -> list[str]:
        if act == self.sync_all:
            return list(self.fds)
        return [name] if act == self.sync else []

    def length(self) -> int:
        length = 1 + self.dice.choice((self.dice.randrange(100), self.dice.randrange(5000), self.dice.randrange(40000)))
        self.said = f"({length})"
        return length

    def write(self, name: str, fd: int, model: bytearray) -> bytearray:
        place = self.dice.randrange(min(len(model) + 3000, LARGEST))
        length = self.length()
        piece = mixture(self.dice, length) if is_compressed(name) and self.dice.random() < 0.5 else self.dice.randbytes(length)
        self.said = f"{place}+{len(piece)}"
        assert os.pwrite(fd, piece, place) == len(piece), "a short write"
        model += bytes(max(place - len(model), 0))
        model[place : place + len(piece)] = piece
        return model

    def append(self, name: str, fd: int, model: bytearray) -> bytearray:
        if len(model) > LARGEST:
            return self.truncate(name, fd, model)
        piece = self.dice.randbytes(self.length())
        assert os.pwrite(fd, piece, len(model)) == len(piece), "a short write"
        return model + piece

    def durable(self, name: str, fd: int, model: bytearray) -> bytearray:
        """Behind what may be waiting in the page cache."""
        place, piece = max(len(model) - self.dice.randrange(300), 0), self.dice.randbytes(self.length())
        durable = os.open(self.paths[name], os.O_WRONLY | os.O_DSYNC)
        try:
            assert os.pwrite(durable, piece, place) == len(piece), "a short write"
        finally:
            os.close(durable)
        self.piece = (place, place + len(piece))
        self.said = f"{place}+{len(piece)}"
        model[place : place + len(piece)] = piece
        return model

    def truncate(self, name: str, fd: int, model: bytearray) -> bytearray:
        size = self.dice.choice((0, self.dice.randrange(1000), len(model) // 2, self.dice.randrange(len(model) + 1), min(LARGEST, len(model) + 10000)))
        self.said = f"to {size}"
        os.ftruncate(fd, size)
        model += bytes(max(size - len(model), 0))
        return model[:size]

    def range(self, model: bytearray) -> tuple[int, int]:
        place, length = self.dice.randrange(min(len(model) + 1, LARGEST)), self.length()
        self.said = f"{place}+{length}"
        return place, length

    def allocate(self, name: str, fd: int, model: bytearray) -> bytearray:
        place, length = self.range(model)
        keep = 0 if is_compressed(name) else self.dice.choice((0, KEEP_SIZE))
        syscalls.fallocate(fd, keep, place, length)
        return model if keep else model + bytes(max(place + length - len(model), 0))

    def punch(self, name: str, fd: int, model: bytearray) -> bytearray:
        place, length = self.range(model)
        syscalls.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, place, length)
        end = min(place + length, len(model))
        model[place:end] = bytes(end - place)
        return model

    def zero(self, name: str, fd: int, model: bytearray) -> bytearray:
        place, length = self.range(model)
        syscalls.fallocate(fd, ZERO_RANGE | KEEP_SIZE, place, length)
        end = min(place + length, len(model))
        model[place:end] = bytes(end - place)
        return model

    def store(self, name: str, fd: int, model: bytearray) -> bytearray:
        if model:
            place = self.dice.randrange(len(model))
            piece = self.dice.randbytes(min(self.length(), len(model) - place))
            self.said = f"{place}+{len(piece)}"
            with mmap.mmap(fd, len(model)) as view:
                view[place : place + len(piece)] = piece
                if self.dice.random() < 0.3:
                    view.flush()
            model[place : place + len(piece)] = piece
        return model

    def direct(self, name: str, fd: int, model: bytearray) -> bytearray:
        place, length = self.dice.randrange(len(model) + 1) // BLOCK * BLOCK, self.dice.choice((1, 2, 8)) * BLOCK
        piece = self.dice.randbytes(length)
        self.said = f"{place}+{length}"
        direct = os.open(self.paths[name], os.O_WRONLY | os.O_DIRECT)
        try:
            with mmap.mmap(-1, length) as buffer:
                buffer[:] = piece
                assert os.pwritev(direct, [buffer], place) == length, "a short write"
        finally:
            os.close(direct)
        model += bytes(max(place - len(model), 0))
        model[place : place + length] = piece
        return model

    def stream(self, name: str, fd: int, model: bytearray) -> None:
        """Sets a stream, or removes it."""
        stream = f"stream {self.dice.randrange(8)}"
        values = self.histories[name].streams.setdefault(stream, [(-1, None)])
        if values[-1][1] is not None and self.dice.random() < 0.3:
            os.removexattr(fd, f"user.{stream}")
            values.append((self.step, None))
        else:
            value = self.dice.randbytes(self.dice.choice((0, 20, 100, 300, 1000, 6000)))
            os.setxattr(fd, f"user.{stream}", value)
            values.append((self.step, value))
        self.said = stream

    def sync(self, name: str, fd: int, model: bytearray) -> None:
        self.dice.choice((os.fsync, os.fdatasync))(fd)

    def sync_all(self, name: str, fd: int, model: bytearray) -> None:
        os.sync()


def work(root: str, number: int, names: list[str], contents: dict[str, bytes], seed: int, steps: int, notes: str) -> str:
    """What a process does; its histories are left in the file `notes`."""
    worker = Worker(root, number, names, contents, seed)
    try:
        worker.run(steps)
    finally:
        with open(notes, "wb") as file:
            pickle.dump(worker.histories, file)
    return ""


def agrees(found: bytes, versions: list[bytes]) -> str:
    """Whether each byte is that of one of the versions, which end in zeros."""
    shortest, longest = min(map(len, versions)), max(map(len, versions))
    if not shortest <= len(found) <= longest:
        return f"size {len(found)}, and it was never less than {shortest} or more than {longest}"
    for size in (BLOCK, 64, 1):
        # Only where the larger pieces were mixed are the smaller ones looked at.
        places = range(0, len(found), size) if size == BLOCK else [at for place in odd for at in range(place, min(place + last, len(found)), size)]
        odd, last = [], size
        for place in places:
            piece = found[place : place + size]
            if not any(version[place : place + size].ljust(len(piece), b"\0")[: len(piece)] == piece for version in versions):
                odd.append(place)
        if not odd:
            return ""
    what = "what the cluster had before" if STALE[:8] in found or any(found[at : at + 8] in STALE * 2 for at in odd[:1]) else "no version"
    return f"{len(odd)} bytes from {odd[0]} on are of {what}: {found[odd[0] : odd[0] + 16].hex()} ({len(versions)} versions)"


class Judge:
    """Looks at the states that cuts leave."""

    def __init__(self, ground: Ground, entries: list[cut.Entry], histories: list[dict[str, History]]) -> None:
        self.ground, self.entries, self.histories = ground, entries, histories
        with open(ground.image, "rb") as file:
            boot = file.read(512)
        cluster = ground.cluster
        record = boot[64] * cluster if boot[64] < 128 else 1 << (256 - boot[64])
        firsts = [int.from_bytes(boot[at : at + 8], "little") * cluster + 3 * record for at in (48, 56)]
        self.is_flag = lambda entry: any(entry.at < first + record and entry.at + entry.length > first for first in firsts)
        self.others = {number for number, entry in enumerate(entries) if entry.length and not self.is_flag(entry)}

    def reached(self, until: int) -> dict[int, int]:
        """The last step that each process had ended."""
        steps = dict.fromkeys(range(WORKERS), -1)
        for entry in self.entries[:until]:
            if ":" in entry.text:
                number, step = entry.text.split(":")
                steps[int(number)] = int(step)
        return steps

    def contents(self, root: str, until: int) -> list[str]:
        problems, steps = [], self.reached(until)
        for number, files in enumerate(self.histories):
            for name, history in files.items():
                path, reached = f"{root}/{FOLDER}/{name}", steps[number]
                problem = history.judged(read_whole(path), reached, reached + 1)
                streams = {stream[5:]: os.getxattr(path, stream) for stream in os.listxattr(path)}
                problem = problem or history.judged_streams(streams, reached, reached + 1)
                if problem:
                    before = [said for step, said in history.steps if step <= steps[number] + 1][-12:]
                    problems.append(f"{name!r} of process {number} after its step {steps[number]}: {problem}\n  {'; '.join(before)}")
        return problems

    def structures(self, image: str, mirror: bool, after: str = "") -> tuple[list[str], bool]:
        """What is wrong and not explained by the cut, and whether the volume is marked."""
        complaints = check(image)
        # ntfsck does not say which record differs, so it is believed as far as our checker agrees.
        mirror = mirror and any(MIRROR.match(line) for line in complaints)
        wrong = [line for line in complaints if not LEFT.match(line) and not (mirror and MIRROR.match(line))]
        said = volume.run(NTFSCK, "-n", image, check=False)
        found = [line.strip() for line in re.split(r"[\r\n]+", said) if "Fix it" in line or "Duplication" in line]
        unknown = {told[1] for line in complaints if (told := UNKNOWN.match(line))}
        found = [line for line in found if not ((told := NTFSCK_UNKNOWN.search(line)) and told[1] in unknown)]
        wrong += [f"ntfsck: {line}" for line in found if not NTFSCK_LEFT.search(line) and not (mirror and NTFSCK_MIRROR.search(line))]
        if not re.search(r"No errors found|errors left", said):
            wrong.append(f"ntfsck does not come to its end: {said[-300:]}")
        return [f"{after}{line}" for line in wrong], any("marked as dirty" in line for line in complaints)

    def look(self, point: cut.Point, image: str, forced: bool) -> list[str]:
        """All that is wrong after a cut."""
        applied = set(range(point.whole)) | set(point.also)
        near = self.entries[max(point.whole - 3, 0) : point.until]
        mirror = any(entry.length and self.is_flag(entry) for entry in near)
        problems, marked = self.structures(image, mirror)
        changed = applied & self.others
        if changed and not self.others <= applied and not marked:
            problems.append(f"the volume is not marked as dirty, and {len(changed)} of {len(self.others)} writes are there")
        with volume.loop(image, sector=self.ground.sector) as device, volume.mounted(self.ground.fstype, device, at="/mnt/cut") as root:
            problems += self.contents(root, point.until)
        if forced and not problems:
            problems += self.force(image, marked)
        return problems

    def force(self, image: str, marked: bool) -> list[str]:
        """The volume can be written again by one who insists; what is lost on it stays so, and so does the mark."""
        piece = os.urandom(30000)
        with volume.loop(image, sector=self.ground.sector, writable=True) as device:
            with volume.mounted(self.ground.fstype, device, "force", flags=0, at="/mnt/cut") as root:
                for name in sorted(self.ground.contents):
                    with open(f"{root}/{FOLDER}/{name}", "r+b") as file:
                        file.write(piece)
                        os.fsync(file.fileno())
            with volume.mounted(self.ground.fstype, device, at="/mnt/cut") as root:
                lost = [name for name in self.ground.contents if read_whole(f"{root}/{FOLDER}/{name}")[:30000] != piece]
        problems, still = self.structures(image, False, "after a forced mount: ")
        if lost:
            problems.append(f"after a forced mount what was written is not in {lost}")
        if marked and not still:
            problems.append("after a forced mount the mark is gone, and nobody has checked the volume")
        return problems


def behind(report: Report, ground: Ground, name: str) -> None:
    """Clusters that are allocated and not written read as zeros, whatever is done around them, and are never lost."""
    with report.case("a punch behind what is written shows nothing of before, and loses nothing that comes later"):
        piece = os.urandom(3 * BLOCK)
        with ground.mount() as root:
            path = f"{root}/{FOLDER}/{name}"
            os.truncate(path, 0)
            fd = os.open(path, os.O_RDWR)
            os.pwrite(fd, piece[:BLOCK], 0)
            syscalls.fallocate(fd, 0, 0, 20 * BLOCK)
            syscalls.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 9 * BLOCK + 100, 5000)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            found, wanted = read_whole(path), bytearray(piece[:BLOCK].ljust(20 * BLOCK, b"\0"))
            problem = differs(found, bytes(wanted))
            direct = os.open(path, os.O_WRONLY | os.O_DIRECT)
            with mmap.mmap(-1, len(piece)) as buffer:
                buffer[:] = piece
                os.pwritev(direct, [buffer], 2 * BLOCK)
            os.close(direct)
            os.close(fd)
        wanted[2 * BLOCK : 5 * BLOCK] = piece
        ground.contents[name] = bytes(wanted)
        with ground.mount() as root:
            found = read_whole(f"{root}/{FOLDER}/{name}")
            problem = problem or differs(found, bytes(wanted))
        if problem:
            ground.contents[name] = found
        assert not problem, problem


def run(report: Report, ground: Ground, seed: int, steps: int, count: int) -> None:
    """The work, then the cuts."""
    behind(report, ground, min(name for name in ground.contents if not is_compressed(name)))
    image, log = ground.image, f"{ground.image}.log"
    base, copy = f"{image}.base", f"{image}.cut"
    names = sorted(ground.contents)
    shares = [names[number::WORKERS] for number in range(WORKERS)]
    volume.run("cp", "--sparse=always", image, base)
    try:
        with report.case(f"{WORKERS} processes write, {steps} steps each (seed {seed})"):
            with cut.logged(image, log, ground.sector) as device, volume.mounted(ground.fstype, device, flags=0, at="/mnt/written") as root:
                children = [
                    spawn(work, root, number, share, ground.contents, seed + number, steps, f"/tmp/history-{number}")
                    for number, share in enumerate(shares)
                ]
                problems = [said for child in children if (said := collect(*child))]
            assert not problems, "\n".join(problems)
        histories = []
        for number in range(WORKERS):
            with open(f"/tmp/history-{number}", "rb") as file:
                histories.append(pickle.load(file))
        for files in histories:
            ground.contents.update({name: history.versions[-1][1] for name, history in files.items()})
            last = {name: {stream: values[-1][1] for stream, values in history.streams.items()} for name, history in files.items()}
            ground.streams.update({name: {stream: value for stream, value in values.items() if value is not None} for name, values in last.items()})
        entries = cut.read_log(log)
        flushes = sum(bool(entry.flags & cut.FLUSH) for entry in entries)
        report.note(f"{report.prefix}: {len(entries)} entries in the log, {flushes} flushes")
        judge, replay = Judge(ground, entries, histories), cut.Replay(base, log, entries)
        wrong = []
        for number, point in enumerate(cut.points(entries, count, random.Random(seed))):
            replay.to(point, copy)
            kmsg.say(f"cut {point.how}")
            try:
                problems = judge.look(point, copy, number % 5 == 3)
            except (OSError, RuntimeError) as error:
                problems = [str(error)]
            wrong += [f"{point.how}: {problem}" for problem in problems]
        replay.close()
        report.check(f"{count} power cuts leave what was synced and no damage (seed {seed})", wrong)
    finally:
        for path in (log, base, copy):
            if os.path.exists(path):
                os.unlink(path)
