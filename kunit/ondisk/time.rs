// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::time`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_time))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::time::NtTime;

    /// Intervals from 1601 to 1970.
    const EPOCH: u64 = 116_444_736_000_000_000;

    #[test]
    fn times_convert_both_ways() {
        let cases = [
            // The first instant that there is.
            (0, -11_644_473_600, 0),
            (1, -11_644_473_600, 100),
            // Around 1970, where the sign changes.
            (EPOCH - 10_000_000, -1, 0),
            (EPOCH - 1, -1, 999_999_900),
            (EPOCH, 0, 0),
            (EPOCH + 1, 0, 100),
            // 1950-06-15 12:30:45.1234567.
            (110_276_802_451_234_567, -616_793_355, 123_456_700),
            // The seconds that do not fit 31, and 32, bits: 2038 and 2106.
            (EPOCH + 21_474_836_480_000_000, 2_147_483_648, 0),
            (EPOCH + 42_949_672_960_000_000, 4_294_967_296, 0),
            // The last of Windows, in 30828.
            (i64::MAX.unsigned_abs(), 910_692_730_085, 477_580_700),
            (u64::MAX, 1_833_029_933_770, 955_161_500),
        ];
        for (intervals, seconds, nanoseconds) in cases {
            let time = NtTime::new(intervals);
            assert_eq!(time.to_unix(), (seconds, nanoseconds));
            assert_eq!(NtTime::from_unix(seconds, nanoseconds), time);
        }
        assert_eq!(NtTime::MAX.get(), i64::MAX.unsigned_abs());
    }

    #[test]
    fn what_is_finer_than_an_interval_is_cut_off() {
        assert_eq!(NtTime::from_unix(0, 199), NtTime::new(EPOCH + 1));
        assert_eq!(NtTime::from_unix(-1, 999_999_999), NtTime::new(EPOCH - 1));
    }

    #[test]
    fn times_that_do_not_exist_become_the_nearest_that_does() {
        assert_eq!(NtTime::from_unix(-11_644_473_601, 999_999_900), NtTime::MIN);
        assert_eq!(NtTime::from_unix(i64::MIN, 0), NtTime::MIN);
        assert_eq!(NtTime::from_unix(i64::MAX, 0), NtTime::new(u64::MAX));
        assert_eq!(
            NtTime::from_unix(1_833_029_933_771, 0),
            NtTime::new(u64::MAX)
        );
    }
}
