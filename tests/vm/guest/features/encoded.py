# SPDX-License-Identifier: GPL-2.0-only
"""Files whose bytes are not on the volume as they are: where fiemap says they are, and what lsattr shows of these and
of others. ntfs-3g makes the compressed ones; what WOF and EFS mark is put there below every driver."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import random
import struct

from .. import syscalls, volume
from ..case import Report, expect_error
from ..ntfs_raw import DATA, STANDARD_INFORMATION, RawVolume, attributes
from .ground import Ground

UNIT, CLUSTER = 65536, 4096
HIDDEN, SYSTEM, COMPRESSED = 0x2, 0x4, 0x800
ENCRYPTED_FILE, ENCRYPTED_VALUE = 0x4000, 0x4000
SECRETS = ("secret", "secret blocks", "secret byte", "secret nothing")
SECRET_STREAMS = {"small": 20, "long": 5001, "blocks": 4096}
WOF = struct.pack("<IHH", 0x80000017, 16, 0) + struct.pack("<IIII", 1, 2, 1, 0)


def mixed() -> bytes:
    """Five units: one that shrinks, one that does not, zeros, one that shrinks, and the first bytes of one that does not."""
    noise = random.Random(7)
    text = b"what shrinks, shrinks well. " * (UNIT // 28 + 1)
    return text[:UNIT] + noise.randbytes(UNIT) + bytes(UNIT) + text[5 : UNIT + 5] + noise.randbytes(10_000)


def set_attributes(path: str, bits: int) -> None:
    """The attributes of Windows."""
    os.setxattr(path, "system.ntfs_attrib_be", struct.pack(">I", bits))


def make(image: str) -> dict[str, int]:
    """The volume; gives the numbers of its files."""
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    volume.run("mkntfs", "-Q", "-F", "-q", "-L", "encoded", "-p", "0", "-s", "512", "-c", str(CLUSTER), image)
    numbers = {}
    with volume.ntfs3g(image, "compression") as root:
        os.mkdir(f"{root}/compressed")
        set_attributes(f"{root}/compressed", COMPRESSED)
        for name, content in (("compressed/mixed", mixed()), ("compressed/small", b"x" * 100), ("plain", mixed()), ("secret", mixed()),
                              ("secret blocks", mixed()[:8192]), ("secret byte", b"!"), ("secret nothing", b""), ("system", b"kept" * 1000)):  # fmt: skip
            with open(f"{root}/{name}", "wb") as file:
                file.write(content)
        for name, length in SECRET_STREAMS.items():
            os.setxattr(f"{root}/secret", f"user.{name}", mixed()[UNIT : UNIT + length])
        set_attributes(f"{root}/system", SYSTEM)
        os.mkdir(f"{root}/system folder")
        set_attributes(f"{root}/system folder", SYSTEM)
        os.mkdir(f"{root}/hidden folder")
        for name in ("hidden", "hidden folder/seen", "hidden folder/hidden"):
            os.mknod(f"{root}/{name}")
        for name in ("hidden", "hidden folder", "hidden folder/hidden"):
            set_attributes(f"{root}/{name}", HIDDEN)
        # One chunk, which is as long as it would be decoded, and so is not encoded at all; but nobody sees that from outside.
        with open(f"{root}/overlaid", "wb") as file:
            file.truncate(4096)
        os.setxattr(f"{root}/overlaid", "user.WofCompressedData", mixed()[UNIT : UNIT + 4096])
        os.setxattr(f"{root}/overlaid", "system.ntfs_reparse_data", WOF)
        os.makedirs(f"{root}/apart/BELOW")
        for name in ("apart/name", "apart/NAME", "apart/only", "apart/BELOW/File"):
            os.mknod(f"{root}/{name}")
        for folder, folders, names in os.walk(root):
            for name in (*folders, *names):
                path = os.path.join(folder, name)
                numbers[os.path.relpath(path, root)] = os.lstat(path).st_ino
    raw = RawVolume(image, writable=True)
    for secret in SECRETS:
        record = raw.read_record(numbers[secret])
        assert record is not None
        for attribute in attributes(record):
            if attribute.type == STANDARD_INFORMATION:
                struct.pack_into("<I", record, attribute.value + 32, struct.unpack_from("<I", record, attribute.value + 32)[0] | ENCRYPTED_FILE)
            if attribute.type == DATA:
                struct.pack_into("<H", record, attribute.at + 12, ENCRYPTED_VALUE)
        raw.write_record(numbers[secret], record)
    # What `fsutil file setCaseSensitiveInfo` sets.
    record = raw.read_record(numbers["apart"])
    assert record is not None
    information = next(attribute for attribute in attributes(record) if attribute.type == STANDARD_INFORMATION)
    struct.pack_into("<I", record, information.value + 40, 1)
    raw.write_record(numbers["apart"], record)
    raw.close()
    return numbers


def run(report: Report, ground: Ground) -> None:
    image = f"{ground.scratch}/encoded.img"
    numbers = make(image)
    try:
        with volume.loop(image, writable=True) as device:
            with ground.mount("", device=device, flags=0, at="/mnt/encoded") as root:
                units(report, root, image, numbers["compressed/mixed"])
                overlaid(report, root)
                encrypted(report, root)
                flags(report, root)
            with ground.mount("nocase", device=device, at="/mnt/encoded") as root, report.case("lsattr shows F of a folder, and of no file, where case is ignored"):
                assert syscalls.file_flags(root) & syscalls.FS_CASEFOLD and syscalls.file_flags(f"{root}/compressed") & syscalls.FS_CASEFOLD
                assert syscalls.file_xflags(root) & syscalls.FS_XFLAG_CASEFOLD
                assert not syscalls.file_flags(f"{root}/plain") & syscalls.FS_CASEFOLD
                os.stat(f"{root}/PLAIN")
                told_apart(report, root)
            immutable(report, ground, device)
            hidden(report, ground, device)
            raw_secrets(report, ground, image, device)
    finally:
        os.unlink(image)


def told_apart(report: Report, root: str) -> None:
    """A folder with the flag that WSL sets, where case is ignored otherwise."""
    with report.case("with nocase names are told apart by case in a folder that says so, and in no other"):
        numbers = {name: os.stat(f"{root}/APART/{name}").st_ino for name in ("name", "NAME", "only")}
        assert len(set(numbers.values())) == 3, numbers
        for _ in range(2):
            for name in ("Name", "ONLY", "Only"):
                expect_error(errno.ENOENT, os.lstat, f"{root}/apart/{name}")
            assert os.stat(f"{root}/apart/only").st_ino == numbers["only"]
        os.stat(f"{root}/apart/BELOW")
        os.stat(f"{root}/apart/BELOW/FILE")
        assert os.stat(f"{root}/apart/BELOW/file").st_ino == os.stat(f"{root}/apart/BELOW/File").st_ino
        volume.drop_caches()
        assert os.stat(f"{root}/apart/NAME").st_ino == numbers["NAME"]
    with report.case("lsattr shows no F of such a folder"):
        assert not syscalls.file_flags(f"{root}/apart") & syscalls.FS_CASEFOLD
        assert syscalls.file_flags(f"{root}/apart/BELOW") & syscalls.FS_CASEFOLD


def units(report: Report, root: str, image: str, number: int) -> None:
    raw = RawVolume(image)
    record = raw.read_record(number)
    assert record is not None
    runs = raw.runs(record, next(a for a in attributes(record) if a.type == DATA and not a.resident))
    raw.close()
    clusters: list[int | None] = []
    for run_ in runs:
        clusters += [None if run_.lcn is None else run_.lcn + index for index in range(run_.length)]
    size = len(mixed())
    fd = os.open(f"{root}/compressed/mixed", os.O_RDONLY)
    try:
        with report.case("a compressed file has units that are compressed, one that is not, and a hole"):
            counts = [sum(lcn is not None for lcn in clusters[at : at + 16]) for at in range(0, len(clusters), 16)]
            assert len(counts) >= 5 and 0 < counts[0] < 16 and counts[1] == 16 and counts[2] == 0 and 0 < counts[3] < 16, counts
            assert os.pread(fd, size + 1, 0) == mixed()
        extents = syscalls.fiemap(fd)
        with report.case("fiemap says of each unit whether it is encoded, and where it begins"):
            seen = {}
            for extent in extents:
                assert extent.logical % CLUSTER == 0 and extent.length % CLUSTER == 0 and extent.physical % CLUSTER == 0, extent
                assert extent.physical == (clusters[extent.logical // CLUSTER] or 0) * CLUSTER, (extent, clusters[extent.logical // CLUSTER])
                for at in range(extent.logical, extent.logical + extent.length, CLUSTER):
                    assert at not in seen, extent
                    seen[at] = bool(extent.flags & syscalls.FIEMAP_ENCODED)
            want = {}
            for at in range(0, -(-size // CLUSTER) * CLUSTER, CLUSTER):
                there = sum(lcn is not None for lcn in clusters[at // UNIT * 16 : at // UNIT * 16 + 16])
                if there:
                    want[at] = there < 16
            # Every byte that is no hole is told of, also those whose clusters compression has saved.
            assert seen == want, sorted(set(seen.items()) ^ set(want.items()))[:6]
        with report.case("only the last extent is marked as the last, and none is unknown, inline or unwritten"):
            marks = [bool(extent.flags & syscalls.FIEMAP_LAST) for extent in extents]
            assert marks[-1] and not any(marks[:-1]), marks
            other = syscalls.FIEMAP_UNKNOWN | syscalls.FIEMAP_INLINE | syscalls.FIEMAP_UNWRITTEN
            assert not any(extent.flags & other for extent in extents), extents
        with report.case("fiemap one by one gives the same, from the midst of a unit its clusters, and behind the end nothing"):
            assert syscalls.fiemap(fd, count=1) == extents
            inner = syscalls.fiemap(fd, start=UNIT - CLUSTER, length=CLUSTER)
            assert inner and inner[-1].logical + inner[-1].length >= UNIT and inner[-1].flags & syscalls.FIEMAP_ENCODED, inner
            assert syscalls.fiemap(fd, start=2 * UNIT, length=UNIT) == [] and syscalls.fiemap(fd, start=1 << 30) == []
        with report.case("FIBMAP gives nobody a block whose bytes are encoded"):
            block = syscalls.block_size(fd)
            assert syscalls.fibmap(fd, 0) == 0 and syscalls.fibmap(fd, UNIT * 3 // block) == 0
    finally:
        os.close(fd)
    with report.case("a file in a compressed folder that is within its record is inline"):
        fd = os.open(f"{root}/compressed/small", os.O_RDONLY)
        extents = syscalls.fiemap(fd)
        os.close(fd)
        assert len(extents) == 1 and extents[0].flags & syscalls.FIEMAP_INLINE and not extents[0].flags & syscalls.FIEMAP_ENCODED, extents


def overlaid(report: Report, root: str) -> None:
    with report.case("fiemap of a file that WOF has compressed is one extent without a place: encoded, not aligned, unknown"):
        fd = os.open(f"{root}/overlaid", os.O_RDONLY)
        try:
            assert os.pread(fd, 5000, 0) == mixed()[UNIT : UNIT + 4096]
            want = syscalls.FIEMAP_ENCODED | syscalls.FIEMAP_NOT_ALIGNED | syscalls.FIEMAP_UNKNOWN | syscalls.FIEMAP_LAST
            assert [(e.logical, e.physical, e.length, e.flags) for e in syscalls.fiemap(fd)] == [(0, 0, 4096, want)], syscalls.fiemap(fd)
            assert syscalls.fiemap(fd, start=4096) == []
        finally:
            os.close(fd)


def encrypted(report: Report, root: str) -> None:
    with report.case("an encrypted file cannot be opened: EACCES, for who reads and for who writes, and its size is shown"):
        for way in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_DIRECT):
            expect_error(errno.EACCES, os.open, f"{root}/secret", way)
        expect_error(errno.EACCES, os.truncate, f"{root}/secret", 5)
        assert os.stat(f"{root}/secret").st_size == len(mixed())


def flags(report: Report, root: str) -> None:
    with report.case("lsattr shows c of what is compressed, and nothing of what is not"):
        assert syscalls.file_flags(f"{root}/compressed") == syscalls.file_flags(f"{root}/compressed/mixed") == syscalls.FS_COMPR
        assert syscalls.file_flags(f"{root}/plain") == syscalls.file_flags(root) == 0
        assert syscalls.file_xflags(f"{root}/plain") == 0
        assert syscalls.file_flags(f"{root}/system") == 0
    with report.case("flags cannot be set: EOPNOTSUPP"):
        for path in (f"{root}/plain", f"{root}/compressed"):
            fd = os.open(path, os.O_RDONLY)
            try:
                for bits in (0, syscalls.FS_COMPR, syscalls.FS_IMMUTABLE, syscalls.FS_CASEFOLD):
                    expect_error(errno.EOPNOTSUPP, fcntl.ioctl, fd, syscalls.FS_IOC_SETFLAGS, struct.pack("<Q", bits))
                expect_error(errno.EOPNOTSUPP, fcntl.ioctl, fd, syscalls.FS_IOC_FSSETXATTR, bytes(28))
            finally:
                os.close(fd)


def immutable(report: Report, ground: Ground, device: str) -> None:
    with ground.mount("sys_immutable", device=device, flags=0, at="/mnt/encoded") as root:
        with report.case("with sys_immutable nobody changes a file of the system, and all else can be changed"):
            assert "sys_immutable" in ground.shown_options(root)
            expect_error(errno.EPERM, os.open, f"{root}/system", os.O_WRONLY)
            expect_error(errno.EPERM, os.truncate, f"{root}/system", 0)
            expect_error(errno.EPERM, os.chmod, f"{root}/system", 0o444)
            expect_error(errno.EPERM, os.utime, f"{root}/system", (5, 5))
            os.truncate(f"{root}/plain", 5000)
            os.utime(root, (5, 5))
        with report.case("lsattr and statx show what is immutable: not the root folder, which is marked as the system's too"):
            for name in ("system", "system folder"):
                assert syscalls.file_flags(f"{root}/{name}") & syscalls.FS_IMMUTABLE, name
                assert syscalls.statx(f"{root}/{name}").attributes & syscalls.STATX_ATTR_IMMUTABLE, name
            for name in ("", "plain"):
                assert not syscalls.file_flags(f"{root}/{name}") & syscalls.FS_IMMUTABLE, name
                assert not syscalls.statx(f"{root}/{name}").attributes & syscalls.STATX_ATTR_IMMUTABLE, name
            assert syscalls.statx(root).attributes_mask & syscalls.STATX_ATTR_IMMUTABLE
    with ground.mount("", device=device, flags=0, at="/mnt/encoded") as root:
        with report.case("without the option a file of the system is a file"):
            os.truncate(f"{root}/system", 100)
        with report.case("a remount does not change it"):
            expect_error(errno.EINVAL, syscalls.mount, device, root, ground.fstype, syscalls.MS_REMOUNT, "sys_immutable")


def hidden(report: Report, ground: Ground, device: str) -> None:
    with ground.mount("nohidden", device=device, at="/mnt/encoded") as root:
        with report.case("with nohidden what Windows calls hidden is not listed, and can be opened by name"):
            names = os.listdir(root)
            assert "plain" in names and not [name for name in names if name.startswith("hidden")], names
            assert os.listdir(f"{root}/hidden folder") == ["seen"]
            os.stat(f"{root}/hidden")
            os.stat(f"{root}/hidden folder/hidden")
        with report.case("a remount lists it, and back"):
            remount = syscalls.MS_REMOUNT | syscalls.MS_RDONLY
            syscalls.mount(device, root, ground.fstype, remount, "nohidden=0")
            assert "nohidden" not in ground.shown_options(root)
            assert {"hidden", "hidden folder", "plain"} <= set(os.listdir(root)) and sorted(os.listdir(f"{root}/hidden folder")) == ["hidden", "seen"]
            syscalls.mount(device, root, ground.fstype, remount, "nohidden")
            assert "hidden" not in os.listdir(root)
        with report.case("with showmeta too, hidden system files are not listed"):
            syscalls.mount(device, root, ground.fstype, remount, "showmeta")
            assert "$MFT" not in os.listdir(root)
            os.stat(f"{root}/$MFT")


def raw_secrets(report: Report, ground: Ground, image: str, device: str) -> None:
    """What a backup of ntfs-3g has of encrypted files, and what ours has."""

    def all_of(root: str) -> dict[str, bytes]:
        found = {}
        for name in SECRETS:
            with open(f"{root}/{name}", "rb") as file:
                found[name] = file.read()
        for name in SECRET_STREAMS:
            found[f"secret:{name}"] = os.getxattr(f"{root}/secret", f"user.{name}")
        return found

    with volume.ntfs3g(image, "efs_raw", readonly=True) as root:
        theirs = all_of(root)
        sizes = {name: os.stat(f"{root}/{name}").st_size for name in SECRETS if name != "secret byte"}
    with ground.mount("efs_raw", device=device, flags=0, at="/mnt/encoded") as root:
        with report.case("with efs_raw encrypted files and streams are those of ntfs-3g, byte for byte"):
            ours = all_of(root)
            assert ours == theirs, {name: (len(ours[name]), len(theirs[name])) for name in theirs if ours[name] != theirs[name]}
            assert {name: os.stat(f"{root}/{name}").st_size for name in sizes} == sizes
            # Whole blocks as they are, and how much of the last is padding.
            size = len(mixed())
            padding = -size % 512
            assert padding and ours["secret"][:size] == mixed() and ours["secret"][-2:] == struct.pack("<H", padding)
            assert len(ours["secret"]) == size + padding + 2 and len(ours["secret nothing"]) == 0
            assert ours["secret blocks"] == mixed()[:8192] + b"\0\0"
        with report.case("with efs_raw any part of an encrypted file can be read, by mmap and around the cache too"):
            want = theirs["secret"]
            for flags in (os.O_RDONLY, os.O_RDONLY | os.O_DIRECT):
                fd = os.open(f"{root}/secret", flags)
                buffer = mmap.mmap(-1, 8192)
                for at in range(len(want) // 4096 * 4096 - 8192, len(want) + 8192, 4096):
                    got = os.preadv(fd, [buffer], at)
                    assert buffer[:got] == want[at : at + 8192] and got == len(want[at : at + 8192]), at
                os.close(fd)
            fd = os.open(f"{root}/secret", os.O_RDONLY)
            for at in (len(want) - 3, len(want) - 2, len(want) - 1, len(want), len(want) + 1):
                assert os.pread(fd, 10, at) == want[at:], at
            with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as mapped:
                assert mapped[:] == want
            (extent,) = syscalls.fiemap(fd)
            assert extent.flags & syscalls.FIEMAP_UNKNOWN and (extent.logical, extent.length) == (0, len(want)), extent
            assert os.lseek(fd, 0, os.SEEK_HOLE) == len(want) and os.lseek(fd, 7, os.SEEK_DATA) == 7
            os.close(fd)
        with report.case("with efs_raw nobody writes an encrypted file: EACCES"):
            for way in (os.O_WRONLY, os.O_RDWR):
                expect_error(errno.EACCES, os.open, f"{root}/secret", way)
            expect_error(errno.EACCES, os.truncate, f"{root}/secret", 5)
            os.utime(f"{root}/secret", (5, 5))
        with report.case("with efs_raw all else is as without"):
            with open(f"{root}/compressed/mixed", "rb") as file:
                assert file.read() == mixed()
        with report.case("a remount does not change efs_raw"):
            expect_error(errno.EINVAL, syscalls.mount, device, root, ground.fstype, syscalls.MS_REMOUNT, "efs_raw=0")
    with volume.ntfs3g(image, "efs_raw", readonly=True) as root, report.case("that its times were changed has changed nothing of it"):
        assert all_of(root) == theirs
