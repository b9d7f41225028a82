# SPDX-License-Identifier: GPL-2.0-only
"""Eight readers at once on real volumes while the caches are dropped and memory is short, then mounts and unmounts
in a loop; after that nothing may be left over: no object, no leak, no reference on the module.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import mmap
import os
import random
import signal
import subprocess
import time

from .. import kmsg, syscalls, volume
from ..case import Report
from ..main import mount_disk
from .truth import load

READERS = 8
CGROUP = "/sys/fs/cgroup/readers"


def reader(root: str, rows: list[dict], seed: int, until: float) -> None:
    """One process: reads, maps, lists and stats at random; a wrong hash or an unexpected error ends it with 1."""
    dice = random.Random(seed)
    files = [row for row in rows if row.get("sha256") and row["type"] == "file"]
    folders = [row["path"] for row in rows if row["type"] == "dir" and not row.get("reparse")] + ["/"]
    while time.monotonic() < until:
        act = dice.randrange(5)
        if act == 0:
            folder = root + dice.choice(folders)
            for name in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):
                    os.lstat(f"{folder}/{name}")
        elif act == 1:
            os.statvfs(root)
            with contextlib.suppress(FileNotFoundError):
                os.lstat(f"{root}/no such name {dice.randrange(50)}")
        elif files:
            row = dice.choice(files)
            fd = os.open(root + row["path"], os.O_RDONLY)
            try:
                if act == 2 and row["size"] <= 4 << 20:
                    content = b"".join(iter(lambda fd=fd: os.read(fd, 1 << 16), b""))
                    assert hashlib.sha256(content).hexdigest() == row["sha256"], f"{row['path']}: wrong content"
                elif act == 3 and 0 < row["size"] <= 4 << 20:
                    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
                        assert hashlib.sha256(view).hexdigest() == row["sha256"], f"{row['path']}: wrong mapping"
                else:
                    os.pread(fd, 1 << dice.randrange(18), dice.randrange(max(row["size"], 1)))
                    with contextlib.suppress(OSError):
                        os.lseek(fd, 0, os.SEEK_HOLE)
                        syscalls.fiemap(fd, count=8)
            finally:
                os.close(fd)


def spawn(root: str, rows: list[dict], number: int, seconds: float) -> int:
    """Starts a reader in the small memory group."""
    pid = os.fork()
    if pid == 0:
        status = 0
        try:
            with contextlib.suppress(OSError), open(f"{CGROUP}/cgroup.procs", "w") as procs:
                procs.write(str(os.getpid()))
            reader(root, rows, number, time.monotonic() + seconds)
        except BaseException as error:
            print(f"reader {number}: {type(error).__name__}: {error}", flush=True)
            status = 1
        os._exit(status)
    return pid


def wait_all(pids: list[int], seconds: float) -> list[str]:
    """Collects the readers; one that does not come back is stuck."""
    until, problems = time.monotonic() + seconds, []
    while pids:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            pids.remove(pid)
            if status:
                problems.append(f"a reader ended with {status}")
        elif time.monotonic() > until:
            for pid in pids:
                with open(f"/proc/{pid}/stack") as stack:
                    problems.append(f"reader {pid} is stuck:\n{stack.read()}")
                os.kill(pid, signal.SIGKILL)
            return problems
        else:
            time.sleep(0.1)
    return problems


def can_be_read(root: str, row: dict) -> bool:
    """Whether one reader alone gets at it. (What should be there and is not, the group `images` tells.)"""
    try:
        if row["type"] == "dir":
            os.listdir(root + row["path"])
        elif row["type"] == "file":
            os.close(os.open(root + row["path"], os.O_RDONLY))
    except OSError:
        return False
    return True


def concurrent(report: Report, item: dict, folder: str, fstype: str, seconds: float) -> None:
    rows = [row for row in load(f"{folder}/{item['truth']}") if not row.get("system")]
    problems: list[str] = []
    with volume.shared_volume(item, folder) as device, volume.mounted(fstype, device) as root:
        rows = [row for row in rows if can_be_read(root, row)]
        pids = [spawn(root, rows, number, seconds) for number in range(READERS)]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.7)
            with open("/proc/sys/vm/drop_caches", "w") as drop:
                drop.write(str(random.choice((1, 2, 3))))
        problems = wait_all(pids, 60)
    report.check(f"{READERS} readers at once, with dropped caches and little memory", problems)


def loops(report: Report, item: dict, folder: str, fstype: str, count: int) -> None:
    with report.case(f"{count} mounts, some lazily unmounted while in use"), volume.shared_volume(item, folder) as device:
        for number in range(count):
            with volume.mounted(fstype, device, "nocase" if number % 2 and fstype == "ntfs_rs" else "") as root:
                names = os.listdir(root)
                if number % 3 == 0:
                    held = os.open(f"{root}/{names[0]}" if names else root, os.O_RDONLY)
                    with volume.mounted(fstype, device, at="/mnt/second") as second:
                        os.listdir(second)
                        syscalls.umount(second, syscalls.MNT_DETACH)
                        syscalls.mount(device, second, fstype, syscalls.MS_RDONLY)
                    os.close(held)


def our_slabs(fstype: str) -> dict[str, int]:
    """Objects in use of the driver's own caches. What is free but kept for a processor is given back first."""
    found = {}
    for shrink in glob.glob(f"/sys/kernel/slab/{fstype}*/shrink"):
        with open(shrink, "w") as file:
            file.write("1")
    with open("/proc/slabinfo") as slabs:
        for line in slabs:
            words = line.split()
            if words and words[0].startswith(fstype):
                found[words[0]] = int(words[1])
    return found


