// SPDX-License-Identifier: GPL-2.0-only

//! The size of a value in clusters, and the clusters that it has.
//!
//! What is cut off is freed in the transaction that takes it out of the record, and is free when that is
//! durable. What a value grows by is a hole, until it is written.
//!
//! The page cache is the caller's: it holds the locks that keep folios out of the range.
//!
//! Lock order: see [`super`].

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        Claim,
        Purpose,
        Run, //
    },
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    device::Device,
    error::{
        Error,
        Result, //
    },
    file::{
        all_arrived,
        check_clusters,
        check_writable,
        replace_runs, //
    },
    image::Holes,
    recording::Recording,
    residency::Form,
    runlist::{
        Extent,
        Runlist,
        Target, //
    },
    transaction::Transaction,
    unrecorded::{
        ByteSpan,
        Unrecorded, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Sizes,
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        Vcn, //
    },
};

/// Makes a value in clusters `size` bytes long.
///
/// The record knows at once when it gets shorter. A value without a byte moves into its record.
pub fn set_size<D: Device>(volume: &Volume<D>, data: &Attribute, size: ByteCount) -> Result {
    check_writable(data)?;
    volume.start_change()?;
    let mut unrecorded = data.unrecorded();
    let old = data.sizes();
    let mapping = data.mapping_to_change(volume)?;
    let end = data.end_of(volume.geometry(), size)?;
    if size >= old.data && size != ByteCount::ZERO {
        if let Some(hole) = end.distance_from(mapping.runlist.end()) {
            let runlist = mapping
                .runlist
                .replaced(mapping.runlist.end(), hole, Target::Hole)?;
            replace_runs(data, &mapping, runlist)?;
        }
        data.set_sizes(Sizes { data: size, ..old });
        unrecorded.behind = true;
        return Ok(());
    }
    unrecorded.units.forget(ByteSpan {
        start: size.get(),
        end: u64::MAX,
    });
    let shorter = Sizes {
        data: size,
        initialized: old.initialized.min(size),
        ..old
    };
    let smaller = Cut {
        runlist: mapping.runlist.until(end)?,
        gone: ByteSpan {
            start: size.get(),
            end: u64::MAX,
        },
        sizes: shorter,
        form: match size == ByteCount::ZERO {
            true => Form::Resident,
            false => Form::NonResident,
        },
    };
    let lost = mapping.runlist.extents().filter_map(|run| run.from(end));
    cut(volume, data, &mut unrecorded, &mapping, smaller, lost)
}

/// Makes the clusters that lie wholly in a range a hole; of a compressed value, the units that do.
///
/// The bytes of the range that are elsewhere are for the caller to zero.
pub fn punch_hole<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    check_writable(data)?;
    volume.start_change()?;
    let cluster = volume.geometry().cluster_size();
    let mut unrecorded = data.unrecorded();
    let mapping = data.mapping_to_change(volume)?;
    let sizes = data.sizes();
    let start = data.end_of(volume.geometry(), ByteCount::new(at.get()))?;
    let last = at
        .checked_add(length)
        .filter(|end| end.get() < sizes.data.get())
        .map(|end| {
            data.compression_unit()
                .map_or(end, |unit| unit.start_of(end))
        });
    // The last cluster goes as well when the value ends in the range.
    let end = last.map_or(mapping.runlist.end(), |last| cluster.vcn_of(last));
    let first = cluster.vcn_to_offset(start).ok_or(Error::NotFound)?;
    unrecorded.units.forget(ByteSpan {
        start: first.get(),
        end: last.map_or(u64::MAX, ByteOffset::get),
    });
    make_hole(volume, data, &mut unrecorded, &mapping, start, end)
}

/// Makes clusters a hole.
pub(super) fn make_hole<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    mapping: &Arc<Mapping>,
    start: Vcn,
    end: Vcn,
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let sizes = data.sizes();
    let end = end.min(mapping.runlist.end());
    let Some(hole) = end.distance_from(start) else {
        return Ok(());
    };
    if hole == ClusterCount::ZERO {
        return Ok(());
    }
    let runlist = mapping.runlist.replaced(start, hole, Target::Hole)?;
    let lost = mapping
        .runlist
        .extents()
        .filter_map(|run| run.from(start)?.before(end));
    let first = cluster.vcn_to_offset(start).ok_or(Error::NotFound)?;
    let last = cluster.vcn_to_offset(end).ok_or(Error::NotFound)?;
    let holed = Cut {
        runlist,
        gone: ByteSpan {
            start: first.get(),
            end: last.get(),
        },
        sizes,
        form: Form::NonResident,
    };
    cut(volume, data, unrecorded, mapping, holed, lost)
}

