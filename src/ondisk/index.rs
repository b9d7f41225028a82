// SPDX-License-Identifier: GPL-2.0-only

//! Nodes of B+ trees: index roots, index blocks and their entries.
//!
//! Directories are indexes of `$FILE_NAME`s called `$I30`. The root node is the value of
//! `$INDEX_ROOT`; all others are INDX blocks in `$INDEX_ALLOCATION`, found by a VCN. A node is a
//! header and a chain of entries; the last entry has no key. An entry can point to a sub-node with
//! keys that sort before it.

use kernel::{
    alloc::AllocError,
    prelude::{
        KVec,
        GFP_KERNEL, //
    },
};

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    fixup::Magic,
    units::{
        ByteOffset,
        ClusterSize,
        IndexBlockSize,
        Lsn,
        MftReference,
        Vcn, //
    },
};

/// Offsets within the value of `$INDEX_ROOT`.
pub(super) mod root_field {
    pub(super) const INDEXED_TYPE: usize = 0x00;
    pub(super) const COLLATION: usize = 0x04;
    pub(super) const BLOCK_SIZE: usize = 0x08;
    pub(in crate::ondisk) const NODE: usize = 0x10;
}

/// Offsets within an INDX block.
pub(super) mod block_field {
    pub(in crate::ondisk) const LSN: usize = 0x08;
    pub(in crate::ondisk) const VCN: usize = 0x10;
    pub(in crate::ondisk) const NODE: usize = 0x18;
}

/// Offsets within the header of a node, which stands before its entries.
pub(super) mod node_field {
    pub(in crate::ondisk) const ENTRIES_OFFSET: usize = 0x00;
    pub(in crate::ondisk) const ENTRIES_END: usize = 0x04;
    pub(in crate::ondisk) const ALLOCATED: usize = 0x08;
    pub(in crate::ondisk) const LENGTH: usize = 0x10;
}

/// Offsets within an entry.
pub(super) mod entry_field {
    pub(in crate::ondisk) const REFERENCE: usize = 0x00;
    /// In views instead of the reference.
    pub(in crate::ondisk) const DATA_OFFSET: usize = 0x00;
    pub(in crate::ondisk) const DATA_LENGTH: usize = 0x02;
    pub(in crate::ondisk) const LENGTH: usize = 0x08;
    pub(in crate::ondisk) const KEY_LENGTH: usize = 0x0a;
    pub(in crate::ondisk) const FLAGS: usize = 0x0c;
    pub(in crate::ondisk) const KEY: usize = 0x10;
}

const ENTRY_HAS_SUB_NODE: u16 = 0x1;
const ENTRY_IS_LAST: u16 = 0x2;

/// How the keys of an index are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collation(u32);

impl Collation {
    /// File names: without regard to case first, see [`super::upcase::UpCase`].
    pub const FILE_NAME: Self = Self(1);
    /// One number of 32 bits.
    pub const NUMBER: Self = Self(0x10);
    /// Some numbers of 32 bits, of which the first counts most.
    pub const NUMBERS: Self = Self(0x13);

    /// The number on the disk.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What a VCN of an index counts.
///
/// Clusters; but 512-byte sectors where an index block is smaller than a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcnUnit {
    bytes: u32,
}

impl VcnUnit {
    /// Bytes of a sector, the smaller unit.
    const SECTOR: u32 = 512;

    /// The unit in an index with blocks of this size.
    pub fn new(block: IndexBlockSize, cluster: ClusterSize) -> Self {
        Self {
            bytes: if block.bytes() < cluster.bytes() {
                Self::SECTOR
            } else {
                cluster.bytes()
            },
        }
    }

    /// Bytes in one unit.
    pub const fn bytes(self) -> u32 {
        self.bytes
    }

    /// Where the block at `vcn` begins in the index allocation.
    pub fn to_offset(self, vcn: Vcn) -> Option<ByteOffset> {
        vcn.get()
            .checked_mul(u64::from(self.bytes))
            .map(ByteOffset::new)
    }
}

/// The value of `$INDEX_ROOT`.
#[derive(Clone, Copy, Debug)]
pub struct IndexRoot<'a> {
    /// The attribute type of the keys: that of `$FILE_NAME` in a directory, 0 in a view.
    pub indexed_type: u32,
    /// How the keys are ordered.
    pub collation: Collation,
    /// The size of the blocks in `$INDEX_ALLOCATION`.
    pub block_size: IndexBlockSize,
    /// The root node.
    pub node: IndexNode<'a>,
}

impl<'a> IndexRoot<'a> {
    /// Decodes the value of an `$INDEX_ROOT` attribute.
    pub fn parse(value: &'a [u8]) -> Result<Self> {
        let cut = || Malformed::truncated("index root cut off", 0, value.len(), root_field::NODE);
        let u32_field = |at| bytes::u32_at(value, at).ok_or_else(cut);
        let block_size = u32_field(root_field::BLOCK_SIZE)?;
        Ok(Self {
            indexed_type: u32_field(root_field::INDEXED_TYPE)?,
            collation: Collation(u32_field(root_field::COLLATION)?),
            block_size: IndexBlockSize::new(block_size).ok_or(Malformed::new(
                "index block size",
                root_field::BLOCK_SIZE,
                u64::from(block_size),
                4096,
            ))?,
            node: IndexNode::parse(value, root_field::NODE)?,
        })
    }
}

