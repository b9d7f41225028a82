// SPDX-License-Identifier: GPL-2.0-only

//! What each operation does to its page.
//!
//! Planning and doing are apart. [`plan`] looks at the page, checks all, and answers an [`Edit`];
//! [`Edit::execute`] changes the page and cannot fail. So nothing is ever done by halves, and a
//! change can be tried before it is logged.

mod bitmap;
mod edit;
mod index;
mod record;

pub(super) use bitmap::range;
pub(super) use edit::Edit;
pub(super) use index::{
    image_length,
    Node,
    FILE_NAME_LENGTH,
    FILE_NAME_OFFSET, //
};
pub(super) use record::{
    Record,
    HEADER_IMAGE, //
};

use edit::Content;

use super::{
    change::{
        Action,
        PageKind,
        Result, //
    },
    opcode::Opcode,
};
use crate::ondisk::error::Malformed;

/// In which direction history moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something new is done, or done again.
    Forward,
    /// Something is taken back: an undo, or the redo of one.
    Back,
}

/// Where an operation acts, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// See [`super::change::Change::record_offset`].
    pub(super) record_offset: usize,
    /// See [`super::change::Change::attribute_offset`].
    pub(super) attribute_offset: usize,
    /// How many bytes the opposite direction has: with as many nothing moves.
    pub(super) inverse_length: usize,
    /// The direction.
    pub(super) turn: Turn,
}

/// Checks an operation against its page, and says what is to be done.
pub(super) fn plan<'a>(
    action: &'a Action,
    frame: &Frame,
    kind: PageKind,
    page: &[u8],
) -> Result<Edit<'a>> {
    let content = Content::of(&action.data);
    match (action.opcode, kind) {
        (Opcode::Noop, _) => Ok(Edit::Nothing),
        (Opcode::UpdateNonresidentValue, PageKind::IndexBlock) => {
            index::initialize(content, frame, page)
        }
        (Opcode::UpdateNonresidentValue, PageKind::Bitmap | PageKind::Data) => {
            bitmap::update(content, frame, page)
        }
        (Opcode::SetBitsInNonresidentBitMap, PageKind::Bitmap) => bitmap::set(content, true, page),
        (Opcode::ClearBitsInNonresidentBitMap, PageKind::Bitmap) => {
            bitmap::set(content, false, page)
        }
        (opcode, PageKind::Record) => plan_record(opcode, content, frame, page),
        (opcode, PageKind::IndexBlock) => plan_block(opcode, content, frame, page),
        (opcode, PageKind::Bitmap | PageKind::Data) => Err(unfit(opcode)),
    }
}

fn plan_record<'a>(
    opcode: Opcode,
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    match opcode {
        Opcode::InitializeFileRecordSegment => record::initialize(content, frame, page),
        Opcode::DeallocateFileRecordSegment => record::deallocate(page),
        Opcode::WriteEndOfFileRecordSegment => record::write_end(content, frame, page),
        Opcode::CreateAttribute => record::create(content, frame, page),
        Opcode::DeleteAttribute => record::delete(frame, page),
        Opcode::UpdateResidentValue => record::update_value(content, frame, page),
        Opcode::UpdateMappingPairs => record::update_mapping_pairs(content, frame, page),
        Opcode::SetNewAttributeSizes => record::set_sizes(content, frame, page),
        Opcode::ZeroEndOfFileRecord => record::zero_end(content, frame, page),
        Opcode::AddIndexEntryRoot => index::add(&Node::root(page, frame)?, content, frame),
        Opcode::DeleteIndexEntryRoot => index::delete(&Node::root(page, frame)?, frame),
        Opcode::SetIndexEntryVcnRoot => {
            index::set_vcn(&Node::root(page, frame)?, content, frame, page)
        }
        Opcode::UpdateFileNameRoot => {
            index::update_file_name(&Node::root(page, frame)?, content, frame, page)
        }
        Opcode::UpdateRecordDataRoot => {
            index::update_data(&Node::root(page, frame)?, content, frame, page)
        }
        _ => Err(unfit(opcode)),
    }
}

fn plan_block<'a>(
    opcode: Opcode,
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    match opcode {
        Opcode::AddIndexEntryAllocation => index::add(&Node::block(page)?, content, frame),
        Opcode::DeleteIndexEntryAllocation => index::delete(&Node::block(page)?, frame),
        Opcode::WriteEndOfIndexBuffer => index::write_end(&Node::block(page)?, content, frame),
        Opcode::SetIndexEntryVcnAllocation => {
            index::set_vcn(&Node::block(page)?, content, frame, page)
        }
        Opcode::UpdateFileNameAllocation => {
            index::update_file_name(&Node::block(page)?, content, frame, page)
        }
        Opcode::UpdateRecordDataAllocation => {
            index::update_data(&Node::block(page)?, content, frame, page)
        }
        _ => Err(unfit(opcode)),
    }
}

/// An operation that does nothing to pages of this kind, or that nobody knows how to do.
fn unfit(opcode: Opcode) -> super::change::Error {
    Malformed::new(
        "log operation that does not fit its page",
        0,
        u64::from(opcode.to_raw()),
        0,
    )
    .into()
}
