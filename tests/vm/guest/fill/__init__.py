# SPDX-License-Identifier: GPL-2.0-only
"""Fills a volume through ntfs-3g with what reading can get wrong, one module per theme.

Each theme is `fill(root, scale)`; `root` is an empty folder of the mount. Contents come from the name
and the length alone (`content.py`), so that a wrong byte can be explained from the listing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import IntEnum

from . import attributes, data, directories, names, reparse, times


class Scale(IntEnum):
    """How much of a theme: a taste for each geometry, all of it for a few, the long forms in the campaign."""

    SMALL = 1
    FULL = 2
    LONG = 3


THEMES: dict[str, Callable[[str, int], None]] = {
    "names": names.fill,
    "directories": directories.fill,
    "data": data.fill,
    "attributes": attributes.fill,
    "reparse": reparse.fill,
    "times": times.fill,
}


def fill(root: str, scale: Scale, note: Callable[[str], None]) -> None:
    """All themes, each in its folder. What ntfs-3g refuses is noted, not hidden."""
    for theme, function in THEMES.items():
        folder = os.path.join(root, theme)
        os.mkdir(folder)
        try:
            function(folder, scale)
        except OSError as error:
            note(f"ntfs-3g refused a part of {theme}: {error}")
