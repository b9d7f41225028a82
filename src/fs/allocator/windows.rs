// SPDX-License-Identifier: GPL-2.0-only

//! Where streams go on: free clusters that others leave alone while they find something else.
//!
//! Who asks for clusters right behind those that it has is likely to come back. The clusters behind its new
//! ones are its window then, twice as long each time, and are found by their first cluster: the place that it
//! asks for next. So files that are written side by side get few, long runs. A window is no promise: nothing in
//! the bitmap tells of it, the oldest gives way to a new one, and where nothing else is free it is ignored.

use super::run::Run;
use crate::ondisk::units::{
    ClusterCount,
    Lcn, //
};

/// Windows that are kept; so many files can be written side by side.
const WINDOWS: usize = 32;

/// Where a stream goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// The clusters that are kept free for it; perhaps none, behind its last ones.
    pub(super) run: Run,
    /// How many there should be.
    pub(super) aim: ClusterCount,
}

/// The windows of the streams that were seen last.
pub(super) struct Windows {
    list: [Window; WINDOWS],
    /// The one that gives way next.
    oldest: usize,
}

impl Windows {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            list: [Window::default(); WINDOWS],
            oldest: 0,
        }
    }

    /// Takes the window away that begins at `lcn`, for the one who goes on there; an empty one if there is
    /// none.
    pub(super) fn take(&mut self, lcn: Lcn) -> Window {
        let own = |window: &&mut Window| window.run.lcn == lcn && window.aim != ClusterCount::ZERO;
        let own = self.list.iter_mut().find(own);
        own.map(core::mem::take).unwrap_or_default()
    }

    /// Adds a window, in the place of the oldest one.
    pub(super) fn put(&mut self, window: Window) {
        if let Some(slot) = self.list.get_mut(self.oldest) {
            *slot = window;
        }
        self.oldest = self.oldest.saturating_add(1);
        if self.oldest >= WINDOWS {
            self.oldest = 0;
        }
    }

    /// The first window with clusters of a run.
    pub(super) fn first_in(&self, run: Run) -> Option<Run> {
        self.list
            .iter()
            .map(|window| window.run)
            .filter(|window| window.overlaps(run))
            .min_by_key(|window| window.lcn)
    }

    /// What of a run comes before all windows with clusters of it; nothing if it begins in one.
    pub(super) fn clip(&self, run: Run) -> Run {
        match self.first_in(run) {
            Some(window) => run.before(window.lcn),
            None => run,
        }
    }
}
