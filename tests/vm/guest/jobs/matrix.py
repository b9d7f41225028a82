# SPDX-License-Identifier: GPL-2.0-only
"""Volumes of every geometry, read by our driver and by the kernel's `ntfs`, against what ntfs-3g listed.

ntfs-3g is the oracle of what was written (it wrote it, and reads it without the kernel's help); the
`ntfs` driver of the same kernel is the second opinion. The last cases prove the comparison itself:
a byte changed on the volume and a name taken away must be found.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import sys
import time

from .. import compare, kmsg, known, syscalls, volume, walk
from ..case import Report
from ..main import mount_disk
from ..ntfs_raw import DATA, RawVolume
from ..ntfs_raw import attributes as attributes_of


def read_by(fstype: str, image: str, spec: dict, options: str = "") -> walk.Listing:
    """The listing that a driver of the kernel gives."""
    with volume.loop(image, sector=spec["sector"]) as device, volume.mounted(fstype, device, options) as root:
        return walk.walk(root)


def report_differences(report: Report, oracle: str, found: compare.Differences) -> None:
    """One case per aspect; what the table explains goes to the notes."""
    for aspect, problems in found.problems.items():
        report.check(f"{aspect} as {oracle} has them", problems)
    for reason, places in found.explained.items():
        report.note(f"{report.prefix}: {len(places)} known disagreements with {oracle}: {reason}: {'; '.join(places[:5])}")


def numbers_of(root: str) -> dict[str, int]:
    """What statfs says that two drivers must agree on."""
    info = os.statvfs(root)
    return {"cluster": info.f_bsize, "clusters": info.f_blocks, "free clusters": info.f_bfree}


def self_check(report: Report, image: str, spec: dict, oracle: walk.Listing, fstype: str) -> None:
    """The harness must see one changed byte and one missing name."""
    victim = next(e for e in oracle.entries.values() if e.path == "/data/size 4097")
    raw = RawVolume(image, writable=True)
    record = raw.read_record(victim.ino)
    assert record is not None
    data = next(a for a in attributes_of(record) if a.type == DATA and not a.name)
    place = (
        raw.record_place(victim.ino) + data.value + 100 if data.resident else raw.place(raw.runs(record, data), 1000)
    )  # fmt: skip
    assert place is not None
    byte = os.pread(raw.fd, 1, place)[0]
    os.pwrite(raw.fd, bytes([byte ^ 0x20]), place)
    raw.close()
    found = compare.compare("ntfs-3g", oracle, read_by(fstype, image, spec), known.KNOWN, spec)
    wrong = [text for problems in found.problems.values() for text in problems]
    with report.case("the harness sees one byte that was changed on the volume, and in that file only"):
        assert len(wrong) == 1 and victim.path in wrong[0] and found.problems["contents"], wrong[:5]
    with volume.ntfs3g(image) as root:
        os.unlink(f"{root}{victim.path}")
    found = compare.compare("ntfs-3g", oracle, read_by(fstype, image, spec), known.KNOWN, spec)
    with report.case("the harness sees a name that is gone"):
        assert [f"{victim.path!r}: missing"] == found.problems["names"], found.problems["names"][:5]


def one_volume(job: tuple[dict, str, str]) -> str:
    """All cases of one spec, as result lines."""
    spec, folder, fstype = job
    out = io.StringIO()
    report = Report(out)
    report.prefix = spec["name"]
    image = f"{folder}/{spec['file']}.img"
    start = time.monotonic()
    try:
        oracle = walk.Listing.load(f"{folder}/{spec['file']}.jsonl")
        with open(f"{folder}/{spec['file']}.json") as file:
            numbers = json.load(file)
        with volume.loop(image, sector=spec["sector"]) as device:
            before = volume.own_reads()
            with volume.mounted(fstype, device) as root:
                at_mount = volume.own_reads() - before
                ours = walk.walk(root)
                ours_numbers = numbers_of(root)
                label = syscalls.fs_label(root)
        report_differences(report, "ntfs-3g", compare.compare("ntfs-3g", oracle, ours, known.KNOWN, spec))
        wrong = [f"{what}: {numbers[what]} by ntfs-3g, {ours_numbers[what]} by us" for what in numbers if numbers[what] != ours_numbers[what]]
        report.check("statfs as ntfs-3g has it", wrong)
        if fstype == "ntfs_rs":
            report.check("mounting reads no more than of any other volume", [] if at_mount <= volume.MOST_AT_MOUNT else [f"{at_mount} bytes"])
        report.check("the label is read", [] if label == f"c{spec['cluster']}" else [repr(label)])
        read = time.monotonic()
        if fstype != "ntfs":
            try:
                peer = read_by("ntfs", image, spec)
            except OSError as error:
                report.skipped("as the kernel's ntfs has it", f"the kernel's ntfs does not mount it: {error}")
            else:
                report_differences(report, "ntfs", compare.compare("ntfs", peer, ours, known.KNOWN, spec))
        report.note(
            f"{spec['name']}: {len(oracle.entries)} names; we {read - start:.1f} s, ntfs {time.monotonic() - read:.1f} s"
        )
        if spec.get("self_check"):
            self_check(report, image, spec, oracle, fstype)
    except Exception as error:  # the other volumes still count
        report.failed("the volume is read", f"{type(error).__name__}: {error}")
    return out.getvalue()


def run(report: Report, plan: dict) -> None:
    """All specs of the plan, two at a time."""
    volume.run("modprobe", "fuse", check=False)
    if plan["fstype"] != "ntfs":
        volume.run("modprobe", "ntfs")
    # Writable, for the self check alone; QEMU forgets what is written.
    folder = mount_disk(0, writable=True)
    log = kmsg.Kmsg()
    jobs = [(spec, folder, plan["fstype"]) for spec in plan["specs"]]
    with multiprocessing.Pool(2) as pool:
        for lines in pool.imap_unordered(one_volume, jobs, chunksize=1):
            sys.stdout.write(lines)
            sys.stdout.flush()
    report.check("reading sound volumes puts no error into the kernel's log", [
        line for line in log.new() if "ntfs_rs" in line and ("orrupt" in line or "rror" in line)
    ])  # fmt: skip
