# SPDX-License-Identifier: GPL-2.0-only
"""One broken volume per (seed, number): a list of changed byte ranges, chosen where they hurt.

Most changes are made with the fixups undone and done again, so that the damage gets past the first
check. The ranges are small and remember what was there, so that a case is undone by writing it back.
"""

from __future__ import annotations

import os
import random
import struct
from dataclasses import dataclass

from .ntfs_raw import ATTRIBUTE_LIST, DATA, INDEX_ALLOCATION, RawVolume, attributes, redo_fixup, undo_fixup

# Fields of an attribute record: (offset, width). The first ones are common, the rest depend on the form.
COMMON = [(0, 4), (4, 4), (8, 1), (9, 1), (10, 2), (12, 2), (14, 2)]
RESIDENT = [(16, 4), (20, 2), (22, 1)]
NONRESIDENT = [(16, 8), (24, 8), (32, 2), (34, 2), (40, 8), (48, 8), (56, 8), (64, 8)]
RECORD = [(4, 2), (6, 2), (16, 2), (18, 2), (20, 2), (22, 2), (24, 4), (28, 4), (32, 8), (40, 2), (44, 4)]
BLOCK = [(4, 2), (6, 2), (8, 8), (16, 8), (24, 4), (28, 4), (32, 4), (36, 1)]
BOOT = [(3, 8), (11, 2), (13, 1), (40, 8), (48, 8), (56, 8), (64, 1), (68, 1), (72, 8), (510, 2)]


@dataclass(frozen=True)
class Change:
    """`new` bytes at `place`, where `old` were."""

    place: int
    old: bytes
    new: bytes


