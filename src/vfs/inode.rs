// SPDX-License-Identifier: GPL-2.0-only

//! `struct inode` and `struct inode_operations`. C header: `include/linux/fs.h`.
//!
//! A `struct inode` and the file system's part of it are one object of a slab cache. An [`Inode`] is seen
//! from `unlock_new_inode` (`new_inode`) to `evict_inode` (`super_block`); in that time its data is there
//! and is borrowed shared only.

use super::{
    bindings,
    dentry::{
        Dentry,
        Unhashed, //
    },
    fiemap::FiemapRequest,
    iattr::Iattr,
    ioend::EndedWrites,
    kstat::Kstat,
    new_inode::NewInode,
    posix_acl::{
        self,
        PosixAcl,
        Which, //
    },
    super_block::{
        self,
        SuperBlock, //
    },
    time::Timespec,
    xattr::Names, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
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
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed, //
        },
    },
    types::Opaque, //
};

/// Bits of `FS_IOC_GETFLAGS`.
pub(crate) mod file_flags {
    use super::bindings;

    /// Compressed; in a directory, new files will be (`FS_COMPR_FL`).
    pub(crate) const COMPRESSED: u32 = bindings::FS_COMPR_FL;
    /// Nobody may change it (`FS_IMMUTABLE_FL`).
    pub(crate) const IMMUTABLE: u32 = bindings::FS_IMMUTABLE_FL;
    /// Encrypted; in a directory, new files will be (`FS_ENCRYPT_FL`).
    pub(crate) const ENCRYPTED: u32 = bindings::FS_ENCRYPT_FL;
    /// A directory in which names that differ by case only are the same (`FS_CASEFOLD_FL`).
    pub(crate) const IGNORES_CASE: u32 = bindings::FS_CASEFOLD_FL;
}

/// What every inode can do (`struct inode_operations`).
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// Adds to `stat` what `generic_fillattr` does not know.
    fn getattr(inode: &Inode<T>, stat: &mut Kstat) -> Result;

    /// What `FS_IOC_GETFLAGS` and `FS_IOC_FSGETXATTR` give (`fileattr_get`), of [`file_flags`]. They cannot be
    /// set.
    fn file_flags(inode: &Inode<T>) -> u32;

    /// Changes what `attr` says, as far as it is not a mere field of `struct inode`, and takes out of `attr`
    /// what is not to be changed. The caller may do all of it. The inode is locked exclusively.
    fn setattr(inode: &Inode<T>, attr: &mut Iattr) -> Result;

    /// Adds the names of the extended attributes that the caller may know of to `names`.
    fn listxattr(inode: &Inode<T>, names: &mut Names<'_>) -> Result;
}

/// What all but symbolic links have permissions by.
pub(crate) trait AclOperations<T: super_block::Operations>: Operations<T> {
    /// The access control list, if there is one. The VFS asks on a volume with
    /// [`set_posix_acl`](super::new_super_block::NewSuperBlock::set_posix_acl), and keeps the list up to the next
    /// change of the inode's attributes. May sleep.
    fn posix_acl(inode: &Inode<T>, which: Which) -> Result<Option<PosixAcl>>;
}

/// What a directory can do.
pub(crate) trait DirOperations<T: super_block::Operations>: AclOperations<T> {
    /// Looks a name up and says so by one of the methods of `dentry`. `dir` is locked, shared or not.
    fn lookup(dir: &Inode<T>, dentry: Unhashed<'_, T>) -> Result<Option<ARef<Dentry<T>>>>;
}

/// What a regular file can do.
pub(crate) trait FileOperations<T: super_block::Operations>: AclOperations<T> {
    /// Reports where the file is on the device.
    fn fiemap(inode: &Inode<T>, request: FiemapRequest<'_>) -> Result;
}

/// What a symbolic link can do.
pub(crate) trait SymlinkOperations<T: super_block::Operations>: Operations<T> {
    /// The target, without a NUL. May sleep: in RCU walk the VFS is told to come again.
    fn get_link(inode: &Inode<T>) -> Result<KVec<u8>>;
}

/// An inode of file system `T` (`struct inode`).
///
/// # Invariants
///
/// It is the first field of an [`InodeObject`] of `T` whose data is initialised.
#[repr(transparent)]
pub(crate) struct Inode<T: super_block::Operations>(Opaque<bindings::inode>, PhantomData<T>);

// SAFETY: Only immutable fields are read directly, others through C functions that order or lock; `T::Inode`
// is `Send` and `Sync`, and the last reference may go on any thread.
unsafe impl<T: super_block::Operations> Send for Inode<T> {}
// SAFETY: As above.
unsafe impl<T: super_block::Operations> Sync for Inode<T> {}

// SAFETY: `ihold` and `iput` count; an inode stays as long as its count is not 0.
unsafe impl<T: super_block::Operations> AlwaysRefCounted for Inode<T> {
    fn inc_ref(&self) {
        // SAFETY: The reference shows that the count is not 0.
        unsafe { bindings::ihold(self.as_ptr()) };
    }

