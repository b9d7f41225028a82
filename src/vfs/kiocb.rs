// SPDX-License-Identifier: GPL-2.0-only

//! `struct kiocb`: a read that is to be done. C header: `include/linux/fs.h`.

use super::{
    bindings,
    inode::Inode,
    iomap,
    super_block, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    iov::IovIterDest,
    prelude::*, //
};

/// A read of a file of `T`.
pub(crate) struct Kiocb<'a, T: super_block::Operations> {
    iocb: *mut bindings::kiocb,
    _call: PhantomData<&'a Inode<T>>,
}

impl<'a, T: super_block::Operations> Kiocb<'a, T> {
    /// Takes the argument of `read_iter`.
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

    /// The position to read from.
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

    /// Reads through the page cache (`filemap_read`).
    pub(crate) fn filemap_read(&mut self, to: &mut IovIterDest<'_>) -> Result<usize> {
        // SAFETY: Both are those of a `read_iter`.
        done(unsafe { bindings::filemap_read(self.iocb, to.as_raw(), 0) })
    }

    /// Reads from the device into the caller's memory (`iomap_dio_rw`).
    ///
    /// The block where [`Inode::valid_size`] is has bytes that nobody may see: a read that reaches it goes
    /// through the page cache, which zeroes them.
    pub(crate) fn iomap_dio_read<O: iomap::Operations<T>>(
        &mut self,
        to: &mut IovIterDest<'_>,
    ) -> Result<usize> {
        let inode = self.inode();
        let end = self.pos().saturating_add(u64::try_from(to.len())?);
        if end > iomap::whole_blocks(inode, inode.valid_size()) {
            return self.filemap_read(to);
        }
        // SAFETY: Both are those of a `read_iter`; the table is for inodes of `T`.
        done(unsafe {
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
        })
    }
}

/// The result of a C read, which is a length or an error.
fn done(ret: isize) -> Result<usize> {
    usize::try_from(ret).or_else(|_| Err(Error::from_errno(i32::try_from(ret)?)))
}
