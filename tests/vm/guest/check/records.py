# SPDX-License-Identifier: GPL-2.0-only
"""MFT records one by one: headers, and the attributes of each with their order, ids and bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import layout
from .disk import Disk, Run, unfixed

# Windows and mkntfs keep records 12 to 23 for later: in use or not, with names or without.
RESERVED = range(12, 24)
Complain = Callable[[str], None]


class Attribute:
    """One attribute record, and where it begins. Of one that is not resident, `runs` is this extent's and the sizes are the first one's."""

    __slots__ = (
        "type", "name", "flags", "id", "resident", "value", "indexed", "lowest", "highest", "runs", "allocated", "size",
        "initialized", "total", "at",
    )  # fmt: skip

    def title(self) -> str:
        """How complaints call it."""
        name = self.name.decode("utf-16-le", "replace")
        return f"attribute {self.type:#x}{' ' + repr(name) if name else ''}"


@dataclass
class Record:
    """A record that is in use."""

    number: int
    sequence: int
    links: int
    flags: int
    base: int
    next_id: int
    attributes: list[Attribute] = field(default_factory=list)


@dataclass
class Table:
    """The records in use by number, and how many there are in all."""

    used: dict[int, Record]
    count: int


def runs_of(pairs: bytes) -> list[Run] | None:
    """Mapping pairs to runs; None when they are broken."""
    runs: list[Run] = []
    at, lcn, end = 0, 0, len(pairs)
    while at < end:
        head = pairs[at]
        if not head:
            return runs
        lengths, offsets = head & 15, head >> 4
        middle = at + 1 + lengths
        at = middle + offsets
        if not 0 < lengths <= 8 or offsets > 8 or at > end:
            return None
        count = int.from_bytes(pairs[middle - lengths : middle], "little", signed=True)
        if count <= 0:
            return None
        if offsets:
            lcn += int.from_bytes(pairs[middle:at], "little", signed=True)
            if lcn < 0:
                return None
            runs.append((lcn, count))
        else:
            runs.append((None, count))
    return None


def attribute_at(record: bytes, at: int, complain: Complain) -> tuple[Attribute | None, int]:
    """The attribute at this place and its length; 0 when what follows cannot be found."""
    kind, length, form, name_length, name_offset, flags, number = layout.HEADER.unpack_from(record, at)
    if length < layout.RESIDENT.size or length & 7 or at + length > len(record):
        complain(f"attribute {kind:#x} at {at} has length {length}")
        return None, 0
    one = Attribute()
    one.type, one.flags, one.id, one.resident = kind, flags, number, not form
    one.at = at
    one.name = record[at + name_offset : at + name_offset + 2 * name_length] if name_length else b""
    if name_length and name_offset + 2 * name_length > length:
        complain(f"{one.title()}: its name does not fit into it")
    if one.resident:
        size, offset, one.indexed = layout.RESIDENT.unpack_from(record, at)
        if offset & 7 or offset + size > length or offset < name_offset + 2 * name_length and name_length:
            complain(f"{one.title()}: value of {size} bytes at {offset} in {length}")
            return None, length
        one.value = record[at + offset : at + offset + size]
        one.lowest = one.highest = 0
        one.runs, one.size = [], size
        return one, length
    one.indexed, one.value = 0, b""
    # Only the first extent of a sparse or compressed attribute says how much it takes.
    loose = bool(flags & (layout.FLAG_COMPRESSED | layout.FLAG_SPARSE))
    if length < (layout.TOTAL if loose else layout.NONRESIDENT).size:
        complain(f"{one.title()} at {at} has length {length}")
        return None, length
    one.lowest, one.highest, pairs, one.allocated, one.size, one.initialized = layout.NONRESIDENT.unpack_from(record, at)
    runs = runs_of(record[at + pairs : at + length])
    if runs is None:
        complain(f"{one.title()}: mapping pairs do not decode")
        return None, length
    one.runs = runs
    one.total = layout.TOTAL.unpack_from(record, at)[0] if loose and one.lowest == 0 else None
    return one, length


def check_order(record: Record, upper: list[int], complaints: list[str]) -> None:
    """Attributes ascend by type, then by name in the volume's collation, then by VCN; their ids are all different."""

    def complain(text: str) -> None:
        complaints.append(f"record {record.number}: {text}")

    ids: set[int] = set()
    before: tuple = ()
    for one in record.attributes:
        if one.id in ids:
            complain(f"{one.title()}: attribute id {one.id} is there twice")
        ids.add(one.id)
        name = [upper[unit] for unit in memoryview(one.name).cast("H")] if one.name else []
        key = (one.type, name, one.lowest)
        if before and (key < before or (key == before and one.type != layout.FILE_NAME)):
            complain(f"{one.title()}: stands out of order")
        before = key
    if ids and record.next_id <= max(ids):
        complain(f"next attribute id {record.next_id}, and {max(ids)} is in use")


def decode(number: int, raw: bytes, complain: Complain) -> Record | None:
    """A record of the table; None for a free one and one that is beyond reading."""
    record = unfixed(raw)
    if isinstance(record, str):
        complain(record)
        return None
    sequence, links, first, flags, used, allocated, base, next_id = layout.RECORD.unpack_from(record)
    if not flags & layout.RECORD_IN_USE:
        return None
    if allocated != len(raw) or used > allocated or used & 7:
        complain(f"{used} of {allocated} bytes in use, in a record of {len(raw)}")
        return None
    usa, count = layout.MULTI_SECTOR.unpack_from(record)
    if first & 7 or first < usa + 2 * count:
        complain(f"first attribute at {first}")
        return None
    if usa >= layout.NUMBER_PLACE + 4 and layout.NUMBER.unpack_from(record, layout.NUMBER_PLACE)[0] != number & 0xFFFFFFFF:
        complain("another record's number is in its header")
    if not sequence:
        complain("its sequence number is 0")
    one, at = Record(number, sequence, links, flags, base, next_id), first
    while True:
        if at + 8 > used:
            complain(f"attributes without end ({at} of {used} bytes)")
            break
        if record[at : at + 4] == b"\xff\xff\xff\xff":
            if at + 8 != used:
                complain(f"its attributes end at {at}, and {used} bytes are in use")
            break
        attribute, length = attribute_at(record[:used], at, complain)
        if not length:
            break
        if attribute:
            one.attributes.append(attribute)
        at += length
    return one


def read_table(disk: Disk, complaints: list[str]) -> Table:
    """Every record of $MFT."""
    size = disk.record_size
    count = len(disk.table) // size
    table = Table({}, count)
    for number in range(count):
        raw = disk.table[number * size : (number + 1) * size]
        # What else there is must be free, which the bitmap tells.
        if raw[:4] != b"FILE":
            continue
        record = decode(number, raw, lambda text, number=number: complaints.append(f"record {number}: {text}"))
        if record:
            table.used[number] = record
    return table
