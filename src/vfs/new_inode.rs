// SPDX-License-Identifier: GPL-2.0-only

//! An inode between `iget_locked` and `unlock_new_inode`: all others that want it wait.

use super::{
    address_space,
    bindings,
    file,
    ids::{
        Gid,
        Uid, //
    },
    inode::{
        AclOperations,
        DirOperations,
        FileOperations,
        Inode,
        InodeObject,
        SymlinkOperations,
        Table, //
    },
    super_block,
    time::Timespec, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

/// How large the folios of a file's page cache are, where the kernel can do that. The sizes are powers of two, and a
/// page at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolioSizes {
    /// All are pages.
    Pages,
    /// They have any size.
    Any,
    /// None has less bytes.
    AtLeast(u64),
    /// All have so many bytes.
    Exactly(u64),
}

/// A new inode, to be filled in. Dropping it tells those who wait that it failed (`iget_failed`).
///
/// # Invariants
///
/// `inode` is in an object of `T` without data, has `I_NEW`, and its reference is ours.
pub(crate) struct NewInode<T: super_block::Operations> {
    inode: NonNull<bindings::inode>,
    _file_system: PhantomData<T>,
}

impl<T: super_block::Operations> NewInode<T> {
    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// The type invariants hold.
    pub(super) unsafe fn from_raw(inode: NonNull<bindings::inode>) -> Self {
        // INVARIANT: By the caller's word.
        Self {
            inode,
            _file_system: PhantomData,
        }
    }

    fn as_ptr(&self) -> *mut bindings::inode {
        self.inode.as_ptr()
    }

    fn raw(&mut self) -> &mut bindings::inode {
        // SAFETY: Nobody else changes a new inode, and these fields nobody else reads.
        unsafe { self.inode.as_mut() }
    }

    /// Type and permissions (`S_IFMT` and `0o7777`).
    pub(crate) fn set_mode(&mut self, mode: u16) {
        self.raw().i_mode = mode;
    }

    /// The owner.
    pub(crate) fn set_uid(&mut self, uid: Uid) {
        self.raw().i_uid = uid.0;
    }

    /// The group.
    pub(crate) fn set_gid(&mut self, gid: Gid) {
        self.raw().i_gid = gid.0;
    }

    /// How many names it has (`set_nlink`).
    pub(crate) fn set_nlink(&mut self, links: u32) {
        // SAFETY: The inode is valid and exclusively ours.
        unsafe { bindings::set_nlink(self.as_ptr(), links) };
    }

    /// The size in bytes; `EFBIG` above the VFS's largest (`i_size_write`).
    pub(crate) fn set_size(&mut self, bytes: u64) -> Result {
        let bytes = i64::try_from(bytes).map_err(|_| EFBIG)?;
        // SAFETY: The inode is valid and exclusively ours.
        unsafe { bindings::i_size_write(self.as_ptr(), bytes) };
        Ok(())
    }

    /// Where the bytes that come from the device end: those from there to the size read as zeros, whatever
    /// the device has in the rest of that block. Without this call it is the size.
    pub(crate) fn set_valid_size(&mut self, bytes: u64) {
        // SAFETY: By the type invariant.
        unsafe { InodeObject::<T>::set_valid_size(self.as_ptr().cast(), bytes) };
    }

    /// How much it takes on the device, in units of 512 bytes.
    pub(crate) fn set_blocks(&mut self, blocks: u64) {
        self.raw().i_blocks = blocks;
    }

    /// Lets nobody change it (`S_IMMUTABLE`).
    pub(crate) fn set_immutable(&mut self) {
        self.raw().i_flags |= bindings::S_IMMUTABLE;
    }

    /// Has names in this directory told apart by case, whatever holds for the volume
    /// ([`super::dentry::Folder::is_case_sensitive`]).
    pub(crate) fn set_case_sensitive(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { InodeObject::<T>::set_case_sensitive(self.as_ptr().cast()) };
    }

