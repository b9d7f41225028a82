// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::data`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_data))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            attribute::Attribute,
            data::*,
            error::Error,
            volume::Volume, //
        },
        kunit::{
            fixtures::record::{
                resident,
                Clusters, //
            },
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
        ondisk::units::ByteOffset,
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };

    /// A cluster at LCN 20, a hole of one, and a cluster at LCN 18; the last is initialized in part.
    const SPARSE: Clusters<'static> = Clusters {
        flags: 0x8000,
        highest_vcn: 2,
        allocated: 3 * 4096,
        data: 2 * 4096 + 1000,
        initialized: 2 * 4096 + 100,
        compressed: Some(2 * 4096),
        mapping_pairs: &[0x11, 1, 20, 0x01, 1, 0x11, 1, 0xfe, 0],
        ..Clusters::DATA
    };

    type Opened = (Arc<Disk>, KBox<Volume<Ram>>, Arc<Attribute>);

    fn volume(data: Clusters<'_>) -> Result<Opened> {
        let disk = Disk::new()?;
        disk.write_cluster(20, &[b'a'; CLUSTER]);
        disk.write_cluster(18, &[b'b'; CLUSTER]);
        disk.put_file(SAMPLE, &[&data.to_bytes()?])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let stream = plain(inode.data())?.ok_or(ENOENT)?.clone();
        Ok((disk, volume, stream))
    }

    fn byte_at(at: usize) -> u8 {
        match at {
            0..4096 => b'a',
            8192..8292 => b'b',
            _ => 0,
        }
    }

    #[test]
    fn runs_holes_and_what_was_never_written_are_read_as_they_should() -> Result {
        let (_, volume, stream) = volume(SPARSE)?;
        let mut all = KVec::from_elem(0xff_u8, 4 * CLUSTER, GFP_KERNEL)?;
        assert_eq!(
            plain(read_at(&volume, &stream, ByteOffset::ZERO, &mut all))?,
            9192
        );
        assert!(all
            .iter()
            .take(9192)
            .enumerate()
            .all(|(at, byte)| *byte == byte_at(at)));
        Ok(())
    }

    #[test]
    fn what_is_not_loaded_is_not_waited_for() -> Result {
        let (disk, volume, stream) = volume(SPARSE)?;
        volume.shrink(usize::MAX);
        let reads = disk.reads.load(Relaxed);
        assert!(map_extent_at_once(&volume, &stream, ByteOffset::ZERO).is_none());
        assert_eq!(disk.reads.load(Relaxed), reads);
        for at in [0, 5000, 8192, 8292, 20_000].map(ByteOffset::new) {
            let waited = plain(map_extent(&volume, &stream, at))?;
            assert_eq!(map_extent_at_once(&volume, &stream, at), Some(waited));
        }
        Ok(())
    }

    #[test]
    fn any_piece_is_read_as_part_of_the_whole() -> Result {
        let (_, volume, stream) = volume(SPARSE)?;
        for start in [0, 1, 4095, 4096, 8191, 8192, 8291, 8292, 9191, 9192, 20_000] {
            for length in [1, 100, 4097] {
                let mut piece = KVec::from_elem(0xff_u8, length, GFP_KERNEL)?;
                let at = ByteOffset::new(start as u64);
                let read = plain(read_at(&volume, &stream, at, &mut piece))?;
                assert_eq!(read, length.min(9192_usize.saturating_sub(start)));
                let mut bytes = piece.iter().take(read).enumerate();
                assert!(bytes.all(|(at, byte)| *byte == byte_at(start + at)));
            }
        }
        Ok(())
    }

    #[test]
    fn extents_end_where_kind_or_place_changes() -> Result {
        let (_, volume, stream) = volume(SPARSE)?;
        let at = |offset| plain(map_extent(&volume, &stream, ByteOffset::new(offset)));
        let first = at(10)?;
        assert_eq!(first.length.get(), 4086);
        assert!(first.source == Source::Device(ByteOffset::new(20 * 4096 + 10)));
        let hole = at(4096)?;
        assert_eq!(hole.length.get(), 4096);
        assert!(hole.source == Source::Hole);
        let written = at(8192)?;
        assert_eq!(written.length.get(), 100);
        assert!(written.source == Source::Device(ByteOffset::new(18 * 4096)));
        assert!(matches!(at(8292)?.source, Source::Uninitialized(_)));
        assert!(at(3 * 4096)?.source == Source::Hole);
        Ok(())
    }

    #[test]
    fn a_resident_value_is_read_from_any_offset() -> Result {
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, b"0123456789")?])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let stream = plain(inode.data())?.ok_or(ENOENT)?;
        for start in 0..12_usize {
            let mut piece = [0; 4];
            let at = ByteOffset::new(start as u64);
            let read = plain(read_at(&volume, stream, at, &mut piece))?;
            assert_eq!(read, 10_usize.saturating_sub(start).min(4));
            let expected = b"0123456789".get(start..start + read).unwrap_or(&[]);
            assert!(piece.get(..read) == Some(expected));
        }
        Ok(())
    }

    #[test]
    fn encrypted_clusters_are_refused_and_not_shown_raw() -> Result {
        let (_, volume, stream) = volume(Clusters {
            flags: 0x4000,
            ..SPARSE
        })?;
        let mut byte = [0];
        let read = read_at(&volume, &stream, ByteOffset::ZERO, &mut byte);
        assert!(read == Err(Error::Encrypted));
        let extent = map_extent(&volume, &stream, ByteOffset::ZERO);
        assert!(extent == Err(Error::Encrypted));
        assert_eq!(byte, [0]);
        Ok(())
    }

    #[test]
    fn runs_that_are_too_short_are_an_error_only_where_they_are_missing() -> Result {
        let (_, volume, stream) = volume(Clusters {
            mapping_pairs: &[0x11, 1, 20, 0],
            ..SPARSE
        })?;
        let mut piece = [0; 16];
        assert_eq!(
            plain(read_at(&volume, &stream, ByteOffset::ZERO, &mut piece))?,
            16
        );
        assert_eq!(piece, [b'a'; 16]);
        let behind = read_at(&volume, &stream, ByteOffset::new(4096), &mut piece);
        assert!(matches!(behind, Err(Error::Corrupt(_))));
        Ok(())
    }

    #[test]
    fn a_failing_device_is_an_error_once_and_no_longer_than_it_fails() -> Result {
        let (disk, volume, stream) = volume(SPARSE)?;
        let mut piece = [0; 16];
        disk.broken.store(true, Relaxed);
        let failed = read_at(&volume, &stream, ByteOffset::ZERO, &mut piece);
        assert!(matches!(failed, Err(Error::Device(_))));
        disk.broken.store(false, Relaxed);
        assert_eq!(
            plain(read_at(&volume, &stream, ByteOffset::ZERO, &mut piece))?,
            16
        );
        Ok(())
    }
}
