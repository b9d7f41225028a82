# SPDX-License-Identifier: GPL-2.0-only
"""File handles as NFS keeps them: good after everything was forgotten, stale when the file is another one."""

from __future__ import annotations

import errno
import os

from .. import syscalls, volume
from ..case import Report, expect_error
from .ground import Ground

NAMES = [
    "", "names", "names/plain.txt", "data/size 8", "data/several MiB", "directories/tree/0/00/leaf/file",
    "attributes/2 links/name 0000", "attributes/crowded", "directories/1000 names", "reparse/fifo",
]  # fmt: skip


def run(report: Report, ground: Ground) -> None:
    with ground.mount() as root:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            handles = {name: syscalls.name_to_handle(f"{root}/{name}") for name in NAMES}
            inodes = {name: os.lstat(f"{root}/{name}").st_ino for name in NAMES}
            for name, handle in handles.items():
                with report.case(f"the handle of /{name} leads back to it after the caches were dropped"):
                    volume.drop_caches()
                    flags = os.O_PATH if name == "reparse/fifo" else os.O_RDONLY
                    fd = syscalls.open_by_handle(top, handle, flags)
                    try:
                        assert os.fstat(fd).st_ino == inodes[name]
                        path = os.readlink(f"/proc/self/fd/{fd}")
                        if os.path.isdir(f"{root}/{name}"):
                            assert path == f"{root}/{name}".rstrip("/"), path
                    finally:
                        os.close(fd)
            with report.case("a folder opened by handle finds its parents up to the root"):
                volume.drop_caches()
                handle = syscalls.name_to_handle(f"{root}/directories/tree/1/11/leaf")
                volume.drop_caches()
                fd = syscalls.open_by_handle(top, handle, os.O_RDONLY)
                above = os.open("../../../../..", os.O_RDONLY, dir_fd=fd)
                assert os.fstat(above).st_ino == os.fstat(top).st_ino
                os.close(fd)
                os.close(above)
            with report.case("a handle with another generation is stale, not another file"):
                handle = handles["names/plain.txt"]
                for at in range(4, len(handle.data)):
                    broken = bytearray(handle.data)
                    broken[at] ^= 0x5A
                    try:
                        fd = syscalls.open_by_handle(top, syscalls.Handle(handle.type, bytes(broken)))
                    except OSError as error:
                        assert error.errno in (errno.ESTALE, errno.EUCLEAN), f"byte {at}: {error}"
                    else:
                        found = os.fstat(fd).st_ino
                        os.close(fd)
                        raise AssertionError(f"byte {at} changed, and inode {found} was opened")
            with report.case("a handle of a record that does not exist is stale"):
                handle = handles["names/plain.txt"]
                for number in (0xFFFFFFF0, 0x7FFFFFFF, 12, 15):
                    data = number.to_bytes(4, "little") + handle.data[4:]
                    expect_error((errno.ESTALE, errno.EUCLEAN), syscalls.open_by_handle, top, syscalls.Handle(handle.type, data))
            with report.case("a handle of no known type is refused"):
                expect_error((errno.ESTALE, errno.EINVAL), syscalls.open_by_handle, top, syscalls.Handle(0x77, bytes(8)))
        finally:
            os.close(top)