def run(report: Report, plan: dict) -> None:
    fstype, folder, log = plan["fstype"], mount_disk(0), kmsg.Kmsg()
    os.makedirs(CGROUP, exist_ok=True)
    with contextlib.suppress(OSError):
        with open("/sys/fs/cgroup/cgroup.subtree_control", "w") as control:
            control.write("+memory")
        with open(f"{CGROUP}/memory.max", "w") as limit:
            limit.write(str(160 << 20))
    before = our_slabs(fstype)
    for item in plan["volumes"]:
        report.prefix = item["id"]
        kmsg.say(f"stress {item['id']}")
        try:
            concurrent(report, item, folder, fstype, plan["seconds"])
            loops(report, item, folder, fstype, plan["loops"])
        except OSError as error:
            report.failed("the volume mounts and unmounts under stress", str(error))
        report.check("no splat", kmsg.splats(log.new()))
    report.prefix = ""
    volume.drop_caches()
    time.sleep(1)
    with report.case("no object of ours is left after the last unmount"):
        after = our_slabs(fstype)
        more = {name: count for name, count in after.items() if count > before.get(name, 0)}
        assert not more, more
    if os.path.exists("/sys/kernel/debug/kmemleak") and plan["kmemleak"]:
        with report.case("kmemleak finds nothing that came from us"):
            for _ in range(2):
                with open("/sys/kernel/debug/kmemleak", "w") as scan:
                    scan.write("scan")
                time.sleep(6)
            with open("/sys/kernel/debug/kmemleak") as leaks:
                found = [text for text in leaks.read().split("unreferenced object") if fstype in text]
            assert not found, found[0][:1500]
    with report.case("the module unloads, loads and unloads again"):
        for command in (["rmmod", fstype], ["insmod", "/payload/ntfs_rs.ko"], ["rmmod", fstype]):
            if command[0] != "insmod" or os.path.exists("/payload/ntfs_rs.ko"):
                subprocess.run(command, check=fstype == "ntfs_rs")
        assert not our_slabs(fstype), our_slabs(fstype)
    report.check("no splat at the end", kmsg.splats(log.new()))
