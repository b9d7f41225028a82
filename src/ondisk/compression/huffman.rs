// SPDX-License-Identifier: GPL-2.0-only

//! Canonical Huffman codes, which the lengths of the codes alone describe.
//!
//! Codes up to the width of the table are looked up in it. Longer ones, which are rare since they
//! stand for what is rare, are found by comparing with the first code of each length. A set of codes
//! has to be complete, or empty: so do all known writers make it, and so does wimlib want it.

use super::{
    super::bytes,
    bits::Bits, //
};

/// The longest code, in bits.
const LONGEST: u32 = 16;

/// All codes there are, counted in codes of [`LONGEST`] bits.
const ALL: u32 = 1 << LONGEST;

/// Bits of a table's entry for the length of the code; the symbol is above.
const LENGTH_BITS: u32 = 5;
const LENGTH_MASK: u16 = (1 << LENGTH_BITS) - 1;

/// The lengths do not make a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// They need more codes than there are: so many, in those of 16 bits.
    Oversubscribed(u32),
    /// They leave codes without a meaning.
    Incomplete(u32),
}

impl Broken {
    /// What the kernel log says, the codes that are used, and those there are.
    pub(super) fn words(self) -> (&'static str, u64, u64) {
        match self {
            Self::Oversubscribed(used) => ("oversubscribed Huffman code", used.into(), ALL.into()),
            Self::Incomplete(used) => ("incomplete Huffman code", used.into(), ALL.into()),
        }
    }
}

/// The codes of one length, which begin where those of the length before end.
#[derive(Clone, Copy)]
struct Level {
    /// The first one behind them, as the highest of 16 bits.
    end: u32,
    /// Where the symbols of this length begin among the sorted ones.
    index: u16,
}

/// A code, ready to decode with. `TABLE` is a power of two, the size of the table.
pub(super) struct Code<'a, const TABLE: usize, const SYMBOLS: usize> {
    table: &'a [u16; TABLE],
    /// The symbols in the order of their codes.
    sorted: &'a [u16; SYMBOLS],
    /// One for each length from 1 on.
    levels: [Level; 16],
}

impl<'a, const TABLE: usize, const SYMBOLS: usize> Code<'a, TABLE, SYMBOLS> {
    /// The width of the table.
    const WIDTH: u32 = {
        assert!(TABLE.is_power_of_two());
        TABLE.trailing_zeros()
    };

    /// Makes the code of these lengths, none of which is above 16; 0 is a symbol without a code.
    ///
    /// A code without any symbol is made all the same, and decodes nothing.
    pub(super) fn new(
        lengths: &[u8; SYMBOLS],
        table: &'a mut [u16; TABLE],
        sorted: &'a mut [u16; SYMBOLS],
    ) -> Result<Self, Broken> {
        let levels = levels(lengths)?;
        sort(lengths, &levels, sorted);
        let mut filled = 0_usize;
        let mut first = 0_u32;
        let mut length = 1_u32;
        let mut symbols = sorted.iter();
        // No more entries than there are codes, of which there are not more than fit.
        for level in &levels {
            if length > Self::WIDTH {
                break;
            }
            let each = 1_usize.wrapping_shl(Self::WIDTH.wrapping_sub(length));
            let codes = level
                .end
                .wrapping_sub(first)
                .wrapping_shr(LONGEST.wrapping_sub(length));
            for symbol in symbols.by_ref().take(bytes::usize_from_u32(codes)) {
                let end = filled.wrapping_add(each);
                let entry = (symbol << LENGTH_BITS) | u16::try_from(length).unwrap_or(0);
                if let Some(entries) = table.get_mut(filled..end) {
                    entries.fill(entry);
                }
                filled = end;
            }
            first = level.end;
            length = length.wrapping_add(1);
        }
        if let Some(entries) = table.get_mut(filled..) {
            entries.fill(0);
        }
        Ok(Self {
            table,
            sorted,
            levels,
        })
    }

    /// Takes the next symbol; `None` where no code is as the bits are.
    #[inline]
    pub(super) fn decode(&self, bits: &mut Bits<'_>) -> Option<u16> {
        bits.refill();
        let index = bytes::usize_from_u32(bits.peek(Self::WIDTH));
        let entry = self.table.get(index).copied()?;
        let length = entry & LENGTH_MASK;
        if length == 0 {
            return self.decode_long(bits);
        }
        bits.drop(u32::from(length));
        Some(entry >> LENGTH_BITS)
    }

    /// The same for a code that is longer than the table is wide.
    fn decode_long(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let code = bits.peek(LONGEST);
        let mut first = 0_u32;
        let mut length = 0_u32;
        for level in &self.levels {
            length = length.wrapping_add(1);
            if code < level.end {
                let ahead = code.checked_sub(first)?;
                let ahead = ahead.checked_shr(LONGEST.checked_sub(length)?)?;
                let index = usize::from(level.index).checked_add(bytes::usize_from_u32(ahead))?;
                let symbol = self.sorted.get(index).copied()?;
                bits.drop(length);
                return Some(symbol);
            }
            first = level.end;
        }
        None
    }
}

/// Divides the codes among the lengths.
fn levels(lengths: &[u8]) -> Result<[Level; 16], Broken> {
    let mut counts = [0_u16; 17];
    for length in lengths {
        if let Some(count) = counts.get_mut(usize::from(*length)) {
            *count = count.wrapping_add(1);
        }
    }
    let mut levels = [Level { end: 0, index: 0 }; 16];
    let mut end = 0_u32;
    let mut index = 0_u16;
    let mut share = ALL;
    // At most 512 symbols with half of all codes each: nothing wraps.
    for (level, count) in levels.iter_mut().zip(counts.iter().skip(1)) {
        share >>= 1;
        end = end.wrapping_add(u32::from(*count).wrapping_mul(share));
        *level = Level { end, index };
        index = index.wrapping_add(*count);
    }
    match end {
        0 | ALL => Ok(levels),
        used if used > ALL => Err(Broken::Oversubscribed(used)),
        used => Err(Broken::Incomplete(used)),
    }
}

/// Sorts the symbols by their codes.
fn sort(lengths: &[u8], levels: &[Level; 16], sorted: &mut [u16]) {
    let mut next = levels.map(|level| level.index);
    let mut symbol = 0_u16;
    for length in lengths {
        let level = usize::from(*length).checked_sub(1);
        if let Some(next) = level.and_then(|level| next.get_mut(level)) {
            if let Some(place) = sorted.get_mut(usize::from(*next)) {
                *place = symbol;
            }
            *next = next.wrapping_add(1);
        }
        symbol = symbol.wrapping_add(1);
    }
}
