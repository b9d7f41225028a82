// SPDX-License-Identifier: GPL-2.0-only

//! Writing values that are compressed by LZNT1, by compression units.
//!
//! A unit is never changed where it is. It is encoded in memory, written to clusters that were free, and only when it is
//! there the runs of the unit are others; the old clusters are freed with the change of the record that tells so. So
//! whoever comes after a crash finds the old unit or the new one.
//!
//! The page cache asks in this order:
//!
//! 1. [`promise`], before bytes of a unit are changed in the cache: whatever could go wrong later for want of space goes
//!    wrong now. All clusters of the unit are set aside, and the MFT records that its runs may need;
//! 2. [`super::file::set_initialized`], when they are changed, after [`hide_behind`] if that leaves something out;
//! 3. [`Batch`](super::unit_batch::Batch), when units are written back;
//! 4. [`super::inode_record::write_inode`], whenever the record is to know.
//!
//! The initialized size that the record tells of does not go over a unit that is not on the device.
//!
//! Lock order: see [`super`]. The caller may have folios locked.

use kernel::prelude::*;

use super::{
    attribute::Attribute,
    changed_units::Changed,
    compressed::{
        self,
        Stored,
        Unit, //
    },
    device::Device,
    dirty_units::Room,
    error::{
        Error,
        Result, //
    },
    file::check_writable,
    resize,
    runlist::Target,
    unrecorded::{
        ByteSpan,
        Unrecorded, //
    },
    volume::Volume, //
};
use crate::ondisk::units::{
    ByteCount,
    ByteOffset,
    ClusterCount,
    Lcn, //
};

/// Units from one that is promised on for which MFT records are set aside at most, so that it need not be looked each
/// time.
const MOST_AHEAD: u64 = 64;

pub(super) fn unit_of(data: &Attribute) -> Result<Unit> {
    data.compression_unit().ok_or(Error::NotFound)
}

/// Promises that the units of a range can be written. Nothing happens to those for which that was done.
pub fn promise<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    check_writable(data)?;
    volume.start_change()?;
    volume.with_freed(|| try_promise(volume, data, at, length))
}

fn try_promise<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    length: ByteCount,
) -> Result {
    let unit = unit_of(data)?;
    let end = at.checked_add(length).ok_or(Error::NoSpace)?;
    let mut unrecorded = data.unrecorded();
    let mut start = unit.start_of(at);
    // Each turn goes on by a unit.
    while start < end {
        if !unrecorded.units.is_promised(start.get()) {
            promise_unit(volume, data, &mut unrecorded, unit, start)?;
        }
        start = start
            .checked_add(ByteCount::new(unit.bytes()))
            .ok_or(Error::NoSpace)?;
    }
    Ok(())
}

fn promise_unit<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    unit: Unit,
    start: ByteOffset,
) -> Result {
    volume.spare_encoder().provide(unit)?;
    if start.get() >= data.sizes().initialized.get() {
        // What nobody was to see must not come to light if this is given up.
        let next = start.checked_add(ByteCount::new(unit.bytes()));
        clear(volume, data, unrecorded, start, next.ok_or(Error::NoSpace)?)?;
    }
    let room = Room::new(GFP_KERNEL).map_err(|_| Error::NoMemory)?;
    if !unrecorded.units.is_roomy(start.get()) {
        let length = data.sizes().data.get().checked_div(unit.bytes());
        let ahead = length.unwrap_or(0).clamp(1, MOST_AHEAD);
        match ensure_room(volume, data, unrecorded, unit, start, ahead) {
            Err(Error::NoSpace) => ensure_room(volume, data, unrecorded, unit, start, 1)?,
            done => done?,
        }
    }
    let promise = volume.allocator()?.reserve(volume, unit.clusters())?;
    unrecorded.units.promise(start.get(), promise, room);
    unrecorded.behind = true;
    Ok(())
}

