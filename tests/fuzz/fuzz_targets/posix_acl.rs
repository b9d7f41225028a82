// SPDX-License-Identifier: GPL-2.0-only

//! Access control lists of POSIX: one that is taken comes back as it was, and no mode gives it more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::posix_acl::PosixAcl;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first_chunk::<2>() else {
        return;
    };
    let Ok(list) = PosixAcl::parse(data) else {
        return;
    };
    assert_eq!(list.is_empty(), data.len() == 4);
    assert!(list.within(0o777).eq(data.iter().copied()));
    let less: Vec<u8> = list.within(u16::from_le_bytes(*mode)).collect();
    let within = PosixAcl::parse(&less).expect("a list within a mode is a list");
    assert_eq!(within.is_empty(), list.is_empty());
    for (old, new) in data[4..].chunks(8).zip(less[4..].chunks(8)) {
        assert_eq!((new[2] & !old[2], &new[..2], &new[4..]), (0, &old[..2], &old[4..]));
    }
});
