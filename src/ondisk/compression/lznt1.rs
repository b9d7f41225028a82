// SPDX-License-Identifier: GPL-2.0-only

//! LZNT1, the compression of attributes: the way back.
//!
//! A compression unit is stored as chunks, each of which becomes 4096 bytes. A chunk has a header of
//! two bytes: its length, a signature, and whether it is compressed. Compressed ones are groups of a
//! byte with eight flags and as many tokens: a byte as it is, or two bytes that name a distance back
//! and a length. The further the chunk has come, the more of the sixteen bits belong to the distance.
//! ([MS-XCA] 2.5 describes it; ntfs and ntfs-3g read it so.)
//!
//! What Windows and ntfs-3g write that the description does not say: a unit that does not fill its
//! last cluster goes on with zeros, which is the header that ends it; one that does has no such
//! header. The flags of a group may come without any token.

use super::{
    super::{
        bytes,
        error::{
            Malformed,
            Result, //
        },
    },
    copying,
};

/// Bytes that a chunk becomes; only the last one of a unit that is no multiple of it has fewer.
pub const CHUNK: usize = 4096;

/// Bytes of the header of a chunk.
pub(super) const HEADER: usize = 2;

/// Set in the header of a chunk that is compressed.
pub(super) const COMPRESSED: u16 = 0x8000;
/// Where the header has its signature, and what that is.
const SIGNATURE_MASK: u16 = 0x7000;
pub(super) const SIGNATURE: u16 = 0x3000;
/// The length of the bytes behind the header, less one.
const LENGTH_MASK: u16 = 0x0fff;

/// The shortest match, which a length of 0 means.
pub(super) const SHORTEST: usize = 3;

/// How a token that names a match is divided, at some place of the chunk.
#[derive(Clone, Copy)]
pub(super) struct Division {
    /// Bits of the length, which are the low ones.
    pub(super) length_bits: u32,
    /// The last place at which it is so.
    last: usize,
}

impl Division {
    /// The one at the begin of a chunk.
    pub(super) const FIRST: Self = Self {
        length_bits: 12,
        last: 16,
    };

    /// The division `at` bytes into the chunk; `self` is that of a place before.
    ///
    /// A chunk has at most [`CHUNK`] bytes, so at least four bits are left for the length.
    #[inline]
    pub(super) fn at(mut self, at: usize) -> Self {
        while at > self.last {
            self.length_bits = self.length_bits.saturating_sub(1);
            self.last = self.last.saturating_mul(2);
        }
        self
    }

    /// The bits of the length.
    #[inline]
    pub(super) const fn length_mask(self) -> u16 {
        0xffff_u16.wrapping_shr(16_u32.wrapping_sub(self.length_bits))
    }
}

/// Decodes one compression unit.
///
/// `unit` is what its clusters hold, `out` the room for all of its bytes. What lies behind the last
/// chunk reads as zeros, as does the rest of a chunk that has fewer bytes than it should. Errors say
/// where in the unit; they are a header that is none, a chunk or token that is cut off, a plain chunk
/// that is not as long as its bytes, and a match that begins before its chunk or ends behind it.
pub fn decompress(unit: &[u8], out: &mut [u8]) -> Result<()> {
    let mut at = 0;
    let mut ended = false;
    for room in out.chunks_mut(CHUNK) {
        let chunk = if ended { None } else { chunk(unit, at)? };
        let rest = match chunk {
            None => {
                ended = true;
                room
            }
            Some(chunk) => {
                at = at.saturating_add(HEADER);
                let rest = if chunk.is_compressed {
                    expand(chunk.content, room).map_err(|error| error.within(at))?
                } else if chunk.content.len() == room.len() {
                    copying::plain(chunk.content, room)
                } else {
                    return Err(Malformed::truncated(
                        "plain LZNT1 chunk of another length",
                        at.saturating_sub(HEADER),
                        chunk.content.len(),
                        room.len(),
                    ));
                };
                at = at.saturating_add(chunk.content.len());
                rest
            }
        };
        rest.fill(0);
    }
    Ok(())
}

