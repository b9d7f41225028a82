// SPDX-License-Identifier: GPL-2.0-only

//! Making changes of MFT records.

use super::{
    cut,
    offset,
    Change,
    Result, //
};
use crate::ondisk::{
    attribute::{
        Attribute,
        Sizes, //
    },
    bytes,
    error::Malformed,
    log::{
        change::{
            Action,
            Data,
            PageKind, //
        },
        opcode::Opcode,
        perform::{
            Record,
            HEADER_IMAGE, //
        },
    },
    record::field,
};
use kernel::prelude::*;

impl Change {
    /// The first record of a new file: nothing yet, but a rollback gives the MFT record free.
    ///
    /// It is logged before anything points to the record, and [`Change::initialize_record`] last, so
    /// that an undo removes what points to the record before the record goes.
    pub fn announce_record() -> Self {
        Self {
            redo: Action::NOTHING,
            undo: Action::bare(Opcode::DeallocateFileRecordSegment),
            record_offset: 0,
            attribute_offset: 0,
        }
    }

    /// Fills a free record with `image`, a whole record or its used part.
    ///
    /// There is no undo: [`Change::announce_record`] came before. What the record held is lost.
    pub fn initialize_record(old: &[u8], image: &[u8]) -> Result<Self> {
        Self {
            redo: Action::with(
                Opcode::InitializeFileRecordSegment,
                Record::parse(image)?.content(),
            )?,
            undo: Action::NOTHING,
            record_offset: 0,
            attribute_offset: 0,
        }
        .checked(PageKind::Record, old)
    }

    /// Gives a record in use free.
    pub fn deallocate_record(record: &[u8]) -> Result<Self> {
        Record::in_use(record)?;
        let header = record
            .get(..HEADER_IMAGE)
            .ok_or(cut(HEADER_IMAGE, record))?;
        Self {
            redo: Action::bare(Opcode::DeallocateFileRecordSegment),
            undo: Action::with(Opcode::InitializeFileRecordSegment, header)?,
            record_offset: 0,
            attribute_offset: 0,
        }
        .checked(PageKind::Record, record)
    }

    /// Replaces a whole record, for what no other operation can change.
    ///
    /// Two changes, to be applied in this order: the first only knows the way back.
    pub fn rewrite_record(old: &[u8], new: &[u8]) -> Result<[Self; 2]> {
        let back = Self {
            redo: Action::NOTHING,
            undo: Action::with(
                Opcode::InitializeFileRecordSegment,
                Record::parse(old)?.content(),
            )?,
            record_offset: 0,
            attribute_offset: 0,
        };
        Ok([back, Self::initialize_record(old, new)?])
    }

    /// Sets the link count, by [`Change::rewrite_record`].
    ///
    /// It follows the names that are created and deleted in a record. Where they only move to an extension record, the
    /// base record goes on counting them, and the other one counts none.
    pub fn set_link_count(record: &[u8], count: u16) -> Result<[Self; 2]> {
        let mut new = KVec::from_elem(0, record.len(), GFP_KERNEL)?;
        bytes::put_at(&mut new, 0, record);
        bytes::put_at(&mut new, field::LINK_COUNT, &count.to_le_bytes());
        Self::rewrite_record(record, &new)
    }

    /// Inserts an attribute record where another one, or the end mark, begins.
    ///
    /// Its id is the record's next one, or one that was given out before and is free again. An
    /// indexed value counts as a link.
    pub fn create_attribute(record: &[u8], record_offset: usize, attribute: &[u8]) -> Result<Self> {
        let next_id = Record::in_use(record)?.header.next_attribute_id;
        let id = Attribute::parse_alone(attribute)?.id.get();
        if id > next_id {
            return Err(Malformed::new(
                "id of an attribute that is not given out yet",
                record_offset,
                u64::from(id),
                u64::from(next_id),
            )
            .into());
        }
        Self {
            redo: Action::with(Opcode::CreateAttribute, attribute)?,
            undo: Action::bare(Opcode::DeleteAttribute),
            record_offset: offset(record_offset)?,
            attribute_offset: 0,
        }
        .checked(PageKind::Record, record)
    }

