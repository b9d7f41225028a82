# SPDX-License-Identifier: GPL-2.0-only
"""stress-ng on an ext4 in a file of the volume: it makes its own files, which the volume itself cannot yet.

Whatever it does arrives at the file as reads, writes, holes and flushes by a loop device.
"""

from __future__ import annotations

import os

from .. import syscalls, volume
from ..case import Report
from .ground import FOLDER, Ground, read_whole

NAME = "plain 4096"
SIZE = 40 << 20
# Each with what keeps it small.
STRESSORS = {
    "hdd": ["--hdd-bytes", "8m"], "mmap": ["--mmap-bytes", "8m", "--mmap-file"], "fallocate": ["--fallocate-bytes", "8m"],
    "sync-file": ["--sync-file-bytes", "8m"], "iomix": ["--iomix-bytes", "8m"], "seek": ["--seek-size", "8m"],
    "readahead": ["--readahead-bytes", "8m"], "revio": ["--revio-bytes", "8m"],
}  # fmt: skip


def run(report: Report, ground: Ground, seconds: int, stressors: int, seed: int) -> None:
    with ground.mount() as root:
        path = f"{root}/{FOLDER}/{NAME}"
        os.truncate(path, SIZE)
        try:
            with volume.loop(path, writable=True) as device:
                volume.run("mke2fs", "-q", "-t", "ext4", device)
                os.makedirs("/mnt/nested", exist_ok=True)
                for number in range(stressors):
                    name = list(STRESSORS)[(seed + number) % len(STRESSORS)]
                    with report.case(f"stress-ng --{name} on an ext4 in a file"):
                        syscalls.mount(device, "/mnt/nested", "ext4", 0, "discard")
                        try:
                            volume.run(
                                "stress-ng", f"--{name}", "2", "--timeout", f"{seconds}s", "--temp-path", "/mnt/nested", "--verify", "--quiet",
                                *STRESSORS[name],
                            )  # fmt: skip
                        finally:
                            volume.unmount("/mnt/nested")
                        volume.drop_caches()
                        volume.run("e2fsck", "-fn", device)
        finally:
            os.sync()
            ground.contents[NAME] = read_whole(path)
