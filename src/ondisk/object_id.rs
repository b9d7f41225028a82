// SPDX-License-Identifier: GPL-2.0-only

//! `$OBJECT_ID`, by which Windows finds a file again that was moved; and the index of them.
//!
//! The attribute has the id. What else belongs to it, where the file was created and as what, is in the
//! entry that the index `$O` of `$Extend/$ObjId` has for the id.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::MftReference, //
};

/// The id of an object: a GUID as it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectId([u8; Self::LENGTH]);

impl ObjectId {
    /// Bytes of an id.
    pub const LENGTH: usize = 16;

    /// Decodes the value of the attribute, or a key of the index. What may be behind the id is not of it.
    pub fn parse(value: &[u8]) -> Result<Self> {
        match value.first_chunk() {
            Some(id) => Ok(Self(*id)),
            None => Err(Malformed::truncated(
                "object id cut off",
                0,
                value.len(),
                Self::LENGTH,
            )),
        }
    }

    /// The bytes as on the disk.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the index is sorted by: four numbers, the first counts most.
    pub fn words(&self) -> impl Iterator<Item = u32> + '_ {
        self.0
            .chunks_exact(4)
            .map(|word| bytes::u32_at(word, 0).unwrap_or(0))
    }
}

/// Offsets within the data of an entry of the index.
mod field {
    pub(super) const FILE: usize = 0x00;
    pub(super) const BIRTH: usize = 0x08;
}

/// What the index has for an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectIdEntry<'a> {
    /// The file that has the id.
    pub file: MftReference,
    /// The GUIDs of the volume on which it was created, of the object that it was there, and of the domain.
    pub birth: &'a [u8; 3 * ObjectId::LENGTH],
}

impl<'a> ObjectIdEntry<'a> {
    /// Decodes the data of an entry.
    pub fn parse(data: &'a [u8]) -> Result<Self> {
        let file = bytes::u64_at(data, field::FILE);
        let birth = data.get(field::BIRTH..).and_then(<[u8]>::first_chunk);
        match (file, birth) {
            (Some(file), Some(birth)) => Ok(Self {
                file: MftReference::from_raw(file),
                birth,
            }),
            _ => Err(Malformed::truncated(
                "entry of an object id cut off",
                0,
                data.len(),
                field::BIRTH + 3 * ObjectId::LENGTH,
            )),
        }
    }
}
