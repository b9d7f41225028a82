// SPDX-License-Identifier: GPL-2.0-only

//! LZNT1, the compression of attributes: the way there. The format is told in [`super::lznt1`].
//!
//! Matches are looked for among the last places that began with the same three bytes, of which only
//! so many are tried; a match gives way to a longer one that begins a byte later. Every chunk is
//! written, zeros as well: there are readers that leave what is behind the last one as it was.

use kernel::prelude::*;

use super::{
    super::bytes,
    lznt1::{
        Division,
        CHUNK,
        COMPRESSED,
        HEADER,
        SHORTEST,
        SIGNATURE, //
    },
};

/// Places with the same begin that are tried for one match.
const TRIES: usize = 16;

/// A match of that length is taken without looking for a better one.
const GOOD: usize = 32;

const HASH_BITS: u32 = 12;

/// The memory of the compressor. Zeros are its first state, and any state will do.
///
/// 16 KiB: it has no place on a stack.
#[derive(Zeroable)]
pub struct Work {
    /// For each hash, one more than the last place with it; 0 if there is none.
    last: [u16; 1 << HASH_BITS],
    /// For each place, the same of the place before it with its hash.
    before: [u16; CHUNK],
}

/// A match: how long it is, and how far back.
#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

impl Match {
    const NONE: Self = Self {
        length: 0,
        distance: 0,
    };
}

/// Encodes one compression unit.
///
/// `unit` is all of its bytes, `out` the room that the result may take: the unit less one cluster,
/// since nothing is gained otherwise. Answers how many bytes of `out` are used, and the rest of it is
/// zero, as the rest of the last cluster has to be; `None` if the room is not enough. A unit of zeros
/// only is better not stored at all, which is for the caller to see.
pub fn compress(unit: &[u8], out: &mut [u8], work: &mut Work) -> Option<usize> {
    let mut used = 0_usize;
    for chunk in unit.chunks(CHUNK) {
        let start = used.checked_add(HEADER)?;
        // What does not fit compressed would not fit plain: that is longer.
        let content = match compress_chunk(chunk, out.get_mut(start..)?, work) {
            Some(length) => {
                put_header(out, used, COMPRESSED, length)?;
                length
            }
            None => {
                put_header(out, used, 0, chunk.len())?;
                bytes::put_at(out, start, chunk)?;
                chunk.len()
            }
        };
        used = start.checked_add(content)?;
    }
    out.get_mut(used..)?.fill(0);
    Some(used)
}

fn put_header(out: &mut [u8], at: usize, compressed: u16, length: usize) -> Option<()> {
    let length = u16::try_from(length.checked_sub(1)?).ok()?;
    bytes::put_at(out, at, &(compressed | SIGNATURE | length).to_le_bytes())
}

/// The length of the chunk in its compressed form; `None` if it does not shrink, or has no room.
fn compress_chunk(chunk: &[u8], out: &mut [u8], work: &mut Work) -> Option<usize> {
    let room = out.len().min(chunk.len().checked_sub(1)?);
    let mut tokens = Tokens::new(out.get_mut(..room)?);
    work.last.fill(0);
    let mut division = Division::FIRST;
    let mut at = 0_usize;
    let mut found = work.find(chunk, 0, division);
    // No place or length is beyond the chunk, so nothing wraps.
    while let Some(&byte) = chunk.get(at) {
        division = division.at(at);
        let next = at.wrapping_add(1);
        let after = if found.length < GOOD {
            work.find(chunk, next, division.at(next))
        } else {
            work.note(chunk, next);
            Match::NONE
        };
        if found.length < SHORTEST || after.length > found.length {
            tokens.literal(byte)?;
            at = next;
            found = after;
            continue;
        }
        tokens.phrase(found, division)?;
        let end = at.wrapping_add(found.length);
        for passed in next.wrapping_add(1)..end {
            work.note(chunk, passed);
        }
        at = end;
        found = work.find(chunk, at, division.at(at));
    }
    Some(tokens.used)
}

