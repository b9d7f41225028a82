// SPDX-License-Identifier: GPL-2.0-only

//! Making `$MFT` longer, when all of its records are in use.
//!
//! New records are written as free ones to clusters that nobody knows yet. Then `$MFT`'s own record tells of
//! them, and of a longer `$BITMAP` where that is needed, in one transaction; it is on the device before any
//! record that refers to a new one, see [`super::writeback`].
//!
//! Lock order: see [`super`]. The caller may have locked the mapping of a file; that of `$MFT` is changed by
//! one thread at a time, and comes below it.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        Allocation,
        Claim,
        Purpose,
        Run, //
    },
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    data,
    device::Device,
    error::{
        Error,
        Result, //
    },
    file::{
        behind,
        replace_runs, //
    },
    mft,
    recording::Recording,
    records,
    runlist::{
        Runlist,
        Target, //
    },
    transaction::Transaction,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Sizes,
    bytes::u64_from_usize,
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        RecordNumber,
        SequenceNumber,
        Vcn, //
    },
};

/// Bytes of records that are added at once, or a cluster.
const STEP: u64 = 64 * 1024;
/// `$BITMAP` gets longer by multiples of this, in bytes.
const BITMAP_UNIT: u64 = 8;
/// Bytes that are filled with zeros at once.
const ZEROS: usize = 4096;

impl<D: Device> Volume<D> {
    /// Adds free records to `$MFT`, unless a file can have `wanted` ones by now; [`Error::NoSpace`] if there
    /// are no clusters for them.
    pub(super) fn grow_mft(&self, wanted: u64) -> Result {
        let records = self.records_for_writing()?;
        let _alone = records.growing.lock();
        if records.has(self, wanted)? {
            // Another one was faster.
            return Ok(());
        }
        let geometry = self.geometry();
        let unit = geometry.cluster_size().bytes();
        let unit = u64::from(unit.max(geometry.record_size().bytes()));
        match self.grow_mft_by(STEP.max(unit)) {
            Err(Error::NoSpace) => self.grow_mft_by(unit),
            result => result,
        }
    }

    /// Adds so many bytes of free records to `$MFT`. The caller is the only one.
    fn grow_mft_by(&self, step: u64) -> Result {
        let records = self.records_for_writing()?;
        let old = self.record_count();
        let mut values = Longer::of(self, &records.data)?;
        let size = values.sizes.data.get().checked_add(step);
        let size = ByteCount::new(size.ok_or(Error::NoSpace)?);
        values.allocate(self, size, Purpose::Mft)?;
        let shift = self.geometry().record_size().shift();
        let count = size.get().checked_shr(shift).unwrap_or(old);
        self.write_free_records(&values, old, count)?;

        let mut bitmap = Longer::of(self, &records.bitmap)?;
        let bytes = count.div_ceil(8).checked_next_multiple_of(BITMAP_UNIT);
        let bytes = ByteCount::new(bytes.ok_or(Error::NoSpace)?).max(bitmap.sizes.data);
        bitmap.allocate(self, bytes, Purpose::Data)?;
        bitmap.write_zeros(self, bytes)?;
        // Bits behind the last record do no harm, so this comes first.
        bitmap.record(self, bytes)?;
        values.record(self, size)?;
        self.set_mft(records.data.mapping(self)?);
        let bits = records.bitmap.mapping(self)?;
        records.bits().grow(self, bits, ClusterCount::new(count))
    }

    /// Writes records that are free.
    fn write_free_records(&self, values: &Longer<'_>, from: u64, to: u64) -> Result {
        let mapping = values.mapping();
        let mut number = from;
        // Each turn goes on to the next record.
        while number < to {
            let record = RecordNumber::new(number);
            let first = SequenceNumber::new(1);
            let mut image = records::new_record(self, record, first, None).image()?;
            mft::protect(&mut image, record)?;
            let at = mft::byte_offset(self, record).ok_or(Error::NoSpace)?;
            data::write_mapping(self, mapping, values.attribute.place(), at, &image)?;
            number = number.saturating_add(1);
        }
        Ok(())
    }
}

/// A value of `$MFT` that gets longer; dropping it gives the new clusters back.
struct Longer<'v> {
    attribute: &'v Attribute,
    /// As they are up to now.
    sizes: Sizes,
    old: Arc<Mapping>,
    new: Mapping,
    allocations: KVec<Allocation<'v>>,
}

