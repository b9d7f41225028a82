// SPDX-License-Identifier: GPL-2.0-only

//! LZX, as the chunks of WOF files have it: 32 KiB each, each with a window of its own.
//!
//! A chunk is a row of blocks. Those that are compressed begin with the lengths of their codes: one
//! for bytes and matches, one for long lengths, and in some blocks one for the low three bits of the
//! distances. The last three distances have short names. What x86 calls lead to is stored in another
//! way than it is in the file (see [`super::calls`]).
//!
//! This is the LZX of WIM, which wimlib describes. That of cabinets, of which the published
//! description tells, has a header and a window over all of its blocks.

use kernel::prelude::*;

use super::{
    super::{
        bytes,
        error::{
            Malformed,
            Result, //
        },
    },
    bits::Bits,
    calls, copying,
    huffman::Code,
    lzx_codes::{
        broken_code,
        byte,
        read_lengths, //
    },
    xpress::copying_fault,
};

/// Bytes that a chunk becomes, and of its window; only the last chunk of a file has fewer.
pub const CHUNK: usize = 32768;

/// Symbols of the main code below this one are bytes.
const FIRST_MATCH: u16 = 256;
/// Symbols of the main code: bytes, and eight lengths for each of the 30 slots of distances.
const MAIN: usize = 256 + 8 * 30;
/// Symbols of the code of lengths.
const LENGTH: usize = 249;
/// Symbols of the code of the low bits of distances.
const ALIGNED: usize = 8;
/// How many of those bits there are.
const ALIGNED_BITS: u32 = 3;

/// The length in a symbol that says that there is more.
const LONG: u16 = 7;
/// What every length is short of.
const SHORTEST: usize = 2;
/// What every distance is stored higher by: the names of the last three come first.
const RECENT: u32 = 2;

/// The memory of the decoder. Zeros are its first state, and any state will do.
///
/// 9 KiB: it has no place on a stack.
#[derive(Zeroable)]
pub struct Work {
    main_lengths: [u8; MAIN],
    main_table: [u16; 2048],
    main_sorted: [u16; MAIN],
    length_lengths: [u8; LENGTH],
    length_table: [u16; 1024],
    length_sorted: [u16; LENGTH],
    aligned_lengths: [u8; ALIGNED],
    aligned_table: [u16; 128],
    aligned_sorted: [u16; ALIGNED],
}

/// How a block is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Compressed, with all bits of a distance as they are.
    Verbatim,
    /// Compressed, with a code for the low bits of a distance.
    Aligned,
    /// Bytes as they are.
    Plain,
}

/// Decodes one chunk.
///
/// `input` is what is stored of it, `out` the room for all of its bytes, of which there are no more
/// than [`CHUNK`]. Errors say where in the input; they are a block of an unknown kind or a wrong size,
/// codes that are oversubscribed or incomplete, or have no symbol, an input that ends too early, and a
/// match that begins before the chunk or ends behind its block. Input that is left over is not looked
/// at.
pub fn decompress(input: &[u8], out: &mut [u8], work: &mut Work) -> Result<()> {
    if out.len() > CHUNK {
        return Err(Malformed::truncated("LZX chunk", 0, out.len(), CHUNK));
    }
    work.main_lengths.fill(0);
    work.length_lengths.fill(0);
    let mut bits = Bits::new(input);
    let mut recent = [1; 3];
    let mut done = 0_usize;
    while done < out.len() {
        let (kind, size) = block_header(&mut bits, out.len().saturating_sub(done))?;
        let end = done.saturating_add(size);
        if kind == Kind::Plain {
            plain_block(
                &mut bits,
                out.get_mut(done..end).unwrap_or(&mut []),
                &mut recent,
            )?;
        } else {
            // What is behind the block is not there for its matches.
            let window = out.get_mut(..end).unwrap_or(&mut []);
            coded_block(&mut bits, kind, window, done, &mut recent, work)?;
        }
        done = end;
    }
    if bits.is_overdrawn() {
        return Err(bits.cut());
    }
    calls::make_relative(out);
    Ok(())
}

/// Reads how the next block is stored and how many bytes it becomes, at least one and up to `room`.
fn block_header(bits: &mut Bits<'_>, room: usize) -> Result<(Kind, usize)> {
    let kind = match bits.take(3) {
        1 => Kind::Verbatim,
        2 => Kind::Aligned,
        3 => Kind::Plain,
        kind => return Err(bits.fault("kind of an LZX block", kind.into(), 1)),
    };
    let size = if bits.take(1) != 0 {
        CHUNK
    } else {
        bytes::usize_from_u32(bits.take(16))
    };
    if size == 0 || size > room {
        let (size, room) = (bytes::u64_from_usize(size), bytes::u64_from_usize(room));
        return Err(bits.fault("size of an LZX block", size, room));
    }
    Ok((kind, size))
}

