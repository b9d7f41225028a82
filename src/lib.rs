// SPDX-License-Identifier: GPL-2.0-only

//! `ntfs_rs`: an NTFS file system driver.
//!
//! The layers, each of which may use those below it and nothing else:
//!
//! * `ops`: what the VFS calls; turns a VFS call into an `fs` call and back.
//! * `vfs`: safe Rust over the C structs of the VFS; the only place with `unsafe`. Knows neither `fs` nor
//!   `ondisk`.
//! * `fs`: the file system itself, without any VFS type.
//! * `ondisk`: structures and codecs; no I/O, no lock, no state.
//!
//! `fs` and `ondisk` also build on the host, against a crate that is called `kernel` (see `Cargo.toml`).

#![crate_name = "ntfs_rs"]

pub mod fs;
pub mod ondisk;
#[cfg(CONFIG_RUST)]
mod ops;
#[cfg(CONFIG_RUST)]
mod vfs;

#[cfg(any(test, CONFIG_KUNIT = "y"))]
#[path = "../kunit/mod.rs"]
mod kunit;

#[cfg(CONFIG_RUST)]
mod module;

#[cfg(CONFIG_RUST)]
use module::Module;

#[cfg(CONFIG_RUST)]
::kernel::prelude::module! {
    type: Module,
    name: "ntfs_rs",
    authors: ["The ntfs_rs authors"],
    description: "NTFS file system",
    license: "GPL",
    alias: ["fs-ntfs_rs"],
}
