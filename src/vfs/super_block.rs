// SPDX-License-Identifier: GPL-2.0-only

//! `struct super_block`: a mounted volume. C header: `include/linux/fs/super_types.h`.
//!
//! Life: `new_super_block` fills it in; then it serves [`Operations`]; `put_super` drops its data when all
//! dentries and inodes are gone, and `kill_sb` does when it never got a root.

use super::{
    bindings,
    c_str,
    fs_context,
    fs_type::Registration,
    ids::{
        Gid,
        Uid, //
    },
    inode::{
        Iget,
        Inode,
        InodeObject, //
    },
    iomap_write,
    new_inode::NewInode,
    ratelimit::Ratelimit,
    statfs::Statfs,
    workqueue::Workqueue, //
};
use core::{
    marker::PhantomData,
    mem::replace,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    fmt,
    prelude::*,
    seq_file::SeqFile,
    sync::aref::ARef,
    types::{
        ForeignOwnable as _,
        Opaque, //
    },
};

/// A file system: its types, and what it answers about a volume (`struct super_operations`).
pub(crate) trait Operations: Sized + Send + Sync + 'static {
    /// The name for `mount -t` and in `/proc/filesystems`.
    const NAME: &'static CStr;

    /// What a mount is made with.
    type Context: fs_context::Operations<Self>;

    /// What belongs to a volume (`s_fs_info`). Dropped in `put_super`.
    type Data: Send + Sync + 'static;

    /// What the file system keeps of an inode, in the same object. Dropped in `evict_inode`, when no
    /// reference is left.
    type Inode: Send + Sync + 'static;

    /// How regular files are written.
    type FileMapping: iomap_write::WriteOperations<Self>;

    /// What keeps a volume from flooding the log; each has its own, so that none silences another.
    fn ratelimit(data: &Self::Data) -> &Ratelimit;

    /// Where the ends of its writes are handled.
    fn workqueue(data: &Self::Data) -> &Workqueue;

    /// Writes what memory knows of an inode to where it belongs in memory: it is durable after
    /// [`Self::sync_fs`]. `waited`: all of its data that was dirty has been written, and waited for.
    fn write_inode(inode: &Inode<Self>, waited: bool) -> Result;

    /// Makes durable all that was written.
    fn sync_fs(sb: &SuperBlock<Self>) -> Result;

    /// Leaves the device as after an unmount, for as long as nobody writes. All is synced.
    fn freeze_fs(sb: &SuperBlock<Self>) -> Result;

    /// Undoes [`Self::freeze_fs`].
    fn unfreeze_fs(sb: &SuperBlock<Self>) -> Result;

    /// Leaves the device for good. All is synced, and there are no more inodes.
    fn put_super(sb: &SuperBlock<Self>);

    /// Stops all writing at once: the device is gone.
    fn shutdown(sb: &SuperBlock<Self>);

    /// Counts for `statfs(2)`.
    fn statfs(sb: &SuperBlock<Self>, out: &mut Statfs) -> Result;

    /// The options in force, each with a comma before it, for `/proc/mounts`.
    fn show_options(sb: &SuperBlock<Self>, seq: &SeqFile) -> Result;
}

/// A volume that has its data (`struct super_block`).
///
/// # Invariants
///
/// The super block is valid and of file system `T`; `s_fs_info` is what `KBox<T::Data>::into_foreign` gave.
#[repr(transparent)]
pub(crate) struct SuperBlock<T: Operations>(Opaque<bindings::super_block>, PhantomData<T>);

// SAFETY: Its fields are read only here, or by C functions that lock; `T::Data` is `Sync`.
unsafe impl<T: Operations> Sync for SuperBlock<T> {}

impl<T: Operations> SuperBlock<T> {
    /// Borrows a super block.
    ///
    /// # Safety
    ///
    /// The type invariants hold during `'a`.
    pub(super) unsafe fn from_raw<'a>(sb: *mut bindings::super_block) -> &'a Self {
        // SAFETY: By the caller's word; the layouts are equal.
        unsafe { &*sb.cast() }
    }

    /// A user by the number on the volume, which is one of the namespace that mounted it (`make_kuid`); `None`
    /// if there is no such user.
    pub(crate) fn uid(&self, number: u32) -> Option<Uid> {
        // SAFETY: The super block is valid, and its namespace stays.
        let uid = unsafe { bindings::make_kuid((*self.as_ptr()).s_user_ns, number) };
        (uid.val != u32::MAX).then_some(Uid(uid))
    }

    /// A group by the number on the volume, as [`Self::uid`] (`make_kgid`).
    pub(crate) fn gid(&self, number: u32) -> Option<Gid> {
        // SAFETY: As above.
        let gid = unsafe { bindings::make_kgid((*self.as_ptr()).s_user_ns, number) };
        (gid.val != u32::MAX).then_some(Gid(gid))
    }

    /// The C structure.
    pub(super) fn as_ptr(&self) -> *mut bindings::super_block {
        self.0.get()
    }

