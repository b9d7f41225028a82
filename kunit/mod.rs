// SPDX-License-Identifier: GPL-2.0-only

//! Tests that run on the host with `cargo test` and in the kernel with KUnit.

pub(crate) mod fixtures;
mod fs;
mod ondisk;
