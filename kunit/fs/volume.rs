// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::volume` and `fs::store`: what a mount survives.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_volume))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::Error,
            notice::Notice,
            store::FirstRecords,
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                boot::BootSector,
                put,
                record::{
                    file_record,
                    resident,
                    Clusters, //
                },
            },
            fs::disk::{
                list_entry,
                mount,
                open_file,
                Disk,
                Ram,
                CLUSTER,
                CLUSTERS,
                MFT_LCN, //
                SAMPLE,
            },
        },
        ondisk::units::{
            RecordNumber,
            Vcn, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };

    fn has(volume: &Volume<Ram>, wanted: fn(&Notice) -> bool) -> bool {
        volume.notices().iter().any(wanted)
    }

    fn error_of(disk: &Arc<Disk>) -> Option<Error> {
        Volume::open(Ram(disk.clone())).err()
    }

    #[test]
    fn a_volume_tells_about_itself() -> Result {
        let disk = Disk::new()?;
        let information = resident(0x70, "", 1, &[0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0])?;
        let label = resident(0x60, "", 2, &[b'h', 0, b'i', 0])?;
        disk.put_file(3, &[&label, &information])?;
        let volume = mount(&disk)?;
        assert_eq!(volume.version(), (3, 1));
        assert_eq!(volume.label(), [0x68, 0x69]);
        assert_eq!(volume.serial(), BootSector::WINDOWS.serial);
        assert!(has(&volume, |notice| *notice == Notice::Dirty));
        assert!(!has(&volume, |notice| matches!(
            notice,
            Notice::MirrorDiffers(_)
        )));
        Ok(())
    }

    #[test]
    fn a_bad_boot_sector_is_replaced_by_the_copy_at_the_end() -> Result {
        let disk = Disk::new()?;
        disk.write(0, &[0; 512]);
        let volume = mount(&disk)?;
        assert!(has(&volume, |notice| matches!(
            notice,
            Notice::BackupBootSector(_)
        )));
        Ok(())
    }

    #[test]
    fn a_copy_in_the_middle_is_found_too() -> Result {
        let disk = Disk::new()?;
        let boot = BootSector {
            total_sectors: (CLUSTERS * CLUSTER / 512 - 1) as u64,
            mft: MFT_LCN as u64,
            mft_mirror: 2,
            ..BootSector::WINDOWS
        };
        disk.write(0, &[0; 512]);
        disk.write(CLUSTERS * CLUSTER - 512, &[0; 512]);
        disk.write(CLUSTERS * CLUSTER / 2, &boot.to_bytes());
        assert!(mount(&disk).is_ok());
        Ok(())
    }

    #[test]
    fn without_any_boot_sector_it_is_not_ntfs() -> Result {
        let disk = Disk::new()?;
        disk.write(0, &[0; 512]);
        disk.write(CLUSTERS * CLUSTER - 512, &[0; 512]);
        assert!(error_of(&disk) == Some(Error::NotNtfs));
        Ok(())
    }

    #[test]
    fn a_copy_that_leads_to_no_mft_is_not_used() -> Result {
        let disk = Disk::new()?;
        disk.write(0, &[0; 512]);
        disk.write(MFT_LCN * CLUSTER, &[0; 1024]);
        disk.write(2 * CLUSTER, &[0; 1024]);
        assert!(error_of(&disk) == Some(Error::NotNtfs));
        Ok(())
    }

    #[test]
    fn a_volume_longer_than_its_device_is_refused() -> Result {
        let disk = Disk::new()?;
        let boot = BootSector {
            total_sectors: (CLUSTERS * CLUSTER / 512 + 8) as u64,
            mft: MFT_LCN as u64,
            mft_mirror: 2,
            ..BootSector::WINDOWS
        };
        disk.write(0, &boot.to_bytes());
        disk.write(CLUSTERS * CLUSTER - 512, &[0; 512]);
        assert!(matches!(error_of(&disk), Some(Error::Corrupt(_))));
        Ok(())
    }

    #[test]
    fn a_device_that_fails_is_an_error() -> Result {
        let disk = Disk::new()?;
        disk.broken.store(true, Relaxed);
        assert!(matches!(error_of(&disk), Some(Error::Device(_))));
        Ok(())
    }

    #[test]
    fn the_mirror_is_used_where_the_record_of_mft_is_bad() -> Result {
        let disk = Disk::new()?;
        disk.write(MFT_LCN * CLUSTER, b"BAAD");
        let volume = mount(&disk)?;
        assert!(volume.first_records() == FirstRecords::Mirror);
        assert!(has(&volume, |notice| matches!(
            notice,
            Notice::MirrorUsed(_)
        )));
        assert!(volume.root().is_ok());
        Ok(())
    }

    #[test]
    fn a_mirrored_record_that_is_torn_is_read_from_the_mirror() -> Result {
        let disk = Disk::new()?;
        disk.write(MFT_LCN * CLUSTER + 3 * 1024 + 510, &[9, 9]);
        assert_eq!(mount(&disk)?.version(), (3, 1));
        Ok(())
    }

    #[test]
    fn a_mirror_that_differs_is_noticed() -> Result {
        let disk = Disk::new()?;
        disk.put_mirror(2, &file_record(2, 9, &[]))?;
        let volume = mount(&disk)?;
        assert!(has(&volume, |notice| {
            *notice == Notice::MirrorDiffers(RecordNumber::new(2))
        }));
        Ok(())
    }

    #[test]
    fn with_both_records_of_mft_bad_there_is_nothing_to_mount() -> Result {
        let disk = Disk::new()?;
        disk.write(MFT_LCN * CLUSTER, b"BAAD");
        disk.write(2 * CLUSTER, b"BAAD");
        assert!(matches!(error_of(&disk), Some(Error::Corrupt(_))));
        Ok(())
    }

    /// `$MFT` in two parts: four clusters that its own record describes, and four at LCN 40 that
    /// record 15 describes.
    fn mft_in_two_parts(list: &[&[u8]]) -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let mut value = KVec::new();
        for entry in list {
            value.extend_from_slice(entry, GFP_KERNEL)?;
        }
        let list = resident(0x20, "", 2, &value)?;
        let first = Disk::mft_data(4, 3)?;
        let mft = file_record(0, 1, &[&list, &first]);
        disk.put_record(0, &mft)?;
        disk.put_mirror(0, &mft)?;
        let second = Clusters {
            lowest_vcn: 4,
            highest_vcn: 7,
            mapping_pairs: &[0x11, 4, 40, 0],
            ..Clusters::DATA
        };
        let mut extension = file_record(15, 1, &[&second.to_bytes()?]);
        put(&mut extension, 0x20, &(1_u64 << 48).to_le_bytes());
        disk.put_record(15, &extension)?;
        // Record 24 is the ninth of the second part.
        disk.put_file(8, &[&resident(0x80, "", 1, b"wrong")?])?;
        let moved = crate::kunit::fs::disk::file(SAMPLE, &[&resident(0x80, "", 1, b"right!")?])?;
        let mut stamped = moved;
        crate::ondisk::fixup::redo(&mut stamped, crate::ondisk::fixup::Magic::FILE)
            .map_err(|_| EINVAL)?;
        disk.write(40 * CLUSTER + 8 * 1024, &stamped);
        Ok(disk)
    }

    #[test]
    fn mft_is_found_through_its_own_attribute_list() -> Result {
        let first = list_entry(0x80, 0, 0, 1);
        let second = list_entry(0x80, 4, 15, 1);
        let volume = mount(&mft_in_two_parts(&[&first, &second])?)?;
        assert_eq!(volume.mft().runlist.end(), Vcn::new(8));
        assert_eq!(open_file(&volume, SAMPLE)?.size().get(), 6);
        assert!(!has(&volume, |notice| matches!(
            notice,
            Notice::MftIncomplete(_)
        )));
        Ok(())
    }

    #[test]
    fn a_part_of_mft_that_is_missing_leaves_the_rest() -> Result {
        let first = list_entry(0x80, 0, 0, 1);
        // Record 14 is not an extension of $MFT, record 30 is in the part that is not known.
        for number in [14, 30] {
            let second = list_entry(0x80, 4, number, 1);
            let volume = mount(&mft_in_two_parts(&[&first, &second])?)?;
            assert!(has(&volume, |notice| matches!(
                notice,
                Notice::MftIncomplete(_)
            )));
            assert!(volume.root().is_ok());
            assert!(volume.inode_number(RecordNumber::new(SAMPLE)).is_err());
        }
        Ok(())
    }
}
