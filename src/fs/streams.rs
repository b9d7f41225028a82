// SPDX-License-Identifier: GPL-2.0-only

//! The named streams of a file, and its values that are small and read whole.
//!
//! A file or directory can have any number of streams beside the unnamed one; each is a `$DATA` attribute
//! with a name. They are looked up in the records each time. Of all attributes of a file in use, only the
//! unnamed value and names go to other records, so one that is found stays where it is.

use core::cmp::Ordering;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    array,
    attribute::Attribute,
    catalog::Catalog,
    device::Device,
    directory::CaseMode,
    error::Result,
    inode::{
        read_small,
        read_standard,
        Inode, //
    },
    store::Store,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::AttributeType,
    compression::wof,
    standard_information::StandardInformation,
    units::{
        MftReference,
        Vcn, //
    },
};

/// The names of the named streams, in the order of the records; each is UTF-16.
///
/// The stream with the content of a file that WOF has compressed is none of them. If the file is damaged so
/// that one could be missing, that is the error.
pub fn names<D: Device>(store: &Store<D>, inode: &Inode) -> Result<KVec<KVec<u16>>> {
    let mut catalog = Catalog::load(store, inode.reference())?;
    if let Some(damage) = catalog.damage {
        return Err(damage);
    }
    let mut names = KVec::new();
    for entry in catalog.entries.drain_all() {
        let is_stream = entry.type_ == AttributeType::DATA && !entry.name.is_empty();
        if is_stream && entry.piece.lowest_vcn == Vcn::ZERO && !is_hidden(inode, &entry.name) {
            array::push(&mut names, entry.name)?;
        }
    }
    Ok(names)
}

/// Opens a named stream; `None` if there is none.
///
/// With [`CaseMode::Ignore`], if several fit, the one written exactly so, else the first.
pub fn open<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    name: &[u16],
    mode: CaseMode,
) -> Result<Option<Arc<Attribute>>> {
    if name.is_empty() {
        return Ok(None);
    }
    let catalog = Catalog::load(volume, inode.reference())?;
    let is_same = |other: &[u16]| {
        let (name, other) = (name.iter().copied(), other.iter().copied());
        volume.upcase().compare_ignoring_case(name, other) == Ordering::Equal
    };
    let of_type = || {
        let streams = catalog.entries.iter();
        streams.filter(|entry| entry.type_ == AttributeType::DATA && !entry.name.is_empty())
    };
    let exact = of_type().find(|entry| *entry.name == *name);
    let found = match mode {
        CaseMode::Exact => exact,
        CaseMode::Ignore => exact.or_else(|| of_type().find(|entry| is_same(&entry.name))),
    };
    let name = found.map_or(name, |entry| &entry.name);
    match is_hidden(inode, name) {
        true => Ok(None),
        false => Attribute::open(volume, &catalog, AttributeType::DATA, name),
    }
}

/// Whether a stream is not for users: it has the content in another form.
fn is_hidden(inode: &Inode, name: &[u16]) -> bool {
    inode.is_overlaid() && name.iter().copied().eq(wof::STREAM.encode_utf16())
}

/// Reads a value that is small on every volume that is not broken, `$EA` or `$REPARSE_POINT` for example;
/// `None` if the file has none.
pub fn value<D: Device>(
    store: &Store<D>,
    file: MftReference,
    type_: AttributeType,
    name: &[u16],
) -> Result<Option<KVVec<u8>>> {
    let catalog = Catalog::load(store, file)?;
    match Attribute::open(store, &catalog, type_, name)? {
        Some(attribute) => read_small(store, &attribute).map(Some),
        None => Ok(None),
    }
}

/// Reads `$STANDARD_INFORMATION` as it is now: what an opened file knows may be older.
pub fn standard_information<D: Device>(
    store: &Store<D>,
    file: MftReference,
) -> Result<StandardInformation> {
    read_standard(store, &Catalog::load(store, file)?)
}
