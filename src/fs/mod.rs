// SPDX-License-Identifier: GPL-2.0-only

//! The filesystem: volumes, MFT records, attributes, directories.
//!
//! Safe Rust over `ondisk`, generic over the [`device::Device`] that the volume is on. Nothing here
//! knows a VFS type; `ops` turns VFS calls into calls of this layer, and chooses the errno for an
//! [`error::Error`].
//!
//! Lock order, outermost first; a thread holds at most one lock of each kind, but a transaction may hold
//! a base record and then an extension record of the same file:
//!
//! ```text
//! the spare memory for encoding units (mutex), before folios as well
//! marking the volume, syncing it (a mutex each)
//! changes of the mapping of an attribute (mutex of its `Unrecorded`)
//!   -> changes of trees (mutex)
//!   -> making $MFT longer (mutex), changes of its mapping (the same mutex of $MFT, only tried)
//!   -> record or index block (mutex of its buffer)
//!   -> trimming, writing back of $Bitmap, counting in it (a mutex each, never two of them)
//!   -> cluster allocator (mutex)
//!   -> mapping of $MFT (mutex)
//!   -> mapping of an attribute, places of its parts, mapping of a bitmap (a mutex each)
//!   -> cache of records, cache of index blocks (mutex of the tree)
//!   -> sizes (spin lock)
//! ```
//!
//! The last four are leaves: each is held for a look or a swap, and nothing is allocated, read or
//! locked under it. Under the lock of a buffer, and under that of the cluster allocator, memory is
//! allocated, which may make the kernel shrink the caches; that takes no more than a leaf, or the
//! allocator's lock if that is free.
//!
//! The device is read with no lock held but that of what is being filled: a buffer, or the allocator's
//! copy of `$Bitmap` below it, or that of counting.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod allocator;
pub mod array;
pub mod attribute;
mod attribute_removal;
pub mod bitmap;
pub mod bits;
pub mod buffer;
pub mod cache;
pub mod catalog;
mod changed_units;
pub mod compressed;
pub mod compressed_writing;
pub mod convert;
mod crowded;
pub mod data;
pub mod device;
pub mod directory;
mod dirty_units;
mod division;
mod draft;
pub mod efs;
mod encoder;
pub mod error;
mod extend;
pub mod file;
pub mod hibernation;
mod image;
pub mod index;
pub mod index_delete;
pub mod index_update;
pub mod inode;
pub mod inode_record;
mod left_behind;
mod list;
pub mod mft;
pub mod mft_growth;
pub mod names;
mod nearby;
mod new_list;
mod new_value;
pub mod notice;
pub mod object_id;
pub mod overlay;
mod parts;
pub mod readdir;
mod rearranged;
pub mod record;
pub mod recording;
pub mod records;
mod reparse_index;
pub mod residency;
pub mod resize;
pub mod runlist;
pub mod security;
pub mod store;
pub mod stream_update;
pub mod streams;
mod switch;
pub mod symlink;
pub mod transaction;
pub mod trim;
pub mod unit_batch;
pub mod unpack;
pub mod unrecorded;
mod view;
pub mod volume;
pub mod writeback;
pub mod writing;
