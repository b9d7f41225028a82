// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::log::geometry`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_log_geometry)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::{
        log::geometry::*,
        units::{
            ByteCount,
            ByteOffset,
            Lsn, //
        },
    };
    use kernel::prelude::*;

    /// The log of 2 MiB that Windows XP makes.
    fn small() -> Result<Geometry> {
        Geometry::new(4096, ByteCount::new(0x20_0000), 4, 0x40).map_err(|_| EINVAL)
    }

    fn at(sequence: u64, offset: u64) -> Position {
        Position {
            sequence,
            offset: ByteOffset::new(offset),
        }
    }

    #[test]
    fn lsns_are_those_of_windows() -> Result {
        for (size, bits) in [
            (0x20_0000, 45),
            (0x4c_4000, 44),
            (0x8a_0000, 43),
            (0x160_0000, 42),
        ] {
            let geometry =
                Geometry::new(4096, ByteCount::new(size), 4, 0x40).map_err(|_| EINVAL)?;
            assert_eq!(geometry.sequence_bits(), bits);
        }
        let geometry = small()?;
        let first = geometry.start(2);
        assert_eq!(first, at(2, 0x4040));
        assert_eq!(geometry.lsn(first), Some(Lsn::new(0x10_0808)));
        assert_eq!(geometry.position(Lsn::new(0x10_0808)), first);
        assert_eq!(geometry.lsn(at(1 << 45, 0x4040)), None);
        assert!(geometry.lsn(at((1 << 45) - 1, 0x1f_ffd0)).is_some());
        Ok(())
    }

    #[test]
    fn a_header_is_not_split() -> Result {
        let geometry = small()?;
        assert!(geometry.holds(at(2, 0x4fd0)));
        for outside in [0x4fd8, 0x4038, 0x4044, 0x3fd0, 0x20_0040] {
            assert!(!geometry.holds(at(2, outside)));
        }
        assert_eq!(geometry.fit(at(2, 0x4fd0)), Some(at(2, 0x4fd0)));
        assert_eq!(geometry.fit(at(2, 0x4fd8)), Some(at(2, 0x5040)));
        assert_eq!(geometry.fit(at(2, 0x5000)), Some(at(2, 0x5040)));
        assert_eq!(geometry.fit(at(2, 0x5010)), Some(at(2, 0x5040)));
        // The last page is followed by a new round.
        assert_eq!(geometry.fit(at(2, 0x1f_ffd8)), Some(at(3, 0x4040)));
        assert_eq!(geometry.fit(at(2, 0x20_0000)), Some(at(3, 0x4040)));
        assert_eq!(geometry.next_page(at(2, 0x1f_f040)), Some(at(3, 0x4040)));
        Ok(())
    }

    #[test]
    fn data_continues_in_the_next_page() -> Result {
        let geometry = small()?;
        let mut pieces = geometry.pieces(at(2, 0x1f_ffd0), 0x30 + 0xfc0 + 8);
        for (page, start, length) in [
            (0x1f_f000, 0xfd0, 0x30),
            (0x4000, 0x40, 0xfc0),
            (0x5000, 0x40, 8),
        ] {
            let expected = Piece {
                page: ByteOffset::new(page),
                start,
                length,
            };
            assert_eq!(pieces.next(), Some(expected));
        }
        assert_eq!(pieces.next(), None);
        let end = geometry.end_of(at(2, 0x1f_ffd0), 0x30 + 0xfc0 + 8);
        assert_eq!(end, Some(at(3, 0x5048)));
        // Exactly to the end of a page.
        assert_eq!(geometry.end_of(at(2, 0x4040), 0xfc0), Some(at(2, 0x5000)));
        assert_eq!(geometry.end_of(at(2, 0x4040), 0x20_0000), None);
        Ok(())
    }

    #[test]
    fn a_layout_that_cannot_work_is_refused() {
        let new = |page, size, data| Geometry::new(page, ByteCount::new(size), 4, data).is_err();
        assert!(new(4095, 0x20_0000, 0x40));
        assert!(new(256, 0x20_0000, 0x40));
        assert!(new(0, 0x20_0000, 0x40));
        assert!(new(0x8000_0000, 0x20_0000, 0x40));
        assert!(new(4096, 51 * 4096, 0x40));
        assert!(!new(4096, 52 * 4096, 0x40));
        assert!(new(4096, 1 << 32, 0x40));
        assert!(new(4096, u64::MAX, 0x40));
        assert!(new(4096, 0x20_0000, 0x44));
        assert!(new(4096, 0x20_0000, 0xfd0));
    }
}
