// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::upcase`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_upcase))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::upcase::*;
    use core::cmp::Ordering;
    use kernel::prelude::*;

    /// A whole table in which only the letters of ASCII have capitals.
    fn ascii() -> Result<KVVec<u8>> {
        let mut data = KVVec::with_capacity(TABLE_LENGTH, GFP_KERNEL)?;
        for unit in 0..=u16::MAX {
            let upper = match unit {
                0x61..=0x7a => unit - 0x20,
                _ => unit,
            };
            data.extend_from_slice(&upper.to_le_bytes(), GFP_KERNEL)?;
        }
        Ok(data)
    }

    fn compare(upcase: &UpCase, a: &str, b: &str) -> (Ordering, Ordering) {
        (
            upcase.compare_ignoring_case(a.encode_utf16(), b.encode_utf16()),
            upcase.collate_file_name(a.encode_utf16(), b.encode_utf16()),
        )
    }

    #[test]
    fn names_are_sorted_by_capitals_then_exactly_then_by_length() -> Result {
        use Ordering::*;

        let upcase = UpCase::windows()?;
        let cases = [
            ("", "", Equal, Equal),
            ("", "a", Less, Less),
            ("a", "a", Equal, Equal),
            ("a", "A", Equal, Greater),
            ("a", "B", Less, Less),
            ("B", "a", Greater, Greater),
            ("ab", "a", Greater, Greater),
            // Case counts only where nothing else does.
            ("aB", "Ac", Less, Less),
            ("Ab", "aB", Equal, Less),
            // `_` is behind the capitals and before the small letters.
            ("_", "a", Greater, Greater),
            ("_", "A", Greater, Greater),
            ("ä", "Ä", Equal, Greater),
            ("straße", "STRASSE", Greater, Greater),
            ("я", "Я", Equal, Greater),
            ("ÿ", "Ÿ", Equal, Less),
        ];
        for (a, b, ignoring_case, exact) in cases {
            assert_eq!(compare(&upcase, a, b), (ignoring_case, exact));
            assert_eq!(
                compare(&upcase, b, a),
                (ignoring_case.reverse(), exact.reverse())
            );
        }
        Ok(())
    }

    #[test]
    fn surrogates_are_units_like_any_other() -> Result {
        let upcase = UpCase::windows()?;
        // As characters it would be the other way round.
        assert_eq!(
            compare(&upcase, "\u{10000}", "\u{ffff}"),
            (Ordering::Less, Ordering::Less)
        );
        Ok(())
    }

    #[test]
    fn the_table_of_windows_has_all_its_pairs() -> Result {
        let upcase = UpCase::windows()?;
        let pairs = (0..=u16::MAX).filter(|unit| upcase.upper(*unit) != *unit);
        assert_eq!(pairs.count(), 973);
        // One of each kind: in a row, alternating, alone, across the table.
        let cases = [
            (0x61, 0x41),
            (0x7a, 0x5a),
            (0xf7, 0xf7),
            (0xff, 0x178),
            (0x101, 0x100),
            (0x102, 0x102),
            (0x131, 0x131),
            (0x3b1, 0x391),
            (0x450, 0x400),
            (0x10d0, 0x10d0),
            (0x1d7d, 0x2c63),
            (0xff5a, 0xff3a),
            (0xffff, 0xffff),
        ];
        for (unit, upper) in cases {
            assert_eq!(upcase.upper(unit), upper);
        }
        Ok(())
    }

    #[test]
    fn the_table_of_the_volume_is_used() -> Result {
        let data = ascii()?;
        assert_eq!(UpCase::check(&data), Ok(()));
        let upcase = UpCase::from_data(&data)?;
        assert_eq!(compare(&upcase, "a", "A").0, Ordering::Equal);
        assert_eq!(compare(&upcase, "ä", "Ä").0, Ordering::Greater);
        Ok(())
    }

    #[test]
    fn a_table_that_does_not_know_the_alphabet_is_refused() -> Result {
        for unit in [0_usize, 0x2f, 0x41, 0x61, 0x7a, 0x7f] {
            let mut data = ascii()?;
            data[2 * unit] ^= 0x04;
            assert_eq!(
                UpCase::check(&data).map_err(|error| error.at),
                Err(2 * unit)
            );
        }
        // Above ASCII, anything goes.
        let mut data = ascii()?;
        data[0x100] ^= 0x04;
        assert_eq!(UpCase::check(&data), Ok(()));
        Ok(())
    }

    #[test]
    fn a_table_of_another_size_is_refused() -> Result {
        let mut data = ascii()?;
        data.push(0, GFP_KERNEL)?;
        for length in [
            0,
            2,
            0x100,
            TABLE_LENGTH - 2,
            TABLE_LENGTH - 1,
            TABLE_LENGTH + 1,
        ] {
            assert!(UpCase::check(data.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }
}
