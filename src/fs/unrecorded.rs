// SPDX-License-Identifier: GPL-2.0-only

//! How far the data of a value is on the device, while its record is behind.
//!
//! A record may say "initialized" only of bytes that are on the device. Transfers end in any order, so
//! besides the mark below which all is there, ranges above it are remembered until the gap before them
//! closes. Should there be no memory for that, one is forgotten: the mark then moves when all data was
//! waited for, at the next sync.

use kernel::{
    alloc::AllocError,
    prelude::*, //
};

use super::array;

/// Bytes from `start` to before `end` of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSpan {
    /// The first byte.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
}

/// What memory knows of a value in clusters and its record does not.
#[derive(Debug)]
pub struct Unrecorded {
    /// Whether runs or sizes of the record are older than those in memory.
    pub behind: bool,
    /// All data before it is on the device.
    settled: u64,
    /// What is on the device behind `settled`, in ascending order, none touching another; and perhaps
    /// what the mark has passed since.
    done: KVVec<ByteSpan>,
    /// Whether there was no memory for a range.
    forgot: bool,
}

impl Unrecorded {
    /// Of a value whose record is up to date, with this initialized size.
    pub fn new(initialized: u64) -> Self {
        Self {
            behind: false,
            settled: initialized,
            done: KVVec::new(),
            forgot: false,
        }
    }

    /// All data before this byte is on the device.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// All data is on the device up to `end`, or the value ends there now.
    pub fn settle(&mut self, end: u64) {
        self.settled = end;
        self.done = KVVec::new();
        self.forgot = false;
    }

    /// The value ends at `end` now: nothing behind it is on the device.
    pub fn cut(&mut self, end: u64) {
        self.settled = self.settled.min(end);
        for span in self.done.iter_mut() {
            span.start = span.start.min(end);
            span.end = span.end.min(end);
        }
    }

    /// A transfer ended: `span` is on the device. Gives the whole range that is, around it.
    pub fn add(&mut self, span: ByteSpan) -> ByteSpan {
        if span.start <= self.settled {
            self.settled = self.settled.max(span.end);
            self.close_gap();
            return ByteSpan {
                start: 0,
                end: self.settled,
            };
        }
        match self.merged(span) {
            Ok((whole, done)) => {
                self.done = done;
                whole
            }
            Err(_) => {
                self.forgot = true;
                span
            }
        }
    }

    /// The ranges with one more, and the one that it is in then.
    fn merged(&self, span: ByteSpan) -> Result<(ByteSpan, KVVec<ByteSpan>), AllocError> {
        let mut whole = span;
        let mut before = KVVec::new();
        let mut behind = KVVec::new();
        for other in self.done.iter().copied() {
            if other.end <= self.settled {
                continue;
            }
            if other.end < span.start {
                array::push(&mut before, other)?;
            } else if other.start > span.end {
                array::push(&mut behind, other)?;
            } else {
                whole.start = whole.start.min(other.start);
                whole.end = whole.end.max(other.end);
            }
        }
        array::push(&mut before, whole)?;
        for other in behind.iter().copied() {
            array::push(&mut before, other)?;
        }
        Ok((whole, before))
    }

    /// Whether a range was forgotten since all data was waited for.
    pub fn has_forgotten(&self) -> bool {
        self.forgot
    }

    /// There is nothing to write from the mark to `end`: a hole.
    pub fn skip_hole(&mut self, end: u64) {
        self.settled = self.settled.max(end);
        self.close_gap();
    }

    /// Moves the mark over what is known to be on the device behind it.
    fn close_gap(&mut self) {
        for span in self.done.iter() {
            if span.start > self.settled {
                break;
            }
            self.settled = self.settled.max(span.end);
        }
    }
}
