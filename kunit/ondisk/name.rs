// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::name`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_name))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::utf16;
    use crate::ondisk::name::*;
    use kernel::prelude::*;

    /// Units, and the bytes that a user sees; each stands for the other.
    const PAIRS: [(&[u16], &[u8]); 12] = [
        (&[], b""),
        (&[0x61, 0x2e, 0x62], b"a.b"),
        (&[0x2f, 0x00, 0x3a], b"/\0:"),
        (
            &[0x7f, 0x80, 0x7ff, 0x800, 0xffff],
            "\x7f\u{80}\u{7ff}\u{800}\u{ffff}".as_bytes(),
        ),
        (
            &[0xe4, 0x20ac, 0xd7ff, 0xe000],
            "ä€\u{d7ff}\u{e000}".as_bytes(),
        ),
        // Pairs, the first and the last that there are.
        (
            &[0xd800, 0xdc00, 0xdbff, 0xdfff],
            "\u{10000}\u{10ffff}".as_bytes(),
        ),
        (&[0xd83d, 0xde00], "😀".as_bytes()),
        // Surrogates alone, in the wrong order, and before a pair.
        (&[0xd800], b"\xed\xa0\x80"),
        (&[0xdfff], b"\xed\xbf\xbf"),
        (&[0xdc00, 0xd800], b"\xed\xb0\x80\xed\xa0\x80"),
        (&[0xd83d, 0xd83d, 0xde00], b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
        (&[0x61, 0xdead, 0x62], b"a\xed\xba\xadb"),
    ];

    #[test]
    fn units_and_bytes_convert_both_ways() -> Result {
        for (units, bytes) in PAIRS {
            let name = NameBuf::from_wtf8(bytes).ok_or(EINVAL)?;
            assert_eq!(name.as_units(), units);
            assert_eq!(name.len(), units.len());
            assert_eq!(name.is_empty(), units.is_empty());
            let mut out = [0; 32];
            let length = name.to_wtf8(&mut out).ok_or(EINVAL)?;
            assert_eq!(out.get(..length), Some(bytes));
            assert_eq!(NameBuf::from_units(units), Some(name));
        }
        Ok(())
    }

    #[test]
    fn a_name_of_the_disk_gives_the_same() -> Result {
        for (units, bytes) in PAIRS {
            let mut stored = KVec::new();
            for unit in units {
                stored.extend_from_slice(&unit.to_le_bytes(), GFP_KERNEL)?;
            }
            let name = Name::from_bytes(&stored).ok_or(EINVAL)?;
            assert!(name.is(units));
            assert_eq!(name.len(), units.len());
            assert_eq!(name.to_owned().as_units(), units);
            let mut out = [0; 32];
            let length = name.to_wtf8(&mut out).ok_or(EINVAL)?;
            assert_eq!(out.get(..length), Some(bytes));
        }
        Ok(())
    }

    #[test]
    fn bytes_that_mean_nothing_are_no_name() {
        let cases: [&[u8]; 14] = [
            b"\x80",
            b"\xff",
            b"a\xc3",
            b"\xe2\x82",
            b"\xf0\x9f\x98",
            b"\xc3\x28",
            b"\xe2\x28\xa1",
            b"\xf0\x9f\x28\x80",
            // Overlong forms.
            b"\xc0\x80",
            b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf",
            // Beyond the last character.
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            // A pair written as two surrogates.
            b"\xed\xa0\xbd\xed\xb8\x80",
        ];
        for bytes in cases {
            assert_eq!(NameBuf::from_wtf8(bytes), None);
        }
    }

    #[test]
    fn the_longest_name_fits_and_a_longer_one_does_not() -> Result {
        let units = [0xffff; 256];
        assert_eq!(NameBuf::from_units(&units), None);
        let longest = NameBuf::from_units(units.get(..MAX_UNITS).unwrap_or(&[])).ok_or(EINVAL)?;
        let mut out = KVec::from_elem(0, MAX_WTF8, GFP_KERNEL)?;
        assert_eq!(longest.to_wtf8(&mut out), Some(MAX_WTF8));
        assert_eq!(NameBuf::from_wtf8(&out), Some(longest));
        out.extend_from_slice(b"a", GFP_KERNEL)?;
        assert_eq!(NameBuf::from_wtf8(&out), None);
        // A pair at the end, of which only one unit would fit.
        let mut bytes = KVec::from_elem(b'a', 254, GFP_KERNEL)?;
        bytes.extend_from_slice("😀".as_bytes(), GFP_KERNEL)?;
        assert_eq!(NameBuf::from_wtf8(&bytes), None);
        Ok(())
    }

    #[test]
    fn a_buffer_that_is_too_small_is_not_overrun() -> Result {
        let name = NameBuf::from_wtf8("a€".as_bytes()).ok_or(EINVAL)?;
        for room in 0..4 {
            let mut out = [0; 4];
            assert_eq!(name.to_wtf8(out.get_mut(..room).unwrap_or(&mut [])), None);
        }
        assert_eq!(name.to_wtf8(&mut [0; 4]), Some(4));
        Ok(())
    }

    #[test]
    fn a_name_needs_its_units_in_the_buffer() -> Result {
        let buffer = utf16("abcd")?;
        let name = Name::parse(&buffer, 2, 2).map_err(|_| EINVAL)?;
        assert_eq!(name.as_bytes(), b"b\0c\0");
        assert!(Name::parse(&buffer, 8, 0).is_ok());
        for (at, units) in [(0, 5), (1, 4), (8, 1), (9, 0), (usize::MAX, 1)] {
            assert_eq!(
                Name::parse(&buffer, at, units).map_err(|error| error.at),
                Err(at)
            );
        }
        Ok(())
    }

    #[test]
    fn half_a_unit_is_no_name() -> Result {
        assert_eq!(Name::from_bytes(b"a"), None);
        let long = KVec::from_elem(0, 512, GFP_KERNEL)?;
        assert_eq!(Name::from_bytes(&long), None);
        assert!(Name::from_bytes(long.get(..510).unwrap_or(&[])).is_some());
        Ok(())
    }

    #[test]
    fn names_are_equal_by_their_units_alone() -> Result {
        let mut a = NameBuf::from_wtf8(b"ab").ok_or(EINVAL)?;
        let b = NameBuf::from_wtf8(b"abc").ok_or(EINVAL)?;
        assert!(a != b);
        assert_eq!(a.push(0x63), Some(()));
        assert_eq!(a, b);
        assert!(NameBuf::new().is_empty());
        Ok(())
    }
}
