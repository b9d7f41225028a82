// SPDX-License-Identifier: GPL-2.0-only

//! Writing regular files, and changing their size.
//!
//! A value in its record is changed through its page in the page cache, which is copied to the record when
//! it is written back. When it gets too long for the record it moves to clusters, with the inode and its
//! first folio locked: so while the inode is locked, the hint where the value is does not change. One that is
//! compressed is changed through its page as well, see [`super::units`].
//!
//! Lock order: the inode, its mapping (`InvalidateLock`), a folio, and then the locks of `fs`. The user's
//! memory is touched with the inode locked only.

use super::{
    address_space::{
        self,
        DataCache, //
    },
    error::report_file,
    inode,
    iomap::{
        self,
        Data, //
    },
    units,
    NtfsRs, //
};
use crate::{
    fs::{
        convert,
        residency::Form,
        resize, //
    },
    ondisk::units::ByteCount,
    vfs::{
        address_space::Kept,
        folio::{
            self,
            HeldFolio, //
        },
        inode::Inode,
        inode_lock::{
            InodeLock,
            InvalidateLock, //
        },
        iomap_write::{
            self,
            WriteOperations, //
        },
        kiocb::Kiocb,
        units::UnitOperations, //
    },
};
use kernel::{
    iov::IovIterSource,
    prelude::*, //
};

/// Extents that are looked at for a write that may not wait.
const MAX_AT_ONCE: usize = 64;

/// How much is written at once where holes have to be filled first, in bytes.
const PIECE: usize = 1 << 20;

/// Writes from the user's memory.
pub(super) fn write_iter(
    iocb: &mut Kiocb<'_, NtfsRs>,
    from: &mut IovIterSource<'_>,
) -> Result<usize> {
    let inode = iocb.inode();
    if iocb.is_nowait() {
        return write_at_once(iocb, from);
    }
    let written = {
        let _lock = InodeLock::lock(inode);
        if iocb.write_checks(from)? == 0 {
            return Ok(0);
        }
        inode::unpack(inode)?;
        inode::check_writable(inode)?;
        iocb.modified()?;
        if iocb.is_direct() {
            let direct = direct(iocb, from)?;
            if from.is_empty() {
                // Made durable, if that was wanted, when it ended.
                return Ok(direct);
            }
            let buffered = buffered(iocb, from);
            iocb.direct_write_fallback(from, direct, buffered)?
        } else {
            buffered(iocb, from)?
        }
    };
    iocb.write_sync(written)
}

/// Writes without waiting: over what has clusters and was written before, and is not to be durable at the end.
/// `EAGAIN` for all else.
fn write_at_once(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
    let inode = iocb.inode();
    if iocb.is_dsync() || !inode::uses_iomap(inode) {
        return Err(EAGAIN);
    }
    let _lock = InodeLock::try_lock(inode).ok_or(EAGAIN)?;
    if iocb.write_checks(from)? == 0 {
        return Ok(0);
    }
    inode::check_writable(inode)?;
    let end = iocb.pos().saturating_add(u64::try_from(from.len())?);
    // More than one transfer would wait for the first when another cannot begin.
    let most = if iocb.is_direct() { 1 } else { MAX_AT_ONCE };
    if end > inode.valid_size() || !iomap::is_on_device(inode, iocb.pos(), end, most) {
        return Err(EAGAIN);
    }
    iocb.modified()?;
    if !iocb.is_direct() {
        let all = from.len();
        return iocb.iomap_write(from, all);
    }
    match iocb.iomap_dio_write(from)? {
        None => Err(EIOCBQUEUED),
        Some(0) => Err(EAGAIN),
        Some(written) => Ok(written),
    }
}

/// Writes around the page cache what is written already, and says how much that was.
fn direct(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
    let inode = iocb.inode();
    let end = iocb.pos().saturating_add(u64::try_from(from.len())?);
    if !inode::uses_iomap(inode) || end > inode.valid_size() {
        return Ok(0);
    }
    iocb.iomap_dio_write(from)?.ok_or(EIOCBQUEUED)
}

/// Writes to the page cache.
fn buffered(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
    let inode = iocb.inode();
    let end = iocb.pos().saturating_add(u64::try_from(from.len())?);
    if room(inode, end)? == Form::NonResident {
        return match inode::kept(inode) {
            Kept::Units => to_units(iocb, from),
            _ => to_clusters(iocb, from),
        };
    }
    let written = iocb.perform_write(from);
    if inode.size() < end {
        // What was made room for and did not come. It stays zeros if this fails.
        let _ = resize_resident(inode, inode.size());
    }
    written
}

/// Writes to the page cache of a value in clusters.
fn to_clusters(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
    let inode = iocb.inode();
    let (size, pos) = (inode.size(), iocb.pos());
    if pos > size {
        grow(&InvalidateLock::lock(inode), pos)?;
    }
    let written = begin_at(inode, pos).and_then(|()| pieces(iocb, from));
    if written.is_err() && pos > size {
        // Only room for what did not come. It stays zeros if this fails.
        let _ = shrink(&InvalidateLock::lock(inode), size);
    }
    if inode.size() != size {
        inode.mark_dirty();
    }
    written
}

