// SPDX-License-Identifier: GPL-2.0-only

//! `struct iomap_writepage_ctx`: writing dirty folios to where they belong. C header:
//! `include/linux/iomap.h`.
//!
//! A folio is locked, and then in writeback, from the lookup of its place to the end of its I/O: whoever
//! takes a place away waits for that. The place of the folios behind it can change meanwhile, which the
//! sequence number of the mapping tells.

use super::{
    bindings,
    inode::Inode,
    ioend,
    iomap::{
        self,
        ExtentKind, //
    },
    iomap_write::WriteOperations,
    super_block, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The context of one writeback call, on the stack of that call.
#[repr(C)]
pub(super) struct Writeback<T: super_block::Operations> {
    /// The first field, so that iomap's pointer to it is one to all.
    ctx: bindings::iomap_writepage_ctx,
    /// [`WriteOperations::sequence`] as it was when the mapping in `ctx` was looked up.
    sequence: u32,
    _file_system: PhantomData<T>,
}

impl<T: super_block::Operations> Writeback<T> {
    const OPS: bindings::iomap_writeback_ops = bindings::iomap_writeback_ops {
        writeback_range: Some(Self::writeback_range),
        writeback_submit: Some(Self::writeback_submit),
    };

    /// Begins a call for an inode.
    pub(super) fn new(inode: &Inode<T>, wbc: *mut bindings::writeback_control) -> Self {
        Self {
            ctx: bindings::iomap_writepage_ctx {
                inode: inode.as_ptr(),
                wbc,
                ops: &Self::OPS,
                ..Default::default()
            },
            sequence: 0,
            _file_system: PhantomData,
        }
    }

    /// Writes one folio (`iomap_writeback_folio`), of which [`Self::submit`] has to begin the last part.
    ///
    /// # Safety
    ///
    /// `wbc` is that of a `writepages` call for the inode, and `folio` is locked, not dirty any more, and what
    /// `writeback_iter` gave last.
    pub(super) unsafe fn folio(&mut self, folio: *mut bindings::folio) -> Result {
        // SAFETY: By the caller's word.
        to_result(unsafe { bindings::iomap_writeback_folio(&mut self.ctx, folio) })
    }

    /// Begins what [`Self::folio`] collected; `error` is what went wrong on the way, which fails it.
    pub(super) fn submit(&mut self, error: Result) -> Result {
        if self.ctx.wb_ctx.is_null() {
            return error;
        }
        let errno = error.err().map_or(0, Error::to_errno);
        // SAFETY: There is an ioend that was not submitted.
        to_result(unsafe { Self::writeback_submit(&mut self.ctx, errno) })
    }

    /// Looks the place of `pos` up, unless it is known.
    fn map(&mut self, inode: &Inode<T>, pos: u64, len: u32) -> Result {
        let map = &self.ctx.iomap;
        let is_in = u64::try_from(map.offset)
            .ok()
            .and_then(|start| pos.checked_sub(start))
            .is_some_and(|within| within < map.length);
        if is_in && self.sequence == T::FileMapping::sequence(inode) {
            return Ok(());
        }
        self.sequence = T::FileMapping::sequence(inode);
        let mut extent = T::FileMapping::allocate(inode, pos, u64::from(len))?;
        let sequence = T::FileMapping::sequence(inode);
        if sequence != self.sequence {
            // Most likely by this allocation. Look at it with the number that it has now.
            self.sequence = sequence;
            extent = T::FileMapping::allocate(inode, pos, u64::from(len))?;
        }
        extent.kind = match extent.kind {
            // Whether the bytes were ever written is a question of reading.
            ExtentKind::Unwritten { address } => ExtentKind::Mapped { address },
            ExtentKind::Delayed | ExtentKind::Inline | ExtentKind::Lost { .. } => return Err(EIO),
            // A truncation took the place of this folio, which it drops next.
            kind @ (ExtentKind::Hole | ExtentKind::Mapped { .. }) => kind,
        };
        self.ctx.iomap = Default::default();
        iomap::fill(inode, &mut self.ctx.iomap, extent, pos, iomap::Flags::WRITE)
    }

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for a context of ours.
    unsafe extern "C" fn writeback_range(
        wpc: *mut bindings::iomap_writepage_ctx,
        folio: *mut bindings::folio,
        pos: u64,
        len: c_uint,
        end_pos: u64,
    ) -> isize {
        // SAFETY: iomap passes our context, exclusively.
        let this = unsafe { &mut *wpc.cast::<Self>() };
        // SAFETY: The inode has a folio that is in writeback.
        let inode = unsafe { Inode::<T>::from_raw(this.ctx.inode) };
        let mut ret = match this.map(inode, pos, len) {
            Ok(()) => 0,
            Err(error) => error.to_errno() as isize,
        };
        if ret == 0 {
            let (pos, end_pos) = (pos as bindings::loff_t, end_pos as bindings::loff_t);
            // SAFETY: The range is in the folio and in the mapping.
            ret = unsafe { bindings::iomap_add_to_ioend(wpc, folio, pos, end_pos, len) };
        }
        if ret < 0 {
            // The dirty bytes are lost, so their reservation has to go too: nothing would ever use it.
            // SAFETY: The folio is valid.
            let (start, size) =
                unsafe { (bindings::folio_pos(folio), bindings::folio_size(folio)) };
            let end = (start as u64).saturating_add(size as u64);
            T::FileMapping::release(inode, pos, end.saturating_sub(pos));
        }
        ret
    }

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, or with an ioend in a context of ours.
    unsafe extern "C" fn writeback_submit(
        wpc: *mut bindings::iomap_writepage_ctx,
        error: c_int,
    ) -> c_int {
        // SAFETY: The context has an ioend, whose `bio` is not submitted yet. What has to be done in a
        // process is done by our work item, not by that of the block layer.
        unsafe {
            let bio = &raw mut (*(*wpc).wb_ctx.cast::<bindings::iomap_ioend>()).io_bio;
            (*bio).bi_end_io = Some(ioend::end_bio::<T>);
            bindings::bio_clear_complete_in_task(bio);
            bindings::iomap_ioend_writeback_submit(wpc, error)
        }
    }
}

/// Marks in the mapping that a write failed, for those who wait for it (`mapping_set_error`).
pub(super) fn set_error<T: super_block::Operations>(inode: &Inode<T>, error: Error) {
    // SAFETY: The mapping of a live inode is valid.
    unsafe { bindings::mapping_set_error(inode.mapping(), error.to_errno()) };
}
