// SPDX-License-Identifier: GPL-2.0-only

//! The names that a file has, from its `$FILE_NAME` attributes.

use kernel::prelude::*;

use super::{
    attribute::Wanted,
    catalog::{
        Catalog,
        Piece, //
    },
    device::Device,
    directory::owned,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    record::Role,
    store::Store, //
};
use crate::ondisk::{
    attribute::{
        Attribute,
        AttributeType,
        Form, //
    },
    file_name::FileName,
    record::FileRecord,
    units::MftReference,
};

/// Lets `look` have each name of a file until it answers `false`. Broken ones are left out.
///
/// `look` runs with the record locked that holds the name: those in the base record come first.
pub fn for_each<D, F>(store: &Store<D>, catalog: &Catalog, mut look: F) -> Result
where
    D: Device,
    F: FnMut(&FileName<'_>) -> Result<bool>,
{
    let place = Place::Attribute(catalog.owner.number, AttributeType::FILE_NAME);
    for_each_value(store, catalog, |value| {
        look(&FileName::parse(value).at(place)?)
    })
}

/// As [`for_each`], with the whole value of each `$FILE_NAME`.
pub(super) fn for_each_value<D, F>(store: &Store<D>, catalog: &Catalog, mut look: F) -> Result
where
    D: Device,
    F: FnMut(&[u8]) -> Result<bool>,
{
    let wanted = Wanted {
        owner: catalog.owner,
        type_: AttributeType::FILE_NAME,
        name: &[],
    };
    let is_own = |piece: &Piece| piece.record.number == wanted.owner.number;
    let mut newer = None;
    for _ in 0..MAX_TURNS {
        let catalog = newer.as_ref().unwrap_or(catalog);
        let pieces = || catalog.pieces(wanted.type_, &[]);
        // Names can go from here to other records, where they stay, but not as long as this one is mapped.
        let record = store.record(wanted.owner.number, Role::Base)?;
        let mapped = record.map(store)?;
        let Ok(base) = mapped.record_as(wanted.owner) else {
            break;
        };
        if pieces().any(|piece| is_own(&piece) && instance(&base, piece).is_none()) {
            drop(mapped);
            newer = Some(Catalog::load(store, wanted.owner)?);
            continue;
        }
        for piece in pieces().filter(is_own) {
            let more = instance(&base, piece).map_or(Ok(true), |own| value_of(&own, &mut look));
            if !goes_on(more)? {
                return Ok(());
            }
        }
        drop(mapped);
        for piece in pieces().filter(|piece| !is_own(piece)) {
            let more = wanted.with_instance(store, piece, |other| value_of(other, &mut look));
            if !goes_on(more)? {
                return Ok(());
            }
        }
        break;
    }
    Ok(())
}

/// Turns that are taken while names go elsewhere.
const MAX_TURNS: u32 = 8;

/// The name in a record that a piece means.
fn instance<'r>(record: &FileRecord<'r>, piece: Piece) -> Option<Attribute<'r>> {
    record
        .attributes()
        .filter_map(core::result::Result::ok)
        .find(|other| other.type_ == AttributeType::FILE_NAME && other.id == piece.id)
}

fn value_of<F>(attribute: &Attribute<'_>, look: &mut F) -> Result<bool>
where
    F: FnMut(&[u8]) -> Result<bool>,
{
    match attribute.form {
        Form::Resident { value, .. } => look(value),
        Form::NonResident(_) => Ok(true),
    }
}

/// What is broken is left out; what may be better next time is not.
fn goes_on(more: Result<bool>) -> Result<bool> {
    match more {
        Err(error) if !error.is_transient() => Ok(true),
        more => more,
    }
}

/// The first name of a file for which `fits` is true, as UTF-16 units.
///
/// A file that does not exist any more has none.
pub fn find<D, F>(store: &Store<D>, file: MftReference, fits: F) -> Result<Option<KVec<u16>>>
where
    D: Device,
    F: Fn(&FileName<'_>) -> bool,
{
    let catalog = match Catalog::load(store, file) {
        Ok(catalog) => catalog,
        Err(Error::Stale(_) | Error::Corrupt(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut found = None;
    for_each(store, &catalog, |name| {
        if fits(name) {
            found = Some(owned(name.name)?);
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}
