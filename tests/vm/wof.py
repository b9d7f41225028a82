# SPDX-License-Identifier: GPL-2.0-only
"""Compresses as the Windows overlay filter has it, by wimlib, which the SDK has."""

from __future__ import annotations

import ctypes
import struct


def body(data: bytes, codec: int, chunk: int) -> bytes:
    """The stream `WofCompressedData`: where each chunk but the first begins, and the chunks. Data below 4 GiB."""
    library = ctypes.CDLL("libwim.so.15")
    library.wimlib_compress.restype = ctypes.c_size_t
    library.wimlib_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    compressor = ctypes.c_void_p()
    made = library.wimlib_create_compressor(ctypes.c_int(codec), ctypes.c_size_t(chunk), ctypes.c_uint(50), ctypes.byref(compressor))
    if made:
        raise RuntimeError(f"wimlib has no compressor: {made}")
    room = ctypes.create_string_buffer(chunk)
    chunks = []
    for at in range(0, len(data), chunk):
        plain = data[at : at + chunk]
        # One that would not shrink stays as it is.
        size = library.wimlib_compress(plain, len(plain), room, len(plain) - 1, compressor)
        chunks.append(room.raw[:size] if size else plain)
    library.wimlib_free_compressor(compressor)
    ends, end = [], 0
    for piece in chunks[:-1]:
        end += len(piece)
        ends.append(end)
    return struct.pack(f"<{len(ends)}I", *ends) + b"".join(chunks)
