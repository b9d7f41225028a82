// SPDX-License-Identifier: GPL-2.0-only

//! The indexes of the whole volume, which are in files of the folder `$Extend`.

use kernel::prelude::*;

use super::{
    array,
    catalog::Catalog,
    device::Device,
    directory::{
        self,
        CaseMode, //
    },
    error::{
        Error,
        Result, //
    },
    index::{
        Index,
        IndexKind, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    name::MAX_UNITS,
    units::system_record, //
};

/// Opens an index of the file of this name; `None` if there is no such file, as before NTFS 3.0.
pub(super) fn index<D: Device>(
    volume: &Volume<D>,
    name: &str,
    kind: IndexKind,
) -> Result<Option<Index>> {
    let name: KVec<u16> = array::collected(name.encode_utf16(), MAX_UNITS)?;
    let found = volume
        .inode_number(system_record::EXTEND)
        .and_then(|extend| directory::lookup(volume, &extend, &name, CaseMode::Exact));
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) | Err(Error::Stale(_) | Error::NotDirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let catalog = Catalog::load(volume, found.reference)?;
    Index::open_kind(volume, &catalog, kind).map(Some)
}
