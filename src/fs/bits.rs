// SPDX-License-Identifier: GPL-2.0-only

//! Bits of a bitmap in memory, sixty-four at a time.
//!
//! Bit 0 of a bitmap is the lowest one of its first byte. No I/O, no lock; nothing here knows what a
//! bit stands for.

use crate::ondisk::bytes::{
    put_at,
    u64_at,
    u64_from_usize,
    usize_from_u32, //
};

/// What a bit says about its cluster or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bit {
    /// Not set: free.
    Free,
    /// Set: in use.
    Used,
}

impl Bit {
    /// The other one.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Free => Self::Used,
            Self::Used => Self::Free,
        }
    }
}

/// Bits in a word.
const WORD: usize = 64;

/// The word that holds a bit, by its number in the bitmap.
const fn word_of(bit: usize) -> usize {
    bit >> 6
}

/// The bits of a word that are at or above `bit` of the bitmap, if that is in the word.
fn from_bit_on(bit: usize) -> u64 {
    let within = u32::try_from(bit & WORD.wrapping_sub(1)).unwrap_or(0);
    u64::MAX.checked_shl(within).unwrap_or(0)
}

/// The first bit of `from..to` that is as wanted.
///
/// `bytes` should have whole words up to `to`; what is beyond them is found to be neither free nor used.
pub fn find(bytes: &[u8], from: usize, to: usize, wanted: Bit) -> Option<usize> {
    let mut at = from;
    // Each turn goes on to the next word.
    while at < to {
        let index = word_of(at);
        let word = u64_at(bytes, index.checked_mul(8)?)?;
        let matching = match wanted {
            Bit::Used => word,
            Bit::Free => !word,
        } & from_bit_on(at);
        let first = index.checked_mul(WORD)?;
        if matching != 0 {
            let found = first.checked_add(usize_from_u32(matching.trailing_zeros()))?;
            return (found < to).then_some(found);
        }
        at = first.checked_add(WORD)?;
    }
    None
}

/// Makes all bits of `from..to` free or used. `bytes` must have whole words up to `to`.
pub fn fill(bytes: &mut [u8], from: usize, to: usize, value: Bit) {
    let mut at = from;
    // Each turn goes on to the next word.
    while at < to {
        let index = word_of(at);
        let next = index.saturating_add(1).saturating_mul(WORD);
        let beyond = match to < next {
            true => from_bit_on(to),
            false => 0,
        };
        let mask = from_bit_on(at) & !beyond;
        let offset = index.saturating_mul(8);
        let Some(word) = u64_at(bytes, offset) else {
            return;
        };
        let word = match value {
            Bit::Used => word | mask,
            Bit::Free => word & !mask,
        };
        if put_at(bytes, offset, &word.to_le_bytes()).is_none() {
            return;
        }
        at = next;
    }
}

/// The zeros among the first `limit` bits, and how many bits were looked at.
pub fn zeros(bytes: &[u8], limit: u64) -> (u64, u64) {
    let mut zeros: u64 = 0;
    let mut left = limit;
    for word in bytes.chunks(8) {
        let mut whole = [0xff; 8];
        for (to, from) in whole.iter_mut().zip(word) {
            *to = *from;
        }
        let bits = u64_from_usize(word.len()).saturating_mul(8).min(left);
        // Bits at and above `bits` count as in use.
        let beyond = u32::try_from(bits)
            .ok()
            .and_then(|bits| u64::MAX.checked_shl(bits));
        let used = u64::from_le_bytes(whole) | beyond.unwrap_or(0);
        zeros = zeros.saturating_add(u64::from(used.count_zeros()));
        left = left.saturating_sub(bits);
        if left == 0 {
            break;
        }
    }
    (zeros, limit.saturating_sub(left))
}
