# SPDX-License-Identifier: GPL-2.0-only
"""Other people's exercisers on existing files: fsx and fio."""

from __future__ import annotations

import os
import shutil

from .. import volume
from ..case import Report, Skip
from .ground import FOLDER, Ground, is_compressed, read_whole

FSX = "/payload/fsx"
WEIGHTS = {
    "close_open": 2, "invalidate": 2, "mapread": 5, "mapwrite": 5, "read": 8, "write": 10, "truncate": 5, "fsync": 2, "fdatasync": 1,
    "posix_fallocate": 2, "sendfile": 2, "posix_fadvise": 1,
}  # fmt: skip


def fsx(report: Report, ground: Ground, name: str, seed: int, steps: int, unsupported: list[str]) -> None:
    """The file exerciser of crates.io, with the steps that the driver has."""
    kind = ", compressed" if is_compressed(name) else ""
    with report.case(f"fsx: {steps} steps (seed {seed}{kind})"):
        if not os.path.exists(FSX):
            raise Skip("there is no fsx on this machine")
        weights = WEIGHTS | ({} if "punch" in unsupported else {"punch_hole": 3})
        with open("/tmp/fsx.toml", "w") as file:
            file.write("[weights]\n" + "".join(f"{key} = {value}.0\n" for key, value in weights.items()))
        with ground.mount() as root:
            path = f"{root}/{FOLDER}/{name}"
            try:
                volume.run(FSX, "-f", "/tmp/fsx.toml", "-S", str(seed), "-N", str(steps), "-P", "/tmp", path)
            finally:
                ground.contents[name] = read_whole(path)


# How fio writes: buffered or directly, through which interface, and how many requests at a time. Writes that overlap
# follow each other: which of two that are under way together stays is not said by anybody.
ENGINES = {
    "buffered": ["--ioengine=psync", "--direct=0", "--bsrange=4k-64k"],
    "direct": ["--ioengine=psync", "--direct=1", "--bsrange=4k-64k"],
    "io_uring": ["--ioengine=io_uring", "--direct=0", "--bs=16k", "--iodepth=8"],
    "direct io_uring": ["--ioengine=io_uring", "--direct=1", "--bs=16k", "--iodepth=8"],
    "direct libaio": ["--ioengine=libaio", "--direct=1", "--bs=16k", "--iodepth=8"],
}


def fio(report: Report, ground: Ground, name: str, seed: int, size: int) -> None:
    """Random writes with checksums in them, read back and verified."""
    for title, words in ENGINES.items():
        with report.case(f"fio verifies its random writes ({title})"):
            if not shutil.which("fio"):
                raise Skip("there is no fio on this machine")
            with ground.mount() as root:
                path = f"{root}/{FOLDER}/{name}"
                # As long as it will be, or fio makes it anew under the same name.
                os.truncate(path, size)
                try:
                    volume.run(
                        "fio", "--name=written", f"--filename={path}", "--rw=randwrite", "--blockalign=4k", "--serialize_overlap=1", *words,
                        f"--size={size}", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--verify_state_save=0",
                        f"--randseed={seed}", "--fallocate=none", "--thread", "--end_fsync=1", "--overwrite=1", "--output-format=terse",
                    )  # fmt: skip
                finally:
                    ground.contents[name] = read_whole(path)
