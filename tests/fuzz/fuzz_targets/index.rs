// SPDX-License-Identifier: GPL-2.0-only

//! Index roots and blocks: entries are in order, stay inside, and the walk ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    file_name::FileName,
    fixup::{undo, Magic},
    index::{IndexBlock, IndexNode, IndexRoot},
};

fn check(node: &IndexNode<'_>, buffer: &[u8]) {
    let mut end = 0;
    let mut count = 0;
    for entry in node.entries() {
        count += 1;
        let Ok(entry) = entry else {
            continue;
        };
        assert!(entry.offset >= end);
        end = entry.offset + entry.length;
        assert!(end <= buffer.len());
        if let Some(key) = entry.key {
            assert!(key.len() + 16 <= entry.length);
            let _ = FileName::parse(key);
        }
        assert_eq!(node.entries_from(entry.offset).next(), Some(Ok(entry)));
    }
    assert!(count <= buffer.len() / 16 + 1);
}

fuzz_target!(|data: &[u8]| {
    if let Ok(root) = IndexRoot::parse(data) {
        check(&root.node, data);
    }
    if let Ok(block) = IndexBlock::parse(data) {
        check(&block.node, data);
    }
    let mut block = data.to_vec();
    if undo(&mut block, Magic::INDX).is_ok() {
        if let Ok(parsed) = IndexBlock::parse(&block) {
            check(&parsed.node, &block);
        }
    }
});
