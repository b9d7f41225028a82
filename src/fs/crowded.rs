// SPDX-License-Identifier: GPL-2.0-only

//! Making room in a base record by moving named streams and names of the file out of it.
//!
//! A file can have so many of them that there is no room for a value to leave the record (the attribute record of
//! a value in clusters is longer than a short value was), or for a list of what is elsewhere. Then the longest
//! streams go to extension records, and after them the longest names. Nobody keeps where these are without
//! looking again: see [`super::names`], and [`Inode::keep_still`](super::inode::Inode) for who reads streams. No
//! other attribute is moved, and a record has names or streams, never both.
//!
//! Lock order: see [`super`]. The caller keeps the attributes of the file in place, and has none of its records
//! mapped.

use kernel::prelude::*;

use super::{
    allocator::Claim,
    array,
    attribute::{
        Attribute,
        Wanted, //
    },
    catalog::Piece,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    list::Base,
    new_list::{
        LIST_IN_CLUSTERS,
        SCATTERED_LIST, //
    },
    record::Role,
    records::{
        self,
        For,
        NewRecord, //
    },
    streams::is_of_wof,
    switch::{
        take_out,
        Division,
        Planned,
        Switch, //
    },
    transaction::{
        PageId,
        Transaction, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        Attribute as AttributeRecord,
        AttributeFlags,
        AttributeType,
        Form as RecordForm,
        Sizes, //
    },
    attribute_list::ListEntry,
    log::change::Change,
    name::Name,
    record::FileRecord,
    units::{
        AttributeId,
        ClusterCount,
        MftReference,
        RecordNumber,
        SequenceNumber,
        Vcn, //
    }, //
};

/// A copy of an attribute record that is to be in another MFT record.
pub(super) struct Copied {
    type_: AttributeType,
    /// Where it is now.
    from: Piece,
    bytes: KVec<u8>,
}

impl Copied {
    /// Copies an attribute record of a mapped record.
    pub(super) fn new(
        record: &FileRecord<'_>,
        reference: MftReference,
        attribute: &AttributeRecord<'_>,
    ) -> Result<Self> {
        let lowest_vcn = match &attribute.form {
            RecordForm::Resident { .. } => Vcn::ZERO,
            RecordForm::NonResident(part) => part.lowest_vcn,
        };
        Ok(Self {
            type_: attribute.type_,
            from: Piece {
                record: reference,
                id: attribute.id,
                lowest_vcn,
            },
            bytes: array::copied(record.bytes_of(attribute))?,
        })
    }

    /// Its bytes.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }
}

/// Bytes of attributes that a new extension record has room for.
pub(super) fn room_elsewhere<D: Device>(volume: &Volume<D>, owner: RecordNumber) -> usize {
    records::new_record(volume, owner, SequenceNumber::ZERO, None).room()
}

/// Bytes that a list takes for one attribute record of this name.
pub(super) fn entry_length(wanted: &Wanted<'_>) -> usize {
    let entry = ListEntry {
        type_: wanted.type_,
        name: Name::EMPTY,
        lowest_vcn: Vcn::ZERO,
        reference: wanted.owner,
        id: AttributeId::new(0),
    };
    let name = wanted.name.len().saturating_mul(2);
    // Rounded up twice, so not too little.
    let name = name.checked_next_multiple_of(8).unwrap_or(usize::MAX);
    entry.length().unwrap_or(usize::MAX).saturating_add(name)
}

/// New records with attributes of one kind, of which the last one may have room.
pub(super) struct Filling<'v, D: Device> {
    records: KVec<NewRecord<'v, D>>,
    left: usize,
}

