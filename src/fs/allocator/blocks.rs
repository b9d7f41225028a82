// SPDX-License-Identifier: GPL-2.0-only

//! The blocks of `$Bitmap` that are in memory, and how many clusters are free in each block.
//!
//! A block is read when somebody needs its bits. It stays while it is pinned or has changes that are
//! not on the device; other blocks can be thrown out. The count of each block is kept from the time on when it
//! is known, so that the full ones and the empty ones need not be read to be skipped or found.
//!
//! No lock of its own: all is behind the mutex of the allocator.

use kernel::prelude::*;

use super::{
    count::Progress,
    home::Home,
    run::Run, //
};
use crate::{
    fs::{
        array,
        bits::{
            self,
            Bit, //
        },
        device::Device,
        error::{
            Error,
            Result, //
        },
    },
    ondisk::{
        bytes::{
            align_8,
            u64_from_usize, //
        },
        units::{
            ByteOffset,
            ClusterCount,
            Lcn, //
        },
    },
};

/// Logarithm of the bits of a block.
const BLOCK_SHIFT: u32 = 18;
/// Clusters that a block tells of.
pub(super) const BLOCK_BITS: usize = 1 << BLOCK_SHIFT;
/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = BLOCK_BITS / 8;
/// Blocks that are read at once for counting, and written at once.
pub(super) const TRANSFER_BLOCKS: usize = 8;
/// Bytes of them.
pub(super) const TRANSFER_BYTES: usize = TRANSFER_BLOCKS * BLOCK_BYTES;
/// Unchanged blocks that are kept at most, 16 MiB.
const MAX_CACHED: usize = 512;

/// Bytes that hold so many bits.
pub(super) const fn bytes_for(bits: usize) -> usize {
    (bits >> 3).saturating_add(if bits & 7 == 0 { 0 } else { 1 })
}

/// The part of a run that one block tells of.
struct Part {
    block: usize,
    /// The first bit in the block.
    from: usize,
    /// The bit behind the last.
    to: usize,
}

impl Part {
    fn length(&self) -> usize {
        self.to.saturating_sub(self.from)
    }
}

/// The parts of a run, block by block.
fn parts(run: Run) -> impl Iterator<Item = Part> {
    let end = run.end().get();
    let mut at = run.lcn.get();
    core::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let block = at >> BLOCK_SHIFT;
        let first = block << BLOCK_SHIFT;
        let next = first.saturating_add(u64_from_usize(BLOCK_BITS)).min(end);
        let part = Part {
            block: usize::try_from(block).ok()?,
            from: usize::try_from(at.saturating_sub(first)).ok()?,
            to: usize::try_from(next.saturating_sub(first)).ok()?,
        };
        // Never less than one further on.
        at = next;
        Some(part)
    })
}

/// The cluster that the first bit of a block stands for.
fn first_of(block: usize) -> Lcn {
    Lcn::new(u64_from_usize(block) << BLOCK_SHIFT)
}

/// Bytes of a block, from the first up to the one behind the last.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Bits of a block that count, of so many clusters.
fn bits_of(clusters: ClusterCount, block: usize) -> usize {
    let left = Lcn::new(clusters.get()).distance_from(first_of(block));
    usize::try_from(left.unwrap_or_default().get())
        .unwrap_or(usize::MAX)
        .min(BLOCK_BITS)
}

/// What is known of a block.
pub(super) struct Slot {
    /// Its bytes, up to a multiple of 8; none unless it is in memory.
    pub(super) bytes: KVVec<u8>,
    /// Its bits that are not set, when they have been counted.
    pub(super) free: Option<usize>,
    /// Those who need it in memory.
    pub(super) pins: u32,
    /// What is not on the device yet.
    pub(super) changed: Option<Bytes>,
    /// Used since the clock came by.
    referenced: bool,
}

impl Slot {
    const fn new() -> Self {
        Self {
            bytes: KVVec::new(),
            free: None,
            pins: 0,
            changed: None,
            referenced: false,
        }
    }
}

