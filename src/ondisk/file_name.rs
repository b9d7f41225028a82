// SPDX-License-Identifier: GPL-2.0-only

//! `$FILE_NAME`: one name of a file in one directory.
//!
//! It is found as an attribute of the file, always resident, once for each hard link and each DOS
//! name; and as the key of the directory's index. Times, sizes and attributes are copies: in the
//! attribute mostly those of the creation, in the index refreshed now and then.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    name::Name,
    standard_information::{
        FileAttributes,
        Times, //
    },
    units::{
        ByteCount,
        MftReference, //
    },
};

/// Offsets of the fields, in bytes.
mod field {
    pub(super) const PARENT: usize = 0x00;
    pub(super) const TIMES: usize = 0x08;
    pub(super) const ALLOCATED_SIZE: usize = 0x28;
    pub(super) const DATA_SIZE: usize = 0x30;
    pub(super) const ATTRIBUTES: usize = 0x38;
    pub(super) const REPARSE_TAG: usize = 0x3c;
    pub(super) const NAME_LENGTH: usize = 0x40;
    pub(super) const NAMESPACE: usize = 0x41;
    pub(super) const NAME: usize = 0x42;
}

/// Where the part begins that changes with the file: times, sizes, attributes.
pub(super) const TIMES: usize = field::TIMES;

/// Which rules a name keeps, and whether it stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Any units; two names may differ in case only.
    Posix,
    /// A name that Windows accepts; a DOS name for the same link may exist beside it.
    Win32,
    /// An 8.3 name; always beside a [`Namespace::Win32`] one for the same link.
    Dos,
    /// A name that Windows accepts and that is its own 8.3 name.
    Win32AndDos,
}

impl Namespace {
    /// Decodes the field; a number without meaning is taken for the least demanding.
    fn from_raw(raw: u8) -> Self {
        match raw {
            1 => Self::Win32,
            2 => Self::Dos,
            3 => Self::Win32AndDos,
            _ => Self::Posix,
        }
    }

    /// Whether the name is only the 8.3 twin of another one.
    pub fn is_dos_twin(self) -> bool {
        self == Self::Dos
    }
}

/// The value of a `$FILE_NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName<'a> {
    /// The directory that lists the name.
    pub parent: MftReference,
    /// Copies of the file's times.
    pub times: Times,
    /// Copy of the allocated size of the unnamed stream; perhaps stale.
    pub allocated_size: ByteCount,
    /// Copy of the size of the unnamed stream; perhaps stale.
    pub data_size: ByteCount,
    /// Copy of the file's attributes.
    pub attributes: FileAttributes,
    /// The tag of the reparse point if the attributes have one; else the size of the EAs.
    pub reparse_tag_or_ea_size: u32,
    /// The rules that the name keeps.
    pub namespace: Namespace,
    /// The name.
    pub name: Name<'a>,
}

impl<'a> FileName<'a> {
    /// Decodes the value of the attribute, or the key of an index entry.
    pub fn parse(value: &'a [u8]) -> Result<Self> {
        let cut = || Malformed::truncated("file name cut off", 0, value.len(), field::NAME);
        let u64_field = |at| bytes::u64_at(value, at).ok_or_else(cut);
        let u32_field = |at| bytes::u32_at(value, at).ok_or_else(cut);
        let u8_field = |at| bytes::u8_at(value, at).ok_or_else(cut);
        Ok(Self {
            parent: MftReference::from_raw(u64_field(field::PARENT)?),
            times: Times::at(value, field::TIMES).ok_or_else(cut)?,
            allocated_size: ByteCount::new(u64_field(field::ALLOCATED_SIZE)?),
            data_size: ByteCount::new(u64_field(field::DATA_SIZE)?),
            attributes: FileAttributes::new(u32_field(field::ATTRIBUTES)?),
            reparse_tag_or_ea_size: u32_field(field::REPARSE_TAG)?,
            namespace: Namespace::from_raw(u8_field(field::NAMESPACE)?),
            name: Name::parse(value, field::NAME, u8_field(field::NAME_LENGTH)?)?,
        })
    }

    /// The tag of the reparse point of the file, if it has one.
    pub fn reparse_tag(&self) -> Option<u32> {
        self.attributes
            .contains(FileAttributes::REPARSE_POINT)
            .then_some(self.reparse_tag_or_ea_size)
    }
}

/// What the entry of a directory copies from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The times.
    pub times: Times,
    /// Bytes that the unnamed stream takes on the volume.
    pub allocated_size: ByteCount,
    /// Bytes of the unnamed stream.
    pub data_size: ByteCount,
    /// The attributes of `$STANDARD_INFORMATION`; what only a `$FILE_NAME` has stays.
    pub attributes: FileAttributes,
}

impl Copies {
    /// Bits of the attributes that are not copies.
    const OWN: u32 = FileAttributes::NTFS_DIRECTORY.get() | 0x2000_0000;

    /// Puts the copies into the value of a `$FILE_NAME`; says whether it is different now.
    pub fn put(&self, value: &mut [u8]) -> bool {
        let Some(old) = bytes::u32_at(value, field::ATTRIBUTES) else {
            return false;
        };
        let attributes = (old & Self::OWN) | (self.attributes.get() & !Self::OWN);
        let fields = [
            (field::TIMES, self.times.creation.get()),
            (field::TIMES + 0x08, self.times.modification.get()),
            (field::TIMES + 0x10, self.times.change.get()),
            (field::TIMES + 0x18, self.times.access.get()),
            (field::ALLOCATED_SIZE, self.allocated_size.get()),
            (field::DATA_SIZE, self.data_size.get()),
        ];
        let reparse = FileAttributes::REPARSE_POINT.get();
        if old & reparse != 0 && attributes & reparse == 0 {
            // What was a tag would count as bytes of EAs.
            bytes::put_at(value, field::REPARSE_TAG, &[0; 4]);
        }
        let mut changed = attributes != old;
        bytes::put_at(value, field::ATTRIBUTES, &attributes.to_le_bytes());
        for (at, new) in fields {
            changed |= bytes::u64_at(value, at) != Some(new);
            bytes::put_at(value, at, &new.to_le_bytes());
        }
        changed
    }
}
