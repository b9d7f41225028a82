# SPDX-License-Identifier: GPL-2.0-only
"""Extended attributes: streams and what only Windows knows, byte for byte as ntfs-3g gives them; EAs as ntfs3 writes them; WSL's owners."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import struct
from collections.abc import Callable, Iterator

from .. import syscalls, volume
from ..case import Report, Skip, expect_error
from ..fill.content import content, write
from .ground import Ground

# What ntfs-3g has as well.
SYSTEM = [
    "system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_attrib_be", "system.ntfs_reparse_data", "system.ntfs_object_id",
    "system.ntfs_dos_name", "system.ntfs_times", "system.ntfs_times_be", "system.ntfs_crtime", "system.ntfs_crtime_be", "system.ntfs_ea",
]  # fmt: skip
SIZES = (0, 10, 700, 5000, 60000, 65536)
SCRIPTS = ("Ünïcødé", "поток", "ストリーム", "流 with spaces", "😀", "UPPER", "upper")
LONG = 100_000


def ea(*attributes: tuple[str, bytes]) -> bytes:
    """The value of $EA with these attributes."""
    out = b""
    for name, value in attributes:
        text = name.encode()
        body = struct.pack("<BBH", 0, len(text), len(value)) + text + b"\0" + value
        length = (4 + len(body) + 3) & ~3
        out += (struct.pack("<I", length) + body).ljust(length, b"\0")
    return out


def wsl(uid: int, gid: int, mode: int) -> bytes:
    return ea(*((name, struct.pack("<I", value)) for name, value in (("$LXUID", uid), ("$LXGID", gid), ("$LXMOD", mode))))


def get(path: str, name: str) -> bytes | str:
    """The value, or the name of the error. Its length is asked for first: ntfs-3g has trouble with short buffers."""
    try:
        return syscalls.lgetxattr(path, name)
    except OSError as error:
        return {errno.EOPNOTSUPP: "EOPNOTSUPP"}.get(error.errno or 0, errno.errorcode[error.errno or 0])


def everything(path: str) -> dict[str, bytes | str]:
    """All that is listed, and all that never is."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        return {"the list": errno.errorcode[error.errno or 0]}
    return {name: get(path, name) for name in [*names, *SYSTEM]}


def different(ours: dict[str, bytes | str], theirs: dict[str, bytes | str]) -> list[str]:
    """What is not the same. ntfs-3g does not show EAs by their names."""
    found = []
    for name in sorted({*ours, *theirs}):
        one, other = ours.get(name, "not listed"), theirs.get(name, "not listed")
        # Of the root, which has none.
        if one != other and (name, one, other) != ("system.ntfs_dos_name", "ENODATA", "EPERM"):
            found.append(f"{name}: {brief(one)} instead of {brief(other)}")
    return found


def brief(value: bytes | str) -> str:
    return value if isinstance(value, str) else f"{len(value)} bytes {value[:40].hex()}"


def below(root: str, folders: tuple[str, ...]) -> list[str]:
    """Files and folders of a mount, without the many of one kind."""
    paths = [""]
    for folder in folders:
        for where, names, files in os.walk(f"{root}/{folder}"):
            paths.append(where[len(root) :])
            paths += [f"{where[len(root) :]}/{name}" for name in sorted(files + [n for n in names if os.path.islink(f"{where}/{n}")])[:40]]
    return paths


def run(report: Report, ground: Ground) -> None:
    volume.run("modprobe", "fuse", check=False)
    os.umask(0o022)
    whole_volume(report, ground)
    image = f"{ground.scratch}/xattrs.img"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    volume.run("mkntfs", "-Q", "-F", "-q", "-L", "xattrs", "-p", "0", "-s", "512", "-c", "4096", image)
    fill(image)
    streams(report, ground, image)
    eas(report, ground, image)
    errors(report, ground, image)
    owners(report, ground, image)
    beside_ntfs3(report, ground, image)
    os.unlink(image)


