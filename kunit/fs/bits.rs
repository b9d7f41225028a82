// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::bits`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_bits))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::fs::bits::{
        fill,
        find,
        zeros,
        Bit, //
    };
    use kernel::prelude::*;

    #[test]
    fn every_range_is_filled_and_found_alone() -> Result {
        for from in 0..192 {
            for to in from..=192 {
                let mut bytes = [0; 24];
                fill(&mut bytes, from, to, Bit::Used);
                let (free, looked) = zeros(&bytes, 192);
                assert_eq!((free, looked), (192 - (to - from) as u64, 192));
                let (first, end) = match from < to {
                    true => (Some(from), Some(to).filter(|to| *to < 192)),
                    false => (None, None),
                };
                assert_eq!(find(&bytes, 0, 192, Bit::Used), first);
                if from < to {
                    assert_eq!(find(&bytes, from, 192, Bit::Free), end);
                    assert_eq!(find(&bytes, from, to, Bit::Free), None);
                    assert_eq!(find(&bytes, 0, from, Bit::Used), None);
                }
                let mut rest = [0xff; 24];
                fill(&mut rest, from, to, Bit::Free);
                assert!(bytes.iter().zip(&rest).all(|(one, other)| *one == !*other));
            }
        }
        Ok(())
    }

    #[test]
    fn nothing_is_found_or_filled_behind_the_bytes() -> Result {
        let mut bytes = [0; 8];
        fill(&mut bytes, 60, 200, Bit::Used);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 0xf0]);
        assert_eq!(find(&bytes, 64, 200, Bit::Free), None);
        assert_eq!(find(&bytes, 60, 200, Bit::Free), None);
        assert_eq!(find(&bytes, usize::MAX - 1, usize::MAX, Bit::Used), None);
        Ok(())
    }

    #[test]
    fn zeros_beyond_the_limit_do_not_count() -> Result {
        assert_eq!(zeros(&[0; 16], 70), (70, 70));
        assert_eq!(zeros(&[0; 3], 70), (24, 24));
        assert_eq!(zeros(&[0xff, 0x0f], 13), (1, 13));
        assert_eq!(zeros(&[], 13), (0, 0));
        Ok(())
    }
}
