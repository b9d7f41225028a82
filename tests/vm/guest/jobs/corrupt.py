# SPDX-License-Identifier: GPL-2.0-only
"""The really broken volumes, by our driver under KASAN: no splat, no hang, a line for each refusal, and no
fewer names than the better of the kernel's own two drivers showed in this run."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable

from .. import kmsg, prod, volume, watch
from ..case import Report
from ..count import mount_and_count, names
from ..main import mount_disk

MOST_FILES, MOST_NAMES = 60, 1000


def read_some(root: str, tick: Callable[[], None]) -> None:
    """Opens and reads the first files of the walk; errors are answers."""
    touched = prod.Touched()
    files = ((path, info) for path, info in itertools.islice(names(root), MOST_NAMES) if not isinstance(info, OSError) and not stat.S_ISDIR(info.st_mode))
    for path, info in itertools.islice(files, MOST_FILES):
        tick()
        try:
            if stat.S_ISREG(info.st_mode):
                prod.touch_file(os.fsencode(path), info.st_size, touched, tick)
            elif stat.S_ISLNK(info.st_mode):
                os.readlink(path)
        except OSError as error:
            touched.error(error)


def run(report: Report, plan: dict) -> None:
    folder = mount_disk(0)
    log = kmsg.Kmsg()
    for item in plan["volumes"]:
        log.new()
        kmsg.say(item["id"])
        report.note(f"start {item['id']}")
        with volume.shared_volume(item, folder) as device:
            outcome = watch.watched(mount_and_count(plan["fstype"], device, plan["most"], read_some))
        lines = log.new()
        said = [line for line in lines if plan["fstype"] in line and "test:" not in line]
        splat = kmsg.splats(lines)
        report.check(f"{item['id']}: mounted or refused without a splat or a hang", [outcome.stuck, outcome.error, *splat] if outcome.stuck or splat or outcome.error else [])
        if outcome.stuck:
            raise SystemExit(1)
        if outcome.error:
            continue
        status, shown, errors = outcome.value
        report.note(f"{item['id']}: errno {status}, {shown} names, {errors} errors, {outcome.seconds:.1f} s: {said[:2]}")
        if status:
            report.check(f"{item['id']}: the refusal ({errno.errorcode.get(status, status)}) has its line in the log", [] if said else ["nothing in the log"])
        elif errors:
            report.check(f"{item['id']}: what is wrong has its line in the log", [] if said or "suppressed" in str(lines) else ["nothing in the log"])
        for fstype, (peer_status, peer_names) in plan["bar"].get(item["id"], {}).items():
            better = [] if shown >= peer_names else [f"{shown} names (errno {status}), but {fstype} shows {peer_names} (errno {peer_status})"]
            report.check(f"{item['id']}: as many names as {fstype} shows", better)
