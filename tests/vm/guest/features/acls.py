# SPDX-License-Identifier: GPL-2.0-only
"""Access control lists of POSIX, as the drivers in the kernel keep them: they count with `acl`, and only then; ntfs3 says the same."""

from __future__ import annotations

import errno
import os
import struct

from .. import syscalls, volume
from ..case import Report, Skip, expect_error
from ..fill.content import write
from .ground import Ground
from .xattrs import as_user, ea, get, mounted

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
OWNER, USER, GROUP, NAMED_GROUP, MASK, OTHERS = 1, 2, 4, 8, 16, 32
NOBODY = 0xFFFFFFFF
ANN, BOB, STAFF = 1234, 1235, 4321


def acl(*entries: tuple[int, int] | tuple[int, int, int], version: int = 2) -> bytes:
    """The value of the attribute."""
    return struct.pack("<I", version) + b"".join(struct.pack("<HHI", *(*entry, NOBODY)[:3]) for entry in entries)


def linux(mode: int, *attributes: tuple[str, bytes], uid: int = 0, gid: int = 0) -> bytes:
    """The EAs of a file that ntfs3 or WSL made, with others."""
    owner = (("$LXUID", uid), ("$LXGID", gid), ("$LXMOD", mode))
    return ea(*((name, struct.pack("<I", value)) for name, value in owner), *attributes)


NAMED = acl((OWNER, 6), (USER, 6, ANN), (USER, 0, BOB), (GROUP, 4), (NAMED_GROUP, 4, STAFF), (MASK, 6), (OTHERS, 0))
FOLDER = acl((OWNER, 7), (USER, 5, ANN), (GROUP, 0), (MASK, 5), (OTHERS, 0))
PLAIN = acl((OWNER, 6), (GROUP, 4), (OTHERS, 0))
BROKEN = {
    "another version": acl((OWNER, 6), (GROUP, 4), (OTHERS, 0), version=3),
    "cut off": PLAIN[:-3],
    "no mask": acl((OWNER, 6), (USER, 6, ANN), (GROUP, 4), (OTHERS, 4)),
    "no order": acl((GROUP, 4), (OWNER, 6), (OTHERS, 4)),
    "too short": b"\2",
}


def run(report: Report, ground: Ground) -> None:
    volume.run("modprobe", "fuse", check=False)
    os.umask(0o022)
    image = f"{ground.scratch}/acls.img"
    with open(image, "wb") as file:
        file.truncate(32 << 20)
    volume.run("mkntfs", "-Q", "-F", "-q", "-L", "acls", "-p", "0", "-s", "512", "-c", "4096", image)
    try:
        fill(image)
        without(report, ground, image)
        shown(report, ground, image)
        permissions(report, ground, image)
        changes(report, ground, image)
        broken(report, ground, image)
        beside_ntfs3(report, ground, image)
    finally:
        os.unlink(image)


def fill(image: str) -> None:
    with volume.ntfs3g(image) as root:
        for name in ("named", "read-only"):
            write(f"{root}/{name}", 100)
            os.setxattr(f"{root}/{name}", "system.ntfs_ea", linux(0o100660, (ACCESS, NAMED), ("user.other", b"1")))
        os.setxattr(f"{root}/read-only", "system.ntfs_attrib", struct.pack("=I", 0x1))
        write(f"{root}/capitals", 100)
        os.setxattr(f"{root}/capitals", "system.ntfs_ea", linux(0o100660, (ACCESS.upper(), NAMED)))
        write(f"{root}/plain list", 100)
        os.setxattr(f"{root}/plain list", "system.ntfs_ea", linux(0o100640, (ACCESS, PLAIN)))
        write(f"{root}/empty list", 100)
        os.setxattr(f"{root}/empty list", "system.ntfs_ea", linux(0o100640, (ACCESS, acl())))
        write(f"{root}/none", 100)
        os.mkdir(f"{root}/folder")
        write(f"{root}/folder/inside", 100)
        os.setxattr(f"{root}/folder", "system.ntfs_ea", linux(0o040750, (ACCESS, FOLDER), (DEFAULT, NAMED)))
        for name, value in BROKEN.items():
            write(f"{root}/{name}", 100)
            os.setxattr(f"{root}/{name}", "system.ntfs_ea", linux(0o100660, (ACCESS, value)))


