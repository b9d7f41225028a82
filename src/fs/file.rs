// SPDX-License-Identifier: GPL-2.0-only

//! Writing the value of a stream whose data goes through the page cache.
//!
//! For a value in clusters the page cache asks in this order:
//!
//! 1. [`reserve`], before bytes are copied into the cache: holes become promised clusters, and whatever
//!    could go wrong later goes wrong now;
//! 2. [`set_initialized`], when they are copied;
//! 3. [`allocate`], when they are written back: where to;
//! 4. [`written`], when the transfer ended;
//! 5. [`super::inode_record::write_inode`], whenever the record is to know.
//!
//! A value in its record is written by [`super::convert`], one that is compressed by [`super::compressed_writing`].
//!
//! Lock order: see [`super`]. The caller may have a folio locked. Each function locks the mapping
//! against other changes; under that come the records, then the bitmaps.

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
    data::{
        self,
        ByteExtent,
        Source, //
    },
    device::Device,
    error::{
        Error,
        Result, //
    },
    residency::Form,
    resize::{
        self,
        Cut, //
    },
    runlist::{
        Extent,
        Runlist,
        Target, //
    },
    unrecorded::{
        ByteSpan,
        Unrecorded, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Sizes,
    units::{
        system_record,
        ByteCount,
        ByteOffset,
        ClusterCount,
        Vcn, //
    },
};

/// Whether the value may be written; never raw bytes into what needs coding, nor any into a system file, and
/// nothing is made of what is broken.
pub(super) fn check_writable(data: &Attribute) -> Result {
    check_undamaged(data)?;
    data.unwritable().map_or(Ok(()), Err)
}

/// Whether the value may be changed as far as the volume is concerned: it is no system file's, and nothing of it is
/// broken.
pub(super) fn check_undamaged(data: &Attribute) -> Result {
    if data.owner().number < system_record::FIRST_USER {
        return Err(Error::Unsupported("writing a system file"));
    }
    data.damage().map_or(Ok(()), Err)
}

/// [`check_writable`] for who writes clusters as they are.
pub(super) fn check_clusters(data: &Attribute) -> Result {
    check_writable(data)?;
    match data.compression_unit() {
        Some(_) => Err(Error::Unsupported(
            "clusters of compressed data, as they are",
        )),
        None => Ok(()),
    }
}

/// Promises clusters for a buffered write of `length` bytes at `at`, and says what is there.
///
/// Of holes the clusters that the write touches get a place, contiguous as far as one was found; so the
/// answer, one extent from `at` on, may be shorter than what was asked for. All that can fail when they are
/// recorded fails here: the MFT records that they will need are set aside.
pub fn reserve<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result<ByteExtent> {
    check_clusters(data)?;
    volume.start_change()?;
    volume.with_freed(|| try_reserve(volume, data, at, length))
}

fn try_reserve<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result<ByteExtent> {
    let mut unrecorded = data.unrecorded();
    let mapping = data.mapping_to_change(volume)?;
    let found = look(volume, data, &mapping, at)?;
    if found.source != Source::Hole {
        return Ok(found);
    }
    let cluster = volume.geometry().cluster_size();
    let vcn = cluster.vcn_of(at);
    let end = at.checked_add(length).ok_or(Error::NoSpace)?;
    let last = Vcn::new(cluster.clusters_for(ByteCount::new(end.get())).get());
    let hole_end = match mapping.runlist.run_at(vcn) {
        Some(run) => run.end().unwrap_or(last),
        None => last,
    };
    let wanted = last
        .min(hole_end)
        .distance_from(vcn)
        .unwrap_or(ClusterCount::ZERO);
    let goal = mapping.runlist.behind(vcn);
    let got =
        volume
            .allocator()?
            .allocate(volume, goal, wanted, Claim::Unreserved, Purpose::Data)?;
    let Run { lcn, length } = got.run();
    let runlist = mapping
        .runlist
        .replaced(vcn, length, Target::Promised(lcn))?;
    data.ensure_room(volume, &mut unrecorded, &runlist)?;
    let mapping = replace_runs(data, &mapping, runlist)?;
    got.keep();
    unrecorded.behind = true;
    look(volume, data, &mapping, at)
}

