# SPDX-License-Identifier: GPL-2.0-only
"""The really broken volumes, by our driver under KASAN: no splat, no hang, a line for each refusal, and no
fewer names than the better of the kernel's own two drivers showed in this run."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable

from .. import kmsg, prod, volume, watch
from ..case import Report
from ..count import mount_and_count
from ..main import mount_disk

MOST_FILES = 60


def read_some(root: str, tick: Callable[[], None]) -> None:
    """Opens and reads the first files of the walk; errors are answers."""
    touched = prod.Touched()
    files = (
        os.fsencode(os.path.join(parent, name)) for parent, _, names in os.walk(root, onerror=lambda _: None) for name in names
    )
    for path in itertools.islice(files, MOST_FILES):
        tick()
        try:
            info = os.lstat(path)
            if info.st_mode & 0o170000 == 0o100000:
                prod.touch_file(path, info.st_size, touched, tick)
            elif info.st_mode & 0o170000 == 0o120000:
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
        status, names, errors = outcome.value
        report.note(f"{item['id']}: errno {status}, {names} names, {errors} errors, {outcome.seconds:.1f} s: {said[:2]}")
        if status:
            report.check(f"{item['id']}: the refusal ({errno.errorcode.get(status, status)}) has its line in the log", [] if said else ["nothing in the log"])
        elif errors:
            report.check(f"{item['id']}: what is wrong has its line in the log", [] if said or "suppressed" in str(lines) else ["nothing in the log"])
        for fstype, (peer_status, peer_names) in plan["bar"].get(item["id"], {}).items():
            better = [] if names >= peer_names else [f"{names} names (errno {status}), but {fstype} shows {peer_names} (errno {peer_status})"]
            report.check(f"{item['id']}: as many names as {fstype} shows", better)
