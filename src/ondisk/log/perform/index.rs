// SPDX-License-Identifier: GPL-2.0-only

//! Operations on the nodes of indexes, in an `$INDEX_ROOT` or in an INDX block.

use super::{
    edit::{
        Content,
        Edit,
        Splice, //
    },
    record::{
        keep_number,
        resized,
        Record, //
    },
    Frame,
};
use crate::ondisk::{
    attribute::{
        self,
        AttributeType, //
    },
    bytes,
    error::Malformed,
    file_name,
    fixup::Magic,
    index::{
        block_field,
        entry_field,
        node_field,
        root_field,
        IndexBlock,
        IndexEntries,
        IndexEntry,
        IndexNode,
        IndexRoot, //
    },
    log::change::{
        Error,
        Result, //
    },
};

/// Bytes of a `$FILE_NAME` that an update carries: its times, sizes and attributes.
pub(in crate::ondisk::log) const FILE_NAME_LENGTH: usize = 0x38;
/// Where they begin in an index entry.
pub(in crate::ondisk::log) const FILE_NAME_OFFSET: usize = entry_field::KEY + file_name::TIMES;

/// The record and attribute that a root node is in.
#[derive(Clone, Copy, Debug)]
struct Root<'a> {
    record: Record<'a>,
    /// Where the attribute begins in the record, and its length.
    attribute: (usize, usize),
    value_length: usize,
}

/// A node whose entries may be changed.
///
/// # Invariants
///
/// All entries are well-formed, their lengths are multiples of 8, and either all or none have a
/// sub-node. They end at `end` at the latest, which is within the page.
#[derive(Clone, Copy, Debug)]
pub(in crate::ondisk::log) struct Node<'a> {
    page: &'a [u8],
    entries: IndexNode<'a>,
    /// Where that begins in the page from which entries count their offset.
    base: usize,
    /// Where the node's header begins in the page.
    header: usize,
    /// Where the entries end in the page.
    end: usize,
    /// Where the room for them ends in the page.
    limit: usize,
    /// Whether the entries have sub-nodes.
    branch: bool,
    root: Option<Root<'a>>,
}

impl<'a> Node<'a> {
    /// The node in an INDX block.
    pub(in crate::ondisk::log) fn block(page: &'a [u8]) -> Result<Self> {
        let block = IndexBlock::parse(page)?;
        Self::check(page, block.node, 0, block_field::NODE, page.len(), None)
    }

    /// The node in the `$INDEX_ROOT` that begins at the frame's offset of a record.
    pub(in crate::ondisk::log) fn root(page: &'a [u8], frame: &Frame) -> Result<Self> {
        Self::root_at(page, frame.record_offset)
    }

    /// The node in the `$INDEX_ROOT` that begins at `at` of a record.
    pub(in crate::ondisk::log) fn root_at(page: &'a [u8], at: usize) -> Result<Self> {
        let record = Record::in_use(page)?;
        let (attribute, value, value_offset) = record.resident(at)?;
        if attribute.type_ != AttributeType::INDEX_ROOT {
            return Err(Malformed::new(
                "index entry logged for an attribute without entries",
                at,
                u64::from(attribute.type_.get()),
                u64::from(AttributeType::INDEX_ROOT.get()),
            )
            .into());
        }
        let base = at.saturating_add(value_offset);
        let root = Root {
            record,
            attribute: (at, attribute.length),
            value_length: value.len(),
        };
        Self::check(
            page,
            IndexRoot::parse(value)?.node,
            base,
            base.saturating_add(root_field::NODE),
            base.saturating_add(value.len()),
            Some(root),
        )
    }

    fn check(
        page: &'a [u8],
        entries: IndexNode<'a>,
        base: usize,
        header: usize,
        room: usize,
        root: Option<Root<'a>>,
    ) -> Result<Self> {
        let field = |offset| {
            bytes::u32_at(page, header.saturating_add(offset))
                .map(|length| header.saturating_add(bytes::usize_from_u32(length)))
        };
        let outside =
            |at| Malformed::truncated("index entries beyond their node", header, at, room);
        let limit = field(node_field::ALLOCATED).unwrap_or(usize::MAX);
        let end = field(node_field::ENTRIES_END).unwrap_or(usize::MAX);
        if limit > room || end > limit {
            return Err(outside(end).into());
        }
        let (last_end, branch) = check_entries(entries.entries())?;
        if base.saturating_add(last_end) > end {
            return Err(outside(last_end).into());
        }
        // INVARIANT: Checked above, and by `check_entries`.
        Ok(Self {
            page,
            entries,
            base,
            header,
            end,
            limit,
            branch,
            root,
        })
    }

