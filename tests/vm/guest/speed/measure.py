# SPDX-License-Identifier: GPL-2.0-only
"""One run: how long it took, and how long the processors were busy meanwhile, whoever kept them so.

What a driver does when a transfer ends, and in threads of the kernel, is not charged to the program that reads. So all of
the machine is looked at; nothing else runs on it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass

from .. import volume

# Programs and their libraries stay in memory here when the caches are dropped.
KEPT = "/run/kept"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Way:
    """A way to read a file. `most`: bytes of the file that are read, by all jobs together, each byte once."""

    name: str
    pattern: str
    block: int
    jobs: int
    most: int
    engine: str = "psync"
    direct: bool = False
    warm: bool = False


@dataclass(frozen=True)
class Run:
    """What one run did: MB (or names) in a second, and the seconds in which a processor was busy."""

    speed: float
    busy: float


def keep(*names: str) -> dict[str, str]:
    """Copies programs with their libraries to memory; gives the environment to run them in."""
    os.makedirs(KEPT, exist_ok=True)
    for name in names:
        program = shutil.which(name)
        assert program, f"{name} is not here"
        shutil.copy(program, KEPT)
        for line in volume.run("ldd", program).splitlines():
            if (words := line.split()) and "=>" in words and words[2].startswith("/"):
                shutil.copy(words[2], KEPT)
    return dict(os.environ, LD_LIBRARY_PATH=KEPT, PATH=f"{KEPT}:{os.environ['PATH']}", LC_ALL="C")


def busy() -> float:
    """Seconds for which the processors have been busy since the start: user, nice, system, interrupts."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, hard, soft = map(int, file.readline().split()[1:8])
    return (user + nice + system + hard + soft) / TICK


def fio(environment: dict[str, str], path: str, way: Way, size: int) -> Run:
    """Reads `size` bytes of a file once."""
    part = size // way.jobs
    words = [
        "fio", "--name=read", f"--filename={path}", "--readonly", "--allow_file_create=0", f"--rw={way.pattern}", f"--bs={way.block}",
        f"--ioengine={way.engine}", f"--direct={int(way.direct)}", f"--numjobs={way.jobs}", "--thread", "--group_reporting",
        f"--size={part}", f"--offset_increment={part}", "--fadvise_hint=0", "--invalidate=0", "--gtod_reduce=1",
        "--clocksource=clock_gettime", f"--loops={8 if way.warm else 1}", "--output-format=json",
    ]  # fmt: skip
    before = busy()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=300)
    used = busy() - before
    if done.returncode:
        raise OSError(0, f"fio: {done.stdout.strip()[:300]}")
    job = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]
    if job["error"] or job["read"]["io_bytes"] != part * way.jobs * (8 if way.warm else 1):
        raise OSError(job["error"], f"fio has read {job['read']['io_bytes']} bytes")
    return Run(job["read"]["bw_bytes"] / 1e6, used)


def command(environment: dict[str, str], words: list[str], amount: int) -> Run:
    """Runs a program that does so much of something."""
    before, start = busy(), time.monotonic()
    subprocess.run(words, stdout=subprocess.DEVNULL, env=environment, stdin=subprocess.DEVNULL, check=True, timeout=300)
    return Run(amount / (time.monotonic() - start), busy() - before)


def median(runs: list[Run], without: float = 0.0) -> tuple[float, float]:
    """The median speed, and the median of the busy seconds without those that every run takes."""
    return statistics.median(run.speed for run in runs), max(statistics.median(run.busy for run in runs) - without, 0.0)
