# SPDX-License-Identifier: GPL-2.0-only
"""B+ trees: every block reached once, marked in the bitmap and sound, and all entries in the order of the collation."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from . import layout
from .disk import Disk, unfixed
from .files import File


@dataclass
class Entry:
    """One entry. `reference` is the file's in a directory; `data` is what other indexes keep with the key."""

    reference: int
    key: bytes
    data: bytes


def file_name_order(upper: list[int]) -> Callable[[bytes], object]:
    """Names without regard to case by the volume's table; names that differ in nothing else, by their units."""
    start = layout.NAME.size
    length_place = start - 2

    def order(key: bytes) -> object:
        units = memoryview(key[start : start + 2 * key[length_place]]).cast("H")
        return [upper[unit] for unit in units], units.tolist()

    return order


def orders(upper: list[int]) -> dict[int, Callable[[bytes], object]]:
    """What makes keys comparable, per collation rule. The order of SIDs is not known from any document."""
    return {
        layout.COLLATE_FILE_NAME: file_name_order(upper),
        layout.COLLATE_ULONG: lambda key: struct.unpack_from("<I", key)[0],
        layout.COLLATE_HASH: lambda key: struct.unpack_from("<II", key),
        layout.COLLATE_ULONGS: lambda key: struct.unpack(f"<{len(key) // 4}I", key[: len(key) & ~3]),
    }


