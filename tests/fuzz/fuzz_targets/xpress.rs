// SPDX-License-Identifier: GPL-2.0-only

//! XPRESS: any chunk is decoded within its room, and to the same whatever was in memory.

#![no_main]

use kernel::prelude::*;
use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::compression::xpress::{decompress, Work};

fuzz_target!(|data: &[u8]| {
    // The first two bytes say how long the chunk is.
    let Some((&[low, high], input)) = data.split_first_chunk() else {
        return;
    };
    let size = usize::from(u16::from_le_bytes([low, high])) % (16384 + 1);
    let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL).unwrap();
    let mut out = vec![0xaa; size];
    match decompress(input, &mut out, &mut work[0]) {
        Err(error) => assert!(error.at <= input.len().max(256)),
        Ok(()) => {
            let mut again = vec![0x55; size];
            assert!(decompress(input, &mut again, &mut work[0]).is_ok());
            assert!(out == again);
            // More input changes nothing, and what is in it was not needed.
            let mut longer = input.to_vec();
            longer.extend([0xff; 8]);
            assert!(decompress(&longer, &mut again, &mut work[0]).is_ok());
            assert!(out == again);
        }
    }
});
