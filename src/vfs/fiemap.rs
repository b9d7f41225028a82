// SPDX-License-Identifier: GPL-2.0-only

//! `struct fiemap_extent_info`: where a file is. C header: `include/linux/fiemap.h`.

use super::{
    bindings,
    inode::Inode,
    iomap,
    super_block, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A request for the extents of a range of a file.
pub(crate) struct FiemapRequest<'a> {
    info: *mut bindings::fiemap_extent_info,
    start: u64,
    len: u64,
    _call: PhantomData<&'a mut ()>,
}

impl FiemapRequest<'_> {
    /// Takes the arguments of `fiemap`.
    ///
    /// # Safety
    ///
    /// They are those of such a call, which lasts as long as the value.
    pub(super) unsafe fn new(
        info: *mut bindings::fiemap_extent_info,
        start: u64,
        len: u64,
    ) -> Self {
        Self {
            info,
            start,
            len,
            _call: PhantomData,
        }
    }

    /// Answers it with the extents that `O` gives (`iomap_fiemap`).
    pub(crate) fn iomap<T, O>(self, inode: &Inode<T>) -> Result
    where
        T: super_block::Operations,
        O: iomap::Operations<T>,
    {
        // SAFETY: The request is ours during the call; the table is for inodes of `T`.
        to_result(unsafe {
            bindings::iomap_fiemap(
                inode.as_ptr(),
                self.info,
                self.start,
                self.len,
                &iomap::Table::<T, O>::TABLE,
            )
        })
    }
}