    /// What tells it from a former file of the same number.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        self.raw().i_generation = generation;
    }

    /// When it was last read.
    pub(crate) fn set_atime(&mut self, time: Timespec) {
        // SAFETY: The inode is valid and exclusively ours.
        unsafe { bindings::inode_set_atime(self.as_ptr(), time.secs, time.nanos) };
    }

    /// When its content last changed.
    pub(crate) fn set_mtime(&mut self, time: Timespec) {
        // SAFETY: The inode is valid and exclusively ours.
        unsafe { bindings::inode_set_mtime(self.as_ptr(), time.secs, time.nanos) };
    }

    /// When it last changed.
    pub(crate) fn set_ctime(&mut self, time: Timespec) {
        // SAFETY: The inode is valid and exclusively ours.
        unsafe { bindings::inode_set_ctime(self.as_ptr(), time.secs, time.nanos) };
    }

    /// Makes it a directory. The mode has to say so too.
    pub(crate) fn set_dir<I: DirOperations<T>, F: file::DirOperations<T>>(&mut self) {
        let inode = self.raw();
        inode.i_op = &Table::<T, I>::DIR;
        inode.__bindgen_anon_3.i_fop = &file::DirTable::<T, F>::TABLE;
    }

    /// Makes it a regular file, whose page cache has folios as it says. The mode has to say so too.
    pub(crate) fn set_file<I, F, A>(&mut self, folios: FolioSizes)
    where
        I: FileOperations<T>,
        F: file::Operations<T>,
        A: address_space::Operations<T>,
    {
        let inode = self.raw();
        inode.i_op = &Table::<T, I>::FILE;
        inode.__bindgen_anon_3.i_fop = &file::Table::<T, F, A>::TABLE;
        inode.i_data.a_ops = &address_space::Table::<T, A>::TABLE;
        let order = |bytes: u64| {
            let shift = bytes.checked_ilog2().unwrap_or(0);
            shift.saturating_sub(PAGE_SIZE.trailing_zeros())
        };
        let mapping = &raw mut inode.i_data;
        // SAFETY: The mapping is valid and has no folio yet.
        unsafe {
            match folios {
                FolioSizes::Pages => {}
                FolioSizes::Any => bindings::mapping_set_large_folios(mapping),
                FolioSizes::AtLeast(bytes) => {
                    bindings::mapping_set_folio_min_order(mapping, order(bytes));
                }
                FolioSizes::Exactly(bytes) => {
                    let order = order(bytes);
                    bindings::mapping_set_folio_order_range(mapping, order, order);
                }
            }
        }
    }

    /// Makes it a symbolic link. The mode has to say so too.
    pub(crate) fn set_symlink<I: SymlinkOperations<T>>(&mut self) {
        self.raw().i_op = &Table::<T, I>::SYMLINK;
    }

    /// Makes it what the mode says: a device of these numbers, a fifo or a socket (`init_special_inode`).
    pub(crate) fn set_special<I: AclOperations<T>>(&mut self, major: u32, minor: u32) {
        let mode = self.raw().i_mode;
        self.raw().i_op = &Table::<T, I>::SPECIAL;
        // SAFETY: The inode is valid and exclusively ours.
        unsafe { bindings::init_special_inode(self.as_ptr(), mode, bindings::mkdev(major, minor)) };
    }

    /// Completes it with the file system's part and lets everybody see it (`unlock_new_inode`).
    pub(crate) fn init<E>(self, data: impl PinInit<T::Inode, E>) -> Result<ARef<Inode<T>>>
    where
        Error: From<E>,
    {
        // SAFETY: The object is without data, and exclusively ours.
        unsafe { InodeObject::<T>::init(self.as_ptr().cast(), data)? };
        let inode = ManuallyDrop::new(self).inode;
        // SAFETY: It is complete; the reference is passed on.
        Ok(unsafe {
            bindings::unlock_new_inode(inode.as_ptr());
            ARef::from_raw(inode.cast())
        })
    }
}

impl<T: super_block::Operations> Drop for NewInode<T> {
    fn drop(&mut self) {
        // SAFETY: It is new, and the reference is ours.
        unsafe { bindings::iget_failed(self.as_ptr()) };
    }
}
