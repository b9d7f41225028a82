// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::ea`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_ea))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::ea::*;
    use kernel::prelude::*;

    /// Two attributes, padded as Windows does; the second begins at offset 0x14.
    fn sample() -> Result<KVec<u8>> {
        let mut out = KVec::new();
        out.extend_from_slice(b"\x14\0\0\0\0\x06\x04\0$LXUID\0\x01\x02\0\0\0", GFP_KERNEL)?;
        out.extend_from_slice(b"\x10\0\0\0\x80\x03\x02\0ABC\0xy\0\0", GFP_KERNEL)?;
        Ok(out)
    }

    /// How many attributes are sound, and how many are not.
    fn count(value: &[u8]) -> (usize, usize) {
        entries(value).fold((0, 0), |(good, bad), entry| match entry {
            Ok(_) => (good + 1, bad),
            Err(_) => (good, bad + 1),
        })
    }

    #[test]
    fn attributes_are_read_in_order() -> Result {
        let value = sample()?;
        let mut attributes = entries(&value);
        assert_eq!(
            attributes.next(),
            Some(Ok(ExtendedAttribute {
                name: b"$LXUID",
                value: &[1, 2, 0, 0],
            }))
        );
        assert_eq!(
            attributes.next(),
            Some(Ok(ExtendedAttribute {
                name: b"ABC",
                value: b"xy",
            }))
        );
        assert_eq!(attributes.next(), None);
        Ok(())
    }

    #[test]
    fn the_last_one_may_say_that_it_is() -> Result {
        let mut value = sample()?;
        put(&mut value, 0x14, &[0; 4]);
        assert_eq!(count(&value), (2, 0));
        put(&mut value, 0x14, &[0xff; 4]);
        assert_eq!(count(&value), (2, 0));
        Ok(())
    }

    #[test]
    fn names_are_the_same_in_any_case() -> Result {
        let value = sample()?;
        let second = entries(&value).nth(1).ok_or(ENOENT)?.map_err(|_| EIO)?;
        assert!(second.is(b"abc") && second.is(b"Abc"));
        assert!(!second.is(b"ab") && !second.is(b"abcd"));
        Ok(())
    }

    #[test]
    fn the_information_beside_them_is_read_or_refused() -> Result {
        let value = b"\x15\0\x01\0\x24\0\0\0";
        let information = EaInformation::parse(value).map_err(|_| EIO)?;
        assert_eq!(information.packed_length, 0x15);
        assert_eq!(information.needed, 1);
        assert_eq!(information.length.get(), 0x24);
        for length in 0..value.len() {
            assert!(EaInformation::parse(value.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }

    #[test]
    fn an_empty_value_has_no_attributes() {
        assert_eq!(count(&[]), (0, 0));
    }

    #[test]
    fn attributes_that_overlap_or_do_not_fit_are_refused() -> Result {
        // Offset of the field, what to write there.
        let cases: [(usize, &[u8]); 6] = [
            (0x14, &[1, 0, 0, 0]),
            (0x14, &[0x0d, 0, 0, 0]),
            (0x14 + 5, &[0xff]),
            (0x14 + 6, &[0xff, 0xff]),
            (0x14 + 6, &[5, 0]),
            (0x00, &[0x20, 0, 0, 0]),
        ];
        for (at, bytes) in cases {
            let mut value = sample()?;
            put(&mut value, at, bytes);
            assert_eq!(count(&value), (1, 1));
        }
        Ok(())
    }

    #[test]
    fn a_chain_cut_off_anywhere_says_so() -> Result {
        let value = sample()?;
        for length in 1..value.len() - 2 {
            let (_, bad) = count(value.get(..length).unwrap_or(&[]));
            // Complete with the value of the first attribute, and with that of the second.
            let complete = matches!(length, 0x13 | 0x14);
            assert_eq!(bad, usize::from(!complete));
        }
        Ok(())
    }
}
