// SPDX-License-Identifier: GPL-2.0-only

//! New FILE records, without an attribute yet.
//!
//! The layout is that of Windows: header, update sequence array, then the end mark where the first
//! attribute will be. The fixups are as if they were undone.

use kernel::{
    alloc::AllocError,
    prelude::*, //
};

use super::{
    attribute::AttributeType,
    bytes::{
        align_8,
        put_at,
        usize_from_u32, //
    },
    fixup::{
        Magic,
        STRIDE, //
    },
    record::{
        field,
        HEADER_LENGTH,
        HEADER_LENGTH_3_1, //
    },
    units::{
        MftReference,
        RecordNumber,
        RecordSize,
        SequenceNumber, //
    },
};

/// Bytes of the end mark: the type, and as many that mean nothing.
const END_MARK_LENGTH: usize = 8;

/// What a new record says of itself.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord {
    /// Bytes of the record.
    pub size: RecordSize,
    /// Its number, which it stores since NTFS 3.1; `None` leaves the place for it out.
    pub number: Option<RecordNumber>,
    /// Which use of it this is.
    pub sequence: SequenceNumber,
    /// Whether it is in use.
    pub in_use: bool,
    /// The base record that it extends, if so.
    pub base: Option<MftReference>,
}

impl NewRecord {
    /// Where the update sequence array begins, and where the first attribute.
    fn places(&self) -> Option<(usize, usize)> {
        let start = match self.number {
            Some(_) => HEADER_LENGTH_3_1,
            None => HEADER_LENGTH,
        };
        let entries = self.strides()?.checked_add(1)?;
        let end = start.checked_add(entries.checked_mul(2)?)?;
        Some((start, align_8(end)?))
    }

    fn strides(&self) -> Option<usize> {
        usize_from_u32(self.size.bytes()).checked_div(STRIDE)
    }

    /// Bytes that the attributes of the record can take.
    pub fn room(&self) -> usize {
        let overhead = self.places().map_or(0, |(_, attributes)| {
            attributes.saturating_add(END_MARK_LENGTH)
        });
        usize_from_u32(self.size.bytes()).saturating_sub(overhead)
    }

    /// The whole record.
    pub fn image(&self) -> Result<KVec<u8>, AllocError> {
        let mut out = KVec::<u8>::zeroed(usize_from_u32(self.size.bytes()), GFP_KERNEL)?;
        // Every field is in the smallest record.
        let _ = self.fill(&mut out);
        Ok(out)
    }

    fn fill(&self, out: &mut [u8]) -> Option<()> {
        let (array, attributes) = self.places()?;
        let entries = u16::try_from(self.strides()?.checked_add(1)?).ok()?;
        let used = attributes.checked_add(END_MARK_LENGTH)?;
        put_at(out, 0, &Magic::FILE.bytes())?;
        put_at(
            out,
            field::USA_OFFSET,
            &u16::try_from(array).ok()?.to_le_bytes(),
        )?;
        put_at(out, field::USA_COUNT, &entries.to_le_bytes())?;
        put_at(out, field::SEQUENCE, &self.sequence.get().to_le_bytes())?;
        put_at(
            out,
            field::ATTRIBUTES_OFFSET,
            &u16::try_from(attributes).ok()?.to_le_bytes(),
        )?;
        put_at(out, field::FLAGS, &u16::from(self.in_use).to_le_bytes())?;
        put_at(
            out,
            field::BYTES_IN_USE,
            &u32::try_from(used).ok()?.to_le_bytes(),
        )?;
        put_at(
            out,
            field::BYTES_ALLOCATED,
            &self.size.bytes().to_le_bytes(),
        )?;
        if let Some(base) = self.base {
            put_at(out, field::BASE_RECORD, &base.to_raw().to_le_bytes())?;
        }
        if let Some(number) = self.number {
            let [b0, b1, b2, b3, ..] = number.get().to_le_bytes();
            put_at(out, field::RECORD_NUMBER, &[b0, b1, b2, b3])?;
        }
        // 0 would be taken for a record that was never written.
        put_at(out, array, &1u16.to_le_bytes())?;
        put_at(out, attributes, &AttributeType::END.get().to_le_bytes())
    }
}
