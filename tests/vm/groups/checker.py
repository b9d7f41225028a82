# SPDX-License-Identifier: GPL-2.0-only
"""The checker of written volumes proves itself: it sees each thing that was broken, and is silent on sound volumes."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import images
import python
from context import CACHE, ROOT, Context
from report import Skip

# (image, what the checker says, why it is right to say so)
KNOWN = [
    ("ntfs3-written", "its name '1.txt' is not in the index of record 27", "ntfs3 left an orphan behind; ntfsck's three errors come from it"),
    ("syz-ntfs-00", "backup boot sector: differs", "mkntfs has put it elsewhere: sectors of 256 bytes"),
    ("win-onedrive-dirtylog", "backup boot sector: beyond the end", "the image ends before it"),
    ("win-onedrive-dirtylog", "$LogFile: not clean", "taken from a running system"),
    ("win7-512-cluster-unclean", "$LogFile: not clean", "made so"),
    ("winxp-1k-undelete", "backup boot sector: beyond the end", "the image ends before it"),
    ("winxp-two-partitions.p2", "backup boot sector: differs", "the superblock of another file system lies there"),
]  # fmt: skip


def checker() -> list[str]:
    """The command; Python has to find the foreign packages and the guest's scripts."""
    return ["env", f"PYTHONPATH={python.folder()}:{ROOT / 'tests' / 'vm'}", "python3", "-B", "-m", "guest.check"]


def complaints_of(image: Path, offset: int) -> list[str]:
    """What the checker prints."""
    done = subprocess.run([*checker(), str(image), str(offset)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = done.stdout.splitlines()
    return lines if done.returncode in (0, 4) else [*lines, f"the checker ends with {done.returncode}"]


def sound_images(context: Context) -> None:
    """It is silent on every real volume but for what is known to be wrong with it."""
    folder = context.images
    if folder is None:
        raise Skip("../shared/images is not here")
    for row in json.loads((folder / "manifest.json").read_text())["images"]:
        with tempfile.TemporaryDirectory(dir=CACHE / "tmp") as work:
            raw, packed = Path(work) / "raw", folder / row["file"]
            if packed.suffix == ".qcow2":
                subprocess.run(["qemu-img", "convert", "-O", "raw", str(packed), str(raw)], check=True)
            else:
                images.unzstd(packed)(raw)
            several = len(row["volumes"]) > 1
            for number, volume in enumerate(row["volumes"], 1):
                name = f"{row['id']}{f'.p{number}' if several else ''}"
                expected = [text for image, text, _ in KNOWN if image == name]
                said = complaints_of(raw, volume["offset"])
                wrong = [line for line in said if not any(text in line for text in expected)]
                wrong += [f"not seen any more: {text}" for text in expected if not any(text in line for line in said)]
                context.report.check(f"{name}: the checker says what is known", "\n".join(wrong))


def mutations(context: Context) -> None:
    """Each single thing that mutate.py breaks is seen."""
    tool = context.images.parent / "tools" / "mutate.py" if context.images else None
    if tool is None or not tool.is_file():
        context.report.skipped("mutations", "../shared/tools is not here")
        return
    if not Path("/dev/fuse").exists() or "fuse" not in Path("/proc/filesystems").read_text():
        context.report.skipped("mutations", "their volume is made through FUSE, which this machine has not")
        return
    with tempfile.TemporaryDirectory(dir=CACHE / "tmp") as work:
        done = context.command("checker-mutations", "python3", "-B", str(tool), work, *checker(), cwd=tool.parent)
    lines = done.stdout.splitlines()
    context.report.check("the mutations run to their end", "" if done.returncode == 0 and len(lines) > 30 else done.stdout[-1500:])
    for line in lines:
        name, _, rest = line.partition(" ")
        status = "rc=0" if name == "unchanged" else "rc=4"
        what = "an unchanged volume is clean" if name == "unchanged" else f"{name.replace('_', ' ')} is seen"
        context.report.check(what, "" if rest.split()[:1] == [status] else line)


def run(context: Context) -> None:
    (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
    mutations(context)
    sound_images(context)
