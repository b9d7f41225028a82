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
    catalog::read_list,
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
        Form as RecordForm, //
    },
    attribute_list::{
        self,
        ListEntry, //
    },
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
    /// Bytes in use without those of the attribute and of the list.
    others: usize,
    next_id: AttributeId,
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
        let mut base = Self {
            owner: MftReference {
                sequence: header.sequence,
                ..wanted.owner
            },
            others: bytes_in_use(volume, wanted.owner.number, header)?,
            next_id: AttributeId::new(header.next_attribute_id),
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
            if attribute.id >= base.next_id {
                let (found, next) = (attribute.id.get(), base.next_id.get());
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

    /// The id that the attribute has here, or would get.
    pub(super) fn id(&self) -> AttributeId {
        self.own_id.unwrap_or(self.next_id)
    }

    /// The id that the list has, or would get; `after_own` says that the attribute gets one before it.
    pub(super) fn list_id(&self, after_own: bool) -> AttributeId {
        match (&self.list, self.own_id) {
            (Some(list), _) => list.id,
            (None, None) if after_own => AttributeId::new(self.next_id.get().saturating_add(1)),
            _ => self.next_id,
        }
    }
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
