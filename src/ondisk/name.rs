// SPDX-License-Identifier: GPL-2.0-only

//! Names: up to 255 UTF-16 units, in any order that Windows let through.
//!
//! NTFS does not check that a name is valid UTF-16, so a name can hold a lone surrogate, a `/` or a
//! NUL; what a user may see of those is decided above this layer. The conversion to bytes is
//! WTF-8: UTF-8 where the name is valid UTF-16, and a lone surrogate as the three bytes that UTF-8
//! would use for its number. That is what ntfs-3g writes for such names too, it loses nothing, and
//! [`NameBuf::from_wtf8`] takes it back.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
};
use kernel::fmt;

/// The largest number of UTF-16 units in a name.
pub const MAX_UNITS: usize = 255;

/// The largest number of bytes that [`Name::to_wtf8`] writes for a name of [`MAX_UNITS`] units.
pub const MAX_WTF8: usize = 765;

/// A name in a buffer of the disk: UTF-16 in little endian, not necessarily aligned.
///
/// # Invariants
///
/// An even number of bytes, at most `2 * MAX_UNITS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name<'a> {
    bytes: &'a [u8],
}

impl<'a> Name<'a> {
    /// The name that unnamed attributes have.
    pub const EMPTY: Name<'static> = Name { bytes: &[] };

    /// Takes `units` UTF-16 units from offset `at` of `buffer`.
    pub fn parse(buffer: &'a [u8], at: usize, units: u8) -> Result<Self> {
        // Cannot overflow: 2 * 255.
        let length = usize::from(units).saturating_mul(2);
        match bytes::slice_at(buffer, at, length) {
            // INVARIANT: Twice the value of a `u8`.
            Some(bytes) => Ok(Self { bytes }),
            None => Err(Malformed::truncated(
                "name beyond the end of its structure",
                at,
                buffer.len().saturating_sub(at),
                length,
            )),
        }
    }

    /// Takes a whole buffer as a name; `None` when it is too long or has half a unit.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        // INVARIANT: Checked here.
        (bytes.len() <= 2 * MAX_UNITS && bytes.len() & 1 == 0).then_some(Self { bytes })
    }

    /// The bytes as on the disk.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The number of UTF-16 units.
    pub fn len(self) -> usize {
        self.bytes.len() >> 1
    }

    /// Whether there is no unit at all.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The UTF-16 units in order.
    pub fn units(self) -> impl ExactSizeIterator<Item = u16> + Clone + 'a {
        self.bytes.chunks_exact(2).map(|pair| match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        })
    }

    /// Whether the name consists of exactly these units.
    pub fn is(self, units: &[u16]) -> bool {
        self.units().eq(units.iter().copied())
    }

    /// An owned copy.
    pub fn to_owned(self) -> NameBuf {
        let mut copy = NameBuf::new();
        for (to, from) in copy.units.iter_mut().zip(self.units()) {
            *to = from;
        }
        // INVARIANT: At most `MAX_UNITS` by the invariant of `Name`.
        copy.length = self.len();
        copy
    }

    /// Writes the name as WTF-8 into `out` and says how many bytes that took.
    ///
    /// [`MAX_WTF8`] bytes are always enough; `None` where `out` is too small.
    pub fn to_wtf8(self, out: &mut [u8]) -> Option<usize> {
        units_to_wtf8(self.units(), out)
    }
}

impl fmt::Display for Name<'_> {
    /// For the kernel log: characters that would break a line are shown as `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display_units(self.units(), f)
    }
}

/// An owned name.
///
/// # Invariants
///
/// `length <= MAX_UNITS`.
#[derive(Clone)]
pub struct NameBuf {
    units: [u16; MAX_UNITS],
    length: usize,
}

impl NameBuf {
    /// An empty name.
    pub const fn new() -> Self {
        Self {
            units: [0; MAX_UNITS],
            length: 0,
        }
    }

    /// Copies units; `None` when there are more than [`MAX_UNITS`].
    pub fn from_units(units: &[u16]) -> Option<Self> {
        let mut copy = Self::new();
        for unit in units {
            copy.push(*unit)?;
        }
        Some(copy)
    }

