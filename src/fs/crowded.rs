// SPDX-License-Identifier: GPL-2.0-only

//! Making room in a base record by moving names of the file out of it.
//!
//! A file can have so many names that there is no room for a value to leave the record: the attribute record of
//! a value in clusters is longer than a short value was. Then the longest names go to an extension record.
//! Nobody keeps where a name is, see [`super::names`], so no other attribute is moved.
//!
//! Lock order: see [`super`]. The caller may have locked the mapping of a value of the file, and has none of its
//! records mapped.

use kernel::prelude::*;

use super::{
    allocator::{
        Claim,
        Freed, //
    },
    array,
    attribute::Wanted,
    catalog::{
        Catalog,
        Piece, //
    },
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    image::unfit,
    list::Base,
    new_list::NewList,
    record::Role,
    records::{
        self,
        For,
        NewRecord, //
    },
    switch::{
        insert,
        take_out, //
    },
    transaction::{
        PageId,
        Transaction, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        AttributeFlags,
        AttributeType,
        Form as RecordForm, //
    },
    log::change::Change,
    record::FileRecord,
    units::{
        AttributeId,
        ClusterCount,
        MftReference,
        SequenceNumber,
        Vcn, //
    }, //
};

/// Bytes of the attribute record of a list in clusters, if those are in one piece.
const LIST_IN_CLUSTERS: usize = 0x48;
/// Bytes of the attribute record of a list in the base record, without the list.
const LIST_HEADER: usize = 0x18;
/// Bytes of a list's entry for a name.
const LIST_ENTRY: usize = 0x20;

/// A name in the base record.
struct Held {
    id: AttributeId,
    /// Bytes of its attribute record.
    length: usize,
    value: KVec<u8>,
    goes: bool,
}

/// Names that are to be in another record, prepared; dropping it gives everything back.
pub(super) struct NamesOut<'v, D: Device> {
    /// Where they are to be.
    record: NewRecord<'v, D>,
    /// The ids that they have in the base record, and there.
    ids: KVec<(AttributeId, AttributeId)>,
    list: NewList<'v>,
    /// The clusters of the list that there is.
    freed: Freed<'v>,
}

impl<'v, D: Device> NamesOut<'v, D> {
    /// For attributes of the base record to get longer by `growth` bytes in all. [`Error::NoRoom`] if there are not
    /// enough names.
    pub(super) fn prepare(
        volume: &'v Volume<D>,
        owner: MftReference,
        growth: usize,
    ) -> Result<Self> {
        let wanted = Wanted {
            owner,
            type_: AttributeType::FILE_NAME,
            name: &[],
        };
        let base = Base::load(volume, &wanted)?;
        let mut held = names_in_base(volume, &wanted)?;
        let catalog = Catalog::load(volume, owner)?;
        if let Some(damage) = catalog.damage {
            return Err(damage);
        }
        let room = choose(volume, &base, &catalog, &mut held, growth)?;

        let record = NewRecord::new(volume, base.owner, For::File(Claim::Unreserved))?;
        let mut ids = KVec::new();
        let mut next: u16 = 0;
        for name in held.iter().filter(|name| name.goes) {
            let id = AttributeId::new(next);
            let head = wanted.head(id, AttributeFlags::default());
            record.put(&head.resident(&name.value, true).map_err(unfit)?)?;
            array::push(&mut ids, (name.id, id))?;
            next = next.saturating_add(1);
        }
        record.change(|transaction, page| set_link_count(transaction, page, 0))?;
        let mut pieces = KVec::new();
        for piece in catalog.pieces(wanted.type_, wanted.name) {
            let is_here = piece.record.number == owner.number;
            let new = ids.iter().find(|(old, _)| is_here && *old == piece.id);
            let piece = new.map_or(piece, |(_, id)| Piece {
                record: record.reference(),
                id: *id,
                lowest_vcn: Vcn::ZERO,
            });
            array::push(&mut pieces, piece)?;
        }
        let (id, none) = (base.list_id(false), ClusterCount::ZERO);
        let (list, _) = NewList::prepare(volume, &wanted, &base, &pieces, id, room, none)?;
        let old = base.list.iter().flat_map(|list| list.clusters.iter());
        let freed = volume.allocator()?.prepare_free(volume, old.copied())?;
        Ok(Self {
            record,
            ids,
            list,
            freed,
        })
    }

