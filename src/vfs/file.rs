// SPDX-License-Identifier: GPL-2.0-only

//! `struct file_operations` of regular files and of directories. C header: `include/linux/fs.h`.

use super::{
    address_space,
    bindings,
    dir_context::DirContext,
    inode::Inode,
    inode_lock::InodeLock,
    kiocb::Kiocb,
    super_block,
    vm_ops, //
};
use core::marker::PhantomData;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex,
    types::ForeignOwnable as _, //
};

/// What a regular file does. Mapping it, splicing and leases are generic.
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// Whether it may be opened, and whether for `writing` too; `generic_file_open` agreed.
    fn open(inode: &Inode<T>, writing: bool) -> Result;

    /// Reads, by one of the methods of `iocb`; `EAGAIN` if that may not wait and would have to.
    fn read_iter(iocb: &mut Kiocb<'_, T>, to: &mut IovIterDest<'_>) -> Result<usize>;

    /// Writes, by the methods of `iocb`; `EIOCBQUEUED` if it goes on in the background, `EAGAIN` if it may
    /// not wait and would have to. No lock is held.
    fn write_iter(iocb: &mut Kiocb<'_, T>, from: &mut IovIterSource<'_>) -> Result<usize>;

    /// Makes durable what belongs to the file; its dirty folios were written. No lock is held.
    fn fsync(inode: &Inode<T>) -> Result;

    /// One that was open for writing is closed while its inode is dirty. Nobody hears of an error; the inode
    /// stays dirty. No lock is held, and nobody freezes the file system meanwhile.
    fn release(inode: &Inode<T>);

    /// Changes the extents of a range (`fallocate(2)`); `mode` has `FALLOC_FL_*`. The inode is locked
    /// exclusively.
    fn fallocate(inode: &Inode<T>, mode: u32, offset: u64, len: u64) -> Result;

    /// The first hole or data at or after `offset`; `ENXIO` if there is none.
    fn seek(inode: &Inode<T>, offset: u64, what: Seek) -> Result<u64>;

    /// An ioctl of the file system; `ENOTTY` for all that it does not have.
    fn ioctl(inode: &Inode<T>, cmd: u32, arg: UserPtr) -> Result<isize>;
}

/// What a directory does.
pub(crate) trait DirOperations<T: super_block::Operations>: 'static {
    /// What an open directory remembers between two reads.
    type Cursor: Send + Unpin + 'static;

    /// Opens it.
    fn open(inode: &Inode<T>) -> Result<Self::Cursor>;

    /// Emits entries from `ctx.pos()` on, until there is no more room. The directory is locked, shared.
    fn iterate_shared(
        inode: &Inode<T>,
        cursor: &mut Self::Cursor,
        ctx: &mut DirContext<'_, T>,
    ) -> Result;

    /// Makes durable what belongs to the directory. No lock is held.
    fn fsync(inode: &Inode<T>) -> Result;

    /// An ioctl of the file system; `ENOTTY` for all that it does not have.
    fn ioctl(inode: &Inode<T>, cmd: u32, arg: UserPtr) -> Result<isize>;
}

/// What to seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seek {
    /// `SEEK_DATA`.
    Data,
    /// `SEEK_HOLE`.
    Hole,
}

/// The inode of an open file.
///
/// # Safety
///
/// `file` is an open file of `T`, during `'a`.
unsafe fn file_inode<'a, T: super_block::Operations>(file: *mut bindings::file) -> &'a Inode<T> {
    // SAFETY: An open file keeps its inode.
    unsafe { Inode::from_raw((*file).f_inode) }
}

/// The ops table of a regular file.
pub(super) struct Table<T, F, A>(PhantomData<(T, F, A)>);

