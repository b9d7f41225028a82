// SPDX-License-Identifier: GPL-2.0-only

//! Where things are in the log: LSNs, the circle of pages, and the place of each record in it.
//!
//! An LSN is a place in the file and the number of times that the log had gone round before. So a
//! later record has the larger LSN, and an LSN tells where its record begins.

use super::record::HEADER_LENGTH;
use crate::ondisk::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::{
        ByteCount,
        ByteOffset,
        Lsn, //
    },
};

/// Bits of an LSN's place that are not stored, because records are aligned to 8 bytes.
const ALIGNMENT_SHIFT: u32 = 3;
/// Pages of the circle below which no log works.
const MIN_PAGES: u64 = 48;

/// A place in the log where a record can begin, and in which round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// How often the log had gone round, from the number on that it began with.
    pub sequence: u64,
    /// Where in the file.
    pub offset: ByteOffset,
}

/// A part of a record within one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where the page begins in the file.
    pub page: ByteOffset,
    /// Where the part begins in the page.
    pub start: usize,
    /// How many bytes it has; never 0.
    pub length: usize,
}

/// How a log is laid out.
///
/// # Invariants
///
/// `page_size` is a power of two of at least 512 and larger than `data_offset` with a record header.
/// The circle from `first_page` to `end` has whole pages, at least two, and every offset in it fits
/// the place bits of an LSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    page_size: u32,
    data_offset: u16,
    /// Bits of an LSN that hold the place, without the alignment.
    place_bits: u32,
    first_page: u64,
    end: u64,
}

impl Geometry {
    /// The layout of a log of `size` bytes whose circle begins at page number `first_page`.
    pub fn new(page_size: u32, size: ByteCount, first_page: u32, data_offset: u16) -> Result<Self> {
        let bad = |what, found| Malformed::new(what, 0, found, u64::from(page_size));
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
            return Err(bad("page size of the log", u64::from(page_size)));
        }
        let room = u64::from(data_offset).saturating_add(bytes::u64_from_usize(HEADER_LENGTH));
        if data_offset & 7 != 0 || room >= u64::from(page_size) {
            return Err(bad(
                "data offset of the log's pages",
                u64::from(data_offset),
            ));
        }
        let first = u64::from(first_page).saturating_mul(u64::from(page_size));
        let end = size.get() & !u64::from(page_size.wrapping_sub(1));
        let least = MIN_PAGES
            .saturating_mul(u64::from(page_size))
            .saturating_add(first);
        if end < least || end > u64::from(u32::MAX) {
            return Err(bad("size of the log", size.get()));
        }
        let bits = u64::BITS.saturating_sub(size.get().leading_zeros());
        // INVARIANT: Checked above; a size has as many bits as its last place or more.
        Ok(Self {
            page_size,
            data_offset,
            place_bits: bits.saturating_sub(ALIGNMENT_SHIFT),
            first_page: first,
            end,
        })
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Where the records begin in a page.
    pub fn data_offset(&self) -> u16 {
        self.data_offset
    }

    /// Bits of an LSN that hold the sequence number; restart pages store this number.
    pub fn sequence_bits(&self) -> u32 {
        u64::BITS.saturating_sub(self.place_bits)
    }

    /// Where the first page of the circle begins.
    pub fn first_page(&self) -> ByteOffset {
        ByteOffset::new(self.first_page)
    }

    /// Where the circle ends.
    pub fn end(&self) -> ByteOffset {
        ByteOffset::new(self.end)
    }

    /// The LSN of a record at `position`; `None` when the sequence number became too large.
    pub fn lsn(&self, position: Position) -> Option<Lsn> {
        let high = position.sequence.checked_shl(self.place_bits)?;
        (high.checked_shr(self.place_bits)? == position.sequence)
            .then(|| Lsn::new(high | (position.offset.get() >> ALIGNMENT_SHIFT)))
    }

