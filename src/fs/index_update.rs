// SPDX-License-Identifier: GPL-2.0-only

//! Refreshing the copies of times, sizes and attributes that directories have of a file.
//!
//! Each name of a file is an entry of a directory, with a copy of what a listing of Windows shows. The
//! entry is looked up by the name; then its node is mapped in a transaction of its own, and looked at a
//! second time.
//!
//! Lock order: see [`super`]. No record of the file is mapped meanwhile.

use core::cmp::Ordering;

use kernel::prelude::*;

use super::{
    array,
    catalog::Catalog,
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
    names,
    transaction::{
        PageId,
        Transaction, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Form as RecordForm,
    file_name::{
        Copies,
        FileName, //
    },
    index::{
        IndexBlock,
        IndexNode,
        IndexRoot, //
    },
    log::{
        change::Change,
        prepare::Place as NodePlace, //
    },
    units::{
        MftReference,
        Vcn, //
    },
};

/// Brings the copies in all directories that list a file to `copies`.
///
/// A name that is in no directory is passed over; other errors are kept until all names were tried.
pub(super) fn refresh<D: Device>(
    volume: &Volume<D>,
    file: MftReference,
    copies: &Copies,
) -> Result {
    let catalog = Catalog::load(volume, file)?;
    let mut keys: KVec<KVec<u8>> = KVec::new();
    names::for_each_value(volume, &catalog, |value| {
        array::push(&mut keys, array::copied(value)?)?;
        Ok(true)
    })?;
    let mut result = Ok(());
    for key in &keys {
        result = result.and(refresh_one(volume, file, key, copies));
    }
    result
}

fn refresh_one<D: Device>(
    volume: &Volume<D>,
    file: MftReference,
    key: &[u8],
    copies: &Copies,
) -> Result {
    let place = super::error::Place::Record(file.number);
    let name = FileName::parse(key).at(place)?;
    let catalog = match Catalog::load(volume, name.parent) {
        Ok(catalog) => catalog,
        // The name leads nowhere, so no directory has a copy.
        Err(Error::Stale(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let index = Index::open(volume, &catalog)?;
    let mut node = Node::Root;
    for _ in 0..MAX_DEPTH {
        let step = index.visit(volume, node, |content| {
            find(volume, &index, node, content, &name, file)
        })?;
        match step {
            Step::Found { .. } => return change(volume, &index, node, &name, file, copies),
            Step::Absent => return Ok(()),
            Step::Descend(vcn) => node = Node::Block(vcn),
        }
    }
    Err(Error::rule(index.place(node), "tree deeper than", 32, 32))
}

/// Where to go on.
enum Step {
    /// The entry, by its place in the node, with its key brought to nothing yet.
    Found {
        offset: usize,
        key: KVec<u8>,
    },
    Descend(Vcn),
    Absent,
}

/// Looks for the entry in a node.
fn find<D: Device>(
    volume: &Volume<D>,
    index: &Index,
    node: Node,
    content: &IndexNode<'_>,
    name: &FileName<'_>,
    file: MftReference,
) -> Result<Step> {
    let place = index.place(node);
    for entry in content.entries() {
        let entry = entry.at(place)?;
        if let Some(key) = entry.key {
            let other = FileName::parse(key).at(place)?;
            let order = volume
                .upcase()
                .collate_file_name(name.name.units(), other.name.units());
            match order {
                Ordering::Greater => continue,
                Ordering::Equal if entry.reference == file => {
                    return Ok(Step::Found {
                        offset: entry.offset,
                        key: array::copied(key)?,
                    })
                }
                Ordering::Equal => return Ok(Step::Absent),
                Ordering::Less => {}
            }
        }
        return Ok(entry.sub_node.map_or(Step::Absent, Step::Descend));
    }
    Ok(Step::Absent)
}

/// Changes the entry in its node, if it is still there.
fn change<D: Device>(
    volume: &Volume<D>,
    index: &Index,
    node: Node,
    name: &FileName<'_>,
    file: MftReference,
    copies: &Copies,
) -> Result {
    match node {
        Node::Root => {
            let piece = index.root().first_piece().ok_or(Error::NotFound)?;
            let holder = index.root().holder(volume)?;
            let mut transaction = Transaction::begin();
            let page = transaction.map_record(volume, &holder, piece.record)?;
            let found = index.root().find_in(transaction.bytes(page))?;
            let RecordForm::Resident { value, .. } = found.form else {
                return Err(Error::NotFound);
            };
            let at = found.at;
            let root = IndexRoot::parse(value).at(index.place(node))?;
            let step = find(volume, index, node, &root.node, name, file)?;
            apply(transaction, page, NodePlace::Root(at), step, copies)
        }
        Node::Block(vcn) => {
            let buffer = index.block(volume, vcn)?;
            let mapped = index.map_block(volume, vcn, &buffer)?;
            let mut transaction = Transaction::begin();
            let page = transaction.hold_block(index.place(node), mapped)?;
            let block = IndexBlock::parse(transaction.bytes(page)).at(index.place(node))?;
            let step = find(volume, index, node, &block.node, name, file)?;
            apply(transaction, page, NodePlace::Block, step, copies)
        }
    }
}

fn apply(
    mut transaction: Transaction<'_>,
    page: PageId,
    place: NodePlace,
    step: Step,
    copies: &Copies,
) -> Result {
    let Step::Found { offset, mut key } = step else {
        return Ok(());
    };
    if !copies.put(&mut key) {
        return Ok(());
    }
    transaction.change(page, |bytes| {
        Change::update_index_file_name(bytes, place, offset, &key)
    })?;
    transaction.commit();
    Ok(())
}