    /// The file system's data of this volume.
    pub(crate) fn data(&self) -> &T::Data {
        // SAFETY: By the type invariant; shared borrows only are made of it.
        unsafe { &*(*self.as_ptr()).s_fs_info.cast::<T::Data>() }
    }

    /// The block size, in bytes: a power of two (`s_blocksize`).
    pub(crate) fn block_size(&self) -> usize {
        // SAFETY: The structure is valid; the size does not change once there are inodes.
        unsafe { (*self.as_ptr()).s_blocksize }
    }

    /// Whether it is mounted read-only now (`sb_rdonly`).
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: The structure is valid; a flag may be read at any time.
        unsafe { (*self.as_ptr()).s_flags & bindings::SB_RDONLY as c_ulong != 0 }
    }

    /// Writes all dirty folios and inodes and syncs (`sync_filesystem`), with `s_umount` held.
    pub(crate) fn sync_filesystem(&self) -> Result {
        // SAFETY: The structure is valid.
        to_result(unsafe { bindings::sync_filesystem(self.as_ptr()) })
    }

    /// Does something while the volume is frozen, with everything on its device (`bdev_freeze`). May sleep; the
    /// caller has no freeze protection.
    pub(crate) fn while_frozen(&self, act: impl FnOnce()) -> Result {
        // SAFETY: The structure is valid, with the device that it is on; it is thawed once for each freeze.
        unsafe {
            let bdev = (*self.as_ptr()).s_bdev;
            to_result(bindings::bdev_freeze(bdev))?;
            act();
            to_result(bindings::bdev_thaw(bdev))
        }
    }

    /// Logs an error of this volume; no more than a few in some seconds.
    pub(crate) fn error(&self, message: fmt::Arguments<'_>) {
        if T::ratelimit(self.data()).allows() {
            // SAFETY: The structure is valid.
            unsafe { log_error(self.as_ptr(), message) };
        }
    }

    /// Logs what must not be missed of this volume, however much was logged before.
    pub(crate) fn critical(&self, message: fmt::Arguments<'_>) {
        // SAFETY: The structure is valid.
        pr_crit!("({}): {}\n", unsafe { id(self.as_ptr()) }, message);
    }

    /// Panics, with a message about this volume (`panic`). Returns only when the system is on its way down,
    /// and its devices with it.
    pub(crate) fn panic(&self) {
        // SAFETY: The structure is valid.
        unsafe { bindings::panic_for_errors(id(self.as_ptr()).as_char_ptr()) };
    }

    /// Logs a warning about this volume; no more than a few in some seconds.
    pub(crate) fn warn(&self, message: fmt::Arguments<'_>) {
        if T::ratelimit(self.data()).allows() {
            // SAFETY: The structure is valid.
            unsafe { log_warn(self.as_ptr(), message) };
        }
    }

    /// The inode of this number: the one in the cache, or a new one to be filled in (`iget_locked`). Waits
    /// while another thread fills it in. May sleep.
    pub(crate) fn iget(&self, ino: u64) -> Result<Iget<T>> {
        // SAFETY: The super block is valid and has our operations.
        let inode = unsafe { bindings::iget_locked(self.as_ptr(), ino) };
        let inode = NonNull::new(inode).ok_or(ENOMEM)?;
        // SAFETY: `iget_locked` returned a reference; what is new is ours to fill in.
        Ok(unsafe {
            if bindings::inode_is_new(inode.as_ptr()) {
                Iget::New(NewInode::from_raw(inode))
            } else {
                Iget::Cached(ARef::from_raw(inode.cast::<Inode<T>>()))
            }
        })
    }

    /// Frees the data, if there is any.
    ///
    /// # Safety
    ///
    /// `sb` is a super block of `T` that nothing uses any more.
    unsafe fn take_data(sb: *mut bindings::super_block) {
        // SAFETY: Null, or what `NewSuperBlock::set_data` stored; null from here on.
        unsafe {
            let data = replace(&mut (*sb).s_fs_info, ptr::null_mut());
            drop(Pin::<KBox<T::Data>>::try_from_foreign(data));
        }
    }
}

/// `kill_sb` of `struct file_system_type`.
///
/// # Safety
///
/// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
pub(super) unsafe extern "C" fn kill_sb<T: Operations>(sb: *mut bindings::super_block) {
    // SAFETY: The VFS ends a super block of `T`; `put_super` was not called for one without a root, of
    // which nobody but `fill_super` ever knew.
    unsafe {
        bindings::kill_block_super(sb);
        SuperBlock::<T>::take_data(sb);
    }
}

/// The ops table of a super block.
pub(super) struct Table<T>(PhantomData<T>);

