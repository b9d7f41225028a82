// SPDX-License-Identifier: GPL-2.0-only

//! Putting a value in the place of a named stream, making one, and removing one: in one transaction each.
//!
//! The value is in its record if there is room, else in clusters that are written before. A stream that was there
//! is replaced whole: what it had in clusters is free when that is durable. So a power cut leaves the old value or
//! the new one. Where a stream is to be, in this order:
//!
//! 1. where it is, in its record or in clusters;
//! 2. in the base record: in clusters rather than that something has to leave the record;
//! 3. in an extension record that has only streams, or in a new one.
//!
//! An extension record that the device has is never changed when attributes come to it or leave it: a new one with
//! all that is to be there takes its place, as base records lead to whole records only (see [`super::parts`]). One
//! that the device has nothing of yet, as there was no sync since it was made, is changed together with the base
//! record. For the list that there has to be then, other streams and names leave the base record if need be, see
//! [`super::crowded`].
//!
//! Lock order: see [`super`]. The caller is the only one who changes the file's streams or names, and has none of
//! its records mapped.

use kernel::prelude::*;

use super::{
    allocator::Run,
    array,
    attribute::{
        Attribute,
        Wanted, //
    },
    catalog::{
        Catalog,
        Piece, //
    },
    device::Device,
    directory::CaseMode,
    error::{
        Error,
        Located,
        Result, //
    },
    inode::Inode,
    parts::Seen,
    rearranged::{
        Plan,
        Value, //
    },
    record::Role,
    residency::Form,
    runlist::Target,
    streams::{
        find,
        is_of_wof, //
    },
    transaction::Transaction,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::AttributeType,
    log::change::Change,
    record::FileRecord,
    standard_information::FileAttributes,
    units::system_record, //
};

/// Makes `value` the value of a named stream, which is made if there is none. May sleep.
///
/// With [`CaseMode::Ignore`] a stream keeps the name that it has. [`Error::NoRoom`] if the file has no room for so
/// many, [`Error::NoSpace`] if the volume has none. On an error nothing is changed.
pub fn set<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    name: &[u16],
    mode: CaseMode,
    value: &[u8],
) -> Result {
    // Others would take plain bytes for encrypted ones, and nobody would know that they are not.
    if inode.file_attributes().contains(FileAttributes::ENCRYPTED) {
        return Err(Error::Encrypted);
    }
    check_owner(inode)?;
    volume.start_change()?;
    volume.with_freed(|| put(volume, inode, name, mode, Some(value)))?;
    Ok(())
}

/// Removes a named stream; says whether there was one. May sleep. On an error nothing is changed.
///
/// [`Error::NoSpace`] where the list of the file's attributes is in clusters, and there are none for a new one.
pub fn remove<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    name: &[u16],
    mode: CaseMode,
) -> Result<bool> {
    check_owner(inode)?;
    volume.start_change()?;
    volume.with_freed(|| put(volume, inode, name, mode, None))
}

/// The streams of system files are the system's, but for those of the root directory.
fn check_owner(inode: &Inode) -> Result {
    let number = inode.reference().number;
    match number < system_record::FIRST_USER && number != system_record::ROOT {
        true => Err(Error::Unsupported("changing streams of a system file")),
        false => Ok(()),
    }
}

