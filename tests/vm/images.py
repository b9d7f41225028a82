# SPDX-License-Identifier: GPL-2.0-only
"""Unpacks the shared images and packs them, holes kept, into one ext4 disk that a guest mounts read-only.

The disk is made once and kept in the cache under a name that depends on the hashes of its parts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from context import CACHE


@dataclass(frozen=True)
class Part:
    """One file of the disk: its name there, a word that changes when it changes, and how to make it."""

    name: str
    version: str
    make: Callable[[Path], None]


def unzstd(source: Path) -> Callable[[Path], None]:
    """Unpacks a .zst file with its holes."""

    def make(target: Path) -> None:
        subprocess.run(["zstd", "-q", "-d", "--sparse", "-f", str(source), "-o", str(target)], check=True)

    return make


def untar(source: Path, member: str) -> Callable[[Path], None]:
    """Unpacks the single member of a .tar.xz with its holes."""

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            subprocess.run(["tar", "-xSf", str(source), "-C", folder, member], check=True)
            os.rename(Path(folder) / member, target)

    return make


def copy(source: Path) -> Callable[[Path], None]:
    """A plain copy."""
    return lambda target: shutil.copyfile(source, target) and None


# Groups that run at the same time may want the same disk.
MAKING = threading.Lock()


def disk_of(name: str, parts: Iterable[Part], keep: bool = True) -> Path:
    """The ext4 disk with these parts."""
    with MAKING:
        return _disk_of(name, list(parts), keep)


def _disk_of(name: str, parts: list[Part], keep: bool) -> Path:
    key = hashlib.sha256(json.dumps([(part.name, part.version) for part in parts]).encode()).hexdigest()[:16]
    folder = CACHE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    disk = folder / f"{name}-{key}.ext4"
    if disk.exists() and keep:
        return disk
    for old in folder.glob(f"{name}-*.ext4"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        content = Path(work) / "content"
        content.mkdir()
        for part in parts:
            part.make(content / part.name)
        made = Path(work) / "disk"
        pack(content, made)
        made.rename(disk)
    return disk


def pack(folder: Path, disk: Path) -> None:
    """Makes an ext4 disk of a folder, holes kept."""
    used = int(subprocess.run(["du", "-sk", str(folder)], check=True, capture_output=True, text=True).stdout.split()[0])
    with disk.open("wb") as file:
        file.truncate((used * 5 // 4 + 262144) * 1024)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(folder), str(disk)], check=True
    )


def scratch(gigabytes: int = 64) -> Path:
    """An empty, sparse ext4 disk for a guest to make its volumes on. The caller deletes it."""
    folder = CACHE / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    handle, path = tempfile.mkstemp(dir=folder, prefix="scratch-", suffix=".raw")
    os.truncate(handle, gigabytes << 30)
    os.close(handle)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", path],
        check=True,
    )
    return Path(path)
