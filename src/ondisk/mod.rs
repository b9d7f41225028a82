// SPDX-License-Identifier: GPL-2.0-only

//! NTFS structures as they are on the disk, and their codecs.
//!
//! Everything here is pure: bytes in, checked values out (and back where the driver writes the
//! structure). There is no I/O, no lock and no state. A decoder trusts nothing: what it returns
//! cannot be wrong afterwards, and what it refuses comes back as [`error::Malformed`], with the
//! place, what was found and what was expected. A decoder refuses only what would make reading its
//! own structure unsafe or ambiguous; judging a whole file or volume is the work of `fs`.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod attribute;
pub mod attribute_builder;
pub mod attribute_list;
pub mod boot;
pub mod bytes;
pub mod compression;
pub mod ea;
pub mod error;
pub mod file_name;
pub mod fixup;
pub mod index;
pub mod log;
pub mod mapping_pairs;
pub mod name;
pub mod object_id;
pub mod posix_acl;
pub mod record;
pub mod record_builder;
pub mod reparse;
pub mod secure;
pub mod security_descriptor;
pub mod standard_information;
pub mod time;
pub mod units;
pub mod upcase;
mod upcase_default;
pub mod volume_information;
pub mod wsl;
