// SPDX-License-Identifier: GPL-2.0-only

//! The two locks of an inode that keep its size and its extents in place: `i_rwsem` and the
//! `invalidate_lock` of its mapping. C header: `include/linux/fs.h`.
//!
//! Lock order: `i_rwsem`, `invalidate_lock`, a folio.

use super::{
    bindings,
    inode::Inode,
    super_block, //
};
use kernel::types::NotThreadSafe;

/// The inode, locked exclusively (`inode_lock`): no write, truncate or direct I/O begins meanwhile.
pub(crate) struct InodeLock<'a, T: super_block::Operations> {
    inode: &'a Inode<T>,
    _thread: NotThreadSafe,
}

impl<'a, T: super_block::Operations> InodeLock<'a, T> {
    /// Waits for the lock.
    pub(crate) fn lock(inode: &'a Inode<T>) -> Self {
        // SAFETY: The inode is valid.
        unsafe { bindings::inode_lock(inode.as_ptr()) };
        Self {
            inode,
            _thread: NotThreadSafe,
        }
    }

    /// Takes the lock if it is free (`inode_trylock`).
    pub(crate) fn try_lock(inode: &'a Inode<T>) -> Option<Self> {
        // SAFETY: The inode is valid.
        unsafe { bindings::inode_trylock(inode.as_ptr()) }.then(|| Self {
            inode,
            _thread: NotThreadSafe,
        })
    }
}

impl<T: super_block::Operations> Drop for InodeLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock is ours.
        unsafe { bindings::inode_unlock(self.inode.as_ptr()) };
    }
}

/// The inode, locked shared (`inode_lock_shared`): no write and no truncate begins meanwhile.
pub(crate) struct SharedInodeLock<'a, T: super_block::Operations> {
    inode: &'a Inode<T>,
    _thread: NotThreadSafe,
}

impl<'a, T: super_block::Operations> SharedInodeLock<'a, T> {
    /// Waits for the lock.
    pub(crate) fn lock(inode: &'a Inode<T>) -> Self {
        // SAFETY: The inode is valid.
        unsafe { bindings::inode_lock_shared(inode.as_ptr()) };
        Self {
            inode,
            _thread: NotThreadSafe,
        }
    }

    /// Takes the lock if that needs no waiting (`inode_trylock_shared`).
    pub(crate) fn try_lock(inode: &'a Inode<T>) -> Option<Self> {
        // SAFETY: The inode is valid.
        let locked = unsafe { bindings::inode_trylock_shared(inode.as_ptr()) } != 0;
        locked.then_some(Self {
            inode,
            _thread: NotThreadSafe,
        })
    }
}

impl<T: super_block::Operations> Drop for SharedInodeLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock is ours.
        unsafe { bindings::inode_unlock_shared(self.inode.as_ptr()) };
    }
}

/// The mapping, locked exclusively (`filemap_invalidate_lock`): no folio is read in or made writable
/// meanwhile.
pub(crate) struct InvalidateLock<'a, T: super_block::Operations> {
    inode: &'a Inode<T>,
    _thread: NotThreadSafe,
}

impl<'a, T: super_block::Operations> InvalidateLock<'a, T> {
    /// Waits for the lock.
    pub(crate) fn lock(inode: &'a Inode<T>) -> Self {
        // SAFETY: The mapping of a live inode is valid.
        unsafe { bindings::filemap_invalidate_lock(inode.mapping()) };
        Self {
            inode,
            _thread: NotThreadSafe,
        }
    }

    /// The inode whose mapping it is.
    pub(crate) fn inode(&self) -> &'a Inode<T> {
        self.inode
    }
}

impl<T: super_block::Operations> Drop for InvalidateLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock is ours.
        unsafe { bindings::filemap_invalidate_unlock(self.inode.mapping()) };
    }
}

/// The mapping, locked shared (`filemap_invalidate_lock_shared`): as a page fault has it.
pub(super) struct SharedInvalidateLock<'a, T: super_block::Operations> {
    inode: &'a Inode<T>,
    _thread: NotThreadSafe,
}

impl<'a, T: super_block::Operations> SharedInvalidateLock<'a, T> {
    /// Waits for the lock.
    pub(super) fn lock(inode: &'a Inode<T>) -> Self {
        // SAFETY: The mapping of a live inode is valid.
        unsafe { bindings::filemap_invalidate_lock_shared(inode.mapping()) };
        Self {
            inode,
            _thread: NotThreadSafe,
        }
    }
}

impl<T: super_block::Operations> Drop for SharedInvalidateLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock is ours.
        unsafe { bindings::filemap_invalidate_unlock_shared(self.inode.mapping()) };
    }
}
