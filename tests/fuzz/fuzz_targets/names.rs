// SPDX-License-Identifier: GPL-2.0-only

//! Names: UTF-16 and WTF-8 stand for each other, in both directions.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::name::{Name, NameBuf, MAX_WTF8};

fuzz_target!(|data: &[u8]| {
    let mut out = [0; MAX_WTF8];
    if let Some(name) = Name::from_bytes(data) {
        let length = name.to_wtf8(&mut out).unwrap();
        let owned = name.to_owned();
        assert!(name.is(owned.as_units()));
        assert_eq!(NameBuf::from_wtf8(&out[..length]), Some(owned));
        let text = String::from_utf16(&name.units().collect::<Vec<_>>());
        assert_eq!(text.is_ok(), std::str::from_utf8(&out[..length]).is_ok());
    }
    if let Some(name) = NameBuf::from_wtf8(data) {
        let length = name.to_wtf8(&mut out).unwrap();
        assert_eq!(&out[..length], data);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let units = text.encode_utf16().count();
        assert_eq!(NameBuf::from_wtf8(data).is_some(), units <= 255);
    }
});
