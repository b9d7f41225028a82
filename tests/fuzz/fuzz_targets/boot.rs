// SPDX-License-Identifier: GPL-2.0-only

//! Boot sectors: what is accepted keeps every promise of `Geometry`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::boot::Geometry;

fuzz_target!(|data: &[u8]| {
    let Ok(geometry) = Geometry::parse(data) else {
        return;
    };
    let clusters = geometry.clusters();
    assert!(geometry.volume_size().get() <= i64::MAX as u64);
    assert!(geometry.mft().get() < clusters.get());
    assert!(geometry.mft_mirror().get() < clusters.get());
    assert_ne!(geometry.mft(), geometry.mft_mirror());
    let cluster = geometry.cluster_size();
    assert!(cluster.to_bytes(clusters).unwrap() <= geometry.volume_size());
    for size in [
        geometry.sector_size().bytes(),
        cluster.bytes(),
        geometry.record_size().bytes(),
        geometry.index_block_size().bytes(),
    ] {
        assert!(size.is_power_of_two() && size >= 256);
    }
});
