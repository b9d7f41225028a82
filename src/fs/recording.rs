// SPDX-License-Identifier: GPL-2.0-only

//! Bringing the record of a value in clusters up to what memory knows.
//!
//! The record is told of clusters when their data is there, or when it lies behind the initialized size
//! that the record has, where nobody sees it. So the volume, should it be cut off at any moment, never
//! shows what was in the clusters before.

use kernel::prelude::*;

use super::{
    attribute::{
        Attribute,
        Mapping, //
    },
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    runlist::{
        Runlist,
        Target, //
    },
    store::Store,
    transaction::{
        PageId,
        Transaction, //
    },
    unrecorded::Unrecorded, //
};
use crate::ondisk::{
    attribute::{
        AttributeFlags,
        AttributeType,
        Form as RecordForm,
        NonResident,
        Sizes, //
    },
    attribute_builder::{
        Head,
        Part,
        Unfit, //
    },
    boot::Geometry,
    bytes::usize_from_u32,
    log::change::Change,
    mapping_pairs::{
        self,
        Run, //
    },
    record::FileRecord,
    standard_information::{
        FileAttributes,
        StandardInformation, //
    },
    units::{
        AttributeId,
        ByteCount,
        ClusterCount,
        Vcn, //
    },
};

/// What a record is to say of a value in clusters.
pub(super) struct Image {
    runlist: Runlist,
    sizes: Sizes,
    has_holes: bool,
}

impl Image {
    /// From what memory knows, for a record whose initialized size is `initialized`.
    pub(super) fn new(
        geometry: &Geometry,
        place: Place,
        mapping: &Mapping,
        memory: Sizes,
        settled: u64,
        initialized: ByteCount,
    ) -> Result<Self> {
        let cluster = geometry.cluster_size();
        // From here on nothing that the record says can be seen.
        let unseen = Vcn::new(cluster.clusters_for(initialized).get());
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
        let needed = Vcn::new(cluster.clusters_for(memory.data).get());
        let runlist = without_promises(&runlist, needed)?;

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
            has_holes,
        })
    }

    /// The sizes as the record is to have them; `compressed` is what the clusters take in any case.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The flags that the attribute needs.
    fn flags(&self, old: AttributeFlags) -> AttributeFlags {
        match self.has_holes {
            true => old.with_sparse(),
            false => old,
        }
    }

    /// The sizes for an attribute with these flags.
    fn sizes_for(&self, flags: AttributeFlags) -> Sizes {
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
        let runs = encoded(&self.runlist);
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
            compression_unit_shift: 0,
            mapping_pairs: pairs,
        })
        .map_err(unfit)
    }
}

/// The runs as mapping pairs have them.
fn encoded(runs: &Runlist) -> impl Iterator<Item = Run> + '_ {
    runs.extents().map(|run| Run {
        vcn: run.vcn,
        lcn: match run.target {
            Target::Clusters(lcn) => Some(lcn),
            _ => None,
        },
        length: run.length,
    })
}

