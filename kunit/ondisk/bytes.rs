// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::bytes`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_bytes))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::bytes::*;

    #[test]
    fn numbers_are_little_endian_and_need_no_alignment() {
        let buffer = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(u8_at(&buffer, 8), Some(8));
        assert_eq!(u16_at(&buffer, 1), Some(0x0201));
        assert_eq!(u32_at(&buffer, 1), Some(0x0403_0201));
        assert_eq!(u64_at(&buffer, 1), Some(0x0807_0605_0403_0201));
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let buffer = [0; 8];
        for at in [1, 8, 9, usize::MAX - 1, usize::MAX] {
            assert_eq!(u64_at(&buffer, at), None);
            assert_eq!(slice_at(&buffer, at, 8), None);
        }
        assert_eq!(u8_at(&buffer, 8), None);
        assert_eq!(u16_at(&buffer, 7), None);
        assert_eq!(u32_at(&buffer, 5), None);
        assert_eq!(slice_at(&buffer, 1, usize::MAX), None);
        assert_eq!(slice_at(&buffer, 8, 0), Some(&[][..]));
    }

    #[test]
    fn a_write_that_does_not_fit_changes_nothing() {
        let mut buffer = [0; 4];
        assert_eq!(put_at(&mut buffer, 1, &[1, 2, 3]), Some(()));
        assert_eq!(buffer, [0, 1, 2, 3]);
        assert_eq!(put_at(&mut buffer, 2, &[9, 9, 9]), None);
        assert_eq!(put_at(&mut buffer, usize::MAX, &[9]), None);
        assert_eq!(buffer, [0, 1, 2, 3]);
    }
}