    /// Reads WTF-8, that is UTF-8 in which a lone surrogate is coded like any other character.
    ///
    /// `None` when the bytes are no such text or need more than [`MAX_UNITS`] units.
    pub fn from_wtf8(bytes: &[u8]) -> Option<Self> {
        let mut name = Self::new();
        let mut rest = bytes;
        while let Some((code, tail)) = split_code_point(rest)? {
            rest = tail;
            match u16::try_from(code) {
                // A pair has to be coded as the one character that it is.
                Ok(0xdc00..=0xdfff) if matches!(name.as_units().last(), Some(0xd800..=0xdbff)) => {
                    return None
                }
                Ok(unit) => name.push(unit)?,
                Err(_) => {
                    let mut pair = [0; 2];
                    for unit in char::from_u32(code)?.encode_utf16(&mut pair) {
                        name.push(*unit)?;
                    }
                }
            }
        }
        Some(name)
    }

    /// Appends a unit; `None` when the name is full.
    pub fn push(&mut self, unit: u16) -> Option<()> {
        *self.units.get_mut(self.length)? = unit;
        // INVARIANT: `length` was a valid index, so it is at most `MAX_UNITS` now.
        self.length = self.length.saturating_add(1);
        Some(())
    }

    /// The units.
    pub fn as_units(&self) -> &[u16] {
        self.units.get(..self.length).unwrap_or(&[])
    }

    /// The number of units.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no unit at all.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Writes the name as WTF-8, see [`Name::to_wtf8`].
    pub fn to_wtf8(&self, out: &mut [u8]) -> Option<usize> {
        units_to_wtf8(self.as_units().iter().copied(), out)
    }
}

impl Default for NameBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_units() == other.as_units()
    }
}

impl Eq for NameBuf {}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display_units(self.as_units().iter().copied(), f)
    }
}

impl fmt::Display for NameBuf {
    /// For the kernel log: characters that would break a line are shown as `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display_units(self.as_units().iter().copied(), f)
    }
}

fn display_units(units: impl Iterator<Item = u16>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;

    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(character) if !character.is_control() => f.write_char(character)?,
            _ => f.write_char('?')?,
        }
    }
    Ok(())
}

/// Writes any UTF-16 text as WTF-8 into `out` and says how many bytes that took.
///
/// Three bytes for each unit are always enough; `None` where `out` is too small.
pub fn units_to_wtf8(units: impl Iterator<Item = u16>, out: &mut [u8]) -> Option<usize> {
    let mut length: usize = 0;
    for decoded in char::decode_utf16(units) {
        let mut buffer = [0; 4];
        let encoded: &[u8] = match decoded {
            Ok(character) => character.encode_utf8(&mut buffer).as_bytes(),
            Err(lone) => {
                buffer = lone_surrogate_to_wtf8(lone.unpaired_surrogate());
                buffer.get(..3)?
            }
        };
        bytes::put_at(out, length, encoded)?;
        length = length.checked_add(encoded.len())?;
    }
    Some(length)
}

/// The three bytes for a surrogate (1110xxxx 10xxxxxx 10xxxxxx); the fourth is unused.
fn lone_surrogate_to_wtf8(unit: u16) -> [u8; 4] {
    let [low, high] = unit.to_le_bytes();
    [
        0xe0 | (high >> 4),
        0x80 | ((high & 0x0f) << 2) | (low >> 6),
        0x80 | (low & 0x3f),
        0,
    ]
}

/// Takes one code point off the front: `Some(None)` at the end, `None` for what is no WTF-8.
///
/// Overlong forms are refused: no two byte strings may mean the same name.
fn split_code_point(bytes: &[u8]) -> Option<Option<(u32, &[u8])>> {
    let continuation = |byte: u8| (byte & 0xc0 == 0x80).then_some(u32::from(byte & 0x3f));
    let (code, rest, least) = match *bytes {
        [] => return Some(None),
        [first @ 0..=0x7f, ref rest @ ..] => (u32::from(first), rest, 0),
        [first @ 0xc0..=0xdf, second, ref rest @ ..] => (
            (u32::from(first & 0x1f) << 6) | continuation(second)?,
            rest,
            0x80,
        ),
        [first @ 0xe0..=0xef, second, third, ref rest @ ..] => (
            (u32::from(first & 0x0f) << 12) | (continuation(second)? << 6) | continuation(third)?,
            rest,
            0x800,
        ),
        [first @ 0xf0..=0xf4, second, third, fourth, ref rest @ ..] => (
            (u32::from(first & 0x07) << 18)
                | (continuation(second)? << 12)
                | (continuation(third)? << 6)
                | continuation(fourth)?,
            rest,
            0x1_0000,
        ),
        _ => return None,
    };
    (code >= least && code <= 0x10_ffff).then_some(Some((code, rest)))
}
