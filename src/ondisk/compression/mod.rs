// SPDX-License-Identifier: GPL-2.0-only

//! The codecs of compressed data, as NTFS and the Windows overlay filter (WOF) use them.
//!
//! [`lznt1`] is the compression of attributes; [`xpress`] and [`lzx`] are those of the chunks that
//! [`wof`] finds in the stream `WofCompressedData`. Each works on one unit or chunk in memory: what
//! is decoded never depends on another one. Nothing is allocated here: the caller gives the room for
//! the output and, where tables are needed, the work memory, which may be used again without being
//! cleared. What a buffer holds after an error is not told.

mod bits;
mod calls;
mod copying;
mod huffman;
pub mod lznt1;
pub mod lznt1_compress;
pub mod lzx;
mod lzx_codes;
pub mod wof;
pub mod xpress;
