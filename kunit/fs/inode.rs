// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::inode` and `fs::names`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_inode))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            data::read_at,
            error::Error,
            inode::*, //
        },
        kunit::{
            fixtures::{
                put,
                record::{
                    file_name,
                    file_record,
                    resident, //
                },
            },
            fs::disk::{
                mount,
                open_file,
                plain,
                Disk,
                SAMPLE, //
            },
        },
        ondisk::units::ByteOffset,
    };
    use kernel::prelude::*;

    /// Opens a file with these attributes.
    fn open(attributes: &[&[u8]]) -> Result<Inode> {
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, attributes)?;
        open_file(&*mount(&disk)?, SAMPLE)
    }

    fn reparse(tag: u32) -> Result<KVec<u8>> {
        let mut value = [0; 8];
        put(&mut value, 0, &tag.to_le_bytes());
        resident(0xc0, "", 7, &value)
    }

    #[test]
    fn names_are_counted_without_their_dos_twins() -> Result {
        let long = resident(0x30, "", 2, &file_name("a long name", 1)?)?;
        let short = resident(0x30, "", 3, &file_name("ALONGN~1", 2)?)?;
        let other = resident(0x30, "", 4, &file_name("other", 0)?)?;
        let inode = open(&[&long, &short, &other])?;
        assert_eq!(inode.links(), 2);
        assert_eq!(inode.parent().ok_or(ENOENT)?.number.get(), 5);
        assert!(inode.kind() == Kind::File);
        Ok(())
    }

    #[test]
    fn without_names_the_link_count_of_the_record_is_taken() -> Result {
        let inode = open(&[])?;
        assert_eq!(inode.links(), 1);
        assert!(inode.parent().is_none());
        assert!(matches!(inode.data(), Ok(None)));
        assert_eq!(inode.size().get(), 0);
        Ok(())
    }

    #[test]
    fn without_standard_information_the_name_tells_the_times() -> Result {
        let disk = Disk::new()?;
        let name = resident(0x30, "", 2, &file_name("name", 1)?)?;
        disk.put_record(SAMPLE, &file_record(SAMPLE as u32, 1, &[&name]))?;
        let inode = open_file(&*mount(&disk)?, SAMPLE)?;
        assert_eq!(inode.times().creation.get(), 1000);
        assert!(matches!(inode.damage(), Some(Error::Corrupt(_))));
        Ok(())
    }

    #[test]
    fn reparse_tags_decide_what_a_file_is() -> Result {
        let kinds = [
            (0xa000_000c, Kind::Symlink),
            (0xa000_0003, Kind::Symlink),
            (0xa000_001d, Kind::Symlink),
            (0x8000_0023, Kind::Socket),
            (0x8000_0024, Kind::Fifo),
            (0x8000_0025, Kind::File),
            (0x9000_001a, Kind::File),
        ];
        for (tag, kind) in kinds {
            let inode = open(&[&reparse(tag)?])?;
            assert!(inode.kind() == kind);
            assert_eq!(inode.reparse_tag().ok_or(ENOENT)?.get(), tag);
        }
        Ok(())
    }

    #[test]
    fn a_device_of_wsl_has_its_number() -> Result {
        let mut ea = [0; 0x18];
        put(&mut ea, 0x05, &[6, 8, 0]);
        put(&mut ea, 0x08, b"$LXDEV\0");
        put(&mut ea, 0x0f, &8_u32.to_le_bytes());
        put(&mut ea, 0x13, &1_u32.to_le_bytes());
        let ea = resident(0xe0, "", 8, &ea)?;
        let inode = open(&[&reparse(0x8000_0026)?, &ea])?;
        assert!(matches!(inode.kind(), Kind::BlockDevice(device) if device.major == 8));
        Ok(())
    }

    #[test]
    fn data_that_is_elsewhere_is_refused_and_never_zeros() -> Result {
        for tag in [0x8000_0017, 0x8000_0013] {
            let disk = Disk::new()?;
            let data = resident(0x80, "", 1, &[0; 4])?;
            disk.put_file(SAMPLE, &[&data, &reparse(tag)?])?;
            let volume = mount(&disk)?;
            let inode = open_file(&volume, SAMPLE)?;
            let stream = plain(inode.data())?.ok_or(ENOENT)?;
            let mut bytes = [7; 4];
            let read = read_at(&volume, stream, ByteOffset::ZERO, &mut bytes);
            assert!(matches!(read, Err(Error::Unsupported(_))));
            assert_eq!(inode.size().get(), 4);
        }
        Ok(())
    }

    #[test]
    fn a_directory_without_its_index_can_be_opened_but_not_listed() -> Result {
        let disk = Disk::new()?;
        let mut record = crate::kunit::fs::disk::file(SAMPLE, &[])?;
        put(&mut record, 0x16, &3_u16.to_le_bytes());
        disk.put_record(SAMPLE, &record)?;
        let inode = open_file(&*mount(&disk)?, SAMPLE)?;
        assert!(inode.kind() == Kind::Directory);
        assert!(matches!(inode.index().err(), Some(Error::Corrupt(_))));
        Ok(())
    }

    #[test]
    fn a_broken_reparse_point_leaves_the_file() -> Result {
        let inode = open(&[&resident(0xc0, "", 7, &[1, 2, 3])?])?;
        assert!(inode.kind() == Kind::File);
        assert!(matches!(inode.damage(), Some(Error::Corrupt(_))));
        Ok(())
    }
}