fn put<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    name: &[u16],
    mode: CaseMode,
    value: Option<&[u8]>,
) -> Result<bool> {
    // That would be the unnamed one.
    if name.is_empty() {
        return match value {
            Some(_) => Err(Error::Unsupported("a stream without a name")),
            None => Ok(false),
        };
    }
    let mut still = inode.keep_still();
    let catalog = Catalog::load(volume, inode.reference())?;
    if let Some(damage) = catalog.damage {
        return Err(damage);
    }
    let name = find(volume, &catalog, name, mode).unwrap_or(name);
    if inode.is_overlaid() && is_of_wof(volume, name.iter().copied()) {
        let what = "changing the stream with the compressed content";
        return Err(Error::Unsupported(what));
    }
    let wanted = Wanted {
        owner: catalog.owner,
        type_: AttributeType::DATA,
        name,
    };
    let old = Old::load(volume, &catalog, &wanted)?;
    if old.parts.is_empty() && value.is_none() {
        return Ok(false);
    }
    if value.is_some() && old.is_encrypted {
        return Err(Error::Encrypted);
    }
    let mut value = value.map(Value::new);
    if let (Some(value), [(piece, seen)]) = (&mut value, &*old.parts) {
        let fitting = match value.fitting(volume, &wanted, seen.id, seen.room) {
            // There may be room for it in another record.
            Err(Error::NoSpace) => None,
            fitting => fitting?,
        };
        if let Some(attribute) = fitting {
            let freed = volume
                .allocator()?
                .prepare_free(volume, old.clusters.iter().copied())?;
            if wanted.role(*piece) == Role::Base {
                still.ensure_room(volume, attribute.len().saturating_sub(seen.length))?;
            }
            replace(volume, &wanted, *piece, &attribute, value)?;
            freed.later();
            return Ok(true);
        }
    }
    let freed = volume
        .allocator()?
        .prepare_free(volume, old.clusters.iter().copied())?;
    let plan = Plan {
        volume,
        catalog: &catalog,
        wanted: &wanted,
        old: &old.parts,
    };
    for in_place in [true, false] {
        let rearranged = plan.prepare(&mut value, in_place, &mut still)?;
        if rearranged.commit(volume, &wanted, &mut value)? {
            freed.later();
            return Ok(true);
        }
    }
    // Not reached: only a record that is changed in place can be in the way.
    Err(Error::NotFound)
}

/// The stream as it is now.
struct Old {
    /// Its attribute records.
    parts: KVec<(Piece, Seen)>,
    /// Its clusters.
    clusters: KVVec<Run>,
    is_encrypted: bool,
}

impl Old {
    fn load<D: Device>(volume: &Volume<D>, catalog: &Catalog, wanted: &Wanted<'_>) -> Result<Self> {
        let mut old = Self {
            parts: KVec::new(),
            clusters: KVVec::new(),
            is_encrypted: false,
        };
        let Some(stream) = Attribute::open(volume, catalog, wanted.type_, wanted.name)? else {
            return Ok(old);
        };
        if let Some(damage) = stream.damage() {
            return Err(damage);
        }
        old.is_encrypted = stream.flags().is_encrypted();
        for piece in stream.pieces().iter() {
            let seen = stream.see(volume, *piece)?;
            array::push(&mut old.parts, (*piece, seen))?;
        }
        if stream.residency().hint() == Form::Resident {
            return Ok(old);
        }
        for run in stream.mapping_to_change(volume)?.runlist.extents() {
            if let Target::Clusters(lcn) = run.target {
                let length = run.length;
                array::push(&mut old.clusters, Run { lcn, length })?;
            }
        }
        Ok(old)
    }
}

/// Changes the attribute record of a stream where it is.
fn replace<D: Device>(
    volume: &Volume<D>,
    wanted: &Wanted<'_>,
    piece: Piece,
    attribute: &[u8],
    value: &mut Value<'_, '_>,
) -> Result {
    let holder = volume.record(piece.record.number, wanted.role(piece))?;
    let mut transaction = Transaction::begin();
    let page = transaction.map_record(volume, &holder, piece.record)?;
    let place = transaction.place(page);
    let content = FileRecord::parse(transaction.bytes(page)).at(place)?;
    let at = wanted.find(&content, piece)?.offset;
    transaction.change(page, |record| Change::delete_attribute(record, at))?;
    transaction.change(page, |record| {
        Change::create_attribute(record, at, attribute)
    })?;
    // From here on nothing fails.
    value.keep();
    transaction.commit();
    Ok(())
}