/// Without the promised clusters: those at the end are cut off, others are holes for now.
///
/// So are holes from `needed` on, where the value has no byte: what was promised there and given back.
fn without_promises(runs: &Runlist, needed: Vcn) -> Result<Runlist> {
    let mut end = Vcn::ZERO;
    for run in runs.extents() {
        let behind = run.end().unwrap_or(end);
        end = match run.target {
            Target::Promised(_) => end,
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

/// Where an attribute is in its record, and what the record says of it.
pub(super) struct Found<'r> {
    pub(super) at: usize,
    pub(super) flags: AttributeFlags,
    pub(super) id: AttributeId,
    pub(super) form: RecordForm<'r>,
}

impl Attribute {
    /// Finds the first part of the attribute in its mapped record.
    pub(super) fn find_in<'r>(&self, bytes: &'r [u8]) -> Result<Found<'r>> {
        let piece = self.first_piece().ok_or(Error::NotFound)?;
        let record = FileRecord::parse(bytes).at(Place::Record(piece.record.number))?;
        let found = self.wanted().find(&record, piece)?;
        Ok(Found {
            at: found.offset,
            flags: found.flags,
            id: found.id,
            form: found.form,
        })
    }

    /// Whether these runs can be recorded when all of their clusters have data: [`Error::NoRoom`] if the
    /// attribute would not fit in its record. Maps the record.
    pub(super) fn check_room<D: Device>(&self, store: &Store<D>, runs: &Runlist) -> Result {
        if !self.is_whole() {
            return Err(Error::Unsupported("writing a value of several records"));
        }
        let mut all = Runlist::new();
        let mut has_holes = false;
        for run in runs.extents() {
            let target = match run.target {
                Target::Clusters(lcn) | Target::Fresh(lcn) | Target::Promised(lcn) => {
                    Target::Clusters(lcn)
                }
                Target::Hole | Target::Missing => {
                    has_holes = true;
                    Target::Hole
                }
            };
            all.push(target, run.length)?;
        }
        let mut pairs = KVec::<u8>::zeroed(store.record_bytes(), GFP_KERNEL)?;
        let length = mapping_pairs::encode(encoded(&all), &mut pairs).ok_or(Error::NoRoom)?;

        let piece = self.first_piece().ok_or(Error::NotFound)?;
        let holder = self.holder(store)?;
        let mapped = holder.map(store)?;
        let record = mapped.record_as(piece.record)?;
        let found = self.wanted().find(&record, piece)?;
        let wanted = self.wanted();
        let head = Head {
            type_: wanted.type_,
            name: wanted.name,
            id: found.id,
            flags: match has_holes {
                true => found.flags.with_sparse(),
                false => found.flags,
            },
        };
        let used = usize_from_u32(record.header().bytes_in_use);
        let needed = head
            .non_resident_length(length)
            .and_then(|length| used.checked_sub(found.length)?.checked_add(length))
            .ok_or(Error::NoRoom)?;
        match needed <= store.record_bytes() {
            true => Ok(()),
            false => Err(Error::NoRoom),
        }
    }

    /// Brings the record, which is `page` of the transaction, up to what memory knows of a value in
    /// clusters; gives its sizes there.
    ///
    /// The caller commits, and notes in `unrecorded` that the record is not behind any more.
    pub(super) fn record_clusters<D: Device>(
        &self,
        store: &Store<D>,
        transaction: &mut Transaction<'_>,
        page: PageId,
        unrecorded: &Unrecorded,
    ) -> Result<Sizes> {
        if !self.is_whole() {
            return Err(Error::Unsupported("writing a value of several records"));
        }
        let mapping = self.mapping(store)?;
        let found = self.find_in(transaction.bytes(page))?;
        let RecordForm::NonResident(part) = found.form else {
            return Err(Error::NotFound);
        };
        let image = Image::new(
            store.geometry(),
            self.place(),
            &mapping,
            self.sizes(),
            unrecorded.settled(),
            part.sizes
                .map_or(ByteCount::ZERO, |sizes| sizes.initialized),
        )?;
        let pairs = image.mapping_pairs(store.record_bytes())?;
        let (at, id, old_flags) = (found.at, found.id, found.flags);
        let flags = image.flags(old_flags);
        let sizes = image.sizes_for(flags);
        if flags == old_flags {
            let same_runs = starts_with(&part, &pairs);
            let same_sizes = part.sizes == Some(sizes);
            if !same_runs {
                transaction.change(page, |record| {
                    Change::update_mapping_pairs(record, at, 0, &pairs)
                })?;
            }
            if !same_sizes {
                transaction.change(page, |record| {
                    Change::set_attribute_sizes(record, at, sizes)
                })?;
            }
        } else {
            let head = Head {
                type_: self.wanted().type_,
                name: self.wanted().name,
                id,
                flags: old_flags,
            };
            let attribute = image.to_attribute(&head, &pairs)?;
            transaction.change(page, |record| Change::delete_attribute(record, at))?;
            transaction.change(page, |record| {
                Change::create_attribute(record, at, &attribute)
            })?;
        }
        if flags.is_sparse() {
            mark_sparse(transaction, page)?;
        }
        Ok(image.sizes())
    }
}

/// Tells of holes in `$STANDARD_INFORMATION` as well, if it is in this record: others take an attribute
/// that differs from it for corrupt.
fn mark_sparse(transaction: &mut Transaction<'_>, page: PageId) -> Result {
    let place = transaction.place(page);
    let Some((at, old)) = standard_information(transaction.bytes(page), place)? else {
        return Ok(());
    };
    let new = old.attributes.with(FileAttributes::SPARSE, true);
    if new == old.attributes {
        return Ok(());
    }
    let head = StandardInformation::times_and_attributes(&old.times, new);
    transaction.change(page, |record| {
        Change::update_resident_value(record, at, 0, &head)
    })
}

/// The `$STANDARD_INFORMATION` in a record, and where it is there.
pub(super) fn standard_information(
    record: &[u8],
    place: Place,
) -> Result<Option<(usize, StandardInformation)>> {
    let found = FileRecord::parse(record)
        .at(place)?
        .attributes()
        .filter_map(core::result::Result::ok)
        .find(|attribute| attribute.type_ == AttributeType::STANDARD_INFORMATION);
    match found.map(|found| (found.offset, found.form)) {
        Some((at, RecordForm::Resident { value, .. })) => {
            Ok(Some((at, StandardInformation::parse(value).at(place)?)))
        }
        _ => Ok(None),
    }
}

/// Whether the record has these mapping pairs already; what is behind their end does not count.
fn starts_with(part: &NonResident<'_>, pairs: &[u8]) -> bool {
    part.mapping_pairs.starts_with(pairs)
}
