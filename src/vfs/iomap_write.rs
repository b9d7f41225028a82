// SPDX-License-Identifier: GPL-2.0-only

//! `struct iomap_ops` and `struct iomap_write_ops` for writing through the page cache and around it. C
//! header: `include/linux/iomap.h`.
//!
//! What keeps bytes that nobody wrote from being seen:
//!
//! * A dirty folio is over extents, or reservations, and never over a hole.
//! * All that is below [`Inode::valid_size`] is written, or dirty in the page cache, or a hole. It is raised
//!   with the folio locked that made it so.
//! * The unit of allocation may be larger than a page. A hole below the valid size becomes dirty zeros as a
//!   whole unit before a part of it is written ([`fill_holes`]): else the rest of the unit would be what the
//!   device has there. That is done with the mapping locked exclusively, so no page of it is made writable
//!   before, and after an error it becomes a hole again.
//!
//! Lock order: `i_rwsem`, `invalidate_lock`, a folio, and then the locks of the file system, which
//! [`WriteOperations`] may take.

use super::{
    bindings,
    inode::Inode,
    inode_lock::{
        InvalidateLock,
        SharedInvalidateLock, //
    },
    iomap::{
        self,
        flag,
        Extent,
        ExtentKind,
        Flags,
        Operations, //
    },
    super_block, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// How a file's ranges get a place on the device.
///
/// [`Operations::begin`] is called for writing too: for places behind the end of the file, and for what was
/// reserved, which is [`ExtentKind::Delayed`].
pub(crate) trait WriteOperations<T: super_block::Operations>: Operations<T> {
    /// Changes whenever an extent changes, or did so without a look at it.
    fn sequence(inode: &Inode<T>) -> u32;

    /// The unit of allocation in bytes, a power of two.
    fn unit(inode: &Inode<T>) -> u64;

    /// Reserves the units of a range that begins in a hole, as far as the hole goes: at least the first.
    fn reserve(inode: &Inode<T>, pos: u64, length: u64) -> Result;

    /// Gives back what is reserved for the units that are wholly in a range.
    fn release(inode: &Inode<T>, pos: u64, length: u64);

    /// Where `length` bytes at `pos` are to be written, or the first of them; for what was reserved data is
    /// on the way from now on. The folio there is in writeback.
    fn allocate(inode: &Inode<T>, pos: u64, length: u64) -> Result<Extent>;

    /// The write of a range ended. Called in a process, with the folios in writeback; may sleep. An error
    /// makes it one that failed, for who asks whether all was written.
    fn written(inode: &Inode<T>, pos: u64, length: u64, ok: bool) -> Result;

    /// All below `end` is written, dirty, or a hole. Called with a folio, or the mapping, locked.
    fn initialized(inode: &Inode<T>, end: u64);
}

/// What a table for zeroing does with a hole.
const SKIP_HOLES: bool = false;
/// The same: it reserves its units and zeroes them, and nothing else.
const ONLY_HOLES: bool = true;

/// The ops tables.
pub(super) struct Table<T>(PhantomData<T>);

impl<T: super_block::Operations> Table<T> {
    /// To write, through the page cache or directly.
    pub(super) const WRITE: bindings::iomap_ops = bindings::iomap_ops {
        iomap_begin: Some(Self::write_begin),
        iomap_end: Some(Self::write_end),
        iomap_next: None,
    };

    /// To zero what is there.
    const ZERO: bindings::iomap_ops = bindings::iomap_ops {
        iomap_begin: Some(Self::zero_begin::<SKIP_HOLES>),
        iomap_end: None,
        iomap_next: None,
    };

    /// To turn holes into zeros that will be written.
    const FILL: bindings::iomap_ops = bindings::iomap_ops {
        iomap_begin: Some(Self::zero_begin::<ONLY_HOLES>),
        iomap_end: None,
        iomap_next: None,
    };

    /// How to change folios.
    pub(super) const FOLIOS: bindings::iomap_write_ops = bindings::iomap_write_ops {
        get_folio: None,
        put_folio: Some(Self::put_folio),
        iomap_valid: Some(Self::iomap_valid),
        read_folio_range: Some(Self::read_folio_range),
    };

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`: with its `i_rwsem` held, or, for a
    /// fault, its `invalidate_lock` and the folio's lock.
    unsafe extern "C" fn write_begin(
        inode: *mut bindings::inode,
        pos: bindings::loff_t,
        length: bindings::loff_t,
        flags: c_uint,
        iomap: *mut bindings::iomap,
        _srcmap: *mut bindings::iomap,
    ) -> c_int {
        from_result(|| {
            let (pos, length, flags) = arguments(pos, length, flags)?;
            // SAFETY: iomap passes our inode, and a zeroed structure to be filled in.
            let (inode, iomap) = unsafe { (Inode::<T>::from_raw(inode), &mut *iomap) };
            // Before the extent: whatever changes it later is seen.
            let mut sequence = T::FileMapping::sequence(inode);
            let mut extent = T::FileMapping::begin(inode, pos, length, flags)?;
            match extent.kind {
                ExtentKind::Mapped { .. } | ExtentKind::Lost { .. } => {}
                // To find a place may take a while.
                _ if flags.is_nowait() => return Err(EAGAIN),
                // The page cache knows how to.
                _ if flags.is_direct() => return Err(ENOTBLK),
                ExtentKind::Hole => {
                    T::FileMapping::reserve(inode, pos, length)?;
                    sequence = T::FileMapping::sequence(inode);
                    extent = T::FileMapping::begin(inode, pos, length, flags)?;
                    if extent.kind == ExtentKind::Hole {
                        return Err(EIO);
                    }
                    iomap.flags |= flag(bindings::IOMAP_F_NEW);
                }
                ExtentKind::Delayed | ExtentKind::Unwritten { .. } | ExtentKind::Inline => {}
            }
            iomap::fill(inode, iomap, extent, pos, flags)?;
            iomap.validity_cookie = u64::from(sequence);
            Ok(0)
        })
    }

    /// Gives back what was reserved for a write that came not so far.
    ///
    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`, with its `i_rwsem` held, or for a
    /// fault.
    unsafe extern "C" fn write_end(
        inode: *mut bindings::inode,
        pos: bindings::loff_t,
        length: bindings::loff_t,
        written: isize,
        flags: c_uint,
        iomap: *mut bindings::iomap,
    ) -> c_int {
        from_result(|| {
            let (start, length, flags) = arguments(pos, length, flags)?;
            // SAFETY: iomap passes our inode and its map.
            let (inode, iomap) = unsafe { (Inode::<T>::from_raw(inode), &mut *iomap) };
            let is_new = iomap.flags & flag(bindings::IOMAP_F_NEW) != 0;
            let is_delayed = u32::from(iomap.type_) == bindings::IOMAP_DELALLOC;
            // A fault does not fail once it has its reservation.
            if !is_new || !is_delayed || flags.is_fault() {
                return Ok(0);
            }
            let end = start.saturating_add(length);
            let written = start.saturating_add(u64::try_from(written).unwrap_or(0));
            if written >= end {
                return Ok(0);
            }
            // The units of both ends may have dirty folios of others, and go only if they have none.
            let unit = T::FileMapping::unit(inode);
            let start = i64::try_from(round_down(written, unit))?;
            let end = i64::try_from(round_up(end, unit)).unwrap_or(i64::MAX);
            let mut clean = Clean { start: 0, end: 0 };
            iomap.private = ptr::from_mut(&mut clean).cast();
            let lock = InvalidateLock::lock(inode);
            // SAFETY: The map is that of the write; `punch` is for it, and the mapping is locked.
            unsafe {
                bindings::iomap_write_delalloc_release(
                    inode.as_ptr(),
                    start,
                    end,
                    flags.get(),
                    iomap,
                    Some(Self::punch),
                );
            }
            clean.release(inode);
            drop(lock);
            iomap.private = ptr::null_mut();
            Ok(0)
        })
    }

    /// Collects ranges without dirty folios: a unit can be several of those that iomap finds.
    ///
    /// # Safety
    ///
    /// Called by iomap only, within `write_end`.
    unsafe extern "C" fn punch(
        inode: *mut bindings::inode,
        offset: bindings::loff_t,
        length: bindings::loff_t,
        iomap: *mut bindings::iomap,
    ) {
        // SAFETY: iomap passes what `write_end` passed it.
        let (inode, clean) = unsafe {
            (
                Inode::<T>::from_raw(inode),
                &mut *(*iomap).private.cast::<Clean>(),
            )
        };
        let start = u64::try_from(offset).unwrap_or(0);
        let end = start.saturating_add(u64::try_from(length).unwrap_or(0));
        if clean.end != start {
            clean.release(inode);
            clean.start = start;
        }
        clean.end = end;
    }

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`, with its `invalidate_lock` held
    /// exclusively.
    unsafe extern "C" fn zero_begin<const ONLY_HOLES: bool>(
        inode: *mut bindings::inode,
        pos: bindings::loff_t,
        length: bindings::loff_t,
        flags: c_uint,
        iomap: *mut bindings::iomap,
        _srcmap: *mut bindings::iomap,
    ) -> c_int {
        from_result(|| {
            let (pos, length, flags) = arguments(pos, length, flags)?;
            // SAFETY: iomap passes our inode, and a zeroed structure to be filled in.
            let (inode, iomap) = unsafe { (Inode::<T>::from_raw(inode), &mut *iomap) };
            let mut sequence = T::FileMapping::sequence(inode);
            let mut extent = T::FileMapping::begin(inode, pos, length, flags)?;
            match (extent.kind, ONLY_HOLES) {
                (ExtentKind::Hole, true) => {
                    let hole = extent;
                    T::FileMapping::reserve(inode, pos, length)?;
                    sequence = T::FileMapping::sequence(inode);
                    extent = T::FileMapping::begin(inode, pos, length, flags)?;
                    if extent.kind != ExtentKind::Delayed {
                        return Err(EIO);
                    }
                    // What is reserved behind the hole was so before, and has data.
                    extent.length = extent.length.min(hole.length);
                }
                (_, true) => extent.kind = ExtentKind::Hole,
                // Nothing of it was ever read or written, but it will count as written.
                (ExtentKind::Unwritten { address }, false) => {
                    extent.kind = ExtentKind::Mapped { address };
                    iomap.flags |= flag(bindings::IOMAP_F_NEW);
                }
                (_, false) => {}
            }
            iomap::fill(inode, iomap, extent, pos, flags)?;
            iomap.validity_cookie = u64::from(sequence);
            Ok(0)
        })
    }

    /// Counts what was changed in a folio as valid before anybody can take the folio away.
    ///
    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for a locked folio of an inode of `T`.
    unsafe extern "C" fn put_folio(
        inode: *mut bindings::inode,
        pos: bindings::loff_t,
        copied: c_uint,
        folio: *mut bindings::folio,
    ) {
        // SAFETY: iomap passes our inode, and a folio with its lock and a reference.
        unsafe {
            if copied > 0 {
                let end = u64::try_from(pos)
                    .unwrap_or(0)
                    .saturating_add(u64::from(copied));
                mark_initialized(Inode::<T>::from_raw(inode), end);
            }
            bindings::folio_unlock(folio);
            bindings::folio_put(folio);
        }
    }

    /// Whether a map still holds, with the folio locked.
    ///
    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`.
    unsafe extern "C" fn iomap_valid(
        inode: *mut bindings::inode,
        iomap: *const bindings::iomap,
    ) -> bool {
        // SAFETY: iomap passes our inode and its map.
        let (inode, iomap) = unsafe { (Inode::<T>::from_raw(inode), &*iomap) };
        let start = u64::try_from(iomap.offset).unwrap_or(0);
        // The first block of an unwritten map is not any more when something before its end was written.
        let is_unwritten = u32::from(iomap.type_) == bindings::IOMAP_UNWRITTEN
            || iomap.flags & flag(bindings::IOMAP_F_NEW) != 0
                && u32::from(iomap.type_) == bindings::IOMAP_MAPPED;
        iomap.validity_cookie == u64::from(T::FileMapping::sequence(inode))
            && !(is_unwritten && start < inode.valid_size())
    }

    /// Reads a part of a folio that is written in part only.
    ///
    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for a locked folio of an inode of `T` and a range that
    /// its map has on the device.
    unsafe extern "C" fn read_folio_range(
        iter: *const bindings::iomap_iter,
        folio: *mut bindings::folio,
        pos: bindings::loff_t,
        len: usize,
    ) -> c_int {
        // SAFETY: By the caller's word.
        unsafe {
            if (*iter).iomap.flags & iomap::LOST != 0 {
                return EIO.to_errno();
            }
            let valid = Inode::<T>::from_raw((*iter).inode).valid_size();
            iomap::read_now(&(*iter).iomap, folio, pos, len, valid)
        }
        .err()
        .map_or(0, Error::to_errno)
    }
}

/// A range without dirty folios.
struct Clean {
    start: u64,
    end: u64,
}

impl Clean {
    fn release<T: super_block::Operations>(&self, inode: &Inode<T>) {
        if self.end > self.start {
            T::FileMapping::release(inode, self.start, self.end.saturating_sub(self.start));
        }
    }
}

fn arguments(
    pos: bindings::loff_t,
    length: bindings::loff_t,
    flags: c_uint,
) -> Result<(u64, u64, Flags)> {
    Ok((
        u64::try_from(pos)?,
        u64::try_from(length)?,
        Flags::new(flags),
    ))
}

fn round_down(pos: u64, unit: u64) -> u64 {
    pos & !unit.saturating_sub(1)
}

fn round_up(pos: u64, unit: u64) -> u64 {
    round_down(pos.saturating_add(unit.saturating_sub(1)), unit)
}

/// All below `end` is written, dirty, or a hole; a folio or the mapping is locked.
fn mark_initialized<T: super_block::Operations>(inode: &Inode<T>, end: u64) {
    if end > inode.valid_mark() {
        T::FileMapping::initialized(inode, end);
        inode.raise_valid_size(end);
    }
}

/// Zeroes a range in the page cache, and has the zeros written, where there is something; not beyond the valid
/// size: all is zero there, and to write a part of it would make what is before that part count as valid.
pub(crate) fn zero_range<T: super_block::Operations>(
    lock: &InvalidateLock<'_, T>,
    start: u64,
    end: u64,
) -> Result {
    let end = end.min(lock.inode().valid_size());
    zero(lock, start, end, &Table::<T>::ZERO)
}

/// Zeroes a range, not beyond the end of the file (`iomap_zero_range`).
fn zero<T: super_block::Operations>(
    lock: &InvalidateLock<'_, T>,
    start: u64,
    end: u64,
    ops: &'static bindings::iomap_ops,
) -> Result {
    let inode = lock.inode();
    let Some(length) = end
        .min(inode.size())
        .checked_sub(start)
        .filter(|length| *length > 0)
    else {
        return Ok(());
    };
    let (start, length) = (i64::try_from(start)?, i64::try_from(length)?);
    // SAFETY: The mapping is locked; the tables are for inodes of `T`.
    to_result(unsafe {
        bindings::iomap_zero_range(
            inode.as_ptr(),
            start,
            length,
            ptr::null_mut(),
            ops,
            &Table::<T>::FOLIOS,
            ptr::null_mut(),
        )
    })
}

/// Makes all below `pos`, which is not beyond the end of the file, count as valid: what is allocated from the
/// valid size on becomes dirty zeros.
pub(crate) fn extend_valid<T: super_block::Operations>(
    lock: &InvalidateLock<'_, T>,
    pos: u64,
) -> Result {
    let inode = lock.inode();
    let valid = inode.valid_size();
    if valid < pos {
        zero(lock, valid, pos, &Table::<T>::ZERO)?;
        mark_initialized(inode, pos);
    }
    Ok(())
}

/// Whether a write of a range needs [`fill_holes`]: what it does not touch of a hole would not be zeroed, where
/// units are larger than blocks.
pub(crate) fn has_holes<T: super_block::Operations>(
    inode: &Inode<T>,
    start: u64,
    end: u64,
) -> Result<bool> {
    if T::FileMapping::unit(inode) <= u64::try_from(inode.super_block().block_size())? {
        return Ok(false);
    }
    Ok(next_hole(inode, start, end.min(inode.valid_size()))?.is_some())
}

/// The first unit from that of `start` on that is a hole and has a byte below `end`.
fn next_hole<T: super_block::Operations>(
    inode: &Inode<T>,
    start: u64,
    end: u64,
) -> Result<Option<u64>> {
    let unit = T::FileMapping::unit(inode);
    let mut at = round_down(start, unit);
    // Each turn leaves out an extent.
    while at < end {
        let extent = T::FileMapping::begin(inode, at, end.saturating_sub(at), Flags::WRITE)?;
        if extent.kind == ExtentKind::Hole {
            return Ok(Some(at));
        }
        at = round_up(extent.offset.saturating_add(extent.length.max(1)), unit);
    }
    Ok(None)
}

/// Makes dirty zeros of all units below the valid size that are holes and are touched by a range.
pub(crate) fn fill_holes<T: super_block::Operations>(
    lock: &InvalidateLock<'_, T>,
    start: u64,
    end: u64,
) -> Result {
    let inode = lock.inode();
    let end = end.min(inode.valid_size());
    let unit = T::FileMapping::unit(inode);
    let mut at = start;
    // Each turn fills a unit, and goes on behind it.
    while let Some(hole) = next_hole(inode, at, end)? {
        let hole_end = hole.saturating_add(unit);
        let filled = zero(
            lock,
            hole,
            hole_end.min(inode.valid_size()),
            &Table::<T>::FILL,
        );
        if filled.is_err() {
            // Nothing but zeros is in its folios, which are not written without a place.
            T::FileMapping::release(inode, hole, unit);
            return filled;
        }
        at = hole_end;
    }
    Ok(())
}

/// Makes a page writable that is mapped (`iomap_page_mkwrite`). The VFS's fault protection is held.
///
/// # Safety
///
/// `vmf` is that of a `page_mkwrite` call for a file of this inode.
pub(super) unsafe fn page_mkwrite<T: super_block::Operations>(
    inode: &Inode<T>,
    vmf: *mut bindings::vm_fault,
) -> Result<bindings::vm_fault_t> {
    // All of the folio becomes dirty. When it is split meanwhile that is less, and it never becomes more.
    // SAFETY: By the caller's word, there is a reference to the page.
    let (start, size) = unsafe {
        let folio = bindings::page_folio((*vmf).page);
        (bindings::folio_pos(folio), bindings::folio_size(folio))
    };
    let start = u64::try_from(start).unwrap_or(0);
    let end = start.saturating_add(size as u64);
    {
        let _lock = SharedInvalidateLock::lock(inode);
        if end.min(inode.size()) <= inode.valid_size() && !has_holes(inode, start, end)? {
            // SAFETY: By the caller's word; the table is for inodes of `T`.
            return Ok(unsafe { Table::<T>::mkwrite(inode, vmf) });
        }
    }
    let lock = InvalidateLock::lock(inode);
    let end = end.min(inode.size());
    if start < end {
        extend_valid(&lock, start)?;
        fill_holes(&lock, start, end)?;
    }
    // SAFETY: By the caller's word; the table is for inodes of `T`.
    Ok(unsafe { Table::<T>::mkwrite(inode, vmf) })
}

impl<T: super_block::Operations> Table<T> {
    /// # Safety
    ///
    /// `vmf` is that of a `page_mkwrite` call for a file of the inode, whose `invalidate_lock` is held.
    unsafe fn mkwrite(inode: &Inode<T>, vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: By the caller's word; the folio stays locked after a fault that succeeded.
        unsafe {
            let ret = bindings::iomap_page_mkwrite(vmf, &Self::WRITE, ptr::null_mut());
            if ret & bindings::vm_fault_reason_VM_FAULT_LOCKED != 0 {
                let folio = bindings::page_folio((*vmf).page);
                let pos = u64::try_from(bindings::folio_pos(folio)).unwrap_or(0);
                let end = pos.saturating_add(bindings::folio_size(folio) as u64);
                mark_initialized(inode, end.min(inode.size()));
            }
            ret
        }
    }
}