/// All blocks of `$Bitmap`.
///
/// # Invariants
///
/// There is a slot for each block that the bits need. A block that is in memory is counted, and stays so; one
/// that is not counted is on the device as it is. A block that is pinned or changed is in memory.
pub(super) struct Blocks {
    pub(super) slots: KVVec<Slot>,
    /// Clusters that the bitmap tells of.
    clusters: ClusterCount,
    /// Those that are free, in the blocks that are counted.
    free: ClusterCount,
    /// Blocks that are not counted.
    unknown: usize,
    /// No block before it is to be counted.
    pub(super) next_to_count: usize,
    /// Blocks in memory.
    loaded: usize,
    /// Blocks with changes.
    pub(super) changed: usize,
    /// Blocks that were read since the mount.
    reads: u64,
    /// Where the clock goes on.
    hand: usize,
}

/// What a bitmap needs to get longer.
pub(super) struct Growth {
    clusters: ClusterCount,
    slots: KVVec<Slot>,
    /// For the block that is the last up to now.
    bytes: KVVec<u8>,
}

impl Blocks {
    /// For a bitmap of so many clusters.
    pub(super) fn new(clusters: ClusterCount) -> Result<Self> {
        let volume = Run {
            lcn: Lcn::ZERO,
            length: clusters,
        };
        let last = volume.end().get().saturating_sub(1) >> BLOCK_SHIFT;
        let count = usize::try_from(last.saturating_add(1)).map_err(|_| Error::NoMemory)?;
        Ok(Self {
            slots: array::collected(core::iter::repeat_with(Slot::new), count)?,
            clusters,
            free: ClusterCount::ZERO,
            unknown: count,
            next_to_count: 0,
            loaded: 0,
            changed: 0,
            reads: 0,
            hand: 0,
        })
    }

    /// The last cluster, as far as there is one.
    pub(super) fn last(&self) -> Run {
        let all = Run {
            lcn: Lcn::ZERO,
            length: self.clusters,
        };
        all.from(Lcn::new(self.clusters.get().saturating_sub(1)))
    }

    /// Gets ready for `clusters` in place of those that there are. The block of the last one is pinned.
    pub(super) fn prepare_growth(&self, clusters: ClusterCount) -> Result<Growth> {
        let clusters = clusters.max(self.clusters);
        let length = bytes_for(bits_of(clusters, self.slots.len().saturating_sub(1)));
        Ok(Growth {
            clusters,
            slots: Self::new(clusters)?.slots,
            bytes: KVVec::zeroed(align_8(length).unwrap_or(length), GFP_KERNEL)?,
        })
    }

    /// There are more clusters now; those that are new are free. Their number was not changed since this was
    /// prepared, and the block of the last one is pinned.
    pub(super) fn grow(&mut self, growth: Growth) {
        let Growth {
            clusters,
            mut slots,
            bytes,
        } = growth;
        let old = self.slots.len();
        let last = old.saturating_sub(1);
        let (before, bits) = (self.bits_of(last), bits_of(clusters, last));
        // Pinned, and so known; or there was no bit in it.
        self.know(last, 0);
        for (new, old) in slots.iter_mut().zip(self.slots.iter_mut()) {
            core::mem::swap(new, old);
        }
        let mut block = old;
        // Each turn goes on to the next block that is new.
        while let Some(slot) = slots.get_mut(block) {
            let bits = bits_of(clusters, block);
            slot.free = Some(bits);
            self.free = ClusterCount::new(self.free.get().saturating_add(u64_from_usize(bits)));
            block = block.saturating_add(1);
        }
        if let Some(slot) = slots.get_mut(last) {
            let old = core::mem::replace(&mut slot.bytes, bytes);
            for (to, from) in slot.bytes.iter_mut().zip(old.iter()) {
                *to = *from;
            }
            if old.is_empty() {
                self.loaded = self.loaded.saturating_add(1);
            }
        }
        self.slots = slots;
        self.clusters = clusters;
        // Whatever was there: nobody could look at these bits.
        let first = first_of(last).get().saturating_add(u64_from_usize(before));
        let end = first_of(last).get().saturating_add(u64_from_usize(bits));
        let fresh = Run::between(Lcn::new(first), Lcn::new(end));
        self.set(fresh, Bit::Free);
    }

    /// The cluster behind the last that the bitmap tells of.
    pub(super) fn end(&self) -> Lcn {
        Lcn::new(self.clusters.get())
    }

