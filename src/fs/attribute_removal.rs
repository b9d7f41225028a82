// SPDX-License-Identifier: GPL-2.0-only

//! Taking a whole attribute out of a file: from its records, and from its list of attributes.
//!
//! Its clusters, and the records that held nothing else, are free when that is durable.
//!
//! Lock order: see [`super`]. The caller has locked the mapping of the file's unnamed value, so that nobody else
//! changes the list.

use kernel::prelude::*;

use super::{
    allocator::Run,
    array,
    attribute::Attribute,
    catalog::Catalog,
    device::Device,
    error::{
        Error,
        Result, //
    },
    list::Base,
    record::Role,
    residency::Form,
    runlist::Target,
    switch::{
        Division,
        Switch, //
    },
    transaction::{
        PageId,
        Transaction, //
    },
    unrecorded::Unrecorded,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        AttributeType,
        Sizes, //
    },
    units::{
        AttributeId,
        ByteCount,
        ClusterCount,
        MftReference, //
    },
};

/// Takes an attribute out; `more` changes the base record in the same transaction. [`Error::NotFound`] if there is no
/// such attribute. Nothing is changed on an error.
pub(super) fn remove<D: Device>(
    volume: &Volume<D>,
    _alone: &Unrecorded,
    owner: MftReference,
    (type_, name): (AttributeType, &[u16]),
    more: impl FnOnce(&mut Transaction<'_>, PageId) -> Result,
) -> Result {
    let catalog = Catalog::load(volume, owner)?;
    if let Some(damage) = catalog.damage {
        return Err(damage);
    }
    let attribute = Attribute::open(volume, &catalog, type_, name)?.ok_or(Error::NotFound)?;
    if let Some(damage) = attribute.damage() {
        return Err(damage);
    }
    let mut clusters: KVVec<Run> = KVVec::new();
    if attribute.residency().hint() == Form::NonResident {
        let mapping = attribute.mapping_to_change(volume)?;
        for extent in mapping.runlist.extents() {
            if let Target::Clusters(lcn) = extent.target {
                let length = extent.length;
                array::push(&mut clusters, Run { lcn, length })?;
            }
        }
    }
    let mut old = KVec::new();
    for piece in attribute.pieces().iter().rev() {
        let seen = attribute.see(volume, *piece)?;
        array::push(&mut old, (*piece, seen.is_alone))?;
    }
    let wanted = attribute.wanted();
    let base = Base::load(volume, &wanted)?;
    let mut division = Division {
        in_base: None,
        kept_in_base: 0,
        parts: KVec::new(),
        head: wanted.head(AttributeId::new(0), attribute.flags()),
        sizes: Sizes {
            allocated: ByteCount::ZERO,
            data: ByteCount::ZERO,
            initialized: ByteCount::ZERO,
            compressed: None,
        },
        old,
        reserved: (0, ClusterCount::ZERO),
        unit_shift: 0,
        is_mft: false,
    };
    let switch = Switch::prepare(volume, &wanted, &base, &mut division)?;
    let freed = volume
        .allocator()?
        .prepare_free(volume, clusters.iter().copied())?;
    let record = volume.record(owner.number, Role::Base)?;
    let mut transaction = Transaction::begin();
    let page = transaction.map_record(volume, &record, owner)?;
    switch.take_out(&mut transaction, page, &wanted)?;
    switch.put_in(volume, &mut transaction, page)?;
    more(&mut transaction, page)?;
    transaction.commit();
    // Nothing was reserved.
    let _ = switch.finish(volume);
    freed.later();
    Ok(())
}