/// What a header tells of a chunk.
struct Chunk<'a> {
    is_compressed: bool,
    content: &'a [u8],
}

/// The chunk at `at`; `None` where the unit ends.
fn chunk(unit: &[u8], at: usize) -> Result<Option<Chunk<'_>>> {
    let header = match bytes::u16_at(unit, at) {
        Some(0) => return Ok(None),
        Some(header) => header,
        None => {
            return match unit.get(at..) {
                // A single zero is the begin of the header that ends a unit.
                None | Some([] | [0]) => Ok(None),
                Some(rest) => Err(Malformed::truncated(
                    "header of an LZNT1 chunk cut off",
                    at,
                    rest.len(),
                    HEADER,
                )),
            };
        }
    };
    if header & SIGNATURE_MASK != SIGNATURE {
        return Err(Malformed::new(
            "signature of an LZNT1 chunk",
            at,
            u64::from(header & SIGNATURE_MASK),
            u64::from(SIGNATURE),
        ));
    }
    let length = usize::from(header & LENGTH_MASK).saturating_add(1);
    let start = at.saturating_add(HEADER);
    match bytes::slice_at(unit, start, length) {
        Some(content) => Ok(Some(Chunk {
            is_compressed: header & COMPRESSED != 0,
            content,
        })),
        None => Err(Malformed::truncated(
            "LZNT1 chunk beyond the end of its unit",
            at,
            unit.len().saturating_sub(start),
            length,
        )),
    }
}

/// Decodes the tokens of a chunk; answers the room that they leave.
fn expand<'a>(tokens: &[u8], out: &'a mut [u8]) -> Result<&'a mut [u8]> {
    let mut division = Division::FIRST;
    let mut done = 0_usize;
    // Neither position can pass the end of its slice by more than a group, so nothing wraps.
    let mut at = 0_usize;
    'groups: while let Some(&flags) = tokens.get(at) {
        at = at.wrapping_add(1);
        if flags == 0 {
            let from = tokens.get(at..).and_then(|rest| rest.first_chunk::<8>());
            let to = out
                .get_mut(done..)
                .and_then(|rest| rest.first_chunk_mut::<8>());
            if let (Some(from), Some(to)) = (from, to) {
                *to = *from;
                at = at.wrapping_add(8);
                done = done.wrapping_add(8);
                continue;
            }
        }
        let mut flags = flags;
        for _ in 0..8 {
            let Some(&byte) = tokens.get(at) else {
                break 'groups;
            };
            if flags & 1 == 0 {
                let room = out.len();
                let Some(target) = out.get_mut(done) else {
                    return Err(too_much(at, room));
                };
                *target = byte;
                at = at.wrapping_add(1);
                done = done.wrapping_add(1);
            } else {
                let Some(token) = bytes::u16_at(tokens, at) else {
                    return Err(Malformed::truncated("LZNT1 token cut off", at, 1, 2));
                };
                division = division.at(done);
                let length = usize::from(token & division.length_mask()).wrapping_add(SHORTEST);
                let distance =
                    usize::from(token.wrapping_shr(division.length_bits)).wrapping_add(1);
                if !copying::repeat(out, done, distance, length) {
                    return Err(if distance > done {
                        Malformed::truncated(
                            "LZNT1 match before the begin of its chunk",
                            at,
                            distance,
                            done,
                        )
                    } else {
                        too_much(at, out.len())
                    });
                }
                at = at.wrapping_add(2);
                done = done.wrapping_add(length);
            }
            flags >>= 1;
        }
    }
    Ok(out.get_mut(done..).unwrap_or(&mut []))
}

#[cold]
fn too_much(at: usize, room: usize) -> Malformed {
    Malformed::truncated(
        "LZNT1 chunk with more bytes than its share",
        at,
        room.saturating_add(1),
        room,
    )
}
