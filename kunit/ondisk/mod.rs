// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `src/ondisk`, one file for each file there.

mod attribute;
mod attribute_builder;
mod attribute_list;
mod boot;
mod bytes;
mod compression;
mod ea;
mod error;
mod file_name;
mod fixup;
mod index;
mod log;
mod mapping_pairs;
mod name;
mod object_id;
mod posix_acl;
mod record;
mod record_builder;
mod reparse;
mod secure;
mod security_descriptor;
mod standard_information;
mod time;
mod units;
mod upcase;
mod volume_information;
mod wsl;
