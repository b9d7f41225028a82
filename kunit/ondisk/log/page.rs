// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::log::page`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_log_page))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::{
        fixup::{
            self,
            Magic, //
        },
        log::page::*,
        units::{
            ByteOffset,
            Lsn, //
        },
    };
    use kernel::prelude::*;

    fn header() -> PageHeader {
        PageHeader {
            last_lsn: Lsn::new(0x20_0bf9),
            flags: PageFlags::RECORD_END,
            page_count: 3,
            page_position: 2,
            next_record: 0xfc8,
            last_end_lsn: Lsn::new(0x20_0be6),
            home_2_0: 0,
        }
    }

    /// A page as on the disk.
    fn written() -> Result<KVec<u8>> {
        let mut page = KVec::from_elem(0x77, 4096, GFP_KERNEL)?;
        put(&mut page, 0, &[0; 0x40]);
        header().put(&mut page).ok_or(EINVAL)?;
        fixup::redo(&mut page, Magic::RCRD).map_err(|_| EINVAL)?;
        Ok(page)
    }

    #[test]
    fn a_page_comes_back_as_it_was_written() -> Result {
        let mut page = written()?;
        assert_eq!(PageHeader::read(&mut page), Ok(header()));
        assert_eq!(page.get(510), Some(&0x77));
        assert!(header().continues());
        let tail = header().tail_of(ByteOffset::new(0x5000));
        assert_eq!(tail.home(), ByteOffset::new(0x5000));
        assert_eq!(tail.last_end_lsn, header().last_end_lsn);
        Ok(())
    }

    #[test]
    fn a_torn_page_is_refused() -> Result {
        for at in [510, 2046, 4094] {
            let mut page = written()?;
            put(&mut page, at, &[0xff]);
            assert!(PageHeader::read(&mut page).is_err());
        }
        Ok(())
    }

    #[test]
    fn what_is_no_page_is_refused() -> Result {
        for (at, bytes) in [
            (0, &b"RSTR"[..]),
            (0x28, &[0, 0]),
            (0x16, &[0, 0]),
            (0x16, &[4, 0]),
        ] {
            let mut page = written()?;
            put(&mut page, at, bytes);
            assert!(PageHeader::read(&mut page).is_err());
        }
        let mut page = written()?;
        assert!(PageHeader::read(page.get_mut(..1000).unwrap_or(&mut [])).is_err());
        assert!(PageHeader::parse(page.get(..0x3f).unwrap_or(&[])).is_err());
        assert_eq!(header().put(&mut [0; 500]), None);
        assert_eq!(header().put(&mut []), None);
        Ok(())
    }
}
