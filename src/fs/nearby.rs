// SPDX-License-Identifier: GPL-2.0-only

//! Noticing who reads here and there in one region of an attribute.
//!
//! What is wanted in the order of names is all over `$MFT`, or all over the blocks of an index, and yet in a
//! few regions of it. So when something is wanted in a region of which something else was read lately, all of
//! the region is read. What has been noticed is a hint: it is never wrong, at worst of no use.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

use crate::ondisk::units::RecordNumber;

/// Regions that are remembered: as many as [`BITS`] bits tell apart.
const SLOTS: usize = 1 << BITS;
const BITS: u32 = 7;
/// Odd, and without a pattern: what is multiplied by it differs in its high bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The regions of which something was read lately.
pub(super) struct Nearby([Atomic<u64>; SLOTS]);

impl Nearby {
    /// No region.
    pub(super) fn new() -> Self {
        Self(core::array::from_fn(|_| Atomic::new(u64::MAX)))
    }

    /// Notes that something is read in a region of a file; says whether something was before, and lately.
    pub(super) fn is_again(&self, file: RecordNumber, region: u64) -> bool {
        // Another one with the same number is a region too many that is read, and does no harm.
        let number = file.get().wrapping_mul(SPREAD).wrapping_add(region);
        let slot = number.wrapping_mul(SPREAD) >> (u64::BITS - BITS);
        let slot = usize::try_from(slot).ok().and_then(|slot| self.0.get(slot));
        slot.is_some_and(|slot| slot.xchg(number, Relaxed) == number)
    }
}
