# SPDX-License-Identifier: GPL-2.0-only
"""Folders: positions, small buffers, types, and which names are found but not listed."""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from .. import syscalls, volume
from ..case import Report, expect_error
from .ground import Ground

DT_TO_MODE = {1: stat.S_IFIFO, 2: stat.S_IFCHR, 4: stat.S_IFDIR, 6: stat.S_IFBLK, 8: stat.S_IFREG, 10: stat.S_IFLNK, 12: stat.S_IFSOCK}
FOLDERS = ("directories/0 names", "directories/1 names", "directories/11 names", "directories/100 names",
           "directories/1000 names", "directories/holes in the index", "directories/emptied", "names", "reparse")  # fmt: skip


def all_entries(fd: int, size: int) -> list[syscalls.Dirent]:
    """A folder from its present position to the end."""
    entries = []
    while piece := syscalls.getdents(fd, size):
        entries += piece
    return entries


def run(report: Report, ground: Ground) -> None:
    with ground.mount() as root:
        for folder in FOLDERS:
            fd = os.open(f"{root}/{folder}", os.O_RDONLY | os.O_DIRECTORY)
            try:
                one_folder(report, root, folder, fd)
            finally:
                os.close(fd)
        types(report, root)
        lookups(report, root, ground)
    with ground.mount("showmeta") as root, report.case("with showmeta the system files are listed, and . and .. once"):
        names = os.listdir(root)
        assert {"$MFT", "$MFTMirr", "$Volume", "$Bitmap", "$UpCase", "$Extend"} <= set(names), sorted(names)
    with ground.mount() as root, report.case("without showmeta no system file is listed, but it can be opened by name"):
        assert not [name for name in os.listdir(root) if name in ("$MFT", "$Volume", "$Extend")]


