# SPDX-License-Identifier: GPL-2.0-only
"""A listing of a mounted tree: everything that a driver can get wrong when it reads.

Long files are hashed by samples (head, tail, and windows at places that depend on the size alone), so
that a sparse file of 2^40 bytes costs no more than a short one and both drivers look at the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

WHOLE = 64 << 20
WINDOW = 256 << 10
TYPES = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
}  # fmt: skip


@dataclass
class Entry:
    """One name. `path` keeps bytes that are not UTF-8 as surrogate escapes; errors are part of the answer."""

    path: str
    type: str
    size: int = 0
    nlink: int = 0
    ino: int = 0
    mtime: int = 0
    atime: int = 0
    ctime: int = 0
    rdev: int = 0
    target: str | None = None
    sha256: str | None = None
    error: str | None = None


@dataclass
class Listing:
    """All names below a root, and what went wrong for whole directories."""

    entries: dict[str, Entry] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def save(self, path: str) -> None:
        with open(path, "w") as file:
            for entry in self.entries.values():
                file.write(json.dumps(asdict(entry)) + "\n")
            for error in self.errors:
                file.write(json.dumps({"error": error}) + "\n")

    @classmethod
    def load(cls, path: str) -> Listing:
        listing = cls()
        with open(path) as file:
            for line in file:
                row = json.loads(line)
                if "path" in row:
                    listing.entries[row["path"]] = Entry(**row)
                else:
                    listing.errors.append(row["error"])
        return listing


def windows(size: int) -> list[tuple[int, int]]:
    """Which (offset, length) of a file of this size go into its hash."""
    if size <= WHOLE:
        return [(0, size)]
    places = {0, size - WINDOW} | {size * step // 16 for step in range(1, 16)}
    places |= {1 << 31, 1 << 32, (1 << 32) - WINDOW // 2, 1 << 39}
    return [(place, WINDOW) for place in sorted(places) if 0 <= place <= size - WINDOW]


def hash_file(path: bytes, size: int) -> str:
    """SHA-256 of the content (or of its samples). A short read is an error, not a shorter content."""
    digest = hashlib.sha256()
    fd = os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NONBLOCK)
    try:
        for offset, length in windows(size):
            end = offset + length
            while offset < end:
                piece = os.pread(fd, min(1 << 20, end - offset), offset)
                if not piece:
                    raise OSError(0, f"short read at {offset} of {size}")
                digest.update(piece)
                offset += len(piece)
        if os.pread(fd, 1, size):
            raise OSError(0, f"data beyond the end at {size}")
    finally:
        os.close(fd)
    return digest.hexdigest()


def entry_of(root: bytes, path: bytes, content: bool = True) -> Entry:
    """What lstat, readlink and read say of one name."""
    shown = os.fsdecode(path[len(root) :]) or "/"
    try:
        info = os.lstat(path)
    except OSError as error:
        return Entry(shown, "?", error=f"stat: {os.strerror(error.errno or 0)}")
    entry = Entry(
        shown, TYPES.get(stat.S_IFMT(info.st_mode), "?"), info.st_size, info.st_nlink, info.st_ino,
        info.st_mtime_ns, info.st_atime_ns, info.st_ctime_ns, info.st_rdev,
    )  # fmt: skip
    try:
        if entry.type == "symlink":
            entry.target = os.fsdecode(os.readlink(path))
        elif entry.type == "file" and content:
            entry.sha256 = hash_file(path, info.st_size)
    except OSError as error:
        entry.error = f"read: {os.strerror(error.errno) if error.errno else error.strerror}"
    return entry


def names_below(root: bytes, errors: list[str]) -> Iterator[bytes]:
    """Every path below `root`, without following links. Errors of directories are collected."""
    pending = [root]
    while pending:
        directory = pending.pop()
        names: list[tuple[bytes, bool]] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    names.append((entry.path, entry.is_dir(follow_symlinks=False)))
        except OSError as error:
            errors.append(f"{os.fsdecode(directory[len(root):])}/: {os.strerror(error.errno or 0)}")
        for path, is_directory in names:
            yield path
            if is_directory:
                pending.append(path)


def walk(root: str, content: bool = True) -> Listing:
    """The listing of a mounted tree, its root included as `/`."""
    top = os.fsencode(root)
    listing = Listing()
    listing.entries["/"] = entry_of(top, top)
    for path in names_below(top, listing.errors):
        entry = entry_of(top, path, content)
        if entry.path in listing.entries:
            listing.errors.append(f"{entry.path}: listed twice")
        listing.entries[entry.path] = entry
    return listing
