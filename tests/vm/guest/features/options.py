# SPDX-License-Identifier: GPL-2.0-only
"""Mount options: each is taken and shown, or refused with a line; a remount keeps or refuses, never ignores."""

from __future__ import annotations

import errno
import os

from .. import syscalls, volume, walk
from ..case import Report, expect_error
from ..ntfs_raw import RawVolume
from .ground import Ground, digest

# What udisks, fstab lines and the other drivers' users write.
TAKEN = [
    "uid=0,gid=0,umask=022", "umask=0022", "fmask=0177,dmask=0077", "iocharset=utf8", "nls=utf8", "nocase", "nocase=1",
    "nocase=0", "case_sensitive", "showmeta", "showmeta=1", "showmeta=0", "show_sys_files", "native_symlink=raw",
    "native_symlink=rel", "errors=continue", "errors=remount-ro", "windows_names", "windows_names=0", "hide_dot_files",
    "discard", "force", "sparse", "prealloc", "prealloc=0", "symlink=native", "symlink=wsl",
    "uid=1000,gid=1000,windows_names,iocharset=utf8", "sys_immutable", "sys_immutable=0", "acl", "acl=1", "acl=0", "noacl",
    "efs_raw", "efs_raw=0", "nohidden", "nohidden=0", "hide_hid_files", "hide_hid_files=1",
]  # fmt: skip
REFUSED = [
    "uid=nobody", "uid=-1", "gid=4294967295", "umask=8", "umask=1777", "fmask=abc", "dmask=", "iocharset=klingon", "nocase=2",
    "nocase=maybe", "showmeta=perhaps", "native_symlink=both", "native_symlink", "errors=ignore", "no_such_option",
    "no_such_option=1", "uid", "symlink=hard", "umask=022,,bogus", "acl=maybe", "noacl=1",
]  # fmt: skip


def run(report: Report, ground: Ground) -> None:
    for options in TAKEN:
        with report.case(f"-o {options} is taken"):
            with ground.mount(options) as root:
                assert len(os.listdir(root)) >= 6
    for options in REFUSED:
        with report.case(f"-o {options} is refused, with a line that says so"):
            status, lines = ground.refused(ground.device, options)
            assert status == errno.EINVAL, errno.errorcode.get(status, status)
            assert lines, "nothing in the log"
    shown(report, ground)
    remounts(report, ground)
    charsets(report, ground)


def shown(report: Report, ground: Ground) -> None:
    cases = {
        "uid=7,gid=8,fmask=0133,dmask=0022": {"uid=7", "gid=8", "fmask=0133", "dmask=0022"},
        "nocase": {"nocase"},
        "showmeta": {"showmeta"},
        "show_sys_files": {"showmeta"},
        "native_symlink=rel": {"native_symlink=rel"},
        "iocharset=iso8859-1": {"iocharset=iso8859-1"},
        "discard": {"discard", "errors=remount-ro"},
        "errors=continue": {"errors=continue"},
        "errors=panic": {"errors=panic"},
        "sys_immutable=1": {"sys_immutable"},
        "acl": {"acl"},
        "efs_raw": {"efs_raw"},
        "nohidden": {"nohidden"},
        "hide_hid_files": {"nohidden"},
        "acl,noacl,acl=1": {"acl"},
    }
    for options, want in cases.items():
        with report.case(f"/proc/mounts shows -o {options}"):
            with ground.mount(options) as root:
                got = ground.shown_options(root)
                assert want <= got and "ro" in got, got
    with report.case("what /proc/mounts shows can be given to mount again"):
        with ground.mount("uid=7,nocase,umask=077,showmeta,native_symlink=rel") as root:
            first = ground.shown_options(root)
        words = ",".join(sorted(first - {"ro", "relatime"}))
        with ground.mount(words) as root:
            assert ground.shown_options(root) == first, (first, ground.shown_options(root))
    with report.case("a read-write mount of a read-only device is refused, so that mount(8) asks for a read-only one"):
        expect_error(errno.EACCES, syscalls.mount, ground.device, "/mnt", ground.fstype, 0, "")
    with ground.copy() as image:
        with report.case("-o rw is granted, and a walk and an unmount change no byte"), volume.loop(image, writable=True) as device:
            before = digest(image)
            with volume.mounted(ground.fstype, device, "", flags=syscalls.MS_NOATIME, at="/mnt/rw") as root:
                assert "rw" in ground.shown_options(root), ground.shown_options(root)
                walk.walk(root)
            assert digest(image) == before
        raw = RawVolume(image, writable=True)
        raw.mark_dirty()
        raw.close()
        with report.case("-o rw of a dirty volume falls back to read-only, with one line that says so"), volume.loop(image, writable=True) as device:
            ground.log.new()
            with volume.mounted(ground.fstype, device, "", flags=0, at="/mnt/rw") as root:
                assert "ro" in ground.shown_options(root), ground.shown_options(root)
                lines = [line for line in ground.log.new() if "read-only" in line and ground.fstype in line]
                assert len(lines) == 1, lines
                expect_error(errno.EROFS, open, f"{root}/new", "w")
            with volume.mounted(ground.fstype, device, "force", flags=0, at="/mnt/rw") as root:
                assert "rw" in ground.shown_options(root), ground.shown_options(root)


