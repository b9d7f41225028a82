// SPDX-License-Identifier: GPL-2.0-only

//! Counting the zeros of `$Bitmap` and of `$MFT`'s `$BITMAP` where they are not fit to be written: one within its
//! record, or one with holes. All others are counted by their [`Allocator`](super::allocator::Allocator).
//!
//! The count is made when somebody asks for the first time, with large reads, and kept.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use super::{
    attribute::Attribute,
    bits,
    data,
    device::Device,
    error::Result,
    store::Store, //
};
use crate::ondisk::{
    bytes::u64_from_usize,
    units::{
        ByteCount,
        ByteOffset, //
    },
};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;
/// "Not counted yet"; no bitmap has so many zeros.
const UNKNOWN: u64 = u64::MAX;

/// A bitmap on the volume, one bit for each cluster or record, set if it is in use.
pub struct Bitmap {
    value: Arc<Attribute>,
    bits: u64,
    free: Atomic<u64>,
}

impl Bitmap {
    /// The bitmap in `value`, of which the first `bits` bits count.
    pub(super) fn new(value: Arc<Attribute>, bits: u64) -> Self {
        Self {
            value,
            bits,
            free: Atomic::new(UNKNOWN),
        }
    }

    /// Bits that count.
    pub fn bits(&self) -> u64 {
        self.bits
    }

    /// Bits that are not set. Reads the whole bitmap at the first call; may sleep.
    ///
    /// What the bitmap is too short for counts as in use.
    pub fn free<D: Device>(&self, store: &Store<D>) -> Result<u64> {
        let known = self.free.load(Relaxed);
        if known != UNKNOWN {
            return Ok(known);
        }
        let free = self.count(store)?;
        self.free.store(free, Relaxed);
        Ok(free)
    }

    fn count<D: Device>(&self, store: &Store<D>) -> Result<u64> {
        let mut buffer = KVVec::<u8>::zeroed(CHUNK, GFP_KERNEL)?;
        let mut left = self.bits;
        let mut at = ByteOffset::ZERO;
        let mut free: u64 = 0;
        // Each turn takes bits off `left`, or ends.
        while left > 0 {
            let read = data::read_at(store, &self.value, at, &mut buffer)?;
            let bytes = buffer.get(..read).unwrap_or(&[]);
            if bytes.is_empty() {
                break;
            }
            let (zeros, counted) = bits::zeros(bytes, left);
            free = free.saturating_add(zeros);
            left = left.saturating_sub(counted);
            let step = ByteCount::new(u64_from_usize(read));
            let Some(next) = at.checked_add(step) else {
                break;
            };
            at = next;
        }
        Ok(free)
    }
}
