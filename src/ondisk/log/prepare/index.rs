// SPDX-License-Identifier: GPL-2.0-only

//! Making changes of index nodes.

use super::{
    cut,
    offset,
    Change,
    Result, //
};
use crate::ondisk::{
    bytes,
    log::{
        change::{
            Action,
            PageKind, //
        },
        opcode::Opcode,
        perform::{
            image_length,
            Node,
            FILE_NAME_LENGTH,
            FILE_NAME_OFFSET, //
        },
    },
    units::Vcn,
};

/// Which node of an index a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The page is an MFT record, with the `$INDEX_ROOT` at this offset.
    Root(usize),
    /// The page is an INDX block.
    Block,
}

impl Place {
    fn node(self, page: &[u8]) -> Result<Node<'_>> {
        match self {
            Self::Root(at) => Node::root_at(page, at),
            Self::Block => Node::block(page),
        }
    }

    fn kind(self) -> PageKind {
        match self {
            Self::Root(_) => PageKind::Record,
            Self::Block => PageKind::IndexBlock,
        }
    }

    fn record_offset(self) -> usize {
        match self {
            Self::Root(at) => at,
            Self::Block => 0,
        }
    }

    /// One of two operations.
    fn choose(self, root: Opcode, block: Opcode) -> Opcode {
        match self {
            Self::Root(_) => root,
            Self::Block => block,
        }
    }

    fn add(self) -> Opcode {
        self.choose(Opcode::AddIndexEntryRoot, Opcode::AddIndexEntryAllocation)
    }

    fn delete(self) -> Opcode {
        self.choose(
            Opcode::DeleteIndexEntryRoot,
            Opcode::DeleteIndexEntryAllocation,
        )
    }

    fn change(
        self,
        page: &[u8],
        node: &Node<'_>,
        entry_offset: usize,
        redo: Action,
        undo: Action,
    ) -> Result<Change> {
        Change {
            redo,
            undo,
            record_offset: offset(self.record_offset())?,
            attribute_offset: offset(node.attribute_offset(entry_offset))?,
        }
        .checked(self.kind(), page)
    }
}

/// `entry_offset` is the [`IndexEntry::offset`](crate::ondisk::index::IndexEntry::offset) of an entry.
impl Change {
    /// Inserts an entry before the one at `entry_offset`, which may be the last.
    pub fn add_index_entry(
        page: &[u8],
        place: Place,
        entry_offset: usize,
        entry: &[u8],
    ) -> Result<Self> {
        place.change(
            page,
            &place.node(page)?,
            entry_offset,
            Action::with(place.add(), entry)?,
            Action::bare(place.delete()),
        )
    }

    /// Removes an entry, which is not the last.
    pub fn delete_index_entry(page: &[u8], place: Place, entry_offset: usize) -> Result<Self> {
        let node = place.node(page)?;
        let (at, entry) = node.entry(node.attribute_offset(entry_offset))?;
        let old = bytes::slice_at(page, at, entry.length).ok_or(cut(at, page))?;
        place.change(
            page,
            &node,
            entry_offset,
            Action::bare(place.delete()),
            Action::with(place.add(), old)?,
        )
    }

    /// Points an entry to another sub-node.
    pub fn set_index_entry_vcn(
        page: &[u8],
        place: Place,
        entry_offset: usize,
        vcn: Vcn,
    ) -> Result<Self> {
        let node = place.node(page)?;
        let (at, entry) = node.entry(node.attribute_offset(entry_offset))?;
        let opcode = place.choose(
            Opcode::SetIndexEntryVcnRoot,
            Opcode::SetIndexEntryVcnAllocation,
        );
        let old = entry.sub_node.ok_or(cut(at, page))?;
        place.change(
            page,
            &node,
            entry_offset,
            Action::with(opcode, &vcn.get().to_le_bytes())?,
            Action::with(opcode, &old.get().to_le_bytes())?,
        )
    }

    /// Changes times, sizes and attributes in a directory's entry; `new` is a whole `$FILE_NAME`.
    pub fn update_index_file_name(
        page: &[u8],
        place: Place,
        entry_offset: usize,
        new: &[u8],
    ) -> Result<Self> {
        let node = place.node(page)?;
        let (at, _) = node.entry(node.attribute_offset(entry_offset))?;
        let opcode = place.choose(Opcode::UpdateFileNameRoot, Opcode::UpdateFileNameAllocation);
        let old_at = at.saturating_add(FILE_NAME_OFFSET);
        let old = bytes::slice_at(page, old_at, FILE_NAME_LENGTH).ok_or(cut(old_at, page))?;
        let new = bytes::slice_at(new, crate::ondisk::file_name::TIMES, FILE_NAME_LENGTH)
            .ok_or(cut(FILE_NAME_LENGTH, new))?;
        place.change(
            page,
            &node,
            entry_offset,
            Action::with(opcode, new)?,
            Action::with(opcode, old)?,
        )
    }

    /// Replaces the entries of a block from the one at `entry_offset` on; `new` has a last entry.
    pub fn write_end_of_index(block: &[u8], entry_offset: usize, new: &[u8]) -> Result<Self> {
        let node = Node::block(block)?;
        let (at, _) = node.entry(node.attribute_offset(entry_offset))?;
        let opcode = Opcode::WriteEndOfIndexBuffer;
        Place::Block.change(
            block,
            &node,
            entry_offset,
            Action::with(opcode, new)?,
            Action::with(opcode, node.tail(at))?,
        )
    }

    /// Fills a block that was not in use with `image`, a whole block.
    ///
    /// There is no undo: what the block held is lost, and nothing points to it after a rollback.
    pub fn initialize_index_block(old: &[u8], image: &[u8]) -> Result<Self> {
        let image = image
            .get(..image_length(image)?)
            .ok_or(cut(image.len(), image))?;
        Self {
            redo: Action::with(Opcode::UpdateNonresidentValue, image)?,
            undo: Action::NOTHING,
            record_offset: 0,
            attribute_offset: 0,
        }
        .checked(PageKind::IndexBlock, old)
    }
}
