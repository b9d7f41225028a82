# SPDX-License-Identifier: GPL-2.0-only
"""The indexes of the volume as a whole ($Secure, $ObjId, $Reparse) against the records that they are about."""

from __future__ import annotations

import struct

from . import layout
from .disk import Disk
from .files import File
from .index import Tree

SECURE = 9
COPY = 0x40000
GUID = 16


def hash_of(descriptor: bytes) -> int:
    """The hash of a security descriptor: each word added to the sum turned left by three."""
    total = 0
    for (word,) in struct.iter_unpack("<I", descriptor[: len(descriptor) & ~3]):
        total = ((total << 3 | total >> 29) + word) & 0xFFFFFFFF
    return total


def check_secure(disk: Disk, files: list[File], trees: dict[tuple[int, str], Tree]) -> None:
    """Every id in use has a descriptor; $SDS, its second copy and both of its indexes say the same."""
    secure = next((file for file in files if file.number == SECURE), None)
    stream = secure.stream(layout.DATA, "$SDS") if secure else None
    by_id, by_hash = trees.get((SECURE, "$SII")), trees.get((SECURE, "$SDH"))
    if secure is None or stream is None or by_id is None or by_hash is None:
        # Before NTFS 3.0 every file has a descriptor of its own.
        return
    bodies, known = stream.read(disk), {}
    for entry in by_id.entries:
        if len(entry.key) < 4 or len(entry.data) < layout.SDS.size:
            secure.complain("index $SII has an entry that is too short")
            continue
        (number,) = struct.unpack_from("<I", entry.key)
        known[number] = entry.data[: layout.SDS.size]
        value, own, place, length = layout.SDS.unpack_from(entry.data)
        body = bodies[place : place + length]
        if own != number or len(body) < length or length < layout.SDS.size or body[: layout.SDS.size] != known[number]:
            secure.complain(f"security id {number}: $SII leads to {place}, where $SDS has another entry")
            continue
        if hash_of(body[layout.SDS.size :]) != value:
            secure.complain(f"security id {number}: its descriptor has another hash than {value:#x}")
        if bodies[place + COPY : place + COPY + length] != body:
            secure.complain(f"security id {number}: the copy in $SDS differs")
    hashed = {entry.data[: layout.SDS.size] for entry in by_hash.entries}
    for data in set(known.values()) ^ hashed:
        secure.complain(f"security id {layout.SDS.unpack(data)[1]}: is only in one of $SII and $SDH")
    for file in files:
        information = file.stream(layout.STANDARD_INFORMATION)
        if information and len(information.first.value) >= layout.SECURITY_ID.size:
            (number,) = layout.SECURITY_ID.unpack_from(information.first.value)
            if number and number not in known:
                file.complain(f"security id {number} is not in $Secure")


def check_object_ids(files: list[File], tree: Tree) -> None:
    """Object ids of records and the entries of $ObjId are the same."""
    there = {}
    for file in files:
        stream = file.stream(layout.OBJECT_ID)
        if stream:
            there[stream.first.value[:GUID]] = file
    for entry in tree.entries:
        file = there.pop(entry.key, None)
        if file is None or int.from_bytes(entry.data[:8], "little") != file.reference:
            tree.complain(f"has object id {entry.key.hex()} of a record that has it not")
    for key, file in there.items():
        file.complain(f"its object id {key.hex()} is not in $ObjId")


def check_reparse(disk: Disk, files: list[File], tree: Tree) -> None:
    """Reparse points of records and the entries of $Reparse are the same."""
    there = {}
    for file in files:
        stream = file.stream(layout.REPARSE_POINT)
        if stream and stream.size >= 4:
            there[stream.read(disk)[:4] + struct.pack("<Q", file.reference)] = file
    for entry in tree.entries:
        if there.pop(entry.key, None) is None:
            tree.complain(f"has reparse point {entry.key.hex()} of a record that has it not")
    for file in there.values():
        file.complain("its reparse point is not in $Reparse")