    unsafe fn dec_ref(inode: NonNull<Self>) {
        // SAFETY: The caller gives its reference away.
        unsafe { bindings::iput(inode.as_ptr().cast()) };
    }
}

impl<T: super_block::Operations> Inode<T> {
    /// Borrows an inode.
    ///
    /// # Safety
    ///
    /// The type invariants hold during `'a`.
    pub(super) unsafe fn from_raw<'a>(inode: *mut bindings::inode) -> &'a Self {
        // SAFETY: By the caller's word; the layouts are equal.
        unsafe { &*inode.cast() }
    }

    /// The C structure.
    pub(super) fn as_ptr(&self) -> *mut bindings::inode {
        self.0.get()
    }

    fn object(&self) -> *mut InodeObject<T> {
        self.as_ptr().cast()
    }

    /// The file system's part.
    pub(crate) fn data(&self) -> &T::Inode {
        // SAFETY: By the type invariant.
        unsafe { (*self.object()).data.assume_init_ref() }
    }

    /// The volume.
    pub(crate) fn super_block(&self) -> &SuperBlock<T> {
        // SAFETY: An inode's super block is there as long as the inode, and has its data.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).i_sb) }
    }

    /// The number.
    pub(crate) fn ino(&self) -> u64 {
        // SAFETY: Never changes.
        unsafe { (*self.as_ptr()).i_ino }
    }

    /// The generation, by which a handle to a former file of this number is told from this one.
    pub(crate) fn generation(&self) -> u32 {
        // SAFETY: Never changes once the inode is seen.
        unsafe { (*self.as_ptr()).i_generation }
    }

    /// Whether nobody may change it (`IS_IMMUTABLE`).
    pub(crate) fn is_immutable(&self) -> bool {
        // SAFETY: The inode is valid; the flag does not change once it is seen.
        unsafe { (*self.as_ptr()).i_flags & bindings::S_IMMUTABLE != 0 }
    }

    /// Type and permissions. They may change at any time.
    pub(crate) fn mode(&self) -> u16 {
        // SAFETY: The inode is valid.
        unsafe { (&raw const (*self.as_ptr()).i_mode).read_volatile() }
    }

    /// The size in bytes (`i_size_read`).
    pub(crate) fn size(&self) -> u64 {
        // SAFETY: The inode is valid.
        let size = unsafe { bindings::i_size_read(self.as_ptr()) };
        u64::try_from(size).unwrap_or(0)
    }

    /// Where the bytes end that come from the device, or are dirty in the page cache: from there to the size,
    /// all are zero.
    pub(crate) fn valid_size(&self) -> u64 {
        self.valid_mark().min(self.size())
    }

    /// [`Self::valid_size`] whatever the size is: no bytes are valid behind it, but bytes before it may be
    /// behind the end of the file.
    pub(super) fn valid_mark(&self) -> u64 {
        self.valid_atomic().load(Relaxed)
    }

    fn valid_atomic(&self) -> &Atomic<u64> {
        // SAFETY: By the type invariant.
        unsafe { &(*self.object()).valid_size }
    }

    /// Whether all that is written has to be durable at once (`IS_SYNC`).
    pub(super) fn is_sync(&self) -> bool {
        // SAFETY: The inode is valid.
        unsafe { bindings::is_sync(self.as_ptr()) }
    }

