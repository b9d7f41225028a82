// SPDX-License-Identifier: GPL-2.0-only

//! Clusters that are set aside, without saying which ones.
//!
//! How many there are in all is shared with the allocator, not borrowed from it: who has a reservation may
//! live as long as an attribute of a file, and gives it back by being dropped.
//!
//! The sum goes up under the mutex of the allocator only.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
};

use super::{
    less,
    sum, //
};
use crate::ondisk::units::ClusterCount;

/// All clusters of an allocator that are set aside.
pub(super) struct Total(Atomic<u64>);

impl Total {
    /// None.
    pub(super) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(Atomic::new(0)), GFP_KERNEL)?)
    }

    pub(super) fn get(&self) -> ClusterCount {
        ClusterCount::new(self.0.load(Relaxed))
    }

    pub(super) fn add(&self, count: ClusterCount) {
        self.change(|total| sum(total, count));
    }

    pub(super) fn subtract(&self, count: ClusterCount) {
        self.change(|total| less(total, count));
    }

    fn change(&self, new: impl Fn(ClusterCount) -> ClusterCount) {
        let mut old = self.0.load(Relaxed);
        // Ends when nobody comes between.
        while let Err(now) = self.0.cmpxchg(old, new(ClusterCount::new(old)).get(), Full) {
            old = now;
        }
    }
}

/// Clusters that are set aside. Dropping it gives back those that were not claimed.
#[must_use = "the clusters are not set aside any more when this is dropped"]
pub struct Reservation {
    total: Arc<Total>,
    count: ClusterCount,
}

impl Reservation {
    /// The sum has been increased.
    pub(super) fn new(total: Arc<Total>, count: ClusterCount) -> Self {
        Self { total, count }
    }

    /// How many are set aside.
    pub fn count(&self) -> ClusterCount {
        self.count
    }

    /// Adds those of another reservation with the same allocator.
    pub fn join(&mut self, mut other: Self) {
        self.count = sum(self.count, core::mem::take(&mut other.count));
    }

    /// So many were allocated by [`Claim::Reserved`](super::Claim::Reserved), and kept.
    pub fn claimed(&mut self, count: ClusterCount) {
        self.count = less(self.count, count);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.total.subtract(self.count);
    }
}
