// SPDX-License-Identifier: GPL-2.0-only

//! The answer to `statfs(2)`. C header: `include/linux/statfs.h`.

use super::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// What `statfs` fills in (`struct kstatfs`). The type and the file system's identity are already there.
#[repr(transparent)]
pub(crate) struct Statfs(Opaque<bindings::kstatfs>);

impl Statfs {
    /// Borrows the C structure.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, and nobody else uses it, during `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::kstatfs) -> &'a mut Self {
        // SAFETY: By the caller's word; the layouts are equal.
        unsafe { &mut *ptr.cast() }
    }

    fn raw(&mut self) -> &mut bindings::kstatfs {
        // SAFETY: The structure is initialised (the VFS zeroes it) and exclusively ours.
        unsafe { &mut *self.0.get() }
    }

    /// The unit of the block counts, in bytes: both the preferred I/O size and the fragment size.
    pub(crate) fn set_block_size(&mut self, bytes: u32) {
        let raw = self.raw();
        raw.f_bsize = bytes as c_long;
        raw.f_frsize = bytes as c_long;
    }

    /// How many blocks there are in all and how many are free (all of these for anybody).
    pub(crate) fn set_blocks(&mut self, total: u64, free: u64) {
        let raw = self.raw();
        raw.f_blocks = total;
        raw.f_bfree = free;
        raw.f_bavail = free;
    }

    /// How many inodes there are in all and how many more can be made.
    pub(crate) fn set_files(&mut self, total: u64, free: u64) {
        let raw = self.raw();
        raw.f_files = total;
        raw.f_ffree = free;
    }

    /// The longest name, in bytes.
    pub(crate) fn set_name_length(&mut self, bytes: u32) {
        self.raw().f_namelen = bytes as c_long;
    }
}
