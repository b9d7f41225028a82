// SPDX-License-Identifier: GPL-2.0-only

//! The unit of change: one page, one operation, and its exact inverse.
//!
//! [`Change::apply`] and [`Change::undo`] are one function over an [`Action`]. All that can be wrong
//! is found before the first byte is touched, so a page is either changed as asked or as it was.

use super::{
    opcode::Opcode,
    perform::{
        self,
        Frame,
        Turn, //
    },
};
use crate::ondisk::{
    bytes,
    error::Malformed,
    index,
    record,
    units::Lsn, //
};
use kernel::{
    alloc::AllocError,
    fmt,
    prelude::*, //
};

/// Why a change cannot be made or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The page is not what the change is made for, or the change makes no sense.
    Malformed(Malformed),
    /// The page has not enough unused bytes for what comes in.
    NoRoom,
    /// No memory for the bytes of the change.
    NoMemory,
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => fmt::Display::fmt(malformed, f),
            Self::NoRoom => f.write_str("no room in the page of a logged change"),
            Self::NoMemory => f.write_str("no memory for a logged change"),
        }
    }
}

/// Result of making or doing a change.
pub type Result<T> = core::result::Result<T, Error>;

/// The bytes that come with an operation.
///
/// # Invariants
///
/// `Bytes` is never empty, and has at most `u16::MAX` bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Data {
    /// They are in the log record.
    Bytes(KVec<u8>),
    /// So many bytes are meant, which are not in the log record: zeros where something is written,
    /// and the length of what goes where something is removed. 0 for no data at all.
    Absent(u16),
}

impl Data {
    /// No data.
    pub const NONE: Self = Self::Absent(0);

    /// A copy of `bytes`.
    pub fn copied(bytes: &[u8]) -> Result<Self> {
        Self::padded(bytes, bytes.len())
    }

    /// A copy of `bytes`, with zeros behind them so that there are `length`.
    pub fn padded(bytes: &[u8], length: usize) -> Result<Self> {
        if u16::try_from(length).is_err() {
            return Err(Error::NoRoom);
        }
        if length == 0 {
            return Ok(Self::NONE);
        }
        let mut data = KVec::<u8>::zeroed(length, GFP_KERNEL)?;
        bytes::put_at(&mut data, 0, bytes);
        // INVARIANT: Checked above.
        Ok(Self::Bytes(data))
    }

    /// The bytes that are there.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Absent(_) => &[],
        }
    }

    /// How many bytes are meant.
    pub fn length(&self) -> u16 {
        match self {
            // The fallback is not needed, by the invariant.
            Self::Bytes(bytes) => u16::try_from(bytes.len()).unwrap_or(u16::MAX),
            Self::Absent(length) => *length,
        }
    }

    /// The same once more.
    pub fn try_clone(&self) -> Result<Self> {
        match self {
            Self::Bytes(bytes) => Self::copied(bytes),
            Self::Absent(length) => Ok(Self::Absent(*length)),
        }
    }
}

/// One direction of a change.
#[derive(Debug, PartialEq, Eq)]
pub struct Action {
    /// What is done.
    pub opcode: Opcode,
    /// With which bytes.
    pub data: Data,
}

impl Action {
    /// Nothing is done.
    pub const NOTHING: Self = Self::bare(Opcode::Noop);

    /// An operation without data.
    pub const fn bare(opcode: Opcode) -> Self {
        Self {
            opcode,
            data: Data::NONE,
        }
    }

    /// An operation with a copy of `bytes` as its data.
    pub fn with(opcode: Opcode, bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            opcode,
            data: Data::copied(bytes)?,
        })
    }

    /// The same once more.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self {
            opcode: self.opcode,
            data: self.data.try_clone()?,
        })
    }
}

