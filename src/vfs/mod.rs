// SPDX-License-Identifier: GPL-2.0-only

//! Safe Rust over the C structs of the VFS: one file per C struct, C names, thin trampolines.
//!
//! All `unsafe` of the driver is below this folder. Nothing here knows NTFS: everything is generic over
//! the types and the `Operations` traits that `ops` implements. The anchor of those types is the file
//! system `T: super_block::Operations`, which fixes the data of the super block and of an inode; that
//! `SuperBlock<T>`, `Inode<T>` and `Dentry<T>` never meet another file system's objects follows from the
//! ops tables, which are made for one `T` each.

pub(crate) mod address_space;
pub(crate) mod bdev;
mod bindings;
pub(crate) mod c_str;
pub(crate) mod dentry;
pub(crate) mod dir_context;
pub(crate) mod dirty_folios;
pub(crate) mod export;
pub(crate) mod fiemap;
pub(crate) mod file;
pub(crate) mod folio;
pub(crate) mod fs_context;
pub(crate) mod fs_parser;
pub(crate) mod fs_type;
pub(crate) mod iattr;
pub(crate) mod ids;
pub(crate) mod inode;
pub(crate) mod inode_lock;
mod ioend;
pub(crate) mod iomap;
pub(crate) mod iomap_write;
pub(crate) mod kiocb;
pub(crate) mod kstat;
pub(crate) mod mode;
pub(crate) mod new_inode;
pub(crate) mod new_super_block;
pub(crate) mod nls;
pub(crate) mod nofs;
pub(crate) mod posix_acl;
pub(crate) mod ratelimit;
pub(crate) mod shrinker;
mod slab;
pub(crate) mod statfs;
pub(crate) mod super_block;
pub(crate) mod time;
pub(crate) mod units;
mod vm_ops;
pub(crate) mod workqueue;
mod writeback;
pub(crate) mod xattr;
