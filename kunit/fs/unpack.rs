// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::unpack`: a file of three chunks, none of which is shorter encoded than as it is.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_unpack))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            catalog::Catalog,
            data,
            error::Error,
            index::{
                Index,
                IndexKind,
                Node, //
            },
            inode::Inode,
            streams,
            unpack::unpack,
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                index,
                record::{
                    resident,
                    Clusters, //
                },
            },
            fs::disk::{
                mount,
                name_entry,
                open_file,
                plain,
                reference,
                writable,
                Disk,
                Ram,
                CLUSTER,
                SAMPLE, //
            },
        },
        ondisk::{
            attribute::AttributeType,
            standard_information::FileAttributes,
            units::ByteOffset, //
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    const SIZE: usize = 3 * CLUSTER - 100;
    const EXTEND: u64 = 11;
    const REPARSE: u64 = 25;
    /// A file between whose entry and the end that of the sample is.
    const OTHER: u64 = 20;
    const LCN: usize = 16;
    const TAG: u32 = 0x8000_0017;

    /// The content.
    const fn byte_at(at: usize) -> u8 {
        (at / 5 % 251) as u8 | 1
    }

    /// The compressed stream: where the second chunk and the third begin, and the chunks.
    fn stream() -> Result<KVec<u8>> {
        let mut stream = KVec::new();
        for chunk in 1..3_u32 {
            let at = chunk * CLUSTER as u32;
            stream.extend_from_slice(&at.to_le_bytes(), GFP_KERNEL)?;
        }
        for at in 0..SIZE {
            stream.push(byte_at(at), GFP_KERNEL)?;
        }
        Ok(stream)
    }

    /// An entry of the index of reparse points.
    fn entry(number: u64) -> Result<KVec<u8>> {
        let mut key = KVec::new();
        key.extend_from_slice(&TAG.to_le_bytes(), GFP_KERNEL)?;
        key.extend_from_slice(&reference(number).to_le_bytes(), GFP_KERNEL)?;
        index::view_entry(&key, &[], None)
    }

    /// A volume with such a file.
    fn disk() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        disk.write(LCN * CLUSTER, &stream()?);
        let data = Clusters {
            flags: 0x8000,
            id: 1,
            highest_vcn: 2,
            allocated: 3 * CLUSTER as u64,
            data: SIZE as u64,
            initialized: 0,
            compressed: Some(0),
            mapping_pairs: &[0x01, 3, 0],
            ..Clusters::DATA
        };
        let packed = Clusters {
            name: "WofCompressedData",
            id: 2,
            highest_vcn: 2,
            allocated: 3 * CLUSTER as u64,
            data: SIZE as u64 + 8,
            initialized: SIZE as u64 + 8,
            mapping_pairs: &[0x11, 3, LCN as u8, 0],
            ..Clusters::DATA
        };
        let mut point = KVec::new();
        for word in [TAG, 16, 1, 2, 1, 0] {
            point.extend_from_slice(&word.to_le_bytes(), GFP_KERNEL)?;
        }
        let point = resident(0xc0, "", 3, &point)?;
        disk.put_file(SAMPLE, &[&data.to_bytes()?, &packed.to_bytes()?, &point])?;
        let end = index::entry(0, None, None)?;
        let root = index::root(&[&name_entry("$Reparse", REPARSE, None)?, &end])?;
        disk.put_directory(EXTEND, &root, &[])?;
        let entries: [&[u8]; 3] = [&entry(OTHER)?, &entry(SAMPLE)?, &end];
        let root = index::view_root(0x13, &entries)?;
        disk.put_file(REPARSE, &[&resident(0x90, "$R", 5, &root)?])?;
        disk.write(Disk::record_bit_at(SAMPLE), &[0x03]);
        Ok(disk)
    }

    fn open(disk: &Arc<Disk>) -> Result<(KBox<Volume<Ram>>, Inode)> {
        let volume = mount(disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        Ok((volume, inode))
    }

    fn open_writable(disk: &Arc<Disk>) -> Result<(KBox<Volume<Ram>>, Inode)> {
        let (volume, inode) = open(disk)?;
        writable(&volume)?;
        Ok((volume, inode))
    }

    /// Whether the content is there, whichever way.
    fn is_whole(volume: &Volume<Ram>, inode: &Inode) -> Result<bool> {
        let mut bytes = KVec::from_elem(0, SIZE + 100, GFP_KERNEL)?;
        let read = plain(inode.read_at(volume, ByteOffset::ZERO, &mut bytes))?;
        let content = bytes.iter().take(read).enumerate();
        let same = content.filter(|(at, byte)| **byte == byte_at(*at)).count();
        Ok(read == SIZE && same == SIZE && inode.size().get() == SIZE as u64)
    }

    fn free(volume: &Volume<Ram>) -> Result<u64> {
        Ok(plain(volume.free_clusters())?.ok_or(ENOENT)?.get())
    }

    /// How many entries the index of reparse points has.
    fn points(volume: &Volume<Ram>) -> Result<usize> {
        let file = open_file(volume, REPARSE)?.reference();
        let catalog = plain(Catalog::load(&**volume, file))?;
        let index = plain(Index::open_kind(
            &**volume,
            &catalog,
            IndexKind::ReparsePoints,
        ))?;
        plain(index.visit(&**volume, Node::Root, |node| {
            Ok(node.entries().count().saturating_sub(1))
        }))
    }

    /// Whether a file is an ordinary one, with nothing left of what it was.
    fn is_plain(volume: &Volume<Ram>, inode: &Inode) -> Result<bool> {
        let file = inode.reference();
        let point = streams::value(&**volume, file, AttributeType::REPARSE_POINT, &[]);
        let standard = plain(streams::standard_information(&**volume, file))?;
        let gone = FileAttributes::REPARSE_POINT.with(FileAttributes::SPARSE, true);
        let data = plain(inode.data())?.ok_or(ENOENT)?;
        Ok(!inode.is_packed()
            && !inode.is_overlaid()
            && plain(point)?.is_none()
            && plain(streams::names(&**volume, inode))?.is_empty()
            && !standard.attributes.intersects(gone)
            && data.unwritable().is_none())
    }

    #[test]
    fn the_content_moves_to_the_unnamed_value_and_nothing_is_left() -> Result {
        let disk = disk()?;
        let (volume, inode) = open_writable(&disk)?;
        assert!(inode.is_packed() && is_whole(&volume, &inode)?);
        let before = free(&volume)?;
        plain(unpack(&volume, &inode))?;
        assert!(is_plain(&volume, &inode)? && is_whole(&volume, &inode)?);
        assert_eq!(points(&volume)?, 1);
        plain(volume.sync())?;
        // Three for the content, for three of the stream.
        assert_eq!(free(&volume)?, before);
        // A second time there is nothing to do.
        plain(unpack(&volume, &inode))?;
        plain(volume.end_writing())?;
        drop(volume);

        let (volume, inode) = open(&disk)?;
        assert!(is_plain(&volume, &inode)? && is_whole(&volume, &inode)?);
        assert_eq!(points(&volume)?, 1);
        let stream = plain(inode.data())?.ok_or(ENOENT)?;
        assert!(!stream.flags().is_sparse());
        // Behind the end of the value there is nothing of anybody.
        let place = plain(data::map_extent(&**volume, stream, ByteOffset::ZERO))?;
        assert_eq!(place.length.get(), SIZE as u64);
        Ok(())
    }

    #[test]
    fn the_content_is_whole_wherever_the_power_is_cut() -> Result {
        for writes in 0.. {
            let disk = disk()?;
            let (volume, inode) = open_writable(&disk)?;
            disk.cut_power_after(writes);
            plain(unpack(&volume, &inode))?;
            plain(volume.sync())?;
            let is_over = !disk.is_without_power();
            drop((volume, inode));
            let (volume, inode) = open(&Disk::with_image(&disk.image()?)?)?;
            assert!(is_whole(&volume, &inode)?);
            if is_over {
                assert!(is_plain(&volume, &inode)?);
                break;
            }
        }
        Ok(())
    }

    #[test]
    fn a_device_that_fails_leaves_a_whole_file() -> Result {
        let mut failed = 0;
        for nth in 1.. {
            let disk = disk()?;
            let (volume, inode) = open_writable(&disk)?;
            let before = free(&volume)?;
            volume.shrink(usize::MAX);
            disk.fail_nth(nth);
            let unpacked = unpack(&volume, &inode);
            let is_over = disk.is_yet_to_fail();
            disk.fail_nth(0);
            assert!(is_whole(&volume, &inode)?);
            if let Err(error) = unpacked {
                failed += 1;
                assert!(matches!(error, Error::Device(_) | Error::Unwritten(_)));
                assert!(inode.is_packed());
                assert_eq!(points(&volume)?, 2);
                plain(volume.sync())?;
                assert_eq!(free(&volume)?, before);
                plain(unpack(&volume, &inode))?;
            }
            assert!(is_whole(&volume, &inode)?);
            if is_over {
                assert!(is_plain(&volume, &inode)?);
                break;
            }
            plain(volume.sync())?;
            let (volume, inode) = open(&Disk::with_image(&disk.image()?)?)?;
            assert!(is_whole(&volume, &inode)?);
        }
        assert!(failed > 5);
        Ok(())
    }

    #[test]
    fn without_room_it_stays_as_it_is() -> Result {
        let disk = disk()?;
        // Two clusters are free.
        disk.write(
            Disk::bitmap_at(0),
            &[0xff, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xff],
        );
        let (volume, inode) = open_writable(&disk)?;
        assert_eq!(unpack(&volume, &inode), Err(Error::NoSpace));
        assert!(inode.is_packed() && is_whole(&volume, &inode)?);
        assert_eq!((free(&volume)?, points(&volume)?), (2, 2));
        plain(volume.sync())?;
        let (volume, inode) = open(&disk)?;
        assert!(inode.is_packed() && is_whole(&volume, &inode)?);
        Ok(())
    }

    #[test]
    fn a_broken_stream_is_told_and_changes_nothing() -> Result {
        let disk = disk()?;
        // The second chunk ends before it begins.
        disk.write(LCN * CLUSTER + 4, &[0; 4]);
        let (volume, inode) = open_writable(&disk)?;
        assert!(matches!(unpack(&volume, &inode), Err(Error::Corrupt(_))));
        assert!(inode.is_packed());
        assert_eq!((free(&volume)?, points(&volume)?), (21, 2));
        Ok(())
    }

    #[test]
    fn an_ordinary_file_is_left_alone() -> Result {
        let disk = disk()?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, b"plain")?])?;
        let (volume, inode) = open_writable(&disk)?;
        plain(unpack(&volume, &inode))?;
        assert_eq!(inode.size().get(), 5);
        Ok(())
    }
}