/// Gives the holes of a range clusters, which read as zeros when they are behind the initialized size.
///
/// Those before it are for the caller to zero first: only the range behind is taken.
pub fn preallocate<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    check_clusters(data)?;
    volume.start_change()?;
    let end = at.checked_add(length).ok_or(Error::NoSpace)?;
    volume.with_freed(|| try_preallocate(volume, data, at, end))
}

fn try_preallocate<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    end: ByteOffset,
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let end = Vcn::new(cluster.clusters_for(ByteCount::new(end.get())).get());
    let mut unrecorded = data.unrecorded();
    let initialized = data.sizes().initialized;
    let unseen = Vcn::new(cluster.clusters_for(initialized).get());
    let mut vcn = cluster.vcn_of(at).max(unseen);
    // Each turn goes on behind the run that it looked at.
    while vcn < end {
        let mapping = data.mapping_to_change(volume)?;
        let run = mapping.runlist.lookup(vcn).unwrap_or(Extent {
            vcn,
            length: end.distance_from(vcn).unwrap_or_default(),
            target: Target::Hole,
        });
        let wanted = run.before(end).map_or(run.length, |run| run.length);
        if run.target != Target::Hole {
            vcn = vcn.checked_add(wanted).ok_or(Error::NoSpace)?;
            continue;
        }
        let goal = mapping.runlist.behind(vcn);
        let got =
            volume
                .allocator()?
                .allocate(volume, goal, wanted, Claim::Unreserved, Purpose::Data)?;
        let Run { lcn, length } = got.run();
        let runlist = mapping
            .runlist
            .replaced(vcn, length, Target::Clusters(lcn))?;
        data.ensure_room(volume, &mut unrecorded, &runlist)?;
        replace_runs(data, &mapping, runlist)?;
        got.keep();
        unrecorded.behind = true;
        vcn = vcn.checked_add(length).ok_or(Error::NoSpace)?;
    }
    Ok(())
}

/// Takes whole clusters out of the value: what is behind them moves up.
///
/// The caller has written and waited for all that the page cache has, and dropped it from `at` on.
pub fn collapse_range<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    check_clusters(data)?;
    volume.start_change()?;
    let cluster = volume.geometry().cluster_size();
    let mut unrecorded = data.unrecorded();
    all_arrived(volume, data, &mut unrecorded)?;
    let mapping = data.mapping_to_change(volume)?;
    let sizes = data.sizes();
    let start = cluster.vcn_of(at);
    let end = at.checked_add(length).ok_or(Error::NoSpace)?;
    let end = cluster.vcn_of(end);
    let mut runlist = mapping.runlist.until(start)?;
    for run in mapping.runlist.extents().filter_map(|run| run.from(end)) {
        runlist.push(run.target, run.length)?;
    }
    let gone = mapping
        .runlist
        .extents()
        .filter_map(|run| run.from(start)?.before(end));
    let shorter = |size: ByteCount| match size.get().checked_sub(at.get()) {
        None => size,
        Some(behind) => {
            let kept = behind.saturating_sub(length.get());
            ByteCount::new(at.get().saturating_add(kept))
        }
    };
    let moved = Sizes {
        data: shorter(sizes.data),
        initialized: shorter(sizes.initialized),
        ..sizes
    };
    let taken_out = Cut {
        runlist,
        gone: ByteSpan {
            start: at.get(),
            end: u64::MAX,
        },
        sizes: moved,
        form: Form::NonResident,
    };
    cut(volume, data, &mut unrecorded, &mapping, taken_out, gone)?;
    unrecorded.replace(moved.initialized.get());
    Ok(())
}

/// Makes room of whole clusters, a hole, in the value: what is behind moves down.
///
/// The caller has written and waited for all that the page cache has, and dropped it from `at` on.
pub fn insert_range<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    check_clusters(data)?;
    volume.start_change()?;
    let cluster = volume.geometry().cluster_size();
    let mut unrecorded = data.unrecorded();
    all_arrived(volume, data, &mut unrecorded)?;
    let mapping = data.mapping_to_change(volume)?;
    let sizes = data.sizes();
    let start = cluster.vcn_of(at);
    let hole = cluster.whole_clusters(length);
    let behind = start.checked_add(hole).ok_or(Error::NoSpace)?;
    let mut runlist = mapping.runlist.until(start)?;
    if let Some(missing) = behind.distance_from(runlist.end()) {
        runlist.push(Target::Hole, missing)?;
    }
    for run in mapping.runlist.extents().filter_map(|run| run.from(start)) {
        runlist.push(run.target, run.length)?;
    }
    let longer = |size: ByteCount| match size.get() > at.get() {
        true => size.checked_add(length).ok_or(Error::NoSpace),
        false => Ok(size),
    };
    let moved = Sizes {
        data: longer(sizes.data)?,
        initialized: longer(sizes.initialized)?,
        ..sizes
    };
    let put_in = Cut {
        runlist,
        gone: ByteSpan {
            start: at.get(),
            end: u64::MAX,
        },
        sizes: moved,
        form: Form::NonResident,
    };
    // All is on the device, at its new place too.
    unrecorded.replace(moved.initialized.get());
    let nothing = core::iter::empty();
    let done = cut(volume, data, &mut unrecorded, &mapping, put_in, nothing);
    if done.is_err() {
        unrecorded.replace(sizes.initialized.get());
    }
    done
}