    /// Raises [`Self::valid_size`]. The folio with the last bytes is locked, or no folio is read meanwhile:
    /// else it could go and be read in again between its change and this.
    pub(crate) fn raise_valid_size(&self, bytes: u64) {
        let mut now = self.valid_mark();
        // Each turn but the last saw another thread raise it.
        while now < bytes {
            match self.valid_atomic().cmpxchg(now, bytes, Relaxed) {
                Ok(_) => break,
                Err(other) => now = other,
            }
        }
    }

    /// Sets [`Self::valid_size`]. The inode and its mapping are locked exclusively.
    pub(crate) fn set_valid_size(&self, bytes: u64) {
        self.valid_atomic().store(bytes, Relaxed);
    }

    /// The mapping.
    pub(super) fn mapping(&self) -> *mut bindings::address_space {
        // SAFETY: The inode is valid.
        unsafe { &raw mut (*self.as_ptr()).i_data }
    }

    /// How many bytes a folio of the page cache has at least (`mapping_min_folio_nrbytes`).
    pub(crate) fn min_folio_bytes(&self) -> u64 {
        // SAFETY: The mapping of a live inode is valid.
        unsafe { bindings::mapping_min_folio_nrbytes(self.mapping()) as u64 }
    }

    /// Sets the size, by who has the inode locked exclusively (`i_size_write`).
    pub(super) fn write_size(&self, bytes: i64) {
        // SAFETY: The inode is valid.
        unsafe { bindings::i_size_write(self.as_ptr(), bytes) };
    }

    /// When it was last read, when its content last changed, and when it last changed.
    pub(crate) fn times(&self) -> (Timespec, Timespec, Timespec) {
        let (mut atime, mut mtime, mut ctime) = Default::default();
        // SAFETY: The inode is valid; a time that changes meanwhile is read as somewhere in between, and the
        // inode is dirty then.
        unsafe {
            bindings::inode_get_atime(self.as_ptr(), &mut atime);
            bindings::inode_get_mtime(self.as_ptr(), &mut mtime);
            bindings::inode_get_ctime(self.as_ptr(), &mut ctime);
        }
        (atime.into(), mtime.into(), ctime.into())
    }

    /// It has changed now, but not its content (`inode_set_ctime_current`). By who has the inode locked exclusively.
    pub(crate) fn note_change(&self) {
        // SAFETY: The inode is valid.
        unsafe { bindings::inode_set_ctime_current(self.as_ptr()) };
        self.mark_dirty();
    }

    /// Has it written to its record soon (`mark_inode_dirty`).
    pub(crate) fn mark_dirty(&self) {
        let flags = bindings::inode_state_flags_enum_I_DIRTY_SYNC
            | bindings::inode_state_flags_enum_I_DIRTY_DATASYNC
            | bindings::inode_state_flags_enum_I_DIRTY_PAGES;
        // SAFETY: The inode is valid.
        unsafe { bindings::__mark_inode_dirty(self.as_ptr(), flags as c_int) };
    }

    /// Has who waits for the writing of the file know that it failed (`mapping_set_error`).
    pub(crate) fn set_write_error(&self, error: Error) {
        super::writeback::set_error(self, error);
    }

    /// Waits for direct I/O (`inode_dio_wait`); with the inode locked, no more begins.
    pub(crate) fn dio_wait(&self) {
        // SAFETY: The inode is valid.
        unsafe { bindings::inode_dio_wait(self.as_ptr()) };
    }

    /// Writes the dirty folios of a range and waits for them (`filemap_write_and_wait_range`).
    pub(crate) fn write_and_wait(&self, start: u64, end: u64) -> Result {
        let Some(last) = end.checked_sub(1).filter(|last| *last >= start) else {
            return Ok(());
        };
        let (start, last) = (
            i64::try_from(start)?,
            i64::try_from(last).unwrap_or(i64::MAX),
        );
        // SAFETY: The mapping of a live inode is valid.
        to_result(unsafe { bindings::filemap_write_and_wait_range(self.mapping(), start, last) })
    }

    /// Drops what the page cache has of a range; of pages that are only in part in it, zeroes that part
    /// (`truncate_pagecache_range`). The mapping is locked exclusively.
    pub(crate) fn truncate_pagecache_range(&self, start: u64, end: u64) -> Result {
        let Some(last) = end.checked_sub(1).filter(|last| *last >= start) else {
            return Ok(());
        };
        let (start, last) = (
            i64::try_from(start)?,
            i64::try_from(last).unwrap_or(i64::MAX),
        );
        // SAFETY: The inode is valid.
        unsafe { bindings::truncate_pagecache_range(self.as_ptr(), start, last) };
        Ok(())
    }

