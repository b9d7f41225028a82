// SPDX-License-Identifier: GPL-2.0-only

//! `struct posix_acl`: an access control list, which the VFS keeps with its inode. C header:
//! `include/linux/posix_acl.h`.

use super::{
    bindings,
    super_block::{
        Operations,
        SuperBlock, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// Which list of an inode is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Who may access it (`ACL_TYPE_ACCESS`).
    Access,
    /// What new files in a directory get (`ACL_TYPE_DEFAULT`).
    Default,
}

/// `ACL_TYPE_ACCESS`.
pub(super) const TYPE_ACCESS: c_int = 0x8000;
/// `ACL_TYPE_DEFAULT`.
const TYPE_DEFAULT: c_int = 0x4000;

impl Which {
    /// From the kernel's number; `EINVAL` for others.
    pub(super) fn from_raw(raw: c_int) -> Result<Self> {
        match raw {
            TYPE_ACCESS => Ok(Self::Access),
            TYPE_DEFAULT => Ok(Self::Default),
            _ => Err(EINVAL),
        }
    }
}

/// Whether this kernel looks at such lists (`CONFIG_FS_POSIX_ACL`).
pub(crate) const IS_SUPPORTED: bool = cfg!(CONFIG_FS_POSIX_ACL);

/// A list.
///
/// # Invariants
///
/// A valid list; one reference to it is ours.
pub(crate) struct PosixAcl(NonNull<bindings::posix_acl>);

impl PosixAcl {
    /// Decodes the bytes of a list as system calls have it, with users and groups as the volume numbers them; `None`
    /// if it has no entry (`posix_acl_from_xattr`).
    pub(crate) fn from_xattr<T: Operations>(
        sb: &SuperBlock<T>,
        value: &[u8],
    ) -> Result<Option<Self>> {
        // SAFETY: The super block is valid, and its namespace stays; the bytes are there for the call.
        let list = from_err_ptr(unsafe {
            bindings::posix_acl_from_xattr(
                (*sb.as_ptr()).s_user_ns,
                value.as_ptr().cast(),
                value.len(),
            )
        })?;
        // INVARIANT: The new list is ours.
        Ok(NonNull::new(list).map(Self))
    }

    /// Gives the reference away.
    pub(super) fn into_raw(self) -> *mut bindings::posix_acl {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for PosixAcl {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::posix_acl_release(self.0.as_ptr()) };
    }
}
