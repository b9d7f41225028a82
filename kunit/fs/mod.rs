// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `src/fs`, on a small volume in memory.

pub(crate) mod disk;
pub(crate) mod race;
pub(crate) mod sample;
pub(crate) mod scene;
pub(crate) mod secured;
pub(crate) mod streamed;

/// The kernel has fault injection for this.
#[cfg(not(CONFIG_RUST))]
mod allocation_failures;
mod allocator;
mod allocator_model;
mod attribute;
mod bitmap;
mod bits;
mod broken;
mod cache;
mod compressed;
#[cfg(not(CONFIG_RUST))]
mod compressed_model;
mod compressed_writing;
mod count;
mod data;
mod directory;
mod efs;
mod error;
mod file;
mod flip;
mod index_delete;
mod inode;
mod object_id;
mod parts;
mod readdir;
mod record;
mod residency;
mod runlist;
mod security;
mod sequence;
/// The kernel has fault injection for this, and no room for a model.
#[cfg(not(CONFIG_RUST))]
mod stream_failures;
mod stream_update;
mod streams;
mod symlink;
mod transaction;
mod trim;
mod unpack;
mod unrecorded;
mod volume;
#[cfg(not(CONFIG_RUST))]
mod write_failures;
mod writing;
