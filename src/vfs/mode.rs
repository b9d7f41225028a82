// SPDX-License-Identifier: GPL-2.0-only

//! The bits of `i_mode`: type and permissions. C header: `include/uapi/linux/stat.h`.

/// All bits of the type (`S_IFMT`).
pub(crate) const TYPE: u16 = 0o170000;
/// A socket (`S_IFSOCK`).
pub(crate) const SOCKET: u16 = 0o140000;
/// A symbolic link (`S_IFLNK`).
pub(crate) const SYMLINK: u16 = 0o120000;
/// A regular file (`S_IFREG`).
pub(crate) const REGULAR: u16 = 0o100000;
/// A block device (`S_IFBLK`).
pub(crate) const BLOCK_DEVICE: u16 = 0o060000;
/// A directory (`S_IFDIR`).
pub(crate) const DIRECTORY: u16 = 0o040000;
/// A character device (`S_IFCHR`).
pub(crate) const CHAR_DEVICE: u16 = 0o020000;
/// A FIFO (`S_IFIFO`).
pub(crate) const FIFO: u16 = 0o010000;
/// All may read, write and execute (`S_IRWXUGO`).
pub(crate) const RWX: u16 = 0o777;
/// All may write (`S_IWUGO`).
pub(crate) const WRITE: u16 = 0o222;
/// All permissions: those of [`RWX`], set-user-id, set-group-id and sticky (`S_IALLUGO`).
pub(crate) const PERMISSIONS: u16 = 0o7777;
