# SPDX-License-Identifier: GPL-2.0-only
"""What every group needs to know: where things are, which driver is under test, how long it may take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from report import Report

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("NTFS_RS_CACHE", "/var/cache/ntfs_rs"))
sys.path.insert(0, str(ROOT / "tools"))


@dataclass
class Context:
    """One run of the tests.

    `fstype` is the driver under test. It is `ntfs_rs` but for trying the harness itself, when a driver
    of the kernel (`ntfs`, `ntfs3`) stands in and no module of ours is loaded.
    """

    report: Report
    campaign: bool = False
    fstype: str = "ntfs_rs"
    seed: int = 1
    case: int | None = None
    built: Path | None = None
    logs: Path = field(default_factory=lambda: CACHE / "log" / "tests" / time.strftime("%Y%m%d-%H%M%S"))

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)

    @property
    def ours(self) -> bool:
        """Whether the driver under test is our module."""
        return self.fstype == "ntfs_rs"

    @property
    def images(self) -> Path | None:
        """The folder of real volumes; None where a checkout has none beside it."""
        folder = Path(os.environ.get("NTFS_RS_IMAGES", str(ROOT.parent / "shared" / "images")))
        return folder if (folder / "manifest.json").is_file() else None

    def module(self, kernel: str) -> Path:
        """Our module, as built for that kernel."""
        return self.built or CACHE / "module" / kernel / "ntfs_rs.ko"

    def command(self, name: str, *words: str, timeout: float = 3600, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Runs a program on this side; its whole output goes to the log called `name`."""
        done = subprocess.run(
            words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        (self.logs / f"{name}.log").write_text(done.stdout)
        return done