impl<T: Operations> Table<T> {
    /// The table.
    pub(super) const TABLE: bindings::super_operations = bindings::super_operations {
        alloc_inode: Some(Self::alloc_inode),
        free_inode: Some(Self::free_inode),
        evict_inode: Some(Self::evict_inode),
        write_inode: Some(Self::write_inode),
        sync_fs: Some(Self::sync_fs),
        freeze_fs: Some(Self::freeze_fs),
        unfreeze_fs: Some(Self::unfreeze_fs),
        shutdown: Some(Self::shutdown),
        put_super: Some(Self::put_super),
        statfs: Some(Self::statfs),
        show_options: Some(Self::show_options),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn alloc_inode(sb: *mut bindings::super_block) -> *mut bindings::inode {
        // SAFETY: The VFS passes our super block; a new object has no data yet.
        unsafe {
            let object = Registration::<T>::inode_cache(sb).alloc(sb);
            if !object.is_null() {
                InodeObject::begin(object);
            }
            object.cast()
        }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn free_inode(inode: *mut bindings::inode) {
        // SAFETY: An object of a slab cache may be given to `kfree`; nobody uses it after the grace period.
        // (The super block, and with it the way to the cache, may be gone already.)
        unsafe { bindings::kfree(inode.cast()) };
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn evict_inode(inode: *mut bindings::inode) {
        // SAFETY: The last reference is gone, so nobody has an `&Inode` and the data can go too: in RCU
        // walk nothing of ours looks at it.
        unsafe {
            bindings::truncate_inode_pages_final(&raw mut (*inode).i_data);
            bindings::clear_inode(inode);
            InodeObject::<T>::end(inode.cast());
        }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn put_super(sb: *mut bindings::super_block) {
        // SAFETY: All dentries and inodes are gone. A path walk that still looks at one of those dentries
        // under RCU may be in `d_hash` or `d_compare`, which use the data: wait for it.
        unsafe {
            T::put_super(SuperBlock::from_raw(sb));
            if !(*sb).__s_d_op.is_null() {
                bindings::synchronize_rcu();
            }
            SuperBlock::<T>::take_data(sb);
        }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for an inode of `T`.
    unsafe extern "C" fn write_inode(
        inode: *mut bindings::inode,
        wbc: *mut bindings::writeback_control,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our inode, and what it wants of the call.
            unsafe {
                let waited = (*wbc).sync_mode == bindings::writeback_sync_modes_WB_SYNC_ALL
                    && (*wbc).for_sync() == 0;
                T::write_inode(Inode::from_raw(inode), waited)?;
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn sync_fs(sb: *mut bindings::super_block, wait: c_int) -> c_int {
        from_result(|| {
            if wait != 0 {
                // SAFETY: The VFS passes our super block with its `s_umount` held. An inode may be dirty again:
                // that its data arrived was noted after it was written.
                unsafe {
                    bindings::sync_inodes_sb(sb);
                    T::sync_fs(SuperBlock::from_raw(sb))?;
                }
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn freeze_fs(sb: *mut bindings::super_block) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our super block.
            T::freeze_fs(unsafe { SuperBlock::from_raw(sb) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn unfreeze_fs(sb: *mut bindings::super_block) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our super block.
            T::unfreeze_fs(unsafe { SuperBlock::from_raw(sb) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn shutdown(sb: *mut bindings::super_block) {
        // SAFETY: The VFS passes our super block.
        T::shutdown(unsafe { SuperBlock::from_raw(sb) });
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn statfs(
        dentry: *mut bindings::dentry,
        out: *mut kernel::bindings::kstatfs,
    ) -> c_int {
        let out = out.cast::<bindings::kstatfs>();
        from_result(|| {
            // SAFETY: The VFS passes a dentry of our super block and a zeroed structure.
            unsafe {
                let sb = (*dentry).d_sb;
                (*out).f_type = (*sb).s_magic as c_long;
                (*out).f_fsid = bindings::fsid(sb);
                T::statfs(SuperBlock::from_raw(sb), Statfs::from_raw(out))?;
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct super_operations` says, for a super block of `T`.
    unsafe extern "C" fn show_options(
        seq: *mut bindings::seq_file,
        root: *mut bindings::dentry,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a dentry of our super block and a file that this thread writes.
            unsafe { T::show_options(SuperBlock::from_raw((*root).d_sb), SeqFile::from_raw(seq))? };
            Ok(0)
        })
    }
}

/// The name of the device, for messages (`s_id`).
///
/// # Safety
///
/// `sb` is valid during `'a`.
unsafe fn id<'a>(sb: *mut bindings::super_block) -> &'a CStr {
    // SAFETY: `s_id` is a terminated string, set before `fill_super`.
    unsafe { c_str::from_char_ptr((&raw const (*sb).s_id).cast()) }
}

/// Logs an error.
///
/// # Safety
///
/// `sb` is valid.
pub(super) unsafe fn log_error(sb: *mut bindings::super_block, message: fmt::Arguments<'_>) {
    // SAFETY: By the caller's word.
    pr_err!("({}): {}\n", unsafe { id(sb) }, message);
}

/// Logs a warning.
///
/// # Safety
///
/// `sb` is valid.
pub(super) unsafe fn log_warn(sb: *mut bindings::super_block, message: fmt::Arguments<'_>) {
    // SAFETY: By the caller's word.
    pr_warn!("({}): {}\n", unsafe { id(sb) }, message);
}
