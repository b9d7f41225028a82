// SPDX-License-Identifier: GPL-2.0-only

//! A new `$ATTRIBUTE_LIST` for a base record.

use kernel::prelude::*;

use super::{
    allocator::{
        Allocation,
        Purpose, //
    },
    array,
    attribute::{
        Mapping,
        Wanted, //
    },
    catalog::{
        Piece,
        MAX_LIST, //
    },
    data,
    device::Device,
    error::{
        Error,
        Result, //
    },
    image::unfit,
    list::{
        append,
        append_bytes,
        list_place,
        Base, //
    },
    parts::cut_to_spans,
    runlist::Runlist,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        AttributeFlags,
        AttributeType,
        Sizes, //
    },
    attribute_builder::Head,
    attribute_list::ListEntry,
    bytes::u64_from_usize,
    name::Name,
    units::{
        AttributeId,
        ByteCount,
        ByteOffset,
        ClusterCount,
        Vcn, //
    }, //
};

/// Bytes of the attribute record of a list in clusters, if those are in one piece.
pub(super) const LIST_IN_CLUSTERS: usize = 0x48;
/// The same, in as many pieces as it may be in.
pub(super) const SCATTERED_LIST: usize = 0x40 + LIST_PAIRS;
/// Bytes of mapping pairs that the attribute record of a list has room for.
const LIST_PAIRS: usize = 64;

/// A list, prepared; dropping it gives its clusters back.
pub(super) struct NewList<'v> {
    attribute: KVec<u8>,
    clusters: KVec<Allocation<'v>>,
}

impl<'v> NewList<'v> {
    /// Makes the list of all attributes, of which those that are `wanted` are `pieces`: in the base record if its
    /// attribute record fits into `room` then. Tells how many of the `reserved` clusters it took.
    pub(super) fn prepare<D: Device>(
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        base: &Base,
        pieces: &[Piece],
        id: AttributeId,
        room: usize,
        reserved: ClusterCount,
    ) -> Result<(Self, ClusterCount)> {
        let mut list = entries(wanted, base, pieces)?;
        if list.len() > MAX_LIST {
            return Err(Error::NoRoom);
        }
        let head = Head {
            type_: AttributeType::ATTRIBUTE_LIST,
            name: &[],
            id,
            flags: AttributeFlags::default(),
        };
        let fits = head
            .resident_length(list.len())
            .is_some_and(|length| length <= room);
        let (new, claimed) = match fits {
            true => {
                let attribute = head.resident(&list, false).map_err(unfit)?;
                let clusters = KVec::new();
                let new = Self {
                    attribute,
                    clusters,
                };
                (new, ClusterCount::ZERO)
            }
            false => Self::in_clusters(volume, wanted, &head, &mut list, reserved)?,
        };
        match new.attribute.len() <= room {
            true => Ok((new, claimed)),
            false => Err(Error::NoRoom),
        }
    }

    /// Writes the list to clusters.
    fn in_clusters<D: Device>(
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        head: &Head<'_>,
        list: &mut KVVec<u8>,
        reserved: ClusterCount,
    ) -> Result<(Self, ClusterCount)> {
        let cluster = volume.geometry().cluster_size();
        let data = ByteCount::new(u64_from_usize(list.len()));
        let count = cluster.clusters_for(data);
        let end = Vcn::new(count.get());
        let mut runlist = Runlist::new();
        let allocator = volume.allocator()?;
        let clusters = allocator.extend(volume, &mut runlist, end, reserved, Purpose::Data)?;
        let allocated = cluster.to_bytes(count).ok_or(Error::NoSpace)?;
        let sizes = Sizes {
            allocated,
            data,
            initialized: data,
            compressed: None,
        };
        let filled = usize::try_from(allocated.get()).map_err(|_| Error::NoSpace)?;
        // Each turn adds a byte.
        while list.len() < filled {
            array::push(list, 0)?;
        }
        let mut spans = cut_to_spans(&runlist, Vcn::ZERO, end, LIST_PAIRS, LIST_PAIRS)?;
        let (Some(span), None) = (spans.pop(), spans.pop()) else {
            return Err(Error::NoRoom);
        };
        let mapping = Mapping {
            runlist,
            sizes,
            damage: None,
        };
        let place = list_place(wanted);
        data::write_mapping(volume, &mapping, place, ByteOffset::ZERO, list)?;
        let new = Self {
            attribute: span.attribute(head, sizes, 0)?,
            clusters,
        };
        Ok((new, reserved.min(count)))
    }

    /// Its attribute record.
    pub(super) fn attribute(&self) -> &[u8] {
        &self.attribute
    }

    /// It is in the base record.
    pub(super) fn keep(mut self) {
        while let Some(allocation) = self.clusters.pop() {
            allocation.keep();
        }
    }
}

fn entries(wanted: &Wanted<'_>, base: &Base, pieces: &[Piece]) -> Result<KVVec<u8>> {
    let mut units = KVec::<u8>::new();
    for unit in wanted.name {
        for byte in unit.to_le_bytes() {
            array::push(&mut units, byte)?;
        }
    }
    let name = Name::from_bytes(&units).ok_or(Error::NoRoom)?;
    let mut list = KVVec::new();
    append_bytes(&mut list, &base.before)?;
    for piece in pieces {
        let entry = ListEntry {
            type_: wanted.type_,
            name,
            lowest_vcn: piece.lowest_vcn,
            reference: piece.record,
            id: piece.id,
        };
        append(&mut list, &entry)?;
    }
    append_bytes(&mut list, &base.behind)?;
    Ok(list)
}
