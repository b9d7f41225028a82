// SPDX-License-Identifier: GPL-2.0-only

//! `struct dentry` and `struct dentry_operations`. C header: `include/linux/dcache.h`.

use super::{
    bindings,
    inode::{
        Inode,
        InodeObject, //
    },
    super_block::{
        self,
        SuperBlock, //
    },
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
    slice,
};
use kernel::{
    error::{
        from_err_ptr,
        from_result, //
    },
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

/// The longest name, in bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// How names are compared (`struct dentry_operations`).
///
/// Both run in RCU walk: they may not sleep, allocate or lock what may sleep, and there is no inode to look
/// at but as far as [`Folder`] does. The volume's data is there until the walk is over.
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// A hash that is equal for all names that [`Self::compare`] takes for the same (`d_hash`).
    fn hash(folder: Folder<'_, T>, name: &[u8]) -> Result<u32>;

    /// Whether both are the same name in a directory (`d_compare`). `cached` may be half of an old and half of a
    /// new name while that dentry is moved; the VFS then asks again.
    fn compare(folder: Folder<'_, T>, cached: &[u8], wanted: &[u8]) -> bool;
}

/// A directory, as far as it can be looked at in RCU walk.
pub(crate) struct Folder<'a, T: super_block::Operations> {
    dentry: *const bindings::dentry,
    _walk: PhantomData<&'a T>,
}

impl<T: super_block::Operations> Folder<'_, T> {
    /// # Safety
    ///
    /// `dentry` is valid and of `T` for as long as the result lives, which is in RCU walk or while somebody has
    /// a reference to it.
    unsafe fn from_raw(dentry: *const bindings::dentry) -> Self {
        Self {
            dentry,
            _walk: PhantomData,
        }
    }

    /// The super block.
    pub(crate) fn super_block(&self) -> &SuperBlock<T> {
        // SAFETY: A dentry keeps its super block.
        unsafe { SuperBlock::from_raw((*self.dentry).d_sb) }
    }

    /// Whether names in it are told apart by case whatever holds for the volume, see
    /// [`super::new_inode::NewInode::set_case_sensitive`].
    ///
    /// Of one that is being removed it may say no; the walk is repeated then.
    pub(crate) fn is_case_sensitive(&self) -> bool {
        // SAFETY: The dentry is valid. Its inode, if it has one, is not given back before the end of the walk.
        unsafe {
            let inode = ptr::read_volatile(&raw const (*self.dentry).d_inode);
            !inode.is_null() && InodeObject::<T>::is_case_sensitive(inode.cast())
        }
    }

    /// The hash of these bytes (`full_name_hash`). The directory's address is mixed in, so that nobody can foresee
    /// it.
    pub(crate) fn full_name_hash(&self, bytes: &[u8]) -> u32 {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // SAFETY: As many bytes are there; the salt is only a number to it.
        unsafe { bindings::full_name_hash(self.dentry.cast(), bytes.as_ptr().cast(), len) }
    }
}

/// A name in the cache (`struct dentry`).
///
/// # Invariants
///
/// It is valid and of a super block of `T`.
#[repr(transparent)]
pub(crate) struct Dentry<T: super_block::Operations>(Opaque<bindings::dentry>, PhantomData<T>);

// SAFETY: `dget` and `dput` count; a dentry stays as long as its count is not 0.
unsafe impl<T: super_block::Operations> AlwaysRefCounted for Dentry<T> {
    fn inc_ref(&self) {
        // SAFETY: The reference shows that the count is not 0.
        unsafe { bindings::dget(self.0.get()) };
    }

    unsafe fn dec_ref(dentry: NonNull<Self>) {
        // SAFETY: The caller gives its reference away.
        unsafe { bindings::dput(dentry.as_ptr().cast()) };
    }
}

/// A dentry that `lookup` has to fill in. Each method that does so returns what `lookup` has to return:
/// another dentry to be used in its place, or `None`.
pub(crate) struct Unhashed<'a, T: super_block::Operations> {
    dentry: *mut bindings::dentry,
    _lookup: PhantomData<&'a Dentry<T>>,
}

impl<'a, T: super_block::Operations> Unhashed<'a, T> {
    /// Takes the dentry of a `lookup`.
    ///
    /// # Safety
    ///
    /// `dentry` is valid, of `T`, and in lookup during `'a`.
    pub(super) unsafe fn from_raw(dentry: *mut bindings::dentry) -> Self {
        Self {
            dentry,
            _lookup: PhantomData,
        }
    }

