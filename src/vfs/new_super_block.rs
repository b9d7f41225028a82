// SPDX-License-Identifier: GPL-2.0-only

//! A super block on its way from `get_tree_bdev` to its root: first its parameters, then its data, then
//! its root, in this order by type.

use super::{
    bdev::BlockDevice,
    bindings,
    dentry,
    export,
    inode::Inode,
    super_block::{
        self,
        log_error,
        log_warn,
        Operations,
        SuperBlock, //
    },
    xattr, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::aref::ARef,
    types::ForeignOwnable as _, //
};

/// A new super block without data.
///
/// # Invariants
///
/// `sb` is valid, of file system `T`, without root or data, and nobody else sees it.
pub(crate) struct NewSuperBlock<'a, T: Operations> {
    sb: *mut bindings::super_block,
    _context: PhantomData<&'a mut T>,
}

impl<'a, T: Operations> NewSuperBlock<'a, T> {
    /// Takes a new super block.
    ///
    /// # Safety
    ///
    /// The type invariants hold during `'a`.
    pub(super) unsafe fn new(sb: *mut bindings::super_block) -> Self {
        // SAFETY: The super block is exclusively ours.
        unsafe {
            (*sb).s_op = &super_block::Table::<T>::TABLE;
            (*sb).s_time_gran = 1;
        }
        // INVARIANT: By the caller's word.
        Self {
            sb,
            _context: PhantomData,
        }
    }

    /// The device, open for as long as the result lives.
    pub(crate) fn block_device(&self) -> Result<BlockDevice> {
        // SAFETY: `get_tree_bdev` opened it.
        unsafe { BlockDevice::of_super_block(self.sb) }
    }

    /// Sets the block size: of the page cache's bookkeeping and the unit of `bmap`. A power of two from
    /// the device's logical block size to the page size, else `EINVAL` (`sb_set_blocksize`).
    pub(crate) fn set_block_size(&mut self, bytes: u32) -> Result {
        let bytes = i32::try_from(bytes)?;
        // SAFETY: The super block is valid and has its device.
        match unsafe { bindings::sb_set_blocksize(self.sb, bytes) } {
            0 => Err(EINVAL),
            _ => Ok(()),
        }
    }

    /// The number that `statfs(2)` gives as the type.
    pub(crate) fn set_magic(&mut self, magic: u64) {
        // SAFETY: The super block is exclusively ours.
        unsafe { (*self.sb).s_magic = magic as c_ulong };
    }

    /// The largest size of a file; no more than the page cache can do.
    pub(crate) fn set_max_bytes(&mut self, bytes: u64) {
        let limit = bindings::MAX_LFS_FILESIZE;
        let bytes = i64::try_from(bytes).unwrap_or(limit).min(limit);
        // SAFETY: The super block is exclusively ours.
        unsafe { (*self.sb).s_maxbytes = bytes };
    }

    /// The range, in seconds since 1970, and the granularity, in nanoseconds, of times.
    pub(crate) fn set_time(&mut self, min_secs: i64, max_secs: i64, granularity: u32) {
        // SAFETY: The super block is exclusively ours.
        unsafe {
            (*self.sb).s_time_min = min_secs;
            (*self.sb).s_time_max = max_secs;
            (*self.sb).s_time_gran = granularity;
        }
    }

    /// What `FS_IOC_GETFSUUID` gives: 1 to 16 bytes (`super_set_uuid`).
    pub(crate) fn set_uuid(&mut self, uuid: &[u8]) -> Result {
        if uuid.is_empty() || uuid.len() > 16 {
            return Err(EINVAL);
        }
        let len = u32::try_from(uuid.len())?;
        // SAFETY: The super block is exclusively ours; `len` bytes are there and fit in `s_uuid`.
        unsafe { bindings::super_set_uuid(self.sb, uuid.as_ptr(), len) };
        Ok(())
    }

