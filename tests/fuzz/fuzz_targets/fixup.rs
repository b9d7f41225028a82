// SPDX-License-Identifier: GPL-2.0-only

//! Fixups: a refused buffer is unchanged, and `redo` then `undo` give the content back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::fixup::{redo, undo, Magic, Transfer, STRIDE};

fuzz_target!(|data: &[u8]| {
    for magic in [Magic::FILE, Magic::INDX] {
        let mut buffer = data.to_vec();
        if undo(&mut buffer, magic).is_err() {
            assert_eq!(buffer, data);
            continue;
        }
        let content = buffer.clone();
        // `undo` may have helped a broken header, which `redo` does not.
        if redo(&mut buffer, magic).is_err() {
            assert_eq!(buffer, content);
            continue;
        }
        assert_eq!(undo(&mut buffer, magic), Ok(Transfer::Complete));
        // The array itself has changed; all behind the first sector has not.
        assert_eq!(buffer[STRIDE..], content[STRIDE..]);
    }
});
