// SPDX-License-Identifier: GPL-2.0-only

//! The nodes of a B+ tree, mostly that of a directory: its root and its index blocks.
//!
//! The root is a resident attribute; the blocks are in `$INDEX_ALLOCATION`, and come through a cache
//! of owned buffers. A node is visited with its lock held and only for as long as it takes to look at
//! it. The index bitmap is not consulted: a block that the tree refers to is in use.
//!
//! Lock order: see [`super`]. One node at a time, never a child with its parent.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use super::{
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    buffer::{
        Buffer,
        Mapped, //
    },
    cache::Handle,
    catalog::Catalog,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    store::Store, //
};
use crate::ondisk::{
    attribute::AttributeType,
    bytes::{
        u64_from_usize,
        usize_from_u32, //
    },
    fixup::{
        self,
        Magic,
        Transfer, //
    },
    index::{
        Collation,
        IndexBlock,
        IndexNode,
        IndexRoot,
        VcnUnit, //
    },
    units::{
        ByteCount,
        ByteOffset,
        IndexBlockSize,
        MftReference,
        Vcn, //
    },
};

/// Which index of a file is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexKind {
    /// `$I30`: the names in a directory.
    FileNames,
    /// `$SII` of `$Secure`: where the security descriptor of an id is.
    SecurityIds,
    /// `$O` of `$Extend/$ObjId`: which file has an object id.
    ObjectIds,
    /// `$R` of `$Extend/$Reparse`: which files have reparse points.
    ReparsePoints,
}

impl IndexKind {
    /// The name of its attributes.
    pub fn name(self) -> &'static [u16] {
        match self {
            Self::FileNames => &[0x24, 0x49, 0x33, 0x30],
            Self::SecurityIds => &[0x24, 0x53, 0x49, 0x49],
            Self::ObjectIds => &[0x24, 0x4f],
            Self::ReparsePoints => &[0x24, 0x52],
        }
    }

    /// How its keys are ordered.
    fn collation(self) -> Collation {
        match self {
            Self::FileNames => Collation::FILE_NAME,
            Self::SecurityIds => Collation::NUMBER,
            Self::ObjectIds | Self::ReparsePoints => Collation::NUMBERS,
        }
    }
}

/// Nodes between the root and a leaf at most; more than any real tree has.
pub const MAX_DEPTH: usize = 32;
/// Bytes that are read at once when somebody walks through the blocks of a directory.
const CHUNK: usize = 64 * 1024;
/// The same in a file, where chunks are those of a region: a power of two.
const CHUNK_BYTES: u64 = u64_from_usize(CHUNK);

/// Which index block is meant, in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey {
    /// The directory, or other file, by the use of its record.
    pub directory: MftReference,
    /// Which index of it.
    pub kind: IndexKind,
    /// Where the block is in the index allocation.
    pub vcn: Vcn,
}

/// Which node of a tree is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The root.
    Root,
    /// The index block at a VCN.
    Block(Vcn),
}

/// An index, opened.
pub struct Index {
    directory: MftReference,
    kind: IndexKind,
    root: Arc<Attribute>,
    /// There if the tree has more nodes than its root.
    allocation: Option<Arc<Attribute>>,
    block_size: IndexBlockSize,
    unit: VcnUnit,
    /// Where the block that was read last ends, to notice who walks through them.
    last_end_hint: Atomic<u64>,
}

impl Index {
    /// Opens the index of file names that a directory has.
    pub fn open<D: Device>(store: &Store<D>, catalog: &Catalog) -> Result<Self> {
        Self::open_kind(store, catalog, IndexKind::FileNames)
    }

    /// Opens an index of a file.
    pub fn open_kind<D: Device>(
        store: &Store<D>,
        catalog: &Catalog,
        kind: IndexKind,
    ) -> Result<Self> {
        let place = Place::IndexRoot(catalog.owner.number);
        let name = kind.name();
        let root = Attribute::open(store, catalog, AttributeType::INDEX_ROOT, name)?
            .ok_or_else(|| Error::rule(place, "index without $INDEX_ROOT", 0, 1))?;
        let allocation =
            match Attribute::open(store, catalog, AttributeType::INDEX_ALLOCATION, name) {
                Ok(allocation) => allocation,
                Err(error) if error.is_transient() => return Err(error),
                // What is in the root can be shown; a visit to a block finds it missing.
                Err(_) => None,
            };
        let block_size = Self::visit_root(store, &root, place, |root| {
            if root.collation != kind.collation() {
                return Err(Error::rule(
                    place,
                    "collation rule of the index",
                    u64::from(root.collation.get()),
                    u64::from(kind.collation().get()),
                ));
            }
            Ok(root.block_size)
        })?;
        Ok(Self {
            directory: catalog.owner,
            kind,
            root,
            allocation,
            block_size,
            unit: VcnUnit::new(block_size, store.geometry().cluster_size()),
            last_end_hint: Atomic::new(0),
        })
    }