    /// From where in the page the attribute offset of a change counts.
    fn origin(&self) -> usize {
        self.root.map_or(0, |root| root.attribute.0)
    }

    /// The attribute offset of the entry whose [`IndexEntry::offset`] is given.
    pub(in crate::ondisk::log) fn attribute_offset(&self, entry_offset: usize) -> usize {
        entry_offset
            .saturating_add(self.base)
            .saturating_sub(self.origin())
    }

    /// The entry at an attribute offset, and where it begins in the page.
    pub(in crate::ondisk::log) fn entry(
        &self,
        attribute_offset: usize,
    ) -> Result<(usize, IndexEntry<'a>)> {
        let at = attribute_offset.saturating_add(self.origin());
        let found = self
            .entries
            .entries()
            .flatten()
            .find(|entry| entry.offset.checked_add(self.base) == Some(at));
        match found {
            Some(entry) => Ok((at, entry)),
            None => Err(Malformed::new(
                "no index entry begins where one is logged",
                at,
                bytes::u64_from_usize(at),
                0,
            )
            .into()),
        }
    }

    /// The bytes from `at` up to the end of the entries.
    pub(in crate::ondisk::log) fn tail(&self, at: usize) -> &'a [u8] {
        self.page.get(at..self.end).unwrap_or(&[])
    }

    /// Replaces a range of the entries by what may have another length.
    fn splice<'c>(
        &self,
        at: usize,
        removed: usize,
        inserted: usize,
        content: Content<'c>,
    ) -> Result<Splice<'c>> {
        let splice = match &self.root {
            None => Splice::new((at, removed), inserted, content, self.end, self.limit)?,
            Some(root) => {
                let length = |field| root.attribute.0.saturating_add(field);
                let allocated = self.limit.saturating_sub(self.header);
                root.record
                    .splice(at, removed, inserted, content)?
                    .with_u32(
                        length(attribute::field::LENGTH),
                        resized(root.attribute.1, removed, inserted)?,
                    )
                    .with_u32(
                        length(attribute::field::VALUE_LENGTH),
                        resized(root.value_length, removed, inserted)?,
                    )
                    .with_u32(
                        self.header.saturating_add(node_field::ALLOCATED),
                        resized(allocated, removed, inserted)?,
                    )
            }
        };
        let used = self.end.saturating_sub(self.header);
        Ok(splice.with_u32(
            self.header.saturating_add(node_field::ENTRIES_END),
            resized(used, removed, inserted)?,
        ))
    }
}

/// Checks the entries of a node: where the last one ends, and whether they have sub-nodes.
fn check_entries(entries: IndexEntries<'_>) -> Result<(usize, bool)> {
    let mut end = 0;
    let mut branch = None;
    for entry in entries {
        let entry = entry?;
        let has_sub_node = entry.sub_node.is_some();
        if entry.length & 7 != 0 || branch.is_some_and(|branch| branch != has_sub_node) {
            return Err(Malformed::new(
                "index entry unlike those before it",
                entry.offset,
                bytes::u64_from_usize(entry.length),
                u64::from(has_sub_node),
            )
            .into());
        }
        branch = Some(has_sub_node);
        end = entry.offset.saturating_add(entry.length);
    }
    Ok((end, branch.unwrap_or(false)))
}

fn wrong_entry(what: &'static str, at: usize, found: usize, expected: usize) -> Error {
    Malformed::truncated(what, at, found, expected).into()
}

/// Inserts an entry.
pub(super) fn add<'a>(node: &Node<'_>, content: Content<'a>, frame: &Frame) -> Result<Edit<'a>> {
    let (at, _) = node.entry(frame.attribute_offset)?;
    let bytes = content.bytes()?;
    let wrong = || wrong_entry("logged index entry", at, bytes.len(), entry_field::KEY);
    let entry = IndexEntries::loose(bytes).next().ok_or_else(wrong)??;
    if entry.length != bytes.len()
        || entry.length & 7 != 0
        || entry.key.is_none()
        || entry.sub_node.is_some() != node.branch
    {
        return Err(wrong());
    }
    let splice = node.splice(at, 0, bytes.len(), content)?;
    Ok(Edit::Splice(splice))
}

