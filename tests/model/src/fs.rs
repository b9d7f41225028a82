// SPDX-License-Identifier: GPL-2.0-only

//! As much of `fs` as `residency` knows of, and that itself.

pub mod attribute;
pub mod error;
pub mod record;
#[path = "../../../src/fs/residency.rs"]
pub mod residency;
pub mod store;

/// What a volume is on.
pub mod device {
    /// As the trait of that name; there is nothing to transfer here.
    pub trait Device {}
}
