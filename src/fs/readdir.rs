// SPDX-License-Identifier: GPL-2.0-only

//! Listing a directory: an in-order walk through its tree, in batches.
//!
//! A [`Walk`] keeps the way from the root to where it is. [`Walk::fill`] goes on and copies entries
//! into a [`Batch`], so no lock is held while the batch is handed to user space. 8.3 names are left
//! out. A block or an entry that is broken or cannot be read is left out too and remembered, and the
//! walk goes on behind it; [`Walk::damage`] is for the end of the listing. A block is visited once,
//! so a tree with a cycle has an end as well.
//!
//! Every entry has a [`Cookie`], from which a walk can be resumed "at this entry" without any other
//! state, as seekdir and NFS want it.

use core::cmp::Ordering;

use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

use super::{
    array,
    device::Device,
    error::{
        Error,
        Located,
        Result, //
    },
    index::{
        Index,
        Node,
        MAX_DEPTH, //
    },
    inode::Inode,
    names,
    store::Store,
    volume::Volume, //
};
use crate::ondisk::{
    file_name::{
        FileName,
        Namespace, //
    },
    index::IndexNode,
    name::Name,
    standard_information::FileAttributes,
    units::{
        MftReference,
        RecordNumber,
        SequenceNumber,
        Vcn, //
    },
};

/// Which entry of a directory is meant: 63 bits that stay the same while the entry exists.
///
/// `1 << 62`, the low 32 bits of the record number, the low 16 of its sequence number, and 14 bits
/// that tell several names of one file in one directory apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie(u64);

impl Cookie {
    const MARK: u64 = 1 << 62;

    /// The cookie of an entry.
    pub fn of(reference: MftReference, name: impl Iterator<Item = u16>) -> Self {
        let hash = name.fold(0x811c_9dc5_u32, |hash, unit| {
            (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
        });
        let number = (reference.number.get() & 0xffff_ffff) << 30;
        let sequence = u64::from(reference.sequence.get()) << 14;
        Self(Self::MARK | number | sequence | u64::from((hash ^ (hash >> 14)) & 0x3fff))
    }

    /// Takes a position that was handed out before; `None` if it is not the one of an entry.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw & Self::MARK != 0 && raw >> 63 == 0 {
            Some(Self(raw))
        } else {
            None
        }
    }

    /// The position as a number below 2^63.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The file that the entry is of, as far as 32 bits of its number tell.
    fn reference(self) -> MftReference {
        let [b0, b1, ..] = (self.0 >> 14).to_le_bytes();
        MftReference {
            number: RecordNumber::new((self.0 >> 30) & 0xffff_ffff),
            sequence: SequenceNumber::new(u16::from_le_bytes([b0, b1])),
        }
    }
}

/// One entry of a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// The name, as UTF-16 units.
    pub name: &'a [u16],
    /// The file.
    pub reference: MftReference,
    /// The file's attributes as the directory remembers them; NTFS_DIRECTORY tells directories.
    pub attributes: FileAttributes,
    /// The tag of the file's reparse point, if it has one.
    pub reparse_tag: Option<u32>,
    /// The rules that the name keeps.
    pub namespace: Namespace,
    /// Where a walk can be resumed to get this entry again.
    pub cookie: Cookie,
}

struct Stored {
    name_at: usize,
    name_length: usize,
    reference: MftReference,
    attributes: FileAttributes,
    reparse_tag: Option<u32>,
    namespace: Namespace,
    cookie: Cookie,
}

/// Entries that were copied out of a directory.
#[derive(Default)]
pub struct Batch {
    entries: KVec<Stored>,
    names: KVec<u16>,
}

/// Entries that a batch is filled with, if there are so many.
const BATCH: usize = 128;

