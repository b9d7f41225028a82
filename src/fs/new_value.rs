// SPDX-License-Identifier: GPL-2.0-only

//! A whole value, written to clusters of its own before any record tells of it.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        Allocation,
        Purpose, //
    },
    attribute::Mapping,
    data,
    device::Device,
    error::{
        Error,
        Place,
        Result, //
    },
    image::{
        encoded,
        unfit, //
    },
    runlist::Runlist,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Sizes,
    attribute_builder::{
        Head,
        Part, //
    },
    bytes::u64_from_usize,
    mapping_pairs,
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        Vcn, //
    },
};

/// A value in clusters that nothing refers to yet. Dropping it gives them back.
pub(super) struct NewValue<'v> {
    allocations: KVec<Allocation<'v>>,
    pub(super) mapping: Arc<Mapping>,
    /// The mapping pairs of all runs; `None` if they are longer than a record.
    pairs: Option<KVec<u8>>,
    pub(super) sizes: Sizes,
}

impl<'v> NewValue<'v> {
    /// Allocates clusters and writes the value to them, with zeros up to their end. `place` is for errors.
    pub(super) fn write<D: Device>(
        volume: &'v Volume<D>,
        place: Place,
        value: &[u8],
    ) -> Result<Self> {
        let cluster = volume.geometry().cluster_size();
        let size = ByteCount::new(u64_from_usize(value.len()));
        let end = Vcn::new(cluster.clusters_for(size).get());
        let allocator = volume.allocator()?;

        let mut runlist = Runlist::new();
        let unreserved = ClusterCount::ZERO;
        let allocations = allocator.extend(volume, &mut runlist, end, unreserved, Purpose::Data)?;
        let allocated = cluster
            .to_bytes(ClusterCount::new(end.get()))
            .ok_or(Error::NoSpace)?;
        let sizes = Sizes {
            allocated,
            data: size,
            initialized: size,
            compressed: None,
        };
        let mapping = Arc::new(
            Mapping {
                runlist,
                sizes,
                damage: None,
            },
            GFP_KERNEL,
        )?;
        let length = usize::try_from(allocated.get()).map_err(|_| Error::NoSpace)?;
        let mut bytes = KVVec::<u8>::zeroed(length, GFP_KERNEL)?;
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = *from;
        }
        data::write_mapping(volume, &mapping, place, ByteOffset::ZERO, &bytes)?;

        let mut pairs = KVec::<u8>::zeroed(volume.record_bytes(), GFP_KERNEL)?;
        let length = mapping_pairs::encode(encoded(&mapping.runlist, Vcn::ZERO), &mut pairs);
        let pairs = length.map(|length| {
            pairs.truncate(length);
            pairs
        });
        Ok(Self {
            allocations,
            mapping,
            pairs,
            sizes,
        })
    }

    /// Bytes of an attribute record that tells of all of it; `None` if that is longer than a record.
    pub(super) fn attribute_length(&self, head: &Head<'_>) -> Option<usize> {
        head.non_resident_length(self.pairs.as_ref()?.len())
    }

    /// The attribute record; [`Error::NoRoom`] if it would be longer than a record.
    pub(super) fn attribute(&self, head: &Head<'_>) -> Result<KVec<u8>> {
        head.non_resident(&Part {
            lowest_vcn: Vcn::ZERO,
            end: self.mapping.runlist.end(),
            sizes: self.sizes,
            compression_unit_shift: 0,
            mapping_pairs: self.pairs.as_ref().ok_or(Error::NoRoom)?,
        })
        .map_err(unfit)
    }

    /// A record refers to the clusters, or is going to, and nothing can fail any more.
    pub(super) fn keep(&mut self) {
        while let Some(allocation) = self.allocations.pop() {
            allocation.keep();
        }
    }
}
