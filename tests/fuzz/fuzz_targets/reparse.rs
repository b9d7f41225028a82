// SPDX-License-Identifier: GPL-2.0-only

//! Reparse points: paths lie in the data.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::reparse::{parse_lx_symlink, Link, ReparsePoint};

fuzz_target!(|data: &[u8]| {
    let Ok(point) = ReparsePoint::parse(data) else {
        return;
    };
    assert!(point.data.len() + 8 <= data.len());
    let _ = (point.tag.is_cloud(), point.tag.is_name_surrogate());
    for link in [
        Link::parse_symlink(point.data),
        Link::parse_mount_point(point.data),
    ]
    .into_iter()
    .flatten()
    {
        for path in [link.substitute_name, link.print_name] {
            assert!(2 * path.len() <= point.data.len());
            assert_eq!(path.units().count(), path.len());
        }
    }
    if let Ok(target) = parse_lx_symlink(point.data) {
        assert_eq!(target.len() + 4, point.data.len());
    }
});