    /// Sets the size and drops what the page cache has behind it (`truncate_setsize`). The inode and its
    /// mapping are locked exclusively.
    pub(crate) fn truncate_setsize(&self, bytes: u64) -> Result {
        let bytes = i64::try_from(bytes).map_err(|_| EFBIG)?;
        // SAFETY: The inode is valid.
        unsafe { bindings::truncate_setsize(self.as_ptr(), bytes) };
        Ok(())
    }
}

/// What `iget` found.
pub(crate) enum Iget<T: super_block::Operations> {
    /// An inode that was there.
    Cached(ARef<Inode<T>>),
    /// A new one, which all others wait for.
    New(NewInode<T>),
}

/// An object of the inode cache.
#[repr(C)]
pub(super) struct InodeObject<T: super_block::Operations> {
    inode: bindings::inode,
    /// See [`Inode::valid_size`].
    valid_size: Atomic<u64>,
    /// Of a directory: whether names in it are told apart by case, whatever holds for the volume. Looked at in RCU
    /// walk.
    case_sensitive: Atomic<bool>,
    pub(super) ended_writes: EndedWrites,
    /// Whether `data` is there.
    has_data: bool,
    data: MaybeUninit<T::Inode>,
}

impl<T: super_block::Operations> InodeObject<T> {
    /// Makes an object that was just allocated one without data.
    ///
    /// # Safety
    ///
    /// `object` is valid and nobody else uses it.
    pub(super) unsafe fn begin(object: *mut Self) {
        // SAFETY: By the caller's word.
        unsafe {
            (&raw mut (*object).valid_size).write(Atomic::new(u64::MAX));
            (&raw mut (*object).case_sensitive).write(Atomic::new(false));
            EndedWrites::begin::<T>(&raw mut (*object).ended_writes);
            (*object).has_data = false;
        }
    }

    /// Sets [`Inode::valid_size`].
    ///
    /// # Safety
    ///
    /// `object` is valid.
    pub(super) unsafe fn set_valid_size(object: *mut Self, bytes: u64) {
        // SAFETY: By the caller's word.
        unsafe { (*object).valid_size.store(bytes, Relaxed) };
    }

    /// Sets whether names in a directory are told apart by case.
    ///
    /// # Safety
    ///
    /// `object` is valid.
    pub(super) unsafe fn set_case_sensitive(object: *mut Self) {
        // SAFETY: By the caller's word.
        unsafe { (*object).case_sensitive.store(true, Relaxed) };
    }

    /// Whether names in a directory are told apart by case.
    ///
    /// # Safety
    ///
    /// `object` was valid when RCU walk, which goes on, found it.
    pub(super) unsafe fn is_case_sensitive(object: *const Self) -> bool {
        // SAFETY: The object is given back only after the walk.
        unsafe { (*object).case_sensitive.load(Relaxed) }
    }

    /// Initialises the data, which makes it an [`Inode`]. After an error it is not one.
    ///
    /// # Safety
    ///
    /// `object` is valid, without data, and nobody else uses it.
    pub(super) unsafe fn init<E>(object: *mut Self, data: impl PinInit<T::Inode, E>) -> Result
    where
        Error: From<E>,
    {
        // SAFETY: The memory is valid and uninitialised, and objects do not move.
        unsafe {
            data.__init((&raw mut (*object).data).cast())?;
            (*object).has_data = true;
        }
        Ok(())
    }