/// Takes back what [`reserve`] promised for bytes that were not written after all: the promised clusters
/// that lie wholly in the range.
pub fn unreserve<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let first = Vcn::new(cluster.clusters_for(ByteCount::new(at.get())).get());
    let end = at
        .checked_add(length)
        .map_or(Vcn::new(u64::MAX), |end| cluster.vcn_of(end));
    let _unrecorded = data.unrecorded();
    let mapping = data.mapping(volume)?;
    let (runlist, promised) = without(&mapping.runlist, first, end, is_promised)?;
    let mut clusters: KVec<Run> = KVec::new();
    for run in &promised {
        if let Target::Promised(lcn) = run.target {
            let length = run.length;
            array::push(&mut clusters, Run { lcn, length })?;
        }
    }
    // No record tells of them, so they are free at the next sync.
    let freed = volume
        .allocator()?
        .prepare_free(volume, clusters.iter().copied())?;
    replace_runs(data, &mapping, runlist)?;
    freed.later();
    Ok(())
}

/// Says where data is to be written that is about to be, and that it is on its way.
///
/// The clusters that `length` bytes at `at` touch are dirty in the page cache as a whole, so nobody looks
/// for them on the device before they are there.
pub fn allocate<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result<ByteExtent> {
    let cluster = volume.geometry().cluster_size();
    let first = cluster.vcn_of(at);
    let end = at.checked_add(length).ok_or(Error::NoSpace)?;
    let end = Vcn::new(cluster.clusters_for(ByteCount::new(end.get())).get());
    let mut unrecorded = data.unrecorded();
    let mut mapping = data.mapping(volume)?;
    let mut vcn = first;
    // Each turn goes on behind the run that it looked at.
    while let Some(run) = mapping.runlist.lookup(vcn).and_then(|run| run.before(end)) {
        if let Target::Promised(lcn) = run.target {
            let runlist = mapping
                .runlist
                .replaced(run.vcn, run.length, Target::Fresh(lcn))?;
            mapping = replace_runs(data, &mapping, runlist)?;
            unrecorded.behind = true;
        }
        let Some(behind) = run.end() else {
            break;
        };
        vcn = behind;
    }
    // Not initialized is only what is behind the mark, and the mark may be a step behind the copy.
    Ok(match look(volume, data, &mapping, at)? {
        ByteExtent {
            source: Source::Uninitialized(place),
            offset,
            length,
        } => ByteExtent {
            source: Source::Device(place),
            offset,
            length,
        },
        found => found,
    })
}

/// Notes how the transfer of a range ended.
///
/// Clusters whose data did not arrive, and of which nobody has seen anything yet, become a hole, so that nobody reads
/// what was there before. Where that cannot be done, nothing is durable before the data was written again.
pub fn written<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
    arrived: bool,
) -> Result {
    let Some(end) = at.checked_add(length) else {
        return Ok(());
    };
    let mut unrecorded = data.unrecorded();
    unrecorded.behind = true;
    let mapping = data.mapping(volume)?;
    if !arrived {
        return lose(volume, data, &mut unrecorded, &mapping, at, end);
    }
    skip_hole(volume, &mapping, &mut unrecorded, at);
    let span = ByteSpan {
        start: at.get(),
        end: end.get(),
    };
    let whole = unrecorded.add(span, |span| has_fresh(volume, &mapping, span));
    settle_runs(volume, data, &mapping, whole)?;
    if unrecorded.has_forgotten() && has_fresh(volume, &*data.mapping(volume)?, span) {
        // Nobody will know when the rest of the cluster is there, but who waits for all of it.
        return Err(Error::NoMemory);
    }
    Ok(())
}

/// Whether a cluster that a range touches is fresh.
fn has_fresh<D: Device>(volume: &Volume<D>, mapping: &Mapping, span: ByteSpan) -> bool {
    let cluster = volume.geometry().cluster_size();
    let start = cluster.vcn_of(ByteOffset::new(span.start));
    let end = Vcn::new(cluster.clusters_for(ByteCount::new(span.end)).get());
    let overlaps = |run: Extent| run.vcn < end && run.end().is_some_and(|behind| behind > start);
    mapping
        .runlist
        .extents()
        .any(|run| is_fresh(run.target) && overlaps(run))
}

fn is_fresh(target: Target) -> bool {
    matches!(target, Target::Fresh(_))
}

fn is_promised(target: Target) -> bool {
    matches!(target, Target::Promised(_))
}

/// Whether the records are still to be told of clusters of the value that they do not know now.
pub(super) fn has_promises<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &Unrecorded,
) -> Result<bool> {
    if data.residency().hint() == Form::Resident {
        return Ok(false);
    }
    if data.compression_unit().is_some() {
        return Ok(!unrecorded.units.is_empty());
    }
    let mapping = data.mapping(volume)?;
    let is_open = |run: Extent| is_fresh(run.target) || is_promised(run.target);
    let open = mapping.runlist.extents().any(is_open);
    Ok(open)
}

