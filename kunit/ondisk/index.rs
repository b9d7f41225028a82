// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::index`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_index))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        index::*,
        put,
        record::file_name, //
    };
    use crate::ondisk::{
        error::Malformed,
        file_name::FileName,
        fixup::{
            self,
            Magic,
            Transfer, //
        },
        index::*,
        units::{
            ByteOffset,
            ClusterSize,
            IndexBlockSize,
            MftReference,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    /// Where the entries begin in the roots made here.
    const FIRST: usize = 0x20;

    fn sample() -> Result<KVec<u8>> {
        let a = entry(64, Some(&file_name("a.txt", 3)?), None)?;
        let b = entry((2 << 48) | 65, Some(&file_name("b.txt", 3)?), Some(4))?;
        let last = entry(0, None, Some(8))?;
        root(&[&a, &b, &last])
    }

    /// How many entries are sound, and how many are not.
    fn count(root: &[u8]) -> core::result::Result<(usize, usize), Malformed> {
        let node = IndexRoot::parse(root)?.node;
        Ok(node
            .entries()
            .fold((0, 0), |(good, bad), entry| match entry {
                Ok(_) => (good + 1, bad),
                Err(_) => (good, bad + 1),
            }))
    }

    #[test]
    fn a_root_is_read() -> Result {
        let value = sample()?;
        let root = IndexRoot::parse(&value).map_err(|_| EINVAL)?;
        assert_eq!(root.indexed_type, 0x30);
        assert_eq!(root.collation, Collation::FILE_NAME);
        assert_eq!(root.block_size.bytes(), 4096);

        let mut entries = root.node.entries();
        let first = entries.next().ok_or(EINVAL)?.map_err(|_| EINVAL)?;
        assert_eq!(first.offset, FIRST);
        assert_eq!(first.reference, MftReference::from_raw(64));
        assert_eq!(first.sub_node, None);
        let name = FileName::parse(first.key.ok_or(EINVAL)?).map_err(|_| EINVAL)?;
        assert!(name.name.units().eq("a.txt".encode_utf16()));
        let second = entries.next().ok_or(EINVAL)?.map_err(|_| EINVAL)?;
        assert_eq!(second.offset, first.offset + first.length);
        assert_eq!(second.reference, MftReference::from_raw((2 << 48) | 65));
        assert_eq!(second.sub_node, Some(Vcn::new(4)));
        assert_eq!(second.key.map(<[u8]>::len), Some(0x42 + 10));
        let last = entries.next().ok_or(EINVAL)?.map_err(|_| EINVAL)?;
        assert_eq!(last.key, None);
        assert_eq!(last.sub_node, Some(Vcn::new(8)));
        assert!(entries.next().is_none());
        Ok(())
    }

    #[test]
    fn a_walk_can_go_on_at_any_entry() -> Result {
        let value = sample()?;
        let node = IndexRoot::parse(&value).map_err(|_| EINVAL)?.node;
        for (index, entry) in node.entries().enumerate() {
            let entry = entry.map_err(|_| EINVAL)?;
            let rest = node.entries_from(entry.offset);
            assert_eq!(rest.clone().count(), 3 - index);
            assert_eq!(rest.clone().next(), Some(Ok(entry)));
        }
        // An offset that never was one of an entry is safe.
        for offset in 0..value.len() + 2 {
            let _ = node.entries_from(offset).count();
        }
        Ok(())
    }

    #[test]
    fn a_block_is_read_after_its_fixups() -> Result {
        let a = entry(64, Some(&file_name("a.txt", 3)?), None)?;
        let mut bytes = block(12, &[&a, &entry(0, None, None)?])?;
        fixup::redo(&mut bytes, Magic::INDX).map_err(|_| EINVAL)?;
        assert_eq!(fixup::undo(&mut bytes, Magic::INDX), Ok(Transfer::Complete));
        let block = IndexBlock::parse(&bytes).map_err(|_| EINVAL)?;
        assert_eq!(block.lsn.get(), 0x55);
        assert_eq!(block.vcn, Vcn::new(12));
        assert_eq!(block.expect_vcn(Vcn::new(12)), Ok(()));
        assert_eq!(
            block.expect_vcn(Vcn::new(13)).map_err(|error| error.found),
            Err(12)
        );
        assert_eq!(block.node.entries().count(), 2);
        Ok(())
    }

    #[test]
    fn a_block_of_another_kind_is_refused() -> Result {
        let mut bytes = block(0, &[])?;
        put(&mut bytes, 0, b"FILE");
        assert!(IndexBlock::parse(&bytes).is_err());
        for length in [0, 3, 0x17, 0x27] {
            let bytes = block(0, &[])?;
            assert!(IndexBlock::parse(bytes.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_block_size_that_does_not_exist_is_refused() -> Result {
        for size in [0_u32, 256, 4097, 131_072, u32::MAX] {
            let mut root = sample()?;
            put(&mut root, 0x08, &size.to_le_bytes());
            assert_eq!(count(&root).map_err(|error| error.at), Err(0x08));
        }
        Ok(())
    }

    #[test]
    fn entries_that_begin_outside_of_the_node_are_refused() -> Result {
        for offset in [0_u32, 0x0f, 0x1000, u32::MAX] {
            let mut root = sample()?;
            put(&mut root, 0x10, &offset.to_le_bytes());
            assert_eq!(count(&root).map_err(|error| error.at), Err(0x10));
        }
        let mut root = sample()?;
        put(&mut root, 0x14, &0x0f_u32.to_le_bytes());
        assert!(count(&root).is_err());
        Ok(())
    }

    #[test]
    fn entries_that_end_too_late_end_with_the_last_one() -> Result {
        for end in [0x1000_u32, u32::MAX] {
            let mut root = sample()?;
            put(&mut root, 0x14, &end.to_le_bytes());
            assert_eq!(count(&root), Ok((3, 0)));
        }
        Ok(())
    }

    #[test]
    fn entries_that_end_too_early_show_what_is_before_and_an_error() -> Result {
        let whole = sample()?.len() as u32 - 0x10;
        for (less, good) in [(1, 2), (0x18, 2), (0x19, 1)] {
            let mut root = sample()?;
            put(&mut root, 0x14, &(whole - less).to_le_bytes());
            assert_eq!(count(&root), Ok((good, 1)));
        }
        Ok(())
    }

    #[test]
    fn an_entry_without_a_usable_length_ends_the_walk() -> Result {
        for length in [0_u16, 8, 0x0f, 0x800, 0xffff] {
            let mut root = sample()?;
            put(&mut root, FIRST + 8, &length.to_le_bytes());
            assert_eq!(count(&root), Ok((0, 1)));
        }
        Ok(())
    }

    #[test]
    fn an_entry_that_is_broken_inside_does_not_hide_the_next() -> Result {
        for length in [0x51_u16, 0x1000, 0xffff] {
            let mut root = sample()?;
            put(&mut root, FIRST + 0x0a, &length.to_le_bytes());
            assert_eq!(count(&root), Ok((2, 1)));
        }
        Ok(())
    }

    #[test]
    fn a_sub_node_needs_room_behind_the_key() -> Result {
        // The smallest entries with and without room for it.
        for (length, sound) in [(0x10_u16, 0), (0x17, 0), (0x18, 1)] {
            let mut root = root(&[&entry(0, None, Some(8))?])?;
            put(&mut root, FIRST + 8, &length.to_le_bytes());
            assert_eq!(count(&root), Ok((sound, 1 - sound)));
        }
        // A key that reaches into the VCN behind it.
        let mut root = sample()?;
        let second = FIRST + 0x60;
        put(&mut root, second + 0x0a, &0x51_u16.to_le_bytes());
        assert_eq!(count(&root), Ok((2, 1)));
        Ok(())
    }

    #[test]
    fn a_root_cut_off_anywhere_is_safe() -> Result {
        let root = sample()?;
        for length in 0..root.len() {
            // Only that it comes back counts.
            let _ = count(root.get(..length).unwrap_or(&[]));
        }
        assert!(count(root.get(..0x1f).unwrap_or(&[])).is_err());
        Ok(())
    }

    #[test]
    fn the_data_of_a_view_is_beside_the_key() -> Result {
        let entry = view_entry(&[1, 2, 3, 4], b"seven b", Some(3))?;
        let last = view_entry(b"key", b"", None)?;
        // The data beyond the entry, and its start.
        for (at, with, is_sound) in [(0, 0_u8, true), (0, 0x40, false), (2, 0x40, false)] {
            let mut value = view_root(0x10, &[&entry, &last])?;
            if !is_sound {
                put(&mut value, FIRST + at, &[with]);
            }
            let root = IndexRoot::parse(&value).map_err(|_| EINVAL)?;
            assert_eq!(root.collation, Collation::NUMBER);
            let mut entries = root.node.entries();
            let first = entries.next().ok_or(ENOENT)?.map_err(|_| EINVAL)?;
            assert_eq!(first.key, Some(&[1, 2, 3, 4][..]));
            assert_eq!(first.data().ok(), is_sound.then_some(&b"seven b"[..]));
            let last = entries.next().ok_or(ENOENT)?.map_err(|_| EINVAL)?;
            assert_eq!(last.data(), Ok(&[][..]));
        }
        Ok(())
    }

    #[test]
    fn vcns_count_clusters_or_sectors() -> Result {
        // Block, cluster, unit.
        let cases = [
            (4096, 4096, 4096),
            (4096, 512, 512),
            (4096, 2048, 2048),
            (4096, 65_536, 512),
            (512, 4096, 512),
            (65_536, 4096, 4096),
        ];
        for (block, cluster, bytes) in cases {
            let block = IndexBlockSize::new(block).ok_or(EINVAL)?;
            let cluster = ClusterSize::new(cluster).ok_or(EINVAL)?;
            let unit = VcnUnit::new(block, cluster);
            assert_eq!(unit.bytes(), bytes);
            assert_eq!(
                unit.to_offset(Vcn::new(3)),
                Some(ByteOffset::new(3 * u64::from(bytes)))
            );
            assert_eq!(unit.to_offset(Vcn::new(u64::MAX)), None);
        }
        Ok(())
    }
}
