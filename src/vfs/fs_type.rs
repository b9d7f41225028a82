// SPDX-License-Identifier: GPL-2.0-only

//! `struct file_system_type`: the entry in `/proc/filesystems`. C header: `include/linux/fs.h`.

use super::{
    bindings,
    fs_context,
    slab::InodeCache,
    super_block, //
};
use kernel::{
    container_of,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A registered file system on block devices; dropping it ends the registration.
///
/// The module cannot go away before the last mount, as each holds a reference to it.
///
/// # Invariants
///
/// `fs_type` is registered, and all super blocks of it are `T`'s.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: super_block::Operations> {
    inodes: InodeCache<T>,
    #[pin]
    fs_type: Opaque<bindings::file_system_type>,
}

// SAFETY: The VFS guards `fs_type` by its own locks.
unsafe impl<T: super_block::Operations> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: super_block::Operations> Sync for Registration<T> {}

impl<T: super_block::Operations> Registration<T> {
    /// Registers the file system (`register_filesystem`).
    pub(crate) fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            inodes: InodeCache::new()?,
            fs_type <- Opaque::try_ffi_init(|slot: *mut bindings::file_system_type| {
                let fs_type = bindings::file_system_type {
                    name: T::NAME.as_char_ptr(),
                    fs_flags: (bindings::FS_REQUIRES_DEV | bindings::FS_ALLOW_IDMAP) as c_int,
                    init_fs_context: Some(fs_context::init_fs_context::<T>),
                    kill_sb: Some(super_block::kill_sb::<T>),
                    owner: module.as_ptr(),
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes, pinned, and stays until `drop` unregistered it.
                to_result(unsafe {
                    slot.write(fs_type);
                    bindings::register_filesystem(slot)
                })
            }),
        })
    }

    /// The cache of the inodes of a super block's file system type.
    ///
    /// # Safety
    ///
    /// `sb` is a valid super block of `T`, and stays one during `'a`.
    pub(super) unsafe fn inode_cache<'a>(sb: *mut bindings::super_block) -> &'a InodeCache<T> {
        // SAFETY: By the caller's word, `s_type` is the field of a `Registration<T>`, which outlives its
        // super blocks.
        unsafe {
            let fs_type = Opaque::cast_from((*sb).s_type);
            &(*container_of!(fs_type.cast_mut(), Self, fs_type)).inodes
        }
    }
}

#[pinned_drop]
impl<T: super_block::Operations> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered in `new`, by the type invariant.
        unsafe { bindings::unregister_filesystem(self.fs_type.get()) };
    }
}
