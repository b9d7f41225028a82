// SPDX-License-Identifier: GPL-2.0-only

//! `struct export_operations`: file handles, for NFS and `open_by_handle_at(2)`.
//!
//! A handle is the 64-bit number and the generation of the inode, and, when the caller wants it to be found
//! again by name, those of its directory: the types `FILEID_INO64_GEN` and `FILEID_INO64_GEN_PARENT`.
//!
//! C header: `include/linux/exportfs.h`.

use super::{
    bindings,
    inode::Inode,
    super_block::{
        self,
        SuperBlock, //
    },
};
use core::{
    marker::PhantomData,
    ptr,
    slice, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// How a file system finds what a handle names.
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// The inode of this number and generation, whether in the cache or not; `ESTALE` if it is another
    /// file's by now, or nobody's.
    fn get_inode(sb: &SuperBlock<T>, ino: u64, generation: u32) -> Result<ARef<Inode<T>>>;

    /// The directory that a directory is in.
    fn get_parent(child: &Inode<T>) -> Result<ARef<Inode<T>>>;
}

/// `FILEID_INO64_GEN`.
const WITHOUT_PARENT: c_int = 0x81;

/// `FILEID_INO64_GEN_PARENT`.
const WITH_PARENT: c_int = 0x82;

/// `FILEID_INVALID`.
const INVALID: c_int = 0xff;

/// A file's part of a handle: how many words it has.
const WORDS: usize = 3;

/// A file's part of a handle.
struct Handle {
    ino: u64,
    generation: u32,
}

impl Handle {
    fn decode(words: &[u32]) -> Option<Self> {
        let &[low, high, generation] = words.first_chunk::<WORDS>()?;
        Some(Self {
            ino: u64::from(high) << 32 | u64::from(low),
            generation,
        })
    }

    /// # Safety
    ///
    /// `inode` is valid.
    unsafe fn of(inode: *mut bindings::inode) -> Self {
        // SAFETY: By the caller's word; the fields do not change.
        unsafe {
            Self {
                ino: (*inode).i_ino,
                generation: (*inode).i_generation,
            }
        }
    }

    fn encode(&self) -> [u32; WORDS] {
        // The low and the high half.
        let low = self.ino & u64::from(u32::MAX);
        let high = self.ino >> 32;
        [
            u32::try_from(low).unwrap_or(0),
            u32::try_from(high).unwrap_or(0),
            self.generation,
        ]
    }
}

/// The ops table.
pub(super) struct Table<T, E>(PhantomData<(T, E)>);

impl<T: super_block::Operations, E: Operations<T>> Table<T, E> {
    /// The table.
    pub(super) const TABLE: bindings::export_operations = bindings::export_operations {
        encode_fh: Some(Self::encode_fh),
        fh_to_dentry: Some(Self::fh_to_dentry),
        fh_to_parent: Some(Self::fh_to_parent),
        get_parent: Some(Self::get_parent),
        get_name: None,
        commit_metadata: None,
        permission: None,
        open: None,
        flags: 0,
        #[cfg(CONFIG_EXPORTFS_BLOCK_OPS)]
        block_ops: ptr::null(),
    };

    /// # Safety
    ///
    /// Called by exportfs only, as `struct export_operations` says, for a super block of `T`.
    unsafe extern "C" fn encode_fh(
        inode: *mut bindings::inode,
        words: *mut u32,
        len: *mut c_int,
        parent: *mut bindings::inode,
    ) -> c_int {
        let (id, needed) = match parent.is_null() {
            true => (WITHOUT_PARENT, WORDS),
            false => (WITH_PARENT, 2 * WORDS),
        };
        // SAFETY: The VFS passes valid inodes and room for `len` words; `len` is ours to set.
        unsafe {
            let room = usize::try_from(*len).unwrap_or(0);
            *len = needed as c_int;
            if room < needed {
                return INVALID;
            }
            words
                .cast::<[u32; WORDS]>()
                .write(Handle::of(inode).encode());
            if !parent.is_null() {
                let second = words.cast::<[u32; WORDS]>().add(1);
                second.write(Handle::of(parent).encode());
            }
        }
        id
    }

    /// # Safety
    ///
    /// Called by exportfs only, as `struct export_operations` says, for a super block of `T`.
    unsafe extern "C" fn fh_to_dentry(
        sb: *mut bindings::super_block,
        fid: *mut bindings::fid,
        len: c_int,
        id: c_int,
    ) -> *mut bindings::dentry {
        // SAFETY: The VFS passes our super block and a handle of `len` words.
        let (sb, words) = unsafe { (SuperBlock::<T>::from_raw(sb), words(fid.cast(), len)) };
        match id {
            WITHOUT_PARENT | WITH_PARENT => Self::find(sb, Handle::decode(words)),
            _ => ptr::null_mut(),
        }
    }

    /// # Safety
    ///
    /// Called by exportfs only, as `struct export_operations` says, for a super block of `T`.
    unsafe extern "C" fn fh_to_parent(
        sb: *mut bindings::super_block,
        fid: *mut bindings::fid,
        len: c_int,
        id: c_int,
    ) -> *mut bindings::dentry {
        // SAFETY: The VFS passes our super block and a handle of `len` words.
        let (sb, words) = unsafe { (SuperBlock::<T>::from_raw(sb), words(fid.cast(), len)) };
        match id {
            WITH_PARENT => Self::find(sb, words.get(WORDS..).and_then(Handle::decode)),
            _ => ptr::null_mut(),
        }
    }

    /// # Safety
    ///
    /// Called by exportfs only, as `struct export_operations` says, for a super block of `T`.
    unsafe extern "C" fn get_parent(child: *mut bindings::dentry) -> *mut bindings::dentry {
        // SAFETY: The VFS passes a dentry with an inode of ours.
        let child = unsafe { Inode::from_raw((*child).d_inode) };
        obtain_alias(E::get_parent(child))
    }

    fn find(sb: &SuperBlock<T>, handle: Option<Handle>) -> *mut bindings::dentry {
        match handle {
            Some(handle) => obtain_alias(E::get_inode(sb, handle.ino, handle.generation)),
            None => ptr::null_mut(),
        }
    }
}

/// The words of a handle.
///
/// # Safety
///
/// `len` words are there during `'a`.
unsafe fn words<'a>(fid: *const u32, len: c_int) -> &'a [u32] {
    // SAFETY: By the caller's word.
    unsafe { slice::from_raw_parts(fid, usize::try_from(len).unwrap_or(0)) }
}

/// Some dentry of an inode (`d_obtain_alias`), or the error, as C functions return them.
fn obtain_alias<T: super_block::Operations>(
    inode: Result<ARef<Inode<T>>>,
) -> *mut bindings::dentry {
    match inode {
        // SAFETY: `d_obtain_alias` takes the reference, also when it fails.
        Ok(inode) => unsafe { bindings::d_obtain_alias(ARef::into_raw(inode).as_ptr().cast()) },
        Err(err) => err.to_ptr(),
    }
}
