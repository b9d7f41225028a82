// SPDX-License-Identifier: GPL-2.0-only

//! Looking something up in an index that is no directory: a view, as NTFS calls it.
//!
//! A descent in the B+ tree, node by node without recursion. What is found is in the entry beside the key.

use core::cmp::Ordering;

use super::{
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
    store::Store, //
};
use crate::ondisk::{
    error::Result as Decoded,
    index::{
        IndexEntry,
        IndexNode, //
    },
    units::Vcn, //
};

/// Where to go on.
enum Step<R> {
    Found(R),
    Descend(Vcn),
    Absent,
}

/// Looks a key up; `None` if there is no such entry.
///
/// `compare` compares the wanted key with another one, and `take` decodes the data of the entry, with the lock
/// of its node held.
pub(super) fn find<D, R, C, T>(
    store: &Store<D>,
    index: &Index,
    compare: C,
    take: T,
) -> Result<Option<R>>
where
    D: Device,
    C: Fn(&[u8]) -> Decoded<Ordering>,
    T: Fn(&IndexEntry<'_>) -> Decoded<R>,
{
    let mut node = Node::Root;
    for _ in 0..MAX_DEPTH {
        let place = index.place(node);
        let step = index.visit(store, node, |content| {
            search(content, &compare, &take).at(place)
        })?;
        match step {
            Step::Found(found) => return Ok(Some(found)),
            Step::Absent => return Ok(None),
            Step::Descend(vcn) => node = Node::Block(vcn),
        }
    }
    Err(Error::rule(index.place(node), "tree deeper than", 32, 32))
}

/// Finds the first entry that is not before the key.
fn search<R>(
    content: &IndexNode<'_>,
    compare: impl Fn(&[u8]) -> Decoded<Ordering>,
    take: impl Fn(&IndexEntry<'_>) -> Decoded<R>,
) -> Decoded<Step<R>> {
    for entry in content.entries() {
        let entry = entry?;
        if let Some(key) = entry.key {
            match compare(key)? {
                Ordering::Greater => continue,
                Ordering::Less => {}
                Ordering::Equal => return take(&entry).map(Step::Found),
            }
        }
        return Ok(entry.sub_node.map_or(Step::Absent, Step::Descend));
    }
    // Without a last entry there is nothing behind the others.
    Ok(Step::Absent)
}
