// SPDX-License-Identifier: GPL-2.0-only

//! XPRESS with Huffman codes, as the chunks of WOF files have it (4, 8 or 16 KiB each).
//!
//! A chunk begins with the lengths of the 512 codes, four bits each. The symbols below 256 are bytes
//! as they are; in the others, the low four bits are a length and the next four the width of the
//! distance, whose bits follow. A length that is too long for four bits goes on in a byte, and in two
//! bytes more, which lie between the words of bits. ([MS-XCA] 2.2; the mark of the end that it tells
//! of is not needed where the size is known.)

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
    copying,
    huffman::Code,
};

const SYMBOLS: usize = 512;

/// Bytes of the lengths of the codes.
const LENGTHS: usize = SYMBOLS / 2;

/// Symbols below this one are bytes.
const FIRST_MATCH: u16 = 256;

/// The length, in the symbol and in the byte behind it, that says that there is more.
const LONG_IN_SYMBOL: u16 = 15;
const LONG_IN_BYTE: u8 = 255;

/// What every length is short of.
const SHORTEST: usize = 3;

/// The memory of the decoder. Zeros are its first state, and any state will do.
///
/// 6 KiB: it has no place on a stack.
#[derive(Zeroable)]
pub struct Work {
    lengths: [u8; SYMBOLS],
    table: [u16; 2048],
    sorted: [u16; SYMBOLS],
}

/// Decodes one chunk.
///
/// `input` is what is stored of it, `out` the room for all of its bytes. Errors say where in the input;
/// they are a code that is oversubscribed or incomplete, or has no symbol, an input that ends too
/// early, and a match that begins before the chunk or ends behind it. Input that is left over is not
/// looked at.
pub fn decompress(input: &[u8], out: &mut [u8], work: &mut Work) -> Result<()> {
    let Some((lengths, stream)) = input.split_first_chunk::<LENGTHS>() else {
        return Err(Malformed::truncated(
            "lengths of the XPRESS codes cut off",
            0,
            input.len(),
            LENGTHS,
        ));
    };
    for (pair, both) in work.lengths.chunks_exact_mut(2).zip(lengths) {
        if let [even, odd] = pair {
            *even = both & 0x0f;
            *odd = both >> 4;
        }
    }
    let code = Code::new(&work.lengths, &mut work.table, &mut work.sorted).map_err(|broken| {
        let (what, found, expected) = broken.words();
        Malformed::new(what, 0, found, expected)
    })?;
    let mut bits = Bits::new(stream);
    expand(&mut bits, &code, out).map_err(|error| error.within(LENGTHS))?;
    if bits.is_overdrawn() {
        return Err(bits.cut().within(LENGTHS));
    }
    Ok(())
}

/// Decodes until the output is full.
fn expand<const TABLE: usize>(
    bits: &mut Bits<'_>,
    code: &Code<'_, TABLE, SYMBOLS>,
    out: &mut [u8],
) -> Result<()> {
    let mut done = 0_usize;
    while let Some(target) = out.get_mut(done) {
        let Some(symbol) = code.decode(bits) else {
            return Err(bits.fault("XPRESS code without a symbol", 0, 1));
        };
        if symbol < FIRST_MATCH {
            let [literal, _] = symbol.to_le_bytes();
            *target = literal;
            // Below the length of the output.
            done = done.wrapping_add(1);
            continue;
        }
        let width = u32::from((symbol >> 4) & 15);
        let distance = 1_u32.wrapping_shl(width) | bits.take(width);
        let distance = bytes::usize_from_u32(distance);
        let length = length(bits, symbol & 15)?;
        if !copying::repeat(out, done, distance, length) {
            return Err(copying_fault(bits, out.len(), done, distance, length));
        }
        // The copy has checked it.
        done = done.wrapping_add(length);
    }
    Ok(())
}

/// The length of a match, of which the symbol says so much.
#[inline]
fn length(bits: &mut Bits<'_>, in_symbol: u16) -> Result<usize> {
    let mut length = usize::from(in_symbol);
    if in_symbol == LONG_IN_SYMBOL {
        let byte = bits.byte().ok_or_else(|| bits.cut())?;
        length = length.saturating_add(usize::from(byte));
        if byte == LONG_IN_BYTE {
            let word = u16::from_le_bytes(*bits.bytes::<2>().ok_or_else(|| bits.cut())?);
            if word < LONG_IN_SYMBOL {
                return Err(bits.fault(
                    "XPRESS length that needs no word",
                    u64::from(word),
                    u64::from(LONG_IN_SYMBOL),
                ));
            }
            length = usize::from(word);
        }
    }
    Ok(length.saturating_add(SHORTEST))
}

/// Says what is wrong with a match that could not be copied.
#[cold]
pub(super) fn copying_fault(
    bits: &Bits<'_>,
    end: usize,
    done: usize,
    distance: usize,
    length: usize,
) -> Malformed {
    if distance == 0 || distance > done {
        bits.fault(
            "match before the begin of its chunk",
            bytes::u64_from_usize(distance),
            bytes::u64_from_usize(done),
        )
    } else {
        bits.fault(
            "match beyond the end of its block",
            bytes::u64_from_usize(length),
            bytes::u64_from_usize(end.saturating_sub(done)),
        )
    }
}
