// SPDX-License-Identifier: GPL-2.0-only

//! How a block of LZX tells the lengths of its codes: by what changed since the block before.
//!
//! The changes are coded themselves, with a code of 20 symbols that comes first. A symbol below 17 is
//! what the length went down by, round the 17 lengths there are; the others are runs.

use super::{
    super::error::Result,
    bits::Bits,
    huffman::{
        Broken,
        Code, //
    },
};

const SYMBOLS: usize = 20;
/// Bits of the length of a code of the lengths.
const LENGTH_BITS: u32 = 4;

/// A run of symbols without a code, and a longer one.
const NONE: u16 = 17;
const MANY_NONE: u16 = 18;
/// A run of the same length, which the next symbol gives.
const SAME: u16 = 19;

/// How many lengths there are, with that of a symbol without a code.
const ROUND: u16 = 17;

/// Brings the lengths of a part of a code up to date.
pub(super) fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Result<()> {
    let mut own = [0; SYMBOLS];
    for length in &mut own {
        *length = byte(bits.take(LENGTH_BITS));
    }
    let (mut table, mut sorted) = ([0; 64], [0; SYMBOLS]);
    let code = Code::<64, SYMBOLS>::new(&own, &mut table, &mut sorted)
        .map_err(|broken| broken_code(bits, broken))?;
    let mut lengths = lengths.iter_mut();
    while let Some(length) = lengths.next() {
        let symbol = decode(bits, &code)?;
        let (run, new) = match symbol {
            NONE => (bits.take(4).wrapping_add(4), 0),
            MANY_NONE => (bits.take(5).wrapping_add(20), 0),
            SAME => {
                let run = bits.take(1).wrapping_add(4);
                let symbol = decode(bits, &code)?;
                if symbol > ROUND {
                    return Err(bits.fault("run of LZX code lengths in a run", symbol.into(), 17));
                }
                (run, lowered(*length, symbol))
            }
            symbol => (1, lowered(*length, symbol)),
        };
        *length = new;
        for _ in 1..run {
            match lengths.next() {
                Some(length) => *length = new,
                None => {
                    return Err(bits.fault(
                        "LZX code lengths beyond the last symbol",
                        run.into(),
                        0,
                    ))
                }
            }
        }
    }
    Ok(())
}

fn decode<const TABLE: usize>(bits: &mut Bits<'_>, code: &Code<'_, TABLE, SYMBOLS>) -> Result<u16> {
    code.decode(bits)
        .ok_or_else(|| bits.fault("LZX code length without a symbol", 0, 1))
}

/// The length that is lower by so much, which is at most once round.
fn lowered(length: u8, by: u16) -> u8 {
    let length = u16::from(length);
    let lower = length
        .checked_sub(by)
        .unwrap_or(length.wrapping_add(ROUND).wrapping_sub(by));
    byte(u32::from(lower))
}

/// The low eight bits.
pub(super) const fn byte(bits: u32) -> u8 {
    let [byte, _, _, _] = bits.to_le_bytes();
    byte
}

/// The error of lengths that make no code.
#[cold]
pub(super) fn broken_code(bits: &Bits<'_>, broken: Broken) -> super::super::error::Malformed {
    let (what, found, expected) = broken.words();
    bits.fault(what, found, expected)
}
