// SPDX-License-Identifier: GPL-2.0-only

//! `struct kiocb`: a read or a write that is to be done. C header: `include/linux/fs.h`.

use super::{
    bindings,
    inode::Inode,
    iomap,
    iomap_write,
    super_block, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    error::to_result,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*, //
};

/// A read or a write of a file of `T`.
pub(crate) struct Kiocb<'a, T: super_block::Operations> {
    iocb: *mut bindings::kiocb,
    _call: PhantomData<&'a Inode<T>>,
}

impl<'a, T: super_block::Operations> Kiocb<'a, T> {
    /// Takes the argument of `read_iter` or `write_iter`.
    ///
    /// # Safety
    ///
    /// It is that of such a call for a file of `T`, which lasts during `'a`.
    pub(super) unsafe fn from_raw(iocb: *mut bindings::kiocb) -> Self {
        Self {
            iocb,
            _call: PhantomData,
        }
    }

    /// The file's inode.
    pub(crate) fn inode(&self) -> &'a Inode<T> {
        // SAFETY: An open file keeps its inode, and the request its file.
        unsafe { Inode::from_raw((*(*self.iocb).ki_filp).f_inode) }
    }

    /// The position to read from or to write to.
    pub(crate) fn pos(&self) -> u64 {
        // SAFETY: The request is ours during the call.
        let pos = unsafe { (*self.iocb).ki_pos };
        u64::try_from(pos).unwrap_or(0)
    }

    /// Whether the page cache is to be left out (`IOCB_DIRECT`).
    pub(crate) fn is_direct(&self) -> bool {
        // SAFETY: The request is ours during the call.
        let flags = unsafe { (*self.iocb).ki_flags };
        flags & bindings::IOCB_DIRECT as c_int != 0
    }

    /// Whether it may not wait for anything (`IOCB_NOWAIT`).
    pub(crate) fn is_nowait(&self) -> bool {
        // SAFETY: The request is ours during the call.
        let flags = unsafe { (*self.iocb).ki_flags };
        flags & bindings::IOCB_NOWAIT as c_int != 0
    }

    /// Whether what is written has to be durable at the end (`iocb_is_dsync`).
    pub(crate) fn is_dsync(&self) -> bool {
        // SAFETY: The request is ours during the call.
        let flags = unsafe { (*self.iocb).ki_flags };
        flags & bindings::IOCB_DSYNC as c_int != 0 || self.inode().is_sync()
    }

    /// Reads what is in the page cache, and gives `EAGAIN` for all else (`filemap_read` with `IOCB_NOIO`).
    pub(crate) fn filemap_read_cached(&mut self, to: &mut IovIterDest<'_>) -> Result<usize> {
        // SAFETY: The request is ours during the call, after which it has the flags that it had.
        unsafe {
            let flags = (*self.iocb).ki_flags;
            (*self.iocb).ki_flags |= bindings::IOCB_NOIO as c_int;
            let read = self.filemap_read(to);
            (*self.iocb).ki_flags = flags;
            read
        }
    }

    /// Reads through the page cache (`filemap_read`).
    pub(crate) fn filemap_read(&mut self, to: &mut IovIterDest<'_>) -> Result<usize> {
        // SAFETY: Both are those of a `read_iter`.
        done(unsafe { bindings::filemap_read(self.iocb, to.as_raw(), 0) })
    }

    /// Reads from the device into the caller's memory (`iomap_dio_rw`); the inode is locked, at least shared,
    /// so that its extents stay until the read counts as one that is under way.
    ///
    /// The block where [`Inode::valid_size`] is has bytes that nobody may see: `Ok(None)` for a read that
    /// reaches it, which has to go through the page cache, where they are zeroed.
    pub(crate) fn iomap_dio_read<O: iomap::Operations<T>>(
        &mut self,
        to: &mut IovIterDest<'_>,
    ) -> Result<Option<usize>> {
        let inode = self.inode();
        let end = self.pos().saturating_add(u64::try_from(to.len())?);
        if end > iomap::whole_blocks(inode, inode.valid_size()) {
            return Ok(None);
        }
        // SAFETY: Both are those of a `read_iter`; the table is for inodes of `T`.
        let read = done(unsafe {
            bindings::file_accessed((*self.iocb).ki_filp);
            bindings::iomap_dio_rw(
                self.iocb,
                to.as_raw(),
                &iomap::Table::<T, O>::TABLE,
                ptr::null(),
                0,
                ptr::null_mut(),
                0,
            )
        })?;
        Ok(Some(read))
    }

    /// Checks a write against limits and flags, and cuts it; how many bytes are left. For an append, it sets
    /// the position (`generic_write_checks`). The inode is locked exclusively.
    pub(crate) fn write_checks(&mut self, from: &mut IovIterSource<'_>) -> Result<usize> {
        // SAFETY: Both are those of a `write_iter`.
        done(unsafe { bindings::generic_write_checks(self.iocb, from.as_raw()) })
    }

    /// Takes set-id bits away and sets the times, before a write (`kiocb_modified`). The inode is locked
    /// exclusively.
    pub(crate) fn modified(&mut self) -> Result {
        // SAFETY: The request is one of `write_iter`.
        to_result(unsafe { bindings::kiocb_modified(self.iocb) })
    }

    /// Writes through the page cache of a file whose bytes are copied from there
    /// (`generic_perform_write`). The inode is locked exclusively.
    pub(crate) fn perform_write(&mut self, from: &mut IovIterSource<'_>) -> Result<usize> {
        // SAFETY: Both are those of a `write_iter`.
        done(unsafe { bindings::generic_perform_write(self.iocb, from.as_raw()) })
    }

    /// Writes no more than `limit` bytes through the page cache of a file in blocks
    /// (`iomap_file_buffered_write`). The inode is locked exclusively.
    pub(crate) fn iomap_write(
        &mut self,
        from: &mut IovIterSource<'_>,
        limit: usize,
    ) -> Result<usize> {
        let before = from.len();
        // SAFETY: Both are those of a `write_iter`; the tables are for inodes of `T`.
        unsafe {
            bindings::iov_iter_truncate(from.as_raw(), limit as u64);
            let held_back = before.saturating_sub(from.len());
            let written = bindings::iomap_file_buffered_write(
                self.iocb,
                from.as_raw(),
                &iomap_write::Table::<T>::WRITE,
                &iomap_write::Table::<T>::FOLIOS,
                ptr::null_mut(),
            );
            let left = from.len().saturating_add(held_back);
            bindings::iov_iter_reexpand(from.as_raw(), left);
            done(written)
        }
    }

    /// Writes to the device, without the page cache, as far as all is written there already
    /// (`iomap_dio_rw`); `Ok(None)` if it goes on in the background. The inode is locked exclusively, and the
    /// range is below [`Inode::valid_size`].
    pub(crate) fn iomap_dio_write(
        &mut self,
        from: &mut IovIterSource<'_>,
    ) -> Result<Option<usize>> {
        // SAFETY: Both are those of a `write_iter`; the table is for inodes of `T`.
        let written = unsafe {
            bindings::iomap_dio_rw(
                self.iocb,
                from.as_raw(),
                &iomap_write::Table::<T>::WRITE,
                ptr::null(),
                0,
                ptr::null_mut(),
                0,
            )
        };
        match done(written) {
            Err(EIOCBQUEUED) => Ok(None),
            // Pages of it could not be dropped.
            Err(ENOTBLK) => Ok(Some(0)),
            written => written.map(Some),
        }
    }

    /// Ends a direct write of which the page cache took a part: it is written and dropped
    /// (`direct_write_fallback`).
    pub(crate) fn direct_write_fallback(
        &mut self,
        from: &mut IovIterSource<'_>,
        direct: usize,
        buffered: Result<usize>,
    ) -> Result<usize> {
        let buffered = buffered.map_or_else(|error| error.to_errno() as isize, |n| n as isize);
        // SAFETY: Both are those of a `write_iter`.
        done(unsafe {
            bindings::direct_write_fallback(self.iocb, from.as_raw(), direct as isize, buffered)
        })
    }

    /// Waits until what was written is durable, if the file or the request wants that
    /// (`generic_write_sync`). The inode is not locked.
    pub(crate) fn write_sync(&mut self, written: usize) -> Result<usize> {
        // SAFETY: The request is one of `write_iter`.
        done(unsafe { bindings::generic_write_sync(self.iocb, written as isize) })
    }
}

/// The result of a C read or write, which is a length or an error.
fn done(ret: isize) -> Result<usize> {
    usize::try_from(ret).or_else(|_| Err(Error::from_errno(i32::try_from(ret)?)))
}
