# SPDX-License-Identifier: GPL-2.0-only
"""The foreign Python packages that the checker of volumes is built on, kept in the cache; guests get them in their payload."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from context import CACHE

PINNED = ("dissect.ntfs==3.16", "dissect.cstruct==4.7", "dissect.util==3.24")
MAKING = threading.Lock()


def folder() -> Path:
    """The folder with the packages, for PYTHONPATH. A package index is asked once."""
    made = CACHE / f"python-{hashlib.sha256(' '.join(PINNED).encode()).hexdigest()[:16]}"
    with MAKING:
        if not made.exists():
            (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=CACHE / "tmp", prefix="python-") as work:
                fresh = Path(work) / "packages"
                run("python3", "-m", "venv", f"{work}/venv")
                # Wheels only: nothing is built or run on the way.
                run(f"{work}/venv/bin/pip", "install", "--no-deps", "--only-binary", ":all:", "--target", str(fresh), *PINNED)
                for old in CACHE.glob("python-*"):
                    shutil.rmtree(old, ignore_errors=True)
                fresh.rename(made)
    return made


def run(*words: str) -> None:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:3])}: exit status {done.returncode}: {done.stdout.strip()[-800:]}")
