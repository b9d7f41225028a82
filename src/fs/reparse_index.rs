// SPDX-License-Identifier: GPL-2.0-only

//! The index `$R` of `$Extend/$Reparse`, which tells of all files with reparse points.

use super::{
    device::Device,
    error::Result,
    extend,
    index::IndexKind,
    index_delete,
    volume::Volume, //
};
use crate::ondisk::{
    reparse::{
        ReparseKey,
        ReparseTag, //
    },
    units::MftReference,
};

/// Takes the entry for a reparse point out, if there is one. Nothing is changed on an error.
pub(super) fn remove<D: Device>(
    volume: &Volume<D>,
    tag: ReparseTag,
    file: MftReference,
) -> Result<bool> {
    let Some(index) = extend::index(volume, "$Reparse", IndexKind::ReparsePoints)? else {
        return Ok(false);
    };
    let wanted = ReparseKey::new(tag, file);
    index_delete::delete(volume, &index, |key| {
        Ok(wanted.cmp(&ReparseKey::parse(key)?))
    })
}