class Mutator:
    """Knows where the structures of one volume are."""

    def __init__(self, raw: RawVolume) -> None:
        self.raw = raw
        self.records = [n for n in range(raw.record_count()) if self._used(n)]
        self.blocks: list[tuple[int, int]] = []
        self.lists: list[tuple[int, int]] = []
        self.system: list[tuple[int, int]] = []
        for number in self.records:
            record = raw.read_record(number)
            assert record is not None
            for attribute in attributes(record):
                if attribute.resident:
                    continue
                places = [(r.lcn * raw.cluster, r.length * raw.cluster) for r in raw.runs(record, attribute) if r.lcn is not None]
                if attribute.type == INDEX_ALLOCATION:
                    self.blocks += [
                        (place + step, raw.block_size) for place, length in places
                        for step in range(0, length - raw.block_size + 1, raw.block_size)
                        if os.pread(raw.fd, 4, place + step) == b"INDX"
                    ]  # fmt: skip
                elif attribute.type == ATTRIBUTE_LIST:
                    self.lists += places
                elif number in (1, 4, 6, 9, 10) and attribute.type == DATA:
                    self.system += places

    def _used(self, number: int) -> bool:
        record = self.raw.read_record(number)
        return record is not None and bool(record[22] & 1)

    def case(self, seed: int, number: int) -> tuple[str, list[Change]]:
        """What case `number` of `seed` breaks, in words and in bytes."""
        dice = random.Random(seed << 32 | number)
        words, changes = [], []
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            kinds = [("boot", 1), ("record", 8), ("system record", 5), ("block", 6), ("raw record", 1), ("raw block", 1)]
            kinds += [("attribute list", 2)] if self.lists else []
            kinds += [("system file", 1)] if self.system else []
            kind = dice.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
            text, place, size, fixed = self._target(dice, kind)
            old = os.pread(self.raw.fd, size, place)
            body = undo_fixup(old) if fixed else bytearray(old)
            text += ": " + self._damage(dice, kind, body)
            new = bytes(redo_fixup(body, old) if fixed else body)
            if new == old:
                at = dice.randrange(size)
                new = old[:at] + bytes([old[at] ^ 1]) + old[at + 1 :]
                text += f" (no change: a bit at {at:#x} instead)"
            words.append(text)
            changes.append(Change(place, old, new))
        return "; ".join(words), changes

    def _target(self, dice: random.Random, kind: str) -> tuple[str, int, int, bool]:
        """A name, the place, the size, and whether fixups are to be kept right."""
        raw = self.raw
        if kind == "boot":
            return "boot sector", 0, 512, False
        if kind in ("record", "system record", "raw record"):
            choice = [n for n in self.records if (n < 16) == (kind == "system record")] or self.records
            number = dice.choice(choice)
            place = raw.record_place(number)
            assert place is not None
            return f"record {number}", place, raw.record_size, kind != "raw record"
        if kind in ("block", "raw block") and self.blocks:
            place, size = dice.choice(self.blocks)
            return f"index block at {place:#x}", place, size, kind == "block"
        place, size = dice.choice(self.lists if kind == "attribute list" and self.lists else self.system or [(0, 512)])
        start = dice.randrange(0, max(size - 512, 1))
        return f"{kind} at {place + start:#x}", place + start, min(512, size), False

    def _damage(self, dice: random.Random, kind: str, body: bytearray) -> str:
        """Changes the bytes, and says how."""
        fields = self._fields(kind, body)
        way = dice.random()
        if fields and way < 0.55:
            at, width = dice.choice(fields)
            return self._set(dice, body, at, width)
        if way < 0.70:
            count = dice.choice((1, 1, 2, 8, 64))
            for _ in range(count):
                at = dice.randrange(len(body))
                body[at] ^= 1 << dice.randrange(8)
            return f"{count} bits flipped"
        if way < 0.80:
            at, length = dice.randrange(len(body)), dice.choice((1, 4, 8, 64, 512))
            body[at : at + length] = bytes(len(body[at : at + length]))
            return f"{length} bytes zeroed at {at:#x}"
        if way < 0.90:
            at, width = dice.randrange(0, len(body) - 8) & ~7, dice.choice((1, 2, 4, 8))
            return self._set(dice, body, at, width)
        if way < 0.95:
            one, other, length = dice.randrange(len(body)), dice.randrange(len(body)), dice.choice((8, 16, 88))
            piece = body[one : one + length]
            end = min(other + len(piece), len(body))
            body[other:end] = piece[: end - other]
            return f"{length} bytes copied from {one:#x} to {other:#x}"
        at, length = dice.randrange(len(body)), dice.choice((1, 8, 32))
        body[at : at + length] = dice.randbytes(len(body[at : at + length]))
        return f"{length} random bytes at {at:#x}"

    def _set(self, dice: random.Random, body: bytearray, at: int, width: int) -> str:
        """A field of `width` bytes gets a value that code tends to get wrong."""
        top = 1 << (8 * width)
        old = int.from_bytes(body[at : at + width], "little")
        value = dice.choice((
            0, 1, 2, 7, 8, 16, 0x20, 0x80, 0x400, 0xFFFF, top - 1, top - 2, top - 8, top // 2, top // 2 - 1, top // 2 + 1,
            old + 1, old - 1, old + 8, old - 8, old * 2, old // 2, old ^ (1 << dice.randrange(8 * width)),
            dice.randrange(top), dice.randrange(32), len(body), len(body) - 8,
        )) % top  # fmt: skip
        body[at : at + width] = value.to_bytes(width, "little")[: len(body) - at]
        return f"{width} bytes at {at:#x} are {value:#x} instead of {old:#x}"

    def _fields(self, kind: str, body: bytearray) -> list[tuple[int, int]]:
        """The fields worth setting: headers, and inside the attributes and entries."""
        if kind == "boot":
            return BOOT
        if kind in ("record", "system record"):
            fields = list(RECORD)
            for attribute in attributes(body):
                fields += [(attribute.at + at, width) for at, width in COMMON]
                if attribute.resident:
                    fields += [(attribute.at + at, width) for at, width in RESIDENT]
                    fields += [(attribute.value + at, 4) for at in range(0, attribute.value_length - 3, 4)]
                else:
                    fields += [(attribute.at + at, width) for at, width in NONRESIDENT if at + width <= attribute.length]
                    fields += [(at, 1) for at in range(attribute.pairs, attribute.at + attribute.length)]
            return [(at, width) for at, width in fields if at + width <= len(body)]
        if kind == "block":
            fields = list(BLOCK)
            at = 24 + struct.unpack_from("<I", body, 24)[0]
            while at + 16 <= len(body):
                length, _key, flags = struct.unpack_from("<HHH", body, at + 8)
                fields += [(at, 8), (at + 6, 2), (at + 8, 2), (at + 10, 2), (at + 12, 2), (at + 16, 8), (at + 80, 1), (at + 81, 1)]
                fields += [(at + length - 8, 8)] if flags & 1 else []
                if flags & 2 or length < 16:
                    break
                at += length
            return [(at, width) for at, width in fields if at + width <= len(body)]
        return []
