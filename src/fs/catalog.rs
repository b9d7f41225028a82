// SPDX-License-Identifier: GPL-2.0-only

//! Which attributes a file has, and which records hold them.
//!
//! Made from the base record and from its `$ATTRIBUTE_LIST`, if there is one. The attributes that
//! are in the base record count whatever the list says of them; the list adds those in extension
//! records. So a broken list hides no more than what cannot be found without it. What was broken is
//! remembered, for the one who looks for an attribute in vain.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    array,
    attribute::Mapping,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    record::{
        MappedRecord,
        Role, //
    },
    store::Store, //
};
use crate::ondisk::{
    attribute::{
        Attribute,
        AttributeType,
        Form, //
    },
    attribute_list,
    bytes::u64_from_usize,
    name::Name,
    record::RecordHeader,
    units::{
        AttributeId,
        ByteOffset,
        MftReference,
        Vcn, //
    },
};

/// The largest `$ATTRIBUTE_LIST` that Windows makes.
pub(super) const MAX_LIST: usize = 256 * 1024;

/// Where one attribute record, a whole attribute or a part of one, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The record that holds it.
    pub record: MftReference,
    /// The id that it has there.
    pub id: AttributeId,
    /// The first VCN that it describes.
    pub lowest_vcn: Vcn,
}

/// A piece with the type and name of the attribute that it belongs to.
pub struct Entry {
    /// The attribute's type.
    pub type_: AttributeType,
    /// The attribute's name; mostly empty.
    pub name: KVec<u16>,
    /// Where it is.
    pub piece: Piece,
}

impl Entry {
    /// Whether the entry is of this attribute.
    pub fn is(&self, type_: AttributeType, name: &[u16]) -> bool {
        self.type_ == type_ && *self.name == *name
    }
}

/// All attributes of a file.
pub struct Catalog {
    /// The file, with the sequence number that its base record has.
    pub owner: MftReference,
    /// The header of the base record.
    pub header: RecordHeader,
    /// The attribute records in the order in which they were found.
    pub entries: KVec<Entry>,
    /// The first thing that was broken.
    pub damage: Option<Error>,
}

/// The value of an `$ATTRIBUTE_LIST`, taken out of the base record.
enum List {
    Resident(KVVec<u8>),
    NonResident(Arc<Mapping>),
}

impl Catalog {
    /// Reads which attributes a file has.
    ///
    /// `owner` is the base record; its sequence number is checked unless it is 0. A record that is
    /// an extension of another one is [`Error::Stale`] too.
    pub fn load<D: Device>(store: &Store<D>, owner: MftReference) -> Result<Self> {
        let record = store.record(owner.number, Role::Base)?;
        // Each turn but the last somebody else has changed the record.
        loop {
            let mapped = record.map(store)?;
            let arrangement = mapped.arrangement();
            let (mut catalog, list) = Self::of_base(store, owner, &mapped)?;
            drop(mapped);
            let in_clusters = matches!(list, Some(List::NonResident(_)));
            if let Some(list) = list {
                let read = catalog.add_list(store, list);
                catalog.note(read)?;
            }
            // The clusters of a list that another one has replaced may have been somebody else's when they were read.
            if !in_clusters || record.map(store)?.arrangement() == arrangement {
                return Ok(catalog);
            }
        }
    }

    /// What the mapped base record tells, and the list, if there is one.
    fn of_base<D: Device>(
        store: &Store<D>,
        owner: MftReference,
        mapped: &MappedRecord<'_>,
    ) -> Result<(Self, Option<List>)> {
        let base = mapped.record_as(owner)?;
        let header = *base.header();
        if header.base.is_some_and(|of| of.number != owner.number) {
            return Err(Error::Stale(owner));
        }
        let mut catalog = Self {
            owner: MftReference {
                sequence: header.sequence,
                ..owner
            },
            header,
            entries: KVec::new(),
            damage: None,
        };
        let mut list = None;
        for attribute in base.attributes() {
            match attribute.at(Place::Record(owner.number)) {
                Ok(attribute) if attribute.type_ == AttributeType::ATTRIBUTE_LIST => {
                    list = catalog.note(take_list(store, owner, &attribute))?;
                }
                Ok(attribute) => catalog.add_own(&attribute)?,
                Err(error) => catalog.damage = catalog.damage.or(Some(error)),
            }
        }
        Ok((catalog, list))
    }