/// Removes an entry.
pub(super) fn delete<'a>(node: &Node<'_>, frame: &Frame) -> Result<Edit<'a>> {
    let (at, entry) = node.entry(frame.attribute_offset)?;
    if entry.key.is_none() {
        return Err(wrong_entry("removal of a last entry logged", at, 0, 0));
    }
    let splice = node.splice(at, entry.length, 0, Content::Zeros(0))?;
    Ok(Edit::Splice(splice))
}

/// Replaces the entries from one of them on.
pub(super) fn write_end<'a>(
    node: &Node<'_>,
    content: Content<'a>,
    frame: &Frame,
) -> Result<Edit<'a>> {
    let (at, _) = node.entry(frame.attribute_offset)?;
    let bytes = content.bytes()?;
    let (end, branch) = check_entries(IndexEntries::loose(bytes))?;
    if end != bytes.len() || branch != node.branch {
        return Err(wrong_entry("logged end of an index", at, end, bytes.len()));
    }
    let removed = node.end.saturating_sub(at);
    let splice = node.splice(at, removed, bytes.len(), content)?;
    Ok(Edit::Splice(splice))
}

/// Points an entry to another sub-node.
pub(super) fn set_vcn<'a>(
    node: &Node<'_>,
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    let (at, entry) = node.entry(frame.attribute_offset)?;
    let length = content.bytes()?.len();
    if entry.sub_node.is_none() || length != 8 {
        return Err(wrong_entry("sub-node logged for an entry", at, length, 8));
    }
    let vcn_at = at.saturating_add(entry.length).saturating_sub(8);
    Ok(Edit::Splice(Splice::overwrite(
        vcn_at,
        content,
        page.len(),
    )?))
}

/// Changes times, sizes and attributes of a directory's entry.
pub(super) fn update_file_name<'a>(
    node: &Node<'_>,
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    let (at, entry) = node.entry(frame.attribute_offset)?;
    let length = content.bytes()?.len();
    let key = entry.key.unwrap_or(&[]);
    file_name::FileName::parse(key).map_err(|error| error.within(at))?;
    if length != FILE_NAME_LENGTH {
        return Err(wrong_entry(
            "logged file name",
            at,
            length,
            FILE_NAME_LENGTH,
        ));
    }
    Ok(Edit::Splice(Splice::overwrite(
        at.saturating_add(FILE_NAME_OFFSET),
        content,
        page.len(),
    )?))
}

/// Changes the data of a view's entry, which stands behind its key.
pub(super) fn update_data<'a>(
    node: &Node<'_>,
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    let (at, entry) = node.entry(frame.attribute_offset)?;
    let offset =
        bytes::u16_at(page, at.saturating_add(entry_field::DATA_OFFSET)).map_or(0, usize::from);
    let sub_node = if node.branch { 8 } else { 0 };
    let room = entry.length.saturating_sub(sub_node);
    let length = content.bytes()?.len();
    if offset < entry_field::KEY || offset.saturating_add(length) > room || entry.key.is_none() {
        return Err(wrong_entry("logged data of an entry", at, length, room));
    }
    Ok(Edit::Splice(Splice::overwrite(
        at.saturating_add(offset),
        content,
        page.len(),
    )?))
}

/// Fills an INDX block with an image.
pub(super) fn initialize<'a>(content: Content<'a>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let image = content.bytes()?;
    let at = frame.record_offset.saturating_add(frame.attribute_offset);
    let block = IndexBlock::parse(image)?;
    let (end, _) = check_entries(block.node.entries())?;
    let field = |offset| {
        bytes::u32_at(image, block_field::NODE.saturating_add(offset))
            .map(|length| bytes::usize_from_u32(length).saturating_add(block_field::NODE))
            .unwrap_or(usize::MAX)
    };
    if at != 0
        || end > field(node_field::ENTRIES_END)
        || field(node_field::ENTRIES_END) > image.len()
        || field(node_field::ALLOCATED) > page.len()
    {
        return Err(wrong_entry("logged index block", at, image.len(), end));
    }
    let splice = Splice::new((0, page.len()), page.len(), content, page.len(), page.len())?;
    Ok(Edit::Splice(keep_number(splice, image, page, Magic::INDX)))
}

/// How many bytes the image of an INDX block has that is logged.
pub(in crate::ondisk::log) fn image_length(block: &[u8]) -> Result<usize> {
    Ok(Node::block(block)?.end)
}
