// SPDX-License-Identifier: GPL-2.0-only

//! Bits as XPRESS and LZX store them: in 16-bit words, the highest bit first.
//!
//! Words are taken only when fewer than 16 bits are held, and bytes that lie between them come from
//! behind the last one taken: writers count on exactly that. Words behind the end are zeros, so that
//! a code can be looked up that is shorter than what is looked at; [`Bits::is_overdrawn`] says
//! afterwards whether any of those bits were used.

use super::super::error::Malformed;

/// Bits of a word.
const WORD: u32 = 16;

/// A stream of bits.
pub(super) struct Bits<'a> {
    all: &'a [u8],
    /// What has not been taken yet.
    rest: &'a [u8],
    /// The bits that are held, from the highest bit down.
    held: u32,
    /// How many they are: never more than 31.
    count: u32,
    /// How many of all bits ever held are zeros from behind the end.
    borrowed: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(input: &'a [u8]) -> Self {
        Self {
            all: input,
            rest: input,
            held: 0,
            count: 0,
            borrowed: 0,
        }
    }

    /// Where the next word or byte comes from, in bytes from the begin of the stream.
    pub(super) const fn position(&self) -> usize {
        self.all.len().saturating_sub(self.rest.len())
    }

    /// Sees to it that at least 16 bits are held.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count < WORD {
            let word = match self.rest.split_first_chunk::<2>() {
                Some((word, rest)) => {
                    self.rest = rest;
                    u32::from(u16::from_le_bytes(*word))
                }
                None => {
                    self.borrowed = self.borrowed.saturating_add(WORD);
                    0
                }
            };
            // Between 1 and 16 bits up, right behind those that are held.
            self.held |= word.wrapping_shl(WORD.wrapping_sub(self.count));
            self.count = self.count.wrapping_add(WORD);
        }
    }

    /// The next bits, up to 16 of them, which stay.
    #[inline]
    pub(super) const fn peek(&self, count: u32) -> u32 {
        // In two steps, since none at all is 32 down.
        (self.held >> 1).wrapping_shr(31_u32.wrapping_sub(count))
    }

    /// Drops bits that were looked at: no more than 16 after [`Self::refill`].
    #[inline]
    pub(super) fn drop(&mut self, count: u32) {
        self.held = self.held.wrapping_shl(count);
        self.count = self.count.wrapping_sub(count);
    }

    /// The next bits, up to 16 of them.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        self.refill();
        let bits = self.peek(count);
        self.drop(count);
        bits
    }

    /// The next byte from behind the words that were taken.
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// The same for `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(bytes)
    }

    /// The same for any number of bytes.
    pub(super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Goes to the begin of the next word, as before bytes that are not coded.
    ///
    /// A whole word is left out when this is the begin of one already.
    pub(super) fn leave_word(&mut self) -> Option<()> {
        if self.borrowed != 0 {
            return None;
        }
        if self.count == 0 {
            self.bytes::<2>()?;
        } else if self.count > WORD {
            // The word behind the present one was taken too early.
            self.rest = self.all.get(self.position().checked_sub(2)?..)?;
        }
        self.held = 0;
        self.count = 0;
        Some(())
    }

    /// Whether more bits were used than there are.
    pub(super) const fn is_overdrawn(&self) -> bool {
        // Those that were borrowed are the last ones held.
        self.borrowed > self.count
    }

    /// The error that the stream is at fault for: its end if that was passed, or else what is said.
    #[cold]
    pub(super) fn fault(&self, what: &'static str, found: u64, expected: u64) -> Malformed {
        if self.is_overdrawn() {
            return self.cut();
        }
        Malformed::new(what, self.position(), found, expected)
    }

    /// The error of a stream that ends too early.
    #[cold]
    pub(super) fn cut(&self) -> Malformed {
        let length = self.all.len();
        Malformed::truncated(
            "compressed chunk cut off",
            length,
            length,
            length.saturating_add(1),
        )
    }
}
