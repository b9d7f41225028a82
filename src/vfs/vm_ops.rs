// SPDX-License-Identifier: GPL-2.0-only

//! `struct vm_operations_struct` of a mapped regular file. C header: `include/linux/mm.h`.

use super::{
    address_space::{
        self,
        Kept, //
    },
    bindings,
    inode::Inode,
    iomap_write,
    super_block,
    units, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// The ops table.
pub(super) struct Table<T, A>(PhantomData<(T, A)>);

impl<T: super_block::Operations, A: address_space::Operations<T>> Table<T, A> {
    /// The table.
    pub(super) const TABLE: bindings::vm_operations_struct = bindings::vm_operations_struct {
        fault: Some(bindings::filemap_fault),
        map_pages: Some(bindings::filemap_map_pages),
        page_mkwrite: Some(Self::page_mkwrite),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the memory manager only, as `struct vm_operations_struct` says, for a file of `T`.
    unsafe extern "C" fn page_mkwrite(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: The memory manager passes a fault in a mapping of our open file.
        unsafe {
            let file = (*(*vmf).__bindgen_anon_1.vma).vm_file;
            let inode = Inode::<T>::from_raw((*file).f_inode);
            let sb = inode.super_block().as_ptr();
            bindings::sb_start_pagefault(sb);
            bindings::file_update_time(file);
            let ret = match Self::make_writable(inode, vmf) {
                Ok(ret) => ret,
                Err(error) => bindings::vmf_fs_error(error.to_errno()),
            };
            bindings::sb_end_pagefault(sb);
            ret
        }
    }

    /// Makes the page writable, and dirty; it is locked after.
    ///
    /// # Safety
    ///
    /// `vmf` is that of a `page_mkwrite` call for a file of the inode.
    unsafe fn make_writable(
        inode: &Inode<T>,
        vmf: *mut bindings::vm_fault,
    ) -> Result<bindings::vm_fault_t> {
        A::check_writable(inode)?;
        // SAFETY: By the caller's word.
        unsafe {
            if A::kept(inode) == Kept::Metadata {
                let folio = bindings::page_folio((*vmf).page);
                bindings::folio_lock(folio);
                let length = bindings::folio_mkwrite_check_truncate(folio, inode.as_ptr());
                if let Some(gone) = i32::try_from(length).ok().filter(|length| *length < 0) {
                    bindings::folio_unlock(folio);
                    return Err(Error::from_errno(gone));
                }
                // Now it is a fact: who moves the bytes to blocks has the folio locked.
                if A::kept(inode) == Kept::Metadata {
                    bindings::folio_mark_dirty(folio);
                    bindings::folio_wait_stable(folio);
                    return Ok(bindings::vm_fault_reason_VM_FAULT_LOCKED);
                }
                bindings::folio_unlock(folio);
            }
            match A::has_units(inode) {
                true => units::page_mkwrite::<T, A>(inode, vmf),
                false => iomap_write::page_mkwrite(inode, vmf),
            }
        }
    }
}
