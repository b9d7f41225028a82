// SPDX-License-Identifier: GPL-2.0-only

//! Changing folios of a file whose bytes are kept in units, each of which is encoded as a whole.
//!
//! What keeps such a file right:
//!
//! * A unit that is not as it is on the device is promised, so that it can be written; its folio is dirty, or in
//!   writeback.
//! * All that is below [`Inode::valid_size`] is written, or dirty in the page cache, or a hole. It is raised with the
//!   folio locked that made it so.
//!
//! Lock order: `i_rwsem`, `invalidate_lock`, a folio, and then the locks of the file system, which [`UnitOperations`]
//! may take.

use super::{
    address_space::{
        self,
        Kept, //
    },
    bindings,
    folio::{
        HeldFolio,
        LockedFolio, //
    },
    inode::Inode,
    inode_lock::{
        InvalidateLock,
        SharedInvalidateLock, //
    },
    super_block, //
};
use kernel::prelude::*;

/// What a file in units needs before its folios change.
pub(crate) trait UnitOperations<T: super_block::Operations>: 'static {
    /// Promises that the units of a range can be written. A folio may be locked.
    fn promise(inode: &Inode<T>, pos: u64, length: u64) -> Result;

    /// Takes a promise back of which no use was made. The folio is locked, and not dirty.
    fn renounce(inode: &Inode<T>, pos: u64, length: u64);

    /// There was no space for a promise: writes back what holds space that may not be needed. No folio is locked, nor
    /// is the mapping.
    fn make_space(inode: &Inode<T>) -> Result;

    /// Makes all before `pos` count as valid. The mapping is locked exclusively.
    fn extend_valid(lock: &InvalidateLock<'_, T>, pos: u64) -> Result;

    /// All below `end` is written, dirty, or a hole. The folio with the last bytes is locked.
    fn initialized(inode: &Inode<T>, end: u64);
}

/// How often space is made for one change.
const TRIES: u32 = 2;

/// Calls `act`; where there is no space, makes some and calls it again.
pub(crate) fn with_space<T, A, R>(inode: &Inode<T>, mut act: impl FnMut() -> Result<R>) -> Result<R>
where
    T: super_block::Operations,
    A: UnitOperations<T>,
{
    for _ in 0..TRIES {
        match act() {
            Err(ENOSPC) => A::make_space(inode)?,
            result => return result,
        }
    }
    act()
}

/// The folio at `pos`, for a change of `length` bytes there or of as many as it has; their units are promised. If it
/// is changed as a whole it need not be up to date.
pub(super) fn begin<'a, T, A>(
    inode: &'a Inode<T>,
    pos: u64,
    length: u64,
) -> Result<HeldFolio<'a, T>>
where
    T: super_block::Operations,
    A: address_space::Operations<T>,
{
    with_space::<T, A, _>(inode, || {
        let mut folio = HeldFolio::get(inode, pos)?;
        let length = length.min(end_of(&folio).saturating_sub(pos));
        A::promise(inode, pos, length)?;
        let is_all = pos == folio.pos() && length == size_of(&folio);
        if !folio.is_up_to_date() && !is_all {
            if let Err(error) = A::fill(&mut folio) {
                A::renounce(inode, pos, length);
                return Err(error);
            }
            folio.mark_up_to_date();
        }
        Ok(folio)
    })
}

/// Ends a change that [`begin`] began, of which `copied` bytes came; whether they count. The caller has the folio
/// marked as dirty if so.
pub(super) fn end<T, A>(
    inode: &Inode<T>,
    folio: &mut HeldFolio<'_, T>,
    pos: u64,
    length: u64,
    copied: u64,
) -> bool
where
    T: super_block::Operations,
    A: address_space::Operations<T>,
{
    let counts = copied > 0 && (folio.is_up_to_date() || copied == size_of(folio));
    if counts {
        folio.mark_up_to_date();
        folio.mark_dirty();
        A::initialized(inode, pos.saturating_add(copied));
    } else if !folio.is_dirty() {
        let length = length.min(end_of(folio).saturating_sub(pos));
        A::renounce(inode, pos, length);
    }
    counts
}