    /// Blocks that were read since the mount.
    pub(super) fn reads(&self) -> u64 {
        self.reads
    }

    /// Blocks with changes.
    pub(super) fn changed(&self) -> usize {
        self.changed
    }

    /// Blocks in memory that have no changes.
    pub(super) fn cached(&self) -> usize {
        self.loaded.saturating_sub(self.changed)
    }

    /// Bits of a block that count.
    pub(super) fn bits_of(&self, block: usize) -> usize {
        bits_of(self.clusters, block)
    }

    /// Free clusters of the blocks that are counted: there are so many at least.
    pub(super) fn free(&self) -> ClusterCount {
        self.free
    }

    /// Whether all blocks are counted.
    pub(super) fn progress(&self) -> Progress {
        match self.unknown {
            0 => Progress::Done,
            _ => Progress::Counting,
        }
    }

    /// So many bits of a block are free, unless that is known better by now.
    pub(super) fn know(&mut self, block: usize, free: usize) {
        let Some(slot) = self.slots.get_mut(block) else {
            return;
        };
        if slot.free.is_none() {
            slot.free = Some(free);
            self.unknown = self.unknown.saturating_sub(1);
            self.free = ClusterCount::new(self.free.get().saturating_add(u64_from_usize(free)));
        }
    }

    /// Reads the blocks of a run that are not counted, and so counts them.
    pub(super) fn look_at<D: Device>(&mut self, home: &Home<'_, D>, run: Run) -> Result {
        for part in parts(run.before(self.end())) {
            let slot = self.slots.get(part.block);
            if slot.is_some_and(|slot| slot.free.is_none()) {
                self.load(home, part.block)?;
            }
        }
        Ok(())
    }

    /// Reads a block, unless it is in memory.
    fn load<D: Device>(&mut self, home: &Home<'_, D>, block: usize) -> Result {
        if let Some(slot) = self.slots.get_mut(block) {
            if !slot.bytes.is_empty() {
                slot.referenced = true;
                return Ok(());
            }
        }
        if self.cached() >= MAX_CACHED {
            self.evict(1);
        }
        let bits = self.bits_of(block);
        let length = bytes_for(bits);
        let mut bytes = KVVec::<u8>::zeroed(align_8(length).unwrap_or(length), GFP_KERNEL)?;
        let at = u64_from_usize(block).saturating_mul(u64_from_usize(BLOCK_BYTES));
        let part = bytes.get_mut(..length).unwrap_or(&mut []);
        home.read(ByteOffset::new(at), part)?;
        self.reads = self.reads.saturating_add(1);
        let (free, _) = bits::zeros(&bytes, u64_from_usize(bits));
        let known = self.slots.get(block).and_then(|slot| slot.free);
        let expected = known.map_or(free, u64_from_usize);
        if free != expected {
            // Whoever wrote there has written elsewhere too, or the device lies.
            return Err(home.corrupt("changed on the device; free clusters", free, expected));
        }
        self.know(block, usize::try_from(free).unwrap_or(0));
        let slot = self.slots.get_mut(block).ok_or(Error::NotFound)?;
        slot.bytes = bytes;
        slot.referenced = true;
        self.loaded = self.loaded.saturating_add(1);
        Ok(())
    }