/// A page that a change is about, fixups undone.
#[derive(Debug)]
pub enum Page<'a> {
    /// A whole MFT record.
    Record(&'a mut [u8]),
    /// A whole index block.
    IndexBlock(&'a mut [u8]),
    /// A part of a bitmap outside of records, from the change's target VCN on.
    Bitmap(&'a mut [u8]),
    /// A part of any other non-resident value, from the change's target VCN on.
    Data(&'a mut [u8]),
}

/// What a page is, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// See [`Page::Record`].
    Record,
    /// See [`Page::IndexBlock`].
    IndexBlock,
    /// See [`Page::Bitmap`].
    Bitmap,
    /// See [`Page::Data`].
    Data,
}

impl Page<'_> {
    /// What the page is.
    pub fn kind(&self) -> PageKind {
        match self {
            Self::Record(_) => PageKind::Record,
            Self::IndexBlock(_) => PageKind::IndexBlock,
            Self::Bitmap(_) => PageKind::Bitmap,
            Self::Data(_) => PageKind::Data,
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Record(bytes)
            | Self::IndexBlock(bytes)
            | Self::Bitmap(bytes)
            | Self::Data(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Record(bytes)
            | Self::IndexBlock(bytes)
            | Self::Bitmap(bytes)
            | Self::Data(bytes) => bytes,
        }
    }

    fn lsn_offset(&self) -> Option<usize> {
        match self {
            Self::Record(_) => Some(record::field::LSN),
            Self::IndexBlock(_) => Some(index::block_field::LSN),
            Self::Bitmap(_) | Self::Data(_) => None,
        }
    }

    /// The last log record that the page says to contain; bitmaps and data cannot say it.
    pub fn lsn(&self) -> Option<Lsn> {
        bytes::u64_at(self.bytes(), self.lsn_offset()?).map(Lsn::new)
    }

    /// Notes in the page that it contains the log record `lsn`, where it has a place for that.
    pub fn stamp(&mut self, lsn: Lsn) {
        if let Some(at) = self.lsn_offset() {
            bytes::put_at(self.bytes_mut(), at, &lsn.get().to_le_bytes());
        }
    }
}

/// One logged change of one page.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// How it is done.
    pub redo: Action,
    /// How it is taken back.
    pub undo: Action,
    /// Where the attribute begins in its MFT record, or where the bytes are in other data.
    pub record_offset: u16,
    /// Where in the attribute; in an index block, where the entry begins in the block.
    pub attribute_offset: u16,
}

impl Change {
    /// Does the change.
    ///
    /// On an error the page is as it was.
    pub fn apply(&self, page: &mut Page<'_>) -> Result<()> {
        let turn = match self.undo.opcode {
            Opcode::CompensationLogRecord => Turn::Back,
            _ => Turn::Forward,
        };
        self.perform(&self.redo, &self.undo, turn, page)
    }

    /// Takes the change back; the exact inverse of [`Change::apply`] on the page that it left.
    ///
    /// On an error the page is as it was.
    pub fn undo(&self, page: &mut Page<'_>) -> Result<()> {
        self.perform(&self.undo, &self.redo, Turn::Back, page)
    }

    /// The change that a rollback logs when it takes this one back.
    ///
    /// Its own undo only marks it, with the length of what the redo removes, which readers need.
    pub fn compensation(&self) -> Result<Self> {
        Ok(Self {
            redo: self.undo.try_clone()?,
            undo: Action {
                opcode: Opcode::CompensationLogRecord,
                data: Data::Absent(self.redo.data.length()),
            },
            record_offset: self.record_offset,
            attribute_offset: self.attribute_offset,
        })
    }

    /// The same once more.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self {
            redo: self.redo.try_clone()?,
            undo: self.undo.try_clone()?,
            ..*self
        })
    }

    fn perform(
        &self,
        action: &Action,
        inverse: &Action,
        turn: Turn,
        page: &mut Page<'_>,
    ) -> Result<()> {
        let frame = self.frame(inverse, turn);
        let edit = perform::plan(action, &frame, page.kind(), page.bytes())?;
        edit.execute(page.bytes_mut());
        Ok(())
    }

    fn frame(&self, inverse: &Action, turn: Turn) -> Frame {
        Frame {
            record_offset: usize::from(self.record_offset),
            attribute_offset: usize::from(self.attribute_offset),
            inverse_length: usize::from(inverse.data.length()),
            turn,
        }
    }

    /// Hands the change on if [`Change::apply`] would succeed on `page`.
    pub(super) fn checked(self, kind: PageKind, page: &[u8]) -> Result<Self> {
        let frame = self.frame(&self.undo, Turn::Forward);
        perform::plan(&self.redo, &frame, kind, page)?;
        Ok(self)
    }
}
