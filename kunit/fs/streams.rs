// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::streams`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_streams))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            data::read_at,
            directory::CaseMode,
            error::Error,
            streams::*, //
        },
        kunit::{
            fixtures::{
                index, pad_to_8, put,
                record::{
                    resident,
                    Clusters, //
                },
                utf16,
            },
            fs::disk::{
                extension,
                list_entry,
                mount,
                open_file,
                plain,
                units,
                Disk,
                CLUSTER,
                SAMPLE, //
            },
        },
        ondisk::{
            attribute::AttributeType,
            units::ByteOffset, //
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    /// An entry of an attribute list for a stream.
    fn stream_entry(name: &str, lowest_vcn: u64, number: u64, id: u16) -> Result<KVec<u8>> {
        let mut entry = KVec::new();
        let head = list_entry(0x80, lowest_vcn, number, id);
        entry.extend_from_slice(head.get(..0x1a).ok_or(EINVAL)?, GFP_KERNEL)?;
        entry.extend_from_slice(&utf16(name)?, GFP_KERNEL)?;
        pad_to_8(&mut entry)?;
        let length = entry.len() as u16;
        put(&mut entry, 0x04, &length.to_le_bytes());
        put(&mut entry, 0x06, &[name.len() as u8]);
        Ok(entry)
    }

    /// A file with the streams "a" in its record, "B" in another, and "c" in two parts in two others.
    fn spread() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let mut list = KVec::new();
        for entry in [
            stream_entry("a", 0, SAMPLE, 1)?,
            stream_entry("B", 0, 25, 1)?,
            stream_entry("c", 0, 26, 1)?,
            stream_entry("c", 2, 27, 1)?,
        ] {
            list.extend_from_slice(&entry, GFP_KERNEL)?;
        }
        let list = resident(0x20, "", 9, &list)?;
        let own = resident(0x80, "a", 1, b"in the base record")?;
        disk.put_file(SAMPLE, &[&list, &own])?;
        let other = resident(0x80, "B", 1, b"in an extension record")?;
        disk.put_record(25, &extension(25, &[&other]))?;
        let first = Clusters {
            name: "c",
            allocated: 3 * CLUSTER as u64,
            data: 3 * CLUSTER as u64,
            initialized: 3 * CLUSTER as u64,
            ..Clusters::DATA
        };
        let second = Clusters {
            lowest_vcn: 2,
            highest_vcn: 2,
            mapping_pairs: &[0x11, 1, 0x28, 0],
            ..first
        };
        disk.put_record(26, &extension(26, &[&first.to_bytes()?]))?;
        disk.put_record(27, &extension(27, &[&second.to_bytes()?]))?;
        disk.write_cluster(0x21, &[b'2'; CLUSTER]);
        disk.write_cluster(0x28, &[b'3'; CLUSTER]);
        Ok(disk)
    }

    /// The names of the streams, with a space behind each.
    fn listed(disk: &Arc<Disk>, number: u64) -> Result<KVec<u16>> {
        let volume = mount(disk)?;
        let inode = open_file(&volume, number)?;
        let mut all = KVec::new();
        for name in &plain(names(&**volume, &inode))? {
            all.extend_from_slice(name, GFP_KERNEL)?;
            all.push(u16::from(b' '), GFP_KERNEL)?;
        }
        Ok(all)
    }

    #[test]
    fn streams_are_listed_once_wherever_they_are() -> Result {
        assert_eq!(&*listed(&spread()?, SAMPLE)?, &*units("a B c ")?);
        Ok(())
    }

    #[test]
    fn the_unnamed_stream_and_other_attributes_are_not_listed() -> Result {
        let disk = Disk::new()?;
        let data = resident(0x80, "", 1, b"data")?;
        let stream = resident(0x80, "Zone.Identifier", 2, b"[ZoneTransfer]")?;
        let other = resident(0x100, "$EFS", 3, b"keys")?;
        disk.put_file(SAMPLE, &[&data, &stream, &other])?;
        assert_eq!(&*listed(&disk, SAMPLE)?, &*units("Zone.Identifier ")?);
        disk.put_file(SAMPLE, &[&data])?;
        assert!(listed(&disk, SAMPLE)?.is_empty());
        Ok(())
    }

    #[test]
    fn a_directory_has_streams_too() -> Result {
        let disk = Disk::new()?;
        let root = index::root(&[&index::entry(0, None, None)?])?;
        // Out of the order of the types, as no reader minds.
        let stream = resident(0x80, "on a folder", 2, b"x")?;
        disk.put_directory(SAMPLE, &root, &[&stream])?;
        assert_eq!(&*listed(&disk, SAMPLE)?, &*units("on a folder ")?);
        Ok(())
    }

    #[test]
    fn streams_are_read_from_where_they_are() -> Result {
        let disk = spread()?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let cases: [(&str, u64, &[u8]); 4] = [
            ("a", 7, b"base"),
            ("B", 6, b"extension"),
            ("c", CLUSTER as u64, b"22"),
            ("c", 2 * CLUSTER as u64 - 1, b"23"),
        ];
        for (name, at, expected) in cases {
            let stream = plain(open(&volume, &inode, &units(name)?, CaseMode::Exact))?;
            let stream = stream.ok_or(ENOENT)?;
            let mut bytes = KVec::from_elem(0, expected.len(), GFP_KERNEL)?;
            plain(read_at(&**volume, &stream, ByteOffset::new(at), &mut bytes))?;
            assert_eq!(&*bytes, expected);
        }
        Ok(())
    }

    #[test]
    fn names_differ_by_case_unless_that_is_to_be_ignored() -> Result {
        let disk = Disk::new()?;
        let streams = [
            resident(0x80, "Name", 1, b"first")?,
            resident(0x80, "NAME", 2, b"second")?,
        ];
        let [first, second] = &streams;
        disk.put_file(SAMPLE, &[first, second])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let size = |name: &str, mode| -> Result<Option<u64>> {
            let found = plain(open(&volume, &inode, &units(name)?, mode))?;
            Ok(found.map(|found| found.data_size().get()))
        };
        for mode in [CaseMode::Exact, CaseMode::Ignore] {
            assert_eq!(size("Name", mode)?, Some(5));
            assert_eq!(size("NAME", mode)?, Some(6));
            assert_eq!(size("", mode)?, None);
            assert_eq!(size("Nam", mode)?, None);
        }
        assert_eq!(size("name", CaseMode::Exact)?, None);
        assert_eq!(size("name", CaseMode::Ignore)?, Some(5));
        Ok(())
    }

    #[test]
    fn what_wof_has_compressed_is_no_stream_of_the_user() -> Result {
        let mut point = [0; 24];
        put(&mut point, 0, &0x8000_0017_u32.to_le_bytes());
        put(&mut point, 4, &[16]);
        // The provider for files, and XPRESS in chunks of 4 KiB.
        put(&mut point, 8, &[1, 0, 0, 0, 2, 0, 0, 0, 1]);
        let point = resident(0xc0, "", 7, &point)?;
        let data = resident(0x80, "", 1, b"1234")?;
        let hidden = resident(0x80, "WofCompressedData", 2, b"1234")?;
        let shown = resident(0x80, "mine", 3, b"x")?;
        for (attributes, expected) in [
            (&[&*data, &*hidden, &*shown, &*point][..], "mine "),
            (&[&*data, &*hidden, &*shown], "WofCompressedData mine "),
        ] {
            let disk = Disk::new()?;
            disk.put_file(SAMPLE, attributes)?;
            assert_eq!(&*listed(&disk, SAMPLE)?, &*units(expected)?);
            let volume = mount(&disk)?;
            let inode = open_file(&volume, SAMPLE)?;
            let name = units("WofCompressedData")?;
            let found = plain(open(&volume, &inode, &name, CaseMode::Exact))?;
            assert_eq!(found.is_some(), expected.len() > 5);
        }
        Ok(())
    }

    #[test]
    fn where_a_stream_may_be_missing_the_damage_is_told() -> Result {
        let disk = spread()?;
        let list = resident(0x20, "", 9, &[0x80, 0, 0, 0, 3, 0])?;
        let own = resident(0x80, "a", 1, b"in the base record")?;
        disk.put_file(SAMPLE, &[&list, &own])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let open =
            |name: &str| -> Result<_> { Ok(open(&volume, &inode, &units(name)?, CaseMode::Exact)) };
        assert!(matches!(names(&**volume, &inode), Err(Error::Corrupt(_))));
        assert!(matches!(open("B")?, Err(Error::Corrupt(_))));
        assert!(plain(open("a")?)?.is_some());
        Ok(())
    }

    #[test]
    fn small_values_are_read_whole() -> Result {
        let disk = Disk::new()?;
        let keys = resident(0x100, "$EFS", 3, b"keys")?;
        disk.put_file(SAMPLE, &[&keys])?;
        let volume = mount(&disk)?;
        let file = open_file(&volume, SAMPLE)?.reference();
        let type_ = AttributeType::LOGGED_UTILITY_STREAM;
        let read =
            |name: &str| -> Result<_> { plain(value(&**volume, file, type_, &units(name)?)) };
        assert_eq!(&*read("$EFS")?.ok_or(ENOENT)?, b"keys");
        assert!(read("")?.is_none());
        Ok(())
    }

    #[test]
    fn standard_information_is_that_of_the_record() -> Result {
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, &[])?;
        let volume = mount(&disk)?;
        let file = open_file(&volume, SAMPLE)?.reference();
        let standard = plain(standard_information(&**volume, file))?;
        assert_eq!(standard.times.change.get(), 5002);
        assert_eq!(standard.attributes.get(), 0x20);
        Ok(())
    }
}
