# SPDX-License-Identifier: GPL-2.0-only
"""Makes the volumes of the matrix: an empty one by the maker, filled through ntfs-3g, then listed by it.

Runs without any driver under test, in a guest, or on the host where that has FUSE: there it takes
seconds instead of minutes. Per volume the disk gets NAME.img, NAME.jsonl (the oracle's
listing) and NAME.json (its statfs); the host keeps the disk for the next run.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import traceback

from .. import fill, volume, walk
from ..case import Report
from ..fill import attributes, directories
from ..main import mount_disk
from ..ntfs_raw import RawVolume
from .matrix import numbers_of

MAKERS = {"mkntfs": "mkntfs", "ntfsprogs-plus": "/opt/ntfsprogs-plus/usr/sbin/mkntfs"}


def make(spec: dict, image: str) -> None:
    """An empty volume by the maker that the spec names."""
    with open(image, "wb") as file:
        file.truncate(spec["size"])
    volume.run(
        MAKERS[spec["maker"]], "-Q", "-F", "-q", "-L", f"c{spec['cluster']}", "-p", "0",
        "-s", str(spec["sector"]), "-c", str(spec["cluster"]), image,
    )  # fmt: skip


def populate(spec: dict, image: str, notes: list[str]) -> None:
    """Everything that the spec asks for, through ntfs-3g and then below it."""
    with volume.ntfs3g(image) as root:
        if spec.get("fragment"):
            attributes.fragment_mft(root, 20_000)
        if spec.get("huge"):
            directories.fill_huge(root, spec["huge"])
        if spec["scale"]:
            fill.fill(root, fill.Scale(spec["scale"]), notes.append)
        preallocated = [
            os.stat(f"{root}/data/{entry}").st_ino
            for entry in ("size 65537", "several MiB", "hole at the end", "size 65536")
            if os.path.exists(f"{root}/data/{entry}")
        ]
    if preallocated:
        raw = RawVolume(image, writable=True)
        for index, number in enumerate(preallocated):
            raw.shorten_initialized(number, (0, 12345, 512, 65535)[index])
        raw.close()


def one_volume(job: tuple[dict, str]) -> tuple[str, str, list[str]]:
    """Makes one; returns its name, what went wrong, and notes."""
    spec, folder = job
    notes: list[str] = []
    path = f"{folder}/{spec['file']}"
    start = time.monotonic()
    try:
        make(spec, f"{path}.img")
        populate(spec, f"{path}.img", notes)
        filled = time.monotonic()
        with volume.ntfs3g(f"{path}.img", readonly=True) as root:
            listing = walk.walk(root)
            numbers = numbers_of(root)
        listing.save(f"{path}.jsonl")
        with open(f"{path}.json", "w") as file:
            json.dump(numbers, file)
        notes.append(f"{len(listing.entries)} names, filled in {filled - start:.1f} s, listed in {time.monotonic() - filled:.1f} s")
        return spec["name"], "\n".join(listing.errors), notes
    except Exception:
        return spec["name"], traceback.format_exc()[-1500:], notes


def fill_all(report: Report, specs: list[dict], folder: str) -> None:
    """All specs into a folder, two at a time."""
    with multiprocessing.Pool(2) as pool:
        for name, wrong, notes in pool.imap_unordered(one_volume, [(spec, folder) for spec in specs], chunksize=1):
            report.check(f"{name}: made, filled and listed by ntfs-3g", [wrong] if wrong else [])
            for note in notes:
                report.note(f"{name}: {note}")


def run(report: Report, plan: dict) -> None:
    volume.run("modprobe", "fuse", check=False)
    folder = mount_disk(0, writable=True)
    fill_all(report, plan["specs"], folder)
    volume.unmount(folder)


def main() -> int:
    """Without a guest: `python3 -m guest.jobs.fill PLAN FOLDER`, inside the SDK, whose mounts are its own."""
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    report = Report(sys.stdout)
    fill_all(report, plan["specs"], sys.argv[2])
    report.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
