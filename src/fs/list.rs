// SPDX-License-Identifier: GPL-2.0-only

//! The base record of a file, and its `$ATTRIBUTE_LIST`, as far as the parts of one attribute are concerned.

use core::cmp::Ordering;

use kernel::prelude::*;

use super::{
    allocator::Run,
    array,
    attribute::{
        Mapping,
        Wanted, //
    },
    catalog::{
        read_list,
        Piece, //
    },
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    parts::bytes_in_use,
    record::Role,
    runlist::Target,
    store::Store,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        Attribute as AttributeRecord,
        AttributeType,
        Form as RecordForm,
        MIN_RESIDENT_LENGTH, //
    },
    attribute_list::{
        self,
        ListEntry, //
    },
    record::FileRecord,
    units::{
        AttributeId,
        MftReference,
        Vcn, //
    }, //
};

/// The list as it is now.
pub(super) struct OldList {
    id: AttributeId,
    /// Its clusters, if it is not in the base record.
    pub(super) clusters: KVec<Run>,
}

/// The base record, as far as the parts of one attribute are concerned.
pub(super) struct Base {
    pub(super) owner: MftReference,
    /// Bytes in use.
    used: usize,
    /// Bytes in use without those of the attribute and of the list.
    others: usize,
    /// Ids that no attribute of the record has.
    free_ids: [AttributeId; 2],
    /// The id of the attribute, if a part of it is here.
    own_id: Option<AttributeId>,
    pub(super) list: Option<OldList>,
    /// What a list has before the entries of the attribute, and behind them.
    pub(super) before: KVVec<u8>,
    pub(super) behind: KVVec<u8>,
    /// Whether other attributes are in extension records.
    pub(super) is_spread: bool,
}

impl Base {
    /// Looks at the base record of an attribute.
    pub(super) fn load<D: Device>(volume: &Volume<D>, wanted: &Wanted<'_>) -> Result<Self> {
        let place = Place::Record(wanted.owner.number);
        let record = volume.record(wanted.owner.number, Role::Base)?;
        let mapped = record.map(volume)?;
        let content = mapped.record_as(wanted.owner)?;
        let header = content.header();
        let used = bytes_in_use(volume, wanted.owner.number, header)?;
        let next_id = AttributeId::new(header.next_attribute_id);
        let mut base = Self {
            owner: MftReference {
                sequence: header.sequence,
                ..wanted.owner
            },
            used,
            others: used,
            free_ids: free_ids(&content, next_id),
            own_id: None,
            list: None,
            before: KVVec::new(),
            behind: KVVec::new(),
            is_spread: false,
        };
        let mut old: Option<KVVec<u8>> = None;
        let mut in_clusters: Option<Mapping> = None;
        for attribute in content.attributes() {
            let attribute = attribute.at(place)?;
            let is_list = attribute.type_ == AttributeType::ATTRIBUTE_LIST;
            let is_own = attribute.type_ == wanted.type_ && attribute.name.is(wanted.name);
            if is_list || is_own {
                base.others = base.others.saturating_sub(attribute.length);
            }
            if is_own {
                base.own_id = base.own_id.or(Some(attribute.id));
            }
            if attribute.id >= next_id {
                let (found, next) = (attribute.id.get(), next_id.get());
                let what = "id of an attribute that is not given out yet";
                return Err(Error::rule(place, what, found.into(), next.into()));
            }
            if is_list && base.list.is_some() {
                let place = list_place(wanted);
                return Err(Error::rule(place, "attribute lists of one record", 2, 1));
            }
            if is_list {
                base.list = Some(OldList {
                    id: attribute.id,
                    clusters: KVec::new(),
                });
                match &attribute.form {
                    RecordForm::Resident { value, .. } => old = Some(array::copied(value)?),
                    RecordForm::NonResident(part) => {
                        let place = list_place(wanted);
                        let mapping = Mapping::of_part(volume.geometry(), place, part)?;
                        in_clusters = Some(mapping);
                    }
                }
            }
        }
        if base.list.is_none() {
            for attribute in content.attributes() {
                base.add(volume, wanted, &entry_of(base.owner, &attribute.at(place)?))?;
            }
        }
        drop(mapped);
        if let (Some(mapping), Some(list)) = (&in_clusters, &mut base.list) {
            if let Some(damage) = mapping.damage {
                return Err(damage);
            }
            old = Some(read_list(volume, list_place(wanted), mapping)?);
            for extent in mapping.runlist.extents() {
                if let Target::Clusters(lcn) = extent.target {
                    let length = extent.length;
                    array::push(&mut list.clusters, Run { lcn, length })?;
                }
            }
        }
        if let Some(old) = &old {
            for entry in attribute_list::entries(old) {
                base.add(volume, wanted, &entry.at(list_place(wanted))?)?;
            }
        }
        Ok(base)
    }

