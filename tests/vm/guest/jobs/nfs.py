# SPDX-License-Identifier: GPL-2.0-only
"""The volume exported and mounted over the loopback: the listing through NFS is the listing without it.

The server's caches are dropped between and under the walks, so that file handles have to be found again.
"""

from __future__ import annotations

import os
import subprocess
import time

from .. import kmsg, volume, walk
from ..case import Report
from ..main import mount_disk

EXPORT, CLIENT = "/mnt/export", "/mnt/client"


def serve() -> None:
    """Starts a server for NFS 3 on the loopback: without state, so that each request comes with a file handle."""
    for module in ("nfsd", "nfsv3"):
        volume.run("modprobe", module, check=False)
    volume.run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd", check=False)
    with open("/etc/exports", "w") as exports:
        exports.write(f"{EXPORT} 127.0.0.1(ro,fsid=7,no_subtree_check,no_root_squash,insecure)\n")
    volume.run("rpcbind", "-w", check=False)
    subprocess.Popen(["rpc.mountd", "-F", "-N", "4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    volume.run("rpc.nfsd", "-N", "4", "-H", "127.0.0.1", "2")


def run(report: Report, plan: dict) -> None:
    folder = mount_disk(0)
    log = kmsg.Kmsg()
    os.makedirs(CLIENT, exist_ok=True)
    for number, item in enumerate(plan["volumes"]):
        export(report, item, folder, plan["fstype"], first=number == 0)
    report.check("no splat", kmsg.splats(log.new()))


def export(report: Report, item: dict, folder: str, fstype: str, first: bool) -> None:
    """Exports one volume and compares."""
    with volume.shared_volume(item, folder) as device, volume.mounted(fstype, device, at=EXPORT):
        direct = walk.walk(EXPORT)
        if first:
            serve()
        volume.run("exportfs", "-r")
        try:
            volume.run("timeout", "90", "mount", "-t", "nfs", "-o", "ro,vers=3,nolock,soft,timeo=300,proto=tcp", f"127.0.0.1:{EXPORT}", CLIENT)
            for round_ in ("as it is", "after everything was forgotten", "while everything is forgotten"):
                if round_ != "as it is":
                    volume.drop_caches()
                dropper = None
                if round_.startswith("while"):
                    dropper = subprocess.Popen(["sh", "-c", "while sleep 2; do echo 3 > /proc/sys/vm/drop_caches; done"])
                start = time.monotonic()
                through = walk.walk(CLIENT)
                if dropper:
                    dropper.kill()
                    dropper.wait()
                wrong = through.errors[:]
                for path, entry in direct.entries.items():
                    other = through.entries.get(path)
                    if other is None:
                        wrong.append(f"{path!r} is missing")
                    elif (entry.type, entry.sha256, entry.mtime, entry.nlink, entry.ino, entry.target) != (
                        other.type, other.sha256, other.mtime, other.nlink, other.ino, other.target,
                    ):  # fmt: skip
                        wrong.append(f"{path!r}: {entry} through NFS is {other}")
                wrong += [f"{path!r} is not in the export" for path in set(through.entries) - set(direct.entries)]
                report.check(f"{item['id']} through NFS {round_}", wrong)
                report.note(f"{len(through.entries)} names in {time.monotonic() - start:.1f} s")
            with report.case(f"{item['id']}: an open file goes on reading after the server forgot it"):
                name = next(e.path for e in direct.entries.values() if e.type == "file" and e.size > 4096)
                with open(f"{CLIENT}{name}", "rb", buffering=0) as file:
                    first = file.read(4096)
                    volume.drop_caches()
                    file.seek(0)
                    assert file.read(4096) == first
            volume.unmount(CLIENT)
        finally:
            # The server lets go of the mount when nothing is exported and its caches are flushed.
            volume.run("exportfs", "-au", check=False)
            volume.run("exportfs", "-f", check=False)
