// SPDX-License-Identifier: GPL-2.0-only

//! A volume with three security descriptors in `$Secure`: `$SII` is a tree, `$SDS` in clusters.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::kunit::{
    fixtures::{
        index,
        record::{
            resident,
            Clusters, //
        },
        security::{
            sds_entry,
            sds_header, //
        },
    },
    fs::disk::{
        Disk,
        CLUSTER, //
    },
};

const SECURE: u64 = 9;
pub(crate) const SDS_LCN: usize = 20;
pub(crate) const COPY_LCN: usize = 22;
const SII_LCN: usize = 24;
/// Where the entries are in `$SDS`.
pub(crate) const PLACES: [(u32, u64); 3] = [(0x100, 0), (0x101, 0x80), (0x102, 0x100)];

/// A `$Secure`: 0x101 is in the root of `$SII`, the others in blocks.
pub(crate) fn secure() -> Result<Arc<Disk>> {
    let disk = Disk::new()?;
    let end = index::entry(0, None, None)?;
    let entry = |which: usize, sub_node| -> Result<KVec<u8>> {
        let (id, offset) = *PLACES.get(which).ok_or(EINVAL)?;
        index::view_entry(&id.to_le_bytes(), &sds_header(id, offset), sub_node)
    };
    let last = index::entry(0, None, Some(1))?;
    let root = index::view_root(0x10, &[&entry(1, Some(0))?, &last])?;
    disk.put_block(SII_LCN, &index::block(0, &[&entry(0, None)?, &end])?)?;
    disk.put_block(SII_LCN + 1, &index::block(1, &[&entry(2, None)?, &end])?)?;
    for (id, offset) in PLACES {
        let entry = sds_entry(id, offset)?;
        for lcn in [SDS_LCN, COPY_LCN] {
            disk.write(lcn * CLUSTER + offset as usize, &entry);
        }
    }
    // A cluster at the start of the first block, and one at that of its copy, 256 KiB behind it.
    let size = (65 * CLUSTER) as u64;
    let sds = Clusters {
        name: "$SDS",
        flags: 0x8000,
        highest_vcn: 64,
        allocated: size,
        data: size,
        initialized: size,
        compressed: Some(2 * CLUSTER as u64),
        mapping_pairs: &[0x11, 1, SDS_LCN as u8, 0x01, 63, 0x11, 1, 2, 0],
        ..Clusters::DATA
    };
    let blocks = Clusters {
        type_: 0xa0,
        name: "$SII",
        id: 6,
        highest_vcn: 1,
        allocated: 2 * CLUSTER as u64,
        data: 2 * CLUSTER as u64,
        initialized: 2 * CLUSTER as u64,
        mapping_pairs: &[0x11, 2, SII_LCN as u8, 0],
        ..Clusters::DATA
    };
    let root = resident(0x90, "$SII", 5, &root)?;
    disk.put_file(SECURE, &[&sds.to_bytes()?, &root, &blocks.to_bytes()?])?;
    Ok(disk)
}
