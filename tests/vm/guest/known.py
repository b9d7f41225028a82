# SPDX-License-Identifier: GPL-2.0-only
"""Where an oracle is wrong or simply says it otherwise, with the reason. The only way past a comparison.

Rows are written from what was seen in a run, each as narrow as it can be.
"""

from __future__ import annotations

import re

from .compare import Known
from .walk import Entry


SPARSE = re.compile(r"/data/(.*hole|every other|not aligned|.* GiB|2 to the 40)|/attributes/crowded")


def _before_1970(entry: Entry, _spec: dict) -> bool:
    return any(time < 0 and time % 10**9 for time in (entry.mtime, entry.atime, entry.ctime))


def _negative(entry: Entry, _spec: dict) -> bool:
    return min(entry.mtime, entry.atime, entry.ctime) < 0


def _lone_surrogate(entry: Entry, _spec: dict) -> bool:
    shown = entry.path.rpartition("/")[2]
    return shown in ("highend", "low", "swapped") or "\udced" in shown


KNOWN = [
    Known(
        "ntfs-3g", "times", _before_1970,
        "ntfs-3g drops the fraction of a second before 1970 (its division rounds towards zero)",
    ),
    Known(
        "ntfs-3g", "link targets",
        lambda e, _: e.path.startswith("/reparse/") and e.path.split("/")[2]
        in ("absolute", "absolute folder", "unc", "junction", "mount point", "dangling", "other script", "long"),
        "ntfs-3g resolves Windows targets against its own mount point, and refuses those that lead nowhere",
    ),
    Known(
        "ntfs-3g", "types", lambda e, _: e.path == "/reparse/unknown tag",
        "ntfs-3g shows every tag without a plugin as a broken link; the data is an ordinary file's",
    ),
    Known(
        "ntfs-3g", "link counts", lambda e, _: e.path == "/attributes/a long name with a short twin.text",
        "ntfs-3g counts an 8.3 name as a link; it is the same name in another namespace",
    ),
    Known(
        "ntfs", "link counts", lambda e, _: e.path == "/attributes/a long name with a short twin.text",
        "ntfs counts an 8.3 name as a link; it is the same name in another namespace",
    ),
    Known("ntfs", "names", _lone_surrogate, "ntfs leaves lone surrogates out of the names that it shows"),
    Known(
        "ntfs", "names", lambda e, _: e.path.startswith("/reparse/relative folder/"),
        "ntfs gives a link to a folder the d_type of a folder, so that the walk goes into it",
    ),
    Known("ntfs", "times", _negative, "ntfs makes 4294967296 of a negative number of nanoseconds (before 1970)"),
    Known(
        "ntfs", "device numbers", lambda e, _: e.path in ("/reparse/char", "/reparse/block"),
        "ntfs takes a $LXDEV of 4 bytes; ntfs-3g writes 8, as WSL does",
    ),
    Known(
        "ntfs", "types", lambda e, _: e.path == "/names/<less",
        "ntfs does not find this name, which it lists itself",
    ),
    Known(
        "ntfs", "types", lambda e, spec: spec["cluster"] > 4096 and bool(SPARSE.match(e.path)),
        "ntfs cannot open a sparse file on clusters of more than 4 KiB",
    ),
    Known(
        "ntfs", "types", lambda _, spec: spec["sector"] == 4096 and spec["cluster"] > 4096,
        "with sectors of 4 KiB and larger clusters ntfs finds no name that is in an index block, though it lists it",
    ),
    Known(
        "ntfs", "names", lambda e, spec: spec["sector"] == 4096 and spec["cluster"] > 4096 and e.path.count("/") > 2,
        "with sectors of 4 KiB and larger clusters ntfs does not get into the folders that it does not find",
    ),
]  # fmt: skip