impl<'v, D: Device> Filling<'v, D> {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            records: KVec::new(),
            left: 0,
        }
    }

    /// Begins a new record.
    pub(super) fn begin(&mut self, volume: &'v Volume<D>, base: &Base) -> Result {
        let record = NewRecord::new(volume, base.owner, For::File(Claim::Unreserved))?;
        array::push(&mut self.records, record)?;
        self.left = room_elsewhere(volume, base.owner.number);
        Ok(())
    }

    /// Puts a copy into the last record, or into a new one if there is no room; `base` leads to it then.
    pub(super) fn add(
        &mut self,
        volume: &'v Volume<D>,
        copied: &Copied,
        base: &mut Base,
    ) -> Result {
        if self.left < copied.length() {
            self.begin(volume, base)?;
        }
        let (record, id) = self.put(&copied.bytes)?;
        let to = Piece {
            record,
            id,
            lowest_vcn: copied.from.lowest_vcn,
        };
        base.redirect(copied.type_, copied.from, to)
    }

    /// Puts an attribute into the last record, and says where it is.
    pub(super) fn put(&mut self, attribute: &[u8]) -> Result<(MftReference, AttributeId)> {
        let record = self.records.last().ok_or(Error::NoRoom)?;
        let id = record.add(attribute)?;
        self.left = self.left.saturating_sub(attribute.len());
        Ok((record.reference(), id))
    }

    fn finish(mut self) {
        while let Some(record) = self.records.pop() {
            record.keep();
        }
    }
}

/// Attributes of a base record that are to be in other records, prepared; dropping it gives everything back.
pub(super) struct Moves<'v, D: Device> {
    streams: Filling<'v, D>,
    names: Filling<'v, D>,
    /// What leaves the base record.
    gone: KVec<(AttributeType, AttributeId)>,
}

impl<'v, D: Device> Moves<'v, D> {
    /// Prepares a division of the attribute that is `wanted`, and as few moves as it needs; the first ones to the last of
    /// the new records with `streams`. [`Error::NoRoom`] if there is not enough to move.
    pub(super) fn with_switch(
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        base: &mut Base,
        division: &mut Division<'_>,
        streams: Filling<'v, D>,
    ) -> Result<(Self, Switch<'v, D>)> {
        let mut moves = Self {
            streams,
            names: Filling::new(),
            gone: KVec::new(),
        };
        moves.make_room(volume, wanted, base, division, LIST_IN_CLUSTERS)?;
        let switch = match Switch::prepare(volume, wanted, base, division) {
            Err(Error::NoRoom) => {
                moves.make_room(volume, wanted, base, division, SCATTERED_LIST)?;
                Switch::prepare(volume, wanted, base, division)?
            }
            switch => switch?,
        };
        for record in &moves.names.records {
            record.change(|transaction, page| set_link_count(transaction, page, 0))?;
        }
        Ok((moves, switch))
    }

    /// Moves as little as possible for the attribute and the list, if there has to be one, which takes `in_clusters` at
    /// most.
    fn make_room(
        &mut self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        base: &mut Base,
        division: &Division<'_>,
        in_clusters: usize,
    ) -> Result {
        let own = division.base_length();
        let owner = base.owner.number;
        let is_elsewhere = |part: &Planned| match part {
            Planned::Kept(piece) => piece.record.number != owner,
            Planned::New(_) => true,
        };
        let has_list = division.parts.iter().any(is_elsewhere);
        let count = division.parts.len().saturating_add(1);
        let entries = entry_length(wanted).saturating_mul(count);
        let mut held: Option<KVec<Copied>> = None;
        // Each turn moves one more.
        loop {
            let list = match has_list || base.is_spread {
                true => base.list_length(entries, in_clusters),
                false => 0,
            };
            if own.saturating_add(list) <= base.room(volume) {
                return Ok(());
            }
            let held = match &mut held {
                Some(held) => held,
                None => held.insert(movable(volume, wanted)?),
            };
            let staying = held.iter().filter(|one| !self.is_gone(one));
            let next = staying.max_by_key(|one| (one.type_, one.length()));
            let next = next.ok_or(Error::NoRoom)?;
            match next.type_ {
                AttributeType::FILE_NAME => self.names.add(volume, next, base)?,
                _ => self.streams.add(volume, next, base)?,
            }
            base.without(next.length());
            array::push(&mut self.gone, (next.type_, next.from.id))?;
        }
    }

