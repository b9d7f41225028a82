// SPDX-License-Identifier: GPL-2.0-only

//! LZNT1: any unit is decoded within its room, and what is encoded comes back.

#![no_main]

use kernel::prelude::*;
use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::compression::{lznt1::decompress, lznt1_compress};

fuzz_target!(|data: &[u8]| {
    // The first byte chooses the size of the unit.
    let Some((&choice, unit)) = data.split_first() else {
        return;
    };
    let size = 512_usize << (choice & 7);
    let mut out = vec![0xaa; size];
    if let Err(error) = decompress(unit, &mut out) {
        assert!(error.at <= unit.len());
    } else {
        // What was in the room does not matter.
        let mut again = vec![0x55; size];
        assert!(decompress(unit, &mut again).is_ok());
        assert!(out == again);
    }

    let mut work = KVec::<lznt1_compress::Work>::zeroed(1, GFP_KERNEL).unwrap();
    // The input, and what became of it.
    let mut padded = unit.to_vec();
    padded.resize(size, 0);
    for unit in [padded, out] {
        let mut packed = vec![0xaa; size - 512.min(size / 2)];
        if let Some(length) = lznt1_compress::compress(&unit, &mut packed, &mut work[0]) {
            assert!(packed[length..].iter().all(|byte| *byte == 0));
            for stored in [&packed[..], &packed[..length]] {
                let mut again = vec![0x55; size];
                assert!(decompress(stored, &mut again).is_ok());
                assert!(again == unit);
            }
        }
        let mut packed = vec![0xaa; size + 2 * size.div_ceil(4096)];
        let length = lznt1_compress::compress(&unit, &mut packed, &mut work[0]).unwrap();
        let mut again = vec![0x55; size];
        assert!(decompress(&packed[..length], &mut again).is_ok());
        assert!(again == unit);
    }
});