/// Writes to the page cache of a compressed value.
fn to_units(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
    let inode = iocb.inode();
    let (size, pos) = (inode.size(), iocb.pos());
    if pos > size {
        grow(&InvalidateLock::lock(inode), pos)?;
    }
    let begun = match inode.valid_size() < pos {
        true => units::with_space(inode, || {
            units::extend_valid(&InvalidateLock::lock(inode), pos)
        }),
        false => Ok(()),
    };
    let written = begun.and_then(|()| iocb.perform_write(from));
    if written.is_err() && pos > size {
        // Only room for what did not come. It stays zeros if this fails.
        let _ = shrink(&InvalidateLock::lock(inode), size);
    }
    if inode.size() != size {
        inode.mark_dirty();
    }
    written
}

/// Makes all before the first byte of a write valid.
fn begin_at(inode: &Inode<NtfsRs>, pos: u64) -> Result {
    if inode.valid_size() < pos {
        iomap_write::extend_valid(&InvalidateLock::lock(inode), pos)?;
    }
    Ok(())
}

fn pieces(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
    let mut written: usize = 0;
    // Each turn writes a piece, or is the last.
    while !from.is_empty() {
        match write_piece(iocb, from) {
            Ok((done, wanted)) => {
                written = written.saturating_add(done);
                if done < wanted {
                    break;
                }
            }
            Err(error) if written == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(written)
}

/// Writes a piece; how much that was, and should have been.
fn write_piece(
    iocb: &mut Kiocb<'_, NtfsRs>,
    from: &mut IovIterSource<'_>,
) -> Result<(usize, usize)> {
    let inode = iocb.inode();
    let start = iocb.pos();
    let block = u64::try_from(inode.super_block().block_size())?;
    let wanted = if Data::unit(inode) > block {
        from.len().min(PIECE)
    } else {
        from.len()
    };
    let end = start.saturating_add(u64::try_from(wanted)?);
    if iomap_write::has_holes(inode, start, end)? {
        iomap_write::fill_holes(&InvalidateLock::lock(inode), start, end)?;
    }
    Ok((iocb.iomap_write(from, wanted)?, wanted))
}

/// Makes room for a value of `end` bytes at least, and says where the value is then. Its size is not changed,
/// only that of its room.
fn room(inode: &Inode<NtfsRs>, end: u64) -> Result<Form> {
    if inode::kept(inode) != Kept::Metadata {
        return Ok(Form::NonResident);
    }
    if end <= inode.size() {
        return Ok(Form::Resident);
    }
    let form = resize_resident(inode, end)?;
    match form {
        Form::Resident => folio::zero_behind_end(inode),
        Form::NonResident => move_to_clusters(inode)?,
    }
    Ok(form)
}

fn resize_resident(inode: &Inode<NtfsRs>, size: u64) -> Result<Form> {
    let volume = inode.super_block().data().volume();
    let attribute = inode::writable_stream(inode)?;
    convert::resize_resident(&volume, attribute, ByteCount::new(size))
        .map_err(|error| report_file(inode, error))
}

/// Moves a value from its record to clusters, if it is not there yet. The inode is locked.
pub(super) fn move_to_clusters(inode: &Inode<NtfsRs>) -> Result {
    let mut first = HeldFolio::get(inode, 0)?;
    if inode::kept(inode) != Kept::Metadata {
        return Ok(());
    }
    if !first.is_up_to_date() {
        address_space::fill(&mut first)?;
        first.mark_up_to_date();
    }
    let size = inode.size();
    let mut value = KVec::from_elem(0, usize::try_from(size)?, GFP_KERNEL)?;
    first.copy_out(0, &mut value)?;
    // Of a value in its record nobody asks for this; from the move on it counts.
    inode.set_valid_size(size);
    let volume = inode.super_block().data().volume();
    convert::make_non_resident(&volume, inode::writable_stream(inode)?, &value)
        .map_err(|error| report_file(inode, error))?;
    // Through a mapping more can come to a page that is dirty, without a question.
    match first.is_dirty() && inode::kept(inode) == Kept::Units {
        true => DataCache::promise(inode, 0, size.max(1)),
        false => Ok(()),
    }
}

/// Sets the size. The inode is locked, and no direct I/O is under way.
pub(super) fn truncate(inode: &Inode<NtfsRs>, size: u64) -> Result {
    inode::unpack(inode)?;
    inode::check_writable(inode)?;
    if size > inode.size() {
        if room(inode, size)? == Form::Resident {
            return inode.truncate_setsize(size);
        }
        return grow(&InvalidateLock::lock(inode), size);
    }
    if size == inode.size() {
        return Ok(());
    }
    let lock = InvalidateLock::lock(inode);
    if inode::kept(inode) == Kept::Metadata {
        inode.truncate_setsize(size)?;
        return resize_resident(inode, size).map(|_| ());
    }
    shrink(&lock, size)
}

/// Sets the size of a value in clusters to a larger one.
pub(super) fn grow(lock: &InvalidateLock<'_, NtfsRs>, size: u64) -> Result {
    let inode = lock.inode();
    set_size(inode, size)?;
    folio::zero_behind_end(inode);
    inode.truncate_setsize(size)
}

/// Sets the size of a value in clusters to a smaller one: in the page cache first, so that no folio is on its
/// way to a cluster that is freed.
fn shrink(lock: &InvalidateLock<'_, NtfsRs>, size: u64) -> Result {
    let inode = lock.inode();
    inode.truncate_setsize(size)?;
    // (Which is limited by the size.)
    inode.set_valid_size(inode.valid_size());
    set_size(inode, size)
}

fn set_size(inode: &Inode<NtfsRs>, size: u64) -> Result {
    let volume = inode.super_block().data().volume();
    resize::set_size(
        &volume,
        inode::writable_stream(inode)?,
        ByteCount::new(size),
    )
    .map_err(|error| report_file(inode, error))
}
