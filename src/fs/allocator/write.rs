// SPDX-License-Identifier: GPL-2.0-only

//! Bringing the changes of `$Bitmap` to the device.

use super::{
    blocks::{
        bytes_for,
        Blocks,
        Bytes,
        Slot,
        BLOCK_BYTES, //
    },
    Allocator,
};
use crate::{
    fs::{
        device::Device,
        error::Result,
        store::Store, //
    },
    ondisk::{
        bytes::u64_from_usize,
        units::ByteOffset, //
    },
};

/// Changes are written in multiples of this, in bytes, so that the device need not read around them.
const WRITE_UNIT: usize = 4096;

impl Allocator {
    /// Writes all changes that were made before the call. May sleep; needs no memory.
    ///
    /// Blocks that lie together are written together, from a copy: clusters can be allocated meanwhile.
    /// What could not be written is still [dirty](Allocator::dirty), and so is what was not tried after
    /// the first error. Nothing is durable before the device is flushed.
    ///
    /// The bits of allocations that are in no record yet are written as well. After a crash, those
    /// clusters are lost to the volume until it is checked, unless a log undoes it.
    pub fn write_back<D: Device>(&self, store: &Store<D>) -> Result {
        // One at a time, or an older copy might reach the device after a newer one.
        let mut buffer = self.writer.lock();
        let mut from = 0;
        // Each turn goes on behind the blocks that it wrote.
        loop {
            let Some(batch) = self.state.lock().blocks.take_changes(from, &mut buffer) else {
                return Ok(());
            };
            let bytes = buffer.get(..batch.length).unwrap_or(&[]);
            // Not before: a bitmap that got longer has them behind its old end.
            let result = self.home(store).write(batch.at, bytes);
            self.state.lock().blocks.written(&batch, result);
            result?;
            from = batch.end;
        }
    }
}

/// Changes that are on their way to the device.
struct Batch {
    /// The first of its blocks.
    first: usize,
    /// The block behind the last.
    end: usize,
    /// Where it begins in `$Bitmap`.
    at: ByteOffset,
    /// Its bytes.
    length: usize,
}

impl Blocks {
    /// Copies changes of the first changed blocks from `from` on to `buffer`, for the device; they
    /// count as written and are pinned until [`Blocks::written`] is called.
    ///
    /// `buffer` has room for a block at least.
    fn take_changes(&mut self, from: usize, buffer: &mut [u8]) -> Option<Batch> {
        let is_changed = |slot: &Slot| slot.changed.is_some();
        let first = (from..self.slots.len())
            .find(|block| self.slots.get(*block).is_some_and(is_changed))?;
        let mut batch: Option<Batch> = None;
        let mut rest = buffer;
        for block in first..self.slots.len() {
            let size = bytes_for(self.bits_of(block));
            let Some(slot) = self.slots.get_mut(block) else {
                break;
            };
            let Some(changed) = slot.changed else {
                break;
            };
            let from = changed.from & !WRITE_UNIT.wrapping_sub(1);
            let to = align_up(changed.to).min(size);
            // What follows must begin where the block before it ended.
            if batch.is_some() && from != 0 {
                break;
            }
            let bytes = slot.bytes.get(from..to).unwrap_or(&[]);
            let free = core::mem::take(&mut rest);
            let Some((now, later)) = free.split_at_mut_checked(bytes.len()) else {
                break;
            };
            for (to, from) in now.iter_mut().zip(bytes) {
                *to = *from;
            }
            rest = later;
            slot.changed = None;
            slot.pins = slot.pins.saturating_add(1);
            self.changed = self.changed.saturating_sub(1);
            let batch = batch.get_or_insert_with(|| {
                let start = u64_from_usize(block).saturating_mul(u64_from_usize(BLOCK_BYTES));
                Batch {
                    first: block,
                    end: block,
                    at: ByteOffset::new(start.saturating_add(u64_from_usize(from))),
                    length: 0,
                }
            });
            batch.end = block.saturating_add(1);
            batch.length = batch.length.saturating_add(bytes.len());
            if to < size {
                break;
            }
        }
        batch
    }

    /// The changes of a batch are on the device, or, after an error, have to be written again.
    fn written(&mut self, batch: &Batch, result: Result) {
        for block in batch.first..batch.end {
            let size = bytes_for(self.bits_of(block));
            let Some(slot) = self.slots.get_mut(block) else {
                return;
            };
            slot.pins = slot.pins.saturating_sub(1);
            if result.is_err() {
                let all = Bytes { from: 0, to: size };
                if slot.changed.replace(all).is_none() {
                    self.changed = self.changed.saturating_add(1);
                }
            }
        }
    }
}

/// The next multiple of [`WRITE_UNIT`].
const fn align_up(bytes: usize) -> usize {
    let mask = WRITE_UNIT.wrapping_sub(1);
    bytes.saturating_add(mask) & !mask
}
