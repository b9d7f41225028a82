# SPDX-License-Identifier: GPL-2.0-only
"""Names: each in the index of its folder and in its record, and what the index copies of the file is still so."""

from __future__ import annotations

from . import layout
from .files import File
from .index import Entry, Tree, name_of

# In a $FILE_NAME these tell of indexes; in $STANDARD_INFORMATION they are not there.
INDEX_FLAGS = 0x10000000 | 0x20000000
REPARSE = 0x400
# The system's own files: below $Extend, and in the records that are kept for them.
OWN, EXTEND, ROOT = 24, 11, 5
DEEPEST = 64


def identity(key: bytes) -> tuple[int, int, bytes]:
    """What makes a name the same one in the record and in the index: parent, namespace, units."""
    start = layout.NAME.size
    return int.from_bytes(key[:8], "little"), key[start - 1], key[start : start + 2 * key[start - 2]]


class Names:
    """Compares both sides; made once, fed with every directory."""

    def __init__(self, files: list[File]) -> None:
        self.files = {file.number: file for file in files}
        self.missing = {file.number: {identity(key) for key in file.names} for file in files}

    def is_own(self, folder: File) -> bool:
        """Whether a directory is $Extend or below it."""
        for _ in range(DEEPEST):
            if folder.number == EXTEND:
                return True
            if folder.number == ROOT or not folder.names:
                return False
            above = self.files.get(identity(folder.names[0])[0] & layout.REFERENCE)
            if above is None:
                return False
            folder = above
        return False

    def folder(self, folder: File, tree: Tree) -> None:
        """Every entry of a directory against the record that it names."""
        own = self.is_own(folder)
        for entry in tree.entries:
            number, sequence = entry.reference & layout.REFERENCE, entry.reference >> 48
            name = f"{name_of(entry.key)!r}"
            file = self.files.get(number)
            if file is None:
                folder.complain(f"its entry {name} names record {number}, which is no file")
                continue
            if file.record.sequence != sequence:
                folder.complain(f"its entry {name} names record {number} with sequence number {sequence}, not {file.record.sequence}")
                continue
            who = identity(entry.key)
            if who[0] != folder.reference:
                folder.complain(f"its entry {name} says that its folder is {who[0] & layout.REFERENCE} ({who[0] >> 48})")
            if who in self.missing[number]:
                self.missing[number].discard(who)
                # Windows does not keep these up to date.
                if number >= OWN and not own:
                    self.copies(folder, file, entry, name)
            else:
                folder.complain(f"its entry {name} is no name of record {number}, or is there twice")

    def copies(self, folder: File, file: File, entry: Entry, name: str) -> None:
        """The times, sizes and flags that the entry repeats."""
        _, created, modified, changed, _, allocated, size, flags, *_ = layout.NAME.unpack_from(entry.key)
        information = file.stream(layout.STANDARD_INFORMATION)
        if information is None or len(information.first.value) < layout.INFORMATION.size:
            file.complain("no $STANDARD_INFORMATION")
            return
        times = layout.INFORMATION.unpack_from(information.first.value)
        is_folder = bool(file.record.flags & layout.RECORD_DIRECTORY)
        data = file.stream(layout.DATA)
        real = (data.taken, data.size) if data and not is_folder else (0, 0)
        if (allocated, size) != real:
            file.complain(f"its entry {name} in record {folder.number} has sizes {allocated}, {size}; they are {real[0]}, {real[1]}")
        # Nor does Windows in the entry of a folder, when something in the folder changes.
        if not is_folder and (created, modified, changed) != times[:3]:
            file.complain(f"its entry {name} in record {folder.number} has times {(created, modified, changed)}; they are {times[:3]}")
        if bool(flags & 0x10000000) != is_folder:
            file.complain(f"its entry {name} in record {folder.number} {'does not say' if is_folder else 'says'} that it is a folder")
        if (flags ^ times[4]) & ~INDEX_FLAGS:
            file.complain(f"its entry {name} in record {folder.number} has flags {flags:#x}; they are {times[4]:#x}")
        point = file.stream(layout.REPARSE_POINT)
        if bool(flags & REPARSE) != (point is not None):
            file.complain(f"its entry {name} in record {folder.number}: reparse flag {flags:#x}, reparse point {point is not None}")

    def finish(self) -> None:
        """What no directory has, and link counts."""
        for file in self.files.values():
            left = self.missing[file.number]
            for parent, _, units in sorted(left):
                folder, sequence = parent & layout.REFERENCE, parent >> 48
                file.complain(f"its name {units.decode('utf-16-le', 'replace')!r} is not in the index of record {folder} ({sequence})")
            links = len(file.names)
            if file.record.links != links:
                file.complain(f"link count {file.record.links}, and it has {links} names")
