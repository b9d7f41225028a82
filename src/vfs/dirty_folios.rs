// SPDX-License-Identifier: GPL-2.0-only

//! The dirty folios of a file, one after the other, for who writes them back himself. C headers:
//! `include/linux/writeback.h`, `pagemap.h`.
//!
//! A folio comes locked, and not dirty any more. It goes into writeback, or becomes dirty again. Who has one in
//! writeback may wait for the lock of one behind it, never of one in front of it.

use super::{
    bindings,
    folio::LockedFolio,
    inode::Inode,
    super_block, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What a `writepages` call is to write (`writeback_iter`).
pub(crate) struct DirtyFolios<'a, T: super_block::Operations> {
    mapping: *mut bindings::address_space,
    wbc: *mut bindings::writeback_control,
    last: *mut bindings::folio,
    error: c_int,
    _inode: PhantomData<&'a Inode<T>>,
}

impl<'a, T: super_block::Operations> DirtyFolios<'a, T> {
    /// Those of a call.
    ///
    /// # Safety
    ///
    /// The mapping is that of the inode, and with `wbc` the argument of a `writepages` call that goes on during `'a`.
    pub(super) unsafe fn new(
        _inode: &'a Inode<T>,
        mapping: *mut bindings::address_space,
        wbc: *mut bindings::writeback_control,
    ) -> Self {
        Self {
            mapping,
            wbc,
            last: ptr::null_mut(),
            error: 0,
            _inode: PhantomData,
        }
    }

    /// The next one, if there is one; `result` is what became of the last. When there is none, [`Self::result`] says
    /// what became of all.
    pub(crate) fn next(&mut self, result: Result) -> Option<DirtyFolio<'a, T>> {
        self.error = result.err().map_or(0, Error::to_errno);
        let error = &mut self.error;
        // SAFETY: By the caller's word at `new`; `last` is what the last call gave, or null.
        self.last = unsafe { bindings::writeback_iter(self.mapping, self.wbc, self.last, error) };
        (!self.last.is_null()).then(|| DirtyFolio {
            // SAFETY: The iterator gave it locked, and in the mapping.
            folio: Some(unsafe { LockedFolio::from_raw(self.last) }),
            raw: self.last,
            wbc: self.wbc,
        })
    }

    /// The first error of a call that is to write all, or that which ended another one.
    pub(crate) fn result(&self) -> Result {
        to_result(self.error)
    }
}

/// A locked folio that is not dirty any more. Dropping it makes it dirty again.
pub(crate) struct DirtyFolio<'a, T: super_block::Operations> {
    /// Taken when it is dropped, or before.
    folio: Option<LockedFolio<'a, T>>,
    raw: *mut bindings::folio,
    wbc: *mut bindings::writeback_control,
}

impl<'a, T: super_block::Operations> DirtyFolio<'a, T> {
    /// Has it in writeback from now on, and unlocks it (`folio_start_writeback`).
    pub(crate) fn start(mut self) -> WrittenFolio<'a, T> {
        // SAFETY: The folio is locked and not in writeback: the iterator waited for that.
        unsafe { bindings::folio_start_writeback(self.raw) };
        drop(self.folio.take());
        WrittenFolio {
            folio: self.raw,
            _inode: PhantomData,
        }
    }

    /// There is nothing to write of it.
    pub(crate) fn done(mut self) {
        if let Some(mut folio) = self.folio.take() {
            folio.finish_writeback();
        }
    }

    /// The folio.
    pub(crate) fn folio(&self) -> Option<&LockedFolio<'a, T>> {
        self.folio.as_ref()
    }
}

impl<T: super_block::Operations> Drop for DirtyFolio<'_, T> {
    fn drop(&mut self) {
        if let Some(folio) = self.folio.take() {
            // SAFETY: The folio is locked, and `wbc` is that of the call that gave it.
            unsafe { bindings::folio_redirty_for_writepage(self.wbc, self.raw) };
            drop(folio);
        }
    }
}

/// A folio in writeback, which keeps it where it is. Dropping it ends that (`folio_end_writeback`).
pub(crate) struct WrittenFolio<'a, T: super_block::Operations> {
    folio: *mut bindings::folio,
    _inode: PhantomData<&'a Inode<T>>,
}

impl<T: super_block::Operations> WrittenFolio<'_, T> {
    /// Makes it dirty again: it was not written (`filemap_dirty_folio`).
    pub(crate) fn redirty(&self) {
        // SAFETY: A folio in writeback stays in its mapping: who wants to take it out waits.
        unsafe {
            let mapping = (*self.folio).__bindgen_anon_1.__bindgen_anon_1.mapping;
            bindings::filemap_dirty_folio(mapping, self.folio);
        }
    }
}

impl<T: super_block::Operations> Drop for WrittenFolio<'_, T> {
    fn drop(&mut self) {
        // SAFETY: It is in writeback since `start`.
        unsafe { bindings::folio_end_writeback(self.folio) };
    }
}
