// SPDX-License-Identifier: GPL-2.0-only

//! `struct iomap_ioend`: a write of dirty folios to the device, and what is done when it ended. C header:
//! `include/linux/iomap.h`.
//!
//! A `bio` ends in an interrupt, and recording that bytes are written may sleep. So each inode has a list of
//! what ended, and a work item that takes all of it at once. The folios are in writeback until the work is
//! done with them, and as long as one is, the inode stays; after the last, nothing of it may be touched.

use super::{
    bindings,
    inode::{
        Inode,
        InodeObject, //
    },
    iomap_write::WriteOperations,
    super_block, //
};
use core::mem::MaybeUninit;
use kernel::types::Opaque;

/// The writes of an inode that ended and are not finished.
///
/// The work item is queued exactly when the list gets its first entry, and takes all of the list: so it never
/// runs without a folio in writeback.
#[repr(C)]
pub(super) struct EndedWrites {
    /// Guards the list; taken in interrupts.
    lock: Opaque<bindings::spinlock_t>,
    list: Opaque<bindings::list_head>,
    work: Opaque<bindings::work_struct>,
}

impl EndedWrites {
    /// Makes an empty list of an inode of `T`.
    ///
    /// # Safety
    ///
    /// `this` is part of an [`InodeObject`] of `T` that nobody else uses.
    pub(super) unsafe fn begin<T: super_block::Operations>(this: *mut Self) {
        // SAFETY: By the caller's word.
        unsafe {
            bindings::spin_lock_init((&raw mut (*this).lock).cast());
            bindings::list_init((&raw mut (*this).list).cast());
            bindings::init_work((&raw mut (*this).work).cast(), Some(finish::<T>));
        }
    }
}

/// Where the list of an inode is.
///
/// # Safety
///
/// `inode` is one of `T`.
unsafe fn of<T: super_block::Operations>(inode: *mut bindings::inode) -> *mut EndedWrites {
    // SAFETY: By the caller's word; an inode is the first field of its object.
    unsafe { &raw mut (*inode.cast::<InodeObject<T>>()).ended_writes }
}

/// `bi_end_io` of a write of dirty folios.
///
/// # Safety
///
/// Called by the block layer only, for the `bio` of an ioend of an inode of `T`.
pub(super) unsafe extern "C" fn end_bio<T: super_block::Operations>(bio: *mut bindings::bio) {
    // SAFETY: The ioend and its inode stay until the work is done with them. The work can take the entry
    // only after the lock was given back, so the item is not touched after that.
    unsafe {
        let ioend = bindings::iomap_ioend_from_bio(bio);
        let inode = (*ioend).io_inode;
        let queue = T::workqueue(Inode::<T>::from_raw(inode).super_block().data()).as_ptr();
        let ended = of::<T>(inode);
        let lock = (&raw mut (*ended).lock).cast();
        let list = (&raw mut (*ended).list).cast();
        let flags = bindings::spin_lock_irqsave(lock);
        if bindings::list_empty(list) {
            bindings::queue_work(queue, (&raw mut (*ended).work).cast());
        }
        bindings::list_add_tail(&raw mut (*ioend).io_list, list);
        bindings::spin_unlock_irqrestore(lock, flags);
    }
}

/// Tells the file system of writes that ended, and ends the writeback of their folios.
///
/// # Safety
///
/// Called by the work queue only, with the work item of an inode of `T` that has ended writes.
unsafe extern "C" fn finish<T: super_block::Operations>(work: *mut bindings::work_struct) {
    // SAFETY: The item is in the list's structure, that in the object of an inode which stays while there are
    // ioends; these are ours once they are taken from the list.
    unsafe {
        let ended = kernel::container_of!(
            work.cast::<Opaque<bindings::work_struct>>(),
            EndedWrites,
            work
        );
        let lock = (&raw mut (*ended).lock).cast();
        let mut taken = MaybeUninit::<bindings::list_head>::uninit();
        let taken = taken.as_mut_ptr();
        let flags = bindings::spin_lock_irqsave(lock);
        bindings::list_replace_init((&raw mut (*ended).list).cast(), taken);
        bindings::spin_unlock_irqrestore(lock, flags);

        bindings::iomap_sort_ioends(taken);
        loop {
            let ioend = bindings::first_ioend(taken);
            if ioend.is_null() {
                break;
            }
            bindings::list_del_init(&raw mut (*ioend).io_list);
            bindings::iomap_ioend_try_merge(ioend, taken);
            let error = bindings::blk_status_to_errno((*ioend).io_bio.bi_status);
            let inode = Inode::<T>::from_raw((*ioend).io_inode);
            let pos = u64::try_from((*ioend).io_offset).unwrap_or(0);
            let noted = T::FileMapping::written(inode, pos, (*ioend).io_size as u64, error == 0);
            let error = match noted {
                Err(failed) if error == 0 => failed.to_errno(),
                _ => error,
            };
            bindings::iomap_finish_ioends(ioend, error);
        }
    }
}
