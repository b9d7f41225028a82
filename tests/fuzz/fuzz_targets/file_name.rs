// SPDX-License-Identifier: GPL-2.0-only

//! File names: what is decoded is what the bytes say.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::file_name::FileName;

fuzz_target!(|data: &[u8]| {
    let Ok(name) = FileName::parse(data) else {
        return;
    };
    let units = usize::from(data[0x40]);
    assert_eq!(name.name.len(), units);
    assert_eq!(name.name.as_bytes(), &data[0x42..0x42 + 2 * units]);
    assert_eq!(name.parent.to_raw().to_le_bytes(), data[..8]);
    let (_, nanoseconds) = name.times.creation.to_unix();
    assert!(nanoseconds < 1_000_000_000);
    let _ = (name.reparse_tag(), name.namespace.is_dos_twin());
});