/// Looks again at what is on the device: clusters may be whole since the value was cut, or there was no
/// memory to note it.
fn settle_all<D: Device>(volume: &Volume<D>, data: &Attribute, unrecorded: &Unrecorded) -> Result {
    for span in unrecorded.done() {
        settle_runs(volume, data, &*data.mapping(volume)?, *span)?;
    }
    Ok(())
}

/// Moves the mark over a hole, not beyond `at`; whether there was one.
fn skip_hole<D: Device>(
    volume: &Volume<D>,
    mapping: &Mapping,
    unrecorded: &mut Unrecorded,
    at: ByteOffset,
) -> bool {
    let cluster = volume.geometry().cluster_size();
    let settled = ByteOffset::new(unrecorded.settled());
    if settled >= at {
        return false;
    }
    let Some(run) = mapping.runlist.run_at(cluster.vcn_of(settled)) else {
        return false;
    };
    let end = run.end().and_then(|end| cluster.vcn_to_offset(end));
    match (run.target, end) {
        (Target::Hole, Some(end)) => {
            unrecorded.skip_hole(end.min(at).get());
            true
        }
        _ => false,
    }
}

/// Moves the mark below which all data is on the device as far as it goes, before that is recorded.
///
/// `waited`: no transfer is under way, so what was forgotten of them is there.
pub(super) fn catch_up<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    waited: bool,
) -> Result {
    if let Some(unit) = data.compression_unit() {
        unrecorded.settle_units(unit, data.sizes().initialized.get());
        return Ok(());
    }
    if waited && unrecorded.has_forgotten() {
        return all_arrived(volume, data, unrecorded);
    }
    settle_all(volume, data, unrecorded)?;
    let mapping = data.mapping(volume)?;
    let valid = ByteOffset::new(data.sizes().initialized.get());
    // Ends: each turn moves the mark over a hole.
    while skip_hole(volume, &mapping, unrecorded, valid) {}
    Ok(())
}

/// All data is on the device: the caller has waited for it, and none can have come since.
pub(super) fn all_arrived<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
) -> Result {
    check_complete(unrecorded)?;
    let mapping = data.mapping(volume)?;
    let valid = data.sizes().initialized.get();
    let whole = ByteSpan {
        start: 0,
        end: valid,
    };
    settle_runs(volume, data, &mapping, whole)?;
    unrecorded.replace(valid);
    Ok(())
}

/// Whether no data is missing for good: an error of the device, told to somebody before, as long as nobody has written
/// the range again.
pub(super) fn check_complete(unrecorded: &Unrecorded) -> Result {
    match unrecorded.lost().is_some() || unrecorded.units.has_lost() {
        true => Err(Error::Device(EIO)),
        false => Ok(()),
    }
}

/// Fresh clusters that lie wholly in what is on the device are like all others from now on.
fn settle_runs<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    mapping: &Mapping,
    whole: ByteSpan,
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let start = Vcn::new(cluster.clusters_for(ByteCount::new(whole.start)).get());
    // The last cluster is whole when nothing was written behind.
    let end = match whole.end >= data.sizes().initialized.get() {
        true => cluster.clusters_for(ByteCount::new(whole.end)).get(),
        false => cluster.whole_clusters(ByteCount::new(whole.end)).get(),
    };
    let end = Vcn::new(end);
    let touched = mapping
        .runlist
        .extents()
        .any(|run| is_fresh(run.target) && run.vcn < end && run.end().is_some_and(|e| e > start));
    if !touched {
        return Ok(());
    }
    let mut runlist = Runlist::new();
    for run in mapping.runlist.extents() {
        let parts = [
            (run.before(start), false),
            (run.from(start).and_then(|run| run.before(end)), true),
            (run.from(end.max(start)), false),
        ];
        for (part, inside) in parts {
            let Some(part) = part else { continue };
            let target = match part.target {
                Target::Fresh(lcn) if inside => Target::Clusters(lcn),
                other => other,
            };
            runlist.push(target, part.length)?;
        }
    }
    replace_runs(data, mapping, runlist)?;
    Ok(())
}

