# SPDX-License-Identifier: GPL-2.0-only
"""Real volumes against their ground truth, which four independent readers agreed on.

Two mounts per volume: the plain one must show exactly the rows that are not `system`; with `showmeta`
the system files must be there too. What is not on the volume must give an error and never other bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os

from .. import syscalls, volume, walk
from ..case import Report
from ..main import mount_disk

EPOCH = 116_444_736_000_000_000
COMPRESSED, OFFLINE, ENCRYPTED, RECALL_ON_OPEN, RECALL = 0x800, 0x1000, 0x4000, 0x40000, 0x400000
REPARSE_TYPES = {
    "SYMLINK": "symlink", "MOUNT_POINT": "symlink", "LX_SYMLINK": "symlink", "AF_UNIX": "socket",
    "LX_FIFO": "fifo", "LX_CHR": "char", "LX_BLK": "block",
}  # fmt: skip


def load(path: str) -> list[dict]:
    """The rows, with paths spelled as `walk` spells them."""
    rows = []
    with open(path) as file:
        for line in file:
            row = json.loads(line)
            row["path"] = os.fsdecode(row["path"].encode("utf-8", "surrogatepass"))
            rows.append(row)
    return rows


def expected_type(row: dict) -> str:
    return REPARSE_TYPES.get(row.get("reparse", {}).get("name", ""), row["type"])


def elsewhere(row: dict) -> str | None:
    """Why the data of this row cannot be read, so that there has to be an error; None when it is there."""
    if "encrypted" in row.get("data_flags", ()) or row["attributes"] & ENCRYPTED:
        return "EFS"
    if row["attributes"] & (OFFLINE | RECALL | RECALL_ON_OPEN):
        return "cloud files"
    return None


def nanoseconds(filetime: int) -> int:
    return (filetime - EPOCH) * 100


def compare(report: Report, rows: list[dict], listing: walk.Listing, root: str, which: str) -> None:
    """One case per aspect for these rows; names that are in neither are the caller's matter."""
    problems: dict[str, list[str]] = {
        aspect: [] for aspect in (
            "types", "sizes", "contents", "times", "link counts", "record numbers", "sequence numbers", "attributes",
            "extended attributes",
        )
    }  # fmt: skip
    for row in rows:
        entry = listing.entries.get(row["path"])
        if entry is None:
            continue

        def differ(aspect: str, want: object, got: object) -> None:
            if want != got:
                problems[aspect].append(f"{row['path']!r}: {got!r} instead of {want!r}")

        full = root + row["path"]
        differ("types", expected_type(row), entry.type)
        differ("record numbers", row["mft"], entry.ino)
        try:
            info = syscalls.statx(full)
        except OSError as error:
            problems["attributes"].append(f"{row['path']!r}: {error}")
            continue
        times = row["times"]
        for name, got in (
            ("modified", entry.mtime), ("accessed", entry.atime), ("changed", entry.ctime), ("created", info.btime_ns),
        ):  # fmt: skip
            differ("times", (name, nanoseconds(times[name])), (name, got))
        for bit, attribute in ((syscalls.STATX_ATTR_COMPRESSED, COMPRESSED), (syscalls.STATX_ATTR_ENCRYPTED, ENCRYPTED)):
            if info.attributes_mask & bit:
                differ("attributes", bool(row["attributes"] & attribute), bool(info.attributes & bit))
            elif row["attributes"] & attribute:
                problems["attributes"].append(f"{row['path']!r}: statx does not know attribute {bit:#x}")
        problems["extended attributes"] += [f"{row['path']!r}: {problem}" for problem in compare_extended(row, full, entry.type)]
        sequence = sequence_of(full)
        if sequence is not None:
            differ("sequence numbers", row["seq"], sequence)
        if entry.type != "file":
            continue
        differ("link counts", row.get("nlink", 1), entry.nlink)
        differ("sizes", row.get("size", 0), entry.size)
        if where := elsewhere(row):
            differ("contents", (where, "read: Operation not supported"), (where, entry.error))
        elif row.get("sha256"):
            differ("contents", (row["sha256"], None), (entry.sha256, entry.error))
        elif "size" in row and entry.error:
            problems["contents"].append(f"{row['path']!r}: {entry.error}")
    for aspect, found in problems.items():
        report.check(f"{which}: {aspect}", found)


