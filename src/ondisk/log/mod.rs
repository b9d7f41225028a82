// SPDX-License-Identifier: GPL-2.0-only

//! The write-ahead log: what a change of metadata is, and how `$LogFile` stores it.
//!
//! Each change of one page (an MFT record, an index block, a part of a bitmap, other data outside
//! of records) is a [`change::Change`]: how to do it, and how to take it back. The same type serves
//! the live path, the rollback of a failed operation, and the replay of a volume that was not
//! unmounted. [`prepare`] makes changes from a page as it is now; [`perform`] says what each
//! operation does. The other files are the forms on the disk, from the smallest to the largest:
//! [`record`], [`tables`], [`page`], [`restart`]; [`geometry`] is where they are in the file.

pub mod change;
pub mod geometry;
pub mod opcode;
pub mod page;
mod perform;
pub mod prepare;
pub mod record;
pub mod restart;
pub mod tables;
