# SPDX-License-Identifier: GPL-2.0-only
"""Programs that Debian has not, built once inside the SDK, whose C library is the guest's; kept in the cache."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path

from context import CACHE

FSX = "0.3.2"
MAKING = threading.Lock()


def fsx() -> Path:
    """The file exerciser of crates.io. It takes minutes to build."""
    made = CACHE / f"fsx-{FSX}"
    with MAKING:
        if not made.exists():
            (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=CACHE / "tmp", prefix="fsx-") as work:
                done = subprocess.run(
                    ["cargo", "install", "fsx", "--version", f"={FSX}", "--locked", "--root", work, "--target-dir", f"{work}/target"],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                )  # fmt: skip
                if done.returncode:
                    raise RuntimeError(f"fsx cannot be built: {done.stdout.strip()[-800:]}")
                (Path(work) / "bin" / "fsx").rename(made)
    return made