    /// Takes them out of the mapped base record.
    pub(super) fn apply(
        &self,
        volume: &Volume<D>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result {
        let place = transaction.place(page);
        let header = FileRecord::parse(transaction.bytes(page)).at(place)?;
        let links = header.header().link_count;
        take_out(transaction, page, |attribute| match attribute.type_ {
            AttributeType::FILE_NAME => self.ids.iter().any(|(old, _)| *old == attribute.id),
            type_ => type_ == AttributeType::ATTRIBUTE_LIST,
        })?;
        insert(volume, transaction, page, self.list.attribute())?;
        set_link_count(transaction, page, links)
    }

    /// The base record is changed.
    pub(super) fn finish(self) {
        self.record.keep();
        self.list.keep();
        self.freed.later();
    }
}

/// The names that are in the base record.
fn names_in_base<D: Device>(volume: &Volume<D>, wanted: &Wanted<'_>) -> Result<KVec<Held>> {
    let place = Place::Record(wanted.owner.number);
    let record = volume.record(wanted.owner.number, Role::Base)?;
    let mapped = record.map(volume)?;
    let mut held = KVec::new();
    for attribute in mapped.record_as(wanted.owner)?.attributes() {
        let attribute = attribute.at(place)?;
        if let (AttributeType::FILE_NAME, RecordForm::Resident { value, .. }) =
            (attribute.type_, &attribute.form)
        {
            let name = Held {
                id: attribute.id,
                length: attribute.length,
                value: array::copied(value)?,
                goes: false,
            };
            array::push(&mut held, name)?;
        }
    }
    Ok(held)
}

/// Chooses the names that go, the longest first; tells how many bytes there are for the list then.
fn choose<D: Device>(
    volume: &Volume<D>,
    base: &Base,
    catalog: &Catalog,
    held: &mut [Held],
    growth: usize,
) -> Result<usize> {
    let none = SequenceNumber::ZERO;
    let mut left = records::new_record(volume, base.owner.number, none, None).room();
    let names = catalog.pieces(AttributeType::FILE_NAME, &[]);
    let list = names.fold(0_usize, |sum, _| sum.saturating_add(LIST_ENTRY));
    let list = list
        .saturating_add(LIST_HEADER)
        .saturating_add(base.before.len())
        .saturating_add(base.behind.len());
    let needed = list.min(LIST_IN_CLUSTERS);
    // Each turn chooses one more.
    loop {
        let stay = held.iter().filter(|name| !name.goes);
        let stay = stay.fold(growth, |sum, name| sum.saturating_add(name.length));
        let room = base.room(volume).saturating_sub(stay);
        if room >= needed && held.iter().any(|name| name.goes) {
            return Ok(room);
        }
        let longest = held
            .iter_mut()
            .filter(|name| !name.goes && name.length <= left)
            .max_by_key(|name| name.length)
            .ok_or(Error::NoRoom)?;
        longest.goes = true;
        left = left.saturating_sub(longest.length);
    }
}

/// The base record counts all names of the file, and an extension record none.
fn set_link_count(transaction: &mut Transaction<'_>, page: PageId, count: u16) -> Result {
    // Two changes, of which the first one is the way back.
    let second = |[_, second]: [Change; 2]| second;
    let first = |[first, _]: [Change; 2]| first;
    transaction.change(page, |record| {
        Change::set_link_count(record, count).map(first)
    })?;
    transaction.change(page, |record| {
        Change::set_link_count(record, count).map(second)
    })
}
