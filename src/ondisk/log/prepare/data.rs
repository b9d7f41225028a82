// SPDX-License-Identifier: GPL-2.0-only

//! Making changes of bitmaps and of other data outside of records.

use super::{
    cut,
    offset,
    Change,
    Result, //
};
use crate::ondisk::{
    bytes,
    error::Malformed,
    log::{
        change::{
            Action,
            PageKind, //
        },
        opcode::Opcode,
        perform::range,
    },
};

impl Change {
    /// Sets `count` bits that are clear, from bit `first` of the page on.
    pub fn set_bits(bitmap: &[u8], first: u32, count: u32) -> Result<Self> {
        bits(bitmap, first, count, true)
    }

    /// Clears `count` bits that are set, from bit `first` of the page on.
    pub fn clear_bits(bitmap: &[u8], first: u32, count: u32) -> Result<Self> {
        bits(bitmap, first, count, false)
    }

    /// Changes bytes of a non-resident value from byte `at` of the page on.
    pub fn update_nonresident(page: &[u8], at: usize, new: &[u8]) -> Result<Self> {
        let old = bytes::slice_at(page, at, new.len()).ok_or(cut(at, page))?;
        nonresident(
            page,
            at,
            new,
            Action::with(Opcode::UpdateNonresidentValue, old)?,
        )
    }

    /// Writes bytes that nobody can see yet, because they are behind the initialized size.
    ///
    /// There is no undo, because there is nothing to bring back.
    pub fn append_nonresident(page: &[u8], at: usize, new: &[u8]) -> Result<Self> {
        nonresident(page, at, new, Action::NOTHING)
    }
}

fn nonresident(page: &[u8], at: usize, new: &[u8], undo: Action) -> Result<Change> {
    Change {
        redo: Action::with(Opcode::UpdateNonresidentValue, new)?,
        undo,
        record_offset: offset(at)?,
        attribute_offset: 0,
    }
    .checked(PageKind::Data, page)
}

fn bits(bitmap: &[u8], first: u32, count: u32, value: bool) -> Result<Change> {
    let mut data = [0; 8];
    bytes::put_at(&mut data, 0, &first.to_le_bytes());
    bytes::put_at(&mut data, 4, &count.to_le_bytes());
    // Otherwise the undo would change more than the redo did.
    if !range(&data, value, bitmap)?.are_all(bitmap, !value) {
        return Err(Malformed::new(
            "bits to change that have the value already",
            0,
            u64::from(first),
            u64::from(count),
        )
        .into());
    }
    let (set, clear) = (
        Opcode::SetBitsInNonresidentBitMap,
        Opcode::ClearBitsInNonresidentBitMap,
    );
    let (redo, undo) = if value { (set, clear) } else { (clear, set) };
    Change {
        redo: Action::with(redo, &data)?,
        undo: Action::with(undo, &data)?,
        record_offset: 0,
        attribute_offset: 0,
    }
    .checked(PageKind::Bitmap, bitmap)
}
