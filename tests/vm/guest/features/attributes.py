# SPDX-License-Identifier: GPL-2.0-only
"""Inode attributes: times against what was set, owners and modes by option, labels, identities, id-mapped mounts."""

from __future__ import annotations

import os
import signal
import stat

from .. import syscalls
from ..case import Report
from ..fill.times import EPOCH, STAMPS
from ..ntfs_raw import RawVolume
from .ground import Ground


def run(report: Report, ground: Ground) -> None:
    with ground.mount() as root:
        times(report, root)
        identities(report, root, ground)
    owners(report, ground)
    id_mapped(report, ground)


def times(report: Report, root: str) -> None:
    for name, stamp in STAMPS.items():
        with report.case(f"times {name}: creation, modification and access to the 100 ns"):
            path = f"{root}/times/{name}"
            info, more = os.stat(path), syscalls.statx(path)
            want = [(value - EPOCH) * 100 for value in (stamp, max(stamp - 10_000_000, 1), max(stamp - 20_000_003, 1))]
            assert [more.btime_ns, info.st_mtime_ns, info.st_atime_ns] == want, f"{[more.btime_ns, info.st_mtime_ns, info.st_atime_ns]} instead of {want}"
    with report.case("statx says that it knows the birth time, and which attributes it knows"):
        info = syscalls.statx(f"{root}/data/size 8")
        assert info.mask & 0x800, hex(info.mask)
        known = syscalls.STATX_ATTR_COMPRESSED | syscalls.STATX_ATTR_ENCRYPTED
        assert info.attributes_mask & known == known, hex(info.attributes_mask)
        assert info.attributes & known == 0
    with report.case("statx and stat agree"):
        for name in ("data/several MiB", "names", "reparse/fifo", "reparse/wsl link"):
            info, more = os.lstat(f"{root}/{name}"), syscalls.statx(f"{root}/{name}")
            assert (info.st_ino, info.st_size, info.st_mode, info.st_nlink, info.st_blocks) == (
                more.ino, more.size, more.mode, more.nlink, more.blocks,
            ), name  # fmt: skip


def identities(report: Report, root: str, ground: Ground) -> None:
    with report.case("every name of a hard-linked file is the same inode with all its links"):
        for count in (2, 100):
            folder = f"{root}/attributes/{count} links"
            inodes = {os.stat(f"{folder}/{name}").st_ino for name in os.listdir(folder)}
            links = os.stat(f"{folder}/name 0000").st_nlink
            assert len(inodes) == 1 and links == count + (count == 2), (inodes, links)
    with report.case("a folder has one link, as everywhere where subfolders are not counted"):
        assert os.stat(f"{root}/directories/tree").st_nlink == 1
    with report.case("FS_IOC_GETFSLABEL gives the label"):
        assert syscalls.fs_label(root) == "c4096", syscalls.fs_label(root)
    with report.case("FS_IOC_GETFSUUID gives the serial number of the boot sector"):
        raw = RawVolume(ground.image)
        serial = os.pread(raw.fd, 8, 72)
        raw.close()
        assert syscalls.fs_uuid(root) in (serial, serial[::-1]), (syscalls.fs_uuid(root), serial)
    with report.case("statfs knows the longest name, the inodes and the type"):
        info = os.statvfs(root)
        assert info.f_namemax == 255, info
        assert info.f_files >= len(ground.oracle.entries) - 200 and info.f_ffree > 0, info
        assert info.f_bavail == info.f_bfree


def owners(report: Report, ground: Ground) -> None:
    cases = [
        ("", 0o755, 0o755, 0, 0),
        ("umask=027", 0o750, 0o750, 0, 0),
        ("fmask=0133,dmask=022", 0o644, 0o755, 0, 0),
        ("umask=0,uid=1234,gid=4321", 0o777, 0o777, 1234, 4321),
        ("umask=077,dmask=0", 0o700, 0o777, 0, 0),
    ]
    os.umask(0o022)
    for options, file_mode, folder_mode, uid, gid in cases:
        with report.case(f"owner and modes with -o {options or 'nothing (the umask of the mounting task)'}"):
            with ground.mount(options) as root:
                file, folder = os.stat(f"{root}/data/size 8"), os.stat(f"{root}/data")
                got = (stat.S_IMODE(file.st_mode), stat.S_IMODE(folder.st_mode), file.st_uid, file.st_gid, folder.st_uid)
                assert got == (file_mode, folder_mode, uid, gid, uid), [oct(x) if i < 2 else x for i, x in enumerate(got)]
    with report.case("another user cannot read what the mask takes away"):
        with ground.mount("umask=077,uid=1234") as root:
            assert can_read(f"{root}/data/size 8", 1234) and not can_read(f"{root}/data/size 8", 1235)


def can_read(path: str, uid: int) -> bool:
    """Whether a process of that user can read a file."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.read(os.open(path, os.O_RDONLY), 1)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def id_mapped(report: Report, ground: Ground) -> None:
    with report.case("an id-mapped mount shows the mapped owner"):
        with ground.mount("uid=1000,gid=1000") as root:
            sleeper = os.fork()
            if sleeper == 0:
                os.unshare(os.CLONE_NEWUSER)
                signal.pause()
                os._exit(0)
            try:
                while os.readlink(f"/proc/{sleeper}/ns/user") == os.readlink("/proc/self/ns/user"):
                    pass
                for what in ("uid_map", "gid_map"):
                    with open(f"/proc/{sleeper}/{what}", "w") as file:
                        file.write("1000 5000 1\n")
                namespace = os.open(f"/proc/{sleeper}/ns/user", os.O_RDONLY)
                os.makedirs("/mnt/mapped", exist_ok=True)
                syscalls.idmap_mount(root, "/mnt/mapped", namespace)
                try:
                    info = os.stat("/mnt/mapped/data/size 8")
                    assert (info.st_uid, info.st_gid) == (5000, 5000), (info.st_uid, info.st_gid)
                    assert os.stat(f"{root}/data/size 8").st_uid == 1000
                finally:
                    syscalls.umount("/mnt/mapped")
                    os.close(namespace)
            finally:
                os.kill(sleeper, signal.SIGKILL)
                os.waitpid(sleeper, 0)
