// SPDX-License-Identifier: GPL-2.0-only

//! `fallocate(2)`: allocating, zeroing, punching, taking out and putting in ranges of a regular file.
//!
//! Lock order: see [`super::write`]; the inode is locked by the caller.

use super::{
    error::report_file,
    inode,
    iomap::Data,
    units,
    write,
    NtfsRs,
    Volume, //
};
use crate::{
    fs::{
        attribute::Attribute,
        error::Result as FsResult,
        resize, //
    },
    ondisk::units::{
        ByteCount,
        ByteOffset, //
    },
    vfs::{
        address_space::Kept,
        inode::Inode,
        inode_lock::InvalidateLock,
        iomap_write::{
            self,
            WriteOperations, //
        },
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// `FALLOC_FL_*`.
mod mode {
    pub(super) const ALLOCATE: u32 = 0;
    pub(super) const KEEP_SIZE: u32 = 0x01;
    pub(super) const PUNCH_HOLE: u32 = 0x02;
    pub(super) const COLLAPSE_RANGE: u32 = 0x08;
    pub(super) const ZERO_RANGE: u32 = 0x10;
    pub(super) const INSERT_RANGE: u32 = 0x20;
    pub(super) const UNSHARE_RANGE: u32 = 0x40;
}

/// A range of a file, whose mapping is locked.
struct Range<'a> {
    lock: InvalidateLock<'a, NtfsRs>,
    start: u64,
    end: u64,
    /// The size that a cluster has.
    unit: u64,
}

/// Changes a range of a file. The inode is locked.
pub(super) fn fallocate(inode: &Inode<NtfsRs>, mode: u32, start: u64, length: u64) -> Result {
    inode::unpack(inode)?;
    inode::check_writable(inode)?;
    let end = start.checked_add(length).ok_or(EFBIG)?;
    i64::try_from(end).map_err(|_| EFBIG)?;
    inode.dio_wait();
    let keeps_size = mode & mode::KEEP_SIZE != 0;
    if inode::unit(inode).is_some() {
        return in_units(inode, mode & !mode::KEEP_SIZE, keeps_size, (start, end));
    }
    if !inode::uses_iomap(inode) {
        write::move_to_clusters(inode)?;
    }
    let range = Range {
        lock: InvalidateLock::lock(inode),
        start,
        end,
        unit: Data::unit(inode),
    };
    match mode & !mode::KEEP_SIZE {
        // Nothing is shared here, so what is left of it is that there are clusters.
        mode::ALLOCATE | mode::UNSHARE_RANGE => range.allocate(keeps_size),
        mode::ZERO_RANGE => range.zero(keeps_size),
        mode::PUNCH_HOLE => range.punch(),
        mode::COLLAPSE_RANGE if !keeps_size => range.collapse(),
        mode::INSERT_RANGE if !keeps_size => range.insert(),
        _ => Err(EOPNOTSUPP),
    }
}

/// Changes a range of a compressed file. Nothing can be set aside for it, as on Windows, nor can units move.
fn in_units(
    inode: &Inode<NtfsRs>,
    mode: u32,
    keeps_size: bool,
    (start, end): (u64, u64),
) -> Result {
    let (makes_zeros, may_grow) = match mode {
        mode::ALLOCATE | mode::UNSHARE_RANGE if !keeps_size => (false, true),
        mode::ZERO_RANGE => (true, !keeps_size),
        mode::PUNCH_HOLE => (true, false),
        _ => return Err(EOPNOTSUPP),
    };
    if inode::kept(inode) == Kept::Metadata {
        write::move_to_clusters(inode)?;
    }
    if makes_zeros {
        units::with_space(inode, || {
            let range = Range {
                lock: InvalidateLock::lock(inode),
                start,
                end,
                unit: inode::unit(inode).ok_or(EOPNOTSUPP)?,
            };
            range.punch_units()
        })?;
    }
    match may_grow && end > inode.size() {
        true => write::grow(&InvalidateLock::lock(inode), end),
        false => Ok(()),
    }
}

impl Range<'_> {
    fn inode(&self) -> &Inode<NtfsRs> {
        self.lock.inode()
    }

    /// Calls `fs` for the bytes from `start` to `end`.
    fn change<F>(&self, start: u64, end: u64, change: F) -> Result
    where
        F: FnOnce(&Volume, &Attribute, ByteOffset, ByteCount) -> FsResult,
    {
        let inode = self.inode();
        let volume = inode.super_block().data().volume();
        let length = ByteCount::new(end.saturating_sub(start));
        change(
            &volume,
            inode::writable_stream(inode)?,
            ByteOffset::new(start),
            length,
        )
        .map_err(|error| report_file(inode, error))
    }

    /// Below the valid size clusters have to hold zeros, since nothing tells that they were never written.
    fn allocate(&self, keeps_size: bool) -> Result {
        iomap_write::fill_holes(&self.lock, self.start, self.end)?;
        self.change(self.start, self.end, resize::preallocate)?;
        if !keeps_size && self.end > self.inode().size() {
            write::grow(&self.lock, self.end)?;
        }
        Ok(())
    }

    /// Behind the valid size all are zeros already.
    fn zero(&self, keeps_size: bool) -> Result {
        self.allocate(keeps_size)?;
        iomap_write::zero_range(&self.lock, self.start, self.end)
    }

    /// Makes holes of the clusters that are wholly in the range, and zeros of the rest.
    fn punch(&self) -> Result {
        let end = self.end;
        let first = up(self.start, self.unit).min(end);
        let last = down(end, self.unit).max(first);
        iomap_write::zero_range(&self.lock, self.start, first)?;
        iomap_write::zero_range(&self.lock, last, end)?;
        if first < last {
            self.inode().truncate_pagecache_range(first, last)?;
            self.change(first, last, resize::punch_hole)?;
        }
        Ok(())
    }

    /// Makes holes of the units that are wholly in the range, or from its begin to the end of the file, and zeros of
    /// the rest.
    fn punch_units(&self) -> Result {
        let size = self.inode().size();
        let end = self.end.min(size);
        let first = up(self.start, self.unit).min(end);
        let last = match end == size {
            true => end,
            false => down(end, self.unit).max(first),
        };
        units::zero(&self.lock, self.start, first)?;
        units::zero(&self.lock, last, end)?;
        if first < last {
            self.inode()
                .truncate_pagecache_range(first, up(last, self.unit))?;
            self.change(first, last, resize::punch_hole)?;
        }
        Ok(())
    }

    fn collapse(&self) -> Result {
        let size = self.inode().size();
        // What reaches the end is a truncation.
        if !self.is_aligned() || self.end >= size {
            return Err(EINVAL);
        }
        self.drop_pages()?;
        self.change(self.start, self.end, resize::collapse_range)?;
        self.moved(size.saturating_sub(self.end.saturating_sub(self.start)))
    }

    fn insert(&self) -> Result {
        let size = self.inode().size();
        if !self.is_aligned() || self.start >= size {
            return Err(EINVAL);
        }
        let new = size.checked_add(self.end.saturating_sub(self.start));
        let new = new.filter(|new| i64::try_from(*new).is_ok()).ok_or(EFBIG)?;
        self.drop_pages()?;
        self.change(self.start, self.end, resize::insert_range)?;
        self.moved(new)
    }

    fn is_aligned(&self) -> bool {
        down(self.start, self.unit) == self.start && down(self.end, self.unit) == self.end
    }

    /// Writes all that the page cache has, and drops what it has from the range on: its places change.
    fn drop_pages(&self) -> Result {
        let start = down(self.start, self.unit.max(u64::try_from(PAGE_SIZE)?));
        self.inode().write_and_wait(0, u64::MAX)?;
        self.inode().truncate_pagecache_range(start, u64::MAX)
    }

    /// Takes over the sizes that the file has now.
    fn moved(&self, size: u64) -> Result {
        let inode = self.inode();
        inode.truncate_setsize(size)?;
        let sizes = inode::writable_stream(inode)?.sizes();
        inode.set_valid_size(sizes.initialized.get());
        Ok(())
    }
}

/// `pos`, or the start of the unit that it is in.
fn down(pos: u64, unit: u64) -> u64 {
    pos & !unit.saturating_sub(1)
}

/// `pos`, or the start of the next unit.
fn up(pos: u64, unit: u64) -> u64 {
    down(pos.saturating_add(unit.saturating_sub(1)), unit)
}