/// Takes back what [`promise`] set aside for the units of a range, of which nothing was changed after all.
pub fn renounce(data: &Attribute, at: ByteOffset, length: ByteCount) {
    let (Some(unit), Some(end)) = (data.compression_unit(), at.checked_add(length)) else {
        return;
    };
    let mut unrecorded = data.unrecorded();
    let mut start = unit.start_of(at).get();
    // Each turn goes on behind the unit that it found.
    while let Some(found) = unrecorded.units.next(start).filter(|it| *it < end.get()) {
        unrecorded.units.renounce(found);
        start = found.saturating_add(1);
    }
}

/// Whether a unit is a hole, and will stay one: nothing of it is in the page cache that is not zero.
pub fn is_hole<D: Device>(volume: &Volume<D>, data: &Attribute, at: ByteOffset) -> Result<bool> {
    let unit = unit_of(data)?;
    let start = unit.start_of(at);
    let unrecorded = data.unrecorded();
    if unrecorded.units.is_promised(start.get()) || unrecorded.units.is_underway(start.get()) {
        return Ok(false);
    }
    let mapping = data.mapping(volume)?;
    let first = volume.geometry().cluster_size().vcn_of(start);
    Ok(compressed::stored(&mapping, unit, first, data.place())? == Stored::Nothing)
}

/// Makes holes of all units that are wholly behind the initialized size and begin before `end`: that is about to count
/// as written. Those in the page cache are left alone.
pub fn hide_behind<D: Device>(volume: &Volume<D>, data: &Attribute, end: ByteOffset) -> Result {
    let unit = unit_of(data)?;
    let mut unrecorded = data.unrecorded();
    let initialized = ByteOffset::new(data.sizes().initialized.get());
    let start = unit.next(initialized).ok_or(Error::NoSpace)?;
    let end = unit.next(end).ok_or(Error::NoSpace)?;
    clear(volume, data, &mut unrecorded, start, end)
}

/// Makes holes of the units of a range that have clusters, in memory and in the record.
fn clear<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    start: ByteOffset,
    end: ByteOffset,
) -> Result {
    let mapping = data.mapping_to_change(volume)?;
    let cluster = volume.geometry().cluster_size();
    let (first, last) = (cluster.vcn_of(start), cluster.vcn_of(end));
    let last = last.min(mapping.runlist.end());
    let mut inside = mapping
        .runlist
        .extents_from(first)
        .take_while(|run| run.vcn < last)
        .filter(|run| run.from(first).is_some());
    match inside.any(|run| run.target != Target::Hole) {
        true => resize::make_hole(volume, data, unrecorded, &mapping, first, last),
        false => Ok(()),
    }
}

/// Sets MFT records aside for the runs of `count` units from `start` on, and of all that are not on the device, should
/// each of them come to clusters that lie apart.
fn ensure_room<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    unit: Unit,
    start: ByteOffset,
    count: u64,
) -> Result {
    let mapping = data.mapping_to_change(volume)?;
    let cluster = volume.geometry().cluster_size();
    let span = ByteSpan {
        start: start.get(),
        end: start
            .get()
            .saturating_add(unit.bytes().saturating_mul(count)),
    };
    // Farther apart than they can be.
    let far = volume.geometry().clusters().get().saturating_mul(256);
    let far = Lcn::new(far.min(1 << 60));
    let mut changed = Changed::new(&mapping.runlist, unit);
    let put = |changed: &mut Changed<'_>, start: u64| -> Result {
        changed.begin(cluster.vcn_of(ByteOffset::new(start)))?;
        for at in 0..unit.clusters().get() {
            let lcn = if at & 1 == 0 { Lcn::ZERO } else { far };
            changed.push(Target::Clusters(lcn), ClusterCount::new(1))?;
        }
        changed.end()
    };
    let is_in = |start: &u64| (span.start..span.end).contains(start);
    for start in unrecorded
        .units
        .starts()
        .filter(|start| *start < span.start)
    {
        put(&mut changed, start)?;
    }
    let mut next = span.start;
    while is_in(&next) {
        put(&mut changed, next)?;
        next = next.saturating_add(unit.bytes());
    }
    for start in unrecorded.units.starts().filter(|start| *start >= span.end) {
        put(&mut changed, start)?;
    }
    let (runlist, _) = changed.finish()?;
    data.ensure_room(volume, unrecorded, &runlist)?;
    unrecorded.units.set_roomy(Some(span));
    Ok(())
}