/// Turns the clusters of a transfer that failed into a hole, and gives them back: fresh ones, and those behind what is
/// on the device.
///
/// A record may tell of them already, where nobody can see it. So it changes in the same transaction,
/// and they are free when that is durable. Should it fail, they are a hole in memory all the same, but in
/// use on the volume.
fn lose<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    mapping: &Arc<Mapping>,
    at: ByteOffset,
    end: ByteOffset,
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let first = cluster.vcn_of(at);
    let last = Vcn::new(cluster.clusters_for(ByteCount::new(end.get())).get());
    // Clusters of which the record tells nobody what is in them: they were only taken.
    let settled = unrecorded.settled();
    let unseen = cluster.clusters_for(ByteCount::new(settled)).get();
    let unseen = Vcn::new(unseen).min(last).max(first);
    let (runlist, lost) = without_lost(&mapping.runlist, first, unseen, last)?;
    // Of a cluster with the end of what is there, the rest is neither a hole nor may it be seen.
    let mixed = ByteSpan {
        start: settled.max(at.get()),
        end: cluster.vcn_to_offset(unseen).unwrap_or(end).min(end).get(),
    };
    let settled = cluster.vcn_of(ByteOffset::new(settled));
    let is_taken = |run: Extent| matches!(run.target, Target::Clusters(_));
    if mixed.start < mixed.end && mapping.runlist.run_at(settled).is_some_and(is_taken) {
        unrecorded.lose(mixed);
        data.note_lost();
    }
    if lost.is_empty() {
        return Ok(());
    }
    let start = cluster.vcn_to_offset(first).unwrap_or(at);
    let cut = Cut {
        runlist,
        gone: ByteSpan {
            start: start.get(),
            end: cluster.vcn_to_offset(last).unwrap_or(end).get(),
        },
        sizes: data.sizes(),
        form: Form::NonResident,
    };
    let done = resize::cut(volume, data, unrecorded, mapping, cut, lost.iter().copied());
    if done.is_err() {
        let (runlist, _) = without_lost(&mapping.runlist, first, unseen, last)?;
        replace_runs(data, mapping, runlist)?;
    }
    done
}

/// The runs with holes in the place of what a failed transfer was to fill from `first` to before `last`, and those
/// clusters: fresh ones, and from `unseen` on all.
fn without_lost(
    runs: &Runlist,
    first: Vcn,
    unseen: Vcn,
    last: Vcn,
) -> Result<(Runlist, KVec<Extent>)> {
    let is_taken = |target| is_fresh(target) || matches!(target, Target::Clusters(_));
    let (runlist, mut lost) = without(runs, first, unseen, is_fresh)?;
    let (runlist, behind) = without(&runlist, unseen, last, is_taken)?;
    for run in behind {
        array::push(&mut lost, run)?;
    }
    Ok((runlist, lost))
}

/// The runs with holes in the place of certain clusters from `first` to before `last`, and those.
fn without(
    runs: &Runlist,
    first: Vcn,
    last: Vcn,
    is_meant: impl Fn(Target) -> bool,
) -> Result<(Runlist, KVec<Extent>)> {
    let mut runlist = Runlist::new();
    let mut lost = KVec::new();
    for run in runs.extents() {
        let parts = [
            (run.before(first), false),
            (run.from(first).and_then(|run| run.before(last)), true),
            (run.from(last.max(first)), false),
        ];
        for (part, inside) in parts {
            let Some(part) = part else { continue };
            if inside && is_meant(part.target) {
                array::push(&mut lost, part)?;
                runlist.push(Target::Hole, part.length)?;
            } else {
                runlist.push(part.target, part.length)?;
            }
        }
    }
    Ok((runlist, lost))
}

/// Everything before `size` is written, or is in the page cache to be; so the value is at least so long.
pub fn set_initialized(data: &Attribute, size: ByteCount) {
    let mut unrecorded = data.unrecorded();
    let old = data.sizes();
    if old.initialized < size || old.data < size {
        unrecorded.behind = true;
        data.set_sizes(Sizes {
            data: old.data.max(size),
            initialized: old.initialized.max(size),
            ..old
        });
    }
}

/// Puts other runs in the place of those of `mapping`.
pub(super) fn replace_runs(
    data: &Attribute,
    mapping: &Mapping,
    runlist: Runlist,
) -> Result<Arc<Mapping>> {
    let changed = Arc::new(
        Mapping {
            runlist,
            sizes: mapping.sizes,
            damage: mapping.damage,
        },
        GFP_KERNEL,
    )?;
    data.install(changed.clone());
    Ok(changed)
}

fn look<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    mapping: &Mapping,
    at: ByteOffset,
) -> Result<ByteExtent> {
    let initialized = data.sizes().initialized;
    data::locate(volume.geometry(), mapping, initialized, data.place(), at)
}
