// SPDX-License-Identifier: GPL-2.0-only

//! Operations on pages without a structure of their own: bitmaps and other non-resident data.
//!
//! Such a page has no LSN, so a replay may do again what is there already; all that is here gives
//! the same bytes when it is done twice.

use super::{
    edit::{
        Bits,
        Content,
        Edit,
        Splice, //
    },
    Frame,
};
use crate::ondisk::{
    bytes,
    error::Malformed,
    log::change::Result, //
};

/// The bits that the data of a set or clear operation means.
pub(in crate::ondisk::log) fn range(data: &[u8], value: bool, page: &[u8]) -> Result<Bits> {
    let cut = || Malformed::truncated("logged bits without a range", 0, data.len(), 8);
    if data.len() != 8 {
        return Err(cut().into());
    }
    let first = bytes::u32_at(data, 0).ok_or_else(cut)?;
    let count = bytes::u32_at(data, 4).ok_or_else(cut)?;
    Bits::new(
        bytes::usize_from_u32(first),
        bytes::usize_from_u32(count),
        value,
        page.len(),
    )
}

/// Sets or clears bits.
pub(super) fn set<'a>(content: Content<'_>, value: bool, page: &[u8]) -> Result<Edit<'a>> {
    Ok(Edit::Bits(range(content.bytes()?, value, page)?))
}

/// Replaces bytes.
pub(super) fn update<'a>(content: Content<'a>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    // One of the two is 0 in all that is known.
    let at = frame.record_offset.saturating_add(frame.attribute_offset);
    Ok(Edit::Splice(Splice::overwrite(at, content, page.len())?))
}
