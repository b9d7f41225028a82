// SPDX-License-Identifier: GPL-2.0-only

//! The security descriptor of a file: in `$Secure` by its id, or in an attribute of its own.
//!
//! An entry of `$Secure` has to have the id, the hash and the place that the index says; of one that has not,
//! the copy is taken.

use kernel::prelude::*;

use super::{
    array,
    attribute::Attribute,
    catalog::Catalog,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    index::{
        Index,
        IndexKind, //
    },
    inode::{
        read_small,
        read_standard, //
    },
    store::Store,
    view, //
};
use crate::ondisk::{
    attribute::AttributeType,
    secure::{
        SdsEntry,
        SecurityId, //
    },
    security_descriptor::SecurityDescriptor,
    units::{
        system_record,
        ByteOffset,
        MftReference,
        SequenceNumber, //
    },
};

/// The name of the stream of `$Secure` that has the descriptors: `$SDS`.
const SDS: [u16; 4] = [0x24, 0x53, 0x44, 0x53];

/// Reads the security descriptor of a file, self-relative; `None` if it has none.
///
/// May sleep.
pub fn descriptor<D: Device>(store: &Store<D>, file: MftReference) -> Result<Option<KVVec<u8>>> {
    let catalog = Catalog::load(store, file)?;
    let id = read_standard(store, &catalog)?.security_id;
    let shared = match id {
        Some(id) => by_id(store, id).map(Some),
        None => Ok(None),
    };
    match shared {
        Ok(Some(descriptor)) => return Ok(Some(descriptor)),
        Err(error) if error.is_transient() => return Err(error),
        Ok(None) | Err(_) => {}
    }
    // Of a file with both, that in `$Secure` counts.
    let type_ = AttributeType::SECURITY_DESCRIPTOR;
    let Some(attribute) = Attribute::open(store, &catalog, type_, &[])? else {
        return shared;
    };
    let descriptor = read_small(store, &attribute)?;
    SecurityDescriptor::parse(&descriptor).at(attribute.place())?;
    Ok(Some(descriptor))
}

/// Reads a descriptor out of `$Secure`.
fn by_id<D: Device>(store: &Store<D>, id: SecurityId) -> Result<KVVec<u8>> {
    let secure = MftReference {
        number: system_record::SECURE,
        sequence: SequenceNumber::ZERO,
    };
    let catalog = Catalog::load(store, secure)?;
    let index = Index::open_kind(store, &catalog, IndexKind::SecurityIds)?;
    let place = Place::Attribute(secure.number, AttributeType::DATA);
    let missing = |what| Error::rule(place, what, u64::from(id.get()), 0);
    let found = view::find(
        store,
        &index,
        |key| SecurityId::parse(key).map(|key| id.cmp(&key)),
        |entry| SdsEntry::parse(entry.data()?),
    )?;
    let entry = found.ok_or_else(|| missing("no entry for the security id"))?;
    let sds = Attribute::open(store, &catalog, AttributeType::DATA, &SDS)?
        .ok_or_else(|| missing("no $SDS for the security id"))?;
    let original = read_entry(store, &sds, &entry, entry.offset());
    match (original, entry.offset_of_copy()) {
        (Err(Error::Corrupt(why)), Some(copy)) => {
            read_entry(store, &sds, &entry, copy).map_err(|error| match error {
                Error::Corrupt(_) => Error::Corrupt(why),
                error => error,
            })
        }
        (original, _) => original,
    }
}

/// Reads the descriptor of an entry at this offset of `$SDS`.
fn read_entry<D: Device>(
    store: &Store<D>,
    sds: &Attribute,
    entry: &SdsEntry,
    offset: ByteOffset,
) -> Result<KVVec<u8>> {
    let mut bytes = KVVec::<u8>::zeroed(entry.length(), GFP_KERNEL)?;
    let read = data::read_at(store, sds, offset, &mut bytes)?;
    let bytes = bytes.get(..read).unwrap_or(&[]);
    let descriptor = entry.descriptor(bytes).at(sds.place())?;
    SecurityDescriptor::parse(descriptor).at(sds.place())?;
    Ok(array::copied(descriptor)?)
}