    /// Allows file handles, and so NFS export.
    pub(crate) fn set_export<E: export::Operations<T>>(&mut self) {
        // SAFETY: The super block is exclusively ours. The table is complete, the bindings differ in that.
        unsafe { (*self.sb).s_export_op = ptr::from_ref(&export::Table::<T, E>::TABLE).cast() };
    }

    /// Lets the VFS ask for access control lists, or not, whatever was asked for with the flags of the mount
    /// (`SB_POSIXACL`).
    pub(crate) fn set_posix_acl(&mut self, on: bool) {
        let flag = bindings::SB_POSIXACL as c_ulong;
        // SAFETY: The super block is exclusively ours.
        unsafe {
            match on {
                true => (*self.sb).s_flags |= flag,
                false => (*self.sb).s_flags &= !flag,
            }
        }
    }

    /// Lets inodes have extended attributes.
    pub(crate) fn set_xattr<X: xattr::Operations<T>>(&mut self) {
        let handlers: &'static [_] = &xattr::Table::<T, X>::HANDLERS;
        // SAFETY: The super block is exclusively ours and has no inode yet.
        unsafe { (*self.sb).s_xattr = handlers.as_ptr() };
    }

    /// Compares names by `D` instead of byte by byte (`set_default_d_op`).
    pub(crate) fn set_dentry_ops<D: dentry::Operations<T>>(&mut self) {
        // SAFETY: The super block is exclusively ours and has no dentry yet.
        unsafe { bindings::set_default_d_op(self.sb, &dentry::Table::<T, D>::TABLE) };
    }

    /// Logs an error of this volume.
    pub(crate) fn error(&self, message: fmt::Arguments<'_>) {
        // SAFETY: The structure is valid.
        unsafe { log_error(self.sb, message) };
    }

    /// Logs a warning about this volume.
    pub(crate) fn warn(&self, message: fmt::Arguments<'_>) {
        // SAFETY: The structure is valid.
        unsafe { log_warn(self.sb, message) };
    }

    /// Gives it its data. From here on there can be inodes.
    pub(crate) fn set_data(self, data: Pin<KBox<T::Data>>) -> FilledSuperBlock<'a, T> {
        // SAFETY: The super block is exclusively ours; `put_super` or `kill_sb` takes the data back.
        unsafe { (*self.sb).s_fs_info = data.into_foreign() };
        // INVARIANT: It has data now.
        FilledSuperBlock(self)
    }
}

/// A new super block with its data; it lacks the root only.
///
/// # Invariants
///
/// As [`NewSuperBlock`], and those of [`SuperBlock`].
pub(crate) struct FilledSuperBlock<'a, T: Operations>(NewSuperBlock<'a, T>);

impl<'a, T: Operations> FilledSuperBlock<'a, T> {
    /// Gives it its root directory (`d_make_root`).
    pub(crate) fn set_root(self, root: ARef<Inode<T>>) -> Result<Mounted<'a, T>> {
        // SAFETY: `d_make_root` takes the reference, also when it fails; the super block is exclusively ours.
        unsafe {
            let root = bindings::d_make_root(ARef::into_raw(root).as_ptr().cast());
            (*self.0.sb).s_root = root;
            if root.is_null() {
                return Err(ENOMEM);
            }
        }
        Ok(Mounted(self))
    }
}

impl<T: Operations> Deref for FilledSuperBlock<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        // SAFETY: By the type invariants.
        unsafe { SuperBlock::from_raw(self.0.sb) }
    }
}

/// A complete super block, and the proof that `fill_super` came to its end.
pub(crate) struct Mounted<'a, T: Operations>(FilledSuperBlock<'a, T>);

impl<T: Operations> Mounted<'_, T> {
    /// Makes it a read-only mount, whatever was asked for (`SB_RDONLY`).
    pub(crate) fn set_read_only(&mut self) {
        // SAFETY: The super block is exclusively ours.
        unsafe { (*self.0 .0.sb).s_flags |= bindings::SB_RDONLY as c_ulong };
    }
}

impl<T: Operations> Deref for Mounted<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        &self.0
    }
}
