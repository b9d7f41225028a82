// SPDX-License-Identifier: GPL-2.0-only

//! New attribute records, as bytes that can be put into a FILE record.
//!
//! The layout is that of Windows: header, name, then the value or the mapping pairs at the next
//! multiple of 8. What is put here decodes to the same by [`super::attribute`].

use kernel::{
    alloc::AllocError,
    prelude::*, //
};

use super::{
    attribute::{
        field,
        AttributeFlags,
        AttributeType,
        Sizes,
        COMPRESSED_HEADER_LENGTH,
        MIN_NON_RESIDENT_LENGTH,
        MIN_RESIDENT_LENGTH, //
    },
    bytes::{
        align_8,
        put_at, //
    },
    units::{
        AttributeId,
        Vcn, //
    },
};

/// What every attribute record has.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The type.
    pub type_: AttributeType,
    /// The name, as UTF-16 units; at most 255.
    pub name: &'a [u16],
    /// The id, unused in the FILE record.
    pub id: AttributeId,
    /// How the value is stored.
    pub flags: AttributeFlags,
}

/// The part of a value in clusters that one attribute record tells of.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The first VCN.
    pub lowest_vcn: Vcn,
    /// The first VCN behind the part.
    pub end: Vcn,
    /// The sizes of the attribute; of use in the part that begins at VCN 0.
    pub sizes: Sizes,
    /// Logarithm of the clusters in a compression unit.
    pub compression_unit_shift: u8,
    /// The encoded runs, with the zero at their end.
    pub mapping_pairs: &'a [u8],
}

/// A copy of an attribute record, with another id.
pub fn with_id(attribute: &[u8], id: AttributeId) -> Result<KVec<u8>, Unfit> {
    let mut out = KVec::<u8>::zeroed(attribute.len(), GFP_KERNEL)?;
    let fill = |out: &mut KVec<u8>| {
        put_at(out, 0, attribute)?;
        put_at(out, field::ID, &id.get().to_le_bytes())
    };
    fill(&mut out).ok_or(Unfit::TooLong)?;
    Ok(out)
}

/// Why an attribute record cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No memory.
    NoMemory,
    /// Longer than the fields can tell.
    TooLong,
}

impl From<AllocError> for Unfit {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

impl Head<'_> {
    fn name_bytes(&self) -> usize {
        self.name.len().saturating_mul(2)
    }

    /// Bytes of a record with a value of `length` bytes in it.
    pub fn resident_length(&self, length: usize) -> Option<usize> {
        let value = align_8(MIN_RESIDENT_LENGTH.checked_add(self.name_bytes())?)?;
        align_8(value.checked_add(length)?)
    }

    /// Bytes of a record with so many bytes of mapping pairs.
    pub fn non_resident_length(&self, pairs: usize) -> Option<usize> {
        align_8(self.pairs_offset()?.checked_add(pairs)?)
    }

    /// Bytes of the header of a value in clusters.
    fn non_resident_header(&self) -> usize {
        match self.flags.is_sparse() || self.flags.is_compressed() {
            true => COMPRESSED_HEADER_LENGTH,
            false => MIN_NON_RESIDENT_LENGTH,
        }
    }

    fn pairs_offset(&self) -> Option<usize> {
        align_8(self.non_resident_header().checked_add(self.name_bytes())?)
    }

    /// An attribute record that holds its value. `indexed` is for `$FILE_NAME` only.
    pub fn resident(&self, value: &[u8], indexed: bool) -> Result<KVec<u8>, Unfit> {
        let length = self.resident_length(value.len()).ok_or(Unfit::TooLong)?;
        let mut out = self.begin(length, MIN_RESIDENT_LENGTH, false)?;
        let at = align_8(MIN_RESIDENT_LENGTH.saturating_add(self.name_bytes()));
        let fill = |out: &mut KVec<u8>| {
            let at = at?;
            let length = u32::try_from(value.len()).ok()?;
            put_at(out, field::VALUE_LENGTH, &length.to_le_bytes())?;
            put_at(
                out,
                field::VALUE_OFFSET,
                &u16::try_from(at).ok()?.to_le_bytes(),
            )?;
            put_at(out, field::RESIDENT_FLAGS, &[u8::from(indexed)])?;
            put_at(out, at, value)
        };
        fill(&mut out).ok_or(Unfit::TooLong)?;
        Ok(out)
    }

    /// An attribute record, or one part of it, whose value is in clusters.
    pub fn non_resident(&self, part: &Part<'_>) -> Result<KVec<u8>, Unfit> {
        let length = self
            .non_resident_length(part.mapping_pairs.len())
            .ok_or(Unfit::TooLong)?;
        let mut out = self.begin(length, self.non_resident_header(), true)?;
        let fill = |out: &mut KVec<u8>| {
            let pairs = self.pairs_offset()?;
            // One below the lowest one where there are no clusters: -1 for an empty attribute.
            let highest = part.end.get().wrapping_sub(1);
            put_at(out, field::LOWEST_VCN, &part.lowest_vcn.get().to_le_bytes())?;
            put_at(out, field::HIGHEST_VCN, &highest.to_le_bytes())?;
            let offset = u16::try_from(pairs).ok()?;
            put_at(out, field::MAPPING_PAIRS_OFFSET, &offset.to_le_bytes())?;
            put_at(out, field::COMPRESSION_UNIT, &[part.compression_unit_shift])?;
            if part.lowest_vcn == Vcn::ZERO {
                let sizes = &part.sizes;
                put_at(
                    out,
                    field::ALLOCATED_SIZE,
                    &sizes.allocated.get().to_le_bytes(),
                )?;
                put_at(out, field::DATA_SIZE, &sizes.data.get().to_le_bytes())?;
                let initialized = sizes.initialized.get();
                put_at(out, field::INITIALIZED_SIZE, &initialized.to_le_bytes())?;
                if self.non_resident_header() == COMPRESSED_HEADER_LENGTH {
                    let taken = sizes.compressed.unwrap_or(sizes.allocated).get();
                    put_at(out, field::COMPRESSED_SIZE, &taken.to_le_bytes())?;
                }
            }
            put_at(out, pairs, part.mapping_pairs)
        };
        fill(&mut out).ok_or(Unfit::TooLong)?;
        Ok(out)
    }

    fn begin(&self, length: usize, header: usize, non_resident: bool) -> Result<KVec<u8>, Unfit> {
        let mut out = KVec::<u8>::zeroed(length, GFP_KERNEL)?;
        let fill = |out: &mut KVec<u8>| {
            let units = u8::try_from(self.name.len()).ok()?;
            put_at(out, 0, &self.type_.get().to_le_bytes())?;
            put_at(
                out,
                field::LENGTH,
                &u32::try_from(length).ok()?.to_le_bytes(),
            )?;
            put_at(out, field::NON_RESIDENT, &[u8::from(non_resident)])?;
            put_at(out, field::NAME_LENGTH, &[units])?;
            put_at(
                out,
                field::NAME_OFFSET,
                &u16::try_from(header).ok()?.to_le_bytes(),
            )?;
            put_at(out, field::FLAGS, &self.flags.get().to_le_bytes())?;
            put_at(out, field::ID, &self.id.get().to_le_bytes())?;
            let mut at = header;
            for unit in self.name {
                put_at(out, at, &unit.to_le_bytes())?;
                at = at.checked_add(2)?;
            }
            Some(())
        };
        fill(&mut out).ok_or(Unfit::TooLong)?;
        Ok(out)
    }
}