    /// The directory, or other file.
    pub fn directory(&self) -> MftReference {
        self.directory
    }

    /// Bytes that the index takes: those of the root, and of all blocks.
    pub fn sizes(&self) -> (ByteCount, Option<crate::ondisk::attribute::Sizes>) {
        let blocks = self.allocation.as_ref().map(|blocks| blocks.sizes());
        (self.root.data_size(), blocks)
    }

    /// The attribute that is the root.
    pub(super) fn root(&self) -> &Attribute {
        &self.root
    }

    /// The name of its attributes.
    pub(super) fn name(&self) -> &'static [u16] {
        self.kind.name()
    }

    /// The buffer of an index block, which stays in the cache with it.
    pub(super) fn block<D: Device>(&self, store: &Store<D>, vcn: Vcn) -> Result<Handle<Buffer>> {
        store
            .blocks
            .get_or_insert(self.key(vcn), Buffer::index_block)
    }

    /// Which bit of the index bitmap tells of a block.
    pub(super) fn bit_of(&self, vcn: Vcn) -> Option<u64> {
        let at = self.unit.to_offset(vcn)?;
        at.get().checked_div(u64::from(self.block_size.bytes()))
    }

    /// [`Self::map_block`], if nobody has the block locked.
    pub(super) fn try_map_block<'b, D: Device>(
        &self,
        store: &Store<D>,
        vcn: Vcn,
        buffer: &'b Handle<Buffer>,
    ) -> Result<Option<Mapped<'b>>> {
        let mapping = self.blocks(store, vcn)?;
        buffer.try_map(|| self.read(store, &mapping, vcn))
    }

    /// Where the blocks are, of which one is wanted.
    fn blocks<D: Device>(&self, store: &Store<D>, vcn: Vcn) -> Result<Arc<Mapping>> {
        let place = self.place(Node::Block(vcn));
        self.allocation
            .as_ref()
            .ok_or_else(|| Error::rule(place, "index without $INDEX_ALLOCATION", 0, 1))?
            .mapping(store)
    }

    /// Locks an index block, and reads it if need be.
    pub(super) fn map_block<'b, D: Device>(
        &self,
        store: &Store<D>,
        vcn: Vcn,
        buffer: &'b Handle<Buffer>,
    ) -> Result<Mapped<'b>> {
        // Before the block is locked, so that no record is mapped under its lock.
        let mapping = self.blocks(store, vcn)?;
        buffer.map(|| self.read(store, &mapping, vcn))
    }

    /// Where a node is, for an error.
    pub fn place(&self, node: Node) -> Place {
        match node {
            Node::Root => Place::IndexRoot(self.directory.number),
            Node::Block(vcn) => Place::IndexBlock(self.directory.number, vcn),
        }
    }

    /// Lets `look` have a node, with its lock held.
    pub fn visit<D, R, F>(&self, store: &Store<D>, node: Node, look: F) -> Result<R>
    where
        D: Device,
        F: FnOnce(&IndexNode<'_>) -> Result<R>,
    {
        let place = self.place(node);
        match node {
            Node::Root => Self::visit_root(store, &self.root, place, |root| look(&root.node)),
            Node::Block(vcn) => self.visit_block(store, vcn, look),
        }
    }

    fn visit_root<D, R, F>(store: &Store<D>, root: &Attribute, place: Place, look: F) -> Result<R>
    where
        D: Device,
        F: FnOnce(&IndexRoot<'_>) -> Result<R>,
    {
        root.with_resident(store, &(), |value| {
            look(&IndexRoot::parse(value).at(place)?)
        })?
        .unwrap_or_else(|| Err(Error::rule(place, "index root in clusters", 1, 0)))
    }

    fn visit_block<D, R, F>(&self, store: &Store<D>, vcn: Vcn, look: F) -> Result<R>
    where
        D: Device,
        F: FnOnce(&IndexNode<'_>) -> Result<R>,
    {
        let place = self.place(Node::Block(vcn));
        let buffer = self.block(store, vcn)?;
        let mapped = self.map_block(store, vcn, &buffer)?;
        let block = IndexBlock::parse(mapped.bytes()).at(place)?;
        block.expect_vcn(vcn).at(place)?;
        look(&block.node)
    }

    fn key(&self, vcn: Vcn) -> BlockKey {
        BlockKey {
            directory: self.directory,
            kind: self.kind,
            vcn,
        }
    }

    /// Reads a block, and those behind it when they are read one after the other, or those around it when
    /// another of them was read lately: in the order of names they are not in that of their places.
    fn read<D: Device>(&self, store: &Store<D>, mapping: &Mapping, vcn: Vcn) -> Result<KVec<u8>> {
        let place = self.place(Node::Block(vcn));
        let size = usize_from_u32(self.block_size.bytes());
        let beyond = || {
            Error::rule(
                place,
                "index block beyond the index allocation",
                vcn.get(),
                mapping.sizes.data.get(),
            )
        };
        let at = self.unit.to_offset(vcn).ok_or_else(beyond)?;
        let end = at
            .checked_add(ByteCount::new(u64_from_usize(size)))
            .ok_or_else(beyond)?;
        if end.get() > mapping.sizes.data.get() {
            return Err(beyond());
        }
        let walking = self.last_end_hint.xchg(end.get(), Relaxed) == at.get() && at.get() != 0;
        let region = at.get() / CHUNK_BYTES;
        let nearby = store.near_blocks.is_again(self.directory.number, region);
        let first = match walking {
            true => Some(at),
            false => nearby.then_some(ByteOffset::new(at.get() & !CHUNK_BYTES.saturating_sub(1))),
        };
        if let Some(block) = first.and_then(|first| self.read_chunk(store, mapping, first, at)) {
            return Ok(block);
        }
        let mut block = KVec::<u8>::zeroed(size, GFP_KERNEL)?;
        data::read_mapping(store, mapping, place, at, &mut block)?;
        finish(&mut block).at(place)?;
        Ok(block)
    }

    /// Reads the blocks from `first` on, keeps them all, and gives the one at `at`, which is not before `first`
    /// and less than a chunk behind it.
    ///
    /// `None` for any trouble: the caller reads the one block by itself.
    fn read_chunk<D: Device>(
        &self,
        store: &Store<D>,
        mapping: &Mapping,
        first: ByteOffset,
        at: ByteOffset,
    ) -> Option<KVec<u8>> {
        let size = usize_from_u32(self.block_size.bytes());
        let left = mapping.sizes.data.get().checked_sub(first.get())?;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let mut chunk = KVVec::<u8>::zeroed(wanted, GFP_KERNEL).ok()?;
        let place = Place::Record(self.directory.number);
        let written = store.written.load(Acquire);
        data::read_mapping(store, mapping, place, first, &mut chunk).ok()?;

        let mut wanted_block = None;
        let mut current = first;
        for bytes in chunk.chunks_exact(size.max(1)) {
            let mut block = array::copied(bytes).ok()?;
            let whole = finish(&mut block).is_ok();
            if current == at {
                wanted_block = Some(block).filter(|_| whole);
            } else if whole {
                self.keep(store, current, block, written);
            }
            current = current.checked_add(ByteCount::new(u64_from_usize(size)))?;
        }
        self.last_end_hint.store(current.get(), Relaxed);
        wanted_block
    }

    /// Puts a block that was read ahead into the cache.
    ///
    /// Not if anything was written since so many had been: then it may be another one by now.
    fn keep<D: Device>(&self, store: &Store<D>, at: ByteOffset, block: KVec<u8>, written: u64) {
        let Some(vcn) = at.get().checked_div(u64::from(self.unit.bytes())) else {
            return;
        };
        let key = self.key(Vcn::new(vcn));
        // Without memory it is read when it is wanted.
        if let Ok(buffer) = store.blocks.get_or_insert(key, Buffer::index_block) {
            if store.written.load(Acquire) == written {
                buffer.fill_ahead(block);
            }
        }
    }
}

/// Undoes the fixups of a block just read; a torn one is an error.
fn finish(block: &mut [u8]) -> core::result::Result<(), crate::ondisk::error::Malformed> {
    match fixup::undo(block, Magic::INDX)? {
        Transfer::Complete => Ok(()),
        Transfer::Torn(what) => Err(what),
    }
}