impl Batch {
    /// Without entries.
    pub const fn new() -> Self {
        Self {
            entries: KVec::new(),
            names: KVec::new(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at `index`.
    pub fn get(&self, index: usize) -> Option<DirEntry<'_>> {
        let entry = self.entries.get(index)?;
        let name = self.names.get(entry.name_at..)?.get(..entry.name_length)?;
        Some(DirEntry {
            name,
            reference: entry.reference,
            attributes: entry.attributes,
            reparse_tag: entry.reparse_tag,
            namespace: entry.namespace,
            cookie: entry.cookie,
        })
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.names.clear();
    }

    fn push(&mut self, reference: MftReference, key: &FileName<'_>) -> Result {
        let name_at = self.names.len();
        for unit in key.name.units() {
            array::push(&mut self.names, unit)?;
        }
        let entry = Stored {
            name_at,
            name_length: key.name.len(),
            reference,
            attributes: key.attributes,
            reparse_tag: key.reparse_tag(),
            namespace: key.namespace,
            cookie: Cookie::of(reference, key.name.units()),
        };
        array::push(&mut self.entries, entry)?;
        Ok(())
    }
}

/// A node on the way from the root, and how far the walk is in it.
#[derive(Clone, Copy)]
struct Level {
    node: Node,
    /// The entry that is next; `None` for the first one.
    offset: Option<usize>,
    /// Whether the walk was in the sub-node of that entry already.
    descended: bool,
}

/// What a visit to a node ended with.
enum Visit {
    /// All entries are done.
    Done,
    /// The batch is full; the entry at the offset is next.
    Full(usize),
    /// The sub-node of the entry at the offset is next.
    Descend(usize, Vcn),
}

/// A walk through a directory, at some place of it.
pub struct Walk {
    levels: KVec<Level>,
    visited: RBTree<Vcn, ()>,
    damage: Option<Error>,
    /// What was read already but not handed out.
    ahead: Batch,
}

impl Walk {
    /// At the first entry.
    pub fn start() -> Result<Self> {
        let root = Level {
            node: Node::Root,
            offset: None,
            descended: false,
        };
        let levels = array::copied(&[root])?;
        Ok(Self {
            levels,
            visited: RBTree::new(),
            damage: None,
            ahead: Batch::new(),
        })
    }

    /// At the entry of `cookie`, or at the end if there is no such entry any more.
    ///
    /// Finds the name in the file's record and descends to it; if that leads elsewhere, all entries
    /// before are walked through.
    pub fn resume<D: Device>(
        volume: &Volume<D>,
        directory: &Inode,
        cookie: Cookie,
    ) -> Result<Self> {
        match Self::descend_to(volume, directory, cookie) {
            Ok(Some(walk)) => return Ok(walk),
            Err(Error::NoMemory) => return Err(Error::NoMemory),
            Ok(None) | Err(_) => {}
        }
        let mut walk = Self::start()?;
        let mut one = Batch::new();
        while walk.fill_limited(volume, directory, &mut one, 1)? {
            if one.get(0).is_some_and(|entry| entry.cookie == cookie) {
                walk.ahead = one;
                break;
            }
        }
        Ok(walk)
    }

    /// What was broken and left out so far; the first of it.
    pub fn damage(&self) -> Option<Error> {
        self.damage
    }

    /// Whether all entries were seen.
    pub fn is_at_end(&self) -> bool {
        self.levels.is_empty() && self.ahead.is_empty()
    }

    /// Replaces the content of `batch` with the next entries; `false` at the end of the directory.
    ///
    /// May sleep; holds no lock when it returns. The only errors are a lack of memory, which leaves
    /// the walk where it was, and that of a file that has no index.
    pub fn fill<D: Device>(
        &mut self,
        store: &Store<D>,
        directory: &Inode,
        batch: &mut Batch,
    ) -> Result<bool> {
        if !self.ahead.is_empty() {
            core::mem::swap(batch, &mut self.ahead);
            self.ahead.clear();
            return Ok(true);
        }
        self.fill_limited(store, directory, batch, BATCH)
    }

    fn fill_limited<D: Device>(
        &mut self,
        store: &Store<D>,
        directory: &Inode,
        batch: &mut Batch,
        limit: usize,
    ) -> Result<bool> {
        let index = directory.index()?;
        batch.clear();
        // Ends: each turn fills the batch, leaves a node, or enters one that was not visited yet.
        while let Some(level) = self.levels.last().copied() {
            if batch.len() >= limit {
                break;
            }
            let before = batch.len();
            let damage = &mut self.damage;
            let visit = index.visit(store, level.node, |node| {
                walk_node(index, level, node, batch, limit, damage)
            });
            match visit {
                Ok(Visit::Done) => self.leave(),
                Ok(Visit::Full(offset)) => self.set_top(offset, true),
                Ok(Visit::Descend(offset, vcn)) => {
                    self.set_top(offset, true);
                    self.enter(index, vcn)?;
                }
                Err(Error::NoMemory) => {
                    // This node is tried again; what the nodes before gave is not lost.
                    batch.entries.truncate(before);
                    if before == 0 {
                        return Err(Error::NoMemory);
                    }
                    break;
                }
                Err(error) => {
                    self.note(error);
                    self.leave();
                }
            }
        }
        Ok(!batch.is_empty())
    }

    fn leave(&mut self) {
        self.levels.pop();
    }

    fn note(&mut self, error: Error) {
        self.damage = self.damage.or(Some(error));
    }

    fn set_top(&mut self, offset: usize, descended: bool) {
        if let Some(level) = self.levels.last_mut() {
            level.offset = Some(offset);
            level.descended = descended;
        }
    }

    /// Goes down to a block, unless the walk was there already.
    fn enter(&mut self, index: &Index, vcn: Vcn) -> Result {
        let node = Node::Block(vcn);
        if self.visited.get(&vcn).is_some() {
            self.note(Error::rule(
                index.place(node),
                "block has two parents, or is its own",
                vcn.get(),
                0,
            ));
            return Ok(());
        }
        if self.levels.len() > MAX_DEPTH {
            self.note(Error::rule(index.place(node), "tree too deep", 33, 32));
            return Ok(());
        }
        self.visited
            .try_create_and_insert(vcn, (), GFP_KERNEL)
            .map_err(|_| Error::NoMemory)?;
        let level = Level {
            node,
            offset: None,
            descended: false,
        };
        array::push(&mut self.levels, level)?;
        Ok(())
    }

    /// Descends to the entry of `cookie` by its name; `None` if it is not where it belongs.
    fn descend_to<D: Device>(
        volume: &Volume<D>,
        directory: &Inode,
        cookie: Cookie,
    ) -> Result<Option<Self>> {
        let parent = directory.reference();
        let Some(name) = names::find(volume, cookie.reference(), |key| {
            key.parent.number == parent.number
                && Cookie::of(cookie.reference(), key.name.units()) == cookie
        })?
        else {
            return Ok(None);
        };
        let index = directory.index()?;
        let mut walk = Self::start()?;
        for _ in 0..MAX_DEPTH {
            let Some(level) = walk.levels.last().copied() else {
                return Ok(None);
            };
            let visit = index.visit(volume, level.node, |node| {
                lower_bound(volume, index, level.node, node, &name)
            })?;
            match visit {
                Visit::Full(offset) => {
                    walk.set_top(offset, true);
                    return walk
                        .is_at(volume, index, cookie)
                        .map(|at| at.then_some(walk));
                }
                Visit::Descend(offset, vcn) => {
                    walk.set_top(offset, true);
                    walk.enter(index, vcn)?;
                }
                Visit::Done => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether the next entry is the one of `cookie`.
    fn is_at<D: Device>(&self, store: &Store<D>, index: &Index, cookie: Cookie) -> Result<bool> {
        let Some(level) = self.levels.last() else {
            return Ok(false);
        };
        index.visit(store, level.node, |node| {
            let entry = match level.offset {
                Some(offset) => node.entries_from(offset).next(),
                None => node.entries().next(),
            };
            let found = entry.and_then(core::result::Result::ok).and_then(|entry| {
                let key = FileName::parse(entry.key?).ok()?;
                Some(Cookie::of(entry.reference, key.name.units()))
            });
            Ok(found == Some(cookie))
        })
    }
}

/// Copies the entries of a node into the batch, from where the walk is on.
fn walk_node(
    index: &Index,
    level: Level,
    node: &IndexNode<'_>,
    batch: &mut Batch,
    limit: usize,
    damage: &mut Option<Error>,
) -> Result<Visit> {
    let place = index.place(level.node);
    let mut descended = level.descended;
    let entries = match level.offset {
        Some(offset) => node.entries_from(offset),
        None => node.entries(),
    };
    for entry in entries {
        let entry = match entry.at(place) {
            Ok(entry) => entry,
            Err(error) => {
                *damage = damage.or(Some(error));
                descended = false;
                continue;
            }
        };
        if let Some(vcn) = entry.sub_node.filter(|_| !descended) {
            return Ok(Visit::Descend(entry.offset, vcn));
        }
        let Some(key) = entry.key else {
            return Ok(Visit::Done);
        };
        if batch.len() >= limit {
            // The sub-node of this entry, if it has one, is done.
            return Ok(Visit::Full(entry.offset));
        }
        descended = false;
        match FileName::parse(key).at(place) {
            Ok(key) if key.namespace.is_dos_twin() => {}
            Ok(key) => batch.push(entry.reference, &key)?,
            Err(error) => *damage = damage.or(Some(error)),
        }
    }
    Ok(Visit::Done)
}

/// Finds the first entry of a node that is not before `name`.
fn lower_bound<D: Device>(
    volume: &Volume<D>,
    index: &Index,
    which: Node,
    node: &IndexNode<'_>,
    name: &[u16],
) -> Result<Visit> {
    let place = index.place(which);
    for entry in node.entries() {
        let entry = entry.at(place)?;
        let order = match entry.key {
            None => Ordering::Greater,
            Some(key) => {
                let other: Name<'_> = FileName::parse(key).at(place)?.name;
                volume
                    .upcase()
                    .collate_file_name(other.units(), name.iter().copied())
            }
        };
        match (order, entry.sub_node) {
            (Ordering::Less, _) => {}
            (Ordering::Greater, Some(vcn)) => return Ok(Visit::Descend(entry.offset, vcn)),
            (Ordering::Greater, None) | (Ordering::Equal, _) => {
                return Ok(Visit::Full(entry.offset))
            }
        }
    }
    Ok(Visit::Done)
}