def allowed(root: str, name: str) -> str:
    """What a process may do with a file, by opening it."""
    may = ""
    for letter, how in (("r", os.O_RDONLY), ("w", os.O_WRONLY)):
        try:
            os.close(os.open(f"{root}/{name}", how))
            may += letter
        except PermissionError:
            pass
    return may


def may(root: str, name: str, *users: int) -> list[str]:
    """[`allowed`] for each of these users."""
    return [as_user(user, lambda: {"may": allowed(root, name)}).get("may", "?") for user in users]


def without(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image, flags=0) as root:
        with report.case("without the option no list is shown, and none counts"):
            for name in ("named", "folder", "capitals"):
                assert get(f"{root}/{name}", ACCESS) == get(f"{root}/{name}", DEFAULT) == "EOPNOTSUPP"
                assert not [listed for listed in os.listxattr(f"{root}/{name}") if "posix" in listed.lower()]
            assert get(f"{root}/named", "user.other") == b"1"
            assert may(root, "named", ANN, BOB, STAFF) == ["", "", ""]
            assert allowed(root, "another version") == "rw"
    with report.case("the flag that mount(2) has for this is no way around the option"):
        with mounted(ground, image, flags=syscalls.MS_RDONLY | syscalls.MS_POSIXACL) as root:
            assert "acl" not in ground.shown_options(root) and get(f"{root}/named", ACCESS) == "EOPNOTSUPP"


def shown(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image, "acl") as root:
        with report.case("with the option lists are shown and listed as they are stored"):
            assert "acl" in ground.shown_options(root)
            for name, want in (("named", NAMED), ("capitals", NAMED), ("plain list", PLAIN), ("folder", FOLDER)):
                assert get(f"{root}/{name}", ACCESS) == want, (name, get(f"{root}/{name}", ACCESS))
                assert os.listxattr(f"{root}/{name}").count(ACCESS) == 1, os.listxattr(f"{root}/{name}")
            assert get(f"{root}/folder", DEFAULT) == NAMED and DEFAULT in os.listxattr(f"{root}/folder")
            assert get(f"{root}/named", DEFAULT) == "ENODATA" and DEFAULT not in os.listxattr(f"{root}/named")
            assert get(f"{root}/none", ACCESS) == get(f"{root}/empty list", ACCESS) == "ENODATA"
            assert get(f"{root}/named", "user.other") == b"1"
        with report.case("a list is as long as it is: ERANGE where there is no room"):
            size = syscalls.getxattr_size(f"{root}/named", ACCESS, 0)
            assert size == len(NAMED) == syscalls.getxattr_size(f"{root}/named", ACCESS, size)
            expect_error(errno.ERANGE, syscalls.getxattr_size, f"{root}/named", ACCESS, size - 1)
    with mounted(ground, image, "acl", flags=0) as root, report.case("a list cannot be set or removed yet: EOPNOTSUPP; nor can a remount change the option"):
        for name in ("named", "none"):
            expect_error(errno.EOPNOTSUPP, os.setxattr, f"{root}/{name}", ACCESS, NAMED)
            expect_error(errno.EOPNOTSUPP, os.removexattr, f"{root}/{name}", ACCESS)
        assert get(f"{root}/named", ACCESS) == NAMED
        remount = syscalls.MS_REMOUNT
        for options in ("noacl", "acl=0"):
            expect_error(errno.EINVAL, syscalls.mount, "none", root, ground.fstype, remount, options)
        syscalls.mount("none", root, ground.fstype, remount, "acl")


