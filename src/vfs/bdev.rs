// SPDX-License-Identifier: GPL-2.0-only

//! `struct block_device`: reading and writing a volume's bytes. C headers: `include/linux/blkdev.h`, `bio.h`.
//!
//! Transfers do not go through the device's page cache: what they are for has caches of its own.

use super::bindings;
use kernel::{
    error::to_result,
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

/// The unit of `sector_t`.
const SECTOR: u64 = 512;

/// The longest single transfer, in bytes: a contiguous bounce buffer of that size is easily had.
const LONGEST: usize = 64 * 1024;

/// The device of a super block, which stays open as long as this lives.
///
/// # Invariants
///
/// `file` is a reference to the open file of block device `bdev`.
pub(crate) struct BlockDevice {
    file: *mut bindings::file,
    bdev: *mut bindings::block_device,
    /// Held by who reads a block, changes a part of it and writes it back. Nothing is locked under it.
    partial_writes: Pin<KBox<Mutex<()>>>,
}

// SAFETY: Transfers may be made by any thread at any time, and the reference may be given back by any.
unsafe impl Send for BlockDevice {}
// SAFETY: As above.
unsafe impl Sync for BlockDevice {}

impl BlockDevice {
    /// The device of a super block.
    ///
    /// # Safety
    ///
    /// `sb` is valid and has its device open.
    pub(super) unsafe fn of_super_block(sb: *mut bindings::super_block) -> Result<Self> {
        let partial_writes = KBox::pin_init(new_mutex!((), "ntfs_rs::partial_writes"), GFP_KERNEL)?;
        // SAFETY: By the caller's word. INVARIANT: The reference is ours.
        Ok(unsafe {
            Self {
                file: bindings::get_file((*sb).s_bdev_file),
                bdev: (*sb).s_bdev,
                partial_writes,
            }
        })
    }

    /// How many bytes it has (`bdev_nr_bytes`).
    pub(crate) fn size(&self) -> u64 {
        // SAFETY: The device is open.
        let bytes = unsafe { bindings::bdev_nr_bytes(self.bdev) };
        u64::try_from(bytes).unwrap_or(0)
    }

    /// The unit of its I/O, in bytes: a power of two from 512 on (`bdev_logical_block_size`).
    pub(crate) fn logical_block_size(&self) -> u32 {
        // SAFETY: The device is open.
        unsafe { bindings::bdev_logical_block_size(self.bdev) }
    }

    /// How memory has to be aligned for direct I/O, in bytes: a power of two (`bdev_dma_alignment`).
    pub(crate) fn dma_alignment(&self) -> u32 {
        // SAFETY: The device is open.
        unsafe { bindings::bdev_dma_alignment(self.bdev) }.saturating_add(1)
    }

    /// Reads bytes, wherever they begin and end. `EINVAL` if they reach beyond the device. May sleep.
    pub(crate) fn read(&self, at: u64, buf: &mut [u8]) -> Result {
        let len = u64::try_from(buf.len())?;
        let end = at.checked_add(len).ok_or(EINVAL)?;
        if end > self.size() {
            return Err(EINVAL);
        }
        let block = self.logical_block_size();
        if self.can_reach(buf) && is_multiple(at, block) && is_multiple(len, block) {
            return self.read_blocks(at, buf);
        }
        self.read_bounced(at, buf, block)
    }

    /// Whether the device can transfer from or to this memory itself: in the linear mapping, and aligned as it wants.
    fn can_reach(&self, buf: &[u8]) -> bool {
        // SAFETY: The device is open; of the memory only the address is looked at.
        unsafe {
            let alignment_mask = bindings::bdev_dma_alignment(self.bdev) as usize;
            buf.as_ptr().addr() & alignment_mask == 0
                && !bindings::is_vmalloc_addr(buf.as_ptr().cast())
        }
    }

    /// Reads whole blocks into memory that the device can reach.
    fn read_blocks(&self, mut at: u64, buf: &mut [u8]) -> Result {
        for piece in buf.chunks_mut(LONGEST) {
            // SAFETY: The device is open; the memory is linear as `can_reach` found, or a `KVec`'s.
            to_result(unsafe {
                bindings::bdev_rw_virt(
                    self.bdev,
                    at / SECTOR,
                    piece.as_mut_ptr().cast(),
                    piece.len(),
                    bindings::READ_META,
                )
            })?;
            at = at.saturating_add(u64::try_from(piece.len())?);
        }
        Ok(())
    }

    /// Reads the blocks that the bytes are in, by pieces, and copies.
    fn read_bounced(&self, mut at: u64, buf: &mut [u8], block: u32) -> Result {
        let block_size = usize::try_from(block)?;
        let in_block = u64::from(block).saturating_sub(1);
        let room = round_up(buf.len().saturating_add(block_size), block_size).min(LONGEST);
        let mut bounce = KVec::from_elem(0, room, GFP_KERNEL)?;
        let mut rest = buf;
        while !rest.is_empty() {
            let skip = usize::try_from(at & in_block)?;
            let len = rest.len().min(room.saturating_sub(skip));
            let blocks = round_up(skip.saturating_add(len), block_size);
            let blocks = bounce.get_mut(..blocks).ok_or(EINVAL)?;
            self.read_blocks(at & !in_block, blocks)?;

            let (piece, next) = rest.split_at_mut_checked(len).ok_or(EINVAL)?;
            let read = blocks.get(skip..).ok_or(EINVAL)?;
            for (to, from) in piece.iter_mut().zip(read) {
                *to = *from;
            }
            rest = next;
            at = at.saturating_add(u64::try_from(len)?);
        }
        Ok(())
    }
}

impl BlockDevice {
    /// Writes bytes, wherever they begin and end. `EINVAL` if they reach beyond the device. May sleep.
    pub(crate) fn write(&self, at: u64, buf: &[u8]) -> Result {
        let len = u64::try_from(buf.len())?;
        let end = at.checked_add(len).ok_or(EINVAL)?;
        if end > self.size() {
            return Err(EINVAL);
        }
        let block = self.logical_block_size();
        if self.can_reach(buf) && is_multiple(at, block) && is_multiple(len, block) {
            return self.write_blocks(at, buf);
        }
        self.write_bounced(at, buf, block)
    }

    /// Makes durable all that was written (`blkdev_issue_flush`). May sleep.
    pub(crate) fn flush(&self) -> Result {
        // SAFETY: The device is open.
        to_result(unsafe { bindings::blkdev_issue_flush(self.bdev) })
    }

    /// The unit in which it can forget bytes (`bdev_discard_granularity`); `None` if it cannot
    /// (`bdev_max_discard_sectors`).
    pub(crate) fn discard_granularity(&self) -> Option<u32> {
        // SAFETY: The device is open.
        unsafe {
            (bindings::bdev_max_discard_sectors(self.bdev) != 0)
                .then(|| bindings::bdev_discard_granularity(self.bdev))
        }
    }

    /// Has the device forget bytes (`blkdev_issue_discard`). `EINVAL` if they reach beyond it, or are no
    /// multiples of its blocks. May sleep.
    pub(crate) fn discard(&self, at: u64, len: u64) -> Result {
        let block = self.logical_block_size();
        let end = at.checked_add(len).ok_or(EINVAL)?;
        if end > self.size() || !is_multiple(at, block) || !is_multiple(len, block) {
            return Err(EINVAL);
        }
        // SAFETY: The device is open.
        to_result(unsafe {
            bindings::blkdev_issue_discard(
                self.bdev,
                at / SECTOR,
                len / SECTOR,
                bindings::GFP_KERNEL,
            )
        })
    }

    /// Writes whole blocks from memory that the device can reach.
    fn write_blocks(&self, mut at: u64, buf: &[u8]) -> Result {
        for piece in buf.chunks(LONGEST) {
            // SAFETY: The device is open; the memory is linear as `can_reach` found, or a `KVec`'s, and a
            // write only reads it.
            to_result(unsafe {
                bindings::bdev_rw_virt(
                    self.bdev,
                    at / SECTOR,
                    piece.as_ptr().cast_mut().cast(),
                    piece.len(),
                    bindings::WRITE_META,
                )
            })?;
            at = at.saturating_add(u64::try_from(piece.len())?);
        }
        Ok(())
    }

    /// Writes by pieces, from memory of its own. Of a block that is written in part the rest is read
    /// first, and nobody else may write the block meanwhile.
    fn write_bounced(&self, mut at: u64, buf: &[u8], block: u32) -> Result {
        let block_size = usize::try_from(block)?;
        let in_block = u64::from(block).saturating_sub(1);
        let room = round_up(buf.len().saturating_add(block_size), block_size).min(LONGEST);
        let mut bounce = KVec::from_elem(0, room, GFP_KERNEL)?;
        let _alone = self.partial_writes.lock();
        let mut rest = buf;
        while !rest.is_empty() {
            let skip = usize::try_from(at & in_block)?;
            let len = rest.len().min(room.saturating_sub(skip));
            let end = skip.saturating_add(len);
            let blocks = bounce.get_mut(..round_up(end, block_size)).ok_or(EINVAL)?;
            let start = at & !in_block;
            if blocks.len() != len {
                self.read_blocks(start, blocks)?;
            }
            let (piece, next) = rest.split_at_checked(len).ok_or(EINVAL)?;
            let target = blocks.get_mut(skip..).ok_or(EINVAL)?;
            for (to, from) in target.iter_mut().zip(piece) {
                *to = *from;
            }
            self.write_blocks(start, blocks)?;
            rest = next;
            at = at.saturating_add(u64::try_from(len)?);
        }
        Ok(())
    }
}

impl Drop for BlockDevice {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { bindings::fput(self.file) };
    }
}

/// Whether a position or length is one of whole blocks.
fn is_multiple(bytes: u64, block: u32) -> bool {
    bytes & u64::from(block).saturating_sub(1) == 0
}

/// Rounds up to a multiple of a power of two.
fn round_up(bytes: usize, unit: usize) -> usize {
    let mask = unit.saturating_sub(1);
    bytes.saturating_add(mask) & !mask
}