    fn is_gone(&self, one: &Copied) -> bool {
        self.gone.contains(&(one.type_, one.from.id))
    }

    /// Takes them out of the mapped base record.
    pub(super) fn take_out(&self, transaction: &mut Transaction<'_>, page: PageId) -> Result {
        if self.gone.is_empty() {
            return Ok(());
        }
        let place = transaction.place(page);
        let record = FileRecord::parse(transaction.bytes(page)).at(place)?;
        let links = record.header().link_count;
        take_out(transaction, page, |attribute| {
            self.gone.contains(&(attribute.type_, attribute.id))
        })?;
        match self.names.records.is_empty() {
            true => Ok(()),
            false => set_link_count(transaction, page, links),
        }
    }

    /// The base record is changed.
    pub(super) fn finish(self) {
        self.streams.finish();
        self.names.finish();
    }
}

/// Copies of the named streams and names in a base record, but for those that are `wanted`.
fn movable<D: Device>(volume: &Volume<D>, wanted: &Wanted<'_>) -> Result<KVec<Copied>> {
    let place = Place::Record(wanted.owner.number);
    let record = volume.record(wanted.owner.number, Role::Base)?;
    let mapped = record.map(volume)?;
    let content = mapped.record_as(wanted.owner)?;
    let mut held: KVec<Copied> = KVec::new();
    for attribute in content.attributes() {
        let attribute = attribute.at(place)?;
        let is_movable = match attribute.type_ {
            AttributeType::FILE_NAME => matches!(attribute.form, RecordForm::Resident { .. }),
            AttributeType::DATA => {
                !attribute.name.is_empty()
                    && !attribute.name.is(wanted.name)
                    && !is_of_wof(volume, attribute.name.units())
            }
            _ => false,
        };
        if !is_movable {
            continue;
        }
        if held.iter().any(|other| other.from.id == attribute.id) {
            let id = u64::from(attribute.id.get());
            return Err(Error::rule(place, "attributes with the same id", id, 0));
        }
        let copied = Copied::new(&content, wanted.owner, &attribute)?;
        array::push(&mut held, copied)?;
    }
    Ok(held)
}

/// Room in a base record for a value to leave it, prepared; dropping it gives everything back.
pub(super) struct Room<'v, D: Device> {
    moves: Moves<'v, D>,
    switch: Switch<'v, D>,
}

impl<'v, D: Device> Room<'v, D> {
    /// For the attribute, which is in its base record, to get `length` bytes there.
    pub(super) fn prepare(volume: &'v Volume<D>, data: &Attribute, length: usize) -> Result<Self> {
        let wanted = data.wanted();
        let mut base = Base::load(volume, &wanted)?;
        let mut parts = KVec::new();
        for piece in data.pieces().iter() {
            array::push(&mut parts, Planned::Kept(*piece))?;
        }
        let mut division = Division {
            in_base: None,
            kept_in_base: length,
            parts,
            head: wanted.head(base.id(), AttributeFlags::default()),
            sizes: Sizes::NOTHING,
            old: KVec::new(),
            reserved: (0, ClusterCount::ZERO),
            unit_shift: 0,
            is_mft: false,
        };
        let (moves, switch) =
            Moves::with_switch(volume, &wanted, &mut base, &mut division, Filling::new())?;
        Ok(Self { moves, switch })
    }

    /// Makes it in the mapped base record.
    pub(super) fn apply(
        &self,
        volume: &Volume<D>,
        data: &Attribute,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result {
        self.moves.take_out(transaction, page)?;
        self.switch.take_out(transaction, page, &data.wanted())?;
        self.switch.put_in(volume, transaction, page)
    }

    /// The base record is changed.
    pub(super) fn finish(self, volume: &'v Volume<D>) {
        self.switch.finish(volume);
        self.moves.finish();
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