    /// The pieces of an attribute.
    pub fn pieces<'a>(
        &'a self,
        type_: AttributeType,
        name: &'a [u16],
    ) -> impl Iterator<Item = Piece> + 'a {
        self.entries
            .iter()
            .filter(move |entry| entry.is(type_, name))
            .map(|entry| entry.piece)
    }

    /// Remembers damage; passes on what may be better next time.
    fn note<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                self.damage = self.damage.or(Some(error));
                Ok(None)
            }
        }
    }

    fn add_own(&mut self, attribute: &Attribute<'_>) -> Result {
        let lowest_vcn = match &attribute.form {
            Form::Resident { .. } => Vcn::ZERO,
            Form::NonResident(part) => part.lowest_vcn,
        };
        let piece = Piece {
            record: self.owner,
            id: attribute.id,
            lowest_vcn,
        };
        self.add(attribute.type_, attribute.name, piece)
    }

    fn add(&mut self, type_: AttributeType, name: Name<'_>, piece: Piece) -> Result {
        // Most have no name and need no memory for it.
        let name = match name.len() {
            0 => KVec::new(),
            length => array::collected(name.units(), length)?,
        };
        array::push(&mut self.entries, Entry { type_, name, piece })?;
        Ok(())
    }

    /// Adds what a list says about extension records.
    fn add_list<D: Device>(&mut self, store: &Store<D>, list: List) -> Result {
        let place = Place::Attribute(self.owner.number, AttributeType::ATTRIBUTE_LIST);
        let bytes = match list {
            List::Resident(bytes) => bytes,
            List::NonResident(mapping) => read_list(store, place, &mapping)?,
        };
        for entry in attribute_list::entries(&bytes) {
            match entry.at(place) {
                // What is in the base record was found there.
                Ok(entry) if entry.reference.number == self.owner.number => {}
                Ok(entry) => {
                    let piece = Piece {
                        record: entry.reference,
                        id: entry.id,
                        lowest_vcn: entry.lowest_vcn,
                    };
                    self.add(entry.type_, entry.name, piece)?;
                }
                Err(error) => self.damage = self.damage.or(Some(error)),
            }
        }
        Ok(())
    }
}

/// Reads a list that is in clusters.
pub(super) fn read_list<D: Device>(
    store: &Store<D>,
    place: Place,
    mapping: &Mapping,
) -> Result<KVVec<u8>> {
    let size = mapping.sizes.data.get();
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if length > MAX_LIST {
        let most = u64_from_usize(MAX_LIST);
        return Err(Error::rule(place, "size of the attribute list", size, most));
    }
    let mut list = KVVec::<u8>::zeroed(length, GFP_KERNEL)?;
    data::read_mapping(store, mapping, place, ByteOffset::ZERO, &mut list)?;
    Ok(list)
}

/// Copies a list, or where it is, out of the mapped base record.
fn take_list<D: Device>(
    store: &Store<D>,
    owner: MftReference,
    attribute: &Attribute<'_>,
) -> Result<List> {
    match &attribute.form {
        Form::Resident { value, .. } => Ok(List::Resident(array::copied(value)?)),
        Form::NonResident(part) => {
            let place = Place::Attribute(owner.number, AttributeType::ATTRIBUTE_LIST);
            let mapping = Mapping::of_part(store.geometry(), place, part)?;
            Ok(List::NonResident(Arc::new(mapping, GFP_KERNEL)?))
        }
    }
}
