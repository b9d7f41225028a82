#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""seeds.py CORPUS IMAGE...

Takes the structures of small NTFS images as first inputs for the fuzz targets: one file for each
structure, in the folder of its target below CORPUS. Makes some for the codecs, of which there are none. Knows just enough of NTFS for that, and only
looks at sectors that begin like a structure; nothing depends on finding all.
"""

import hashlib
import struct
import sys
from pathlib import Path

# Which target eats the values of which attribute.
VALUES = {0x20: "attribute_list", 0x30: "file_name", 0x90: "index", 0x40: "security", 0x50: "security", 0xC0: "reparse", 0xE0: "ea"}

# A change before the page that it is for, as its target wants it: bytes 0x18 to 0x1f of the attribute at 0x38.
CHANGE = bytes([0, 7, 7, 0, 0x38, 0, 0x18, 0, 8, 8]) + bytes(16)


def unfixed(record: bytes) -> bytes:
    """The structure with its fixups undone, whether they agree or not."""
    out = bytearray(record)
    offset, count = struct.unpack_from("<HH", record, 4)
    for sector in range(1, min(count, len(record) // 512 + 1)):
        out[sector * 512 - 2 : sector * 512] = record[offset + 2 * sector : offset + 2 * sector + 2]
    return bytes(out)


def attributes(record: bytes):
    """Type, whether it is resident, and the bytes of each attribute record."""
    at = struct.unpack_from("<H", record, 0x14)[0]
    while at + 0x18 <= len(record):
        kind, length = struct.unpack_from("<II", record, at)
        if kind == 0xFFFFFFFF or length < 0x18 or at + length > len(record):
            return
        yield kind, record[at + 8] == 0, record[at : at + length]
        at += length


def structures(image: bytes):
    """Target and input for everything that is found in the image."""
    yield "boot", image[:512]
    for at in range(0, len(image), 512):
        magic = image[at : at + 4]
        if image[at + 4 : at + 16] == struct.pack("<IQ", 0x100, 0):
            yield from descriptors(image[at : at + 4096])
        if magic in (b"RSTR", b"RCRD"):
            yield "log", image[at : at + 8192]
        if magic == b"INDX":
            yield "index", image[at : at + 4096]
            yield "log_change", CHANGE + unfixed(image[at : at + 4096])
            yield "fixup", image[at : at + 4096]
        if magic != b"FILE":
            continue
        size = struct.unpack_from("<I", image, at + 0x1C)[0]
        if size not in (1024, 2048, 4096):
            continue
        yield "record", image[at : at + size]
        yield "log_change", CHANGE + unfixed(image[at : at + size])
        yield "fixup", image[at : at + size]
        for kind, resident, attribute in attributes(unfixed(image[at : at + size])):
            if not resident:
                pairs = struct.unpack_from("<H", attribute, 0x20)[0]
                # The target's own head: any part, a large volume.
                yield "mapping_pairs", bytes(15) + b"\x7f" + attribute[pairs:]
                continue
            length, offset = struct.unpack_from("<IH", attribute, 0x10)
            value = attribute[offset : offset + length]
            if kind in VALUES:
                yield VALUES[kind], value
            if kind == 0x30:
                yield "names", value[0x42:]
                yield "upcase", bytes([3, 3]) + value[0x42:]


def descriptors(sds: bytes):
    """The first entries of a $SDS, and the descriptors in them."""
    at = 0
    while at + 0x14 <= len(sds):
        length = struct.unpack_from("<I", sds, at + 0x10)[0]
        if length < 0x14 or at + length > len(sds):
            return
        yield "security", sds[at : at + length]
        yield "security", sds[at + 0x14 : at + length]
        at += (length + 15) & ~15


class Bits:
    """Bits in words of 16, as LZX has them."""

    def __init__(self) -> None:
        self.number = self.count = 0

    def put(self, number: int, count: int) -> None:
        self.number = self.number << count | number
        self.count += count

    def words(self) -> bytes:
        spare = -self.count % 16
        whole = (self.number << spare).to_bytes((self.count + spare) // 8, "big")
        count = len(whole) // 2
        return struct.pack(f"<{count}H", *struct.unpack(f">{count}H", whole))


def lzx_block(aligned: bool) -> bytes:
    """The head of a block of a whole chunk in which all bits mean something: no input would grow one by chance."""
    bits = Bits()
    bits.put(0b0101 if aligned else 0b0011, 4)
    for _ in range(8 if aligned else 0):
        bits.put(3, 3)
    # The lengths of 256 bytes, 240 matches and 249 long lengths: a few have one bit less than the others.
    for total, short, length in ((256, 16, 9), (240, 0, 9), (249, 7, 8)):
        usual = 17 - length
        for symbol in range(20):
            bits.put(symbol in (usual, usual + 1), 4)
        for symbol in range(total):
            bits.put(symbol < short, 1)
    return bits.words()


def codecs():
    """Target and input for the codecs: heads that are sound, and something behind them."""
    noise = b"".join(hashlib.sha1(bytes([number])).digest() for number in range(200))
    for aligned in (False, True):
        yield "lzx", b"\x00\x80" + lzx_block(aligned) + noise
    # All codes have nine bits.
    yield "xpress", b"\x00\x40" + b"\x99" * 256 + noise
    yield "lznt1", b"\x07" + b"\x9f\xbf" + noise + b"\xff\x3f" + noise + noise[:96]
    acl = ((1, 7), (2, 6), (4, 5), (8, 4), (16, 7), (32, 1))
    yield "posix_acl", b"\x40\x01\x02\0\0\0" + b"".join(struct.pack("<HHI", *entry, 1000) for entry in acl)
    yield "wof", struct.pack("<IIIIQQ", 1, 2, 1, 0, 40000, 30000) + b"".join(struct.pack("<I", 3000 * n) for n in range(1, 10))


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    corpus = Path(sys.argv[1])
    for name in [None, *sys.argv[2:]]:
        for target, content in structures(Path(name).read_bytes()) if name else codecs():
            folder = corpus / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


if __name__ == "__main__":
    main()
