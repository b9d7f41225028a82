// SPDX-License-Identifier: GPL-2.0-only

//! Where `$Bitmap` is on the device.

use kernel::sync::Arc;

use crate::{
    fs::{
        attribute::Mapping,
        data,
        device::Device,
        error::{
            Error,
            Place,
            Result, //
        },
        store::Store, //
    },
    ondisk::{
        bytes::u64_from_usize,
        units::{
            ByteCount,
            ByteOffset,
            ClusterCount, //
        }, //
    },
};

/// Bytes of the longest window.
const MOST_AHEAD: ByteCount = ByteCount::new(64 << 20);

/// `$Bitmap` on the device.
pub(super) struct Home<'a, D: Device> {
    pub(super) store: &'a Store<D>,
    pub(super) mapping: Arc<Mapping>,
    pub(super) place: Place,
}

impl<D: Device> Home<'_, D> {
    pub(super) fn read(&self, at: ByteOffset, buf: &mut [u8]) -> Result {
        let length = data::read_mapping(self.store, &self.mapping, self.place, at, buf)?;
        if length == buf.len() {
            return Ok(());
        }
        let (found, expected) = (u64_from_usize(length), u64_from_usize(buf.len()));
        Err(self.corrupt("bytes that can be read", found, expected))
    }

    pub(super) fn write(&self, at: ByteOffset, buf: &[u8]) -> Result {
        data::write_mapping(self.store, &self.mapping, self.place, at, buf)
    }

    /// The longest window that a stream gets.
    pub(super) fn most_ahead(&self) -> ClusterCount {
        let cluster = self.store.geometry().cluster_size();
        cluster.whole_clusters(MOST_AHEAD)
    }

    /// A broken rule of the bitmap.
    pub(super) fn corrupt(&self, what: &'static str, found: u64, expected: u64) -> Error {
        Error::rule(self.place, what, found, expected)
    }
}
