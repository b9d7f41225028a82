// SPDX-License-Identifier: GPL-2.0-only

//! `$Secure`, which keeps each security descriptor once for all files that have the same.
//!
//! The descriptors are in the stream `$SDS`, each behind a header, in blocks of 256 KiB. Every other block
//! is a copy of the one before it. The index `$SII` leads from the id in a file's `$STANDARD_INFORMATION`
//! to the header, which it repeats.

use super::{
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

/// The key of a security descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecurityId(u32);

impl SecurityId {
    /// Takes the number on the disk.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The number on the disk.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Decodes a key of `$SII`.
    pub fn parse(key: &[u8]) -> Result<Self> {
        match bytes::u32_at(key, 0) {
            Some(id) => Ok(Self(id)),
            None => Err(Malformed::truncated("security id cut off", 0, key.len(), 4)),
        }
    }
}

/// What is computed of a descriptor, to find equal ones, and to see whether one is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityHash(u32);

impl SecurityHash {
    /// The hash of a descriptor.
    pub fn of(descriptor: &[u8]) -> Self {
        let words = descriptor.chunks_exact(4);
        Self(words.fold(0, |hash: u32, word| {
            bytes::u32_at(word, 0)
                .unwrap_or(0)
                .wrapping_add(hash.rotate_left(3))
        }))
    }

    /// The number on the disk.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Offsets within the header of an entry.
mod field {
    pub(super) const HASH: usize = 0x00;
    pub(super) const ID: usize = 0x04;
    pub(super) const OFFSET: usize = 0x08;
    pub(super) const LENGTH: usize = 0x10;
    pub(super) const DESCRIPTOR: usize = 0x14;
}

/// Where the copy of a byte of `$SDS` is: so far behind it.
const COPY: ByteCount = ByteCount::new(0x4_0000);

/// The header of an entry of `$SDS`, which is also the data of an entry of `$SII`.
///
/// # Invariants
///
/// `length` is that of a header and a descriptor which together fit in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdsEntry {
    hash: SecurityHash,
    id: SecurityId,
    offset: ByteOffset,
    length: usize,
}

impl SdsEntry {
    /// Decodes a header.
    pub fn parse(header: &[u8]) -> Result<Self> {
        let cut = || {
            Malformed::truncated(
                "header of a security descriptor cut off",
                0,
                header.len(),
                field::DESCRIPTOR,
            )
        };
        let length = bytes::u32_at(header, field::LENGTH).ok_or_else(cut)?;
        let fits = (u64::from(length) <= COPY.get())
            .then_some(bytes::usize_from_u32(length))
            .filter(|length| *length >= field::DESCRIPTOR);
        // INVARIANT: Checked here.
        Ok(Self {
            hash: SecurityHash(bytes::u32_at(header, field::HASH).ok_or_else(cut)?),
            id: SecurityId(bytes::u32_at(header, field::ID).ok_or_else(cut)?),
            offset: ByteOffset::new(bytes::u64_at(header, field::OFFSET).ok_or_else(cut)?),
            length: fits.ok_or(Malformed::new(
                "length of a security descriptor",
                field::LENGTH,
                u64::from(length),
                COPY.get(),
            ))?,
        })
    }

    /// The id of the descriptor.
    pub fn id(&self) -> SecurityId {
        self.id
    }

    /// Where the entry is in `$SDS`.
    pub fn offset(&self) -> ByteOffset {
        self.offset
    }

    /// Where the copy of the entry is in `$SDS`.
    pub fn offset_of_copy(&self) -> Option<ByteOffset> {
        self.offset.checked_add(COPY)
    }

    /// Bytes of the entry: header and descriptor, without padding.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Takes the descriptor out of an entry that was read from where this says: it has to have the same
    /// header, and a descriptor with its hash.
    pub fn descriptor<'a>(&self, entry: &'a [u8]) -> Result<&'a [u8]> {
        let found = Self::parse(entry)?;
        let differs = [
            (
                "id of a security descriptor",
                field::ID,
                found.id.0,
                self.id.0,
            ),
            (
                "hash in the header of a security descriptor",
                field::HASH,
                found.hash.0,
                self.hash.0,
            ),
        ];
        for (what, at, found, expected) in differs {
            if found != expected {
                return Err(Malformed::new(what, at, found.into(), expected.into()));
            }
        }
        if (found.offset, found.length) != (self.offset, self.length) {
            return Err(Malformed::new(
                "offset in the header of a security descriptor",
                field::OFFSET,
                found.offset.get(),
                self.offset.get(),
            ));
        }
        let descriptor = entry
            .get(..self.length)
            .and_then(|entry| entry.get(field::DESCRIPTOR..))
            .ok_or_else(|| {
                Malformed::truncated(
                    "security descriptor cut off",
                    field::DESCRIPTOR,
                    entry.len(),
                    self.length,
                )
            })?;
        let hash = SecurityHash::of(descriptor);
        match hash == self.hash {
            true => Ok(descriptor),
            false => Err(Malformed::new(
                "hash of a security descriptor",
                field::HASH,
                hash.0.into(),
                self.hash.0.into(),
            )),
        }
    }
}