def whole_volume(report: Report, ground: Ground) -> None:
    """The volume of the matrix: streams in attribute lists, links of all kinds, 8.3 names, times."""
    folders = ("attributes", "reparse", "times", "names")
    with report.case("streams and system attributes of the whole volume are those of ntfs-3g"):
        with volume.ntfs3g(ground.image, readonly=True) as root:
            theirs = {path: everything(root + path) for path in below(root, folders)}
        with ground.mount() as root:
            ours = {path: everything(root + path) for path in theirs}
        assert sum(len(found) - len(SYSTEM) for found in theirs.values()) > 250, "too few streams"
        problems = []
        for path in theirs:
            shown = {name: value for name, value in ours[path].items() if not name.startswith("user.$LX")}
            problems += [f"{path!r}: {text}" for text in different(shown, theirs[path])]
        assert not problems, f"{len(problems)}: " + "; ".join(problems[:12])


def fill(image: str) -> None:
    with volume.ntfs3g(image) as root:
        for kind in ("file", "folder"):
            path = f"{root}/{kind}"
            write(path, 3000) if kind == "file" else os.mkdir(path)
            for size in SIZES:
                os.setxattr(path, f"user.{size} bytes", content(f"{kind}{size}", size))
            for name in SCRIPTS:
                os.setxattr(path, f"user.{name}", name.encode())
            os.setxattr(path, "user." + "n" * 250, b"the longest name that can be asked for")
            os.setxattr(path, "user.both", b"the stream")
            os.setxattr(path, "system.ntfs_object_id", content(f"id of {kind}", 64))
            os.setxattr(path, "system.ntfs_ea", ea(
                ("user.both", b"the EA"), ("user.own", b"as ntfs3 writes them"), ("PLAIN", b"as Windows has them"), ("USER.SHOUT", b"in capitals"),
                ("security.thing", b"1"), ("trusted.secret", b"2"), ("system.odd", b"3"), ("empty", b""), ("long", content("long", 40000)),
            ))  # fmt: skip
        write(f"{root}/plain", 100)
        os.setxattr(f"{root}/plain", "system.ntfs_attrib", struct.pack("=I", 0x1))
        write(f"{root}/hidden", 100)
        os.setxattr(f"{root}/hidden", "system.ntfs_attrib", struct.pack("=I", 0x26))
        write(f"{root}/nothing", 100)
        os.setxattr(f"{root}/nothing", "system.ntfs_attrib", struct.pack("=I", 0x0))
        write(f"{root}/a long name for a file", 1)
        os.setxattr(f"{root}/a long name for a file", "system.ntfs_dos_name", b"ALONGN~1")
        os.symlink("plain", f"{root}/link")
        os.mkfifo(f"{root}/fifo")
        for name, mode in (("wsl file", 0o100640), ("wsl folder", 0o041750), ("wsl setuid", 0o104755), ("wsl wrong type", 0o120640)):
            path = f"{root}/{name}"
            os.mkdir(path) if "folder" in name else write(path, 10)
            os.setxattr(path, "system.ntfs_ea", wsl(1234, 4321, mode))
        write(f"{root}/wsl read-only", 10)
        os.setxattr(f"{root}/wsl read-only", "system.ntfs_ea", wsl(1234, 4321, 0o100666))
        os.setxattr(f"{root}/wsl read-only", "system.ntfs_attrib", struct.pack("=I", 0x1))
        write(f"{root}/wsl nobody", 10)
        os.setxattr(f"{root}/wsl nobody", "system.ntfs_ea", ea(("$LXUID", b"\xff" * 4), ("$LXGID", b"\1\2\3")))
    with volume.ntfs3g(image, "streams_interface=windows") as root:
        with open(f"{root}/file:too long", "wb") as file:
            file.write(content("too long", LONG))
        with open(f"{root}/file:sparse", "wb") as file:
            file.truncate(50_000)
            file.seek(50_000)
            file.write(b"the end")
        with open(f"{root}/file:" + "x" * 255, "wb") as file:
            file.write(b"nobody can ask for this name")


@contextlib.contextmanager
def mounted(ground: Ground, image: str, options: str = "", flags: int = syscalls.MS_RDONLY) -> Iterator[str]:
    with volume.loop(image, writable=flags & syscalls.MS_RDONLY == 0) as device:
        with volume.mounted(ground.fstype, device, options, flags, at="/mnt/xattrs") as root:
            yield root


