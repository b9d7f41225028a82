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
    compressed::{
        self,
        Unit, //
    },
    device::Device,
    error::{
        Error,
        Result, //
    },
    image::{
        encoded,
        unfit, //
    },
    runlist::Runlist,
    unit_batch::{
        self,
        write_runs, //
    },
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
    unit: Option<Unit>,
}

impl<'v> NewValue<'v> {
    /// Allocates clusters and writes the value to them, with zeros up to their end.
    pub(super) fn write<D: Device>(volume: &'v Volume<D>, value: &[u8]) -> Result<Self> {
        let cluster = volume.geometry().cluster_size();
        let count = cluster.clusters_for(ByteCount::new(u64_from_usize(value.len())));
        let end = Vcn::new(count.get());
        let mut runlist = Runlist::new();
        let unreserved = ClusterCount::ZERO;
        let allocator = volume.allocator()?;
        let allocations = allocator.extend(volume, &mut runlist, end, unreserved, Purpose::Data)?;
        let length = cluster.to_bytes(count).ok_or(Error::NoSpace)?.get();
        let length = usize::try_from(length).map_err(|_| Error::NoSpace)?;
        let mut bytes = KVVec::<u8>::zeroed(length, GFP_KERNEL)?;
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = *from;
        }
        write_runs(volume, &allocations, &bytes)?;
        Self::new(volume, value, None, runlist, allocations)
    }

    /// The same by compression units, each in as many clusters as it takes.
    pub(super) fn compress<D: Device>(
        volume: &'v Volume<D>,
        unit: Unit,
        value: &[u8],
    ) -> Result<Self> {
        let (runlist, allocations) = unit_batch::write_all(volume, unit, value)?;
        Self::new(volume, value, Some(unit), runlist, allocations)
    }

    fn new<D: Device>(
        volume: &'v Volume<D>,
        value: &[u8],
        unit: Option<Unit>,
        runlist: Runlist,
        allocations: KVec<Allocation<'v>>,
    ) -> Result<Self> {
        let cluster = volume.geometry().cluster_size();
        let size = ByteCount::new(u64_from_usize(value.len()));
        let allocated = cluster.to_bytes(ClusterCount::new(runlist.end().get()));
        let sizes = Sizes {
            allocated: allocated.ok_or(Error::NoSpace)?,
            data: size,
            initialized: size,
            compressed: unit.and_then(|_| cluster.to_bytes(compressed::taken(&runlist))),
        };
        let mut pairs = KVec::<u8>::zeroed(volume.record_bytes(), GFP_KERNEL)?;
        let length = mapping_pairs::encode(encoded(&runlist, Vcn::ZERO), &mut pairs);
        let pairs = length.map(|length| {
            pairs.truncate(length);
            pairs
        });
        let mapping = Mapping {
            runlist,
            sizes,
            damage: None,
        };
        Ok(Self {
            allocations,
            mapping: Arc::new(mapping, GFP_KERNEL)?,
            pairs,
            sizes,
            unit,
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
            compression_unit_shift: self.unit.map_or(0, Unit::shift),
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
