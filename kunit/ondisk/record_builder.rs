// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::record_builder`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_record_builder)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::{
        fixup::{
            self,
            Magic,
            Transfer, //
        },
        record::*,
        record_builder::NewRecord,
        units::{
            MftReference,
            RecordNumber,
            RecordSize,
            SequenceNumber, //
        },
    };
    use kernel::prelude::*;

    fn new(size: u32) -> Result<NewRecord> {
        Ok(NewRecord {
            size: RecordSize::new(size).ok_or(EINVAL)?,
            number: Some(RecordNumber::new(0x12345)),
            sequence: SequenceNumber::new(7),
            in_use: true,
            base: Some(MftReference::from_raw((3 << 48) | 0x777)),
        })
    }

    #[test]
    fn a_new_record_is_what_was_said_and_empty() -> Result {
        for size in [1024, 2048, 4096] {
            let new = new(size)?;
            let image = new.image()?;
            assert_eq!(image.len(), size as usize);
            let record = FileRecord::parse(&image).map_err(|_| EINVAL)?;
            let header = record.header();
            assert!(header.flags.is_in_use() && !header.flags.is_directory());
            assert_eq!(header.sequence.get(), 7);
            assert_eq!(header.base, new.base);
            assert_eq!(header.link_count, 0);
            assert_eq!(header.next_attribute_id, 0);
            assert_eq!(header.bytes_allocated, size);
            assert!(header.is_number(RecordNumber::new(0x12345)));
            assert!(!header.is_number(RecordNumber::new(0x12346)));
            assert!(record.attributes().next().is_none());
            let used = header.bytes_in_use as usize;
            assert_eq!(used + new.room(), size as usize);
            assert_eq!(used % 8, 0);
        }
        Ok(())
    }

    #[test]
    fn it_survives_the_way_to_the_device() -> Result {
        for number in [None, Some(RecordNumber::new(1))] {
            let new = NewRecord {
                number,
                in_use: false,
                base: None,
                ..new(4096)?
            };
            let mut image = new.image()?;
            fixup::redo(&mut image, Magic::FILE).map_err(|_| EINVAL)?;
            assert_eq!(fixup::undo(&mut image, Magic::FILE), Ok(Transfer::Complete));
            let record = FileRecord::parse(&image).map_err(|_| EINVAL)?;
            assert!(!record.header().flags.is_in_use());
            assert_eq!(record.header().base, None);
            assert_eq!(record.header().number, number.map(|_| 1));
        }
        Ok(())
    }
}
