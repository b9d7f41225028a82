// SPDX-License-Identifier: GPL-2.0-only

//! Extended attributes: they stay inside, and the walk ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    ea::{self, EaInformation},
    wsl::WslAttributes,
};

fuzz_target!(|data: &[u8]| {
    let mut total = 0;
    let mut whole = true;
    for attribute in ea::entries(data) {
        match attribute {
            Ok(attribute) => total += 9 + attribute.name.len() + attribute.value.len(),
            Err(_) => whole = false,
        }
    }
    // They do not overlap.
    assert!(total <= data.len());
    assert_eq!(WslAttributes::parse(data).is_ok(), whole);
    assert_eq!(EaInformation::parse(data).is_ok(), data.len() >= 8);
});
