// SPDX-License-Identifier: GPL-2.0-only

//! Files that the Windows overlay filter (WOF) has compressed, as `compact /exe` does.
//!
//! Such a file has a reparse point with the tag [`ReparseTag::WOF`], whose data says how it is
//! compressed; its unnamed `$DATA` is sparse and tells the size, and the stream `WofCompressedData`
//! holds the chunks. A table at the begin of that stream says where each chunk but the first one
//! begins, counted from the end of the table. A chunk that did not shrink is stored plain.
//!
//! [`ReparseTag::WOF`]: super::super::reparse::ReparseTag::WOF

use super::super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::{
        ByteCount,
        ByteOffset, //
    },
};

/// The name of the stream with the chunks.
pub const STREAM: &str = "WofCompressedData";

/// Offsets within the data of the reparse point.
mod field {
    pub(super) const VERSION: usize = 0x00;
    pub(super) const PROVIDER: usize = 0x04;
    pub(super) const FILE_VERSION: usize = 0x08;
    pub(super) const ALGORITHM: usize = 0x0c;
    pub(super) const END: usize = 0x10;
}

/// The version of both parts of the data.
const VERSION: u32 = 1;

/// Who keeps the data of the file.
const PROVIDER_WIM: u32 = 1;
const PROVIDER_FILE: u32 = 2;

/// The size from which on offsets in the table have eight bytes.
const WIDE: u64 = 1 << 32;

/// How the chunks of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// XPRESS, chunks of 4 KiB.
    Xpress4K,
    /// LZX, chunks of 32 KiB.
    Lzx32K,
    /// XPRESS, chunks of 8 KiB.
    Xpress8K,
    /// XPRESS, chunks of 16 KiB.
    Xpress16K,
}

impl Algorithm {
    /// Takes the field as it is on the disk.
    const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Xpress4K),
            1 => Some(Self::Lzx32K),
            2 => Some(Self::Xpress8K),
            3 => Some(Self::Xpress16K),
            _ => None,
        }
    }

    /// The size of a chunk as a power of two.
    const fn shift(self) -> u32 {
        match self {
            Self::Xpress4K => 12,
            Self::Xpress8K => 13,
            Self::Xpress16K => 14,
            Self::Lzx32K => 15,
        }
    }

    /// Bytes that a chunk becomes; only the last one of a file has fewer.
    pub const fn chunk_size(self) -> usize {
        1_usize.wrapping_shl(self.shift())
    }
}

/// Where the data of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// In a WIM file elsewhere (WIMBoot), which the driver does not read.
    Wim,
    /// In the stream [`STREAM`], compressed so.
    File(Algorithm),
}

impl Backing {
    /// Decodes the data of a reparse point.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let word = |at| {
            bytes::u32_at(data, at).ok_or_else(|| {
                Malformed::truncated("WOF reparse point cut off", at, data.len(), field::END)
            })
        };
        let version = |at| match word(at)? {
            VERSION => Ok(()),
            found => Err(Malformed::new(
                "version of a WOF reparse point",
                at,
                found.into(),
                VERSION.into(),
            )),
        };
        version(field::VERSION)?;
        match word(field::PROVIDER)? {
            PROVIDER_WIM => Ok(Self::Wim),
            PROVIDER_FILE => {
                version(field::FILE_VERSION)?;
                let raw = word(field::ALGORITHM)?;
                let algorithm = Algorithm::from_raw(raw).ok_or(Malformed::new(
                    "algorithm of a WOF file",
                    field::ALGORITHM,
                    raw.into(),
                    3,
                ))?;
                Ok(Self::File(algorithm))
            }
            provider => Err(Malformed::new(
                "provider of a WOF file",
                field::PROVIDER,
                provider.into(),
                PROVIDER_FILE.into(),
            )),
        }
    }
}

/// The number of a chunk in its file, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkNumber(u64);

impl ChunkNumber {
    /// Takes a plain number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Bytes of the stream, and where they begin in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub offset: ByteOffset,
    /// How many there are.
    pub length: usize,
}

/// A chunk of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// What is stored of it: at least one byte, at most [`Chunk::size`].
    pub stored: Part,
    /// The bytes that it becomes.
    pub size: usize,
}

impl Chunk {
    /// Whether what is stored are the bytes themselves.
    pub const fn is_plain(&self) -> bool {
        self.stored.length == self.size
    }
}

/// How the stream is divided.
///
/// # Invariants
///
/// The table, which has one entry less than there are chunks, is within the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    algorithm: Algorithm,
    /// The size of the file.
    size: u64,
    /// The size of the stream.
    stored: u64,
    chunks: u64,
    /// Bytes of an entry of the table as a power of two.
    entry_shift: u32,
    /// Bytes of the table.
    table: u64,
}

