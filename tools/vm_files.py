# SPDX-License-Identifier: GPL-2.0-only
"""What a guest of tools/vm.py boots with: its initramfs and the disk with its payload."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

GUEST_FILES = Path(__file__).resolve().parent / "guest"


class VmError(Exception):
    """The guest was not started; the message is one line for the user."""


def payload_image(folder: Path, image: Path) -> None:
    """Puts a folder into an ext4 image that is just big enough."""
    size, count = 0, 1
    for parent, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        size += sum(os.lstat(os.path.join(parent, name)).st_size for name in files)
    mib = (size + count * 5120) * 9 // 8 // 2**20 + 8
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0"]
    command += ["-N", str(count + 64), "-d", str(folder), str(image), f"{mib}m"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise VmError(
            f"cannot make a disk of {folder}: {done.stderr.strip().splitlines()[-1:]}"
        )


def initramfs(kernel: Path, work: Path, command: str, interactive: bool) -> Path:
    """The kernel's initramfs, and after it an archive with what this run adds to it."""
    terminal = shutil.get_terminal_size()
    environment = {
        "INTERACTIVE": "1" if interactive else "",
        "TERM": os.environ.get("TERM", "dumb"),
        "ROWS": terminal.lines,
        "COLUMNS": terminal.columns,
    }
    tree = work / "initramfs"
    (tree / "vm").mkdir(parents=True)
    shutil.copy(GUEST_FILES / "init", tree / "init")
    shutil.copy(GUEST_FILES / "main", tree / "vm" / "main")
    (tree / "vm" / "command").write_text(command + "\n")
    (tree / "vm" / "environment").write_text(
        "".join(
            f"export {name}={shlex.quote(str(value))}\n"
            for name, value in environment.items()
        )
    )
    names = "".join(f"{path.relative_to(tree)}\n" for path in sorted(tree.rglob("*")))
    archive = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"],
        cwd=tree,
        input=names.encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    path = work / "initramfs.cpio"
    path.write_bytes((kernel / "initramfs.cpio").read_bytes() + archive)
    return path
