// SPDX-License-Identifier: GPL-2.0-only

//! The names that a file has, from its `$FILE_NAME` attributes.

use kernel::prelude::*;

use super::{
    attribute::Wanted,
    catalog::Catalog,
    device::Device,
    directory::owned,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    store::Store, //
};
use crate::ondisk::{
    attribute::{
        AttributeType,
        Form, //
    },
    file_name::FileName,
    units::MftReference,
};

/// Lets `look` have each name of a file until it answers `false`. Broken ones are left out.
///
/// `look` runs with the record locked that holds the name.
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
    for piece in catalog.pieces(AttributeType::FILE_NAME, &[]) {
        let more = wanted.with_instance(store, piece, |attribute| match attribute.form {
            Form::Resident { value, .. } => look(value),
            Form::NonResident(_) => Ok(true),
        });
        match more {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
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