    /// Adds what a list says of other attributes.
    fn add<D: Device>(
        &mut self,
        volume: &Volume<D>,
        wanted: &Wanted<'_>,
        entry: &ListEntry<'_>,
    ) -> Result {
        let order = entry.type_.cmp(&wanted.type_).then_with(|| {
            let own = wanted.name.iter().copied();
            volume.upcase().collate_file_name(entry.name.units(), own)
        });
        let list = match order {
            Ordering::Less => &mut self.before,
            Ordering::Greater => &mut self.behind,
            Ordering::Equal => return Ok(()),
        };
        self.is_spread |= entry.reference.number != self.owner.number;
        append(list, entry)
    }

    /// Whether other attributes have no need of a list.
    pub(super) fn can_go_without_list(&self) -> bool {
        !self.is_spread
    }

    /// Bytes that the attributes of interest can take here together with the list.
    pub(super) fn room<D: Device>(&self, store: &Store<D>) -> usize {
        store.record_bytes().saturating_sub(self.others)
    }

    /// Bytes that the record gets longer by when it has so many of the attribute and the list.
    pub(super) fn growth(&self, length: usize) -> usize {
        self.others.saturating_add(length).saturating_sub(self.used)
    }

    /// Bytes that a list takes here at least, with so many bytes for the entries of the attribute; `in_clusters` if
    /// that is less.
    pub(super) fn list_length(&self, own: usize, in_clusters: usize) -> usize {
        let list = own
            .saturating_add(self.before.len())
            .saturating_add(self.behind.len());
        list.saturating_add(MIN_RESIDENT_LENGTH).min(in_clusters)
    }

    /// Another attribute, or a part of one, goes to another record: from now on the list says so.
    pub(super) fn redirect(&mut self, type_: AttributeType, from: Piece, to: Piece) -> Result {
        let place = Place::Attribute(self.owner.number, AttributeType::ATTRIBUTE_LIST);
        let mut found: u64 = 0;
        for list in [&mut self.before, &mut self.behind] {
            let old = core::mem::take(list);
            for entry in attribute_list::entries(&old) {
                let mut entry = entry.at(place)?;
                let is_meant = entry.type_ == type_
                    && entry.lowest_vcn == from.lowest_vcn
                    && (entry.reference.number, entry.id) == (from.record.number, from.id);
                if is_meant {
                    (entry.reference, entry.id) = (to.record, to.id);
                    found = found.saturating_add(1);
                }
                append(list, &entry)?;
            }
        }
        self.is_spread = true;
        match found {
            1 => Ok(()),
            _ => Err(Error::rule(place, "entries for one attribute", found, 1)),
        }
    }

    /// An attribute that takes so many bytes here goes to another record.
    pub(super) fn without(&mut self, length: usize) {
        self.others = self.others.saturating_sub(length);
    }

    /// The id that the attribute has here, or would get.
    pub(super) fn id(&self) -> AttributeId {
        let [first, _] = self.free_ids;
        self.own_id.unwrap_or(first)
    }

    /// The id that the list has, or would get; `after_own` says that the attribute gets one before it.
    pub(super) fn list_id(&self, after_own: bool) -> AttributeId {
        let [first, second] = self.free_ids;
        match (&self.list, self.own_id) {
            (Some(list), _) => list.id,
            (None, None) if after_own => second,
            _ => first,
        }
    }
}

/// From here on ids that are free again are given out before new ones, of which there are 65535.
const MANY_IDS: u16 = 0x7000;

/// Two ids that no attribute of a record has, in the order in which they are to be given out.
fn free_ids(record: &FileRecord<'_>, next: AttributeId) -> [AttributeId; 2] {
    let next = next.get();
    if next < MANY_IDS {
        return [next, next.saturating_add(1)].map(AttributeId::new);
    }
    let is_used = |id: &u16| {
        let mut attributes = record.attributes().filter_map(core::result::Result::ok);
        attributes.any(|attribute| attribute.id.get() == *id)
    };
    let mut free = (0..next).filter(|id| !is_used(id));
    // No record has room for so many attributes.
    [free.next(), free.next()].map(|id| AttributeId::new(id.unwrap_or(next)))
}

pub(super) fn list_place(wanted: &Wanted<'_>) -> Place {
    Place::Attribute(wanted.owner.number, AttributeType::ATTRIBUTE_LIST)
}

fn entry_of<'a>(owner: MftReference, attribute: &AttributeRecord<'a>) -> ListEntry<'a> {
    ListEntry {
        type_: attribute.type_,
        name: attribute.name,
        lowest_vcn: match &attribute.form {
            RecordForm::Resident { .. } => Vcn::ZERO,
            RecordForm::NonResident(part) => part.lowest_vcn,
        },
        reference: owner,
        id: attribute.id,
    }
}

/// Appends an entry to a list.
pub(super) fn append(list: &mut KVVec<u8>, entry: &ListEntry<'_>) -> Result {
    let length = entry.length().ok_or(Error::NoRoom)?;
    let mut bytes = KVec::<u8>::zeroed(length, GFP_KERNEL)?;
    entry.put(&mut bytes, 0).ok_or(Error::NoRoom)?;
    append_bytes(list, &bytes)
}

pub(super) fn append_bytes(list: &mut KVVec<u8>, bytes: &[u8]) -> Result {
    for byte in bytes {
        array::push(list, *byte)?;
    }
    Ok(())
}
