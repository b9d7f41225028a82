// SPDX-License-Identifier: GPL-2.0-only

//! Files that are compressed by LZNT1, in the page cache: changing their units, and writing them back.
//!
//! Lock order: see [`super::write`].

use super::{
    address_space::DataCache,
    error::{
        report,
        report_file, //
    },
    inode,
    NtfsRs, //
};
use crate::{
    fs::{
        compressed_writing,
        error::Error as FsError,
        file,
        unit_batch::{
            is_transient,
            Batch, //
        },
    },
    ondisk::units::{
        ByteCount,
        ByteOffset, //
    },
    vfs::{
        address_space::Kept,
        bdev::BlockDevice,
        dirty_folios::{
            DirtyFolio,
            DirtyFolios,
            WrittenFolio, //
        },
        inode::Inode,
        inode_lock::InvalidateLock,
        units::{
            self,
            UnitOperations, //
        }, //
    },
};
use kernel::prelude::*;

/// Folios that are in writeback together.
const MOST: usize = 64;

impl UnitOperations<NtfsRs> for DataCache {
    fn promise(inode: &Inode<NtfsRs>, pos: u64, length: u64) -> Result {
        let volume = inode.super_block().data().volume();
        let attribute = inode::writable_stream(inode)?;
        let (at, length) = (ByteOffset::new(pos), ByteCount::new(length));
        compressed_writing::promise(&volume, attribute, at, length)
            .map_err(|error| report_file(inode, error))
    }

    fn renounce(inode: &Inode<NtfsRs>, pos: u64, length: u64) {
        if let Some(attribute) = inode::stream(inode) {
            let (at, length) = (ByteOffset::new(pos), ByteCount::new(length));
            compressed_writing::renounce(attribute, at, length);
        }
    }

    fn make_space(inode: &Inode<NtfsRs>) -> Result {
        inode.write_and_wait(0, u64::MAX)?;
        inode::write(inode, true)?;
        let sb = inode.super_block();
        sb.data().volume().sync().map_err(|error| report(sb, error))
    }

    fn extend_valid(lock: &InvalidateLock<'_, NtfsRs>, pos: u64) -> Result {
        extend_valid(lock, pos)
    }

    fn initialized(inode: &Inode<NtfsRs>, end: u64) {
        if end > inode.valid_size() {
            if let Some(attribute) = inode::stream(inode) {
                file::set_initialized(attribute, ByteCount::new(end));
            }
            inode.raise_valid_size(end);
        }
    }
}

/// Calls `act`; where there is no space, makes some and calls it again. No lock of the mapping is held.
pub(super) fn with_space(inode: &Inode<NtfsRs>, act: impl FnMut() -> Result) -> Result {
    units::with_space::<_, DataCache, _>(inode, act)
}

/// Makes all before `pos`, which is not beyond the end of the file, count as written.
///
/// What the unit with the last byte that does has behind it may be anything, so it is written anew.
pub(super) fn extend_valid(lock: &InvalidateLock<'_, NtfsRs>, pos: u64) -> Result {
    let inode = lock.inode();
    let valid = inode.valid_size();
    if valid >= pos {
        return Ok(());
    }
    let unit = inode::unit(inode).ok_or(EOPNOTSUPP)?;
    if valid & unit.saturating_sub(1) != 0 && !is_hole(inode, valid)? {
        units::zero::<_, DataCache>(lock, valid, valid)?;
    }
    let volume = inode.super_block().data().volume();
    let attribute = inode::writable_stream(inode)?;
    compressed_writing::hide_behind(&volume, attribute, ByteOffset::new(pos))
        .map_err(|error| report_file(inode, error))?;
    file::set_initialized(attribute, ByteCount::new(pos));
    inode.raise_valid_size(pos);
    Ok(())
}

fn is_hole(inode: &Inode<NtfsRs>, pos: u64) -> Result<bool> {
    let volume = inode.super_block().data().volume();
    let attribute = inode::writable_stream(inode)?;
    compressed_writing::is_hole(&volume, attribute, ByteOffset::new(pos))
        .map_err(|error| report_file(inode, error))
}

/// Zeroes a range in the page cache, and has the zeros written, where there is something.
pub(super) fn zero(lock: &InvalidateLock<'_, NtfsRs>, start: u64, end: u64) -> Result {
    let inode = lock.inode();
    let unit = inode::unit(inode).ok_or(EOPNOTSUPP)?;
    let end = end.min(inode.valid_size());
    let mut at = start;
    // Each turn goes on to the next unit.
    while at < end {
        let unit_end = (at | unit.saturating_sub(1)).saturating_add(1);
        if !is_hole(inode, at)? {
            units::zero::<_, DataCache>(lock, at, unit_end.min(end))?;
        }
        at = unit_end;
    }
    Ok(())
}

