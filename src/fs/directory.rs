// SPDX-License-Identifier: GPL-2.0-only

//! Looking a name up in a directory.
//!
//! A descent in the B+ tree, node by node without recursion, in the order that the volume's
//! `$UpCase` gives. 8.3 names are in the tree like all others, so they are found too.

use core::cmp::Ordering;

use kernel::prelude::*;

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
    volume::Volume, //
};
use crate::ondisk::{
    file_name::{
        FileName,
        Namespace, //
    },
    index::IndexNode,
    name::Name,
    units::{
        MftReference,
        Vcn, //
    },
    upcase::UpCase,
};

/// Whether names that differ in case only are the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseMode {
    /// No: the name as it is written.
    Exact,
    /// Yes; if several fit, the one written exactly so, else any.
    Ignore,
}

/// An entry that was found.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub reference: MftReference,
    /// The name as the directory has it, as UTF-16 units.
    pub name: KVec<u16>,
    /// The rules that the name keeps; [`Namespace::Dos`] for an 8.3 name.
    pub namespace: Namespace,
}

/// Where to go on.
enum Step {
    Found(Found),
    Descend(Vcn),
    Absent,
}

/// Looks `name` up in `directory`; `None` if there is no such entry.
///
/// A damaged tree gives an error only if the damage is on the way to where the name should be.
pub fn lookup<D: Device>(
    volume: &Volume<D>,
    directory: &Inode,
    name: &[u16],
    mode: CaseMode,
) -> Result<Option<Found>> {
    let index = directory.index()?;
    let exact = descend(volume, index, name, |upcase, a, b| {
        upcase.collate_file_name(a.iter().copied(), b.units())
    })?;
    if exact.is_some() || mode == CaseMode::Exact {
        return Ok(exact);
    }
    descend(volume, index, name, |upcase, a, b| {
        upcase.compare_ignoring_case(a.iter().copied(), b.units())
    })
}

fn descend<D, C>(
    volume: &Volume<D>,
    index: &Index,
    name: &[u16],
    compare: C,
) -> Result<Option<Found>>
where
    D: Device,
    C: Fn(&UpCase, &[u16], Name<'_>) -> Ordering,
{
    let mut node = Node::Root;
    for _ in 0..MAX_DEPTH {
        let step = index.visit(volume, node, |content| {
            search(index, node, content, |other| {
                compare(volume.upcase(), name, other)
            })
        })?;
        match step {
            Step::Found(found) => return Ok(Some(found)),
            Step::Absent => return Ok(None),
            Step::Descend(vcn) => node = Node::Block(vcn),
        }
    }
    Err(Error::rule(index.place(node), "tree deeper than", 32, 32))
}

/// Finds the first entry that is not before the name; `compare` compares the name with others.
fn search<C>(index: &Index, node: Node, content: &IndexNode<'_>, compare: C) -> Result<Step>
where
    C: Fn(Name<'_>) -> Ordering,
{
    let place = index.place(node);
    for entry in content.entries() {
        let entry = entry.at(place)?;
        if let Some(key) = entry.key {
            let key = FileName::parse(key).at(place)?;
            match compare(key.name) {
                Ordering::Greater => continue,
                Ordering::Less => {}
                Ordering::Equal => {
                    return Ok(Step::Found(Found {
                        reference: entry.reference,
                        name: owned(key.name)?,
                        namespace: key.namespace,
                    }))
                }
            }
        }
        return Ok(entry.sub_node.map_or(Step::Absent, Step::Descend));
    }
    // Without a last entry there is nothing behind the others.
    Ok(Step::Absent)
}

/// A copy of a name in memory that can be kept.
pub(super) fn owned(name: Name<'_>) -> Result<KVec<u16>> {
    Ok(array::collected(name.units(), name.len())?)
}
