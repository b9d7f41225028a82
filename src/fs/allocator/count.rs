// SPDX-License-Identifier: GPL-2.0-only

//! Counting the free clusters, while clusters are already handed out and given back.
//!
//! The blocks of the bitmap are counted in their order, some at a time, with no lock held that anybody waits for
//! who wants clusters. A block that is read for its bits is counted by that, and from then on whatever is
//! changed in it changes its count too. As no bit is changed before its block was read, what is on the device is
//! right for all blocks that are not counted, and what was read of one that somebody else has counted meanwhile
//! is thrown away. So at each time the sum is that of the blocks that are counted, to the last cluster.
//!
//! Who wants clusters waits only until so many are known to be free; who must know all of them counts what is
//! left, in turns with whoever else does. When the device fails, whoever counts gets the error, and the next one
//! tries again from there.
//!
//! Lock order: see [`super`]. The mutex of the counter comes before that of the state.

use kernel::{
    prelude::*,
    sync::MutexGuard, //
};

use super::{
    blocks::{
        bytes_for,
        Blocks,
        BLOCK_BITS,
        BLOCK_BYTES,
        TRANSFER_BLOCKS,
        TRANSFER_BYTES, //
    },
    less,
    Allocator,
    State, //
};
use crate::{
    fs::{
        bits,
        device::Device,
        error::Result,
        store::Store, //
    },
    ondisk::{
        bytes::u64_from_usize,
        units::{
            ByteOffset,
            ClusterCount, //
        },
    },
};

/// How far the count is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There are blocks that are not counted.
    Counting,
    /// All are.
    Done,
}

/// Blocks that are about to be counted.
struct Section {
    /// The first of them.
    first: usize,
    /// The bits that they have.
    bits: usize,
}

impl Section {
    fn length(&self) -> usize {
        bytes_for(self.bits)
    }

    /// Where it begins in the bitmap.
    fn at(&self) -> ByteOffset {
        let block = u64_from_usize(BLOCK_BYTES);
        ByteOffset::new(u64_from_usize(self.first).saturating_mul(block))
    }
}

impl Allocator {
    /// Clusters that are free and not reserved: what `statfs` shows.
    ///
    /// Counts what is not counted yet, which may take reading all of the bitmap. Clusters that are
    /// [pending](Self::pending) are not free yet.
    pub fn free<D: Device>(&self, store: &Store<D>) -> Result<ClusterCount> {
        let state = self.counted(store)?;
        Ok(less(state.blocks.free(), state.reserved.get()))
    }

    /// Whether so many clusters are free and not reserved. Counts no more than it takes to know.
    pub(in crate::fs) fn has<D: Device>(
        &self,
        store: &Store<D>,
        count: ClusterCount,
    ) -> Result<bool> {
        let free = |state: &State| less(state.blocks.free(), state.reserved.get());
        let state = self.counted_until(store, |state| free(state) >= count)?;
        Ok(free(&state) >= count)
    }

    /// The state, with everything counted.
    pub(super) fn counted<D: Device>(&self, store: &Store<D>) -> Result<MutexGuard<'_, State>> {
        self.counted_until(store, |_| false)
    }

    /// The state, with as much counted as is enough, or else everything.
    pub(super) fn counted_until<D: Device>(
        &self,
        store: &Store<D>,
        is_enough: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'_, State>> {
        // Each turn counts a block at least, or another one has.
        loop {
            let state = self.state.lock();
            if is_enough(&state) || state.blocks.progress() == Progress::Done {
                return Ok(state);
            }
            drop(state);
            self.count_some(store)?;
        }
    }

    /// Counts some blocks more, with one read; without effect when all are counted. May sleep.
    pub fn count_some<D: Device>(&self, store: &Store<D>) -> Result<Progress> {
        let mut buffer = self.counter.lock();
        let (section, home) = {
            let mut state = self.state.lock();
            let Some(section) = state.blocks.next_section() else {
                return Ok(Progress::Done);
            };
            (section, self.home(store))
        };
        if buffer.len() < section.length() {
            *buffer = KVVec::zeroed(TRANSFER_BYTES, GFP_KERNEL)?;
        }
        let bytes = buffer.get_mut(..section.length()).unwrap_or(&mut []);
        home.read(section.at(), bytes)?;
        let mut state = self.state.lock();
        state.blocks.count(&section, bytes);
        let progress = state.blocks.progress();
        drop(state);
        if progress == Progress::Done {
            *buffer = KVVec::new();
        }
        Ok(progress)
    }
}

impl Blocks {
    /// The next blocks that are to be counted, as many as are read at once.
    fn next_section(&mut self) -> Option<Section> {
        let is_unknown = |blocks: &Self, block: usize| {
            let slot = blocks.slots.get(block);
            slot.is_some_and(|slot| slot.free.is_none())
        };
        // Those before it stay counted.
        let first = (self.next_to_count..self.slots.len()).find(|block| is_unknown(self, *block));
        self.next_to_count = first.unwrap_or(self.slots.len());
        let first = first?;
        let mut bits: usize = 0;
        for block in first..first.saturating_add(TRANSFER_BLOCKS) {
            if !is_unknown(self, block) {
                break;
            }
            bits = bits.saturating_add(self.bits_of(block));
        }
        Some(Section { first, bits })
    }

    /// Counts blocks by what was read of them, but for those that were counted meanwhile.
    fn count(&mut self, section: &Section, bytes: &[u8]) {
        let mut left = section.bits;
        let mut block = section.first;
        // Once more if there is nothing in them: a bitmap without bits has a block too.
        loop {
            let at = block
                .saturating_sub(section.first)
                .saturating_mul(BLOCK_BYTES);
            let bits = left.min(BLOCK_BITS);
            let (zeros, _) = bits::zeros(bytes.get(at..).unwrap_or(&[]), u64_from_usize(bits));
            self.know(block, usize::try_from(zeros).unwrap_or(0));
            left = left.saturating_sub(bits);
            block = block.saturating_add(1);
            if left == 0 {
                break;
            }
        }
    }
}