def remounts(report: Report, ground: Ground) -> None:
    remount = syscalls.MS_REMOUNT | syscalls.MS_RDONLY
    with ground.mount("uid=7,fmask=0133,dmask=0022") as root:

        def again(options: str, flags: int = remount) -> None:
            syscalls.mount(ground.device, root, ground.fstype, flags, options)

        with report.case("a remount with nothing keeps every option"):
            before = ground.shown_options(root)
            again("")
            assert ground.shown_options(root) == before, ground.shown_options(root)
        with report.case("a remount with the same options is taken"):
            again("uid=7,fmask=0133")
        for options in ("uid=8", "gid=9", "fmask=0", "dmask=077", "nocase", "iocharset=iso8859-1", "native_symlink=rel"):
            with report.case(f"a remount with another {options} is refused or takes effect, and is never ignored"):
                try:
                    again(options)
                except OSError as error:
                    assert error.errno == errno.EINVAL, error
                    assert any(ground.fstype in line for line in ground.log.new()), "no line says why"
                    assert ground.shown_options(root) == before
                else:
                    assert options in {word.replace("=00", "=0") for word in ground.shown_options(root)}
        with report.case("a remount changes what is done about errors, and whether clusters are discarded"):
            again("errors=panic,discard")
            assert {"errors=panic", "discard"} <= ground.shown_options(root)
            again("errors=remount-ro,discard=0")
            assert ground.shown_options(root) == before, ground.shown_options(root)
        with report.case("a remount with showmeta shows the system files, and back"):
            again("showmeta")
            assert "showmeta" in ground.shown_options(root) and "$MFT" in os.listdir(root)
            again("showmeta=0")
            assert "showmeta" not in ground.shown_options(root) and "$MFT" not in os.listdir(root)
        with report.case("a remount to read-write is refused or stays read-only"):
            try:
                again("", flags=syscalls.MS_REMOUNT)
            except OSError as error:
                assert error.errno in (errno.EROFS, errno.EACCES, errno.EINVAL), error
            assert "ro" in ground.shown_options(root)
            expect_error(errno.EROFS, open, f"{root}/new", "w")
        with report.case("a refused remount leaves the mount as it was and readable"):
            expect_error(errno.EINVAL, again, "umask=9")
            assert ground.shown_options(root) == before and os.listdir(f"{root}/data")


def charsets(report: Report, ground: Ground) -> None:
    with report.case("with iocharset=iso8859-1 names come and go in Latin-1"):
        with ground.mount("iocharset=iso8859-1") as root:
            path = os.fsencode(f"{root}/names/") + "ärger".encode("latin-1")
            assert os.stat(path).st_size == 40
            assert "ÄRGER".encode("latin-1") in os.listdir(os.fsencode(f"{root}/names"))
    with report.case("two mounts of one volume share it, and other options are refused for the second"):
        with ground.mount("", at="/mnt/first") as one:
            try:
                with ground.mount("", at="/mnt/second") as two:
                    assert os.stat(one).st_dev == os.stat(two).st_dev
            except OSError as error:
                assert error.errno == errno.EBUSY, error
