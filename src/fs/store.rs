// SPDX-License-Identifier: GPL-2.0-only

//! What is needed to read any record, attribute or index block of a volume.
//!
//! The lower half of [`super::volume::Volume`]: the device, the geometry, where `$MFT` is, and the
//! two caches. It knows no system file but `$MFT`.
//!
//! Lock order: see [`super`].

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
};

use super::{
    attribute::Mapping,
    buffer::Buffer,
    cache::Cache,
    device::Device,
    index::BlockKey,
    nearby::Nearby, //
};
use crate::ondisk::{
    boot::Geometry,
    bytes::usize_from_u32,
    units::RecordNumber, //
};

/// Records that are kept at most, about 16 MiB.
const MAX_RECORDS: usize = 16 * 1024;
/// Index blocks that are kept at most, about 16 MiB.
const MAX_INDEX_BLOCKS: usize = 4 * 1024;

/// Which copy of the first four records counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstRecords {
    /// `$MFT`, as it should be.
    Main,
    /// `$MFTMirr`, because the record of `$MFT` itself is broken.
    Mirror,
}

/// Device, geometry, `$MFT` and caches of a volume.
#[pin_data]
pub struct Store<D: Device> {
    device: D,
    geometry: Geometry,
    first_records: FirstRecords,
    /// Where the records are. Replaced while `$MFT` is bootstrapped, and when it grows.
    #[pin]
    mft: Mutex<Arc<Mapping>>,
    #[pin]
    pub(super) records: Cache<RecordNumber, Buffer>,
    #[pin]
    pub(super) blocks: Cache<BlockKey, Buffer>,
    /// The record that was read last, to notice who walks through `$MFT`.
    pub(super) last_record_hint: Atomic<u64>,
    /// Counts the records and index blocks that were written to the device: what was read ahead before is not
    /// kept, since it may be what one of them was.
    pub(super) written: Atomic<u64>,
    /// To notice who reads here and there in a part of `$MFT`.
    pub(super) near_records: Nearby,
    /// The same for the blocks of indexes.
    pub(super) near_blocks: Nearby,
}

impl<D: Device> Store<D> {
    /// Around the part of `$MFT` that is known at first.
    pub(super) fn new(
        device: D,
        geometry: Geometry,
        first_records: FirstRecords,
        mft: Arc<Mapping>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            device,
            geometry,
            first_records,
            mft <- new_mutex!(mft, "ntfs_rs::mft_mapping"),
            records <- Cache::new(MAX_RECORDS),
            blocks <- Cache::new(MAX_INDEX_BLOCKS),
            last_record_hint: Atomic::new(0),
            written: Atomic::new(0),
            near_records: Nearby::new(),
            near_blocks: Nearby::new(),
        })
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The sizes and places that the boot sector gives.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Which copy of the first four records counts.
    pub fn first_records(&self) -> FirstRecords {
        self.first_records
    }

    /// Where the records of `$MFT` are.
    pub fn mft(&self) -> Arc<Mapping> {
        self.mft.lock().clone()
    }

    /// Replaces what is known about `$MFT`.
    pub(super) fn set_mft(&self, mapping: Arc<Mapping>) {
        let old = core::mem::replace(&mut *self.mft.lock(), mapping);
        // Freed here, after the lock was given back.
        drop(old);
    }

    /// Bytes in a record.
    pub fn record_bytes(&self) -> usize {
        usize_from_u32(self.geometry.record_size().bytes())
    }

    /// How many records `$MFT` has, in use or not.
    pub fn record_count(&self) -> u64 {
        let sizes = self.mft().sizes;
        let bytes = sizes.data.get().min(sizes.initialized.get());
        bytes
            .checked_shr(self.geometry.record_size().shift())
            .unwrap_or(0)
    }

    /// Objects that the kernel could have back: records and index blocks in the caches.
    pub fn cached(&self) -> usize {
        self.records.count().saturating_add(self.blocks.count())
    }

    /// Gives back up to `wanted` cached objects that nobody uses; says how many. For the shrinker.
    pub fn shrink(&self, wanted: usize) -> usize {
        let freed = self.blocks.scan(wanted);
        freed.saturating_add(self.records.scan(wanted.saturating_sub(freed)))
    }

    /// The record that was read last.
    pub(super) fn last_record(&self) -> u64 {
        self.last_record_hint.load(Relaxed)
    }
}
