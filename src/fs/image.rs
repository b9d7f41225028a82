// SPDX-License-Identifier: GPL-2.0-only

//! What a record is to say of a value in clusters.
//!
//! The record is told of clusters when their data is there, or when it lies behind the initialized size
//! that the record has, where nobody sees it. So the volume, should it be cut off at any moment, never
//! shows what was in the clusters before.

use kernel::prelude::*;

use super::{
    attribute::Mapping,
    compressed::Unit,
    error::{
        Error,
        Place,
        Result, //
    },
    runlist::{
        Runlist,
        Target, //
    }, //
};
use crate::ondisk::{
    attribute::{
        AttributeFlags,
        Sizes, //
    },
    attribute_builder::{
        Head,
        Part,
        Unfit, //
    },
    boot::Geometry,
    mapping_pairs::{
        self,
        Run, //
    },
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        Vcn, //
    }, //
};

/// What the flag for holes tells of a value that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holes {
    /// There may be some again: a flag that was set stays.
    Possible,
    /// There are none: the flag goes.
    Gone,
}

/// What is special about a compressed value.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) unit: Unit,
    /// Before this, what has no runs is a hole; from here on it is still to come.
    pub(super) until: Vcn,
}

/// What a record is to say of a value in clusters.
pub(super) struct Image {
    pub(super) runlist: Runlist,
    sizes: Sizes,
    /// Whether there are holes that the flags tell of.
    has_holes: bool,
    holes: Holes,
    unit: Option<Unit>,
}

impl Image {
    /// From what memory knows, for a record that has the sizes `recorded` by now.
    pub(super) fn new(
        geometry: &Geometry,
        place: Place,
        mapping: &Mapping,
        memory: Sizes,
        settled: u64,
        recorded: Sizes,
        unit: Option<Told>,
    ) -> Result<Self> {
        let cluster = geometry.cluster_size();
        let clusters_for = |size: ByteCount| match unit {
            Some(Told { unit, .. }) => {
                let end = unit.next(ByteOffset::new(size.get())).unwrap_or_default();
                cluster.vcn_of(end)
            }
            None => Vcn::new(cluster.clusters_for(size).get()),
        };
        // From here on nothing that the record says can be seen.
        let unseen = Vcn::new(cluster.clusters_for(recorded.initialized).get());
        let mut runlist = Runlist::new();
        for run in mapping.runlist.extents() {
            let (seen, behind) = (run.before(unseen), run.from(unseen));
            for (part, can_be_seen) in [(seen, true), (behind, false)] {
                let Some(part) = part else {
                    continue;
                };
                let target = match part.target {
                    Target::Clusters(lcn) => Target::Clusters(lcn),
                    Target::Fresh(lcn) if !can_be_seen => Target::Clusters(lcn),
                    Target::Fresh(_) | Target::Hole => Target::Hole,
                    // Kept apart from holes, to be cut off at the end.
                    promised @ Target::Promised(_) => promised,
                    Target::Missing => {
                        return Err(mapping.damage.unwrap_or_else(|| {
                            let what = "change of a value whose runs are not all known, at VCN";
                            Error::rule(place, what, part.vcn.get(), 0)
                        }))
                    }
                };
                runlist.push(target, part.length)?;
            }
        }
        let needed = clusters_for(memory.data);
        if let Some(Told { until, .. }) = unit {
            let end = needed.min(until);
            if let Some(hole) = end.distance_from(runlist.end()) {
                runlist.push(Target::Hole, hole)?;
            }
        }
        // A hole that the record tells of, and that is promised now, stays one until data is there.
        let told = clusters_for(recorded.data.min(memory.data));
        let runlist = without_promises(&runlist, told, needed)?;

        let mut taken = ClusterCount::ZERO;
        let mut has_holes = false;
        for run in runlist.extents() {
            match run.target {
                Target::Clusters(_) => taken = taken.checked_add(run.length).unwrap_or(taken),
                _ => has_holes = true,
            }
        }
        let end = ClusterCount::new(runlist.end().get());
        let too_long = || Error::rule(place, "clusters of the value", end.get(), 0);
        let allocated = cluster.to_bytes(end).ok_or_else(too_long)?;
        let data = memory.data.min(allocated);
        Ok(Self {
            runlist,
            sizes: Sizes {
                allocated,
                data,
                initialized: ByteCount::new(settled).min(data),
                compressed: cluster.to_bytes(taken),
            },
            // Those of a compressed value are nothing special.
            has_holes: has_holes && unit.is_none(),
            holes: Holes::Possible,
            unit: unit.map(|told| told.unit),
        })
    }

