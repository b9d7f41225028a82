// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::compressed`: a value of four units of four clusters each.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_compressed))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            data::*,
            error::Error,
            inode::Inode,
            volume::Volume, //
        },
        kunit::{
            fixtures::record::Clusters,
            fs::disk::{
                mount,
                open_file,
                plain,
                Disk,
                Ram,
                CLUSTER,
                SAMPLE, //
            },
        },
        ondisk::{
            compression::lznt1_compress::{
                compress,
                Work, //
            },
            units::ByteOffset,
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    const UNIT: usize = 4 * CLUSTER;
    const SIZE: usize = 3 * UNIT + 10_000;
    const INITIALIZED: usize = 3 * UNIT + 7000;
    /// Where the logarithm of the compression unit is in an attribute record.
    const UNIT_SHIFT_AT: usize = 0x22;

    /// A unit in a cluster, one as it is, one that is a hole, and one in two clusters of which not all counts.
    const VALUE: Clusters<'static> = Clusters {
        flags: 0x0001,
        highest_vcn: 15,
        allocated: 4 * UNIT as u64,
        data: SIZE as u64,
        initialized: INITIALIZED as u64,
        compressed: Some(7 * CLUSTER as u64),
        mapping_pairs: &[
            0x11, 1, 20, 0x01, 3, 0x11, 4, 4, 0x01, 4, 0x11, 2, 6, 0x01, 2, 0,
        ],
        ..Clusters::DATA
    };

    /// What is written.
    const fn stored(at: usize) -> u8 {
        (at / 7 % 251) as u8 | 1
    }

    /// What is to be read.
    const fn byte_at(at: usize) -> u8 {
        match at / UNIT {
            2 => 0,
            _ if at >= INITIALIZED => 0,
            _ => stored(at),
        }
    }

    fn put_unit(disk: &Disk, unit: usize, lcn: usize, clusters: usize) -> Result {
        let mut bytes = KVVec::from_elem(0, UNIT, GFP_KERNEL)?;
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = stored(unit * UNIT + at);
        }
        let mut out = KVVec::from_elem(0, clusters * CLUSTER, GFP_KERNEL)?;
        match clusters {
            4 => out = bytes,
            _ => {
                let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
                let work = work.first_mut().ok_or(ENOMEM)?;
                compress(&bytes, &mut out, work).ok_or(EINVAL)?;
            }
        }
        disk.write(lcn * CLUSTER, &out);
        Ok(())
    }

    fn volume(shift: u8) -> Result<(Arc<Disk>, KBox<Volume<Ram>>, Inode)> {
        volume_with(&VALUE, shift)
    }

    fn volume_with(
        value: &Clusters<'_>,
        shift: u8,
    ) -> Result<(Arc<Disk>, KBox<Volume<Ram>>, Inode)> {
        let disk = Disk::new()?;
        put_unit(&disk, 0, 20, 1)?;
        put_unit(&disk, 1, 24, 4)?;
        put_unit(&disk, 3, 30, 2)?;
        let mut data = value.to_bytes()?;
        *data.get_mut(UNIT_SHIFT_AT).ok_or(EINVAL)? = shift;
        disk.put_file(SAMPLE, &[&data])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        Ok((disk, volume, inode))
    }

    #[test]
    fn any_piece_is_read_as_part_of_the_whole() -> Result {
        let (_, volume, inode) = volume(2)?;
        assert_eq!(inode.unit(), Some(UNIT as u64));
        let units = [0, UNIT, 2 * UNIT, 3 * UNIT, INITIALIZED, SIZE];
        for start in units.into_iter().flat_map(|at| [at, at + 1, at + 4095]) {
            for length in [1, 100, CLUSTER, UNIT, UNIT + 5000, 4 * UNIT] {
                let mut piece = KVVec::from_elem(0xff_u8, length, GFP_KERNEL)?;
                let at = ByteOffset::new(start as u64);
                let read = plain(inode.read_at(&volume, at, &mut piece))?;
                assert_eq!(read, length.min(SIZE.saturating_sub(start)));
                let mut bytes = piece.iter().take(read).enumerate();
                assert!(bytes.all(|(at, byte)| *byte == byte_at(start + at)));
            }
        }
        Ok(())
    }

    #[test]
    fn nobody_is_told_of_a_place_where_the_bytes_are_as_they_are() -> Result {
        let (_, volume, inode) = volume(2)?;
        let stream = plain(inode.data())?.ok_or(ENOENT)?;
        let mut at = 0;
        for is_hole in [false, false, true, false] {
            let found = plain(map_extent(&volume, stream, ByteOffset::new(at)))?;
            assert_eq!(found.length.get(), UNIT as u64);
            let is_encoded = matches!(found.source, Source::Encoded(_));
            assert!(is_encoded != is_hole);
            assert!(is_encoded || found.source == Source::Hole);
            at += UNIT as u64;
        }
        Ok(())
    }

    #[test]
    fn the_layout_tells_units_that_are_as_they_are_from_others() -> Result {
        let (_, volume, inode) = volume(2)?;
        let stream = plain(inode.data())?.ok_or(ENOENT)?;
        let on_device = |lcn: usize| ByteOffset::new((lcn * CLUSTER) as u64);
        let expected = [
            (UNIT, Source::Encoded(on_device(20))),
            (UNIT, Source::Device(on_device(24))),
            (UNIT, Source::Hole),
            (UNIT, Source::Encoded(on_device(30))),
        ];
        let mut at = 0;
        for (length, source) in expected {
            let found = plain(layout(&volume, stream, ByteOffset::new(at as u64)))?;
            assert_eq!(found.length.get(), length as u64);
            assert_eq!(found.source, source);
            at += length;
        }
        // From within a unit to its end.
        let found = plain(layout(&volume, stream, ByteOffset::new(100)))?;
        assert_eq!(found.length.get(), (UNIT - 100) as u64);
        Ok(())
    }

    /// A unit of two compressed clusters that lie apart, and one that nobody reads.
    #[test]
    fn the_layout_has_every_run_of_a_unit_and_all_of_its_bytes() -> Result {
        let disk = Disk::new()?;
        let apart = Clusters {
            highest_vcn: 7,
            allocated: 2 * UNIT as u64,
            data: 2 * UNIT as u64,
            initialized: UNIT as u64,
            compressed: Some(3 * CLUSTER as u64),
            // LCN 20, 40, a hole of two; LCN 30, a hole of three.
            mapping_pairs: &[0x11, 1, 20, 0x11, 1, 20, 0x01, 2, 0x11, 1, 0xf6, 0x01, 3, 0],
            ..VALUE
        };
        let mut data = apart.to_bytes()?;
        *data.get_mut(UNIT_SHIFT_AT).ok_or(EINVAL)? = 2;
        disk.put_file(SAMPLE, &[&data])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let stream = plain(inode.data())?.ok_or(ENOENT)?;
        let on_device = |lcn: usize| ByteOffset::new((lcn * CLUSTER) as u64);
        let expected = [
            (CLUSTER, Source::Encoded(on_device(20))),
            (3 * CLUSTER, Source::Encoded(on_device(40))),
            (UNIT, Source::Uninitialized(on_device(30))),
        ];
        let mut at = 0;
        for (length, source) in expected {
            let found = plain(layout(&volume, stream, ByteOffset::new(at as u64)))?;
            assert_eq!((found.length.get(), found.source), (length as u64, source));
            at += length;
        }
        Ok(())
    }

    #[test]
    fn a_unit_that_is_broken_leaves_the_others_readable() -> Result {
        let (disk, volume, inode) = volume(2)?;
        disk.write_cluster(20, &[0x7f; CLUSTER]);
        let mut byte = [0];
        let read = inode.read_at(&volume, ByteOffset::new(5), &mut byte);
        assert!(matches!(read, Err(Error::Corrupt(_))));
        let at = ByteOffset::new(UNIT as u64);
        assert_eq!(plain(inode.read_at(&volume, at, &mut byte))?, 1);
        assert_eq!(byte, [byte_at(UNIT)]);
        Ok(())
    }

    #[test]
    fn a_unit_whose_hole_is_not_behind_its_clusters_is_refused() -> Result {
        let pairs: [&[u8]; 2] = [
            // Before the only cluster of the first unit, and between the two of the last one.
            &[
                0x01, 1, 0x11, 1, 20, 0x01, 2, 0x11, 4, 4, 0x01, 4, 0x11, 2, 6, 0x01, 2, 0,
            ],
            &[
                0x11, 1, 20, 0x01, 3, 0x11, 4, 4, 0x01, 4, 0x11, 1, 6, 0x01, 1, 0x11, 1, 1, 0x01,
                1, 0,
            ],
        ];
        for (mapping_pairs, broken) in pairs.into_iter().zip([0, 3 * UNIT]) {
            let value = Clusters {
                mapping_pairs,
                ..VALUE
            };
            let (_, volume, inode) = volume_with(&value, 2)?;
            let stream = plain(inode.data())?.ok_or(ENOENT)?;
            for unit in [0, UNIT, 3 * UNIT] {
                let at = ByteOffset::new(unit as u64);
                let mut byte = [0];
                let read = inode.read_at(&volume, at, &mut byte);
                let located = map_extent(&volume, stream, at);
                if unit == broken {
                    assert!(matches!(read, Err(Error::Corrupt(_))));
                    assert!(matches!(located, Err(Error::Corrupt(_))));
                } else {
                    assert_eq!(plain(read)?, 1);
                    assert_eq!(byte, [byte_at(unit)]);
                    assert!(plain(located).is_ok());
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_unit_without_bound_is_refused() -> Result {
        for shift in [10, 40, 255] {
            let (_, _, inode) = volume(shift)?;
            assert!(matches!(inode.data(), Err(Error::Corrupt(_))));
        }
        Ok(())
    }
}