    /// Where the record with an LSN is. Not every LSN is that of a record, see [`Geometry::holds`].
    pub fn position(&self, lsn: Lsn) -> Position {
        let sequence = lsn.get().checked_shr(self.place_bits).unwrap_or(0);
        let high = sequence.checked_shl(self.place_bits).unwrap_or(0);
        Position {
            sequence,
            offset: ByteOffset::new((lsn.get() ^ high).saturating_mul(1 << ALIGNMENT_SHIFT)),
        }
    }

    /// Whether a record can begin at `position`.
    pub fn holds(&self, position: Position) -> bool {
        let offset = position.offset.get();
        let within = offset & u64::from(self.page_size.wrapping_sub(1));
        let last = u64::from(self.page_size).saturating_sub(bytes::u64_from_usize(HEADER_LENGTH));
        offset >= self.first_page
            && offset < self.end
            && offset & 7 == 0
            && (u64::from(self.data_offset)..=last).contains(&within)
    }

    /// Where the first record of a new round begins.
    pub fn start(&self, sequence: u64) -> Position {
        Position {
            sequence,
            offset: ByteOffset::new(self.first_page.saturating_add(u64::from(self.data_offset))),
        }
    }

    /// The page that follows the one of `position`, from its data on; at the end, a new round.
    pub fn next_page(&self, position: Position) -> Option<Position> {
        let page = position.offset.get() & !u64::from(self.page_size.wrapping_sub(1));
        self.data_of(position, page.checked_add(u64::from(self.page_size))?)
    }

    /// Where a record begins that comes behind `end`: its header is not split over two pages.
    pub fn fit(&self, end: Position) -> Option<Position> {
        let within = end.offset.get() & u64::from(self.page_size.wrapping_sub(1));
        if self.holds(end) {
            Some(end)
        } else if within < u64::from(self.data_offset) {
            // A record that ends with its page leaves the next one untouched.
            self.data_of(end, end.offset.get().checked_sub(within)?)
        } else {
            self.next_page(end)
        }
    }

    /// The data of the page at `page` in the round of `position`; behind the last, a new round.
    fn data_of(&self, position: Position, page: u64) -> Option<Position> {
        if page >= self.end {
            return Some(self.start(position.sequence.checked_add(1)?));
        }
        Some(Position {
            sequence: position.sequence,
            offset: ByteOffset::new(page.checked_add(u64::from(self.data_offset))?),
        })
    }

    /// The parts of a record at `position` with `length` bytes, its header included.
    pub fn pieces(&self, position: Position, length: usize) -> Pieces<'_> {
        Pieces {
            geometry: self,
            next: Some(position),
            left: length,
        }
    }

    /// Where a record at `position` with `length` bytes ends, its header included.
    ///
    /// That may be the end of a page. `None` when the record is longer than the whole circle.
    pub fn end_of(&self, position: Position, length: usize) -> Option<Position> {
        let circle = self.end.saturating_sub(self.first_page);
        if bytes::u64_from_usize(length) >= circle {
            return None;
        }
        let mut at = position;
        let mut end = position;
        for piece in self.pieces(position, length) {
            let offset = piece
                .page
                .checked_add(ByteCount::new(bytes::u64_from_usize(piece.start)))?;
            if offset != at.offset {
                at = self.next_page(at)?;
            }
            end = Position {
                sequence: at.sequence,
                offset: offset.checked_add(ByteCount::new(bytes::u64_from_usize(piece.length)))?,
            };
        }
        Some(end)
    }
}

/// Iterator over the parts of a record, see [`Geometry::pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    geometry: &'a Geometry,
    next: Option<Position>,
    left: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let position = self.next.take()?;
        let page_size = bytes::usize_from_u32(self.geometry.page_size);
        let mask = u64::from(self.geometry.page_size.wrapping_sub(1));
        let start = usize::try_from(position.offset.get() & mask).ok()?;
        // Ends in any case: every page has room for some bytes.
        let length = page_size.checked_sub(start)?.min(self.left);
        self.left = self.left.checked_sub(length)?;
        self.next = self.geometry.next_page(position);
        Some(Piece {
            page: ByteOffset::new(position.offset.get() & !mask),
            start,
            length,
        })
    }
}
