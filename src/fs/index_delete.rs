// SPDX-License-Identifier: GPL-2.0-only

//! Taking an entry out of a B+ tree, of whichever kind.
//!
//! An entry of a leaf is taken out. One of another node separates two of the nodes below it, so the last entry before
//! it, or the first one behind, comes from its leaf to take its place. A node that has no key left then is done away
//! with: where there is room in a neighbour for the key between the two, the neighbour gets that and what is below
//! the node, which is free then; else the node gets that key, and an entry of the neighbour takes its place. With the
//! node above it goes on, up to the root, which may do without a key.
//!
//! As long as no log is written, the nodes reach the device one by one. Where an entry moves from one to another, the
//! power going between leaves it in both or in neither, for a check to mend; the volume is marked then.
//!
//! Lock order: see [`super::draft`].

use core::cmp::Ordering;

use kernel::prelude::*;

use super::{
    array,
    device::Device,
    draft::{
        Draft,
        Position, //
    },
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    index::{
        Index,
        Node,
        MAX_DEPTH, //
    },
    transaction::Transaction,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::AttributeType,
    error::Result as Decoded,
    log::change::Change,
    units::Vcn, //
};

/// Takes the entry with a key out of an index; whether there was one. `compare` compares the wanted key with another.
///
/// The caller has marked the volume. [`Error::NoRoom`] if a longer key would have to take the place of the entry and
/// there is no room: never in a view whose keys are of one length. Nothing is changed on an error.
pub fn delete<D, C>(volume: &Volume<D>, index: &Index, compare: C) -> Result<bool>
where
    D: Device,
    C: Fn(&[u8]) -> Decoded<Ordering>,
{
    let _alone = volume.writing().change_trees();
    // Each turn but the last met somebody who looked at a node, or changed the data of an entry, meanwhile.
    loop {
        let mut draft = Draft::new(volume, index);
        if !draft.delete(&compare)? {
            return Ok(false);
        }
        let mut transaction = Transaction::begin();
        if draft.apply(&mut transaction)? {
            transaction.commit();
            return Ok(true);
        }
        drop(transaction);
        draft.wait()?;
    }
}

/// The error for a node that a tree has in two places.
fn twice(place: Place) -> Error {
    Error::rule(place, "node of an index below itself", 1, 0)
}

