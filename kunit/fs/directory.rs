// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::directory`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_directory))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            directory::*,
            error::Error, //
        },
        kunit::{
            fixtures::index,
            fs::disk::{
                allocation,
                mount,
                name_entry,
                open_file,
                plain,
                units,
                Disk,
                SAMPLE, //
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    const LCN: usize = 30;

    fn end(vcn: Option<u64>) -> Result<KVec<u8>> {
        index::entry(0, None, vcn)
    }

    /// Apple (100), Banana (101), apple (102), cherry (103) in the order of a directory.
    fn fruit() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let root = index::root(&[&name_entry("apple", 102, Some(0))?, &end(Some(1))?])?;
        disk.put_directory(SAMPLE, &root, &[&allocation(LCN as u8, 2)?])?;
        let first = index::block(0, &[&name_entry("Apple", 100, None)?, &end(None)?])?;
        let banana = name_entry("Banana", 101, None)?;
        let second = index::block(
            1,
            &[&banana, &name_entry("cherry", 103, None)?, &end(None)?],
        )?;
        disk.put_block(LCN, &first)?;
        disk.put_block(LCN + 1, &second)?;
        Ok(disk)
    }

    fn find(disk: &Arc<Disk>, name: &str, mode: CaseMode) -> Result<Option<u64>> {
        let volume = mount(disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let found = plain(lookup(&volume, &inode, &units(name)?, mode))?;
        Ok(found.map(|found| found.reference.number.get()))
    }

    #[test]
    fn names_are_told_apart_by_case() -> Result {
        let disk = fruit()?;
        for (name, number) in [
            ("Apple", 100),
            ("Banana", 101),
            ("apple", 102),
            ("cherry", 103),
        ] {
            assert_eq!(find(&disk, name, CaseMode::Exact)?, Some(number));
        }
        for name in ["APPLE", "banana", "Cherry", "", "apples", "appl", "zebra"] {
            assert!(find(&disk, name, CaseMode::Exact)?.is_none());
        }
        Ok(())
    }

    #[test]
    fn without_regard_to_case_the_exact_name_is_preferred() -> Result {
        let disk = fruit()?;
        assert_eq!(find(&disk, "Apple", CaseMode::Ignore)?, Some(100));
        assert_eq!(find(&disk, "apple", CaseMode::Ignore)?, Some(102));
        assert_eq!(find(&disk, "BANANA", CaseMode::Ignore)?, Some(101));
        assert!(find(&disk, "aPPLE", CaseMode::Ignore)?.is_some());
        assert!(find(&disk, "plum", CaseMode::Ignore)?.is_none());
        Ok(())
    }

    #[test]
    fn the_name_comes_back_as_the_directory_has_it() -> Result {
        let disk = fruit()?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let found = plain(lookup(&volume, &inode, &units("CHERRY")?, CaseMode::Ignore))?;
        assert!(found.ok_or(ENOENT)?.name == units("cherry")?);
        Ok(())
    }

    #[test]
    fn a_cycle_on_the_way_is_an_error_and_no_hang() -> Result {
        let disk = fruit()?;
        disk.put_block(LCN, &index::block(0, &[&end(Some(0))?])?)?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let found = lookup(&volume, &inode, &units("Apple")?, CaseMode::Exact);
        assert!(matches!(found, Err(Error::Corrupt(_))));
        // What is not behind the cycle is found.
        let found = plain(lookup(&volume, &inode, &units("cherry")?, CaseMode::Exact))?;
        assert!(found.is_some());
        Ok(())
    }
}
