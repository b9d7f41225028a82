// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::readdir` and `fs::index`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_readdir))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            directory::{
                lookup,
                CaseMode, //
            },
            error::Error,
            inode::Inode,
            readdir::*,
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                index,
                record::{
                    file_name,
                    resident, //
                },
            },
            fs::disk::{
                allocation,
                mount,
                name_entry,
                open_file,
                plain,
                reference,
                units,
                Disk,
                Ram,
                SAMPLE, //
            },
        },
        ondisk::units::{
            MftReference,
            RecordNumber,
            SequenceNumber, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };

    const LCN: usize = 30;

    /// A directory with this root and these blocks in its tree.
    fn directory(root: &[&[u8]], blocks: &[&[&[u8]]]) -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let allocation = allocation(LCN as u8, blocks.len().max(1) as u8)?;
        disk.put_directory(SAMPLE, &index::root(root)?, &[&allocation])?;
        for (vcn, entries) in blocks.iter().enumerate() {
            disk.put_block(LCN + vcn, &index::block(vcn as u64, entries)?)?;
        }
        Ok(disk)
    }

    /// One character of each name, in order; and whether there was damage.
    fn listing(disk: &Arc<Disk>) -> Result<(KVec<u8>, bool)> {
        let volume = mount(disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let mut walk = plain(Walk::start())?;
        let names = rest(&volume, &inode, &mut walk)?;
        Ok((names, walk.damage().is_some()))
    }

    fn rest(volume: &Volume<Ram>, inode: &Inode, walk: &mut Walk) -> Result<KVec<u8>> {
        let mut names = KVec::new();
        let mut batch = Batch::new();
        while plain(walk.fill(volume, inode, &mut batch))? {
            let mut at = 0;
            while let Some(entry) = batch.get(at) {
                let first = entry.name.first().copied().unwrap_or(0);
                names.push(u8::try_from(first)?, GFP_KERNEL)?;
                at += 1;
            }
        }
        assert!(walk.is_at_end());
        Ok(names)
    }

    fn leaf(name: &str) -> Result<KVec<u8>> {
        name_entry(name, SAMPLE + 1, None)
    }

    fn node(name: &str, vcn: u64) -> Result<KVec<u8>> {
        name_entry(name, SAMPLE + 1, Some(vcn))
    }

    fn end(vcn: Option<u64>) -> Result<KVec<u8>> {
        index::entry(0, None, vcn)
    }

    /// Names `a` to `k`, in a root and three blocks.
    fn tree() -> Result<Arc<Disk>> {
        directory(
            &[&node("d", 0)?, &node("h", 1)?, &end(Some(2))?],
            &[
                &[&leaf("a")?, &leaf("b")?, &leaf("c")?, &end(None)?],
                &[&leaf("e")?, &leaf("f")?, &leaf("g")?, &end(None)?],
                &[&leaf("i")?, &leaf("j")?, &leaf("k")?, &end(None)?],
            ],
        )
    }

    #[test]
    fn a_tree_is_listed_in_order() -> Result {
        let (names, damaged) = listing(&tree()?)?;
        assert!(names == *b"abcdefghijk");
        assert!(!damaged);
        Ok(())
    }

    #[test]
    fn who_wants_two_blocks_of_a_region_finds_the_others_read() -> Result {
        let disk = tree()?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let find = |name: &str| -> Result<bool> {
            let found = lookup(&volume, &inode, &units(name)?, CaseMode::Exact);
            Ok(plain(found)?.is_some())
        };
        // Downwards, so that nobody walks.
        assert!(find("i")? && find("a")?);
        let reads = disk.reads.load(Relaxed);
        assert!(find("e")? && !find("gg")? && find("k")? && find("b")?);
        assert_eq!(disk.reads.load(Relaxed), reads);
        Ok(())
    }

    #[test]
    fn an_empty_directory_has_no_entry() -> Result {
        let (names, damaged) = listing(&directory(&[&end(None)?], &[])?)?;
        assert!(names.is_empty());
        assert!(!damaged);
        Ok(())
    }

    #[test]
    fn dos_names_are_left_out() -> Result {
        let short = index::entry(reference(SAMPLE + 1), Some(&file_name("LONG~1", 2)?), None)?;
        let disk = directory(&[&short, &leaf("longer name")?, &end(None)?], &[])?;
        assert!(listing(&disk)?.0 == *b"l");
        Ok(())
    }

    #[test]
    fn a_block_that_cannot_be_used_costs_its_own_entries() -> Result {
        let disk = tree()?;
        disk.write_cluster(LCN + 1, b"BAAD");
        let (names, damaged) = listing(&disk)?;
        assert!(names == *b"abcdhijk");
        assert!(damaged);
        Ok(())
    }

    #[test]
    fn a_block_that_cannot_be_read_costs_its_own_entries_until_it_can() -> Result {
        let disk = tree()?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let mut walk = plain(Walk::start())?;
        assert!(rest(&volume, &inode, &mut walk)? == *b"abcdefghijk");
        // The record with the root is cached again, the blocks are not.
        volume.shrink(usize::MAX);
        plain(volume.inode_number(RecordNumber::new(SAMPLE)))?;
        disk.broken.store(true, Relaxed);
        let mut walk = plain(Walk::start())?;
        assert!(rest(&volume, &inode, &mut walk)? == *b"dh");
        assert!(matches!(walk.damage(), Some(Error::Device(_))));
        disk.broken.store(false, Relaxed);
        let mut walk = plain(Walk::start())?;
        assert!(rest(&volume, &inode, &mut walk)? == *b"abcdefghijk");
        Ok(())
    }

    #[test]
    fn a_block_with_the_wrong_vcn_costs_its_own_entries() -> Result {
        let disk = tree()?;
        let wrong = index::block(2, &[&leaf("x")?, &end(None)?])?;
        disk.put_block(LCN, &wrong)?;
        let (names, damaged) = listing(&disk)?;
        assert!(names == *b"defghijk");
        assert!(damaged);
        Ok(())
    }

    #[test]
    fn a_block_that_is_its_own_child_ends_the_walk() -> Result {
        let disk = directory(
            &[&node("d", 0)?, &end(Some(0))?],
            &[&[&node("b", 0)?, &leaf("c")?, &end(Some(0))?]],
        )?;
        let (names, damaged) = listing(&disk)?;
        assert!(names == *b"bcd");
        assert!(damaged);
        Ok(())
    }

    #[test]
    fn a_cycle_of_two_blocks_ends_the_walk() -> Result {
        let disk = directory(
            &[&end(Some(0))?],
            &[
                &[&node("b", 1)?, &end(None)?],
                &[&node("a", 0)?, &end(Some(1))?],
            ],
        )?;
        let (names, damaged) = listing(&disk)?;
        assert!(names == *b"ab");
        assert!(damaged);
        Ok(())
    }

    #[test]
    fn a_block_beyond_the_allocation_is_damage() -> Result {
        for vcn in [9, 1 << 40, u64::MAX] {
            let (names, damaged) = listing(&directory(&[&node("d", vcn)?, &end(None)?], &[])?)?;
            assert!(names == *b"d");
            assert!(damaged);
        }
        Ok(())
    }

    #[test]
    fn an_entry_with_a_broken_key_is_left_out() -> Result {
        let broken = index::entry(reference(SAMPLE + 1), Some(&[0; 0x20]), None)?;
        let (names, damaged) = listing(&directory(
            &[&leaf("a")?, &broken, &leaf("c")?, &end(None)?],
            &[],
        )?)?;
        assert!(names == *b"ac");
        assert!(damaged);
        Ok(())
    }

    #[test]
    fn a_directory_without_blocks_shows_its_root() -> Result {
        let disk = Disk::new()?;
        let root = index::root(&[&node("d", 0)?, &end(None)?])?;
        disk.put_directory(SAMPLE, &root, &[])?;
        let (names, damaged) = listing(&disk)?;
        assert!(names == *b"d");
        assert!(damaged);
        Ok(())
    }

    #[test]
    fn a_file_is_no_directory() -> Result {
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, b"x")?])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let mut batch = Batch::new();
        let filled = plain(Walk::start())?.fill(&volume, &inode, &mut batch);
        assert!(filled == Err(Error::NotDirectory));
        Ok(())
    }

    /// A cookie of each entry of [`tree`].
    fn cookies(volume: &Volume<Ram>, inode: &Inode) -> Result<KVec<Cookie>> {
        let mut cookies = KVec::new();
        let mut batch = Batch::new();
        let mut walk = plain(Walk::start())?;
        while plain(walk.fill(volume, inode, &mut batch))? {
            let mut at = 0;
            while let Some(entry) = batch.get(at) {
                assert!(Cookie::from_raw(entry.cookie.get()) == Some(entry.cookie));
                cookies.push(entry.cookie, GFP_KERNEL)?;
                at += 1;
            }
        }
        Ok(cookies)
    }

    #[test]
    fn a_walk_is_resumed_at_every_entry_whose_file_knows_its_name() -> Result {
        let disk = tree()?;
        let mut names = KVec::new();
        for (id, name) in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]
            .iter()
            .enumerate()
        {
            let mut value = file_name(name, 1)?;
            crate::kunit::fixtures::put(&mut value, 0, &reference(SAMPLE).to_le_bytes());
            if id < 6 {
                names.push(resident(0x30, "", 10 + id as u16, &value)?, GFP_KERNEL)?;
            }
        }
        let mut attributes: KVec<&[u8]> = KVec::new();
        for name in &names {
            attributes.push(name, GFP_KERNEL)?;
        }
        // The file knows six of its names; the others are found by walking.
        disk.put_file(SAMPLE + 1, &attributes)?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let cookies = cookies(&volume, &inode)?;
        assert_eq!(cookies.len(), 11);
        for (at, cookie) in cookies.iter().enumerate() {
            let mut walk = plain(Walk::resume(&volume, &inode, *cookie))?;
            let names = rest(&volume, &inode, &mut walk)?;
            assert!(*names == *b"abcdefghijk".get(at..).unwrap_or(&[]));
            assert!(walk.damage().is_none());
        }
        Ok(())
    }

    #[test]
    fn a_cookie_without_an_entry_is_the_end() -> Result {
        let disk = tree()?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let gone = MftReference {
            number: RecordNumber::new(SAMPLE + 2),
            sequence: SequenceNumber::new(1),
        };
        let cookie = Cookie::of(gone, "gone".encode_utf16());
        let mut walk = plain(Walk::resume(&volume, &inode, cookie))?;
        assert!(rest(&volume, &inode, &mut walk)?.is_empty());
        assert!(Cookie::from_raw(0).is_none());
        assert!(Cookie::from_raw(u64::MAX).is_none());
        Ok(())
    }
}