def one_folder(report: Report, root: str, folder: str, fd: int) -> None:
    full = all_entries(fd, 1 << 16)
    names = [entry.name for entry in full]
    with report.case(f"{folder}: . and .. come first and once, and no name comes twice"):
        assert names[:2] == [b".", b".."] and len(set(names)) == len(names), names[:5]
        assert full[0].ino == os.fstat(fd).st_ino
        assert full[1].ino == os.stat(f"{root}/{folder}/..").st_ino
    with report.case(f"{folder}: a small buffer gives the same names in the same order"):
        os.lseek(fd, 0, os.SEEK_SET)
        longest = max(24 + len(name) + 8 for name in names)
        assert [e.name for e in all_entries(fd, max(longest, 64))] == names
    with report.case(f"{folder}: a buffer too small for one entry is EINVAL"):
        os.lseek(fd, 0, os.SEEK_SET)
        expect_error(errno.EINVAL, syscalls.getdents, fd, 8)
    with report.case(f"{folder}: positions are distinct, positive, and lead to the entry behind"):
        offsets = [entry.offset for entry in full]
        assert len(set(offsets)) == len(offsets) and all(offset > 0 for offset in offsets), offsets[:5]
        for index in sorted({0, 1, len(full) // 3, len(full) // 2, len(full) - 2} & set(range(len(full)))):
            os.lseek(fd, offsets[index], os.SEEK_SET)
            rest = [e.name for e in all_entries(fd, 4096)]
            assert rest == names[index + 1 :], f"after {names[index]!r}: {rest[:2]} instead of {names[index + 1 : index + 3]}"
    with report.case(f"{folder}: positions mean the same for another open file"):
        other = os.open(f"{root}/{folder}", os.O_RDONLY | os.O_DIRECTORY)
        try:
            middle = len(full) // 2
            os.lseek(other, full[middle].offset, os.SEEK_SET)
            assert [e.name for e in all_entries(other, 4096)] == names[middle + 1 :]
        finally:
            os.close(other)
    with report.case(f"{folder}: rewinding starts again, and the end stays the end"):
        os.lseek(fd, 0, os.SEEK_SET)
        assert len(all_entries(fd, 1 << 15)) == len(full)
        assert syscalls.getdents(fd, 4096) == []
    with report.case(f"{folder}: a position from nowhere ends quietly"):
        for position in (3, 12345, 1 << 40, (1 << 62) + (1 << 33), (1 << 63) - 1):
            try:
                os.lseek(fd, position, os.SEEK_SET)
            except OSError as error:
                assert error.errno == errno.EINVAL, error
                continue
            try:
                assert len(all_entries(fd, 1 << 15)) <= len(full)
            except OSError as error:
                assert error.errno in (errno.EINVAL, errno.ENOENT), error
    with report.case(f"{folder}: telldir and seekdir of the C library agree"):
        libc = syscalls.LIBC
        libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
        libc.telldir.restype = ctypes.c_long
        stream = ctypes.c_void_p(libc.opendir(os.fsencode(f"{root}/{folder}")))
        seen: list[tuple[int, bytes]] = []
        while True:
            place = libc.telldir(stream)
            entry = libc.readdir(stream)
            if not entry:
                break
            seen.append((place, ctypes.string_at(entry + 19)))
        for place, name in seen[:: max(len(seen) // 7, 1)]:
            libc.seekdir(stream, ctypes.c_long(place))
            entry = libc.readdir(stream)
            assert entry and ctypes.string_at(entry + 19) == name, name
        libc.closedir(stream)


def types(report: Report, root: str) -> None:
    with report.case("d_type and d_ino are what lstat says, for every kind of file"):
        wrong = []
        for folder in ("reparse", "names", "attributes", ""):
            fd = os.open(f"{root}/{folder}", os.O_RDONLY | os.O_DIRECTORY)
            for entry in all_entries(fd, 1 << 15):
                if entry.name in (b".", b".."):
                    continue
                info = os.lstat(os.fsencode(f"{root}/{folder}/") + entry.name)
                if entry.type not in (0, next(k for k, v in DT_TO_MODE.items() if v == stat.S_IFMT(info.st_mode))):
                    wrong.append((entry.name, entry.type, oct(info.st_mode)))
                if entry.ino != info.st_ino:
                    wrong.append((entry.name, entry.ino, info.st_ino))
            os.close(fd)
        assert not wrong, wrong[:5]


def lookups(report: Report, root: str, ground: Ground) -> None:
    with report.case("names differ by case when nothing else is said"):
        assert os.path.exists(f"{root}/names/plain.txt")
        expect_error(errno.ENOENT, os.lstat, f"{root}/names/PLAIN.TXT")
        assert os.stat(f"{root}/names/case").st_ino != os.stat(f"{root}/names/CASE").st_ino
    with report.case("a name that is too long is ENAMETOOLONG, one that is not there is ENOENT"):
        expect_error(errno.ENAMETOOLONG, os.lstat, f"{root}/{'x' * 256}")
        expect_error(errno.ENOENT, os.lstat, f"{root}/{'x' * 255}")
        expect_error((errno.ENOENT, errno.EINVAL), os.lstat, os.fsencode(root) + b"/\xff\xfe\x80")
        expect_error(errno.ENOTDIR, os.lstat, f"{root}/names/plain.txt/x")
    with report.case("255 wide characters are a name, though they are 765 bytes"):
        assert os.stat(f"{root}/names/{'語' * 255}").st_size == 20
    with report.case("a name is found by its 8.3 twin, which is not listed"):
        long_name = f"{root}/attributes/a long name with a short twin.text"
        assert os.stat(f"{root}/attributes/ALONGN~1.TEX").st_ino == os.stat(long_name).st_ino
        assert "ALONGN~1.TEX" not in os.listdir(f"{root}/attributes")
    with report.case("a . or a .. at the end is the folder and its parent, up to the root"):
        assert os.stat(f"{root}/names/..").st_ino == os.stat(root).st_ino == 5
        inner = os.open(f"{root}/directories/tree/0/00/leaf", os.O_RDONLY)
        assert os.stat("..", dir_fd=inner).st_ino == os.stat(f"{root}/directories/tree/0/00").st_ino
        os.close(inner)
    # Through a device of its own: two mounts of one device are one file system with one set of options.
    with volume.loop(ground.image) as device, ground.mount("nocase", device=device, at="/mnt/nocase") as other:
        with report.case("with nocase a name is found in any case, beyond ASCII too"):
            want = os.stat(f"{other}/names/plain.txt").st_ino
            assert os.stat(f"{other}/NAMES/PLAIN.TXT").st_ino == want
            assert os.stat(f"{other}/names/Plain.Txt").st_ino == want
            assert os.stat(f"{other}/names/ελληνικά").st_ino == os.stat(f"{other}/names/ΕΛΛΗΝΙΚΆ").st_ino
        with report.case("with nocase the volume is asked for the exact name first"):
            # What the dentry cache holds is one name of the pair, whichever was asked for first.
            for pair in (("case", "CASE"), ("ärger", "ÄRGER")):
                for name in (*pair, *reversed(pair)):
                    volume.drop_caches()
                    assert os.stat(f"{other}/names/{name}").st_ino == os.stat(f"{root}/names/{name}").st_ino, name
        with report.case("with nocase a name that is missing stays missing in every case"):
            for _ in range(2):
                for name in ("Not There", "NOT THERE", "not there"):
                    expect_error(errno.ENOENT, os.lstat, f"{other}/names/{name}")
        with report.case("with nocase one file has one dentry, whatever case it is asked for by"):
            path = f"{other}/DIRECTORIES/TREE/0/00/LEAF/FILE"
            fd = os.open(path, os.O_RDONLY)
            shown = os.readlink(f"/proc/self/fd/{fd}")
            os.close(fd)
            assert os.stat(path).st_ino == os.stat(f"{other}/directories/tree/0/00/leaf/file").st_ino, shown