    /// Takes the blocks of a run into memory, and keeps them there until [`Blocks::unpin`].
    pub(super) fn pin<D: Device>(&mut self, home: &Home<'_, D>, run: Run) -> Result {
        for part in parts(run) {
            match self.load(home, part.block) {
                Ok(()) => {
                    if let Some(slot) = self.slots.get_mut(part.block) {
                        slot.pins = slot.pins.saturating_add(1);
                    }
                }
                Err(error) => {
                    self.unpin(run.before(first_of(part.block)));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Ends what [`Blocks::pin`] began.
    pub(super) fn unpin(&mut self, run: Run) {
        for part in parts(run) {
            if let Some(slot) = self.slots.get_mut(part.block) {
                slot.pins = slot.pins.saturating_sub(1);
            }
        }
    }

    /// The first cluster of a pinned run whose bit is `wanted`.
    pub(super) fn first(&self, run: Run, wanted: Bit) -> Option<Lcn> {
        parts(run).find_map(|part| {
            let slot = self.slots.get(part.block)?;
            let found = bits::find(&slot.bytes, part.from, part.to, wanted)?;
            let distance = ClusterCount::new(u64_from_usize(found));
            first_of(part.block).checked_add(distance)
        })
    }

    /// Changes all bits of a pinned run, which have the other value.
    pub(super) fn set(&mut self, run: Run, value: Bit) {
        for part in parts(run) {
            let Some(slot) = self.slots.get_mut(part.block) else {
                return;
            };
            bits::fill(&mut slot.bytes, part.from, part.to, value);
            let new = Bytes {
                from: part.from >> 3,
                to: bytes_for(part.to),
            };
            slot.changed = Some(match slot.changed {
                Some(old) => Bytes {
                    from: old.from.min(new.from),
                    to: old.to.max(new.to),
                },
                None => {
                    self.changed = self.changed.saturating_add(1);
                    new
                }
            });
            // It is in memory, and so it is counted.
            slot.free = slot.free.map(|free| match value {
                Bit::Free => free.saturating_add(part.length()),
                Bit::Used => free.saturating_sub(part.length()),
            });
        }
        let (free, length) = (self.free.get(), run.length.get());
        self.free = ClusterCount::new(match value {
            Bit::Free => free.saturating_add(length),
            Bit::Used => free.saturating_sub(length),
        });
    }

    /// The first free clusters in `within`; of those that lie together, `most` at the utmost or
    /// somewhat more.
    ///
    /// Only blocks that are free in part are read. Those that are not counted yet are passed over.
    pub(super) fn next_free<D: Device>(
        &mut self,
        home: &Home<'_, D>,
        within: Run,
        most: ClusterCount,
    ) -> Result<Option<Run>> {
        let mut found: Option<Run> = None;
        for part in parts(within.before(self.end())) {
            let free = match self.free_in(home, &part)? {
                Some(free) => free,
                None if found.is_some() => break,
                None => continue,
            };
            let first = first_of(part.block).get();
            let run = Run::between(
                Lcn::new(first.saturating_add(u64_from_usize(free.from))),
                Lcn::new(first.saturating_add(u64_from_usize(free.to))),
            );
            let joined = match found {
                None => run,
                Some(found) if found.end() == run.lcn => Run::between(found.lcn, run.end()),
                Some(_) => break,
            };
            found = Some(joined);
            if free.to < part.to || joined.length >= most {
                break;
            }
        }
        Ok(found)
    }

    /// The first free bits in the part of a block, and where they end.
    fn free_in<D: Device>(&mut self, home: &Home<'_, D>, part: &Part) -> Result<Option<Part>> {
        let all = self.bits_of(part.block);
        let free = self.slots.get(part.block).and_then(|slot| slot.free);
        let free = free.unwrap_or(0);
        let (from, to) = if free == 0 {
            return Ok(None);
        } else if free == all {
            (part.from, part.to)
        } else {
            self.load(home, part.block)?;
            let bytes = self.slots.get(part.block).map_or(&[][..], |s| &s.bytes);
            let Some(from) = bits::find(bytes, part.from, part.to, Bit::Free) else {
                return Ok(None);
            };
            let to = bits::find(bytes, from, part.to, Bit::Used);
            (from, to.unwrap_or(part.to))
        };
        Ok(Some(Part {
            block: part.block,
            from,
            to,
        }))
    }

    /// Throws out up to `wanted` blocks that nobody needs; says how many.
    pub(super) fn evict(&mut self, wanted: usize) -> usize {
        let mut freed: usize = 0;
        // Twice round: the first time may only take second chances away.
        for _ in 0..self.slots.len().saturating_mul(2) {
            if freed >= wanted {
                break;
            }
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(slot) = self.slots.get_mut(self.hand) else {
                break;
            };
            self.hand = self.hand.saturating_add(1);
            if slot.bytes.is_empty() || slot.pins > 0 || slot.changed.is_some() {
                continue;
            }
            if core::mem::replace(&mut slot.referenced, false) {
                continue;
            }
            slot.bytes = KVVec::new();
            self.loaded = self.loaded.saturating_sub(1);
            freed = freed.saturating_add(1);
        }
        freed
    }
}