/// An INDX block whose fixups are undone.
#[derive(Clone, Copy, Debug)]
pub struct IndexBlock<'a> {
    /// The last log record that describes a change of this block.
    pub lsn: Lsn,
    /// Where the block says that it is in the index allocation.
    pub vcn: Vcn,
    /// The node that is stored in the block.
    pub node: IndexNode<'a>,
}

impl<'a> IndexBlock<'a> {
    /// Decodes a block; `block` is the whole of it.
    pub fn parse(block: &'a [u8]) -> Result<Self> {
        Magic::INDX.check(block)?;
        let cut = || Malformed::truncated("index block cut off", 0, block.len(), block_field::NODE);
        Ok(Self {
            lsn: Lsn::new(bytes::u64_at(block, block_field::LSN).ok_or_else(cut)?),
            vcn: Vcn::new(bytes::u64_at(block, block_field::VCN).ok_or_else(cut)?),
            node: IndexNode::parse(block, block_field::NODE)?,
        })
    }

    /// Checks that the block is the one that was asked for.
    pub fn expect_vcn(&self, vcn: Vcn) -> Result<()> {
        if self.vcn == vcn {
            Ok(())
        } else {
            Err(Malformed::new(
                "VCN of the index block",
                block_field::VCN,
                self.vcn.get(),
                vcn.get(),
            ))
        }
    }
}

/// The entries of one node.
///
/// The entries end where the header says or at the end of the buffer, whichever comes first; the
/// last entry normally ends them before.
///
/// # Invariants
///
/// `used` is a prefix of the buffer that the node is in, and `first` lies within it.
#[derive(Clone, Copy, Debug)]
pub struct IndexNode<'a> {
    used: &'a [u8],
    first: usize,
}

impl<'a> IndexNode<'a> {
    /// Decodes the node whose header is at offset `at` of `buffer`.
    fn parse(buffer: &'a [u8], at: usize) -> Result<Self> {
        let header = buffer.get(at..).unwrap_or(&[]);
        let cut =
            || Malformed::truncated("index header cut off", at, header.len(), node_field::LENGTH);
        let field = |offset| {
            bytes::u32_at(header, offset)
                .map(bytes::usize_from_u32)
                .ok_or_else(cut)
        };
        let offset = field(node_field::ENTRIES_OFFSET)?;
        let end = field(node_field::ENTRIES_END)?.saturating_add(at);
        let used = buffer.get(..end).unwrap_or(buffer);
        let first = offset.saturating_add(at);
        if offset < node_field::LENGTH || first > used.len() {
            return Err(Malformed::truncated(
                "index entries outside of their node",
                at.saturating_add(node_field::ENTRIES_OFFSET),
                first,
                used.len(),
            ));
        }
        // INVARIANT: Checked above.
        Ok(Self { used, first })
    }

    /// The entries in order, the last one (without a key) included.
    ///
    /// An entry that is broken inside gives an error, and the next one follows. After an entry of
    /// which not even the length is usable nothing follows.
    pub fn entries(&self) -> IndexEntries<'a> {
        IndexEntries {
            used: self.used,
            next: Some(self.first),
        }
    }

    /// The entries from the one at `offset` on.
    ///
    /// `offset` is the [`IndexEntry::offset`] of an entry of this node. Any other value is safe,
    /// but gives whatever the bytes there look like.
    pub fn entries_from(&self, offset: usize) -> IndexEntries<'a> {
        IndexEntries {
            used: self.used,
            next: Some(offset.max(self.first)),
        }
    }
}

/// An entry of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry<'a> {
    /// Where the entry begins in the buffer of its node (root value or block), in bytes.
    pub offset: usize,
    /// How many bytes the entry has.
    pub length: usize,
    /// The file that a directory entry is about; in views these bytes mean something else.
    pub reference: MftReference,
    /// The key; `None` in the last entry of a node.
    pub key: Option<&'a [u8]>,
    /// The node with the keys between the entry before and this one.
    pub sub_node: Option<Vcn>,
    /// All of the entry.
    bytes: &'a [u8],
}

