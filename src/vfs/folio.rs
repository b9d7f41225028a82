// SPDX-License-Identifier: GPL-2.0-only

//! `struct folio`: a piece of the page cache. C headers: `include/linux/mm_types.h`, `pagemap.h`.
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
    mem::ManuallyDrop, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A locked folio of a file of `T`, to be read. Dropping it unlocks it and leaves it not up to date, which
/// its readers take for an error.
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
        // SAFETY: The range is in the folio, which is ours to write while it is not up to date.
        unsafe {
            let from = bytes.as_ptr().cast();
            bindings::memcpy_to_folio(self.folio, offset, from, bytes.len());
        }
        Ok(())
    }

    /// Fills all of it by pieces of up to a page: `read` gets the position in the file and has to write
    /// the whole buffer.
    pub(crate) fn fill(&mut self, mut read: impl FnMut(u64, &mut [u8]) -> Result) -> Result {
        let mut buffer = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        let start = self.pos();
        let size = self.size();
        let mut offset = 0;
        while offset < size {
            let len = PAGE_SIZE.min(size.saturating_sub(offset));
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