class Tree:
    """One index of a file, walked from its root."""

    def __init__(self, disk: Disk, file: File, name: str, upper: list[int]) -> None:
        self.disk, self.file, self.name = disk, file, name
        self.entries: list[Entry] = []
        root = file.stream(layout.INDEX_ROOT, name)
        self.blocks = b""
        if root is None or len(root.first.value) < layout.ROOT_HEADER + layout.INDEX_HEADER.size:
            self.complain("has no root")
            return
        value = root.first.value
        self.kind, self.rule, self.block_size, _ = layout.ROOT.unpack_from(value)
        if self.block_size != disk.block_size:
            self.complain(f"has blocks of {self.block_size} bytes, the volume says {disk.block_size}")
            return
        if (name == "$I30") != (self.kind == layout.FILE_NAME) or (name == "$I30") != (self.rule == layout.COLLATE_FILE_NAME):
            self.complain(f"is over type {self.kind:#x} with collation {self.rule}")
            return
        # The unit of the VCNs of blocks, where a cluster is larger than a block, is 512 bytes.
        self.unit = disk.cluster if disk.cluster <= self.block_size else 512
        allocation, bitmap = file.stream(layout.INDEX_ALLOCATION, name), file.stream(layout.BITMAP, name)
        if allocation and allocation.whole:
            self.blocks = allocation.read(disk)
            if len(self.blocks) % self.block_size:
                self.complain(f"has {len(self.blocks)} bytes of blocks of {self.block_size}")
        self.marked = bitmap.read(disk) if bitmap and bitmap.whole else b""
        self.seen: set[int] = set()
        self.walk(value)
        self.unreached()
        self.check_order(orders(upper).get(self.rule))

    def complain(self, text: str) -> None:
        self.file.complain(f"index {self.name} {text}")

    def is_marked(self, number: int) -> bool:
        return number >> 3 < len(self.marked) and bool(self.marked[number >> 3] >> (number & 7) & 1)

    def walk(self, root: bytes) -> None:
        """Puts all entries into `entries`, in the order of the tree."""
        pending: list[Entry | int] = list(reversed(self.node(root, layout.ROOT_HEADER, len(root), "the root")))
        while pending:
            item = pending.pop()
            if isinstance(item, Entry):
                self.entries.append(item)
            else:
                pending += reversed(self.block(item))

    def block(self, vcn: int) -> list[Entry | int]:
        """The content of the block with this VCN."""
        number, rest = divmod(vcn * self.unit, self.block_size)
        title = f"block at VCN {vcn}"
        raw = self.blocks[number * self.block_size : (number + 1) * self.block_size]
        if rest or len(raw) < self.block_size:
            self.complain(f"{title} is beyond its {len(self.blocks)} bytes of blocks")
            return []
        if number in self.seen:
            self.complain(f"{title} is reached twice")
            return []
        self.seen.add(number)
        if not self.is_marked(number):
            self.complain(f"{title} is in use, and its bitmap says that it is free")
        block = unfixed(raw) if raw[:4] == b"INDX" else f"begins with {raw[:4]!r}"
        if isinstance(block, str):
            self.complain(f"{title}: {block}")
            return []
        (own,) = layout.BLOCK.unpack_from(block)
        if own != vcn:
            self.complain(f"{title} says that it is at {own}")
        return self.node(block, layout.BLOCK_HEADER, len(block), title)

    def node(self, node: bytes, header: int, length: int, title: str) -> list[Entry | int]:
        """Entries and the VCNs of the nodes below, in order."""
        first, used, allocated, flags = layout.INDEX_HEADER.unpack_from(node, header)
        end = header + used
        if first & 7 or used & 7 or used > allocated or header + allocated > length or first >= used:
            self.complain(f"{title}: entries from {first} to {used} of {allocated} in {length}")
            return []
        if header == layout.BLOCK_HEADER and header + allocated != length:
            self.complain(f"{title}: room for {allocated} bytes of entries in a block of {length}")
        content: list[Entry | int] = []
        at, below = header + first, False
        while True:
            if at + layout.ENTRY.size > end:
                self.complain(f"{title}: entries without end")
                break
            reference, size, key_length, entry_flags = layout.ENTRY.unpack_from(node, at)
            child = 8 if entry_flags & layout.ENTRY_NODE else 0
            if size & 7 or size < layout.ENTRY.size + 2 + child or at + size > end:
                self.complain(f"{title}: an entry of {size} bytes at {at}")
                break
            if child:
                below = True
                content.append(int.from_bytes(node[at + size - 8 : at + size], "little"))
            if entry_flags & layout.ENTRY_LAST:
                if at + size != end:
                    self.complain(f"{title}: its entries end at {at + size - header}, and {used} bytes are in use")
                break
            start = at + 16
            if start + key_length + child > at + size:
                self.complain(f"{title}: a key of {key_length} bytes in an entry of {size}")
                break
            data = b""
            if self.kind != layout.FILE_NAME:
                offset, count = layout.ENTRY_DATA.unpack_from(node, at)
                data = node[at + offset : at + offset + count]
            content.append(Entry(reference, node[start : start + key_length], data))
            at += size
        if below != bool(flags & 1):
            self.complain(f"{title}: {'has' if below else 'has no'} nodes below it, and its flags are {flags:#x}")
        return content

    def unreached(self) -> None:
        """Blocks that the bitmap marks and no node points to."""
        lost = [n for n in range(len(self.marked) * 8) if self.is_marked(n) and n not in self.seen]
        if lost:
            self.complain(f"has {len(lost)} marked blocks that nothing points to, the first is number {lost[0]}")

    def check_order(self, order: Callable[[bytes], object] | None) -> None:
        if order is None:
            return
        before, last = None, b""
        for entry in self.entries:
            try:
                now = order(entry.key)
            except (struct.error, IndexError):
                self.complain(f"has a key that is too short: {entry.key[:32]!r}")
                continue
            if before is not None and not before < now:  # type: ignore[operator]
                self.complain(f"is out of order: {shown(self.rule, last)} comes before {shown(self.rule, entry.key)}")
            before, last = now, entry.key


def shown(rule: int, key: bytes) -> str:
    """A key for a complaint."""
    if rule == layout.COLLATE_FILE_NAME:
        return repr(name_of(key))
    return key[:16].hex()


def name_of(key: bytes) -> str:
    """The name in a $FILE_NAME."""
    start = layout.NAME.size
    return key[start : start + 2 * key[start - 2]].decode("utf-16-le", "surrogatepass")
