// SPDX-License-Identifier: GPL-2.0-only

//! Edits: changes of a page that were found possible.

use crate::ondisk::{
    bytes,
    error::Malformed,
    log::change::{
        Data,
        Error,
        Result, //
    },
};

/// The bytes that an edit puts in place.
#[derive(Clone, Copy, Debug)]
pub(in crate::ondisk::log) enum Content<'a> {
    /// These.
    Bytes(&'a [u8]),
    /// So many zeros.
    Zeros(usize),
}

impl<'a> Content<'a> {
    /// What an operation brings along.
    pub(super) fn of(data: &'a Data) -> Self {
        match data {
            Data::Bytes(bytes) => Self::Bytes(bytes),
            Data::Absent(length) => Self::Zeros(usize::from(*length)),
        }
    }

    /// How many bytes there are.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Zeros(length) => length,
        }
    }

    /// The bytes, for an operation that makes no sense with zeros.
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Zeros(length) => {
                Err(Malformed::truncated("log record without its data", 0, 0, length).into())
            }
        }
    }

    /// The bytes one by one.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> + 'a {
        let (bytes, zeros) = match self {
            Self::Bytes(bytes) => (bytes, 0),
            Self::Zeros(length) => (&[][..], length),
        };
        bytes.iter().copied().chain((0..zeros).map(|_| 0))
    }
}

/// A number that an edit writes besides its content.
#[derive(Clone, Copy, Debug)]
struct Field {
    at: usize,
    value: [u8; 8],
    size: usize,
}

/// The most fields that one edit has: those of an entry that comes into an index root.
const MAX_FIELDS: usize = 5;

/// Bytes that take the place of others; what follows them moves.
///
/// # Invariants
///
/// The removed range is in use, and what remains with what comes in fits the page.
#[derive(Clone, Copy, Debug)]
pub(in crate::ondisk::log) struct Splice<'a> {
    /// Where the used part of the page ends.
    end: usize,
    at: usize,
    removed: usize,
    inserted: usize,
    content: Content<'a>,
    fields: [Option<Field>; MAX_FIELDS],
}

impl<'a> Splice<'a> {
    /// Replaces `removed` bytes at `at` by `content` and zeros up to `inserted` bytes.
    ///
    /// `end` is where the used part of the page ends, and `limit` what it must not grow beyond.
    pub(super) fn new(
        range: (usize, usize),
        inserted: usize,
        content: Content<'a>,
        end: usize,
        limit: usize,
    ) -> Result<Self> {
        let (at, removed) = range;
        let outside =
            || Malformed::truncated("logged change beyond the used part", at, end, removed);
        let rest = at
            .checked_add(removed)
            .and_then(|from| end.checked_sub(from))
            .ok_or_else(outside)?;
        if end > limit || content.length() > inserted {
            return Err(outside().into());
        }
        let new_end = at
            .checked_add(inserted)
            .and_then(|to| to.checked_add(rest))
            .ok_or(Error::NoRoom)?;
        if new_end > limit {
            return Err(Error::NoRoom);
        }
        // INVARIANT: Checked above.
        Ok(Self {
            end,
            at,
            removed,
            inserted,
            content,
            fields: [None; MAX_FIELDS],
        })
    }

    /// Replaces the bytes at `at` by as many of `content`, in a page of `limit` bytes.
    pub(super) fn overwrite(at: usize, content: Content<'a>, limit: usize) -> Result<Self> {
        let length = content.length();
        Self::new((at, length), length, content, limit, limit)
    }

    fn with(mut self, at: usize, size: usize, value: [u8; 8]) -> Self {
        if let Some(slot) = self.fields.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Field { at, value, size });
        }
        self
    }

    /// Writes a 16-bit number as well, at an offset of the new page.
    pub(super) fn with_u16(self, at: usize, value: u16) -> Self {
        self.with(at, 2, u64::from(value).to_le_bytes())
    }

    /// Writes a 32-bit number as well.
    pub(super) fn with_u32(self, at: usize, value: u32) -> Self {
        self.with(at, 4, u64::from(value).to_le_bytes())
    }

    /// Writes a 64-bit number as well.
    pub(super) fn with_u64(self, at: usize, value: u64) -> Self {
        self.with(at, 8, value.to_le_bytes())
    }

    fn execute(&self, page: &mut [u8]) {
        // By the invariant there is room.
        if bytes::splice(page, self.end, self.at, self.removed, self.inserted).is_none() {
            return;
        }
        if let Content::Bytes(content) = self.content {
            bytes::put_at(page, self.at, content);
        }
        for field in self.fields.iter().flatten() {
            let value = field.value.get(..field.size).unwrap_or(&[]);
            bytes::put_at(page, field.at, value);
        }
    }
}

/// A range of bits that become `value`.
///
/// # Invariants
///
/// The range is in the page.
#[derive(Clone, Copy, Debug)]
pub(in crate::ondisk::log) struct Bits {
    first: usize,
    count: usize,
    value: bool,
}

impl Bits {
    /// `count` bits from `first` on of a page with `length` bytes.
    pub(super) fn new(first: usize, count: usize, value: bool, length: usize) -> Result<Self> {
        match first.checked_add(count).map(|end| end.div_ceil(8)) {
            // INVARIANT: Just checked.
            Some(end) if end <= length => Ok(Self {
                first,
                count,
                value,
            }),
            _ => Err(
                Malformed::truncated("logged bits beyond their page", first, length, count).into(),
            ),
        }
    }

    /// Whether all bits have the value already, or none has.
    pub(in crate::ondisk::log) fn are_all(&self, page: &[u8], value: bool) -> bool {
        let wanted = if value { 0xff } else { 0 };
        self.masks().all(|(at, mask)| {
            bytes::u8_at(page, at).is_some_and(|byte| byte & mask == wanted & mask)
        })
    }

    /// Each byte of the range, with the bits of it that are meant.
    fn masks(&self) -> impl Iterator<Item = (usize, u8)> {
        let first = self.first;
        let end = first.saturating_add(self.count);
        (first / 8..end.div_ceil(8)).map(move |at| {
            let start = at.saturating_mul(8);
            let low = first.saturating_sub(start).min(8);
            let high = end.saturating_sub(start).min(8);
            (at, below(high) & !below(low))
        })
    }

    fn execute(&self, page: &mut [u8]) {
        for (at, mask) in self.masks() {
            if let Some(byte) = page.get_mut(at) {
                *byte = if self.value {
                    *byte | mask
                } else {
                    *byte & !mask
                };
            }
        }
    }
}

/// A byte with the lowest `bits` bits set.
fn below(bits: usize) -> u8 {
    match u32::try_from(bits)
        .ok()
        .and_then(|bits| 0xff_u8.checked_shl(bits))
    {
        Some(high) => !high,
        None => 0xff,
    }
}

/// What is to be done to a page, found possible.
#[derive(Clone, Copy, Debug)]
pub(in crate::ondisk::log) enum Edit<'a> {
    /// Nothing.
    Nothing,
    /// Bytes change and perhaps move.
    Splice(Splice<'a>),
    /// Bits change.
    Bits(Bits),
}

impl Edit<'_> {
    /// Changes the page that the edit was made for.
    pub(in crate::ondisk::log) fn execute(&self, page: &mut [u8]) {
        match self {
            Self::Nothing => {}
            Self::Splice(splice) => splice.execute(page),
            Self::Bits(bits) => bits.execute(page),
        }
    }
}
