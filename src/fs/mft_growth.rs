// SPDX-License-Identifier: GPL-2.0-only

//! Making `$MFT` longer, when all of its records are in use.
//!
//! New records are written as free ones to clusters that nobody knows yet. Then `$MFT`'s own record tells of
//! a longer `$BITMAP`, where that is needed, and of them, in a transaction each: bits behind the last record do
//! no harm, should it come to no more. All else that can fail comes before, so memory and record agree on how
//! many records there are. The record is on the device before any that refers to a new one, see
//! [`super::writeback`].
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
        Purpose, //
    },
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
    file::replace_runs,
    mft,
    recording::Recording,
    records,
    runlist::Runlist,
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
        // A bitmap may have anything behind the last record.
        bitmap.write_zeros(self, ByteCount::new(old.div_ceil(8)), bytes)?;
        let growing = records
            .bits()
            .prepare_growth(self, ClusterCount::new(count))?;
        let bits = bitmap.record(self, bytes)?;
        let mapping = values.record(self, size)?;
        // From here on nothing fails.
        self.set_mft(mapping);
        growing.commit(bits);
        Ok(())
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
        let old = attribute.mapping_to_change(volume)?;
        let sizes = attribute.sizes();
        let cluster = volume.geometry().cluster_size();
        let (end, needed) = (
            old.runlist.end().get(),
            cluster.clusters_for(sizes.data).get(),
        );
        if end < needed {
            let what = "clusters of a value that is to get longer";
            return Err(Error::rule(attribute.place(), what, end, needed));
        }
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
        let (runlist, unreserved) = (&mut self.new.runlist, ClusterCount::ZERO);
        let allocator = volume.allocator()?;
        self.allocations = allocator.extend(volume, runlist, end, unreserved, purpose)?;
        self.new.sizes = Sizes {
            data: size.max(self.sizes.data),
            initialized: size.max(self.sizes.initialized),
            ..self.sizes
        };
        Ok(())
    }

    /// Fills it with zeros from a byte on, or from the last initialized one, up to `size`, on the device.
    fn write_zeros<D: Device>(
        &self,
        volume: &Volume<D>,
        from: ByteCount,
        size: ByteCount,
    ) -> Result {
        let zeros = [0; ZEROS];
        let mut at = self.sizes.initialized.min(from);
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

    /// Tells the record; the value is `size` bytes long from now on. Gives where it is then.
    fn record<D: Device>(mut self, volume: &Volume<D>, size: ByteCount) -> Result<Arc<Mapping>> {
        if size <= self.sizes.data.min(self.sizes.initialized) {
            return Ok(self.old);
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
        let recorded = replace_runs(data, &changed, runlist).and_then(|mapping| {
            let recording = Recording::prepare(volume, data, &unrecorded)?;
            let mut transaction = Transaction::begin();
            let page = transaction.map_record(volume, recording.base(), data.owner())?;
            recording.apply(data, &mut transaction, page)?;
            recording.publish(data);
            transaction.commit();
            recording.finish(&mut unrecorded);
            Ok(mapping)
        });
        match recorded {
            Ok(mapping) => {
                while let Some(allocation) = self.allocations.pop() {
                    allocation.keep();
                }
                Ok(mapping)
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
