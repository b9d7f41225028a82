// SPDX-License-Identifier: GPL-2.0-only

//! The slab cache of inodes: `struct inode` and what the file system keeps beside it, in one object.
//!
//! C header: `include/linux/slab.h`.

use super::{
    bindings,
    inode::InodeObject,
    super_block, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// A cache of [`InodeObject`]s.
///
/// # Invariants
///
/// `cache` is a live cache whose objects have the layout of `InodeObject<T>` and whose `struct inode` went
/// through `inode_init_once`.
pub(super) struct InodeCache<T: super_block::Operations> {
    cache: *mut bindings::kmem_cache,
    _file_system: PhantomData<fn() -> T>,
}

// SAFETY: The functions of a `kmem_cache` may be called by any thread at any time.
unsafe impl<T: super_block::Operations> Send for InodeCache<T> {}
// SAFETY: As above.
unsafe impl<T: super_block::Operations> Sync for InodeCache<T> {}

impl<T: super_block::Operations> InodeCache<T> {
    /// Makes the cache (`kmem_cache_create`), which is called after the file system.
    pub(super) fn new() -> Result<Self> {
        let size = u32::try_from(size_of::<InodeObject<T>>())?;
        let align = u32::try_from(align_of::<InodeObject<T>>())?;
        // SAFETY: The name is a static string, and `init_once` only touches the object it is called with.
        let cache = unsafe {
            bindings::kmem_cache_create(
                T::NAME.as_char_ptr(),
                size,
                align,
                bindings::SLAB_RECLAIM_ACCOUNT | bindings::SLAB_ACCOUNT,
                Some(Self::init_once),
            )
        };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: Just created with that size, alignment and constructor.
        Ok(Self {
            cache,
            _file_system: PhantomData,
        })
    }

    /// Allocates an object for an inode of `sb`; null without memory (`alloc_inode_sb`).
    ///
    /// # Safety
    ///
    /// `sb` is a valid super block.
    pub(super) unsafe fn alloc(&self, sb: *mut bindings::super_block) -> *mut InodeObject<T> {
        // SAFETY: `sb` is valid by the caller's word, the cache by the type invariant.
        unsafe { bindings::alloc_inode_sb(sb, self.cache, bindings::GFP_KERNEL) }.cast()
    }

    /// The constructor of an object, called when its slab is made.
    ///
    /// # Safety
    ///
    /// Called by the slab allocator only, with a new object.
    unsafe extern "C" fn init_once(object: *mut c_void) {
        // SAFETY: The object is as large as an `InodeObject`, which begins with its `struct inode`.
        unsafe { bindings::inode_init_once(object.cast()) };
    }
}

impl<T: super_block::Operations> Drop for InodeCache<T> {
    fn drop(&mut self) {
        // SAFETY: Waits for the inodes that RCU has yet to free. The file system is unregistered, so there
        // are no more; hence nobody uses the cache after.
        unsafe {
            bindings::rcu_barrier();
            bindings::kmem_cache_destroy(self.cache);
        }
    }
}