impl<T, F, A> Table<T, F, A>
where
    T: super_block::Operations,
    F: Operations<T>,
    A: address_space::Operations<T>,
{
    /// The table.
    pub(super) const TABLE: bindings::file_operations = bindings::file_operations {
        owner: kernel::module::this_module::<crate::LocalModule>().as_ptr(),
        llseek: Some(Self::llseek),
        read_iter: Some(Self::read_iter),
        write_iter: Some(Self::write_iter),
        fsync: Some(Self::fsync),
        fallocate: Some(Self::fallocate),
        unlocked_ioctl: Some(Self::ioctl),
        compat_ioctl: bindings::compat_ptr_ioctl,
        open: Some(Self::open),
        release: Some(Self::release),
        get_unmapped_area: Some(bindings::thp_get_unmapped_area),
        splice_read: Some(bindings::filemap_splice_read),
        splice_write: Some(bindings::iter_file_splice_write),
        setlease: Some(bindings::generic_setlease),
        mmap_prepare: Some(Self::mmap_prepare),
        fop_flags: bindings::FOP_BUFFER_RASYNC | bindings::FOP_BUFFER_WASYNC,
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a file of our inode.
            unsafe {
                to_result(bindings::generic_file_open(inode, file))?;
                let writing = (*file).f_mode & bindings::FMODE_WRITE != 0;
                F::open(Inode::from_raw(inode), writing)?;
                (*file).f_mode |= bindings::FMODE_NOWAIT;
            }
            Ok(0)
        })
    }

    /// While the file system is frozen, nothing is done: its inodes are written when it thaws.
    ///
    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn release(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The VFS passes our file, for the last time; what is begun with its super block is ended.
        unsafe {
            let inode = file_inode::<T>(file);
            let sb = inode.super_block().as_ptr();
            let writing = (*file).f_mode & bindings::FMODE_WRITE != 0;
            if writing
                && bindings::inode_is_dirty(inode.as_ptr())
                && bindings::sb_start_write_trylock(sb)
            {
                F::release(inode);
                bindings::sb_end_write(sb);
            }
        }
        0
    }

    /// A page is only made writable by `page_mkwrite`; whether the file may be, `open` asked.
    ///
    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn mmap_prepare(desc: *mut bindings::vm_area_desc) -> c_int {
        // SAFETY: The VFS passes a description of a mapping of our file, to be filled in.
        unsafe {
            bindings::file_accessed((*desc).file);
            (*desc).vm_ops = &vm_ops::Table::<T, A>::TABLE;
        }
        0
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn write_iter(
        iocb: *mut bindings::kiocb,
        from: *mut bindings::iov_iter,
    ) -> isize {
        from_result(|| {
            // SAFETY: The VFS passes a request for our file, and memory to write from.
            let mut iocb = unsafe { Kiocb::from_raw(iocb) };
            // SAFETY: The same, and the layouts are equal. (`from_raw` has a check that may panic.)
            let from = unsafe { &mut *from.cast::<IovIterSource<'_>>() };
            Ok(isize::try_from(F::write_iter(&mut iocb, from)?)?)
        })
    }

    /// Errors of former writes are told once to each open file.
    ///
    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn fsync(
        file: *mut bindings::file,
        _start: bindings::loff_t,
        _end: bindings::loff_t,
        _datasync: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our file.
            unsafe {
                // What lies before a range may keep it from being seen, so all is written, whatever was asked for.
                let written = to_result(bindings::file_write_and_wait_range(file, 0, i64::MAX));
                F::fsync(file_inode(file)).and(written)?;
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn fallocate(
        file: *mut bindings::file,
        mode: c_int,
        offset: bindings::loff_t,
        len: bindings::loff_t,
    ) -> c_long {
        from_result(|| {
            let (offset, len) = (u64::try_from(offset)?, u64::try_from(len)?);
            // SAFETY: The VFS passes our file.
            let inode = unsafe { file_inode(file) };
            let _lock = InodeLock::lock(inode);
            // SAFETY: The same, and its inode is locked.
            to_result(unsafe { bindings::file_modified(file) })?;
            F::fallocate(inode, u32::try_from(mode)?, offset, len)?;
            inode.mark_dirty();
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn read_iter(
        iocb: *mut bindings::kiocb,
        to: *mut bindings::iov_iter,
    ) -> isize {
        from_result(|| {
            // SAFETY: The VFS passes a request for our file, and memory to read into.
            let mut iocb = unsafe { Kiocb::from_raw(iocb) };
            // SAFETY: The same, and the layouts are equal. (`from_raw` has a check that may panic.)
            let to = unsafe { &mut *to.cast::<IovIterDest<'_>>() };
            Ok(isize::try_from(F::read_iter(&mut iocb, to)?)?)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn llseek(
        file: *mut bindings::file,
        offset: bindings::loff_t,
        whence: c_int,
    ) -> bindings::loff_t {
        // SAFETY: The VFS passes our file.
        let inode: &Inode<T> = unsafe { file_inode(file) };
        // SAFETY: The super block never changes its largest size.
        let max = unsafe { (*inode.super_block().as_ptr()).s_maxbytes };
        let what = match u32::try_from(whence).unwrap_or(u32::MAX) {
            bindings::SEEK_DATA => Seek::Data,
            bindings::SEEK_HOLE => Seek::Hole,
            _ => {
                let size = i64::try_from(inode.size()).unwrap_or(i64::MAX);
                // SAFETY: The VFS passes our file.
                return unsafe {
                    bindings::generic_file_llseek_size(file, offset, whence, max, size)
                };
            }
        };
        from_result(|| {
            let offset = u64::try_from(offset).map_err(|_| ENXIO)?;
            let found = i64::try_from(F::seek(inode, offset, what)?)?;
            // SAFETY: The VFS passes our file, with its position locked.
            Ok(unsafe { bindings::vfs_setpos(file, found, max) })
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        from_result(|| {
            // SAFETY: The VFS passes our file.
            F::ioctl(unsafe { file_inode(file) }, cmd, UserPtr::from_addr(arg))
        })
    }
}

/// The ops table of a directory.
pub(super) struct DirTable<T, F>(PhantomData<(T, F)>);

impl<T: super_block::Operations, F: DirOperations<T>> DirTable<T, F> {
    /// The table.
    pub(super) const TABLE: bindings::file_operations = bindings::file_operations {
        owner: kernel::module::this_module::<crate::LocalModule>().as_ptr(),
        llseek: Some(Self::llseek),
        read: Some(bindings::generic_read_dir),
        iterate_shared: Some(Self::iterate_shared),
        unlocked_ioctl: Some(Self::ioctl),
        compat_ioctl: bindings::compat_ptr_ioctl,
        open: Some(Self::open),
        release: Some(Self::release),
        fsync: Some(Self::fsync),
        setlease: Some(bindings::generic_setlease),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a new file of our inode; `release` takes the cursor back.
            unsafe {
                let cursor = F::open(Inode::from_raw(inode))?;
                let cursor = KBox::pin_init(new_mutex!(cursor, "DirCursor"), GFP_KERNEL)?;
                (*file).private_data = cursor.into_foreign();
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn release(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: What `open` stored; this is the last call with the file.
        drop(unsafe { Pin::<KBox<Mutex<F::Cursor>>>::from_foreign((*file).private_data) });
        0
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn iterate_shared(
        file: *mut bindings::file,
        ctx: *mut bindings::dir_context,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our open directory, with the cursor that `open` stored.
            unsafe {
                let cursor = Pin::<KBox<Mutex<F::Cursor>>>::borrow((*file).private_data);
                let mut ctx = DirContext::new(file, ctx);
                F::iterate_shared(file_inode(file), &mut cursor.lock(), &mut ctx)?;
            }
            Ok(0)
        })
    }

    /// Any position that `iterate_shared` may have given out is right; the end is the largest.
    ///
    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn llseek(
        file: *mut bindings::file,
        offset: bindings::loff_t,
        whence: c_int,
    ) -> bindings::loff_t {
        // SAFETY: The VFS passes our file.
        unsafe { bindings::generic_file_llseek_size(file, offset, whence, i64::MAX, i64::MAX) }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn fsync(
        file: *mut bindings::file,
        _start: bindings::loff_t,
        _end: bindings::loff_t,
        _datasync: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our file.
            F::fsync(unsafe { file_inode(file) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct file_operations` says, for a file of `T`.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        from_result(|| {
            // SAFETY: The VFS passes our file.
            F::ioctl(unsafe { file_inode(file) }, cmd, UserPtr::from_addr(arg))
        })
    }
}
