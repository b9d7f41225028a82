// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::record`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_record))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        record::*, //
    };
    use crate::ondisk::{
        attribute::AttributeType,
        error::Malformed,
        record::*,
        units::{
            Lsn,
            MftReference,
            RecordNumber,
            SequenceNumber, //
        },
    };
    use kernel::prelude::*;

    /// The types of the attributes, and how many errors there were between them.
    fn walk(record: &[u8]) -> core::result::Result<(KVec<u32>, usize), Malformed> {
        let mut types = KVec::new();
        let mut errors = 0;
        for attribute in FileRecord::parse(record)?.attributes() {
            match attribute {
                Ok(attribute) => {
                    // A type that did not fit would be missed by the comparison.
                    let _ = types.push(attribute.type_.get(), GFP_KERNEL);
                }
                Err(_) => errors += 1,
            }
        }
        Ok((types, errors))
    }

    fn sample() -> Result<[u8; RECORD_SIZE]> {
        let standard = resident(0x10, "", 0, &[0; 48])?;
        let data = resident(0x80, "stream", 1, b"some bytes")?;
        Ok(file_record(64, 3, &[&standard, &data]))
    }

    #[test]
    fn the_header_is_read() -> Result {
        let mut record = sample()?;
        put(&mut record, 0x16, &[0x0b]);
        put(&mut record, 0x20, &((9_u64 << 48) | 77).to_le_bytes());
        let header = RecordHeader::parse(&record).map_err(|_| EINVAL)?;
        assert_eq!(header.lsn, Lsn::new(0x1234));
        assert_eq!(header.sequence, SequenceNumber::new(3));
        assert_eq!(header.link_count, 1);
        assert_eq!(header.attributes_offset, 0x38);
        assert!(header.flags.is_in_use());
        assert!(header.flags.is_directory());
        assert!(header.flags.is_view_index());
        assert_eq!(header.bytes_allocated, 1024);
        assert_eq!(header.base, Some(MftReference::from_raw((9 << 48) | 77)));
        assert_eq!(header.next_attribute_id, 7);
        assert_eq!(header.number, Some(64));
        Ok(())
    }

    #[test]
    fn a_base_record_has_no_base() -> Result {
        let header = RecordHeader::parse(&sample()?).map_err(|_| EINVAL)?;
        assert_eq!(header.base, None);
        assert!(!header.flags.is_directory());
        Ok(())
    }

    #[test]
    fn a_record_of_nt4_does_not_say_its_number() -> Result {
        let mut record = sample()?;
        put(&mut record, 0x04, &0x2a_u16.to_le_bytes());
        let header = RecordHeader::parse(&record).map_err(|_| EINVAL)?;
        assert_eq!(header.number, None);
        assert!(header.is_number(RecordNumber::new(9999)));
        Ok(())
    }

    #[test]
    fn the_number_is_compared_by_the_bits_that_are_stored() -> Result {
        let header = RecordHeader::parse(&sample()?).map_err(|_| EINVAL)?;
        assert!(header.is_number(RecordNumber::new(64)));
        assert!(header.is_number(RecordNumber::new(0x1_0000_0040)));
        assert!(!header.is_number(RecordNumber::new(65)));
        Ok(())
    }

    #[test]
    fn attributes_come_in_stored_order() -> Result {
        let record = sample()?;
        let (types, errors) = walk(&record).map_err(|_| EINVAL)?;
        assert_eq!(&types[..], &[0x10, 0x80]);
        assert_eq!(errors, 0);
        let file = FileRecord::parse(&record).map_err(|_| EINVAL)?;
        let last = file
            .attributes()
            .last()
            .ok_or(EINVAL)?
            .map_err(|_| EINVAL)?;
        assert_eq!(last.type_, AttributeType::DATA);
        assert_eq!(last.offset, 0x38 + 0x48);
        Ok(())
    }

    #[test]
    fn a_free_record_is_read_like_any_other() -> Result {
        let mut record = sample()?;
        put(&mut record, 0x16, &[0, 0]);
        let file = FileRecord::parse(&record).map_err(|_| EINVAL)?;
        assert!(!file.header().flags.is_in_use());
        assert_eq!(file.attributes().count(), 2);
        Ok(())
    }

    #[test]
    fn another_magic_is_refused() -> Result {
        for magic in [b"BAAD", b"INDX", b"\0\0\0\0"] {
            let mut record = sample()?;
            put(&mut record, 0, magic);
            assert!(FileRecord::parse(&record).is_err());
        }
        Ok(())
    }

    #[test]
    fn bytes_in_use_beyond_the_record_are_bounded_by_it() -> Result {
        for in_use in [1024_u32, 1025, 0x8000_0000, u32::MAX] {
            let mut record = sample()?;
            put(&mut record, 0x18, &in_use.to_le_bytes());
            let (types, errors) = walk(&record).map_err(|_| EINVAL)?;
            assert_eq!(&types[..], &[0x10, 0x80]);
            assert_eq!(errors, 0);
        }
        Ok(())
    }

    #[test]
    fn too_few_bytes_in_use_show_what_is_before_and_an_error() -> Result {
        // Each cuts the record in another place: end marker, second attribute, its header.
        for in_use in [0xb0_u32, 0xaf, 0xa0, 0x88, 0x84, 0x80] {
            let mut record = sample()?;
            put(&mut record, 0x18, &in_use.to_le_bytes());
            let (types, errors) = walk(&record).map_err(|_| EINVAL)?;
            assert_eq!(types.first(), Some(&0x10));
            assert_eq!(errors, 1);
        }
        Ok(())
    }

    #[test]
    fn a_first_attribute_outside_of_the_used_part_is_refused() -> Result {
        for offset in [0_u16, 8, 0x29, 0x400, 0xffff] {
            let mut record = sample()?;
            put(&mut record, 0x14, &offset.to_le_bytes());
            assert!(FileRecord::parse(&record).is_err());
        }
        let mut record = sample()?;
        put(&mut record, 0x18, &0x38_u32.to_le_bytes());
        assert!(FileRecord::parse(&record).is_err());
        Ok(())
    }

    #[test]
    fn an_attribute_without_a_usable_length_ends_the_walk() -> Result {
        for length in [0_u32, 1, 0x17, 0x3ff, 0x7fff_fff8, 0xffff_fff8] {
            let mut record = sample()?;
            put(&mut record, 0x38 + 4, &length.to_le_bytes());
            let (types, errors) = walk(&record).map_err(|_| EINVAL)?;
            assert_eq!(types.len(), 0);
            assert_eq!(errors, 1);
        }
        Ok(())
    }

    #[test]
    fn an_attribute_that_is_broken_inside_does_not_hide_the_next() -> Result {
        let mut record = sample()?;
        put(&mut record, 0x38 + 0x10, &0x1000_u32.to_le_bytes());
        let (types, errors) = walk(&record).map_err(|_| EINVAL)?;
        assert_eq!(&types[..], &[0x80]);
        assert_eq!(errors, 1);
        Ok(())
    }

    #[test]
    fn a_record_cut_off_anywhere_is_safe() -> Result {
        let record = sample()?;
        for length in 0..0xc0 {
            // Only that it comes back counts.
            let _ = walk(record.get(..length).unwrap_or(&[]));
        }
        assert!(FileRecord::parse(record.get(..0x2f).unwrap_or(&[])).is_err());
        Ok(())
    }
}
