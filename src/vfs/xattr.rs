// SPDX-License-Identifier: GPL-2.0-only

//! `struct xattr_handler`: extended attributes. C header: `include/linux/xattr.h`.
//!
//! One handler for all names: its prefix is empty, so that names come whole. What is listed comes from `listxattr`
//! of `struct inode_operations`.

use super::{
    bindings,
    c_str,
    inode::Inode,
    super_block, //
};
use core::{
    marker::PhantomData,
    ptr,
    slice, //
};
use kernel::{
    error::from_result,
    prelude::*,
    str::as_char_ptr_in_const_context, //
};

/// The longest name in bytes (`XATTR_NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;

/// What a file system knows of the extended attributes of its inodes.
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// Writes the value of `name` to `value`, and says how long it is. Of one that is longer than `value`
    /// anything may be written. `ENODATA` if there is none, `EOPNOTSUPP` if there can be none of that name.
    ///
    /// For names that begin with `system.` or `security.` nobody has looked whether the caller may.
    fn get(at: &At<'_, T>, name: &[u8], value: &mut [u8]) -> Result<usize>;

    /// Makes `value`, of 64 KiB at most, the value of `name`. The inode is locked exclusively, and the file system is
    /// writable, as far as the VFS knows. `EEXIST` or `ENODATA` if `how` says so, `EOPNOTSUPP` if there can be none of
    /// that name.
    ///
    /// For names that begin with `system.` or `security.` nobody has looked whether the caller may.
    fn set(inode: &Inode<T>, name: &[u8], value: &[u8], how: How) -> Result;

    /// Removes `name`, as [`Operations::set`]. `ENODATA` if there is none.
    fn remove(inode: &Inode<T>, name: &[u8]) -> Result;
}

/// Whether an attribute has to be there before it is set, or must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Either.
    Any,
    /// It must not be there (`XATTR_CREATE`).
    Create,
    /// It has to be there (`XATTR_REPLACE`).
    Replace,
}

impl How {
    fn from_flags(flags: c_int) -> Result<Self> {
        match u32::try_from(flags)? {
            0 => Ok(Self::Any),
            bindings::XATTR_CREATE => Ok(Self::Create),
            bindings::XATTR_REPLACE => Ok(Self::Replace),
            // Never both, nor something else: the VFS has looked.
            _ => Err(EINVAL),
        }
    }
}

/// Of which inode, and by which of its names, an attribute is wanted.
pub(crate) struct At<'a, T: super_block::Operations> {
    inode: &'a Inode<T>,
    dentry: *mut bindings::dentry,
}

impl<T: super_block::Operations> At<'_, T> {
    /// The inode.
    pub(crate) fn inode(&self) -> &Inode<T> {
        self.inode
    }

    /// The number of the directory that the name is in, at this moment; `None` if there is no name.
    pub(crate) fn directory(&self) -> Option<u64> {
        if self.dentry.is_null() {
            return None;
        }
        // SAFETY: The caller of `get` holds a reference to the dentry. `dget_parent` gives one to its parent,
        // which has an inode and is given back.
        unsafe {
            let parent = bindings::dget_parent(self.dentry);
            let ino = (*(*parent).d_inode).i_ino;
            bindings::dput(parent);
            Some(ino)
        }
    }
}

/// The names of the extended attributes of an inode, one after the other with a NUL behind each.
///
/// # Invariants
///
/// `length` bytes at most are written, and there is room for `size`; `list` is null if that is 0.
pub(crate) struct Names<'a> {
    list: *mut u8,
    size: usize,
    length: usize,
    _list: PhantomData<&'a mut [u8]>,
}