def compare_extended(row: dict, path: str, kind: str) -> list[str]:
    """Streams, EAs and the security descriptor."""
    want: dict[str, object] = {}
    if kind in ("file", "dir", "socket"):
        is_wof = row.get("reparse", {}).get("name") == "WOF"
        for stream in row.get("ads", ()):
            if not (is_wof and stream["name"] == "WofCompressedData"):
                # No more than this fits into a value; of the others the length is compared, as far as it can be told.
                size = stream["size"]
                told = size if size < 1 << 31 else "E2BIG"
                # Of the change journal nobody said what is in it.
                want[f"user.{stream['name']}"] = (stream["sha256"] or size) if size <= 1 << 16 else told
        for attribute in row.get("eas", ()):
            name = attribute["name"]
            want[name if name.startswith("user.") else f"user.{name}"] = attribute["sha256"]
    try:
        got: dict[str, object] = {}
        for name in os.listxattr(path, follow_symlinks=False):
            got[name] = value_of(path, name, with_content=not isinstance(want.get(name), int))
        problems = [f"{name}: {got.get(name)} instead of {want.get(name)}" for name in sorted({*want, *got}) if want.get(name) != got.get(name)]
        if row.get("sd_sha256"):
            digest = hashlib.sha256(os.getxattr(path, "system.ntfs_security", follow_symlinks=False)).hexdigest()
            problems += [f"descriptor: {digest} instead of {row['sd_sha256']}"] if digest != row["sd_sha256"] else []
    except OSError as error:
        return [str(error)]
    return problems


def value_of(path: str, name: str, with_content: bool) -> object:
    """The hash of a value, or how long it is if that is all that is wanted, or if it is too long to be had."""
    try:
        size = syscalls.getxattr_size(path, name, 0)
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        return "E2BIG"
    return size if size > 1 << 16 or not with_content else hashlib.sha256(os.getxattr(path, name)).hexdigest()


def sequence_of(path: str) -> int | None:
    """The generation in the file handle, which is the record's sequence number; None when there is no such handle."""
    try:
        handle = syscalls.name_to_handle(path)
    except OSError:
        return None
    if handle.type == 1 and len(handle.data) >= 8:  # FILEID_INO32_GEN
        return int.from_bytes(handle.data[4:8], "little")
    if handle.type == 0x81 and len(handle.data) >= 12:  # FILEID_INO64_GEN
        return int.from_bytes(handle.data[8:12], "little")
    return None


def one_volume(report: Report, item: dict, folder: str, fstype: str) -> None:
    """Both mounts of one volume."""
    rows = load(f"{folder}/{item['truth']}")
    user = [row for row in rows if not row.get("system")]
    system = [row for row in rows if row.get("system")]
    with volume.shared_volume(item, folder) as device:
        with volume.mounted(fstype, device) as root:
            listing = walk.walk(root)
            want, got = {row["path"] for row in user}, set(listing.entries) - {"/"}
            names = [f"{path!r} is missing" for path in sorted(want - got)]
            names += [f"{path!r} should not be shown" for path in sorted(got - want)]
            report.check("files: names", names + listing.errors)
            compare(report, user, listing, root, "files")
            info = os.statvfs(root)
            geometry = item["geometry"]
            clusters = geometry["volume_bytes"] // geometry["cluster"]
            report.check(
                "the geometry is the volume's",
                [] if (info.f_bsize, info.f_blocks) == (geometry["cluster"], clusters)
                else [f"statfs: {info.f_bsize} x {info.f_blocks} instead of {geometry['cluster']} x {clusters}"],
            )  # fmt: skip
            with report.case("the label is the volume's"):
                label = syscalls.fs_label(root)
                assert label == geometry["label"], f"{label!r} instead of {geometry['label']!r}"
            if fstype == "ntfs_rs":
                with report.case("the uuid is the volume's serial number"):
                    uuid = syscalls.fs_uuid(root).hex()
                    serial = geometry["serial"]
                    swapped = bytes.fromhex(serial)[::-1].hex()
                    assert uuid in (serial, swapped), f"{uuid} instead of {serial}"
        with volume.mounted(fstype, device, "showmeta") as root:
            listing = walk.walk(root, content=False)
            want, got = {row["path"] for row in rows}, set(listing.entries) - {"/"}
            report.check("with showmeta: names", [f"{path!r} is missing" for path in sorted(want - got)] + listing.errors)
            for row in system:
                entry = listing.entries.get(row["path"])
                if entry and entry.type == "file" and row.get("sha256") and entry.size <= walk.WHOLE:
                    listing.entries[row["path"]] = walk.entry_of(os.fsencode(root), os.fsencode(root + row["path"]))
            compare(report, system, listing, root, "system files")


def run(report: Report, plan: dict) -> None:
    folder = mount_disk(0)
    for item in plan["volumes"]:
        report.prefix = item["id"]
        try:
            one_volume(report, item, folder, plan["fstype"])
        except OSError as error:
            report.failed("the volume mounts and unmounts", str(error))
