// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::fixup`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_fixup))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        record::file_record, //
    };
    use crate::ondisk::fixup::*;

    fn u16_at(buffer: &[u8], at: usize) -> Option<u16> {
        crate::ondisk::bytes::u16_at(buffer, at)
    }

    /// A record as on the disk: number 5, protected words 0x1111 and 0x2222.
    fn written() -> [u8; 1024] {
        let mut record = file_record(0, 1, &[]);
        put(&mut record, 0x30, &[5, 0, 0x11, 0x11, 0x22, 0x22]);
        put(&mut record, 510, &[5, 0]);
        put(&mut record, 1022, &[5, 0]);
        record
    }

    #[test]
    fn protected_words_come_back() {
        let mut record = written();
        assert_eq!(undo(&mut record, Magic::FILE), Ok(Transfer::Complete));
        assert_eq!(u16_at(&record, 510), Some(0x1111));
        assert_eq!(u16_at(&record, 1022), Some(0x2222));
    }

    #[test]
    fn redo_after_undo_differs_in_the_number_only() {
        let mut record = written();
        assert_eq!(undo(&mut record, Magic::FILE), Ok(Transfer::Complete));
        assert_eq!(redo(&mut record, Magic::FILE), Ok(()));
        let mut expected = written();
        for at in [0x30, 510, 1022] {
            put(&mut expected, at, &[6, 0]);
        }
        assert_eq!(record, expected);
    }

    #[test]
    fn undo_after_redo_gives_the_same_content() {
        let mut record = file_record(7, 3, &[&[0x10; 0x20]]);
        put(&mut record, 510, &[0xab, 0xcd]);
        let before = record;
        assert_eq!(redo(&mut record, Magic::FILE), Ok(()));
        assert_eq!(u16_at(&record, 510), Some(2));
        assert_eq!(undo(&mut record, Magic::FILE), Ok(Transfer::Complete));
        assert_eq!(record.get(0x38..), before.get(0x38..));
    }

    #[test]
    fn the_number_skips_zero_and_all_ones() {
        for (before, after) in [(1, 2), (0xfffd, 0xfffe), (0xfffe, 1), (0xffff, 1), (0, 1)] {
            let mut record = file_record(0, 1, &[]);
            put(&mut record, 0x30, &u16::to_le_bytes(before));
            assert_eq!(redo(&mut record, Magic::FILE), Ok(()));
            assert_eq!(u16_at(&record, 0x30), Some(after));
        }
    }

    #[test]
    fn a_sector_of_another_write_is_noticed_and_named() {
        let mut record = written();
        put(&mut record, 1022, &[4, 0]);
        let torn = match undo(&mut record, Magic::FILE) {
            Ok(Transfer::Torn(error)) => Some((error.at, error.found, error.expected)),
            _ => None,
        };
        assert_eq!(torn, Some((1022, 4, 5)));
        assert_eq!(u16_at(&record, 510), Some(0x1111));
        assert_eq!(u16_at(&record, 1022), Some(0x2222));
    }

    #[test]
    fn an_array_that_cannot_be_is_refused_and_nothing_changed() {
        // Offset of the array, number of its words.
        let cases = [
            (0x30, 0),
            (0x30, 1),
            (0x30, 2),
            (0x30, 4),
            (0x30, 0xffff),
            (0, 3),
            (4, 3),
            (0x2f, 3),
            (506, 3),
            (0xffff, 3),
            (0xfffe, 3),
            (1022, 3),
        ];
        for (offset, count) in cases {
            let mut record = written();
            put(&mut record, 4, &u16::to_le_bytes(offset));
            put(&mut record, 6, &u16::to_le_bytes(count));
            // One sector of another write, so that they do not agree on a number.
            put(&mut record, 1022, &[4, 0]);
            let before = record;
            assert!(undo(&mut record, Magic::FILE).is_err());
            assert!(redo(&mut record, Magic::FILE).is_err());
            assert_eq!(record, before);
        }
    }

    #[test]
    fn sectors_that_agree_overrule_the_header() {
        // Offset of the array, number of its words: as stated by a broken header.
        for (offset, count) in [(0x30, 2), (0x30, 0), (0x2f, 3), (0xffff, 3), (4, 0xffff)] {
            let mut record = written();
            put(&mut record, 4, &u16::to_le_bytes(offset));
            put(&mut record, 6, &u16::to_le_bytes(count));
            let before = record;
            assert!(redo(&mut record, Magic::FILE).is_err());
            assert_eq!(record, before);
            assert_eq!(undo(&mut record, Magic::FILE), Ok(Transfer::Complete));
            assert_eq!(u16_at(&record, 510), Some(0x1111));
            assert_eq!(u16_at(&record, 1022), Some(0x2222));
        }
    }

    #[test]
    fn zeros_are_no_number_that_sectors_can_agree_on() {
        let mut record = [0; 1024];
        put(&mut record, 0, b"FILE");
        assert!(undo(&mut record, Magic::FILE).is_err());
    }

    #[test]
    fn an_array_that_ends_just_before_the_first_word_is_read() {
        let mut record = [0; 1024];
        put(&mut record, 0, b"FILE");
        put(&mut record, 4, &504_u16.to_le_bytes());
        put(&mut record, 6, &3_u16.to_le_bytes());
        assert_eq!(undo(&mut record, Magic::FILE), Ok(Transfer::Complete));
    }

    #[test]
    fn another_magic_is_refused() {
        let mut record = written();
        assert!(undo(&mut record, Magic::INDX).is_err());
        put(&mut record, 0, b"BAAD");
        assert_eq!(
            undo(&mut record, Magic::FILE).map_err(|error| error.found),
            Err(0x4441_4142)
        );
    }

    #[test]
    fn a_buffer_of_half_a_sector_is_refused() {
        for length in [0, 3, 7, 511, 513, 1023] {
            let mut record = written();
            let part = record.get_mut(..length).unwrap_or(&mut []);
            assert!(undo(part, Magic::FILE).is_err());
        }
    }
}