impl<'v> Longer<'v> {
    fn of<D: Device>(volume: &'v Volume<D>, attribute: &'v Attribute) -> Result<Self> {
        let old = attribute.mapping(volume)?;
        if let Some(damage) = old.damage {
            return Err(damage);
        }
        let sizes = attribute.sizes();
        Ok(Self {
            attribute,
            sizes,
            new: Mapping {
                runlist: old.runlist.until(old.runlist.end())?,
                sizes,
                damage: None,
            },
            old,
            allocations: KVec::new(),
        })
    }

    fn mapping(&self) -> &Mapping {
        &self.new
    }

    /// Adds clusters until there is room for `size` bytes.
    fn allocate<D: Device>(
        &mut self,
        volume: &'v Volume<D>,
        size: ByteCount,
        purpose: Purpose,
    ) -> Result {
        let cluster = volume.geometry().cluster_size();
        let end = Vcn::new(cluster.clusters_for(size).get());
        let runlist = &mut self.new.runlist;
        // Each turn adds at least a cluster.
        while let Some(missing) = end.distance_from(runlist.end()) {
            if missing == ClusterCount::ZERO {
                break;
            }
            let goal = behind(runlist, runlist.end());
            let allocator = volume.allocator()?;
            let got = allocator.allocate(volume, goal, missing, Claim::Unreserved, purpose)?;
            let Run { lcn, length } = got.run();
            array::push(&mut self.allocations, got)?;
            runlist.push(Target::Clusters(lcn), length)?;
        }
        self.new.sizes = Sizes {
            data: size.max(self.sizes.data),
            initialized: size.max(self.sizes.initialized),
            ..self.sizes
        };
        Ok(())
    }

    /// Fills what comes in up to `size` with zeros, on the device.
    fn write_zeros<D: Device>(&self, volume: &Volume<D>, size: ByteCount) -> Result {
        let zeros = [0; ZEROS];
        let mut at = self.sizes.initialized;
        // Each turn goes on by what it wrote.
        while let Some(left) = size.checked_sub(at).filter(|left| *left != ByteCount::ZERO) {
            let length = usize::try_from(left.get()).unwrap_or(ZEROS).min(ZEROS);
            let piece = zeros.get(..length).unwrap_or(&[]);
            let (place, start) = (self.attribute.place(), ByteOffset::new(at.get()));
            data::write_mapping(volume, &self.new, place, start, piece)?;
            let written = ByteCount::new(u64_from_usize(length));
            at = at.checked_add(written).ok_or(Error::NoSpace)?;
        }
        Ok(())
    }

    /// Tells the record; the value is `size` bytes long from now on.
    fn record<D: Device>(mut self, volume: &Volume<D>, size: ByteCount) -> Result {
        if size <= self.sizes.data {
            return Ok(());
        }
        let data = self.attribute;
        // Who makes `$MFT` longer is alone, so this is free; and it is below the mapping of another file.
        let mut unrecorded = data.unrecorded_of_mft().ok_or(Error::NotFound)?;
        let settled = unrecorded.settled();
        data.set_sizes(self.new.sizes);
        unrecorded.replace(size.get());
        let runlist = core::mem::take(&mut self.new.runlist);
        let sizes = self.new.sizes;
        let changed = Mapping {
            runlist: Runlist::new(),
            sizes,
            damage: None,
        };
        let recorded = replace_runs(data, &changed, runlist).and_then(|_| {
            let recording = Recording::prepare(volume, data, &unrecorded)?;
            let mut transaction = Transaction::begin();
            let page = transaction.map_record(volume, recording.base(), data.owner())?;
            recording.apply(data, &mut transaction, page)?;
            recording.publish(data);
            transaction.commit();
            recording.finish(&mut unrecorded);
            Ok(())
        });
        match recorded {
            Ok(()) => {
                while let Some(allocation) = self.allocations.pop() {
                    allocation.keep();
                }
                Ok(())
            }
            Err(error) => {
                data.set_sizes(self.sizes);
                data.install(self.old);
                unrecorded.replace(settled);
                Err(error)
            }
        }
    }
}