    /// Removes the attribute record that begins at `record_offset`.
    pub fn delete_attribute(record: &[u8], record_offset: usize) -> Result<Self> {
        let attribute = Record::in_use(record)?.attribute(record_offset)?;
        let old = bytes::slice_at(record, record_offset, attribute.length)
            .ok_or(cut(record_offset, record))?;
        Self {
            redo: Action::bare(Opcode::DeleteAttribute),
            undo: Action::with(Opcode::CreateAttribute, old)?,
            record_offset: offset(record_offset)?,
            attribute_offset: 0,
        }
        .checked(PageKind::Record, record)
    }

    /// Changes bytes of a resident value; `value_offset` counts from the start of the value.
    ///
    /// The value keeps its length: one that grows is deleted and created again, because replayers
    /// exist that refuse it otherwise.
    pub fn update_resident_value(
        record: &[u8],
        record_offset: usize,
        value_offset: usize,
        new: &[u8],
    ) -> Result<Self> {
        let (_, value, start) = Record::in_use(record)?.resident(record_offset)?;
        let old =
            bytes::slice_at(value, value_offset, new.len()).ok_or(cut(value_offset, value))?;
        Self {
            redo: Action::with(Opcode::UpdateResidentValue, new)?,
            undo: Action::with(Opcode::UpdateResidentValue, old)?,
            record_offset: offset(record_offset)?,
            attribute_offset: offset(start.saturating_add(value_offset))?,
        }
        .checked(PageKind::Record, record)
    }

    /// Replaces the mapping pairs from `pairs_offset` of them on by `new`.
    ///
    /// With `new` the attribute record ends, so its length may change. Zeros up to a multiple of 8
    /// are added.
    pub fn update_mapping_pairs(
        record: &[u8],
        record_offset: usize,
        pairs_offset: usize,
        new: &[u8],
    ) -> Result<Self> {
        let (attribute, form) = Record::in_use(record)?.non_resident(record_offset)?;
        let old = form
            .mapping_pairs
            .get(pairs_offset..)
            .ok_or(cut(pairs_offset, form.mapping_pairs))?;
        let at = attribute.length.saturating_sub(old.len());
        let padded = at
            .checked_add(new.len())
            .and_then(bytes::align_8)
            .and_then(|end| end.checked_sub(at))
            .ok_or(cut(at, new))?;
        Self {
            redo: Action {
                opcode: Opcode::UpdateMappingPairs,
                data: Data::padded(new, padded)?,
            },
            undo: Action::with(Opcode::UpdateMappingPairs, old)?,
            record_offset: offset(record_offset)?,
            attribute_offset: offset(at)?,
        }
        .checked(PageKind::Record, record)
    }

    /// Changes the sizes of a non-resident attribute, in the record with its first part.
    pub fn set_attribute_sizes(record: &[u8], record_offset: usize, new: Sizes) -> Result<Self> {
        let (_, form) = Record::in_use(record)?.non_resident(record_offset)?;
        let old = form
            .sizes
            .filter(|old| old.compressed.is_some() == new.compressed.is_some())
            .ok_or(Malformed::new(
                "sizes that their attribute has no place for",
                record_offset,
                u64::from(new.compressed.is_some()),
                0,
            ))?;
        Self {
            redo: sizes(new)?,
            undo: sizes(old)?,
            record_offset: offset(record_offset)?,
            attribute_offset: 0,
        }
        .checked(PageKind::Record, record)
    }
}

/// The sizes in the order of the log: the initialized one stands before that of the data.
fn sizes(sizes: Sizes) -> Result<Action> {
    let mut data = [0; 0x20];
    bytes::put_at(&mut data, 0x00, &sizes.allocated.get().to_le_bytes());
    bytes::put_at(&mut data, 0x08, &sizes.initialized.get().to_le_bytes());
    bytes::put_at(&mut data, 0x10, &sizes.data.get().to_le_bytes());
    let length = match sizes.compressed {
        Some(compressed) => {
            bytes::put_at(&mut data, 0x18, &compressed.get().to_le_bytes());
            0x20
        }
        None => 0x18,
    };
    Action::with(
        Opcode::SetNewAttributeSizes,
        data.get(..length).unwrap_or(&[]),
    )
}
