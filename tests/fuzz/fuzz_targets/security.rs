// SPDX-License-Identifier: GPL-2.0-only

//! Security descriptors, their entries in `$SDS`, and object ids: they stay inside.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    object_id::{ObjectId, ObjectIdEntry},
    secure::{SdsEntry, SecurityHash},
    security_descriptor::SecurityDescriptor,
};

fuzz_target!(|data: &[u8]| {
    if let Ok(found) = SecurityDescriptor::parse(data) {
        let whole = found.as_bytes();
        assert!(data.starts_with(whole));
        // What is behind it means nothing.
        let again = SecurityDescriptor::parse(whole).expect("the same without what is behind it");
        assert_eq!(again.as_bytes(), whole);
        assert_eq!((again.owner(), again.group()), (found.owner(), found.group()));
        for sid in [found.owner(), found.group()].into_iter().flatten() {
            assert!((8..=68).contains(&sid.len()));
        }
    }
    if let Ok(entry) = SdsEntry::parse(data) {
        if let Ok(descriptor) = entry.descriptor(data) {
            assert_eq!(descriptor.len() + 0x14, entry.length());
            assert_eq!(data[..4], SecurityHash::of(descriptor).get().to_le_bytes());
        }
    }
    if let Ok(id) = ObjectId::parse(data) {
        assert_eq!(id.words().count(), 4);
    }
    let _ = ObjectIdEntry::parse(data);
});
