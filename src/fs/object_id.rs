// SPDX-License-Identifier: GPL-2.0-only

//! The object id of a file, with what the index `$O` of `$Extend/$ObjId` adds to it.

use kernel::prelude::*;

use super::{
    array,
    device::Device,
    error::{
        Located,
        Place,
        Result, //
    },
    extend,
    index::IndexKind,
    streams,
    view,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::AttributeType,
    object_id::{
        ObjectId,
        ObjectIdEntry, //
    },
    units::MftReference,
};

/// Reads the object id: 16 bytes, or 64 with the GUIDs of its birth if the index has them; `None` if the
/// file has none.
///
/// May sleep.
pub fn object_id<D: Device>(volume: &Volume<D>, file: MftReference) -> Result<Option<KVec<u8>>> {
    let type_ = AttributeType::OBJECT_ID;
    let Some(value) = streams::value(volume, file, type_, &[])? else {
        return Ok(None);
    };
    let place = Place::Attribute(file.number, type_);
    let id = ObjectId::parse(&value).at(place)?;
    let birth = birth(volume, file, &id)?;
    let birth = birth.iter().flatten();
    let whole = Iterator::chain(id.as_bytes().iter(), birth).copied();
    Ok(Some(array::collected(whole, 4 * ObjectId::LENGTH)?))
}

/// What the index has for an id, if it is that of this file.
fn birth<D: Device>(
    volume: &Volume<D>,
    file: MftReference,
    id: &ObjectId,
) -> Result<Option<[u8; 3 * ObjectId::LENGTH]>> {
    let Some(index) = extend::index(volume, "$ObjId", IndexKind::ObjectIds)? else {
        return Ok(None);
    };
    let found = view::find(
        volume,
        &index,
        |key| ObjectId::parse(key).map(|key| id.words().cmp(key.words())),
        |entry| {
            let entry = ObjectIdEntry::parse(entry.data()?)?;
            Ok((entry.file, *entry.birth))
        },
    )?;
    Ok(found.and_then(|(of, birth)| (of.number == file.number).then_some(birth)))
}
