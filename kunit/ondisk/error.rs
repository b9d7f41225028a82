// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::error`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_error))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::error::Malformed;

    #[test]
    fn a_part_reports_its_place_in_the_whole() {
        let error = Malformed::new("x", 0x10, 1, 2);
        assert_eq!(error.within(0x30), Malformed::new("x", 0x40, 1, 2));
        assert_eq!(error.within(usize::MAX).at, usize::MAX);
    }

    #[test]
    fn what_is_cut_off_reports_the_sizes() {
        let error = Malformed::truncated("x", 4, 3, 8);
        assert_eq!(error, Malformed::new("x", 4, 3, 8));
    }
}
