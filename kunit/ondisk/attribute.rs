// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::attribute`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_attribute))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        record::*, //
    };
    use crate::ondisk::{
        attribute::*,
        error::Malformed,
        record::FileRecord,
        units::{
            AttributeId,
            ByteCount,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    /// Where the attribute begins in the records made here.
    const START: usize = 0x38;

    /// Puts the attribute into a record and decodes it from there.
    fn with<T>(
        attribute: &[u8],
        look: impl FnOnce(core::result::Result<Attribute<'_>, Malformed>) -> T,
    ) -> Result<T> {
        let record = file_record(64, 1, &[attribute]);
        let file = FileRecord::parse(&record).map_err(|_| EINVAL)?;
        Ok(look(file.attributes().next().ok_or(EINVAL)?))
    }

    /// Where the error of decoding is, from the start of the attribute; `None` without an error.
    fn error_at(attribute: &[u8]) -> Result<Option<usize>> {
        with(attribute, |result| {
            result.err().map(|error| error.at.wrapping_sub(START))
        })
    }

    #[test]
    fn a_resident_attribute_is_read() -> Result {
        let mut bytes = resident(0x80, "one:two", 0x1234, b"content")?;
        put(&mut bytes, 0x0c, &0x4001_u16.to_le_bytes());
        put(&mut bytes, 0x16, &[1]);
        let sound = with(&bytes, |attribute| {
            attribute.is_ok_and(|attribute| {
                attribute.offset == START
                    && attribute.length == bytes.len()
                    && attribute.type_ == AttributeType::DATA
                    && attribute.id == AttributeId::new(0x1234)
                    && attribute.flags.get() == 0x4001
                    && attribute.name.units().eq("one:two".encode_utf16())
                    && attribute.form
                        == Form::Resident {
                            value: b"content",
                            indexed: true,
                        }
            })
        })?;
        assert!(sound);
        Ok(())
    }

    #[test]
    fn flags_are_told_apart() {
        // Bits; compressed, encrypted, sparse.
        let cases = [
            (0x0000, false, false, false),
            (0x0001, true, false, false),
            (0x0002, true, false, false),
            (0x4000, false, true, false),
            (0x8000, false, false, true),
            (0x8001, true, false, true),
        ];
        for (bits, compressed, encrypted, sparse) in cases {
            let flags = AttributeFlags::new(bits);
            assert_eq!(flags.is_compressed(), compressed);
            assert_eq!(flags.is_encrypted(), encrypted);
            assert_eq!(flags.is_sparse(), sparse);
        }
    }

    #[test]
    fn an_empty_value_may_be_anywhere() -> Result {
        for offset in [0_u16, 0x18, 0xffff] {
            let mut bytes = resident(0x80, "", 1, b"")?;
            put(&mut bytes, 0x14, &offset.to_le_bytes());
            assert_eq!(error_at(&bytes)?, None);
        }
        Ok(())
    }

    #[test]
    fn a_value_or_name_outside_of_its_attribute_is_refused() -> Result {
        // Offset of the field, what to write there, and where the error is reported.
        let cases: [(usize, &[u8], usize); 10] = [
            (0x10, &[0xff, 0xff, 0xff, 0xff], 0x10),
            (0x10, &[9, 0, 0, 0], 0x10),
            (0x14, &[0x30, 0], 0x10),
            (0x14, &[0xff, 0xff], 0x10),
            (0x14, &[0x17, 0], 0x14),
            (0x14, &[0, 0], 0x14),
            (0x09, &[0xff], 0x18),
            (0x0a, &[0xff, 0xff], 0xffff),
            (0x0a, &[0x25, 0], 0x25),
            (0x08, &[2], 0x08),
        ];
        for (at, bytes, reported) in cases {
            let mut attribute = resident(0x80, "ab", 1, b"12345678")?;
            put(&mut attribute, at, bytes);
            assert_eq!(error_at(&attribute)?, Some(reported));
        }
        Ok(())
    }

    #[test]
    fn a_non_resident_attribute_is_read() -> Result {
        let bytes = Clusters::DATA.to_bytes()?;
        let sound = with(&bytes, |attribute| {
            let Ok(Attribute {
                form: Form::NonResident(form),
                ..
            }) = attribute
            else {
                return false;
            };
            form.lowest_vcn == Vcn::new(0)
                && form.highest_vcn == Some(Vcn::new(1))
                && form.sizes
                    == Some(Sizes {
                        allocated: ByteCount::new(8192),
                        data: ByteCount::new(5000),
                        initialized: ByteCount::new(4096),
                        compressed: None,
                    })
                && form.compression_unit_shift == 0
                && form.mapping_pairs.starts_with(&[0x11, 0x02, 0x20, 0x00])
        })?;
        assert!(sound);
        Ok(())
    }

    fn non_resident<T>(
        attribute: Clusters<'_>,
        look: impl FnOnce(NonResident<'_>) -> T,
    ) -> Result<T> {
        with(&attribute.to_bytes()?, |attribute| match attribute {
            Ok(Attribute {
                form: Form::NonResident(form),
                ..
            }) => Ok(look(form)),
            _ => Err(EINVAL),
        })?
    }

    #[test]
    fn a_part_that_does_not_begin_at_zero_has_no_sizes() -> Result {
        let part = Clusters {
            lowest_vcn: 10,
            highest_vcn: 11,
            // Nonsense, but not looked at.
            data: u64::MAX,
            ..Clusters::DATA
        };
        let found = non_resident(part, |form| (form.lowest_vcn, form.sizes))?;
        assert_eq!(found, (Vcn::new(10), None));
        Ok(())
    }

    #[test]
    fn an_attribute_without_clusters_has_no_highest_vcn() -> Result {
        for (lowest_vcn, highest_vcn) in [(0, u64::MAX), (10, 9)] {
            let empty = Clusters {
                lowest_vcn,
                highest_vcn,
                ..Clusters::DATA
            };
            assert_eq!(non_resident(empty, |form| form.highest_vcn)?, None);
        }
        Ok(())
    }

    #[test]
    fn sizes_that_contradict_each_other_are_left_to_the_reader() -> Result {
        let odd = Clusters {
            allocated: 0,
            data: 10,
            initialized: 20,
            ..Clusters::DATA
        };
        let sizes = non_resident(odd, |form| form.sizes)?;
        assert_eq!(sizes.map(|sizes| sizes.data), Some(ByteCount::new(10)));
        Ok(())
    }

    #[test]
    fn a_compressed_size_is_read_where_there_is_one() -> Result {
        // Flags, field present, name; and whether the size is to be found.
        let cases = [
            (0x0001, Some(4096), "", Some(4096)),
            (0x8000, Some(4096), "abcd", Some(4096)),
            (0x0000, Some(4096), "", None),
            (0x8000, None, "", None),
            // The name is where the size would be, as in `$BadClus`.
            (0x8000, None, "$Bad", None),
        ];
        for (flags, compressed, name, expected) in cases {
            let attribute = Clusters {
                flags,
                compressed,
                name,
                ..Clusters::DATA
            };
            let found = non_resident(attribute, |form| {
                form.sizes.and_then(|sizes| sizes.compressed)
            })?;
            assert_eq!(found, expected.map(ByteCount::new));
        }
        Ok(())
    }

    #[test]
    fn negative_numbers_and_vcns_in_wrong_order_are_refused() -> Result {
        const NEGATIVE: u64 = 1 << 63;
        const GOOD: Clusters<'static> = Clusters::DATA;
        let cases = [
            (
                0x10,
                Clusters {
                    lowest_vcn: NEGATIVE,
                    ..GOOD
                },
            ),
            (
                0x18,
                Clusters {
                    highest_vcn: NEGATIVE,
                    ..GOOD
                },
            ),
            (
                0x18,
                Clusters {
                    lowest_vcn: 9,
                    highest_vcn: 7,
                    ..GOOD
                },
            ),
            (
                0x18,
                Clusters {
                    lowest_vcn: 9,
                    highest_vcn: u64::MAX,
                    ..GOOD
                },
            ),
            (
                0x28,
                Clusters {
                    allocated: NEGATIVE,
                    ..GOOD
                },
            ),
            (
                0x30,
                Clusters {
                    data: NEGATIVE,
                    ..GOOD
                },
            ),
            (
                0x38,
                Clusters {
                    initialized: u64::MAX,
                    ..GOOD
                },
            ),
            (
                0x40,
                Clusters {
                    flags: 1,
                    compressed: Some(NEGATIVE),
                    ..GOOD
                },
            ),
        ];
        for (at, attribute) in cases {
            assert_eq!(error_at(&attribute.to_bytes()?)?, Some(at));
        }
        Ok(())
    }

    #[test]
    fn mapping_pairs_outside_of_their_attribute_are_refused() -> Result {
        for offset in [0_u16, 0x3f, 0x49, 0xffff] {
            let mut bytes = Clusters::DATA.to_bytes()?;
            put(&mut bytes, 0x20, &offset.to_le_bytes());
            assert_eq!(error_at(&bytes)?, Some(0x20));
        }
        Ok(())
    }

    #[test]
    fn a_non_resident_header_needs_its_room() -> Result {
        for length in [0x18, 0x19, 0x20, 0x22, 0x28, 0x38, 0x3f] {
            let mut bytes = Clusters::DATA.to_bytes()?;
            put(&mut bytes, 0x04, &[length]);
            assert!(error_at(&bytes)?.is_some());
        }
        Ok(())
    }
}