impl Work {
    /// Notes the place and answers the one before it with the same hash, plus one.
    #[inline]
    fn note(&mut self, chunk: &[u8], at: usize) -> u16 {
        let begin = chunk.get(at..).and_then(|rest| rest.first_chunk::<3>());
        let (Some(&[a, b, c]), Ok(number)) = (begin, u16::try_from(at.wrapping_add(1))) else {
            return 0;
        };
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let Some(last) = self.last.get_mut(bytes::usize_from_u32(hash)) else {
            return 0;
        };
        let before = core::mem::replace(last, number);
        if let Some(link) = self.before.get_mut(at) {
            *link = before;
        }
        before
    }

    /// Notes the place and answers the longest match there.
    fn find(&mut self, chunk: &[u8], at: usize, division: Division) -> Match {
        let longest = usize::from(division.length_mask())
            .wrapping_add(SHORTEST)
            .min(chunk.len().saturating_sub(at));
        let mut candidate = self.note(chunk, at);
        let mut best = Match::NONE;
        for _ in 0..TRIES {
            // Numbers only get smaller along a chain.
            let Some(place) = usize::from(candidate).checked_sub(1) else {
                break;
            };
            // A longer match has the byte behind the best one in common, which is quickly seen.
            let is_longer = bytes::u8_at(chunk, place.wrapping_add(best.length))
                == bytes::u8_at(chunk, at.wrapping_add(best.length));
            let length = if is_longer {
                common(chunk, place, at, longest)
            } else {
                0
            };
            if length > best.length {
                best = Match {
                    length,
                    distance: at.wrapping_sub(place),
                };
                if length == longest {
                    break;
                }
            }
            candidate = self.before.get(place).copied().unwrap_or(0);
        }
        best
    }
}

/// How many bytes are the same at both places, up to `longest`.
#[inline]
fn common(chunk: &[u8], first: usize, second: usize, longest: usize) -> usize {
    let mut length = 0_usize;
    while length < longest {
        let (a, b) = (first.wrapping_add(length), second.wrapping_add(length));
        let different = match (bytes::u64_at(chunk, a), bytes::u64_at(chunk, b)) {
            (Some(a), Some(b)) => a ^ b,
            // The last bytes of the chunk, one by one.
            _ => match (bytes::u8_at(chunk, a), bytes::u8_at(chunk, b)) {
                (Some(a), Some(b)) if a == b => {
                    length = length.wrapping_add(1);
                    continue;
                }
                _ => break,
            },
        };
        // Bits come in eights of bytes.
        length = length.wrapping_add(bytes::usize_from_u32(different.trailing_zeros() >> 3));
        if different != 0 {
            break;
        }
    }
    length.min(longest)
}

/// Writes tokens in groups of eight.
struct Tokens<'a> {
    out: &'a mut [u8],
    used: usize,
    /// Where the flags of the group are.
    flags_at: usize,
    /// The bit of the next token in them; 0 when the next one begins a group.
    flag: u8,
}

impl<'a> Tokens<'a> {
    fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            used: 0,
            flags_at: 0,
            flag: 0,
        }
    }

    #[inline]
    fn put(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.used)? = byte;
        self.used = self.used.wrapping_add(1);
        Some(())
    }

    /// Begins a group if the last one is full; sets the flag of the next token.
    #[inline]
    fn begin(&mut self, is_phrase: bool) -> Option<()> {
        if self.flag == 0 {
            self.flags_at = self.used;
            self.put(0)?;
            self.flag = 1;
        }
        if is_phrase {
            *self.out.get_mut(self.flags_at)? |= self.flag;
        }
        self.flag <<= 1;
        Some(())
    }

    #[inline]
    fn literal(&mut self, byte: u8) -> Option<()> {
        self.begin(false)?;
        self.put(byte)
    }

    #[inline]
    fn phrase(&mut self, found: Match, division: Division) -> Option<()> {
        let length = u16::try_from(found.length.checked_sub(SHORTEST)?).ok()?;
        let distance = u16::try_from(found.distance.checked_sub(1)?).ok()?;
        let token = distance.checked_shl(division.length_bits)? | length;
        self.begin(true)?;
        let [low, high] = token.to_le_bytes();
        self.put(low)?;
        self.put(high)
    }
}
