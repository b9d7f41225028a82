// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::index_delete`, on trees of any shape, with blocks of 512 bytes.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_index_delete))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            catalog::Catalog,
            error::Error,
            index::{
                Index,
                IndexKind,
                Node, //
            },
            index_delete::delete,
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                index, put,
                record::{
                    resident,
                    Clusters, //
                },
            },
            fs::disk::{
                mount,
                open_file,
                plain,
                writable,
                Disk,
                Ram,
                CLUSTER,
                SAMPLE, //
            },
        },
        ondisk::{
            fixup::{
                self,
                Magic, //
            },
            units::Vcn,
        },
    };
    use core::cmp::Ordering;
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    const BLOCK: usize = 512;
    const BLOCKS: u64 = 64;
    const LCN: usize = 16;
    /// Trees that are taken apart in a test; fewer in a kernel, which takes long over each.
    const TREES: u64 = if cfg!(CONFIG_RUST) { 5 } else { 24 };

    /// A generator of numbers (xorshift).
    struct Dice(u64);

    impl Dice {
        fn new(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
        }

        /// A number below `end`.
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % end
        }
    }

    /// A tree that is being made.
    struct Builder {
        disk: Arc<Disk>,
        dice: Dice,
        /// Bytes of a key, at most, that are behind its number.
        tail: u64,
        blocks: u64,
        keys: u32,
    }

    impl Builder {
        fn new(seed: u64, tail: u64) -> Result<Self> {
            let disk = Disk::new()?;
            disk.make_writable()?;
            Ok(Self {
                disk,
                dice: Dice::new(seed),
                tail,
                blocks: 0,
                keys: 0,
            })
        }

        /// The next entry in order.
        fn entry(&mut self, sub_node: Option<u64>) -> Result<KVec<u8>> {
            let mut key = KVec::new();
            key.extend_from_slice(&self.keys.to_le_bytes(), GFP_KERNEL)?;
            for _ in 0..self.dice.below(self.tail + 1) {
                key.push(self.keys as u8, GFP_KERNEL)?;
            }
            let data = (!self.keys).to_le_bytes();
            self.keys += 1;
            index::view_entry(&key, &data, sub_node)
        }

        /// The entries of a node with so many levels below it.
        fn node(&mut self, levels: u32, keys: u64) -> Result<KVec<KVec<u8>>> {
            let mut entries = KVec::new();
            for _ in 0..keys {
                let sub_node = self.child(levels)?;
                entries.push(self.entry(sub_node)?, GFP_KERNEL)?;
            }
            let sub_node = self.child(levels)?;
            entries.push(index::entry(0, None, sub_node)?, GFP_KERNEL)?;
            Ok(entries)
        }

        /// The node below an entry of one with so many levels below it.
        fn child(&mut self, levels: u32) -> Result<Option<u64>> {
            let Some(below) = levels.checked_sub(1) else {
                return Ok(None);
            };
            let most = if below == 0 { 6 } else { 3 };
            let keys = 1 + self.dice.below(most);
            let entries = self.node(below, keys)?;
            let entries = slices(&entries)?;
            let vcn = self.blocks;
            self.blocks += 1;
            let mut block = index::block_of(BLOCK, vcn, &entries)?;
            fixup::redo(&mut block, Magic::INDX).map_err(|_| EINVAL)?;
            self.disk
                .write(LCN * CLUSTER + vcn as usize * BLOCK, &block);
            Ok(Some(vcn))
        }

        /// A volume with an index of so many levels below its root, which has so many keys.
        fn build(mut self, levels: u32, keys: u64) -> Result<Tree> {
            let entries = self.node(levels, keys)?;
            let entries = slices(&entries)?;
            let mut root = index::view_root(0x13, &entries)?;
            put(&mut root, 0x08, &(BLOCK as u32).to_le_bytes());
            let root = resident(0x90, "$R", 5, &root)?;
            let bytes = BLOCKS * BLOCK as u64;
            let blocks = Clusters {
                type_: 0xa0,
                name: "$R",
                id: 6,
                highest_vcn: bytes / CLUSTER as u64 - 1,
                allocated: bytes,
                data: bytes,
                initialized: bytes,
                mapping_pairs: &[
                    0x11,
                    (BLOCKS as usize * BLOCK / CLUSTER) as u8,
                    LCN as u8,
                    0,
                ],
                ..Clusters::DATA
            };
            let used = 1_u64
                .checked_shl(self.blocks as u32)
                .unwrap_or(0)
                .wrapping_sub(1);
            let bitmap = resident(0xb0, "$R", 7, &used.to_le_bytes())?;
            self.disk
                .put_file(SAMPLE, &[&root, &blocks.to_bytes()?, &bitmap])?;
            let volume = mount(&self.disk)?;
            writable(&volume)?;
            let reference = open_file(&volume, SAMPLE)?.reference();
            let catalog = plain(Catalog::load(&**volume, reference))?;
            let index = plain(Index::open_kind(
                &**volume,
                &catalog,
                IndexKind::ReparsePoints,
            ))?;
            plain(volume.start_change())?;
            let mut left = KVec::new();
            for key in 0..self.keys {
                left.push(key, GFP_KERNEL)?;
            }
            Ok(Tree {
                disk: self.disk,
                volume,
                index,
                left,
                dice: self.dice,
            })
        }
    }

    fn slices(entries: &KVec<KVec<u8>>) -> Result<KVec<&[u8]>> {
        let mut slices = KVec::new();
        for entry in entries {
            slices.push(&entry[..], GFP_KERNEL)?;
        }
        Ok(slices)
    }

    /// A tree, and what is to be in it.
    struct Tree {
        disk: Arc<Disk>,
        volume: KBox<Volume<Ram>>,
        index: Index,
        left: KVec<u32>,
        dice: Dice,
    }

    /// What was found in a tree.
    struct Found {
        keys: KVec<u32>,
        /// How many levels there are down to each leaf.
        depths: KVec<usize>,
        blocks: u64,
        /// Nodes without a key that have one above them.
        bare: usize,
    }

    impl Tree {
        fn number(key: &[u8]) -> u32 {
            let number = key.first_chunk().copied();
            u32::from_le_bytes(number.unwrap_or_default())
        }

        fn delete(&self, wanted: u32) -> crate::fs::error::Result<bool> {
            delete(&self.volume, &self.index, |key| {
                Ok(wanted.cmp(&Self::number(key)))
            })
        }

        /// All that is in the tree, in its order.
        fn walk(&self) -> Result<Found> {
            let mut found = Found {
                keys: KVec::new(),
                depths: KVec::new(),
                blocks: 0,
                bare: 0,
            };
            self.visit(Node::Root, 0, false, &mut found)?;
            Ok(found)
        }

        fn visit(&self, node: Node, depth: usize, below_keys: bool, found: &mut Found) -> Result {
            assert!(depth < 8);
            let mut entries: KVec<(Option<u32>, Option<Vcn>)> = KVec::new();
            plain(self.index.visit(&**self.volume, node, |content| {
                for entry in content.entries() {
                    let entry = entry.map_err(|_| Error::NotFound)?;
                    if let Some(key) = entry.key {
                        // The data came with its key.
                        let data = entry.data().map_err(|_| Error::NotFound)?;
                        assert_eq!(Self::number(data), !Self::number(key));
                        assert!(key.iter().skip(4).all(|byte| *byte == key[0]));
                    }
                    let key = entry.key.map(Self::number);
                    let pushed = entries.push((key, entry.sub_node), GFP_KERNEL);
                    pushed.map_err(|_| Error::NoMemory)?;
                }
                Ok(())
            }))?;
            let has_keys = entries.len() > 1;
            if below_keys && !has_keys {
                found.bare += 1;
            }
            for (key, sub_node) in &entries {
                match sub_node {
                    Some(vcn) => {
                        assert!(found.blocks & (1 << vcn.get()) == 0, "block twice");
                        found.blocks |= 1 << vcn.get();
                        let below_keys = below_keys || has_keys;
                        self.visit(Node::Block(*vcn), depth + 1, below_keys, found)?;
                    }
                    None => found.depths.push(depth, GFP_KERNEL)?,
                }
                if let Some(key) = key {
                    found.keys.push(*key, GFP_KERNEL)?;
                }
            }
            Ok(())
        }

        /// The blocks that the index bitmap has in use.
        fn marked(&self) -> Result<u64> {
            let file = open_file(&self.volume, SAMPLE)?.reference();
            let type_ = crate::ondisk::attribute::AttributeType::BITMAP;
            let name = IndexKind::ReparsePoints.name();
            let bitmap = crate::fs::streams::value(&**self.volume, file, type_, name);
            let bitmap = plain(bitmap)?.ok_or(ENOENT)?;
            let bits = bitmap.first_chunk().copied();
            Ok(u64::from_le_bytes(bits.unwrap_or_default()))
        }

        /// Checks that the tree has all that it should, in a sound form; gives the number of nodes without a key.
        fn check(&self) -> Result<usize> {
            let found = self.walk()?;
            assert!(found.keys[..] == self.left[..], "other keys");
            let depth = found.depths.first().copied();
            assert!(
                found.depths.iter().all(|other| Some(*other) == depth),
                "leaf depths"
            );
            assert_eq!(found.blocks, self.marked()?);
            Ok(found.bare)
        }

        /// Takes out one that is there, whichever the dice say.
        fn pick(&mut self) -> Option<u32> {
            let count = self.left.len() as u64;
            let at = (count != 0).then(|| self.dice.below(count) as usize)?;
            let picked = self.left.get(at).copied();
            self.left.retain(|key| Some(*key) != picked);
            picked
        }
    }

    #[test]
    fn trees_of_any_shape_are_taken_apart_in_any_order() -> Result {
        for seed in 0..TREES {
            let levels = (seed % 4) as u32;
            let keys = 1 + seed / 4 % 3;
            let levels = levels.min(if keys == 3 { 2 } else { 3 });
            let mut tree = Builder::new(seed, 0)?.build(levels, keys)?;
            assert_eq!(tree.check()?, 0);
            while let Some(key) = tree.pick() {
                assert!(plain(tree.delete(key))?);
                assert_eq!(tree.check()?, 0);
                assert!(!plain(tree.delete(key))?);
            }
            assert!(tree.walk()?.keys.is_empty());
        }
        Ok(())
    }

    #[test]
    fn what_was_taken_out_stays_so_on_the_device() -> Result {
        let mut tree = Builder::new(77, 0)?.build(2, 2)?;
        while let Some(key) = tree.pick() {
            assert!(plain(tree.delete(key))?);
            if tree.left.len() % 8 == 0 {
                plain(tree.volume.sync())?;
                tree.volume.shrink(usize::MAX);
                assert_eq!(tree.check()?, 0);
            }
        }
        Ok(())
    }

    #[test]
    fn in_order_and_backwards_too() -> Result {
        for backwards in [false, true] {
            let mut tree = Builder::new(5, 0)?.build(2, 3)?;
            while !tree.left.is_empty() {
                let at = if backwards { tree.left.len() - 1 } else { 0 };
                let key = tree.left[at];
                tree.left.retain(|other| *other != key);
                assert!(plain(tree.delete(key))?);
                assert_eq!(tree.check()?, 0);
            }
        }
        Ok(())
    }

    #[test]
    fn keys_of_different_lengths_are_moved_where_there_is_room() -> Result {
        for seed in 0..TREES {
            let mut tree = Builder::new(seed, 36)?.build(1 + (seed % 2) as u32, 2)?;
            let mut refused: KVec<u32> = KVec::new();
            while let Some(key) = tree.pick() {
                match tree.delete(key) {
                    Ok(true) => {}
                    // A longer key does not fit in its place: nothing was changed.
                    Err(Error::NoRoom) => refused.push(key, GFP_KERNEL)?,
                    other => return plain(other).and(Err(EINVAL)),
                }
                let mut all = KVec::new();
                all.extend_from_slice(&tree.left, GFP_KERNEL)?;
                all.extend_from_slice(&refused, GFP_KERNEL)?;
                all.sort_unstable();
                let found = tree.walk()?;
                assert!(found.keys[..] == all[..]);
                assert_eq!(found.blocks, tree.marked()?);
            }
        }
        Ok(())
    }

    #[test]
    fn a_key_that_is_not_there_changes_nothing() -> Result {
        let tree = Builder::new(9, 0)?.build(2, 2)?;
        assert!(!plain(tree.delete(tree.left.len() as u32))?);
        assert_eq!(tree.check()?, 0);
        Ok(())
    }

    #[test]
    fn a_device_that_fails_leaves_the_tree_as_it_was() -> Result {
        let mut tree = Builder::new(13, 0)?.build(2, 2)?;
        let (mut failed, mut keys) = (0, 0);
        while let Some(key) = tree.pick() {
            keys += 1;
            plain(tree.volume.sync())?;
            // Each read in turn, until all of them come.
            for nth in 1.. {
                tree.volume.shrink(usize::MAX);
                tree.disk.fail_from(nth);
                let deleted = tree.delete(key);
                tree.disk.fail_nth(0);
                if deleted.is_ok() {
                    assert_eq!(deleted, Ok(true));
                    break;
                }
                failed += 1;
                tree.left.push(key, GFP_KERNEL)?;
                tree.left.sort_unstable();
                assert_eq!(tree.check()?, 0);
                tree.left.retain(|other| *other != key);
            }
            assert_eq!(tree.check()?, 0);
        }
        // One for each at least: the blocks of a tree are read at once.
        assert!(failed >= keys);
        Ok(())
    }

    #[test]
    fn a_tree_that_leads_to_itself_is_damage() -> Result {
        let mut builder = Builder::new(21, 0)?;
        // One entry in a block, both of whose nodes below are the block itself.
        let below = builder.entry(Some(0))?;
        let last = index::entry(0, None, Some(0))?;
        let mut block = index::block_of(BLOCK, 0, &[&below, &last])?;
        fixup::redo(&mut block, Magic::INDX).map_err(|_| EINVAL)?;
        builder.disk.write(LCN * CLUSTER, &block);
        let mut tree = builder.build(0, 0)?;
        plain(tree.volume.end_writing())?;
        let root = index::view_root(0x13, &[&index::entry(0, None, Some(0))?])?;
        let mut root = root;
        put(&mut root, 0x08, &(BLOCK as u32).to_le_bytes());
        let blocks = Clusters {
            type_: 0xa0,
            name: "$R",
            id: 6,
            highest_vcn: 7,
            allocated: 8 * CLUSTER as u64,
            data: 8 * CLUSTER as u64,
            initialized: 8 * CLUSTER as u64,
            mapping_pairs: &[0x11, 8, LCN as u8, 0],
            ..Clusters::DATA
        };
        let bitmap = resident(0xb0, "$R", 7, &[1, 0, 0, 0, 0, 0, 0, 0])?;
        let root = resident(0x90, "$R", 5, &root)?;
        tree.disk
            .put_file(SAMPLE, &[&root, &blocks.to_bytes()?, &bitmap])?;
        tree.volume = mount(&tree.disk)?;
        writable(&tree.volume)?;
        let reference = open_file(&tree.volume, SAMPLE)?.reference();
        let catalog = plain(Catalog::load(&**tree.volume, reference))?;
        let kind = IndexKind::ReparsePoints;
        tree.index = plain(Index::open_kind(&**tree.volume, &catalog, kind))?;
        let wanted = |order: Ordering| delete(&tree.volume, &tree.index, move |_| Ok(order));
        for order in [Ordering::Less, Ordering::Equal, Ordering::Greater] {
            assert!(matches!(wanted(order), Err(Error::Corrupt(_))));
        }
        Ok(())
    }
}
