# SPDX-License-Identifier: GPL-2.0-only
"""A volume with errors=panic on which something broken is met: this guest is to end by it."""

from __future__ import annotations

import os

from .. import volume
from ..case import Report
from ..main import mount_disk
from ..write.defects import path_of
from ..write.ground import make
from ..write.promises import break_record


def run(report: Report, plan: dict) -> None:
    folder = mount_disk(0, writable=True)
    spec = {"sector": 512, "cluster": 4096, "size": 16 << 20, "sizes": [700]}
    made = make(plan["fstype"], f"{folder}/panic.img", spec, plan["seed"])
    break_record(made, "plain 700")
    with made.mount("errors=panic") as root:
        report.note("mounted")
        try:
            os.stat(path_of(root, "plain 700"))
        except OSError as error:
            report.note(f"errno {error.errno} and no panic")
