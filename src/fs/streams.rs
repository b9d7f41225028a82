// SPDX-License-Identifier: GPL-2.0-only

//! The named streams of a file, and its values that are small and read whole.
//!
//! A file or directory can have any number of streams beside the unnamed one; each is a `$DATA` attribute
//! with a name. They are looked up in the records each time, as they can be replaced or go to other records;
//! who does so, and who reads them, keeps the others from it by [`Inode::keep_still`]. All that is not a stream,
//! nor a name, stays where it is.
//!
//! What changes them is [`super::stream_update`].

use core::cmp::Ordering;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    array,
    attribute::Attribute,
    catalog::Catalog,
    data,
    device::Device,
    directory::CaseMode,
    efs::{
        self,
        Encrypted, //
    },
    error::{
        Error,
        Result, //
    },
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
    bytes::u64_from_usize,
    compression::wof,
    name::MAX_UNITS,
    standard_information::StandardInformation,
    units::{
        ByteCount,
        ByteOffset,
        MftReference,
        Vcn, //
    },
};

/// The names of the named streams, in the order of the records; each is UTF-16.
///
/// The stream with the content of a file that WOF has compressed is none of them. If the file is damaged so
/// that one could be missing, that is the error. Takes the lock that keeps streams in place.
pub fn names<D: Device>(store: &Store<D>, inode: &Inode) -> Result<KVec<KVec<u16>>> {
    let _still = inode.keep_still();
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

/// Reads a named stream into `value`, if there is room for all of it, and says how long it is; `None` if there is
/// no such stream. Of several that fit it is the one that [`open`] opens.
///
/// Takes the lock that keeps streams in place; may sleep.
pub fn read<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    name: &[u16],
    mode: CaseMode,
    encrypted: Encrypted,
    value: &mut [u8],
) -> Result<Option<ByteCount>> {
    let _still = inode.keep_still();
    let Some(stream) = open(volume, inode, name, mode)? else {
        return Ok(None);
    };
    let is_raw = encrypted == Encrypted::AsStored && efs::is_raw(&stream);
    let size = match is_raw {
        true => efs::raw_size(&stream),
        false => stream.data_size(),
    };
    let room = usize::try_from(size.get()).unwrap_or(usize::MAX);
    let mut rest = value.get_mut(..room).unwrap_or(&mut []);
    let mut at = ByteOffset::ZERO;
    // Each turn reads at least a byte.
    while !rest.is_empty() {
        let read = match is_raw {
            true => efs::read_raw(volume, &stream, at, rest)?,
            false => data::read_at(volume, &stream, at, rest)?,
        };
        let length = ByteCount::new(u64_from_usize(read));
        at = at.checked_add(length).ok_or(Error::NotFound)?;
        rest = match rest.split_at_mut_checked(read) {
            Some((_, rest)) if read != 0 => rest,
            _ => &mut [],
        };
    }
    Ok(Some(size))
}

/// Opens a named stream; `None` if there is none.
///
/// With [`CaseMode::Ignore`], if several fit, the one written exactly so, else the first. The caller keeps it in place
/// by [`Inode::keep_still`], or is the only one who has the file.
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
    let name = find(volume, &catalog, name, mode).unwrap_or(name);
    match is_hidden(inode, name) {
        true => Ok(None),
        false => Attribute::open(volume, &catalog, AttributeType::DATA, name),
    }
}

/// The name of the stream that is meant by `name`, as it is written in the catalog.
pub(super) fn find<'c, D: Device>(
    volume: &Volume<D>,
    catalog: &'c Catalog,
    name: &[u16],
    mode: CaseMode,
) -> Option<&'c [u16]> {
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
    found.map(|entry| &*entry.name)
}

/// Whether a stream can have this name: as Windows has it, but for the backslash, which Linux has no use for.
pub fn is_name(name: &[u16]) -> bool {
    let is_allowed = |unit: &u16| ![0, SLASH, COLON].contains(unit);
    !name.is_empty() && name.len() <= MAX_UNITS && name.iter().all(is_allowed)
}

const SLASH: u16 = 0x2f;
const COLON: u16 = 0x3a;

/// Whether it is the name of the stream with what WOF has compressed, in any case of the letters.
pub(super) fn is_of_wof<D: Device>(
    volume: &Volume<D>,
    name: impl Iterator<Item = u16> + Clone,
) -> bool {
    let wof = wof::STREAM.encode_utf16();
    volume.upcase().compare_ignoring_case(name, wof) == Ordering::Equal
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