/// Decodes a block of bytes as they are; before them are the last distances.
fn plain_block(bits: &mut Bits<'_>, out: &mut [u8], recent: &mut [u32; 3]) -> Result<()> {
    bits.leave_word().ok_or_else(|| bits.cut())?;
    for distance in recent {
        *distance = u32::from_le_bytes(*bits.bytes::<4>().ok_or_else(|| bits.cut())?);
        if *distance == 0 {
            return Err(bits.fault("last distance of an LZX block", 0, 1));
        }
    }
    copying::plain(bits.slice(out.len()).ok_or_else(|| bits.cut())?, out);
    if out.len() & 1 != 0 {
        // The next block begins with a word; the last one may come without the byte.
        let _ = bits.byte();
    }
    Ok(())
}

/// Decodes a compressed block: from `done` to the end of the window.
fn coded_block(
    bits: &mut Bits<'_>,
    kind: Kind,
    window: &mut [u8],
    mut done: usize,
    recent: &mut [u32; 3],
    work: &mut Work,
) -> Result<()> {
    work.aligned_lengths.fill(0);
    if kind == Kind::Aligned {
        for length in &mut work.aligned_lengths {
            *length = byte(bits.take(3));
        }
    }
    let (literals, matches) = work.main_lengths.split_at_mut(256);
    read_lengths(bits, literals)?;
    read_lengths(bits, matches)?;
    read_lengths(bits, &mut work.length_lengths)?;
    let aligned = Code::new(
        &work.aligned_lengths,
        &mut work.aligned_table,
        &mut work.aligned_sorted,
    );
    let main = Code::new(
        &work.main_lengths,
        &mut work.main_table,
        &mut work.main_sorted,
    );
    let length = Code::new(
        &work.length_lengths,
        &mut work.length_table,
        &mut work.length_sorted,
    );
    let aligned = aligned.map_err(|broken| broken_code(bits, broken))?;
    let main = main.map_err(|broken| broken_code(bits, broken))?;
    let length = length.map_err(|broken| broken_code(bits, broken))?;
    let aligned = (kind == Kind::Aligned).then_some(&aligned);

    while let Some(target) = window.get_mut(done) {
        let symbol = symbol(bits, &main)?;
        let Some(of_match) = symbol.checked_sub(FIRST_MATCH) else {
            let [literal, _] = symbol.to_le_bytes();
            *target = literal;
            // Below the length of the window.
            done = done.wrapping_add(1);
            continue;
        };
        let mut bytes_of_match = usize::from(of_match & LONG).saturating_add(SHORTEST);
        if of_match & LONG == LONG {
            let more = self::symbol(bits, &length)?;
            bytes_of_match = bytes_of_match.saturating_add(usize::from(more));
        }
        let distance = distance(bits, of_match >> 3, recent, aligned)?;
        let distance = bytes::usize_from_u32(distance);
        if !copying::repeat(window, done, distance, bytes_of_match) {
            let end = window.len();
            return Err(copying_fault(bits, end, done, distance, bytes_of_match));
        }
        // The copy has checked it.
        done = done.wrapping_add(bytes_of_match);
    }
    Ok(())
}

#[inline]
fn symbol<const TABLE: usize, const SYMBOLS: usize>(
    bits: &mut Bits<'_>,
    code: &Code<'_, TABLE, SYMBOLS>,
) -> Result<u16> {
    match code.decode(bits) {
        Some(symbol) => Ok(symbol),
        None => Err(bits.fault("LZX code without a symbol", 0, 1)),
    }
}

/// Reads the distance of a match with this slot, and notes it as the last one.
#[inline]
fn distance(
    bits: &mut Bits<'_>,
    slot: u16,
    recent: &mut [u32; 3],
    aligned: Option<&Code<'_, 128, ALIGNED>>,
) -> Result<u32> {
    let [first, second, third] = *recent;
    // One that is named again changes places with the last one.
    let slot = match slot {
        0 => return Ok(first),
        1 => {
            *recent = [second, first, third];
            return Ok(second);
        }
        2 => {
            *recent = [third, second, first];
            return Ok(third);
        }
        slot => u32::from(slot),
    };
    // Two slots for each width; the last slot of the window has 13 bits.
    let width = (slot >> 1).wrapping_sub(1);
    let base = (2 | (slot & 1)).wrapping_shl(width);
    let more = match aligned {
        Some(aligned) if width >= ALIGNED_BITS => {
            let high = bits.take(width.wrapping_sub(ALIGNED_BITS)) << ALIGNED_BITS;
            high | u32::from(symbol(bits, aligned)?)
        }
        _ => bits.take(width),
    };
    // The slots from 3 on stand for at least 3.
    let distance = (base | more).wrapping_sub(RECENT);
    *recent = [distance, first, second];
    Ok(distance)
}
