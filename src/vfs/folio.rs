// SPDX-License-Identifier: GPL-2.0-only

//! `struct folio`: a piece of the page cache. C headers: `include/linux/mm_types.h`, `pagemap.h`.
//!
//! Lock order: `i_rwsem`, `invalidate_lock`, a folio; of two folios of a file, the one in front first.
//!
//! User space may look at, and change, a mapped folio at any time: there is no reference to its bytes, they
//! are only copied.

use super::{
    bindings,
    inode::Inode,
    super_block, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
};
use kernel::{
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*, //
};

/// A locked folio of a file of `T`. Dropping it unlocks it; if it is not up to date, its readers take that
/// for an error.
///
/// # Invariants
///
/// The folio is locked by this thread, and in the mapping of an inode of `T`.
pub(crate) struct LockedFolio<'a, T: super_block::Operations> {
    folio: *mut bindings::folio,
    _mapping: PhantomData<&'a Inode<T>>,
}

impl<'a, T: super_block::Operations> LockedFolio<'a, T> {
    /// Takes over a lock.
    ///
    /// # Safety
    ///
    /// The type invariants hold, and the inode stays during `'a`.
    pub(super) unsafe fn from_raw(folio: *mut bindings::folio) -> Self {
        // INVARIANT: By the caller's word.
        Self {
            folio,
            _mapping: PhantomData,
        }
    }

    /// Gives the lock away.
    pub(super) fn into_raw(self) -> *mut bindings::folio {
        ManuallyDrop::new(self).folio
    }

    /// The file's inode.
    pub(crate) fn inode(&self) -> &'a Inode<T> {
        // SAFETY: A locked folio stays in its mapping.
        unsafe {
            let folio = &(*self.folio).__bindgen_anon_1.__bindgen_anon_1;
            Inode::from_raw((*folio.mapping).host)
        }
    }

    /// Where it is in the file, in bytes (`folio_pos`).
    pub(crate) fn pos(&self) -> u64 {
        // SAFETY: The folio is valid.
        let pos = unsafe { bindings::folio_pos(self.folio) };
        u64::try_from(pos).unwrap_or(0)
    }

    /// How many bytes it has (`folio_size`).
    pub(crate) fn size(&self) -> usize {
        // SAFETY: The folio is valid.
        unsafe { bindings::folio_size(self.folio) }
    }

    /// Copies bytes to an offset in the folio; `EINVAL` if they reach beyond it (`memcpy_to_folio`).
    pub(crate) fn copy_in(&mut self, offset: usize, bytes: &[u8]) -> Result {
        self.check(offset, bytes.len())?;
        // SAFETY: The range is in the folio, which is locked.
        unsafe {
            let from = bytes.as_ptr().cast();
            bindings::memcpy_to_folio(self.folio, offset, from, bytes.len());
        }
        Ok(())
    }

    /// Copies bytes from an offset in the folio; `EINVAL` if they reach beyond it (`memcpy_from_folio`).
    pub(crate) fn copy_out(&self, offset: usize, bytes: &mut [u8]) -> Result {
        self.check(offset, bytes.len())?;
        // SAFETY: The range is in the folio.
        unsafe {
            let to = bytes.as_mut_ptr().cast();
            bindings::memcpy_from_folio(to, self.folio, offset, bytes.len());
        }
        Ok(())
    }

    /// Whether its bytes are those of the file (`folio_test_uptodate`).
    pub(crate) fn is_up_to_date(&self) -> bool {
        // SAFETY: The folio is valid.
        unsafe { bindings::folio_test_uptodate(self.folio) }
    }

    /// Whether it is to be written (`folio_test_dirty`).
    pub(crate) fn is_dirty(&self) -> bool {
        // SAFETY: The folio is valid.
        unsafe { bindings::folio_test_dirty(self.folio) }
    }

    /// Says that its bytes are those of the file (`folio_mark_uptodate`).
    pub(crate) fn mark_up_to_date(&mut self) {
        // SAFETY: The folio is locked.
        unsafe { bindings::folio_mark_uptodate(self.folio) };
    }

    /// Has it written (`folio_mark_dirty`).
    pub(super) fn mark_dirty(&mut self) {
        // SAFETY: The folio is locked.
        unsafe { bindings::folio_mark_dirty(self.folio) };
    }

    /// Zeroes it from an offset on (`folio_zero_range`).
    fn zero_from(&mut self, offset: usize) {
        self.zero(offset, usize::MAX);
    }

    /// Zeroes what it has of a range (`folio_zero_range`).
    pub(super) fn zero(&mut self, start: usize, end: usize) {
        let length = end.min(self.size()).checked_sub(start);
        if let Some(length) = length.filter(|length| *length > 0) {
            // SAFETY: The range is in the folio, which is locked.
            unsafe { bindings::folio_zero_range(self.folio, start, length) };
        }
    }

    /// Clears what told writeback to come: its bytes, which were not dirty any more, are where they belong
    /// (`folio_start_writeback`, `folio_end_writeback`).
    pub(super) fn finish_writeback(&mut self) {
        // SAFETY: The folio is locked and not in writeback.
        unsafe {
            bindings::folio_start_writeback(self.folio);
            bindings::folio_end_writeback(self.folio);
        }
    }

    /// Fills all of it by pieces of `unit` bytes, or of a page if that is more: `read` gets the position in the
    /// file and has to write the whole buffer.
    pub(crate) fn fill(
        &mut self,
        unit: usize,
        mut read: impl FnMut(u64, &mut [u8]) -> Result,
    ) -> Result {
        let start = self.pos();
        let size = self.size();
        let most = unit.max(PAGE_SIZE).min(size);
        let mut buffer = KVVec::from_elem(0, most, GFP_KERNEL)?;
        let mut offset = 0;
        while offset < size {
            let len = most.min(size.saturating_sub(offset));
            let piece = buffer.get_mut(..len).ok_or(EINVAL)?;
            read(start.saturating_add(u64::try_from(offset)?), piece)?;
            self.copy_in(offset, piece)?;
            offset = offset.saturating_add(len);
        }
        Ok(())
    }

    /// Ends the read and unlocks it: up to date, or an error (`folio_end_read`).
    pub(crate) fn end_read(self, up_to_date: bool) {
        // SAFETY: The folio is locked, and no longer ours after.
        unsafe { bindings::folio_end_read(self.into_raw(), up_to_date) };
    }

    fn check(&self, offset: usize, len: usize) -> Result {
        match offset.checked_add(len) {
            Some(end) if end <= self.size() => Ok(()),
            _ => Err(EINVAL),
        }
    }
}

