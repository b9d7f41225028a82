# SPDX-License-Identifier: GPL-2.0-only
"""A device that fails under a mount: reads give EIO, what is cached still answers, the mount can be unmounted.

Also failing allocations: any step of mounting and walking may be told that there is no memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import time
from collections.abc import Iterator

from .. import kmsg, prod, syscalls, volume, walk, watch
from ..case import Report
from .mutations import base

IMAGE = "/tmp/devices.img"
ERRORS = {errno.EIO, errno.ENOENT, errno.ENXIO, errno.ENODATA, errno.EOPNOTSUPP, errno.EUCLEAN, errno.ENOTTY}


def dmsetup(*words: str) -> None:
    """dmsetup(8) where there is no udev: it makes the node itself."""
    volume.run("dmsetup", *words, env=dict(os.environ, DM_DISABLE_UDEV="1"))


@contextlib.contextmanager
def mapped(name: str, device: str, table: str) -> Iterator[str]:
    """A device-mapper device over `device`; `{size}` and `{device}` in the table are filled in."""
    size = int(volume.run("blockdev", "--getsz", device))
    dmsetup("create", name, "--table", table.format(size=size, device=device))
    try:
        yield f"/dev/mapper/{name}"
    finally:
        # The mount may have been told to let go only a moment ago.
        dmsetup("remove", "--retry", name)


def switch(name: str, device: str, table: str) -> None:
    """Replaces the table of a live device."""
    size = int(volume.run("blockdev", "--getsz", device))
    dmsetup("suspend", "--noflush", "--nolockfs", name)
    dmsetup("reload", name, "--table", table.format(size=size, device=device))
    dmsetup("resume", name)


def step(fstype: str, device: str, options: str = ""):
    """Mount, prod, unmount; [errno of mount, errors]."""

    def work(tick) -> list:
        try:
            syscalls.mount(device, "/mnt/device", fstype, syscalls.MS_RDONLY, options)
        except OSError as error:
            return [error.errno, {}]
        try:
            touched = prod.prod("/mnt/device", tick)
        finally:
            volume.unmount("/mnt/device")
        return [0, touched.errors]

    return work


def error_target(report: Report, fstype: str, device: str) -> None:
    linear, broken = "0 {size} linear {device} 0", "0 {size} error"
    with mapped("goes", device, linear) as path:
        with report.case("a device that breaks under a mount gives EIO, and the mount can be unmounted"):
            syscalls.mount(path, "/mnt/device", fstype, syscalls.MS_RDONLY)
            try:
                cached = os.listdir("/mnt/device")
                switch("goes", device, broken)
                volume.drop_caches()
                try:
                    with open("/mnt/device/one run", "rb") as file:
                        file.read()
                except OSError as error:
                    assert error.errno == errno.EIO, error
                else:
                    raise AssertionError("a broken device was read")
                listing = walk.walk("/mnt/device")
                assert listing.errors or any(entry.error for entry in listing.entries.values()), len(cached)
                os.statvfs("/mnt/device")
            finally:
                outcome = watch.watched(lambda tick: volume.unmount("/mnt/device"))
            assert not outcome.stuck and not outcome.error, outcome
        with report.case("a device that is broken from the start is EIO at mount"):
            for _ in range(2):
                try:
                    syscalls.mount(path, "/mnt/device", fstype, syscalls.MS_RDONLY)
                except OSError as error:
                    assert error.errno in (errno.EIO, errno.EINVAL), error
                else:
                    volume.unmount("/mnt/device")
                    raise AssertionError("a broken device was mounted")
        switch("goes", device, linear)
        with report.case("the same device in order again is mounted and read without an error"):
            outcome = watch.watched(step(fstype, path))
            assert outcome.value and outcome.value[0] == 0 and not set(outcome.value[1]) - {errno.ENOENT, errno.ENXIO, errno.EOPNOTSUPP}, outcome
        with report.case("a device that comes back under a mount is read again"):
            syscalls.mount(path, "/mnt/device", fstype, syscalls.MS_RDONLY)
            try:
                switch("goes", device, broken)
                walk.walk("/mnt/device")
                switch("goes", device, linear)
                volume.drop_caches()
                listing = walk.walk("/mnt/device")
                bad = [entry.path for entry in listing.entries.values() if entry.error]
                assert not listing.errors and not bad, (listing.errors, bad)
            finally:
                volume.unmount("/mnt/device")


def flakey(report: Report, fstype: str, device: str) -> None:
    with mapped("flaky", device, "0 {size} flakey {device} 0 1 1 1 error_reads") as path:
        with report.case("a device that fails every other second gives EIO or data, and unmounts"):
            until = time.monotonic() + 25
            rounds = 0
            while time.monotonic() < until:
                volume.drop_caches()
                outcome = watch.watched(step(fstype, path))
                assert not outcome.stuck and not outcome.error, outcome
                status, errors = outcome.value
                assert status in (0, errno.EIO, errno.EINVAL), errno.errorcode.get(status)
                assert not set(errors) - ERRORS, {errno.errorcode.get(n): c for n, c in errors.items()}
                rounds += 1
            assert rounds > 1, rounds


def holes_in_the_device(report: Report, fstype: str, device: str) -> None:
    """Single bad stretches: everything that does not lie there must still be readable."""
    size = int(volume.run("blockdev", "--getsz", device))
    dice = random.Random(7)
    with report.case("bad sectors cost only what lies on them"):
        for _ in range(6):
            start = dice.randrange(64, size - 64) & ~7
            table = (
                f"0 {start} linear {device} 0\n{start} 8 error\n{start + 8} {size - start - 8} linear {device} {start + 8}"
            )  # fmt: skip
            with mapped("spots", device, table) as path:
                outcome = watch.watched(step(fstype, path))
                assert not outcome.stuck and not outcome.error, outcome
                status, errors = outcome.value
                assert status in (0, errno.EIO, errno.EINVAL), errno.errorcode.get(status)
                assert not set(errors) - ERRORS, errors


def shrinking(report: Report, fstype: str) -> None:
    with report.case("an image cut short under a mount gives EIO, and unmounts"):
        path = "/tmp/cut.img"
        volume.run("cp", IMAGE, path)
        with volume.loop(path) as device:
            syscalls.mount(device, "/mnt/device", fstype, syscalls.MS_RDONLY)
            try:
                os.truncate(path, 1 << 20)
                volume.drop_caches()
                outcome = watch.watched(lambda tick: prod.prod("/mnt/device", tick))
                assert not outcome.stuck and not outcome.error, outcome
            finally:
                volume.unmount("/mnt/device")
        os.unlink(path)


def allocations(report: Report, fstype: str, device: str) -> None:
    knobs = "/sys/kernel/debug/failslab"
    if not os.path.isdir(knobs):
        report.skipped("failing allocations give ENOMEM and leave nothing behind", "no failslab in this kernel")
        return

    def knob(name: str, value: str) -> None:
        with open(f"{knobs}/{name}", "w") as file:
            file.write(value)

    with report.case("failing allocations give ENOMEM and leave nothing behind"):
        for name, value in (("task-filter", "Y"), ("times", "-1"), ("verbose", "0"), ("ignore-gfp-wait", "N"), ("probability", "100")):
            knob(name, value)
        try:
            seen = set()
            for interval in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987):

                def failing(tick, interval=interval) -> list:
                    knob("interval", str(interval))
                    # Opened before, since to open is to allocate.
                    switch_fd = os.open("/proc/self/make-it-fail", os.O_WRONLY)
                    try:
                        os.write(switch_fd, b"1")
                        syscalls.mount(device, "/mnt/device", fstype, syscalls.MS_RDONLY)
                    except OSError as error:
                        return [error.errno]
                    finally:
                        os.write(switch_fd, b"0")
                    try:
                        os.write(switch_fd, b"1")
                        with contextlib.suppress(OSError, MemoryError):
                            prod.prod("/mnt/device", tick)
                    finally:
                        os.write(switch_fd, b"0")
                        volume.unmount("/mnt/device")
                    return [0]

                outcome = watch.watched(failing)
                assert not outcome.stuck, outcome.stuck
                if os.path.ismount("/mnt/device"):
                    # The child itself fell over an allocation of its own.
                    volume.unmount("/mnt/device")
                if outcome.value:
                    seen.add(outcome.value[0])
                    assert outcome.value[0] in (0, errno.ENOMEM, errno.EIO, errno.EINVAL), errno.errorcode.get(outcome.value[0])
            assert errno.ENOMEM in seen, seen
        finally:
            knob("probability", "0")
    with report.case("after them the volume is mounted and read without an error"):
        outcome = watch.watched(step(fstype, device))
        assert outcome.value and outcome.value[0] == 0 and errno.ENOMEM not in outcome.value[1], outcome


def run(report: Report, plan: dict) -> None:
    os.makedirs("/mnt/device", exist_ok=True)
    base(IMAGE, 512, 4096, 12)
    log = kmsg.Kmsg()
    fstype = plan["fstype"]
    with volume.loop(IMAGE) as device:
        for part in (error_target, flakey, holes_in_the_device, allocations):
            log.new()
            with report.case(f"{part.__name__.replace('_', ' ')}: the test runs to its end"):
                part(report, fstype, device)
            report.check(f"{part.__name__.replace('_', ' ')}: no splat", kmsg.splats(log.new()))
    shrinking(report, fstype)
    report.check("shrinking: no splat", kmsg.splats(log.new()))
    with report.case("the module unloads after all that"):
        volume.run("rmmod", fstype)
    report.check("unloading: no splat", kmsg.splats(log.new()))
