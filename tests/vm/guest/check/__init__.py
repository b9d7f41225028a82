# SPDX-License-Identifier: GPL-2.0-only
"""Checks a volume that is not mounted for what a driver may have written wrongly, `ntfsck -n`'s blind spots first.

The structures are those that dissect.ntfs knows, not those of our driver; see `layout.py`. Of an
unclean volume everything is told: what a mount would have repaired by the log is not known here.
"""

from __future__ import annotations

from . import foreign, layout
from .disk import Disk, boot_sectors
from .files import assemble
from .index import Tree
from .names import Names
from .records import check_order, read_table
from .space import check_clusters, check_records
from .state import check_flags, check_log, check_mirror, upper_of
from .views import check_object_ids, check_reparse, check_secure


def check(path: str, offset: int = 0) -> list[str]:
    """Everything that is wrong with the volume at `offset` of a file or device, one line each."""
    try:
        disk = Disk(path, offset)
    except Exception as error:
        return [f"the volume cannot be opened: {type(error).__name__}: {error}"]
    try:
        return check_open(disk)
    finally:
        disk.close()


def check_open(disk: Disk) -> list[str]:
    """The same for an open one."""
    complaints = boot_sectors(disk)
    upper = upper_of(disk, complaints)
    table = read_table(disk, complaints)
    for record in table.used.values():
        check_order(record, upper, complaints)
    files = assemble(disk, table, upper, complaints)
    names = Names(files)
    trees: dict[tuple[int, str], Tree] = {}
    for file in files:
        for kind, raw in list(file.streams):
            if kind == layout.INDEX_ROOT:
                name = raw.decode("utf-16-le", "replace")
                trees[file.number, name] = tree = Tree(disk, file, name, upper)
                if name == "$I30":
                    names.folder(file, tree)
        folder = bool(file.record.flags & layout.RECORD_DIRECTORY)
        if folder != ((file.number, "$I30") in trees):
            file.complain(f"is {'a' if folder else 'no'} folder by its flags, and has {'no' if folder else 'an'} index of names")
    names.finish()
    check_secure(disk, files, trees)
    for (_, name), tree in trees.items():
        if name == "$R":
            check_reparse(disk, files, tree)
        elif name == "$O" and ("$Q" not in {other for number, other in trees if number == tree.file.number}):
            check_object_ids(files, tree)
    check_clusters(disk, files, complaints)
    check_records(disk, table, files, complaints)
    check_flags(files, complaints)
    check_log(disk, files, complaints)
    check_mirror(disk, files, complaints)
    complaints += foreign.compare(disk, files, trees)
    for file in files:
        complaints += file.complaints
    return complaints
