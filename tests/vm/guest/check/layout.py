# SPDX-License-Identifier: GPL-2.0-only
"""Where the fields of NTFS' structures are, as dissect.ntfs knows it: no offset of ours is in the checker.

dissect's own objects take milliseconds a record, minutes for a volume under emulation. So its
definitions are turned into plain `struct` formats here, and `foreign.py` holds what is decoded with
them against dissect's objects for a sample of every volume.
"""

from __future__ import annotations

import struct
from typing import Any

from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE, COLLATION, c_ntfs

STANDARD_INFORMATION = int(ATTRIBUTE_TYPE_CODE.STANDARD_INFORMATION.value)
ATTRIBUTE_LIST = int(ATTRIBUTE_TYPE_CODE.ATTRIBUTE_LIST.value)
FILE_NAME = int(ATTRIBUTE_TYPE_CODE.FILE_NAME.value)
OBJECT_ID = int(ATTRIBUTE_TYPE_CODE.OBJECT_ID.value)
VOLUME_INFORMATION = int(ATTRIBUTE_TYPE_CODE.VOLUME_INFORMATION.value)
DATA = int(ATTRIBUTE_TYPE_CODE.DATA.value)
INDEX_ROOT = int(ATTRIBUTE_TYPE_CODE.INDEX_ROOT.value)
INDEX_ALLOCATION = int(ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION.value)
BITMAP = int(ATTRIBUTE_TYPE_CODE.BITMAP.value)
REPARSE_POINT = int(ATTRIBUTE_TYPE_CODE.REPARSE_POINT.value)
COLLATE_FILE_NAME = int(COLLATION.FILE_NAME.value)
COLLATE_ULONG = int(COLLATION.NTOFS_ULONG.value)
COLLATE_HASH = int(COLLATION.NTOFS_SECURITY_HASH.value)
COLLATE_ULONGS = int(COLLATION.NTOFS_ULONGS.value)

# A field of 8 bytes with parts of its own is a file reference: one number.
LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def field_of(kind: Any, name: str) -> tuple[int, Any] | None:
    """Offset and type of a field of a structure, looked for in its parts without a name too."""
    for field in kind.__fields__:
        # A member of a union has no offset.
        offset = field.offset or 0
        if field._name == name:
            return offset, field.type
        found = field_of(field.type, name) if field.name is None else None
        if found:
            return offset + found[0], found[1]
    return None


def place_of(kind: Any, path: str) -> tuple[int, int]:
    """Offset and size of a field; `path` names the parts of a nested one with points between."""
    offset = 0
    for name in path.split("."):
        found = field_of(kind, name)
        if not found:
            raise LookupError(f"{kind} has no field {name}")
        offset, kind = offset + found[0], found[1]
    return offset, kind.size


def layout(structure: str, fields: str) -> struct.Struct:
    """The `struct` that unpacks these fields (in the order of their offsets) of a structure of dissect's."""
    kind, at, text = getattr(c_ntfs, structure), 0, "<"
    for path in fields.split():
        offset, size = place_of(kind, path)
        assert offset >= at, f"{structure}.{path} is out of order"
        text += "x" * (offset - at) + LETTERS[size]
        at = offset + size
    return struct.Struct(text)


MULTI_SECTOR = layout("_MULTI_SECTOR_HEADER", "UpdateSequenceArrayOffset UpdateSequenceArraySize")
RECORD = layout(
    "_FILE_RECORD_SEGMENT_HEADER",
    "SequenceNumber ReferenceCount FirstAttributeOffset Flags BytesInUse BytesAllocated BaseFileRecordSegment NextAttributeInstance",
)
HEADER = layout("_ATTRIBUTE_RECORD_HEADER", "TypeCode RecordLength FormCode NameLength NameOffset Flags Instance")
RESIDENT = layout("_ATTRIBUTE_RECORD_HEADER", "Form.Resident.ValueLength Form.Resident.ValueOffset Form.Resident.Flags")
NONRESIDENT = layout(
    "_ATTRIBUTE_RECORD_HEADER",
    "Form.Nonresident.LowestVcn Form.Nonresident.HighestVcn Form.Nonresident.MappingPairsOffset "
    "Form.Nonresident.AllocatedLength Form.Nonresident.FileSize Form.Nonresident.ValidDataLength",
)
TOTAL = layout("_ATTRIBUTE_RECORD_HEADER", "Form.Nonresident.TotalAllocated")
LIST_ENTRY = layout(
    "_ATTRIBUTE_LIST_ENTRY",
    "AttributeTypeCode RecordLength AttributeNameLength AttributeNameOffset LowestVcn SegmentReference Reserved",
)
NAME = layout(
    "_FILE_NAME",
    "ParentDirectory CreationTime LastModificationTime LastChangeTime LastAccessTime AllocatedLength FileSize "
    "FileAttributes ReparsePointTag FileNameLength Flags",
)
INFORMATION = layout("_STANDARD_INFORMATION", "CreationTime LastModificationTime LastChangeTime LastAccessTime FileAttributes")
SECURITY_ID = layout("_STANDARD_INFORMATION", "SecurityId")
ROOT = layout("_INDEX_ROOT", "AttributeType CollationRule BytesPerIndexBuffer ClustersPerIndexBuffer")
INDEX_HEADER = layout("_INDEX_HEADER", "FirstEntryOffset TotalSizeOfEntries AllocatedSize Flags")
BLOCK = layout("_INDEX_ALLOCATION_BUFFER", "Vcn")
ENTRY = layout("_INDEX_ENTRY", "FileReference Length KeyLength Flags")
SDS = layout("_SECURITY_DESCRIPTOR_HEADER", "HashId SecurityId Offset Length")
ENTRY_DATA = layout("_INDEX_ENTRY", "DataOffset DataLength")
ROOT_HEADER = place_of(c_ntfs._INDEX_ROOT, "IndexHeader")[0]
BLOCK_HEADER = place_of(c_ntfs._INDEX_ALLOCATION_BUFFER, "IndexHeader")[0]
# dissect has this field's place only in the size of the header before it, rounded up to 4.
NUMBER_PLACE = (c_ntfs._FILE_RECORD_SEGMENT_HEADER.size + 3) & ~3
NUMBER = struct.Struct("<I")

RECORD_IN_USE, RECORD_DIRECTORY = 1, 2
FLAG_COMPRESSED, FLAG_SPARSE = 0x00FF, 0x8000
ENTRY_NODE, ENTRY_LAST = 1, 2
REFERENCE = 0xFFFFFFFFFFFF
