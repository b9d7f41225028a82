// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::log::restart`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_log_restart)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::{
        fixup::{
            self,
            Magic, //
        },
        log::{
            geometry::Geometry,
            restart::*, //
        },
        units::{
            ByteCount,
            Lsn, //
        },
    };
    use kernel::prelude::*;

    fn restart() -> Result<RestartPage> {
        let file_size = ByteCount::new(0x20_0000);
        Ok(RestartPage {
            chkdsk_lsn: None,
            version: Version::V1_1,
            geometry: Geometry::new(4096, file_size, 4, 0x40).map_err(|_| EINVAL)?,
            file_size,
            ending: Ending::Clean,
            flags: 1,
            current_lsn: Lsn::new(0x10_0900),
            last_length: 0x70,
            open_count: 0x1234_5678,
            oldest_lsn: Lsn::new(0x10_08f0),
            restart_lsn: Lsn::new(0x10_0900),
        })
    }

    /// A page as on the disk, with some bytes replaced before the fixups are made.
    fn page(restart: &RestartPage, patches: &[(usize, &[u8])]) -> Result<KVec<u8>> {
        let mut page = KVec::from_elem(0, 4096, GFP_KERNEL)?;
        restart.encode(&mut page).ok_or(EINVAL)?;
        for (at, bytes) in patches {
            put(&mut page, *at, bytes);
        }
        let magic = match restart.chkdsk_lsn {
            Some(_) => Magic::CHKD,
            None => Magic::RSTR,
        };
        fixup::redo(&mut page, magic).map_err(|_| EINVAL)?;
        Ok(page)
    }

    fn head(first: &[u8], second: &[u8]) -> Result<KVec<u8>> {
        let mut head = KVec::new();
        head.extend_from_slice(first, GFP_KERNEL)?;
        head.extend_from_slice(second, GFP_KERNEL)?;
        Ok(head)
    }

    fn state(first: &[u8], second: &[u8]) -> Result<LogState> {
        LogState::read(&mut head(first, second)?).map_err(|_| EINVAL)
    }

    #[test]
    fn a_page_comes_back() -> Result {
        for (chkdsk_lsn, ending, version) in [
            (None, Ending::Clean, Version::V1_1),
            (None, Ending::Unclean, Version::V1_1),
            (None, Ending::Closed, Version::V1_1),
            (Some(Lsn::new(77)), Ending::Closed, Version::V1_1),
            (None, Ending::Unclean, Version::V2_0),
        ] {
            let file_size = ByteCount::new(0x20_0000);
            let first = version.first_page();
            let written = RestartPage {
                chkdsk_lsn,
                ending,
                version,
                geometry: Geometry::new(4096, file_size, first, 0x40).map_err(|_| EINVAL)?,
                ..restart()?
            };
            let page = page(&written, &[])?;
            let read = state(&page, &page)?;
            assert_eq!(read.restart(), Some(&written));
            let expected = match (chkdsk_lsn, ending) {
                (Some(_), _) => LogState::Chkdsk(written),
                (None, Ending::Closed) => LogState::Closed(written),
                (None, Ending::Clean) => LogState::Clean(written),
                (None, Ending::Unclean) => LogState::Unclean(written),
            };
            assert_eq!(read, expected);
        }
        Ok(())
    }

    #[test]
    fn the_newer_whole_copy_counts() -> Result {
        let old = restart()?;
        let new = RestartPage {
            current_lsn: Lsn::new(0x10_0a00),
            ending: Ending::Unclean,
            ..old
        };
        let (old_page, new_page) = (page(&old, &[])?, page(&new, &[])?);
        assert_eq!(state(&old_page, &new_page)?, LogState::Unclean(new));
        assert_eq!(state(&new_page, &old_page)?, LogState::Unclean(new));
        let mut torn = page(&new, &[])?;
        put(&mut torn, 0xdfe, &[0xff, 0xff]);
        assert_eq!(state(&old_page, &torn)?, LogState::Clean(old));
        assert_eq!(state(&torn, &old_page)?, LogState::Clean(old));
        assert_eq!(state(&[0; 4096], &old_page)?, LogState::Clean(old));
        assert!(state(&torn, &torn).is_err());
        assert!(state(&[0; 4096], &[0; 4096]).is_err());
        Ok(())
    }

    #[test]
    fn a_log_of_ones_is_empty() -> Result {
        assert_eq!(state(&[0xff; 4096], &[0xff; 4096])?, LogState::Empty);
        // One other byte is not nothing.
        let mut page = [0xff; 4096];
        put(&mut page, 4000, &[0]);
        assert!(state(&page, &page).is_err());
        Ok(())
    }

    #[test]
    fn a_newer_version_is_told() -> Result {
        let page = page(&restart()?, &[(0x1a, &[0, 0, 3, 0])])?;
        assert_eq!(state(&page, &page)?, LogState::Unknown(3, 0));
        assert_eq!(state(&page, &page)?.restart(), None);
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_refused() -> Result {
        for (at, bytes) in [
            // Page sizes.
            (0x10, &[0, 0x20, 0, 0][..]),
            (0x14, &[0, 0x08, 0, 0]),
            (0x14, &[1, 0x10, 0, 0]),
            // The place of the area, of the client, and its length.
            (0x18, &[0x28, 0]),
            (0x18, &[0x34, 0]),
            (0x18, &[0xf8, 0xff]),
            (0x46, &[0x44, 0]),
            (0x46, &[0xf8, 0xff]),
            (0x44, &[0xd8, 0]),
            (0x44, &[0xff, 0xff]),
            // Clients.
            (0x38, &[2, 0]),
            (0x38, &[0, 0]),
            (0x3c, &[1, 0]),
            (0x30 + 0x40 + 0x1c, &[6]),
            (0x30 + 0x40 + 0x20, b"M"),
            // Sizes.
            (0x40, &[44]),
            (0x48, &[0; 8]),
            (0x48, &[0xff; 8]),
            (0x54, &[0x38, 0]),
            (0x56, &[0x41, 0]),
        ] {
            let page = page(&restart()?, &[(at, bytes)])?;
            assert!(state(&page, &page).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_head_cut_off_is_refused() -> Result {
        let page = page(&restart()?, &[])?;
        for length in [0, 1, 4, 0x10, 0x1e, 512, 4095] {
            let mut head = KVec::new();
            head.extend_from_slice(page.get(..length).unwrap_or(&[]), GFP_KERNEL)?;
            let read = LogState::read(&mut head);
            assert!(read.is_err() || length == 0);
        }
        let mut short = [0; 2048];
        assert_eq!(restart()?.encode(&mut short), None);
        Ok(())
    }
}