/// What a value loses.
pub(super) struct Cut {
    /// The runs that are left.
    pub(super) runlist: Runlist,
    /// The bytes that have no clusters any more, or are behind the end.
    pub(super) gone: ByteSpan,
    /// The sizes from now on; which of them the record says of the clusters is found out.
    pub(super) sizes: Sizes,
    /// The form from now on: in its record only without a byte and without a cluster.
    pub(super) form: Form,
}

/// Replaces the runs in memory and in the record, and frees what is `lost`. On an error nothing is
/// changed.
pub(super) fn cut<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    mapping: &Arc<Mapping>,
    cut: Cut,
    lost: impl Iterator<Item = Extent>,
) -> Result {
    replace(
        volume,
        data,
        unrecorded,
        mapping,
        (cut, Holes::Possible),
        lost,
    )
}

/// [`cut`] for a value that has no hole any more, and is not to be marked as if there could be some.
pub(super) fn cut_dense<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    mapping: &Arc<Mapping>,
    cut: Cut,
    lost: impl Iterator<Item = Extent>,
) -> Result {
    replace(volume, data, unrecorded, mapping, (cut, Holes::Gone), lost)
}

fn replace<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    mapping: &Arc<Mapping>,
    (cut, holes): (Cut, Holes),
    lost: impl Iterator<Item = Extent>,
) -> Result {
    let Cut {
        runlist,
        gone,
        sizes,
        form,
    } = cut;
    let mut clusters: KVVec<Run> = KVVec::new();
    for run in lost {
        match run.target {
            Target::Clusters(lcn) | Target::Fresh(lcn) | Target::Promised(lcn) => {
                let length = run.length;
                array::push(&mut clusters, Run { lcn, length })?;
            }
            Target::Hole | Target::Missing => {}
        }
    }
    let allocator = volume.allocator()?;
    let freed = allocator.prepare_free(volume, clusters.iter().copied())?;
    let left = unrecorded.without(gone)?;

    let old_sizes = data.sizes();
    replace_runs(data, mapping, runlist)?;
    data.set_sizes(sizes);
    let recorded = record(
        volume,
        data,
        unrecorded,
        (form, holes),
        |recorded, unrecorded| {
            data.set_sizes(Sizes {
                allocated: recorded.allocated,
                compressed: recorded
                    .compressed
                    .filter(|_| old_sizes.compressed.is_some()),
                ..sizes
            });
            unrecorded.cut(sizes.data.get(), left);
            unrecorded.behind = form == Form::NonResident;
            if form == Form::Resident {
                data.residency().publish(form);
            }
        },
    );
    match recorded {
        // Not before: who makes the volume durable meanwhile must not take them for freed.
        Ok(()) => freed.later(),
        Err(_) => {
            unrecorded.behind = true;
            data.set_sizes(old_sizes);
            data.install(mapping.clone());
        }
    }
    recorded
}

/// Tells the records of a value in clusters, or puts one without a byte into the base record. `publish` is
/// called when nothing can fail any more, with the base record still mapped.
fn record<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    (form, holes): (Form, Holes),
    publish: impl FnOnce(Sizes, &mut Unrecorded),
) -> Result {
    let recording = match form {
        Form::NonResident => Recording::prepare_with(volume, data, unrecorded, holes)?,
        Form::Resident => Recording::prepare_empty(volume, data, unrecorded)?,
    };
    let mut transaction = Transaction::begin();
    let page = transaction.map_record(volume, recording.base(), data.owner())?;
    recording.apply(data, &mut transaction, page)?;
    let sizes = recording.sizes();
    recording.publish(data);
    publish(sizes, unrecorded);
    transaction.commit();
    recording.finish(unrecorded);
    Ok(())
}
