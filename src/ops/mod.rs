// SPDX-License-Identifier: GPL-2.0-only

//! What the VFS calls: each file implements the operations of one VFS object by calls to `fs`.
//!
//! This layer is thin: it turns a VFS call into an `fs` call and the answer back, chooses the errno
//! (`error`), knows the mount options (`options`), and decides how names look to the user
//! (`charset`). It has no lock of its own.

#![forbid(unsafe_code)]

mod address_space;
mod charset;
mod context;
mod dentry;
mod device;
mod dir;
mod error;
mod export;
mod fallocate;
mod fiemap;
mod file;
mod inode;
mod iomap;
mod options;
mod posix_acl;
mod super_block;
mod symlink;
mod trim;
mod units;
mod write;
mod xattr;

pub(crate) use self::{
    context::Context,
    inode::InodeData,
    super_block::Data, //
};
use crate::{
    fs,
    vfs::bdev::BlockDevice, //
};

/// The file system type.
pub(crate) struct NtfsRs;

/// A volume on a block device.
type Volume = fs::volume::Volume<BlockDevice>;
