// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::attribute` and `fs::catalog`: attributes in several records.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_attribute))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            data::read_at,
            error::Error,
            inode::Inode, //
        },
        kunit::{
            fixtures::record::{
                resident,
                Clusters, //
            },
            fs::disk::{
                extension,
                list_entry,
                mount,
                open_file,
                plain,
                Disk,
                CLUSTER,
                SAMPLE, //
            },
        },
        ondisk::units::ByteOffset,
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    /// One cluster at `20 + vcn` of a stream with four.
    fn part(vcn: u64, pairs: &[u8]) -> Result<KVec<u8>> {
        Clusters {
            lowest_vcn: vcn,
            highest_vcn: vcn,
            allocated: 4 * 4096,
            data: 4 * 4096,
            initialized: 4 * 4096,
            mapping_pairs: pairs,
            ..Clusters::DATA
        }
        .to_bytes()
    }

    /// A file whose list is `list`, with the four parts of its data in records 25 to 28.
    fn spread(list: &[&[u8]]) -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let mut value = KVec::new();
        for entry in list {
            value.extend_from_slice(entry, GFP_KERNEL)?;
        }
        disk.put_file(SAMPLE, &[&resident(0x20, "", 1, &value)?])?;
        for vcn in 0..4 {
            let part = part(vcn, &[0x11, 1, 20 + vcn as u8, 0])?;
            disk.put_record(SAMPLE + 1 + vcn, &extension(SAMPLE + 1 + vcn, &[&part]))?;
            disk.write_cluster(20 + vcn as usize, &[b'0' + vcn as u8; CLUSTER]);
        }
        Ok(disk)
    }

    fn entry(vcn: u64) -> [u8; 0x20] {
        list_entry(0x80, vcn, SAMPLE + 1 + vcn, 1)
    }

    /// The first byte of each cluster; `?` where it cannot be read.
    fn content(disk: &Arc<Disk>) -> Result<[u8; 4]> {
        let volume = mount(disk)?;
        let inode: Inode = open_file(&volume, SAMPLE)?;
        let stream = plain(inode.data())?.ok_or(ENOENT)?;
        let mut found = [b'?'; 4];
        for (vcn, found) in found.iter_mut().enumerate() {
            let mut byte = [0];
            let at = ByteOffset::new((vcn * CLUSTER) as u64);
            if read_at(&volume, stream, at, &mut byte).is_ok() {
                *found = byte[0];
            }
        }
        Ok(found)
    }

    #[test]
    fn parts_in_four_records_are_joined() -> Result {
        let disk = spread(&[&entry(0), &entry(1), &entry(2), &entry(3)])?;
        assert_eq!(content(&disk)?, *b"0123");
        Ok(())
    }

    #[test]
    fn the_order_of_the_list_does_not_matter() -> Result {
        let disk = spread(&[&entry(2), &entry(0), &entry(3), &entry(1)])?;
        assert_eq!(content(&disk)?, *b"0123");
        Ok(())
    }

    #[test]
    fn an_entry_that_is_there_twice_counts_once() -> Result {
        let disk = spread(&[
            &entry(0),
            &entry(1),
            &entry(1),
            &entry(1),
            &entry(2),
            &entry(3),
        ])?;
        assert_eq!(content(&disk)?, *b"0123");
        Ok(())
    }

    #[test]
    fn a_part_that_is_not_listed_is_missing_and_the_others_are_read() -> Result {
        let disk = spread(&[&entry(0), &entry(1), &entry(3)])?;
        assert_eq!(content(&disk)?, *b"01?3");
        Ok(())
    }

    #[test]
    fn an_extension_record_that_is_torn_hides_its_own_part_only() -> Result {
        let disk = spread(&[&entry(0), &entry(1), &entry(2), &entry(3)])?;
        // The last word of the first sector of record 26.
        disk.write(4 * CLUSTER + 26 * 1024 + 510, &[0xee, 0xee]);
        assert_eq!(content(&disk)?, *b"0?23");
        Ok(())
    }

    #[test]
    fn an_extension_record_of_another_file_is_not_used() -> Result {
        let disk = spread(&[&entry(0), &entry(1), &entry(2), &entry(3)])?;
        disk.put_file(27, &[&part(2, &[0x11, 1, 30, 0])?])?;
        assert_eq!(content(&disk)?, *b"01?3");
        Ok(())
    }

    #[test]
    fn a_list_that_leads_back_to_the_file_ends() -> Result {
        let own = list_entry(0x80, 0, SAMPLE, 1);
        let list = list_entry(0x20, 0, SAMPLE, 1);
        let disk = spread(&[
            &list,
            &own,
            &entry(0),
            &own,
            &entry(1),
            &entry(2),
            &entry(3),
        ])?;
        assert_eq!(content(&disk)?, *b"0123");
        Ok(())
    }

    #[test]
    fn an_extension_with_a_list_of_its_own_is_not_followed() -> Result {
        let disk = spread(&[&entry(0), &entry(1), &entry(2), &entry(3)])?;
        let list = resident(0x20, "", 2, &entry(0))?;
        let part = part(0, &[0x11, 1, 20, 0])?;
        disk.put_record(SAMPLE + 1, &extension(SAMPLE + 1, &[&list, &part]))?;
        assert_eq!(content(&disk)?, *b"0123");
        Ok(())
    }

    #[test]
    fn a_list_that_is_cut_off_keeps_what_comes_before() -> Result {
        let cut = entry(3);
        let cut = cut.get(..0x10).unwrap_or(&[]);
        let disk = spread(&[&entry(0), &entry(1), &entry(2), cut])?;
        assert_eq!(content(&disk)?, *b"012?");
        let volume = mount(&disk)?;
        assert!(matches!(
            open_file(&volume, SAMPLE)?.damage(),
            Some(Error::Corrupt(_))
        ));
        Ok(())
    }

    #[test]
    fn a_list_in_clusters_is_read() -> Result {
        let disk = spread(&[])?;
        let list = Clusters {
            type_: 0x20,
            highest_vcn: 0,
            allocated: 4096,
            data: 4 * 0x20,
            initialized: 4 * 0x20,
            mapping_pairs: &[0x11, 1, 40, 0],
            ..Clusters::DATA
        };
        disk.put_file(SAMPLE, &[&list.to_bytes()?])?;
        for vcn in 0..4 {
            disk.write(40 * CLUSTER + vcn as usize * 0x20, &entry(vcn));
        }
        assert_eq!(content(&disk)?, *b"0123");
        Ok(())
    }

    #[test]
    fn a_list_of_absurd_size_costs_the_listed_parts_and_no_memory() -> Result {
        let disk = spread(&[])?;
        let list = Clusters {
            type_: 0x20,
            highest_vcn: 0,
            allocated: 1 << 60,
            data: 1 << 60,
            initialized: 1 << 60,
            mapping_pairs: &[0x11, 1, 40, 0],
            ..Clusters::DATA
        };
        let data = resident(0x80, "", 9, b"still here")?;
        disk.put_file(SAMPLE, &[&list.to_bytes()?, &data])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        assert_eq!(inode.size().get(), 10);
        assert!(inode.damage().is_some());
        Ok(())
    }

    #[test]
    fn without_its_first_part_a_stream_is_corrupt_and_the_file_is_not() -> Result {
        let disk = spread(&[&entry(1), &entry(2)])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        assert!(matches!(inode.data(), Err(Error::Corrupt(_))));
        assert_eq!(inode.times().creation.get(), 5000);
        Ok(())
    }
}
