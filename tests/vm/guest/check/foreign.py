# SPDX-License-Identifier: GPL-2.0-only
"""A sample of the volume by dissect's own objects, against what the checker has decoded of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dissect.ntfs.exceptions import Error

from .disk import Disk
from .files import File
from .index import Tree, name_of

SAMPLE = 24
# dissect looks at every block of an index, in use or not, so that only of those with all in use is its list the same.
LARGEST = 300
# Bytes of the header of an attribute record of either form.
HEADER = 0x48


def sample_of(files: list[File]) -> Iterator[File]:
    """The system's files, those with extension records, and some of the rest, evenly."""
    many = [file for file in files if len(file.attributes) != len(file.record.attributes)]
    few = files[:: max(len(files) // SAMPLE, 1)]
    seen = set()
    for file in [*files[:12], *many[:SAMPLE], *few]:
        if file.number not in seen:
            seen.add(file.number)
            yield file


def attributes(disk: Disk, file: File) -> list[str]:
    """Types, names, ids, sizes and runs of all attributes."""
    theirs = disk.foreign.mft.get(file.number)
    mine, other = set(), set()
    for one in file.attributes:
        # It reads the header of a value in clusters in any case, and sees nothing where a record ends before that.
        if one.at + HEADER > disk.record_size:
            continue
        sizes = (one.size,) if one.resident else (one.size, one.allocated, one.lowest, one.highest, tuple(one.runs))
        mine.add((one.type, one.name, one.id, *sizes))
    for group in theirs.attributes.values():
        for one in group:
            head = one.header
            sizes = (head.size,) if head.resident else (
                head.size, head.allocated_size, head.lowest_vcn, head.highest_vcn, tuple(head.dataruns()),
            )  # fmt: skip
            other.add((int(head.type.value), head.name.encode("utf-16-le"), head.header.Instance, *sizes))
    return [f"record {file.number}: dissect reads {one} otherwise" for one in sorted(mine ^ other, key=str)]


def names(disk: Disk, file: File, tree: Tree) -> list[str]:
    """The entries of a small directory."""
    if len(tree.entries) > LARGEST or len(tree.seen) * tree.block_size != len(tree.blocks):
        return []
    theirs = disk.foreign.mft.get(file.number).index("$I30")
    found = {(entry.attribute.file_name, entry.header.FileReference.SequenceNumber) for entry in theirs.entries()}
    mine = {(name_of(entry.key), entry.reference >> 48) for entry in tree.entries}
    return [f"record {file.number}: dissect finds the entry {one} on one side only" for one in sorted(found ^ mine)]


def compare(disk: Disk, files: list[File], trees: dict[tuple[int, str], Tree]) -> list[str]:
    """What dissect sees otherwise. Where a file is broken already, it may."""
    complaints = []
    for file in sample_of(files):
        if file.complaints:
            continue
        try:
            complaints += attributes(disk, file)
            tree = trees.get((file.number, "$I30"))
            if tree:
                complaints += names(disk, file, tree)
        except UnicodeDecodeError:
            # NTFS takes any 16 bits for a character, dissect does not.
            continue
        except (Error, EOFError, ValueError, struct.error) as error:
            complaints.append(f"record {file.number}: dissect cannot read it: {type(error).__name__}: {error}")
    return complaints
