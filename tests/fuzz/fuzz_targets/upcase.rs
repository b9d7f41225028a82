// SPDX-License-Identifier: GPL-2.0-only

//! Collation: a total order, equal only for equal names, whatever the table says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::upcase::{UpCase, TABLE_LENGTH};
use std::{cmp::Ordering, sync::LazyLock};

static WINDOWS: LazyLock<UpCase> = LazyLock::new(|| UpCase::windows().unwrap());

fn check(upcase: &UpCase, names: [&[u16]; 3]) {
    let order = |a: usize, b: usize| {
        upcase.collate_file_name(names[a].iter().copied(), names[b].iter().copied())
    };
    for a in 0..3 {
        for b in 0..3 {
            assert_eq!(order(a, b), order(b, a).reverse());
            assert_eq!(order(a, b) == Ordering::Equal, names[a] == names[b]);
            let alike =
                upcase.compare_ignoring_case(names[a].iter().copied(), names[b].iter().copied());
            if alike != Ordering::Equal {
                assert_eq!(alike, order(a, b));
            }
            for c in 0..3 {
                if order(a, b).is_le() && order(b, c).is_le() {
                    assert!(order(a, c).is_le());
                }
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[first, second], rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let units: Vec<u16> = rest
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let (a, rest) = units.split_at(usize::from(first).min(units.len()));
    let (b, c) = rest.split_at(usize::from(second).min(rest.len()));
    check(&WINDOWS, [a, b, c]);
    // Now and then, since a table is large: the input also stands for one, shorter than a real one.
    if first >= 0xf0 {
        check(&UpCase::from_data(data).unwrap(), [a, b, c]);
    }
    assert!(UpCase::check(data).is_err() || data.len() == TABLE_LENGTH);
});
