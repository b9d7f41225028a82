// SPDX-License-Identifier: GPL-2.0-only

//! A change of the tree of an index: worked out on copies of its nodes, without a lock, and then done in one
//! transaction, if they are what they were.
//!
//! Lock order: see [`super`]. Who changes a tree, and not only the data of its entries, has the lock of such changes.
//! The nodes are locked all together, and so each is only tried, so that nobody waits for who waits; [`Draft::wait`] is
//! for who has none locked.

use kernel::prelude::*;

use super::{
    array,
    buffer::Buffer,
    cache::Handle,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    index::{
        Index,
        Node, //
    },
    record::{
        Record,
        Role, //
    },
    transaction::{
        located,
        Transaction, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        AttributeType,
        Form as RecordForm, //
    },
    index::{
        IndexBlock,
        IndexEntry,
        IndexNode,
        IndexRoot, //
    },
    log::{
        change::{
            self,
            Change,
            Page, //
        },
        prepare::Place as NodePlace, //
    },
    record::FileRecord,
    units::{
        MftReference,
        Vcn, //
    },
};

/// Where the bytes of a node are.
enum Holder {
    /// In the record with the root.
    Record(Record, MftReference),
    Block(Handle<Buffer>, Vcn),
}

/// A node, or the record with the root.
struct NodeCopy {
    /// Its place among the copies.
    number: usize,
    holder: Holder,
    node: Node,
    place: Place,
    /// As it was found.
    before: KVec<u8>,
    /// As it is to be.
    now: KVec<u8>,
}

/// A change of one of the copies.
struct Step {
    copy: usize,
    change: Change,
}

/// An entry by its number in a copy of its node.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) copy: usize,
    pub(super) entry: usize,
}

/// Changes of a tree, on copies.
pub(super) struct Draft<'d, D: Device> {
    volume: &'d Volume<D>,
    pub(super) index: &'d Index,
    copies: KVec<NodeCopy>,
    steps: KVec<Step>,
}

impl<'d, D: Device> Draft<'d, D> {
    /// Without any change.
    pub(super) fn new(volume: &'d Volume<D>, index: &'d Index) -> Self {
        Self {
            volume,
            index,
            copies: KVec::new(),
            steps: KVec::new(),
        }
    }

    /// The copies that change.
    fn changed(&self) -> impl Iterator<Item = &NodeCopy> {
        let is_changed = |copy: &&NodeCopy| self.steps_of(copy).next().is_some();
        self.copies.iter().filter(is_changed)
    }

    /// What is to be done with a copy.
    fn steps_of(&self, copy: &NodeCopy) -> impl Iterator<Item = &Step> {
        let number = copy.number;
        self.steps.iter().filter(move |step| step.copy == number)
    }