/// Writes dirty folios back.
pub(super) fn write(inode: &Inode<NtfsRs>, folios: &mut DirtyFolios<'_, NtfsRs>) -> Result {
    let volume = inode.super_block().data().volume();
    let attribute = inode::stream(inode).ok_or(EIO)?;
    let batch = Batch::new(&volume, attribute).map_err(|error| report_file(inode, error))?;
    let mut writer = Writer {
        inode,
        unit: inode::unit(inode).ok_or(EIO)?,
        batch,
        underway: KBox::new([const { None }; MOST], GFP_KERNEL)?,
    };
    let mut result = Ok(());
    while let Some(folio) = folios.next(result) {
        result = writer.add(folio);
    }
    let result = folios.result();
    result.and(writer.finish())
}

/// Who writes back.
struct Writer<'a, 'v> {
    inode: &'a Inode<NtfsRs>,
    unit: u64,
    batch: Batch<'v, BlockDevice>,
    /// The folios of the batch.
    underway: KBox<[Option<WrittenFolio<'a, NtfsRs>>; MOST]>,
}

impl<'a> Writer<'a, '_> {
    /// Takes a folio; what of it is written is so when [`Self::finish`] was called.
    fn add(&mut self, folio: DirtyFolio<'a, NtfsRs>) -> Result {
        let Some(locked) = folio.folio() else {
            return Ok(());
        };
        let (start, size) = (locked.pos(), u64::try_from(locked.size())?);
        if inode::kept(self.inode) != Kept::Units {
            // It is for another writer, and stays dirty.
            return Ok(());
        }
        let file_end = self.inode.size();
        let end = start.saturating_add(size).min(file_end);
        if start >= end {
            // A truncation is about to drop it.
            folio.done();
            return Ok(());
        }
        let mut result = Ok(());
        let is_full = self.underway.iter().all(Option::is_some);
        if is_full || self.batch.is_full(ByteOffset::new(start)) {
            result = self.finish();
        }
        let last = end.saturating_sub(1) & !self.unit.saturating_sub(1);
        let mut at = start;
        // Each turn goes on to the next unit, of which there is one in a folio, mostly.
        while at < last {
            if let Err(error) = self.fill(&folio, at, file_end) {
                return self.failed(folio, error).and(result);
            }
            // An error of it is one of the batch.
            let _ = self.batch.encode();
            at = at.saturating_add(self.unit);
            if self.batch.is_full(ByteOffset::new(at)) {
                // After an error all of the folio stays dirty.
                self.finish()?;
            }
        }
        if let Err(error) = self.fill(&folio, at, file_end) {
            return self.failed(folio, error).and(result);
        }
        if let Some(free) = self.underway.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(folio.start());
        }
        let _ = self.batch.encode();
        result
    }

    /// Begins with a unit.
    fn fill(
        &mut self,
        folio: &DirtyFolio<'a, NtfsRs>,
        at: u64,
        file_end: u64,
    ) -> core::result::Result<(), FsError> {
        let bytes = self.batch.begin(ByteOffset::new(at))?;
        let kept = usize::try_from(file_end.saturating_sub(at)).unwrap_or(usize::MAX);
        let (kept, behind) = match bytes.split_at_mut_checked(kept) {
            Some(parts) => parts,
            None => (bytes, &mut [][..]),
        };
        behind.fill(0);
        let copied = folio.folio().map_or(Ok(()), |folio| {
            let offset = usize::try_from(at.saturating_sub(folio.pos()))?;
            folio.copy_out(offset, kept)
        });
        copied.map_err(|_| FsError::NoMemory)
    }

    /// A folio that could not be taken: it stays dirty if that may help.
    fn failed(&self, folio: DirtyFolio<'a, NtfsRs>, error: FsError) -> Result {
        if !is_transient(&error) {
            folio.done();
        }
        self.told(error)
    }

    /// Has who waits for the file know of an error, unless what it is about is still dirty.
    fn told(&self, error: FsError) -> Result {
        let may_help = is_transient(&error);
        let errno = report_file(self.inode, error);
        if !may_help {
            self.inode.set_write_error(errno);
        }
        Err(errno)
    }

    /// Brings the batch to the device, and ends the writeback of its folios.
    fn finish(&mut self) -> Result {
        let written = self.batch.write();
        if let Err(error) = &written {
            if is_transient(error) {
                let folios = self.underway.iter().flatten();
                folios.for_each(WrittenFolio::redirty);
            }
        }
        // Before the folios are let go, which keep the inode.
        self.inode.mark_dirty();
        let result = written.or_else(|error| self.told(error));
        for slot in self.underway.iter_mut() {
            *slot = None;
        }
        result
    }
}