    /// Drops the data, if there is any.
    ///
    /// # Safety
    ///
    /// `object` is valid and nobody else uses it.
    pub(super) unsafe fn end(object: *mut Self) {
        // SAFETY: The data is there if the flag says so, and nobody else looks at it.
        unsafe {
            if (*object).has_data {
                (*object).has_data = false;
                ptr::drop_in_place((*object).data.as_mut_ptr());
            }
        }
    }
}

/// The ops tables of the kinds of inodes.
pub(super) struct Table<T, I>(PhantomData<(T, I)>);

impl<T: super_block::Operations, I: AclOperations<T>> Table<T, I> {
    /// Of a device, fifo or socket.
    pub(super) const SPECIAL: bindings::inode_operations = bindings::inode_operations {
        getattr: Some(Self::getattr),
        setattr: Some(Self::setattr),
        fileattr_get: Some(Self::fileattr_get),
        fileattr_set: Some(Self::fileattr_set),
        listxattr: Some(Self::listxattr),
        get_inode_acl: Some(Self::get_inode_acl),
        ..pin_init::zeroed()
    };
}

impl<T: super_block::Operations, I: Operations<T>> Table<T, I> {
    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn getattr(
        idmap: *mut bindings::mnt_idmap,
        path: *const bindings::path,
        stat: *mut bindings::kstat,
        request: u32,
        _flags: c_uint,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a path to an inode of ours and a structure for the answer.
            unsafe {
                let inode = (*(*path).dentry).d_inode;
                bindings::generic_fillattr(idmap, request, inode, stat);
                I::getattr(Inode::from_raw(inode), Kstat::from_raw(stat))?;
            }
            Ok(0)
        })
    }
}

impl<T: super_block::Operations, I: Operations<T>> Table<T, I> {
    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn fileattr_get(
        dentry: *mut bindings::dentry,
        answer: *mut bindings::file_kattr,
    ) -> c_int {
        // SAFETY: The VFS passes a dentry of our inode and a structure for the answer.
        unsafe {
            let inode = Inode::from_raw((*dentry).d_inode);
            bindings::fileattr_fill_flags(answer, I::file_flags(inode));
        }
        0
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn fileattr_set(
        _idmap: *mut bindings::mnt_idmap,
        _dentry: *mut bindings::dentry,
        _wanted: *mut bindings::file_kattr,
    ) -> c_int {
        // Without this function it would be `ENOTTY`, as if there were no flags.
        EOPNOTSUPP.to_errno()
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn setattr(
        idmap: *mut bindings::mnt_idmap,
        dentry: *mut bindings::dentry,
        attr: *mut bindings::iattr,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a dentry of our inode, which is locked, and what to change.
            unsafe {
                to_result(bindings::setattr_prepare(idmap, dentry, attr))?;
                let inode = (*dentry).d_inode;
                // All files have the owner that the mount says.
                if bindings::i_uid_needs_update(idmap, attr, inode)
                    || bindings::i_gid_needs_update(idmap, attr, inode)
                {
                    return Err(EPERM);
                }
                I::setattr(Inode::from_raw(inode), Iattr::from_raw(attr))?;
                bindings::setattr_copy(idmap, inode, attr);
                // What it gives depends on the mode.
                bindings::forget_cached_acl(inode, posix_acl::TYPE_ACCESS);
                Inode::<T>::from_raw(inode).mark_dirty();
            }
            Ok(0)
        })
    }
}

impl<T: super_block::Operations, I: Operations<T>> Table<T, I> {
    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn listxattr(
        dentry: *mut bindings::dentry,
        list: *mut c_char,
        size: usize,
    ) -> isize {
        let listed = || {
            // SAFETY: The VFS passes a dentry of our inode, and room for `size` bytes, or 0 to ask how many
            // are needed.
            let (inode, mut names) =
                unsafe { (Inode::from_raw((*dentry).d_inode), Names::new(list, size)) };
            I::listxattr(inode, &mut names)?;
            Ok(isize::try_from(names.length())?)
        };
        from_result(listed)
    }
}

impl<T: super_block::Operations, I: AclOperations<T>> Table<T, I> {
    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn get_inode_acl(
        inode: *mut bindings::inode,
        which: c_int,
        rcu: bool,
    ) -> *mut bindings::posix_acl {
        if rcu {
            return ECHILD.to_ptr();
        }
        let list = || {
            // SAFETY: Not in RCU walk, so the VFS holds a reference to our inode.
            I::posix_acl(unsafe { Inode::from_raw(inode) }, Which::from_raw(which)?)
        };
        match list() {
            Ok(None) => ptr::null_mut(),
            Ok(Some(list)) => list.into_raw(),
            Err(err) => err.to_ptr(),
        }
    }
}