    /// Does it; `false` if a node is locked by somebody else, or is another one by now: then the transaction is to be
    /// dropped.
    pub(super) fn apply<'a>(&'a self, transaction: &mut Transaction<'a>) -> Result<bool> {
        for copy in self.changed() {
            let page = match &copy.holder {
                Holder::Record(record, reference) => {
                    transaction.try_map_record(self.volume, record, *reference)?
                }
                Holder::Block(buffer, vcn) => {
                    match self.index.try_map_block(self.volume, *vcn, buffer)? {
                        Some(mapped) => Some(transaction.hold_block(copy.place, mapped)?),
                        None => None,
                    }
                }
            };
            let Some(page) = page else {
                return Ok(false);
            };
            if *transaction.bytes(page) != *copy.before {
                return Ok(false);
            }
            for step in self.steps_of(copy) {
                transaction.change(page, |_| step.change.try_clone())?;
            }
        }
        Ok(true)
    }

    /// Waits for those who have nodes locked now, one after the other.
    pub(super) fn wait(&self) -> Result {
        for copy in self.changed() {
            match &copy.holder {
                Holder::Record(record, _) => drop(record.map(self.volume)?),
                Holder::Block(buffer, vcn) => {
                    drop(self.index.map_block(self.volume, *vcn, buffer)?)
                }
            }
        }
        Ok(())
    }

    /// The copy of a node, which is made if there is none.
    pub(super) fn copy_of(&mut self, node: Node) -> Result<usize> {
        if let Some(known) = self.copies.iter().find(|copy| copy.node == node) {
            return Ok(known.number);
        }
        let place = self.index.place(node);
        let (holder, before) = match node {
            Node::Root => {
                let root = self.index.root();
                let piece = root.first_piece().ok_or(Error::NotFound)?;
                let role = match piece.record.number == root.owner().number {
                    true => Role::Base,
                    false => Role::Extension,
                };
                let record = self.volume.record(piece.record.number, role)?;
                let mapped = record.map(self.volume)?;
                mapped.record_as(piece.record)?;
                let bytes = array::copied(mapped.into_buffer().bytes())?;
                (Holder::Record(record, piece.record), bytes)
            }
            Node::Block(vcn) => {
                let buffer = self.index.block(self.volume, vcn)?;
                let mapped = self.index.map_block(self.volume, vcn, &buffer)?;
                let block = IndexBlock::parse(mapped.bytes()).at(place)?;
                block.expect_vcn(vcn).at(place)?;
                let bytes = array::copied(mapped.bytes())?;
                drop(mapped);
                (Holder::Block(buffer, vcn), bytes)
            }
        };
        let number = self.copies.len();
        let copy = NodeCopy {
            number,
            holder,
            node,
            place,
            now: array::copied(&before)?,
            before,
        };
        array::push(&mut self.copies, copy)?;
        Ok(number)
    }

    /// Where a copy comes from, for an error.
    pub(super) fn place(&self, copy: usize) -> Result<Place> {
        Ok(self.copy(copy)?.place)
    }

    fn copy(&self, number: usize) -> Result<&NodeCopy> {
        self.copies.get(number).ok_or(Error::NotFound)
    }

    /// Where the node of a copy is in it, and the node.
    pub(super) fn node(&self, number: usize) -> Result<(NodePlace, IndexNode<'_>)> {
        let copy = self.copy(number)?;
        if let Node::Block(_) = copy.node {
            let block = IndexBlock::parse(&copy.now).at(copy.place)?;
            return Ok((NodePlace::Block, block.node));
        }
        let (at, value) = self.value(number, AttributeType::INDEX_ROOT)?;
        let root = IndexRoot::parse(value).at(copy.place)?;
        Ok((NodePlace::Root(at), root.node))
    }

    /// A value of the index in the record with the root, and where its attribute is.
    pub(super) fn value(&self, number: usize, type_: AttributeType) -> Result<(usize, &[u8])> {
        let copy = self.copy(number)?;
        let record = FileRecord::parse(&copy.now).at(copy.place)?;
        let name = self.index.name();
        let found = record
            .attributes()
            .filter_map(core::result::Result::ok)
            .find(|attribute| attribute.type_ == type_ && attribute.name.is(name));
        match found.map(|found| (found.offset, found.form)) {
            Some((at, RecordForm::Resident { value, .. })) => Ok((at, value)),
            _ => Err(Error::NotFound),
        }
    }

    /// An entry; `None` behind the last.
    fn find(&self, at: Position) -> Result<Option<IndexEntry<'_>>> {
        let place = self.place(at.copy)?;
        let (_, node) = self.node(at.copy)?;
        node.entries().nth(at.entry).transpose().at(place)
    }

    pub(super) fn entry(&self, at: Position) -> Result<IndexEntry<'_>> {
        let place = self.place(at.copy)?;
        self.find(at)?
            .ok_or_else(|| Error::rule(place, "index node without a last entry", 0, 1))
    }

    /// The number of entries with a key; that is the number of the last entry, which has none.
    pub(super) fn keys(&self, copy: usize) -> Result<usize> {
        let place = self.place(copy)?;
        let (_, node) = self.node(copy)?;
        let mut count: usize = 0;
        for entry in node.entries() {
            if entry.at(place)?.key.is_none() {
                return Ok(count);
            }
            count = count.saturating_add(1);
        }
        Err(Error::rule(place, "index node without a last entry", 0, 1))
    }

    pub(super) fn last(&self, copy: usize) -> Result<Position> {
        let entry = self.keys(copy)?;
        Ok(Position { copy, entry })
    }

    /// Changes a copy.
    pub(super) fn change(
        &mut self,
        copy: usize,
        make: impl FnOnce(&[u8], NodePlace) -> change::Result<Change>,
    ) -> Result {
        let (node_place, _) = self.node(copy)?;
        let target = self.copies.get_mut(copy).ok_or(Error::NotFound)?;
        let change = make(&target.now, node_place).map_err(|error| located(error, target.place))?;
        array::push(&mut self.steps, Step { copy, change })?;
        let applied = match self.steps.last() {
            Some(step) => step.change.apply(&mut target.page()),
            None => Err(change::Error::NoMemory),
        };
        let place = target.place;
        if let Err(error) = applied {
            drop(self.steps.pop());
            return Err(located(error, place));
        }
        Ok(())
    }

    /// Tries something that may need more room than there is; whether it was done. If not, nothing was changed.
    pub(super) fn attempt(&mut self, act: impl FnOnce(&mut Self) -> Result) -> Result<bool> {
        let begun = self.steps.len();
        match act(self) {
            Ok(()) => Ok(true),
            Err(Error::NoRoom) => {
                // Newest first.
                while self.steps.len() > begun {
                    let Some(step) = self.steps.pop() else {
                        break;
                    };
                    let copies = &mut self.copies;
                    let target = copies.get_mut(step.copy).ok_or(Error::NotFound)?;
                    let undone = step.change.undo(&mut target.page());
                    undone.map_err(|error| located(error, target.place))?;
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn take_out(&mut self, at: Position) -> Result {
        let offset = self.entry(at)?.offset;
        self.change(at.copy, |page, place| {
            Change::delete_index_entry(page, place, offset)
        })
    }

    pub(super) fn put_in(&mut self, at: Position, entry: &[u8]) -> Result {
        let offset = self.entry(at)?.offset;
        self.change(at.copy, |page, place| {
            Change::add_index_entry(page, place, offset, entry)
        })
    }

    pub(super) fn point(&mut self, at: Position, sub_node: Vcn) -> Result {
        let offset = self.entry(at)?.offset;
        self.change(at.copy, |page, place| {
            Change::set_index_entry_vcn(page, place, offset, sub_node)
        })
    }

    /// The bytes of an entry as it is to be elsewhere.
    pub(super) fn moved(&self, from: Position, sub_node: Option<Vcn>) -> Result<KVec<u8>> {
        self.entry(from)?.moved(sub_node)?.ok_or(Error::NoRoom)
    }
}

impl NodeCopy {
    fn page(&mut self) -> Page<'_> {
        match self.node {
            Node::Root => Page::Record(&mut self.now),
            Node::Block(_) => Page::IndexBlock(&mut self.now),
        }
    }
}