    /// The same, with another word about holes.
    pub(super) fn with(self, holes: Holes) -> Self {
        Self { holes, ..self }
    }

    /// The sizes as the record is to have them; `compressed` is what the clusters take in any case.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The flags that the attribute needs.
    pub(super) fn flags(&self, old: AttributeFlags) -> AttributeFlags {
        match (self.has_holes, self.holes) {
            (true, _) => old.with_sparse(),
            (false, Holes::Possible) => old,
            (false, Holes::Gone) => old.without_sparse(),
        }
    }

    /// The sizes for an attribute with these flags.
    pub(super) fn sizes_for(&self, flags: AttributeFlags) -> Sizes {
        Sizes {
            compressed: self
                .sizes
                .compressed
                .filter(|_| flags.is_sparse() || flags.is_compressed()),
            ..self.sizes
        }
    }

    /// The mapping pairs; [`Error::NoRoom`] if they are longer than `room`.
    pub(super) fn mapping_pairs(&self, room: usize) -> Result<KVec<u8>> {
        let mut pairs = KVec::<u8>::zeroed(room, GFP_KERNEL)?;
        let runs = encoded(&self.runlist, Vcn::ZERO);
        let length = mapping_pairs::encode(runs, &mut pairs).ok_or(Error::NoRoom)?;
        pairs.truncate(length);
        Ok(pairs)
    }

    /// The attribute record, made anew.
    pub(super) fn to_attribute(&self, head: &Head<'_>, pairs: &[u8]) -> Result<KVec<u8>> {
        let head = Head {
            flags: self.flags(head.flags),
            ..*head
        };
        head.non_resident(&Part {
            lowest_vcn: Vcn::ZERO,
            end: self.runlist.end(),
            sizes: self.sizes_for(head.flags),
            compression_unit_shift: self.unit.map_or(0, Unit::shift),
            mapping_pairs: pairs,
        })
        .map_err(unfit)
    }
}

/// The runs as mapping pairs have them, from the one on that `first` is in.
pub(super) fn encoded(runs: &Runlist, first: Vcn) -> impl Iterator<Item = Run> + '_ {
    runs.extents_from(first).map(|run| Run {
        vcn: run.vcn,
        lcn: match run.target {
            Target::Clusters(lcn) => Some(lcn),
            _ => None,
        },
        length: run.length,
    })
}

/// Without the promised clusters: those at the end are cut off, but for those before `told`; others are holes for
/// now.
///
/// Cut off are holes from `needed` on, where the value has no byte: what was promised there and given back.
fn without_promises(runs: &Runlist, told: Vcn, needed: Vcn) -> Result<Runlist> {
    let mut end = Vcn::ZERO;
    for run in runs.extents() {
        let behind = run.end().unwrap_or(end);
        end = match run.target {
            Target::Promised(_) => end.max(behind.min(told)),
            Target::Hole => end.max(behind.min(needed)),
            _ => behind,
        };
    }
    let mut kept = Runlist::new();
    for run in runs.until(end)?.extents() {
        let target = match run.target {
            Target::Promised(_) => Target::Hole,
            other => other,
        };
        kept.push(target, run.length)?;
    }
    Ok(kept)
}

/// Why no attribute record could be made.
pub(super) fn unfit(why: Unfit) -> Error {
    match why {
        Unfit::NoMemory => Error::NoMemory,
        Unfit::TooLong => Error::NoRoom,
    }
}
