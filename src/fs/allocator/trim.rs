// SPDX-License-Identifier: GPL-2.0-only

//! Free clusters that stay free while they are discarded.

use kernel::sync::MutexGuard;

use super::{
    run::Run,
    Allocator, //
};
use crate::{
    fs::{
        device::Device,
        error::Result,
        store::Store, //
    },
    ondisk::units::{
        ClusterCount,
        Lcn, //
    },
};

/// Clusters that are held at once, unless more are asked for: 1 GiB of the usual ones.
const MOST: ClusterCount = ClusterCount::new(1 << 18);

/// Free clusters that nobody gets as long as this lives. There is one at a time.
#[must_use = "the clusters can be allocated at once when this is dropped"]
pub struct Held<'a> {
    allocator: &'a Allocator,
    run: Run,
    _only: MutexGuard<'a, ()>,
}

impl Held<'_> {
    /// Which clusters.
    pub fn run(&self) -> Run {
        self.run
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.allocator.state.lock().held = None;
    }
}

impl Allocator {
    /// Holds the first free run within `from..to` that has `min` clusters, for `FITRIM`; go on behind
    /// its end.
    ///
    /// No more than half of what is available is held at once, so that others find something, and no more
    /// than a device discards in a short time; a longer run comes in parts. Waits while another one is held, so drop that first. `$Bitmap` is not changed
    /// by it.
    pub fn next_free<D: Device>(
        &self,
        store: &Store<D>,
        from: Lcn,
        to: Lcn,
        min: ClusterCount,
    ) -> Result<Option<Held<'_>>> {
        // It stays so.
        drop(self.counted(store)?);
        let only = self.trimmer.lock();
        let mut left = Run::between(from, to);
        // Each turn goes on behind the run that it found, with the lock given back in between.
        loop {
            let mut state = self.state.lock();
            let home = self.home(store);
            let available = state.available().get();
            let most = ClusterCount::new(available.saturating_sub(available >> 1));
            if most < min || most == ClusterCount::ZERO {
                return Ok(None);
            }
            let most = most.min(min.max(MOST));
            let Some(run) = state.next_free(&home, left, most)? else {
                return Ok(None);
            };
            let run = run.at_most(most);
            if run.length >= min {
                state.held = Some(run);
                return Ok(Some(Held {
                    allocator: self,
                    run,
                    _only: only,
                }));
            }
            left = left.from(run.end());
        }
    }
}