    /// The name to look up. It has neither `/` nor NUL.
    pub(crate) fn name(&self) -> &[u8] {
        // SAFETY: The name of a dentry in lookup does not change.
        unsafe {
            let name = &(*self.dentry).__bindgen_anon_1.d_name;
            let len = name.__bindgen_anon_1.__bindgen_anon_1.len;
            slice::from_raw_parts(name.name, len as usize)
        }
    }

    /// The name is this inode, or, without one, it is known not to exist (`d_splice_alias`).
    pub(crate) fn splice_alias(
        self,
        inode: Option<ARef<Inode<T>>>,
    ) -> Result<Option<ARef<Dentry<T>>>> {
        let inode = inode.map_or(ptr::null_mut(), |inode| {
            ARef::into_raw(inode).as_ptr().cast()
        });
        // SAFETY: The dentry is in lookup; `d_splice_alias` takes the reference, also when it fails.
        let other = from_err_ptr(unsafe { bindings::d_splice_alias(inode, self.dentry) })?;
        // SAFETY: Null, or a reference to a dentry of the same super block.
        Ok(NonNull::new(other).map(|other| unsafe { ARef::from_raw(other.cast()) }))
    }

    /// The name is this inode, whose name in the directory is `exact`: that is what the cache remembers
    /// (`d_add_ci`).
    pub(crate) fn add_ci(
        self,
        inode: ARef<Inode<T>>,
        exact: &[u8],
    ) -> Result<Option<ARef<Dentry<T>>>> {
        let mut name: bindings::qstr = pin_init::zeroed();
        name.name = exact.as_ptr();
        name.__bindgen_anon_1.__bindgen_anon_1.len = u32::try_from(exact.len())?;
        let inode = ARef::into_raw(inode).as_ptr().cast();
        // SAFETY: The dentry is in lookup; `d_add_ci` takes the reference, also when it fails, and copies
        // the name, whose hash it computes.
        let other = from_err_ptr(unsafe { bindings::d_add_ci(self.dentry, inode, &mut name) })?;
        // SAFETY: Null, or a reference to a dentry of the same super block.
        Ok(NonNull::new(other).map(|other| unsafe { ARef::from_raw(other.cast()) }))
    }
}

/// The ops table of dentries.
pub(super) struct Table<T, D>(PhantomData<(T, D)>);

impl<T: super_block::Operations, D: Operations<T>> Table<T, D> {
    /// The table.
    pub(super) const TABLE: bindings::dentry_operations = bindings::dentry_operations {
        d_hash: Some(Self::d_hash),
        d_compare: Some(Self::d_compare),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct dentry_operations` says, for dentries of `T`.
    unsafe extern "C" fn d_hash(
        parent: *const bindings::dentry,
        name: *mut bindings::qstr,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a dentry of ours, and a name that does not change, whose hash is to
            // be set.
            unsafe {
                let parts = &mut (*name).__bindgen_anon_1.__bindgen_anon_1;
                let bytes = slice::from_raw_parts((*name).name, parts.len as usize);
                parts.hash = D::hash(Folder::from_raw(parent), bytes)?;
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct dentry_operations` says, for dentries of `T`.
    unsafe extern "C" fn d_compare(
        dentry: *const bindings::dentry,
        len: c_uint,
        name: *const c_char,
        wanted: *const bindings::qstr,
    ) -> c_int {
        let mut copy = [0; NAME_MAX];
        // SAFETY: The VFS passes a dentry of ours, whose parent is never null and not given back before the end
        // of the walk, a name of `len` bytes that can be read though it may change, so that it is copied first,
        // and a name that does not change.
        unsafe {
            let Some(cached) = copy_name(&mut copy, name, len as usize) else {
                return 1;
            };
            let wanted_len = (*wanted).__bindgen_anon_1.__bindgen_anon_1.len;
            let wanted = slice::from_raw_parts((*wanted).name, wanted_len as usize);
            let parent = ptr::read_volatile(&raw const (*dentry).d_parent);
            let same = D::compare(Folder::from_raw(parent), cached, wanted);
            c_int::from(!same)
        }
    }
}

/// Copies a name that may change meanwhile; `None` if it is too long to be one.
///
/// # Safety
///
/// `len` bytes at `name` can be read.
unsafe fn copy_name(copy: &mut [u8; NAME_MAX], name: *const c_char, len: usize) -> Option<&[u8]> {
    let copy = copy.get_mut(..len)?;
    for (i, byte) in copy.iter_mut().enumerate() {
        // SAFETY: Within `len` bytes.
        *byte = unsafe { ptr::read_volatile(name.cast::<u8>().add(i)) };
    }
    Some(copy)
}