fn size_of<T: super_block::Operations>(folio: &HeldFolio<'_, T>) -> u64 {
    folio.size() as u64
}

fn end_of<T: super_block::Operations>(folio: &HeldFolio<'_, T>) -> u64 {
    folio.pos().saturating_add(size_of(folio))
}

/// Zeroes a range that lies in one folio, and has the folio written. The mapping is locked.
pub(crate) fn zero<T, A>(lock: &InvalidateLock<'_, T>, start: u64, end: u64) -> Result
where
    T: super_block::Operations,
    A: address_space::Operations<T>,
{
    let inode = lock.inode();
    let mut folio = HeldFolio::get(inode, start)?;
    let length = end.saturating_sub(start).max(1);
    A::promise(inode, start, length)?;
    if !folio.is_up_to_date() {
        if let Err(error) = A::fill(&mut folio) {
            A::renounce(inode, start, length);
            return Err(error);
        }
        folio.mark_up_to_date();
    }
    let within = |pos: u64| usize::try_from(pos.saturating_sub(folio.pos()));
    let (from, to) = (within(start)?, within(end)?);
    folio.zero(from, to);
    folio.mark_dirty();
    Ok(())
}

/// Makes a page writable that is mapped; it is locked and dirty after. The VFS's fault protection is held.
///
/// # Safety
///
/// `vmf` is that of a `page_mkwrite` call for a file of this inode.
pub(super) unsafe fn page_mkwrite<T, A>(
    inode: &Inode<T>,
    vmf: *mut bindings::vm_fault,
) -> Result<bindings::vm_fault_t>
where
    T: super_block::Operations,
    A: address_space::Operations<T>,
{
    // All of the folio becomes dirty. When it is split meanwhile that is less, and it never becomes more.
    // SAFETY: By the caller's word, there is a reference to the page.
    let start = unsafe { bindings::folio_pos(bindings::page_folio((*vmf).page)) };
    let start = u64::try_from(start).unwrap_or(0);
    with_space::<T, A, _>(inode, || {
        if inode.valid_size() < start {
            let lock = InvalidateLock::lock(inode);
            A::extend_valid(&lock, start.min(inode.size()))?;
        }
        // SAFETY: By the caller's word.
        unsafe { make_writable::<T, A>(inode, vmf) }
    })
}

/// # Safety
///
/// That of [`page_mkwrite`].
unsafe fn make_writable<T, A>(
    inode: &Inode<T>,
    vmf: *mut bindings::vm_fault,
) -> Result<bindings::vm_fault_t>
where
    T: super_block::Operations,
    A: address_space::Operations<T>,
{
    let _lock = SharedInvalidateLock::lock(inode);
    // SAFETY: By the caller's word there is a reference to the page, and so to its folio.
    let (raw, length) = unsafe {
        let raw = bindings::page_folio((*vmf).page);
        bindings::folio_lock(raw);
        (
            raw,
            bindings::folio_mkwrite_check_truncate(raw, inode.as_ptr()),
        )
    };
    if let Some(gone) = i32::try_from(length).ok().filter(|length| *length < 0) {
        // SAFETY: It was locked above.
        unsafe { bindings::folio_unlock(raw) };
        return Err(Error::from_errno(gone));
    }
    // SAFETY: It is locked, and in the mapping, as the check found.
    let mut folio = unsafe { LockedFolio::<T>::from_raw(raw) };
    let pos = folio.pos();
    if A::kept(inode) != Kept::Units || inode.valid_size() < pos {
        // All has changed since the fault, which is to come again.
        return Ok(bindings::vm_fault_reason_VM_FAULT_NOPAGE);
    }
    let size = folio.size() as u64;
    A::promise(inode, pos, size)?;
    folio.mark_dirty();
    A::initialized(inode, pos.saturating_add(size).min(inode.size()));
    let raw = folio.into_raw();
    // SAFETY: The folio is locked, and stays so.
    unsafe { bindings::folio_wait_stable(raw) };
    Ok(bindings::vm_fault_reason_VM_FAULT_LOCKED)
}