impl<T: super_block::Operations, I: DirOperations<T>> Table<T, I> {
    /// Of a directory.
    pub(super) const DIR: bindings::inode_operations = bindings::inode_operations {
        lookup: Some(Self::lookup),
        getattr: Some(Self::getattr),
        setattr: Some(Self::setattr),
        fileattr_get: Some(Self::fileattr_get),
        fileattr_set: Some(Self::fileattr_set),
        listxattr: Some(Self::listxattr),
        get_inode_acl: Some(Self::get_inode_acl),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn lookup(
        dir: *mut bindings::inode,
        dentry: *mut bindings::dentry,
        _flags: c_uint,
    ) -> *mut bindings::dentry {
        // SAFETY: The VFS passes our directory, locked, and a new dentry in it, which is ours to fill in.
        let found = unsafe { I::lookup(Inode::from_raw(dir), Unhashed::from_raw(dentry)) };
        match found {
            Ok(None) => ptr::null_mut(),
            Ok(Some(other)) => ARef::into_raw(other).as_ptr().cast(),
            Err(err) => err.to_ptr(),
        }
    }
}

impl<T: super_block::Operations, I: FileOperations<T>> Table<T, I> {
    /// Of a regular file.
    pub(super) const FILE: bindings::inode_operations = bindings::inode_operations {
        getattr: Some(Self::getattr),
        setattr: Some(Self::setattr),
        fileattr_get: Some(Self::fileattr_get),
        fileattr_set: Some(Self::fileattr_set),
        listxattr: Some(Self::listxattr),
        get_inode_acl: Some(Self::get_inode_acl),
        fiemap: Some(Self::fiemap),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn fiemap(
        inode: *mut bindings::inode,
        info: *mut bindings::fiemap_extent_info,
        start: u64,
        len: u64,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our inode and a request to be answered in this call.
            unsafe { I::fiemap(Inode::from_raw(inode), FiemapRequest::new(info, start, len))? };
            Ok(0)
        })
    }
}

impl<T: super_block::Operations, I: SymlinkOperations<T>> Table<T, I> {
    /// Of a symbolic link.
    pub(super) const SYMLINK: bindings::inode_operations = bindings::inode_operations {
        get_link: Some(Self::get_link),
        getattr: Some(Self::getattr),
        setattr: Some(Self::setattr),
        fileattr_get: Some(Self::fileattr_get),
        fileattr_set: Some(Self::fileattr_set),
        listxattr: Some(Self::listxattr),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn get_link(
        dentry: *mut bindings::dentry,
        inode: *mut bindings::inode,
        done: *mut bindings::delayed_call,
    ) -> *const c_char {
        if dentry.is_null() {
            return ECHILD.to_ptr::<c_char>();
        }
        // SAFETY: Not in RCU walk, so the VFS holds a reference to our inode.
        match Self::link_text(unsafe { Inode::from_raw(inode) }) {
            Ok(text) => {
                let (text, _, _) = text.into_raw_parts();
                // SAFETY: The memory is a `KVec`'s, so `kfree` is right; the VFS calls it once, later.
                unsafe { bindings::set_delayed_call(done, Some(Self::free_link), text.cast()) };
                text.cast()
            }
            Err(err) => err.to_ptr::<c_char>(),
        }
    }

    /// The target as C wants it: terminated, not empty, not too long, without another NUL.
    fn link_text(inode: &Inode<T>) -> Result<KVec<u8>> {
        let target = I::get_link(inode)?;
        if target.is_empty() || target.contains(&0) {
            return Err(EUCLEAN);
        }
        if target.len() >= LINK_MAX_BYTES {
            return Err(ENAMETOOLONG);
        }
        // (Not `push`, whose arithmetic may panic.)
        let mut text = KVec::from_elem(0, target.len().saturating_add(1), GFP_KERNEL)?;
        for (to, from) in text.iter_mut().zip(target.iter()) {
            *to = *from;
        }
        Ok(text)
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct inode_operations` says, for an inode of `T`.
    unsafe extern "C" fn free_link(text: *mut c_void) {
        // SAFETY: What `get_link` passed to `set_delayed_call`.
        unsafe { bindings::kfree(text) };
    }
}

/// The longest path (`PATH_MAX`), with its NUL.
const LINK_MAX_BYTES: usize = 4096;
