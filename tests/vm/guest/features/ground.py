# SPDX-License-Identifier: GPL-2.0-only
"""The volume that the feature tests share, and ways to mount it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from .. import kmsg, syscalls, volume, walk


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Ground:
    """`device` is a read-only loop over `image`; `oracle` is what ntfs-3g listed on it. `scratch` is a folder for small
    volumes, `room` one for long ones; how much is done is what `campaign` says."""

    fstype: str
    image: str
    device: str
    oracle: walk.Listing
    log: kmsg.Kmsg
    scratch: str
    room: str
    campaign: bool

    @contextlib.contextmanager
    def mount(self, options: str = "", flags: int = syscalls.MS_RDONLY, device: str = "", at: str = "/mnt/ground") -> Iterator[str]:
        """Mounts the volume (or another device) with these options."""
        self.log.new()
        with volume.mounted(self.fstype, device or self.device, options, flags, at=at) as root:
            yield root

    def shown_options(self, root: str) -> set[str]:
        """The options of the mount at `root` as /proc/self/mounts shows them."""
        with open("/proc/self/mounts") as mounts:
            for line in mounts:
                words = line.split()
                if words[1] == root:
                    return set(words[3].split(","))
        raise AssertionError(f"{root} is not mounted")

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        """A writable copy of a small volume, to be broken."""
        path = f"{self.scratch}/copy-of-small.img"
        shutil.copyfile(f"{self.scratch}/mkntfs-64-mib-sector-512-cluster-8192.img", path)
        try:
            yield path
        finally:
            os.unlink(path)

    def refused(self, device: str, options: str = "") -> tuple[int, list[str]]:
        """Tries to mount; the error number (0: it was mounted) and what the driver said."""
        self.log.new()
        try:
            with volume.mounted(self.fstype, device, options, at="/mnt/refused"):
                status = 0
        except OSError as error:
            status = error.errno or -1
        return status, [line for line in self.log.new() if self.fstype in line]
