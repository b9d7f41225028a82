// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::object_id`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_object_id))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::Error,
            object_id::*, //
        },
        kunit::{
            fixtures::{
                index,
                put,
                record::resident, //
            },
            fs::disk::{
                file,
                mount,
                name_entry,
                open_file,
                plain,
                reference,
                Disk,
                SAMPLE, //
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    const EXTEND: u64 = 11;
    const OBJECT_IDS: u64 = 25;
    /// The third of four numbers tells it from its neighbours.
    const ID: [u8; 16] = [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 9, 4, 0, 0, 0];

    fn neighbour(third: u8) -> [u8; 16] {
        let mut id = ID;
        put(&mut id, 11, &[third]);
        id
    }

    /// The index entry of an id, for a file.
    fn entry(id: [u8; 16], number: u64) -> Result<KVec<u8>> {
        let mut data = [0; 56];
        put(&mut data, 0, &reference(number).to_le_bytes());
        for (at, byte) in data.iter_mut().enumerate().skip(8) {
            *byte = at as u8;
        }
        index::view_entry(&id, &data, None)
    }

    /// A volume whose `$ObjId` has three ids, and a file that has the middle one.
    fn disk(of: u64) -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let end = index::entry(0, None, None)?;
        let root = index::root(&[&name_entry("$ObjId", OBJECT_IDS, None)?, &end])?;
        disk.put_directory(EXTEND, &root, &[])?;
        let entries: [&[u8]; 4] = [
            &entry(neighbour(8), 26)?,
            &entry(ID, of)?,
            &entry(neighbour(10), 27)?,
            &end,
        ];
        let root = index::view_root(0x13, &entries)?;
        disk.put_file(OBJECT_IDS, &[&resident(0x90, "$O", 5, &root)?])?;
        disk.put_file(SAMPLE, &[&resident(0x40, "", 3, &ID)?])?;
        Ok(disk)
    }

    fn read(disk: &Arc<Disk>) -> Result<Option<KVec<u8>>> {
        let volume = mount(disk)?;
        let file = open_file(&volume, SAMPLE)?.reference();
        plain(object_id(&volume, file))
    }

    #[test]
    fn the_index_adds_the_birth() -> Result {
        let found = read(&disk(SAMPLE)?)?.ok_or(ENOENT)?;
        assert_eq!(found.len(), 64);
        assert_eq!(found.get(..16), Some(&ID[..]));
        assert!(found.iter().skip(16).zip(8..).all(|(byte, at)| *byte == at));
        Ok(())
    }

    #[test]
    fn an_id_that_the_index_has_not_or_for_another_file_comes_alone() -> Result {
        assert_eq!(read(&disk(28)?)?.ok_or(ENOENT)?.len(), 16);
        let disk = disk(SAMPLE)?;
        let other = neighbour(7);
        disk.put_file(SAMPLE, &[&resident(0x40, "", 3, &other)?])?;
        assert_eq!(&*read(&disk)?.ok_or(ENOENT)?, &other[..]);
        Ok(())
    }

    #[test]
    fn before_ntfs_3_there_is_no_index() -> Result {
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, &[&resident(0x40, "", 3, &ID)?])?;
        let mut free = file(EXTEND, &[])?;
        put(&mut free, 0x16, &0_u16.to_le_bytes());
        disk.put_record(EXTEND, &free)?;
        assert_eq!(&*read(&disk)?.ok_or(ENOENT)?, &ID[..]);
        disk.put_file(EXTEND, &[])?;
        assert_eq!(&*read(&disk)?.ok_or(ENOENT)?, &ID[..]);
        Ok(())
    }

    #[test]
    fn most_files_have_none_and_a_short_one_is_damage() -> Result {
        let disk = disk(SAMPLE)?;
        disk.put_file(SAMPLE, &[])?;
        assert!(read(&disk)?.is_none());
        disk.put_file(SAMPLE, &[&resident(0x40, "", 3, &[1; 15])?])?;
        let volume = mount(&disk)?;
        let file = open_file(&volume, SAMPLE)?.reference();
        assert!(matches!(object_id(&volume, file), Err(Error::Corrupt(_))));
        Ok(())
    }
}
