# SPDX-License-Identifier: GPL-2.0-only
"""What options and flags of a writer promise: discard and FITRIM, errors=, lazytime, RWF_NOWAIT."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import shutil
from collections.abc import Iterator

from .. import kmsg, syscalls, volume
from ..case import Report, expect_error
from ..ntfs_raw import RawVolume
from .defects import opened, path_of
from .ground import FOLDER, Ground, differs, read_whole

KI, MI = 1 << 10, 1 << 20


def words(root: str) -> set[str]:
    """The options that /proc/mounts shows."""
    with open("/proc/mounts") as file:
        rows = [line.split() for line in file]
    return set(next(row[3] for row in rows if row[1] == root).split(","))


def allocated(image: str) -> int:
    """Bytes that an image has on its disk."""
    os.sync()
    return os.stat(image).st_blocks * 512


@contextlib.contextmanager
def copy_of(ground: Ground) -> Iterator[Ground]:
    """A volume that may be broken."""
    image = f"{ground.image}.broken"
    shutil.copyfile(ground.image, image)
    try:
        yield Ground(ground.fstype, image, ground.sector, ground.cluster, dict(ground.contents))
    finally:
        os.unlink(image)


def holes(path: str) -> list[tuple[int, int]]:
    """Where a file has holes before its end, as from and to."""
    found, at = [], 0
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while at < size:
            start = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            if start >= size:
                break
            try:
                at = os.lseek(file.fileno(), start, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                at = size
            found.append((start, at))
    return found


def allocate(report: Report, ground: Ground) -> None:
    name = "plain 700"
    with ground.mount() as root, opened(path_of(root, name)) as file:
        with report.case("fallocate gives clusters to holes between data too"):
            os.ftruncate(file, 0)
            os.pwrite(file, b"1" * 5000, 0)
            os.pwrite(file, b"2" * 5000, MI)
            os.fsync(file)
            assert holes(path_of(root, name)), "no hole to begin with"
            for mode in ([], ["--keep-size"]):
                volume.run("fallocate", *mode, "-o", "0", "-l", str(MI), path_of(root, name))
            os.fsync(file)
            assert not holes(path_of(root, name)), str(holes(path_of(root, name)))
            ground.contents[name] = b"1" * 5000 + bytes(MI - 5000) + b"2" * 5000
    with ground.mount() as root, report.case("and they are there after a remount"):
        assert not holes(path_of(root, name)), str(holes(path_of(root, name)))
        problem = differs(read_whole(path_of(root, name)), ground.contents[name])
        assert not problem, problem


def trim(report: Report, ground: Ground) -> None:
    name = "plain 3000"
    with ground.mount() as root:
        fd = os.open(root, os.O_RDONLY)
        try:
            with report.case("FITRIM gives back what was freed, and tells how much"):
                with opened(path_of(root, name)) as file:
                    os.pwrite(file, b"t" * (8 * MI), 0)
                    os.fsync(file)
                    full = allocated(ground.image)
                    os.ftruncate(file, 0)
                    os.fsync(file)
                kept = allocated(ground.image)
                assert kept > full - MI, "it was discarded before anybody asked for it"
                free = os.statvfs(root).f_bfree * os.statvfs(root).f_frsize
                trimmed = syscalls.fitrim(fd)
                assert 0.9 * free < trimmed <= free, f"{trimmed} of {free} free bytes"
                left = allocated(ground.image)
                assert left < kept - 7 * MI, f"{kept} bytes before, {left} after"
                ground.contents[name] = b""
            with report.case("FITRIM stays within its range and its least length"):
                assert syscalls.fitrim(fd, 0, 4 * MI) <= 4 * MI
                assert syscalls.fitrim(fd, least=os.statvfs(root).f_blocks * ground.cluster) == 0
            with report.case("FITRIM refuses what makes no sense"):
                size = os.statvfs(root).f_blocks * ground.cluster
                for arguments in ((2 * size, MI), (0, 1), (0, MI, 4 * size)):
                    expect_error(errno.EINVAL, syscalls.fitrim, fd, *arguments)
            with report.case("FITRIM is for the administrator"):
                os.seteuid(1000)
                try:
                    expect_error(errno.EPERM, syscalls.fitrim, fd)
                finally:
                    os.seteuid(0)
        finally:
            os.close(fd)
    with report.case("FITRIM of a read-only mount is EROFS"):
        with volume.loop(ground.image, sector=ground.sector, writable=True) as device, volume.mounted(ground.fstype, device, at="/mnt/read") as root:
            with opened(root, os.O_RDONLY) as fd:
                expect_error(errno.EROFS, syscalls.fitrim, fd)


def discard(report: Report, ground: Ground) -> None:
    name = "plain 3000"
    with report.case("-o discard gives clusters back when their file is synced, and a remount changes that"):
        with volume.loop(ground.image, sector=ground.sector, writable=True) as device:
            with volume.mounted(ground.fstype, device, "discard", flags=0, at="/mnt/written") as root, opened(path_of(root, name)) as fd:
                left = []
                for _ in range(2):
                    assert ("discard" in words(root)) == (not left), words(root)
                    os.pwrite(fd, b"d" * (8 * MI), 0)
                    os.fsync(fd)
                    full = allocated(ground.image)
                    os.ftruncate(fd, 0)
                    os.fsync(fd)
                    left.append(full - allocated(ground.image))
                    syscalls.mount(device, root, ground.fstype, syscalls.MS_REMOUNT, "discard=0")
                assert left[0] > 7 * MI, f"{left[0]} bytes came back"
                assert left[1] < MI, f"{left[1]} bytes came back without the option"
                ground.contents[name] = b""


def break_record(ground: Ground, name: str) -> None:
    """Destroys the record of a file."""
    with ground.mount() as root:
        number = os.stat(path_of(root, name)).st_ino
    raw = RawVolume(ground.image, writable=True)
    try:
        record = raw.read_record(number)
        assert record is not None
        record[:4] = b"XXXX"
        raw.write_record(number, record)
    finally:
        raw.close()


def errors(report: Report, ground: Ground) -> None:
    broken, whole = "plain 700", "plain 4096"
    with copy_of(ground) as copy:
        break_record(copy, broken)
        log = kmsg.Kmsg()
        with report.case("errors=remount-ro: nothing is written after damage was seen, with one line that says so"):
            with copy.mount() as root, opened(path_of(root, whole)) as fd:
                assert "errors=remount-ro" in words(root) and "emergency_ro" not in words(root), words(root)
                assert os.pwrite(fd, b"before", 0) == 6
                os.fsync(fd)
                log.new()
                expect_error(errno.EUCLEAN, os.stat, path_of(root, broken))
                expect_error(errno.EUCLEAN, os.stat, path_of(root, broken))
                lines = [line for line in log.new() if "not written any more" in line]
                assert len(lines) == 1, lines
                assert "emergency_ro" in words(root), words(root)
                ways = {
                    "write": lambda: os.pwrite(fd, b"after", 0),
                    "longer": lambda: os.pwrite(fd, b"after", MI),
                    "truncate": lambda: os.ftruncate(fd, 0),
                    "fallocate": lambda: os.posix_fallocate(fd, 0, MI),
                    "utimes": lambda: os.utime(path_of(root, whole)),
                    "chmod": lambda: os.chmod(path_of(root, whole), 0o444),
                    "open": lambda: os.close(os.open(path_of(root, whole), os.O_WRONLY)),
                    "trim": lambda: syscalls.fitrim(fd),
                }
                for name, way in ways.items():
                    try:
                        way()
                    except OSError as error:
                        assert error.errno == errno.EROFS, f"{name}: {error}"
                    else:
                        raise AssertionError(f"{name} succeeds")
                assert read_whole(path_of(root, whole))[:6] == b"before"
                assert read_whole(path_of(root, "plain 2000")) == copy.contents["plain 2000"]
            with copy.mount() as root:
                assert "ro" in words(root), "the volume is not marked dirty"
                assert read_whole(path_of(root, whole))[:6] == b"before"
    with copy_of(ground) as copy:
        break_record(copy, broken)
        with report.case("errors=remount-ro: a remount makes it read-only, and not writable again"):
            with volume.loop(copy.image, sector=copy.sector, writable=True) as device:
                with volume.mounted(copy.fstype, device, "", flags=0, at="/mnt/written") as root:
                    expect_error(errno.EUCLEAN, os.stat, path_of(root, broken))
                    syscalls.mount(device, root, copy.fstype, syscalls.MS_REMOUNT | syscalls.MS_RDONLY)
                    expect_error(errno.EROFS, syscalls.mount, device, root, copy.fstype, syscalls.MS_REMOUNT, "force")
        with report.case("errors=continue: writing goes on, and the volume stays marked dirty"):
            with copy.mount("errors=continue") as root:
                assert "errors=continue" in words(root), words(root)
                expect_error(errno.EUCLEAN, os.stat, path_of(root, broken))
                with opened(path_of(root, whole)) as fd:
                    assert os.pwrite(fd, b"go on", 0) == 5
                    os.fsync(fd)
                assert "emergency_ro" not in words(root), words(root)
            with copy.mount() as root:
                assert "ro" in words(root), "the volume is not marked dirty"
                assert read_whole(path_of(root, whole))[:5] == b"go on"
        with report.case("a read-only mount is not affected"):
            log.new()
            with volume.loop(copy.image, sector=copy.sector) as device:
                with volume.mounted(copy.fstype, device, "errors=panic", at="/mnt/read") as root:
                    assert "errors=panic" in words(root), words(root)
                    expect_error(errno.EUCLEAN, os.stat, path_of(root, broken))
                    assert "emergency_ro" not in words(root), words(root)
            lines = [line for line in log.new() if "not written any more" in line]
            assert not lines, lines
    with copy_of(ground) as copy, report.case("a full volume, a missing name and an unsupported call are no damage"):
        with copy.mount() as root, opened(path_of(root, whole)) as fd:
            expect_error(errno.ENOENT, os.stat, f"{root}/{FOLDER}/nothing")
            expect_error((errno.ENOSPC, errno.EFBIG), os.posix_fallocate, fd, 0, 1 << 36)
            expect_error((errno.EOPNOTSUPP, errno.EINVAL), syscalls.fallocate, fd, 0x400, 0, MI)
            assert "emergency_ro" not in words(root), words(root)
            assert os.pwrite(fd, b"x", 0) == 1


def nowait(report: Report, ground: Ground) -> None:
    flag, name, size = syscalls.RWF_NOWAIT, "plain 4096", 512 * KI
    with ground.mount() as root, opened(path_of(root, name)) as fd, opened(path_of(root, name), os.O_RDWR | os.O_DIRECT) as direct:
        model = bytearray(b"o" * size)
        os.pwrite(fd, model, 0)
        os.fsync(fd)

        def put(length: int, place: int) -> int:
            piece = os.urandom(length)
            done = os.pwritev(fd, [piece], place, flag)
            model[place : place + done] = piece[:done]
            return done

        with report.case("RWF_NOWAIT writes over what is in memory"):
            for length, place in ((4096, 0), (1, 5), (100, 4090), (64 * KI, 8192), (3, size - 3)):
                assert put(length, place) == length, f"{length} at {place}"
        with report.case("RWF_NOWAIT writes directly over what has clusters"):
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            buffer = aligned(16 * KI)
            assert os.pwritev(direct, [buffer], 64 * KI, flag) == 16 * KI
            model[64 * KI : 80 * KI] = buffer[:]
        with report.case("RWF_NOWAIT reads what is in memory"):
            os.pread(fd, size, 0)
            found = bytearray(size)
            assert os.preadv(fd, [found], 0, flag) == size
            assert not differs(bytes(found), bytes(model))
        with report.case("RWF_NOWAIT gives EAGAIN for what is longer, a hole, or to be durable"):
            os.ftruncate(fd, 2 * MI)
            model += bytes(2 * MI - size)
            expect_error(errno.EAGAIN, os.pwritev, fd, [b"x" * 4096], MI, flag)
            expect_error(errno.EAGAIN, os.pwritev, fd, [b"x" * 4096], 2 * MI - 1, flag)
            expect_error(errno.EAGAIN, os.pwritev, direct, [aligned(4096)], MI, flag)
            syscalls.fallocate(fd, 3, 128 * KI, 128 * KI)
            model[128 * KI : 256 * KI] = bytes(128 * KI)
            expect_error(errno.EAGAIN, os.pwritev, fd, [b"x" * 4096], 192 * KI, flag)
            expect_error(errno.EAGAIN, os.pwritev, fd, [b"x" * 8192], 124 * KI, flag)
            expect_error(errno.EAGAIN, os.pwritev, fd, [b"x"], 0, flag | syscalls.RWF_DSYNC)
        with report.case("RWF_NOWAIT gives EAGAIN for a file in its record"):
            with opened(path_of(root, "plain 600")) as small:
                expect_error(errno.EAGAIN, os.pwritev, small, [b"x"], 0, flag)
        os.fsync(fd)
        found = read_whole(path_of(root, name))
        with report.case("what RWF_NOWAIT wrote is there, and nothing else"):
            problem = differs(found, bytes(model))
            assert not problem, problem
        ground.contents[name] = found
    with ground.mount() as root, report.case("RWF_NOWAIT gives EAGAIN for a file whose clusters were not looked for"):
        with opened(path_of(root, name)) as fd:
            expect_error(errno.EAGAIN, os.pwritev, fd, [b"x"], 0, flag)
            expect_error(errno.EAGAIN, os.preadv, fd, [bytearray(10)], 0, flag)
            os.pread(fd, 10, 0)
            assert os.preadv(fd, [bytearray(10)], 0, flag) == 10


def aligned(length: int) -> mmap.mmap:
    """Memory for direct I/O."""
    buffer = mmap.mmap(-1, length)
    buffer[:] = os.urandom(length)
    return buffer


def lazytime(report: Report, ground: Ground) -> None:
    name = "plain 4096"

    def there(image: str) -> float:
        """When a volume says that the file was changed, as ntfs-3g reads it."""
        with volume.ntfs3g(image, readonly=True) as root:
            return os.stat(path_of(root, name)).st_mtime

    before = there(ground.image)
    with ground.mount("lazytime") as root, opened(path_of(root, name)) as fd:
        with report.case("lazytime: fsync makes the time durable, too"):
            assert "lazytime" in words(root), words(root)
            os.pwrite(fd, b"lazy", 0)
            os.fsync(fd)
            shown = os.fstat(fd).st_mtime
            with copy_of(ground) as copy:
                assert there(copy.image) == shown > before, f"{there(copy.image)}, {shown} in memory, {before} before"
        os.pwrite(fd, b"lazier", 0)
        shown = os.fstat(fd).st_mtime
    ground.contents[name] = b"lazier" + ground.contents[name][6:]
    with report.case("lazytime: and so does unmounting"):
        assert there(ground.image) == shown, f"{there(ground.image)} instead of {shown}"


def run(report: Report, ground: Ground) -> None:
    allocate(report, ground)
    trim(report, ground)
    discard(report, ground)
    errors(report, ground)
    lazytime(report, ground)
    nowait(report, ground)
