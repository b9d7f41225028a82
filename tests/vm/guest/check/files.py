# SPDX-License-Identifier: GPL-2.0-only
"""Files: a base record with its extension records, the attribute list between them, and the streams that they hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import layout
from .disk import Disk, Run
from .records import Attribute, Record, Table

NO_VCN = 0xFFFFFFFFFFFFFFFF


@dataclass
class Stream:
    """One attribute of a file with all its extents. `first` has its sizes."""

    first: Attribute
    runs: list[Run] = field(default_factory=list)
    whole: bool = True

    @property
    def size(self) -> int:
        return self.first.size

    @property
    def taken(self) -> int:
        """What Windows shows as its size on disk: of a sparse or compressed one what it really takes."""
        if self.first.resident:
            return (self.first.size + 7) & ~7
        return self.first.allocated if self.first.total is None else self.first.total

    def read(self, disk: Disk) -> bytes:
        """Its bytes; what was never initialized is zeros."""
        if self.first.resident:
            return self.first.value
        data = disk.read_runs(self.runs, self.first.initialized)
        return (data + bytes(max(self.first.size - len(data), 0)))[: self.first.size]


@dataclass
class File:
    """A base record and all attributes of the file, in its extension records too."""

    record: Record
    attributes: list[Attribute]
    streams: dict[tuple[int, bytes], Stream] = field(default_factory=dict)
    names: list[bytes] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def reference(self) -> int:
        return self.record.sequence << 48 | self.record.number

    def complain(self, text: str) -> None:
        self.complaints.append(f"record {self.number}: {text}")

    def stream(self, kind: int, name: str = "") -> Stream | None:
        """An attribute that is there once."""
        return self.streams.get((kind, name.encode("utf-16-le")))


def decode_list(value: bytes, file: File) -> list[tuple[int, bytes, int, int, int]]:
    """The entries of an attribute list: type, name, lowest VCN, reference, attribute id."""
    entries, at = [], 0
    while at < len(value):
        if at + layout.LIST_ENTRY.size > len(value):
            file.complain(f"attribute list: {len(value) - at} bytes are left over")
            break
        kind, length, name_length, name_offset, lowest, reference, number = layout.LIST_ENTRY.unpack_from(value, at)
        if length < name_offset + 2 * name_length or length < layout.LIST_ENTRY.size or length & 7 or at + length > len(value):
            file.complain(f"attribute list: an entry of {length} bytes at {at}")
            break
        name = value[at + name_offset : at + name_offset + 2 * name_length]
        entries.append((kind, name, lowest, reference, number))
        at += length
    return entries


def unlisted(base: Record, extensions: list[Record], disk: Disk) -> list[Record]:
    """Extension records of which the base record's list has nothing, as if they were not there.

    An extension record is durable before its base record leads to it, and given up when that does not any more: a power cut
    between the two leaves it so. What is wrong with the list is told elsewhere.
    """
    file = File(base, [])
    lists = gather([one for one in base.attributes if one.type == layout.ATTRIBUTE_LIST], file, disk)
    named = {reference & layout.REFERENCE for one in lists if one.whole for _, _, _, reference, _ in decode_list(one.read(disk), file)}
    return [record for record in extensions if record.number not in named]


def check_list(file: File, extensions: list[Record], disk: Disk, upper: list[int]) -> None:
    """The list says of every attribute of every record where it is, in order, and nothing else."""
    whole = file.stream(layout.ATTRIBUTE_LIST)
    entries = decode_list(whole.read(disk), file) if whole and whole.whole else []
    there = {(one.type, one.name, one.lowest, record.sequence << 48 | record.number, one.id)
             for record in (file.record, *extensions) for one in record.attributes if one.type != layout.ATTRIBUTE_LIST}  # fmt: skip
    listed, before = set(), ()
    for entry in entries:
        kind, name, lowest, reference, number = entry
        title = f"attribute list: type {kind:#x} {name.decode('utf-16-le', 'replace')!r} VCN {lowest} id {number}"
        key = (kind, [upper[unit] for unit in memoryview(name).cast("H")] if name else [], lowest)
        if before and key < before:
            file.complain(f"{title} stands out of order")
        before = key
        if entry in listed:
            file.complain(f"{title} is listed twice")
        elif entry not in there:
            target = reference & layout.REFERENCE
            file.complain(f"{title} is not in record {target} with sequence number {reference >> 48}")
        listed.add(entry)
    for kind, name, lowest, reference, number in there - listed:
        file.complain(
            f"attribute list: type {kind:#x} {name.decode('utf-16-le', 'replace')!r} VCN {lowest} id {number} "
            f"of record {reference & layout.REFERENCE} is not listed"
        )


def check_extents(first: Attribute, extents: list[Attribute], file: File, disk: Disk) -> Stream:
    """One attribute that is not resident: the extents follow each other, and the sizes are those of its runs."""
    title, cluster, vcn, taken = first.title(), disk.cluster, 0, 0
    stream = Stream(first)
    for one in extents:
        if one.resident or one.lowest != vcn:
            file.complain(f"{title}: an extent from VCN {one.lowest} where {vcn} comes next")
            stream.whole = False
            break
        here = sum(count for _, count in one.runs)
        taken += sum(count for lcn, count in one.runs if lcn is not None)
        vcn += here
        if one.highest != (vcn - 1) & NO_VCN and not (vcn == 0 and one.highest == 0):
            file.complain(f"{title}: highest VCN {one.highest}, its runs end at {vcn - 1}")
        for lcn, count in one.runs:
            if lcn is not None and lcn + count > disk.clusters:
                file.complain(f"{title}: clusters {lcn} to {lcn + count - 1} are beyond the volume")
                stream.whole = False
        stream.runs += one.runs
    if not first.initialized <= first.size <= first.allocated:
        file.complain(f"{title}: initialized {first.initialized}, size {first.size}, allocated {first.allocated}")
    if first.allocated != vcn * cluster:
        file.complain(f"{title}: allocated size {first.allocated}, its runs have {vcn * cluster}")
    loose = first.flags & (layout.FLAG_COMPRESSED | layout.FLAG_SPARSE)
    if first.total is not None and first.total != taken * cluster:
        file.complain(f"{title}: it says that it takes {first.total} bytes, its runs take {taken * cluster}")
    # $BadClus:$Bad is a hole as long as the volume, and says nothing of it.
    if not loose and taken != vcn and file.number != 8:
        file.complain(f"{title}: {vcn - taken} clusters of hole, and it is not sparse")
    return stream


def gather(attributes: list[Attribute], file: File, disk: Disk) -> list[Stream]:
    """The streams of these attribute records, extents put together."""
    parts: dict[tuple[int, bytes], list[Attribute]] = {}
    for one in attributes:
        parts.setdefault((one.type, one.name), []).append(one)
    streams = []
    for extents in parts.values():
        extents.sort(key=lambda one: one.lowest)
        first = extents[0]
        if not first.resident:
            streams.append(check_extents(first, extents, file, disk))
            continue
        if len(extents) > 1:
            file.complain(f"{first.title()} is there {len(extents)} times")
        streams.append(Stream(first))
    return streams


def assemble(disk: Disk, table: Table, upper: list[int], complaints: list[str]) -> list[File]:
    """All files of the volume."""
    extensions: dict[int, list[Record]] = {}
    for record in table.used.values():
        if not record.base:
            continue
        number = record.base & layout.REFERENCE
        base = table.used.get(number)
        if base is None or base.base or base.sequence != record.base >> 48:
            complaints.append(f"record {record.number}: its base record {number} with sequence number {record.base >> 48} is not there")
        extensions.setdefault(number, []).append(record)
    files = []
    for record in table.used.values():
        if record.base:
            continue
        more = extensions.get(record.number, [])
        left = unlisted(record, more, disk) if more else []
        complaints += [f"record {one.number}: an extension record of record {record.number}, whose list has nothing of it" for one in left]
        more = [one for one in more if one not in left]
        file = File(record, record.attributes if not more else [one for part in (record, *more) for one in part.attributes])
        single = []
        for one in file.attributes:
            if one.type == layout.FILE_NAME:
                if not one.resident:
                    file.complain("a name that is not resident")
                else:
                    file.names.append(one.value)
                    if one.indexed != 1:
                        file.complain("a name that is not marked as indexed")
            else:
                single.append(one)
        for stream in gather(single, file, disk):
            file.streams[stream.first.type, stream.first.name] = stream
        if more or file.stream(layout.ATTRIBUTE_LIST):
            check_list(file, more, disk, upper)
        files.append(file)
    return files