def permissions(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image, "acl", flags=0) as root:
        with report.case("who is named may what the list says, and others may not"):
            assert may(root, "named", ANN, BOB, STAFF, 77) == ["rw", "", "r", ""], may(root, "named", ANN, BOB, STAFF, 77)
            assert may(root, "capitals", ANN, BOB) == ["rw", ""]
            assert may(root, "plain list", ANN, STAFF) == ["", ""] and may(root, "empty list", ANN) == [""]
        with report.case("a list opens a folder, once it is known and before"):
            volume.drop_caches()
            for _ in range(2):
                assert may(root, "folder/inside", ANN, BOB) == ["r", ""], may(root, "folder/inside", ANN, BOB)
            assert as_user(ANN, lambda: {"names": os.listdir(f"{root}/folder")}) == {"names": ["inside"]}
        with report.case("nobody may write what Windows calls read-only"):
            assert may(root, "read-only", ANN, BOB, STAFF) == ["r", "", "r"]
            assert get(f"{root}/read-only", ACCESS) == acl((OWNER, 4), *[(USER, 6, ANN), (USER, 0, BOB), (GROUP, 4), (NAMED_GROUP, 4, STAFF)], (MASK, 4), (OTHERS, 0))
    for options, want in (("acl,fmask=077", ["", ""]), ("acl,fmask=022", ["r", ""]), ("acl,umask=0", ["rw", ""])):
        with mounted(ground, image, options, flags=0) as root, report.case(f"-o {options}: a list gives no more than the masks of the mount"):
            assert may(root, "named", ANN, BOB) == want, may(root, "named", ANN, BOB)


def changes(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image, "acl", flags=0) as root, report.case("chmod takes effect on a list that was looked at before"):
        assert may(root, "named", ANN) == ["rw"]
        os.chmod(f"{root}/named", 0o440)
        assert may(root, "named", ANN) == ["r"] and get(f"{root}/named", ACCESS) != NAMED
        os.chmod(f"{root}/named", 0o660)
        assert may(root, "named", ANN) == ["rw"] and get(f"{root}/named", ACCESS) == NAMED


def broken(report: Report, ground: Ground, image: str) -> None:
    with mounted(ground, image, "acl") as root:
        for name in BROKEN:
            with report.case(f"a broken list ({name}) is EUCLEAN, with a line that says so, and opens nothing"):
                ground.log.new()
                assert get(f"{root}/{name}", ACCESS) == "EUCLEAN", get(f"{root}/{name}", ACCESS)
                assert any("access control list" in line for line in ground.log.new())
                said = as_user(ANN, lambda name=name: {"may": allowed(root, name)})  # type: ignore[misc]
                assert "error" in said and str(errno.EUCLEAN) in said["error"], said
                assert ACCESS in os.listxattr(f"{root}/{name}")
                os.stat(f"{root}/{name}")


def beside_ntfs3(report: Report, ground: Ground, image: str) -> None:
    with report.case("lists that ntfs3 wrote are read, with the mode that it gave"):
        try:
            volume.run("modprobe", "ntfs3")
        except RuntimeError as error:
            raise Skip("this kernel has no ntfs3") from error
        written = acl((OWNER, 7), (USER, 6, ANN), (GROUP, 5), (MASK, 7), (OTHERS, 1))
        with volume.loop(image, writable=True) as device, volume.mounted("ntfs3", device, "acl", 0, at="/mnt/ntfs3") as root:
            os.setxattr(f"{root}/none", ACCESS, written)
            os.setxattr(f"{root}/folder", DEFAULT, written)
            names = ("named", "folder", "none", "plain list")
            theirs = {name: (get(f"{root}/{name}", ACCESS), get(f"{root}/{name}", DEFAULT), os.stat(f"{root}/{name}").st_mode) for name in names}
        with mounted(ground, image, "acl") as root:
            assert {name: (get(f"{root}/{name}", ACCESS), get(f"{root}/{name}", DEFAULT), os.stat(f"{root}/{name}").st_mode) for name in names} == theirs
            assert theirs["none"][0] == theirs["folder"][1] == written