impl Layout {
    /// The layout for a file of this size and a stream with so many bytes.
    ///
    /// Refuses a stream in which there is no room for the table and a byte of each chunk.
    pub fn new(algorithm: Algorithm, size: ByteCount, stored: ByteCount) -> Result<Self> {
        let (size, stored) = (size.get(), stored.get());
        let chunks = chunks(size, algorithm);
        let entry_shift = if size < WIDE { 2 } else { 3 };
        // At most 2^52 chunks with eight bytes each.
        let table = chunks.saturating_sub(1).wrapping_shl(entry_shift);
        let least = table.saturating_add(chunks);
        if stored < least {
            return Err(Malformed::new("size of a WOF stream", 0, stored, least));
        }
        // INVARIANT: Checked here.
        Ok(Self {
            algorithm,
            size,
            stored,
            chunks,
            entry_shift,
            table,
        })
    }

    /// How the chunks are compressed.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How many chunks there are; none in an empty file.
    pub const fn chunks(&self) -> u64 {
        self.chunks
    }

    /// The chunk that has this byte of the file; `None` behind its end.
    pub const fn chunk_of(&self, offset: ByteOffset) -> Option<ChunkNumber> {
        if offset.get() < self.size {
            Some(ChunkNumber(
                offset.get().wrapping_shr(self.algorithm.shift()),
            ))
        } else {
            None
        }
    }

    /// The part of the table that tells of this chunk: up to two entries, none for an only chunk.
    ///
    /// `None` if there is no such chunk.
    pub fn entries_of(&self, chunk: ChunkNumber) -> Option<Part> {
        if chunk.0 >= self.chunks {
            return None;
        }
        let first = chunk.0.saturating_sub(1);
        let end = chunk.0.saturating_add(1).min(self.chunks.saturating_sub(1));
        let offset = first.wrapping_shl(self.entry_shift);
        let length = end.saturating_sub(first).wrapping_shl(self.entry_shift);
        Some(Part {
            offset: ByteOffset::new(offset),
            length: usize::try_from(length).ok()?,
        })
    }

    /// Where a chunk is stored, from what [`Self::entries_of`] says to read.
    ///
    /// Errors are a chunk that there is not, entries that are cut off, a chunk that ends before it
    /// begins or behind the end of the stream, and one that is stored in more bytes than it has.
    /// They say where in the stream.
    pub fn chunk(&self, number: ChunkNumber, entries: &[u8]) -> Result<Chunk> {
        let part =
            self.entries_of(number)
                .ok_or(Malformed::new("WOF chunk", 0, number.0, self.chunks))?;
        let at = usize::try_from(part.offset.get()).unwrap_or(usize::MAX);
        let mut entries = Entries {
            bytes: entries,
            at,
            wide: self.entry_shift == 3,
        };
        let is_last = number.0.saturating_add(1) == self.chunks;
        let begin = if number.0 == 0 { 0 } else { entries.next()? };
        let room = self.stored.saturating_sub(self.table);
        let end = if is_last { room } else { entries.next()? };
        let size = if is_last {
            self.size
                .saturating_sub(number.0.wrapping_shl(self.algorithm.shift()))
        } else {
            1_u64.wrapping_shl(self.algorithm.shift())
        };
        if end > room {
            return Err(Malformed::new(
                "WOF chunk beyond the end of its stream",
                at,
                end,
                room,
            ));
        }
        let length = match end.checked_sub(begin) {
            Some(length) if length > 0 => length,
            _ => {
                return Err(Malformed::new(
                    "WOF chunk that ends before it begins",
                    at,
                    end,
                    begin.saturating_add(1),
                ))
            }
        };
        if length > size {
            let what = "WOF chunk stored in more bytes than it has";
            return Err(Malformed::new(what, at, length, size));
        }
        let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Chunk {
            stored: Part {
                offset: ByteOffset::new(self.table.saturating_add(begin)),
                length: narrow(length),
            },
            size: narrow(size),
        })
    }
}

/// How many chunks a file of this size has.
const fn chunks(size: u64, algorithm: Algorithm) -> u64 {
    let shift = algorithm.shift();
    let whole = size.wrapping_shr(shift);
    if whole.wrapping_shl(shift) == size {
        whole
    } else {
        whole.saturating_add(1)
    }
}

/// Entries of the table, one after the other.
struct Entries<'a> {
    bytes: &'a [u8],
    /// Where they are in the stream.
    at: usize,
    wide: bool,
}

impl Entries<'_> {
    fn next(&mut self) -> Result<u64> {
        let (entry, width) = if self.wide {
            (bytes::u64_at(self.bytes, 0), 8)
        } else {
            (bytes::u32_at(self.bytes, 0).map(u64::from), 4)
        };
        let entry = entry.ok_or(Malformed::truncated(
            "table of WOF chunks cut off",
            self.at,
            self.bytes.len(),
            width,
        ))?;
        self.bytes = self.bytes.get(width..).unwrap_or(&[]);
        self.at = self.at.saturating_add(width);
        Ok(entry)
    }
}