impl<D: Device> Draft<'_, D> {
    /// Takes the entry out, and mends the tree.
    fn delete(&mut self, compare: impl Fn(&[u8]) -> Decoded<Ordering>) -> Result<bool> {
        let mut path = KVec::new();
        let mut node = Node::Root;
        loop {
            let copy = self.below(&path, node)?;
            let (entry, is_it) = self.search(copy, &compare)?;
            let at = Position { copy, entry };
            array::push(&mut path, at)?;
            let sub_node = self.entry(at)?.sub_node;
            match (is_it, sub_node) {
                (true, None) => {
                    self.take_out(at)?;
                    self.fill(path)?;
                    return Ok(true);
                }
                (true, Some(sub_node)) => {
                    self.replace(path, at, sub_node)?;
                    return Ok(true);
                }
                (false, Some(sub_node)) => node = Node::Block(sub_node),
                (false, None) => return Ok(false),
            }
        }
    }

    /// The copy of a node that is below all of a path.
    fn below(&mut self, path: &[Position], node: Node) -> Result<usize> {
        let place = self.index.place(node);
        if path.len() >= MAX_DEPTH {
            return Err(Error::rule(place, "tree deeper than", 32, 32));
        }
        let copy = self.copy_of(node)?;
        match path.iter().any(|above| above.copy == copy) {
            true => Err(twice(place)),
            false => Ok(copy),
        }
    }

    /// The first entry that is not before the key, and whether it has it.
    fn search(
        &self,
        copy: usize,
        compare: impl Fn(&[u8]) -> Decoded<Ordering>,
    ) -> Result<(usize, bool)> {
        let place = self.place(copy)?;
        let (_, node) = self.node(copy)?;
        let mut number: usize = 0;
        for entry in node.entries() {
            let Some(key) = entry.at(place)?.key else {
                return Ok((number, false));
            };
            match compare(key).at(place)? {
                Ordering::Greater => number = number.saturating_add(1),
                order => return Ok((number, order == Ordering::Equal)),
            }
        }
        Err(Error::rule(place, "index node without a last entry", 0, 1))
    }

    /// Puts a neighbour from a leaf in the place of an entry that has a node below it; `path` ends with the entry.
    fn replace(&mut self, path: KVec<Position>, at: Position, sub_node: Vcn) -> Result {
        for side in [Side::Before, Side::Behind] {
            let mut path = array::copied(&path)?;
            let mut next = Some(sub_node);
            if side == Side::Behind {
                let behind = Position {
                    entry: at.entry.saturating_add(1),
                    ..at
                };
                next = self.entry(behind)?.sub_node;
                let _ = path.pop();
                array::push(&mut path, behind)?;
            }
            // Down to the leaf, whose depth is bounded.
            while let Some(vcn) = next {
                let copy = self.below(&path, Node::Block(vcn))?;
                let entry = match side {
                    Side::Before => self.keys(copy)?,
                    Side::Behind => 0,
                };
                let step = Position { copy, entry };
                array::push(&mut path, step)?;
                next = self.entry(step)?.sub_node;
            }
            let leaf = path.last().ok_or(Error::NotFound)?.copy;
            let keys = self.keys(leaf)?;
            let Some(last) = keys.checked_sub(1) else {
                // Left behind by others without a key.
                continue;
            };
            let entry = match side {
                Side::Before => last,
                Side::Behind => 0,
            };
            let taken = Position { copy: leaf, entry };
            let done = self.attempt(|own| {
                let entry = own.moved(taken, Some(sub_node))?;
                own.take_out(at)?;
                own.put_in(at, &entry)?;
                own.take_out(taken)
            })?;
            if done {
                return self.fill(path);
            }
        }
        Err(Error::NoRoom)
    }

    /// Does away with nodes without a key, from the end of a path up. The path has, of each node above the last one,
    /// the entry that leads to the next.
    fn fill(&mut self, path: KVec<Position>) -> Result {
        let mut path = path;
        // Each turn goes up by one.
        while let (Some(below), Some(above)) = (path.pop(), path.last().copied()) {
            if self.keys(below.copy)? > 0 {
                return Ok(());
            }
            let mut done = None;
            for side in [Side::Behind, Side::Before] {
                if let Some(pair) = self.neighbours(below.copy, above, side)? {
                    if self.attempt(|own| own.join(&pair))? {
                        done = Some(Done::Joined);
                    } else if self.attempt(|own| own.borrow(&pair))? {
                        done = Some(Done::Filled);
                    }
                }
                if done.is_some() {
                    break;
                }
            }
            match done {
                Some(Done::Joined) => {}
                // Without a neighbour, or with one that has no room: it is found all the same, without a key.
                Some(Done::Filled) | None => return Ok(()),
            }
        }
        Ok(())
    }

    /// A node without a key and its neighbour at one side; `above` leads to the node.
    fn neighbours(&mut self, node: usize, above: Position, side: Side) -> Result<Option<Pair>> {
        let between = match side {
            Side::Behind => Some(above),
            Side::Before => above
                .entry
                .checked_sub(1)
                .map(|entry| Position { entry, ..above }),
        };
        let Some(between) = between else {
            return Ok(None);
        };
        if self.entry(between)?.key.is_none() {
            return Ok(None);
        }
        let other = match side {
            Side::Behind => Position {
                entry: above.entry.saturating_add(1),
                ..above
            },
            Side::Before => between,
        };
        let (Some(own), Some(vcn)) = (self.entry(above)?.sub_node, self.entry(other)?.sub_node)
        else {
            return Ok(None);
        };
        let neighbour = self.copy_of(Node::Block(vcn))?;
        if neighbour == node || neighbour == above.copy {
            return Err(twice(self.index.place(Node::Block(vcn))));
        }
        Ok(Some(Pair {
            node,
            own,
            neighbour,
            vcn,
            between,
            above,
            side,
        }))
    }

    /// Gives the neighbour the key between them, and what is below the node. The node is free then.
    fn join(&mut self, pair: &Pair) -> Result {
        let child = self.entry(self.last(pair.node)?)?.sub_node;
        match pair.side {
            Side::Behind => {
                let key = self.moved(pair.between, child)?;
                let first = Position {
                    copy: pair.neighbour,
                    entry: 0,
                };
                self.put_in(first, &key)?;
            }
            Side::Before => {
                let last = self.last(pair.neighbour)?;
                let old = self.entry(last)?.sub_node;
                let key = self.moved(pair.between, old)?;
                self.put_in(last, &key)?;
                if let Some(child) = child {
                    self.point(self.last(pair.neighbour)?, child)?;
                }
                self.point(pair.above, pair.vcn)?;
            }
        }
        self.take_out(pair.between)?;
        self.free(pair.own)
    }

    /// Gives the node the key between them, and puts one of the neighbour's in its place.
    fn borrow(&mut self, pair: &Pair) -> Result {
        if self.keys(pair.neighbour)? < 2 {
            return Err(Error::NoRoom);
        }
        let child = self.entry(self.last(pair.node)?)?.sub_node;
        match pair.side {
            Side::Behind => {
                let first = Position {
                    copy: pair.neighbour,
                    entry: 0,
                };
                let key = self.moved(pair.between, child)?;
                self.put_in(self.last(pair.node)?, &key)?;
                if let Some(below) = self.entry(first)?.sub_node {
                    self.point(self.last(pair.node)?, below)?;
                }
                self.exchange(pair.between, first, pair.own)
            }
            Side::Before => {
                let last = self.last(pair.neighbour)?;
                let end = self.entry(last)?.sub_node;
                let key = self.moved(pair.between, end)?;
                self.put_in(self.last(pair.node)?, &key)?;
                let before = last.entry.checked_sub(1).ok_or(Error::NoRoom)?;
                let taken = Position {
                    entry: before,
                    ..last
                };
                if let Some(below) = self.entry(taken)?.sub_node {
                    self.point(last, below)?;
                }
                self.exchange(pair.between, taken, pair.vcn)
            }
        }
    }

    /// Puts the key of an entry in the place of another one, which has this node below it.
    fn exchange(&mut self, at: Position, from: Position, sub_node: Vcn) -> Result {
        let entry = self.moved(from, Some(sub_node))?;
        self.take_out(at)?;
        self.put_in(at, &entry)?;
        self.take_out(from)
    }

    /// Marks a block as free, in the index bitmap; [`Error::NoRoom`] if that is not in the record with the root, where
    /// all but the largest indexes have it.
    fn free(&mut self, vcn: Vcn) -> Result {
        let root = self.copy_of(Node::Root)?;
        let (at, bitmap) = match self.value(root, AttributeType::BITMAP) {
            Err(Error::NotFound) => return Err(Error::NoRoom),
            value => value?,
        };
        let bit = self.index.bit_of(vcn).ok_or(Error::NoRoom)?;
        let byte = usize::try_from(bit / 8).map_err(|_| Error::NoRoom)?;
        let mask = 1_u8.checked_shl(u32::try_from(bit % 8).unwrap_or(0));
        let old = bitmap.get(byte).copied().unwrap_or(0);
        let new = old & !mask.unwrap_or(0);
        if new == old {
            let place = self.index.place(Node::Block(vcn));
            return Err(Error::rule(place, "bit of an index block in use", 0, 1));
        }
        self.change(root, |page, _| {
            Change::update_resident_value(page, at, byte, &[new])
        })
    }
}

/// Which neighbour is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

/// What became of a node without a key.
enum Done {
    /// It has one.
    Filled,
    /// It is free.
    Joined,
}

/// A node without a key, and a neighbour.
struct Pair {
    node: usize,
    /// Where the node is.
    own: Vcn,
    neighbour: usize,
    /// Where the neighbour is.
    vcn: Vcn,
    /// The entry above with the key between them.
    between: Position,
    /// The entry above that leads to the node.
    above: Position,
    /// At which side of the node the neighbour is.
    side: Side,
}