EAS = {
    "user.own": b"as ntfs3 writes them", "user.PLAIN": b"as Windows has them", "user.SHOUT": b"in capitals", "security.thing": b"1",
    "trusted.secret": b"2", "system.odd": b"3", "user.empty": b"", "user.long": content("long", 40000),
}  # fmt: skip


def streams(report: Report, ground: Ground, image: str) -> None:
    paths = ["", "/file", "/folder", "/plain", "/hidden", "/nothing", "/a long name for a file", "/link", "/fifo"]
    with volume.ntfs3g(image, readonly=True) as root:
        theirs = {path: everything(root + path) for path in paths}
        list_of_theirs = os.listxattr(f"{root}/file")
    with mounted(ground, image) as root:
        for path in paths:
            with report.case(f"all of '{path or '/'}' is as ntfs-3g has it"):
                ours = {name: value for name, value in everything(root + path).items() if name not in EAS}
                # Names that cannot be asked for are not listed, and one that is too long is told so in another way.
                wanted = {name: value for name, value in theirs[path].items() if len(name) <= 255}
                for found in (ours, wanted):
                    found.pop("user.too long", None)
                assert not (wrong := different(ours, wanted)), "; ".join(wrong)
        with report.case("what was written to streams is there"):
            for kind in ("file", "folder"):
                for size in SIZES:
                    assert get(f"{root}/{kind}", f"user.{size} bytes") == content(f"{kind}{size}", size), (kind, size)
                assert get(f"{root}/{kind}", "user.both") == b"the stream"
                assert get(f"{root}/{kind}", "system.ntfs_object_id") == content(f"id of {kind}", 64)
            assert get(f"{root}/file", "user.sparse") == bytes(50_000) + b"the end"
        with report.case("attributes, times and 8.3 name mean what was set"):
            assert get(f"{root}/plain", "system.ntfs_attrib") == struct.pack("=I", 1)
            assert get(f"{root}/hidden", "system.ntfs_attrib_be") == struct.pack(">I", 0x26)
            assert get(f"{root}/hidden", "system.dos_attrib") == b"\x26"
            assert get(f"{root}/nothing", "system.ntfs_attrib") == struct.pack("=I", 0x80)
            assert get(f"{root}/nothing", "system.dos_attrib") == b"\0"
            (folder,) = struct.unpack("=I", get(f"{root}/folder", "system.ntfs_attrib"))  # type: ignore[arg-type]
            assert folder & 0x10 and get(f"{root}/folder", "system.dos_attrib") == bytes([folder & 0xFF]), hex(folder)
            assert get(f"{root}/a long name for a file", "system.ntfs_dos_name") == b"ALONGN~1"
            info = os.stat(f"{root}/plain")
            times = struct.unpack("=4Q", get(f"{root}/plain", "system.ntfs_times"))  # type: ignore[arg-type]
            assert (times[1], times[2]) == tuple(ns // 100 + 116_444_736_000_000_000 for ns in (info.st_mtime_ns, info.st_atime_ns))
            assert get(f"{root}/file", "system.ntfs_security") == get(f"{root}/file", "system.ntfs_acl") != b""
        with report.case("a stream is too long for a value: its length is told, and the error is E2BIG"):
            assert syscalls.getxattr_size(f"{root}/file", "user.too long", 0) == LONG
            for room, wanted in ((1, errno.ERANGE), (65535, errno.ERANGE), (65536, errno.E2BIG)):
                expect_error(wanted, syscalls.getxattr_size, f"{root}/file", "user.too long", room)
        with report.case("a name that nobody can ask for is not listed, and is all that is missing"):
            missing = set(list_of_theirs) - set(os.listxattr(f"{root}/file"))
            assert {len(os.fsencode(name)) for name in missing} <= {260}, missing
    with mounted(ground, image, "nocase") as root, report.case("with nocase streams are found in any case, the exact one first"):
        assert get(f"{root}/FILE", "user.UPPER") == b"UPPER" and get(f"{root}/FILE", "user.upper") == b"upper"
        assert get(f"{root}/FILE", "user.BOTH") == b"the stream"


def eas(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image) as root:
        for kind in ("file", "folder"):
            with report.case(f"EAs of a {kind} have the names that Linux gave them, or user."):
                found = everything(f"{root}/{kind}")
                assert {name: found.get(name) for name in EAS} == EAS, {name: brief(found.get(name, "nothing")) for name in EAS}
                assert os.listxattr(f"{root}/{kind}").count("user.both") == 1
        with report.case("names of EAs are the same in any case, but for the name space"):
            assert get(f"{root}/file", "user.plain") == b"as Windows has them" and get(f"{root}/file", "user.shout") == b"in capitals"
            assert get(f"{root}/file", "USER.SHOUT") == "EOPNOTSUPP"
        with report.case("only administrators have trusted EAs, whatever way they ask"):
            path = f"{root}/file"
            assert get(path, "trusted.secret") == b"2" and get(path, "user.trusted.secret") == "ENODATA"
            found = as_user(1234, lambda: {
                "names": os.listxattr(path), "secret": str(get(path, "trusted.secret")), "way round": str(get(path, "user.trusted.secret")),
                "all": str(get(path, "system.ntfs_ea")), "keys": str(get(path, "system.ntfs_efsinfo")), "own": str(get(path, "user.own")),
                "wsl": os.listxattr(f"{root}/wsl setuid"),
            })  # fmt: skip
            assert "trusted.secret" not in found["names"] and "user.own" in found["names"], found
            assert (found["secret"], found["way round"], found["all"], found["keys"]) == ("ENODATA", "ENODATA", "EPERM", "EPERM"), found
            assert found["own"] == str(b"as ntfs3 writes them") and found["wsl"] == [], found
            assert sorted(os.listxattr(f"{root}/wsl setuid")) == ["user.$LXGID", "user.$LXMOD", "user.$LXUID"]


def errors(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image) as root:
        with report.case("what is not there is ENODATA, and what nobody can have EOPNOTSUPP"):
            path = f"{root}/plain"
            wanted = {
                "user.nothing": "ENODATA", "trusted.nothing": "ENODATA", "security.nothing": "ENODATA", "security.capability": "ENODATA",
                "system.ntfs_ea": "ENODATA", "system.ntfs_reparse_data": "ENODATA", "system.ntfs_object_id": "ENODATA",
                "system.ntfs_efsinfo": "ENODATA", "system.ntfs_dos_name": "ENODATA", "system.nothing": "EOPNOTSUPP", "foo.bar": "EOPNOTSUPP",
                "foo": "EOPNOTSUPP", "system.posix_acl_access": "EOPNOTSUPP", "user." + "x" * 250: "ENODATA",
            }  # fmt: skip
            assert {name: get(path, name) for name in wanted} == wanted, {name: get(path, name) for name in wanted}
            assert os.listxattr(path) == []
        with report.case("links and fifos list nothing that cannot be read"):
            for name in ("link", "fifo"):
                path = f"{root}/{name}"
                for listed in os.listxattr(path, follow_symlinks=False):
                    os.getxattr(path, listed, follow_symlinks=False)
        with report.case("a buffer that is too small is ERANGE, a list too"):
            path = f"{root}/file"
            for name in ("user.700 bytes", "user.long", "system.ntfs_attrib", "system.ntfs_acl", "system.ntfs_crtime"):
                size = syscalls.getxattr_size(path, name, 0)
                assert syscalls.getxattr_size(path, name, size) == size
                expect_error(errno.ERANGE, syscalls.getxattr_size, path, name, size - 1)
            size = syscalls.listxattr_size(path, 0)
            assert syscalls.listxattr_size(path, size) == size
            expect_error(errno.ERANGE, syscalls.listxattr_size, path, size - 1)
        with report.case("as many of the times come as there is room for, as from ntfs-3g"):
            assert [syscalls.getxattr_size(f"{root}/plain", "system.ntfs_times", room) for room in (0, 8, 9, 31, 32, 40)] == [32, 8, 8, 24, 32, 32]
            expect_error(errno.ERANGE, syscalls.getxattr_size, f"{root}/plain", "system.ntfs_times", 7)
    with mounted(ground, image) as root, report.case("nothing is set on a read-only mount"):
        expect_error(errno.EROFS, os.setxattr, f"{root}/file", "user.new", b"1")
    with mounted(ground, image, flags=0) as root:
        with report.case("what is no stream is not set, and that is said"):
            for name in ("system.ntfs_attrib", "security.thing", "trusted.x"):
                expect_error(errno.EOPNOTSUPP, os.setxattr, f"{root}/file", name, b"1")
                expect_error(errno.EOPNOTSUPP, os.removexattr, f"{root}/file", name)
        for kind in ("file", "folder"):
            with report.case(f"a stream of a {kind} hides an EA of its name, and only the stream can be removed"):
                path = f"{root}/{kind}"
                for name in ("user.own", "user.PLAIN"):
                    expect_error(errno.EOPNOTSUPP, os.removexattr, path, name)
                    expect_error(errno.EEXIST, os.setxattr, path, name, b"the stream", os.XATTR_CREATE)
                    os.setxattr(path, name, b"the stream", os.XATTR_REPLACE)
                    assert get(path, name) == b"the stream" and os.listxattr(path).count(name) == 1
                    os.removexattr(path, name)
                    assert get(path, name) == EAS[name] and os.listxattr(path).count(name) == 1
            with report.case(f"streams of a {kind} of all sizes are replaced and removed"):
                for size in SIZES:
                    for new in SIZES:
                        os.setxattr(path, f"user.{size} bytes", content(f"new {new}", new))
                        assert get(path, f"user.{size} bytes") == content(f"new {new}", new), (size, new)
                    os.removexattr(path, f"user.{size} bytes")
                    assert get(path, f"user.{size} bytes") == "ENODATA"
                os.setxattr(path, "user.too long", b"short")
                assert get(path, "user.too long") == b"short" and get(path, "user.both") == b"the stream"
    with volume.ntfs3g(image, readonly=True) as root, report.case("ntfs-3g has what was set, and not what was removed"):
        for kind in ("file", "folder"):
            names = os.listxattr(f"{root}/{kind}")
            assert not any(f"user.{size} bytes" in names for size in SIZES), names
            assert get(f"{root}/{kind}", "user.too long") == b"short" and get(f"{root}/{kind}", "user.both") == b"the stream"
    with mounted(ground, image, "nocase", flags=0) as root, report.case("with nocase a stream is replaced under the name that it has"):
        os.setxattr(f"{root}/file", "user.BOTH", b"the stream again")
        assert get(f"{root}/file", "user.both") == b"the stream again" and "user.BOTH" not in os.listxattr(f"{root}/file")


def owners(report: Report, ground: Ground, image: str) -> None:
    def shown(root: str, name: str) -> tuple[int, int, int]:
        info = os.stat(f"{root}/{name}")
        return info.st_uid, info.st_gid, info.st_mode

    regular, folder = stat.S_IFREG, stat.S_IFDIR
    cases = {
        "": {
            "wsl file": (1234, 4321, regular | 0o640), "wsl folder": (1234, 4321, folder | 0o1750),
            "wsl setuid": (1234, 4321, regular | 0o4755), "wsl wrong type": (1234, 4321, regular | 0o755),
            "wsl read-only": (1234, 4321, regular | 0o444), "wsl nobody": (0, 0, regular | 0o755), "plain": (0, 0, regular | 0o555),
        },
        "uid=7": {"wsl file": (7, 4321, regular | 0o640), "plain": (7, 0, regular | 0o555)},
        "gid=8": {"wsl file": (1234, 8, regular | 0o640), "wsl folder": (1234, 8, folder | 0o1750)},
        "fmask=077": {"wsl file": (1234, 4321, regular | 0o700), "wsl folder": (1234, 4321, folder | 0o1750)},
        "dmask=077": {"wsl file": (1234, 4321, regular | 0o640), "wsl folder": (1234, 4321, folder | 0o700)},
        "uid=7,gid=8,umask=0": {"wsl setuid": (7, 8, regular | 0o777), "wsl folder": (7, 8, folder | 0o777)},
    }  # fmt: skip
    for options, wanted in cases.items():
        with report.case(f"-o {options or 'nothing'}: owner and permissions are those of WSL where the mount does not say otherwise"):
            with mounted(ground, image, options) as root:
                got = {name: shown(root, name) for name in wanted}
                assert got == wanted, {name: (uid, gid, oct(mode)) for name, (uid, gid, mode) in got.items()}
    with report.case("chmod keeps the permissions of WSL, but for those to write"):
        with mounted(ground, image, flags=0) as root:
            path = f"{root}/wsl file"
            os.chmod(path, 0o440)
            assert shown(root, "wsl file")[2] == regular | 0o440
            os.chmod(path, 0o600)
            assert shown(root, "wsl file")[2] == regular | 0o640
            expect_error(errno.EPERM, os.chown, path, 5, 5)
        with mounted(ground, image) as root:
            assert shown(root, "wsl file")[2] == regular | 0o640


def beside_ntfs3(report: Report, ground: Ground, image: str) -> None:
    """EAs that ntfs3 writes, and what both drivers say of all files."""
    with report.case("EAs that ntfs3 wrote are read, and both say the same of attributes and descriptors"):
        try:
            volume.run("modprobe", "ntfs3")
        except RuntimeError as error:
            raise Skip("this kernel has no ntfs3") from error
        written = {"user.first": b"1", "user.second": content("second", 3000), "trusted.third": b"3", "security.fourth": b""}
        with volume.loop(image, writable=True) as device, volume.mounted("ntfs3", device, "", 0, at="/mnt/ntfs3") as root:
            for name, value in written.items():
                os.setxattr(f"{root}/plain", name, value)
        names = ("system.dos_attrib", "system.ntfs_attrib", "system.ntfs_attrib_be", "system.ntfs_security", *written)
        with volume.loop(image) as device, volume.mounted("ntfs3", device, at="/mnt/ntfs3") as root:
            files = sorted(os.listdir(root))
            folders = {file for file in files if os.path.isdir(f"{root}/{file}")}
            theirs = {file: {name: get(f"{root}/{file}", name) for name in names} for file in files}
        with mounted(ground, image) as root:
            assert {name: get(f"{root}/plain", name) for name in written} == written
            assert set(written) <= set(os.listxattr(f"{root}/plain")), os.listxattr(f"{root}/plain")
            ours = {file: {name: get(f"{root}/{file}", name) for name in names} for file in files}
        problems = []
        for file in files:
            if theirs[file]["system.ntfs_security"] in ("ENODATA", "ENOENT"):
                # It looks for those in $Secure only, and ntfs-3g gives each file one of its own.
                del theirs[file]["system.ntfs_security"], ours[file]["system.ntfs_security"]
            if file in folders:
                # Its bit of a folder is the one in $FILE_NAME, ours is the one that Windows and ntfs-3g show.
                for name, form in (("system.ntfs_attrib", "=I"), ("system.ntfs_attrib_be", ">I")):
                    bits = struct.unpack(form, theirs[file][name])[0]
                    assert bits & 0x1000_0000, f"{file}: ntfs3 says {bits:#x}"
                    theirs[file][name] = struct.pack(form, bits & ~0x1000_0000 | 0x10)
                theirs[file]["system.dos_attrib"] = bytes([theirs[file]["system.dos_attrib"][0] | 0x10])
            for text in different(ours[file], theirs[file]):
                # ntfs3 has nothing for "no attribute".
                if not ("attrib" in text and file == "nothing"):
                    problems.append(f"{file}: {text}")
        assert not problems, "; ".join(problems)


def as_user(uid: int, act: Callable[[], dict]) -> dict:
    """What a process of that user finds."""
    read, wrote = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(wrote, json.dumps(act()).encode())
        except BaseException as error:
            os.write(wrote, json.dumps({"error": repr(error)}).encode())
        os._exit(0)
    os.close(wrote)
    with os.fdopen(read, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    return json.loads(said)
