// SPDX-License-Identifier: GPL-2.0-only

//! The boot sector: where the volume says how large its units are and where `$MFT` begins.
//!
//! It is the first sector of the volume, with a copy in the sector behind the last one that the
//! volume counts. All checks that need nothing but these bytes are here, so a [`Geometry`] is
//! consistent in itself; that the device is long enough is for the caller to check.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::{
        ByteCount,
        ClusterCount,
        ClusterSize,
        IndexBlockSize,
        Lcn,
        RecordSize,
        SectorSize, //
    },
};

/// How many bytes of a boot sector are looked at, whatever the sector size.
pub const BOOT_SECTOR_LENGTH: usize = 512;

/// Offsets of the fields, in bytes.
mod field {
    pub(super) const OEM_ID: usize = 0x03;
    pub(super) const SECTOR_SIZE: usize = 0x0b;
    pub(super) const SECTORS_PER_CLUSTER: usize = 0x0d;
    pub(super) const TOTAL_SECTORS: usize = 0x28;
    pub(super) const MFT_LCN: usize = 0x30;
    pub(super) const MFT_MIRROR_LCN: usize = 0x38;
    pub(super) const RECORD_SIZE: usize = 0x40;
    pub(super) const INDEX_BLOCK_SIZE: usize = 0x44;
    pub(super) const SERIAL: usize = 0x48;
    pub(super) const SIGNATURE: usize = 0x1fe;
}

/// "NTFS" and four spaces, what makes a boot sector one of NTFS.
const OEM_ID: u64 = u64::from_le_bytes(*b"NTFS    ");

/// The sizes and places that the boot sector gives.
///
/// # Invariants
///
/// All sizes are valid; the volume has less than 2^63 bytes and at least one cluster; `mft` and
/// `mft_mirror` are different clusters of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    sector_size: SectorSize,
    cluster_size: ClusterSize,
    record_size: RecordSize,
    index_block_size: IndexBlockSize,
    volume_size: ByteCount,
    mft: Lcn,
    mft_mirror: Lcn,
    serial: u64,
    has_signature: bool,
}

impl Geometry {
    /// Decodes and checks a boot sector; `boot` has at least [`BOOT_SECTOR_LENGTH`] bytes.
    pub fn parse(boot: &[u8]) -> Result<Self> {
        let cut = || Malformed::truncated("boot sector cut off", 0, boot.len(), BOOT_SECTOR_LENGTH);
        let u8_field = |at| bytes::u8_at(boot, at).ok_or_else(cut);
        let u16_field = |at| bytes::u16_at(boot, at).ok_or_else(cut);
        let u64_field = |at| bytes::u64_at(boot, at).ok_or_else(cut);

        let oem_id = u64_field(field::OEM_ID)?;
        if oem_id != OEM_ID {
            return Err(Malformed::new(
                "not a boot sector of NTFS",
                field::OEM_ID,
                oem_id,
                OEM_ID,
            ));
        }
        let sector = u16_field(field::SECTOR_SIZE)?;
        let sector_size = SectorSize::new(u32::from(sector)).ok_or(Malformed::new(
            "bytes per sector",
            field::SECTOR_SIZE,
            u64::from(sector),
            512,
        ))?;
        let cluster = u8_field(field::SECTORS_PER_CLUSTER)?;
        let cluster_size = decode_cluster_size(cluster, sector_size).ok_or(Malformed::new(
            "sectors per cluster",
            field::SECTORS_PER_CLUSTER,
            u64::from(cluster),
            8,
        ))?;
        let record = u8_field(field::RECORD_SIZE)?;
        let record_size = decode_record_size(record, cluster_size)
            .and_then(RecordSize::new)
            .ok_or(Malformed::new(
                "size of an MFT record",
                field::RECORD_SIZE,
                u64::from(record),
                0xf6,
            ))?;
        let block = u8_field(field::INDEX_BLOCK_SIZE)?;
        let index_block_size = decode_record_size(block, cluster_size)
            .and_then(IndexBlockSize::new)
            .ok_or(Malformed::new(
                "size of an index block",
                field::INDEX_BLOCK_SIZE,
                u64::from(block),
                1,
            ))?;

        let sectors = u64_field(field::TOTAL_SECTORS)?;
        let volume_size = sectors
            .checked_mul(u64::from(sector_size.bytes()))
            .filter(|size| *size <= i64::MAX.unsigned_abs())
            .map(ByteCount::new)
            .ok_or(Malformed::new(
                "number of sectors",
                field::TOTAL_SECTORS,
                sectors,
                i64::MAX.unsigned_abs() >> sector_size.shift().min(63),
            ))?;
        let clusters = cluster_size.whole_clusters(volume_size);
        let cluster_field = |at, what| {
            let lcn = u64_field(at)?;
            if lcn < clusters.get() {
                Ok(Lcn::new(lcn))
            } else {
                Err(Malformed::new(what, at, lcn, clusters.get()))
            }
        };
        let mft = cluster_field(field::MFT_LCN, "$MFT beyond the volume's end")?;
        let mft_mirror = cluster_field(field::MFT_MIRROR_LCN, "$MFTMirr beyond the volume's end")?;
        if mft == mft_mirror {
            return Err(Malformed::new(
                "$MFTMirr at the place of $MFT",
                field::MFT_MIRROR_LCN,
                mft_mirror.get(),
                2,
            ));
        }
        // INVARIANT: All of it was checked above.
        Ok(Self {
            sector_size,
            cluster_size,
            record_size,
            index_block_size,
            volume_size,
            mft,
            mft_mirror,
            serial: u64_field(field::SERIAL)?,
            has_signature: u16_field(field::SIGNATURE)? == 0xaa55,
        })
    }