impl<T: super_block::Operations> Drop for LockedFolio<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The folio is locked by us.
        unsafe { bindings::folio_unlock(self.folio) };
    }
}

/// A locked folio with a reference, which keeps it when the lock is given away.
pub(crate) struct HeldFolio<'a, T: super_block::Operations>(ManuallyDrop<LockedFolio<'a, T>>);

impl<'a, T: super_block::Operations> HeldFolio<'a, T> {
    /// The folio at a position, made if there is none, and not in writeback while that matters
    /// (`__filemap_get_folio` with `FGP_WRITEBEGIN`).
    pub(crate) fn get(inode: &'a Inode<T>, pos: u64) -> Result<Self> {
        let index = c_ulong::try_from(pos >> kernel::page::PAGE_SHIFT)?;
        // SAFETY: The mapping of a live inode is valid.
        let folio = unsafe { bindings::filemap_get_folio_for_write(inode.mapping(), index) };
        let folio = from_err_ptr(folio)?;
        // SAFETY: The folio is locked, in the mapping, and the reference is ours.
        Ok(unsafe { Self::from_raw(folio) })
    }

    /// The folio at a position, if there is one (`filemap_lock_folio`).
    fn find(inode: &'a Inode<T>, pos: u64) -> Option<Self> {
        let index = c_ulong::try_from(pos >> kernel::page::PAGE_SHIFT).ok()?;
        // SAFETY: The mapping of a live inode is valid.
        let folio = unsafe { bindings::filemap_lock_folio(inode.mapping(), index) };
        let folio = from_err_ptr(folio).ok()?;
        // SAFETY: The folio is locked, in the mapping, and the reference is ours.
        Some(unsafe { Self::from_raw(folio) })
    }

    /// Takes over a lock and a reference.
    ///
    /// # Safety
    ///
    /// They are the caller's, the folio is in the mapping of an inode of `T`, and that stays during `'a`.
    pub(super) unsafe fn from_raw(folio: *mut bindings::folio) -> Self {
        // SAFETY: By the caller's word.
        Self(ManuallyDrop::new(unsafe { LockedFolio::from_raw(folio) }))
    }

    /// Gives the lock and the reference away.
    pub(super) fn into_raw(self) -> *mut bindings::folio {
        ManuallyDrop::new(self).0.folio
    }
}

impl<'a, T: super_block::Operations> Deref for HeldFolio<'a, T> {
    type Target = LockedFolio<'a, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: super_block::Operations> DerefMut for HeldFolio<'_, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T: super_block::Operations> Drop for HeldFolio<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock and the reference are ours.
        unsafe {
            bindings::folio_unlock(self.0.folio);
            bindings::folio_put(self.0.folio);
        }
    }
}

/// Zeroes what the page cache has behind the end of a file, which is about to grow: user space can store
/// there through a mapping. The inode is locked exclusively.
pub(crate) fn zero_behind_end<T: super_block::Operations>(inode: &Inode<T>) {
    let end = inode.size();
    if let Some(mut folio) = HeldFolio::find(inode, end) {
        let offset = usize::try_from(end.saturating_sub(folio.pos()));
        folio.zero_from(offset.unwrap_or(usize::MAX));
    }
}
