// SPDX-License-Identifier: GPL-2.0-only

//! Mapping pairs: runs are in order and on the volume, and survive encoding.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    mapping_pairs::{decode, encode, Run},
    units::{ClusterCount, Vcn},
};

fuzz_target!(|data: &[u8]| {
    let Some((head, pairs)) = data.split_first_chunk::<16>() else {
        return;
    };
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
    // The first numbers choose the part and the volume; small values are as likely as large ones.
    let shift = u32::from(head[0] & 0x3f);
    let lowest = Vcn::new(number(0) >> 1 >> shift);
    let volume = ClusterCount::new(number(8) >> 1 >> (63 - shift));

    // Without a limit, a part that begins at 0 with highest VCN 0 ends where the pairs do.
    let open = decode(pairs, Vcn::ZERO, Some(Vcn::ZERO), volume);
    let runs: Vec<Run> = open.map_while(Result::ok).collect();
    let mut next = Vcn::ZERO;
    for run in &runs {
        assert_eq!(run.vcn, next);
        assert_ne!(run.length, ClusterCount::ZERO);
        next = run.vcn.checked_add(run.length).unwrap();
        assert!(next.get() <= i64::MAX as u64);
        if let Some(lcn) = run.lcn {
            assert!(lcn.checked_add(run.length).unwrap().get() <= volume.get());
        }
    }

    let mut encoded = vec![0; 17 * runs.len() + 1];
    let length = encode(runs.iter().copied(), &mut encoded).unwrap();
    let again: Vec<Run> = decode(&encoded[..length], Vcn::ZERO, Some(Vcn::ZERO), volume)
        .map(Result::unwrap)
        .collect();
    assert_eq!(again, runs);
    if let Some(last) = next.get().checked_sub(1).filter(|last| *last > 0) {
        // The exact limit is kept, and one cluster less or more is not.
        let ends_well = |last| {
            let highest = Some(Vcn::new(last));
            decode(&encoded[..length], Vcn::ZERO, highest, volume).all(|run| run.is_ok())
        };
        assert!(ends_well(last));
        assert!(!ends_well(last + 1));
        assert!(last == 1 || !ends_well(last - 1));
    }

    // Any other part: ends, and stays within its VCNs.
    for highest in [None, Some(lowest), lowest.checked_add(volume)] {
        for run in decode(pairs, lowest, highest, volume).map_while(Result::ok) {
            assert!(run.vcn >= lowest);
        }
    }
});
