// SPDX-License-Identifier: GPL-2.0-only

//! Clusters on their way back: from the transaction that frees them to the free ones.
//!
//! [`Allocator::prepare_free`] does all that can fail. The clusters stay in use until the transaction
//! is durable, so that no crash finds them in two files; [`Allocator::settle`] then makes them free.

use kernel::{
    prelude::*,
    rbtree::RBTreeNodeReservation, //
};

use super::{
    less,
    run::Run,
    sum,
    Allocator,
    State, //
};
use crate::{
    fs::{
        array,
        bits::Bit,
        device::Device,
        error::{
            Error,
            Result, //
        },
        store::Store, //
    },
    ondisk::units::{
        ClusterCount,
        Lcn, //
    },
};

/// A time between two marks; what is freed belongs to the one in which its transaction committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

impl Epoch {
    /// The one after the mount.
    pub(super) const FIRST: Self = Self(0);
}

/// How far clusters are on their way.
#[derive(Clone, Copy)]
enum Stage {
    /// Their transaction may still be undone.
    Prepared,
    /// Their transaction has committed, in this epoch.
    Queued(Epoch),
    /// Their transaction is durable, and somebody is making them free.
    Settling,
}

/// A run on its way; its blocks are pinned.
pub(super) struct Pending {
    length: ClusterCount,
    stage: Stage,
}

/// Clusters that a transaction is going to free. Dropping it means that it does not.
#[must_use = "the clusters stay in use when they are not freed later"]
pub struct Freed<'a> {
    allocator: &'a Allocator,
    runs: KVVec<Run>,
}

impl Freed<'_> {
    /// The transaction has committed: the clusters are free when it is durable.
    pub fn later(mut self) {
        let mut state = self.allocator.state.lock();
        let epoch = state.epoch;
        for run in &self.runs {
            if let Some(pending) = state.pending.get_mut(&run.lcn) {
                pending.stage = Stage::Queued(epoch);
            }
            state.queued = sum(state.queued, run.length);
        }
        drop(state);
        self.runs.clear();
    }
}

impl Drop for Freed<'_> {
    fn drop(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let mut state = self.allocator.state.lock();
        for run in &self.runs {
            state.pending.remove(&run.lcn);
            state.blocks.unpin(*run);
        }
    }
}

impl Allocator {
    /// Gets ready to free runs. On an error nothing is changed.
    ///
    /// [`Error::Corrupt`] if a cluster is free already, is being freed, or is not on the volume: two
    /// files believe that they have it, or a record is broken.
    pub fn prepare_free<D: Device>(
        &self,
        store: &Store<D>,
        runs: impl IntoIterator<Item = Run>,
    ) -> Result<Freed<'_>> {
        let mut freed = Freed {
            allocator: self,
            runs: KVVec::new(),
        };
        for run in runs {
            if run.is_empty() {
                continue;
            }
            let before = freed.runs.len();
            array::push(&mut freed.runs, run)?;
            if let Err(error) = self.prepare_run(store, run) {
                // This one is not prepared; those before it are dropped.
                freed.runs.truncate(before);
                return Err(error);
            }
        }
        Ok(freed)
    }

    fn prepare_run<D: Device>(&self, store: &Store<D>, run: Run) -> Result {
        let node = RBTreeNodeReservation::new(GFP_KERNEL).map_err(|_| Error::NoMemory)?;
        let mut state = self.state.lock();
        let home = self.home(store);
        let end = state.blocks.end();
        if run.end() > end {
            let (found, expected) = (run.end().get(), end.get());
            return Err(home.corrupt("freed cluster beyond the end", found, expected));
        }
        if state.is_pending(run) {
            return Err(home.corrupt("cluster freed twice", run.lcn.get(), 0));
        }
        state.blocks.pin(&home, run)?;
        if let Some(lcn) = state.blocks.first(run, Bit::Free) {
            state.blocks.unpin(run);
            return Err(home.corrupt("freed cluster is free", lcn.get(), 0));
        }
        let pending = Pending {
            length: run.length,
            stage: Stage::Prepared,
        };
        state.pending.insert(node.into_node(run.lcn, pending));
        Ok(())
    }

    /// Begins a new epoch and gives the old one: make all that is committed by now durable, then
    /// [`settle`](Self::settle) it.
    pub fn mark(&self) -> Epoch {
        let mut state = self.state.lock();
        let old = state.epoch;
        state.epoch = Epoch(old.0.saturating_add(1));
        old
    }

    /// Calls `each`, without a lock, for each run that [`settle`](Self::settle) would make free now. The
    /// caller is the only one who settles.
    pub(in crate::fs) fn each_queued(&self, until: Epoch, mut each: impl FnMut(Run)) {
        let mut from = Lcn::ZERO;
        // Each turn goes on behind the run that it found.
        loop {
            let Some(run) = self.state.lock().next_queued(from, until) else {
                break;
            };
            each(run);
            from = run.end();
        }
    }

    /// All transactions up to the end of this epoch are durable: what they have freed is free.
    ///
    /// `each` is called for each run before anybody else can get its clusters, without a lock: it may
    /// discard them.
    pub fn settle(&self, until: Epoch, mut each: impl FnMut(Run)) {
        let mut from = Lcn::ZERO;
        // Each turn goes on behind the run that it found.
        loop {
            let Some(run) = self.state.lock().begin_settling(from, until) else {
                break;
            };
            each(run);
            self.state.lock().end_settling(run);
            from = run.end();
        }
    }
}

impl State {
    /// Whether a cluster of the run is being freed.
    fn is_pending(&self, run: Run) -> bool {
        let overlaps = |(lcn, pending): (&Lcn, &Pending)| {
            let length = pending.length;
            run.overlaps(Run { lcn: *lcn, length })
        };
        match self.pending.cursor_lower_bound(&run.lcn) {
            Some(cursor) => overlaps(cursor.current()) || cursor.peek_prev().is_some_and(overlaps),
            None => match self.pending.cursor_back() {
                Some(cursor) => overlaps(cursor.current()),
                None => false,
            },
        }
    }

    /// The first run at or behind `from` that can be made free; nobody else will do so.
    fn begin_settling(&mut self, from: Lcn, until: Epoch) -> Option<Run> {
        let run = self.next_queued(from, until)?;
        self.pending.get_mut(&run.lcn)?.stage = Stage::Settling;
        Some(run)
    }

    /// The first run at or behind `from` that waits for this epoch to be durable.
    fn next_queued(&self, from: Lcn, until: Epoch) -> Option<Run> {
        let mut from = from;
        // Each turn goes on to the next node.
        loop {
            let cursor = self.pending.cursor_lower_bound(&from)?;
            let (lcn, pending) = cursor.current();
            let run = Run {
                lcn: *lcn,
                length: pending.length,
            };
            match pending.stage {
                Stage::Queued(epoch) if epoch <= until => return Some(run),
                Stage::Prepared | Stage::Queued(_) | Stage::Settling => from = run.end(),
            }
        }
    }

    /// Makes a run free that [`State::begin_settling`] gave.
    fn end_settling(&mut self, run: Run) {
        self.pending.remove(&run.lcn);
        self.blocks.set(run, Bit::Free);
        self.blocks.unpin(run);
        self.queued = less(self.queued, run.length);
    }
}