impl Names<'_> {
    /// Takes the room of a `listxattr`; 0 bytes ask how many would be needed.
    ///
    /// # Safety
    ///
    /// The type invariants hold for as long as the result lives.
    pub(super) unsafe fn new(list: *mut c_char, size: usize) -> Self {
        // INVARIANT: By the caller's word.
        Self {
            list: list.cast(),
            size,
            length: 0,
            _list: PhantomData,
        }
    }

    /// Appends a name of two parts. `ERANGE` if there is no room. One that is too long for the VFS, or that has
    /// a NUL in it, is left out: nobody could ask for it.
    pub(crate) fn push(&mut self, prefix: &[u8], name: &[u8]) -> Result {
        let whole = prefix.len().saturating_add(name.len());
        if name.is_empty() || whole > NAME_MAX || prefix.contains(&0) || name.contains(&0) {
            return Ok(());
        }
        let start = self.length;
        let end = start.checked_add(whole).and_then(|end| end.checked_add(1));
        let end = end.ok_or(ERANGE)?;
        if self.size != 0 {
            if end > self.size {
                return Err(ERANGE);
            }
            // SAFETY: There is room for `size` bytes, of which these are the ones from `start` to before `end`.
            unsafe {
                let to = self.list.add(start);
                ptr::copy_nonoverlapping(prefix.as_ptr(), to, prefix.len());
                ptr::copy_nonoverlapping(name.as_ptr(), to.add(prefix.len()), name.len());
                to.add(whole).write(0);
            }
        }
        self.length = end;
        Ok(())
    }

    /// Bytes of all names.
    pub(super) fn length(&self) -> usize {
        self.length
    }
}

/// The handlers.
pub(super) struct Table<T, X>(PhantomData<(T, X)>);

impl<T: super_block::Operations, X: Operations<T>> Table<T, X> {
    const HANDLER: bindings::xattr_handler = bindings::xattr_handler {
        prefix: as_char_ptr_in_const_context(c""),
        get: Some(Self::get),
        set: Some(Self::set),
        ..pin_init::zeroed()
    };

    /// What `s_xattr` points to: a list that ends with null.
    pub(super) const HANDLERS: [*const bindings::xattr_handler; 2] = [&Self::HANDLER, ptr::null()];

    /// # Safety
    ///
    /// Called by the VFS only, as `struct xattr_handler` says, for an inode of `T`.
    unsafe extern "C" fn get(
        _handler: *const bindings::xattr_handler,
        dentry: *mut bindings::dentry,
        inode: *mut bindings::inode,
        name: *const c_char,
        buffer: *mut c_void,
        size: usize,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our inode, a dentry of it or null, a terminated name, and room for `size`
            // bytes, or null to ask for the length. The bytes are initialised before they are borrowed.
            let (at, name, value) = unsafe {
                let value: &mut [u8] = match buffer.is_null() {
                    true => &mut [],
                    false => {
                        ptr::write_bytes(buffer.cast::<u8>(), 0, size);
                        slice::from_raw_parts_mut(buffer.cast(), size)
                    }
                };
                let inode = Inode::from_raw(inode);
                (
                    At { inode, dentry },
                    c_str::to_bytes(c_str::from_char_ptr(name)),
                    value,
                )
            };
            let room = value.len();
            let length = X::get(&at, name, value)?;
            if room != 0 && length > room {
                return Err(ERANGE);
            }
            c_int::try_from(length).map_err(|_| E2BIG)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct xattr_handler` says, for an inode of `T`.
    unsafe extern "C" fn set(
        _handler: *const bindings::xattr_handler,
        _idmap: *mut bindings::mnt_idmap,
        _dentry: *mut bindings::dentry,
        inode: *mut bindings::inode,
        name: *const c_char,
        buffer: *const c_void,
        size: usize,
        flags: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes our inode, a terminated name, and `size` bytes, or null to remove the attribute.
            let (inode, name, value) = unsafe {
                let value: Option<&[u8]> = match buffer.is_null() {
                    true => None,
                    false => Some(slice::from_raw_parts(buffer.cast(), size)),
                };
                (
                    Inode::from_raw(inode),
                    c_str::to_bytes(c_str::from_char_ptr(name)),
                    value,
                )
            };
            match value {
                Some(value) => X::set(inode, name, value, How::from_flags(flags)?)?,
                None => X::remove(inode, name)?,
            }
            Ok(0)
        })
    }
}
