// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::log::tables`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_log_tables))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        utf16, //
    };
    use crate::ondisk::{
        attribute::AttributeType,
        log::tables::*,
        units::{
            Lcn,
            Lsn,
            MftReference,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    const OPEN: OpenAttribute = OpenAttribute {
        file: MftReference {
            number: crate::ondisk::units::RecordNumber::new(5),
            sequence: crate::ondisk::units::SequenceNumber::new(6),
        },
        type_: AttributeType::INDEX_ALLOCATION,
        index_block_size: 4096,
        dirty_pages: true,
        lsn: Lsn::new(0x1234),
    };

    const ACTIVE: Transaction = Transaction {
        state: TransactionState::Active,
        first_lsn: Lsn::new(1),
        previous_lsn: Lsn::new(3),
        undo_next_lsn: Lsn::new(2),
        undo_records: 2,
        undo_bytes: 0x100,
    };

    /// A table of five transactions, of which the second and the fourth are free.
    fn table(out: &mut [u8]) -> Result<usize> {
        let entry = ACTIVE.to_bytes();
        let slots = [Some(&entry[..]), None, Some(&entry), None, Some(&entry)];
        encode(TRANSACTION_LENGTH, slots, out).ok_or(EINVAL)
    }

    #[test]
    fn a_table_comes_back() -> Result {
        let mut out = [0xee; 0x100];
        let length = table(&mut out)?;
        assert_eq!(Some(length), table_length(TRANSACTION_LENGTH, 5));
        let table = Table::parse(&out).map_err(|_| EINVAL)?;
        let mut entries = table.entries();
        for expected in [0x18, 0x68, 0xb8] {
            let (place, entry) = entries.next().ok_or(EINVAL)?;
            assert_eq!(place, expected);
            assert_eq!(Transaction::parse(entry), Ok(ACTIVE));
            assert_eq!(table.entry(place), Some(entry));
        }
        assert!(entries.next().is_none());
        for none in [0, 0x17, 0x19, 0x40, 0xe0, u32::MAX] {
            assert_eq!(table.entry(none), None);
        }
        Ok(())
    }

    #[test]
    fn an_empty_table_is_one() -> Result {
        let mut out = [0; 0x18];
        assert_eq!(encode(8, [], &mut out), Some(0x18));
        let table = Table::parse(&out).map_err(|_| EINVAL)?;
        assert!(table.entries().next().is_none());
        assert_eq!(encode(8, [None], &mut out), None);
        Ok(())
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() -> Result {
        for (at, bytes) in [
            // Entry size, count, entries in use.
            (0x00, &[0, 0][..]),
            (0x00, &[4, 0]),
            (0x00, &[0xff, 0xff]),
            (0x02, &[7, 0]),
            (0x04, &[2, 0]),
            // The free list: off a boundary, into an entry in use, out of the table, in a circle.
            (0x10, &[0x41, 0, 0, 0]),
            (0x10, &[0x18, 0, 0, 0]),
            (0x10, &[0xe0, 0, 0, 0]),
            (0x40, &[0x40, 0, 0, 0]),
            (0x90, &[0x40, 0, 0, 0]),
        ] {
            let mut out = [0; 0xe0];
            table(&mut out)?;
            put(&mut out, at, bytes);
            assert!(Table::parse(&out).is_err());
        }
        assert!(Table::parse(&[0; 0x17]).is_err());
        Ok(())
    }

    #[test]
    fn open_attributes_have_two_layouts() {
        let bytes = OPEN.to_bytes();
        assert_eq!(OpenAttribute::parse(&bytes, Format::V1), Ok(OPEN));
        let mut old = [0; 0x2c];
        put(&mut old, 0x08, &OPEN.file.to_raw().to_le_bytes());
        put(&mut old, 0x10, &0x1234_u64.to_le_bytes());
        put(&mut old, 0x18, &[1]);
        put(&mut old, 0x1c, &0xa0_u32.to_le_bytes());
        put(&mut old, 0x28, &4096_u32.to_le_bytes());
        assert_eq!(OpenAttribute::parse(&old, Format::V0), Ok(OPEN));
        assert!(OpenAttribute::parse(&bytes, Format::V0).is_err());
        assert!(OpenAttribute::parse(&[0; 0x1f], Format::V1).is_err());
    }

    #[test]
    fn dirty_pages_have_two_layouts() -> Result {
        let page = DirtyPage::new(0x18, 4096, Vcn::new(8), Lsn::new(0x1234));
        let lcns = [Lcn::new(0x100), Lcn::new(0x200)];
        let mut bytes = [0; 0x30];
        page.encode(lcns, &mut bytes).ok_or(EINVAL)?;
        let read = DirtyPage::parse(&bytes, Format::V1).map_err(|_| EINVAL)?;
        assert!(read.lcns().eq(lcns));
        assert_eq!((read.attribute, read.length), (0x18, 4096));
        assert_eq!((read.vcn, read.oldest_lsn), (page.vcn, page.oldest_lsn));
        let mut old = [0; 0x34];
        put(&mut old, 0, bytes.get(..0x10).unwrap_or(&[]));
        put(&mut old, 0x14, bytes.get(0x10..).unwrap_or(&[]));
        let old = DirtyPage::parse(&old, Format::V0).map_err(|_| EINVAL)?;
        assert_eq!(old, read);
        // More clusters than the entry has room for.
        put(&mut bytes, 0x0c, &[3]);
        assert!(DirtyPage::parse(&bytes, Format::V1).is_err());
        put(&mut bytes, 0x0c, &[0xff; 4]);
        assert!(DirtyPage::parse(&bytes, Format::V1).is_err());
        assert_eq!(page.encode(lcns, &mut [0; 0x2f]), None);
        Ok(())
    }

    #[test]
    fn a_transaction_has_one_of_three_states() {
        for state in [
            TransactionState::Active,
            TransactionState::Prepared,
            TransactionState::Committed,
        ] {
            let one = Transaction { state, ..ACTIVE };
            assert_eq!(Transaction::parse(&one.to_bytes()), Ok(one));
        }
        let mut bytes = ACTIVE.to_bytes();
        put(&mut bytes, 4, &[4]);
        assert!(Transaction::parse(&bytes).is_err());
        assert!(Transaction::parse(&[1; 0x27]).is_err());
    }

    #[test]
    fn names_come_back_in_order() -> Result {
        let (index, stream) = (utf16("$I30")?, utf16("a")?);
        let mut out = [0; 0x40];
        let list = [(0x18, &index[..]), (0x40, &stream)];
        assert_eq!(encode_names(list, &mut out), Some(14 + 8 + 4));
        assert!(names(&out).eq(list.map(Ok)));
        assert_eq!(encode_names([], &mut out), Some(4));
        // One name cut off, one with half a unit, no end.
        assert!(names(out.get(..10).unwrap_or(&[])).any(|name| name.is_err()));
        put(&mut out, 2, &[7]);
        assert!(names(&out).any(|name| name.is_err()));
        assert!(names(&[]).any(|name| name.is_err()));
        assert_eq!(encode_names(list, &mut [0; 25]), None);
        Ok(())
    }

    #[test]
    fn a_restart_record_comes_back() {
        let dump = |lsn, length| Dump {
            lsn: Lsn::new(lsn),
            length,
        };
        let restart = ClientRestart {
            format: Format::V1,
            check_point_start: Lsn::new(1),
            open_attributes: dump(2, 0x100),
            names: dump(3, 0x2e),
            dirty_pages: dump(4, 0x200),
            transactions: dump(5, 0x300),
            usn_offset: 6,
            previous_restart: Lsn::new(7),
            cluster_size: 4096,
            usn_journal: 8,
            usn_base: 9,
            oldest_lsn: Some(Lsn::new(10)),
        };
        let bytes = restart.to_bytes();
        assert_eq!(ClientRestart::parse(&bytes), Ok(restart));
        let short = bytes.get(..0x68).unwrap_or(&[]);
        let old = ClientRestart {
            oldest_lsn: None,
            ..restart
        };
        assert_eq!(ClientRestart::parse(short), Ok(old));
        assert!(ClientRestart::parse(bytes.get(..0x67).unwrap_or(&[])).is_err());
        let mut newer = bytes;
        put(&mut newer, 0, &[2]);
        assert!(ClientRestart::parse(&newer).is_err());
    }
}
