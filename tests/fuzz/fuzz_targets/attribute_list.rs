// SPDX-License-Identifier: GPL-2.0-only

//! Attribute lists: entries stay inside, and the walk ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::attribute_list::{entries, MIN_ENTRY_LENGTH};

fuzz_target!(|data: &[u8]| {
    let mut count = 0;
    for entry in entries(data) {
        count += 1;
        if let Ok(entry) = entry {
            assert!(entry.name.len() <= 255);
            assert!(entry.lowest_vcn.get() <= i64::MAX as u64);
        }
    }
    assert!(count <= data.len() / MIN_ENTRY_LENGTH + 1);
});