    /// Bytes in a sector of the volume (which need not be one of the device).
    pub const fn sector_size(&self) -> SectorSize {
        self.sector_size
    }

    /// Bytes in a cluster.
    pub const fn cluster_size(&self) -> ClusterSize {
        self.cluster_size
    }

    /// Bytes in an MFT record.
    pub const fn record_size(&self) -> RecordSize {
        self.record_size
    }

    /// Bytes in an index block, for indexes that do not say otherwise.
    pub const fn index_block_size(&self) -> IndexBlockSize {
        self.index_block_size
    }

    /// Bytes of the volume without the copy of the boot sector behind it.
    pub const fn volume_size(&self) -> ByteCount {
        self.volume_size
    }

    /// Whole clusters of the volume: how many bits of `$Bitmap` mean something.
    pub const fn clusters(&self) -> ClusterCount {
        self.cluster_size.whole_clusters(self.volume_size)
    }

    /// The first cluster of `$MFT`.
    pub const fn mft(&self) -> Lcn {
        self.mft
    }

    /// The first cluster of `$MFTMirr`.
    pub const fn mft_mirror(&self) -> Lcn {
        self.mft_mirror
    }

    /// The serial number of the volume; Windows shows its low 32 bits.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether the sector ends with the 0xaa55 of a boot sector; volumes without it are read.
    pub const fn has_signature(&self) -> bool {
        self.has_signature
    }
}

/// Decodes sectors per cluster: a power of two, or from 0xf4 on the negative of a logarithm.
///
/// The second form came with clusters above 64 KiB, in Windows 10 1709.
fn decode_cluster_size(field: u8, sector: SectorSize) -> Option<ClusterSize> {
    let sectors = if field <= 0x80 {
        u32::from(field)
    } else {
        1u32.checked_shl(u32::from(field.wrapping_neg()))?
    };
    ClusterSize::new(sectors.checked_mul(sector.bytes())?)
}

/// Decodes the size of an MFT record or index block: clusters, or the negative of a logarithm.
fn decode_record_size(field: u8, cluster: ClusterSize) -> Option<u32> {
    if field < 0x80 {
        u32::from(field).checked_mul(cluster.bytes())
    } else {
        1u32.checked_shl(u32::from(field.wrapping_neg()))
    }
}