impl<'a> IndexEntry<'a> {
    /// What a view has for the key. Of an entry of a directory it means nothing.
    pub fn data(&self) -> Result<&'a [u8]> {
        let field = |at| bytes::u16_at(self.bytes, at).map_or(0, usize::from);
        let offset = field(entry_field::DATA_OFFSET);
        let length = field(entry_field::DATA_LENGTH);
        bytes::slice_at(self.bytes, offset, length).ok_or_else(|| {
            Malformed::truncated(
                "data beyond its index entry",
                self.offset.saturating_add(entry_field::DATA_OFFSET),
                offset.saturating_add(length),
                self.bytes.len(),
            )
        })
    }

    /// The bytes of the entry as it is to be in another place, with another node before it, or none. `None` if it would
    /// be longer than entries can be.
    pub fn moved(
        &self,
        sub_node: Option<Vcn>,
    ) -> core::result::Result<Option<KVec<u8>>, AllocError> {
        let own = match self.sub_node {
            Some(_) => self.length.saturating_sub(size_of::<u64>()),
            None => self.length,
        };
        let more = sub_node.map_or(0, |_| size_of::<u64>());
        let length = own.saturating_add(more);
        let flags = bytes::u16_at(self.bytes, entry_field::FLAGS).unwrap_or(0);
        let flags = match sub_node {
            Some(_) => flags | ENTRY_HAS_SUB_NODE,
            None => flags & !ENTRY_HAS_SUB_NODE,
        };
        let Ok(short) = u16::try_from(length) else {
            return Ok(None);
        };
        let mut moved = KVec::<u8>::zeroed(length, GFP_KERNEL)?;
        bytes::put_at(&mut moved, 0, self.bytes.get(..own).unwrap_or(&[]));
        bytes::put_at(&mut moved, entry_field::LENGTH, &short.to_le_bytes());
        bytes::put_at(&mut moved, entry_field::FLAGS, &flags.to_le_bytes());
        if let Some(vcn) = sub_node {
            bytes::put_at(&mut moved, own, &vcn.get().to_le_bytes());
        }
        Ok(Some(moved))
    }
}

/// Iterator over the entries of a node.
#[derive(Clone, Debug)]
pub struct IndexEntries<'a> {
    used: &'a [u8],
    /// Where the next entry begins; `None` when there is no further one.
    next: Option<usize>,
}

impl<'a> IndexEntries<'a> {
    /// The entries in `bytes`, which are not part of a node (yet).
    pub(in crate::ondisk) fn loose(bytes: &'a [u8]) -> Self {
        Self {
            used: bytes,
            next: Some(0),
        }
    }

    /// Finds out how many bytes the entry at `offset` has.
    fn measure(&self, offset: usize) -> Result<&'a [u8]> {
        let rest = self.used.get(offset..).unwrap_or(&[]);
        let length = bytes::u16_at(rest, entry_field::LENGTH)
            .map(usize::from)
            .ok_or_else(|| {
                Malformed::truncated(
                    "index node without a last entry",
                    offset,
                    rest.len(),
                    entry_field::KEY,
                )
            })?;
        let at = offset.saturating_add(entry_field::LENGTH);
        if length < entry_field::KEY {
            return Err(Malformed::truncated(
                "index entry too short",
                at,
                length,
                entry_field::KEY,
            ));
        }
        rest.get(..length).ok_or_else(|| {
            Malformed::truncated("index entry beyond its node", at, length, rest.len())
        })
    }

    fn parse(entry: &'a [u8], offset: usize) -> Result<IndexEntry<'a>> {
        let cut = || Malformed::truncated("index entry cut off", 0, entry.len(), entry_field::KEY);
        let reference = bytes::u64_at(entry, entry_field::REFERENCE).ok_or_else(cut)?;
        let key_length = bytes::u16_at(entry, entry_field::KEY_LENGTH).ok_or_else(cut)?;
        let flags = bytes::u16_at(entry, entry_field::FLAGS).ok_or_else(cut)?;

        // The VCN of the sub-node is at the very end, behind the key and its padding.
        let (before_vcn, sub_node) = if flags & ENTRY_HAS_SUB_NODE != 0 {
            match entry.split_last_chunk::<8>() {
                Some((before, vcn)) if before.len() >= entry_field::KEY => {
                    (before, Some(Vcn::new(u64::from_le_bytes(*vcn))))
                }
                _ => {
                    return Err(Malformed::truncated(
                        "no room for the VCN of a sub-node",
                        entry_field::LENGTH,
                        entry.len(),
                        entry_field::KEY + 8,
                    ))
                }
            }
        } else {
            (entry, None)
        };
        let key = if flags & ENTRY_IS_LAST != 0 {
            None
        } else {
            let key = bytes::slice_at(before_vcn, entry_field::KEY, usize::from(key_length));
            Some(key.ok_or_else(|| {
                Malformed::truncated(
                    "key beyond its index entry",
                    entry_field::KEY_LENGTH,
                    usize::from(key_length),
                    before_vcn.len().saturating_sub(entry_field::KEY),
                )
            })?)
        };
        Ok(IndexEntry {
            offset,
            length: entry.len(),
            reference: MftReference::from_raw(reference),
            key,
            sub_node,
            bytes: entry,
        })
    }
}

impl<'a> Iterator for IndexEntries<'a> {
    type Item = Result<IndexEntry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ends in any case: every entry that is followed by another has at least 16 bytes.
        let offset = self.next.take()?;
        let bytes = match self.measure(offset) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        let is_last = bytes::u16_at(bytes, entry_field::FLAGS)
            .is_some_and(|flags| flags & ENTRY_IS_LAST != 0);
        if !is_last {
            self.next = offset.checked_add(bytes.len());
        }
        Some(Self::parse(bytes, offset).map_err(|error| error.within(offset)))
    }
}
