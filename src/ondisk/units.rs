// SPDX-License-Identifier: GPL-2.0-only

//! The units NTFS counts in, one type each, so that a cluster can never be taken for a byte.
//!
//! All arithmetic is checked and answers `None` where the result does not exist. Values that NTFS
//! stores as signed 64-bit integers (LCN, VCN, sizes) are kept unsigned here; a decoder refuses
//! negative ones before it makes such a type.

use kernel::fmt;

macro_rules! unit {
    ($(#[$meta:meta])* $name:ident($raw:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($raw);

        impl $name {
            /// The first value of the unit.
            pub const ZERO: Self = Self(0);

            /// Takes a plain number as a value of this unit.
            pub const fn new(value: $raw) -> Self {
                Self(value)
            }

            /// The plain number.
            pub const fn get(self) -> $raw {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! position {
    ($position:ident, $length:ident) => {
        impl $position {
            /// The position `length` further on.
            pub const fn checked_add(self, length: $length) -> Option<Self> {
                match self.0.checked_add(length.0) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// The distance from `earlier` to here; `None` when `earlier` lies behind.
            pub const fn distance_from(self, earlier: Self) -> Option<$length> {
                match self.0.checked_sub(earlier.0) {
                    Some(value) => Some($length(value)),
                    None => None,
                }
            }
        }
    };
}

macro_rules! length {
    ($length:ident) => {
        impl $length {
            /// The sum of two lengths.
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// What remains of this length without `other`.
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }
    };
}

unit! {
    /// Logical cluster number: a cluster's place on the volume.
    Lcn(u64)
}
unit! {
    /// Virtual cluster number: a cluster's place within an attribute.
    ///
    /// In an index it counts the units that [`crate::ondisk::index::VcnUnit`] tells: clusters, or
    /// 512-byte sectors where an index block is smaller than a cluster.
    Vcn(u64)
}
unit! {
    /// A number of clusters.
    ClusterCount(u64)
}
unit! {
    /// A place in bytes, within a volume or within an attribute.
    ByteOffset(u64)
}
unit! {
    /// A number of bytes.
    ByteCount(u64)
}
unit! {
    /// The number of a record in `$MFT`, at most 48 bits.
    RecordNumber(u64)
}
unit! {
    /// How often an MFT record has been reused; 0 means "not known" in a reference.
    SequenceNumber(u16)
}
unit! {
    /// Log sequence number: a place in `$LogFile`.
    Lsn(u64)
}
unit! {
    /// The number that tells the attributes of one MFT record apart (its "instance").
    AttributeId(u16)
}

position!(Vcn, ClusterCount);
position!(Lcn, ClusterCount);
position!(ByteOffset, ByteCount);
length!(ClusterCount);
length!(ByteCount);

impl RecordNumber {
    /// The largest number that a reference can hold.
    pub const MAX: Self = Self(0xffff_ffff_ffff);
}

/// The records that every volume has, by number.
pub mod system_record {
    use super::RecordNumber;

    /// `$MFT` itself.
    pub const MFT: RecordNumber = RecordNumber::new(0);
    /// `$MFTMirr`, the copy of the first records.
    pub const MFT_MIRROR: RecordNumber = RecordNumber::new(1);
    /// `$LogFile`.
    pub const LOG_FILE: RecordNumber = RecordNumber::new(2);
    /// `$Volume`: label, version and flags.
    pub const VOLUME: RecordNumber = RecordNumber::new(3);
    /// `$AttrDef`: the attribute types that the volume knows.
    pub const ATTRIBUTE_DEFINITIONS: RecordNumber = RecordNumber::new(4);
    /// The root directory.
    pub const ROOT: RecordNumber = RecordNumber::new(5);
    /// `$Bitmap`: one bit for each cluster.
    pub const BITMAP: RecordNumber = RecordNumber::new(6);
    /// `$Boot`: the boot sector and the loader behind it.
    pub const BOOT: RecordNumber = RecordNumber::new(7);
    /// `$BadClus`.
    pub const BAD_CLUSTERS: RecordNumber = RecordNumber::new(8);
    /// `$Secure` (since NTFS 3.0; before, an unused `$Quota`).
    pub const SECURE: RecordNumber = RecordNumber::new(9);
    /// `$UpCase`.
    pub const UPCASE: RecordNumber = RecordNumber::new(10);
    /// `$Extend`, the directory of further system files (since NTFS 3.0).
    pub const EXTEND: RecordNumber = RecordNumber::new(11);
    /// The first record that a file of a user can have: 12 to 15 are set aside, and formatting leaves 16
    /// to 23 free, where chkdsk puts `found.000`.
    pub const FIRST_USER: RecordNumber = RecordNumber::new(16);
}

/// A reference to an MFT record: which one, and which use of it is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MftReference {
    /// The record.
    pub number: RecordNumber,
    /// The use of the record that is meant; 0 where the writer did not know.
    pub sequence: SequenceNumber,
}

impl MftReference {
    /// Splits the 64-bit form on the disk: 48 bits of number, 16 bits of sequence above them.
    pub fn from_raw(raw: u64) -> Self {
        let [n0, n1, n2, n3, n4, n5, s0, s1] = raw.to_le_bytes();
        Self {
            number: RecordNumber(u64::from_le_bytes([n0, n1, n2, n3, n4, n5, 0, 0])),
            sequence: SequenceNumber(u16::from_le_bytes([s0, s1])),
        }
    }

    /// The 64-bit form on the disk. Bits of the number above the 48th are lost.
    pub fn to_raw(self) -> u64 {
        let [n0, n1, n2, n3, n4, n5, _, _] = self.number.0.to_le_bytes();
        let [s0, s1] = self.sequence.0.to_le_bytes();
        u64::from_le_bytes([n0, n1, n2, n3, n4, n5, s0, s1])
    }
}

impl fmt::Display for MftReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number.0, self.sequence.0)
    }
}

macro_rules! power_of_two_size {
    ($(#[$meta:meta])* $name:ident, $min:literal, $max:literal) => {
        $(#[$meta])*
        ///
        /// # Invariants
        ///
        /// A power of two within the limits below; `shift` is its logarithm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            shift: u32,
            bytes: u32,
        }

        impl $name {
            /// The smallest size that exists, in bytes.
            pub const MIN: u32 = $min;
            /// The largest size that exists, in bytes.
            pub const MAX: u32 = $max;

            /// Checks a size in bytes; `None` unless it is a power of two within the limits.
            pub const fn new(bytes: u32) -> Option<Self> {
                if bytes.is_power_of_two() && bytes >= Self::MIN && bytes <= Self::MAX {
                    // INVARIANT: Just checked; a power of two has its logarithm in zeros.
                    Some(Self { shift: bytes.trailing_zeros(), bytes })
                } else {
                    None
                }
            }

            /// The size in bytes.
            pub const fn bytes(self) -> u32 {
                self.bytes
            }

            /// The logarithm of the size to base 2.
            pub const fn shift(self) -> u32 {
                self.shift
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.bytes, f)
            }
        }
    };
}

power_of_two_size! {
    /// Bytes in a sector, as the boot sector gives them (not the device's block size).
    ///
    /// Windows formats 512 to 4096; the 256 of some `mkntfs` volumes is read too.
    SectorSize, 256, 4096
}
power_of_two_size! {
    /// Bytes in a cluster. Sizes above 64 KiB exist since Windows 10 1709.
    ClusterSize, 256, 2_097_152
}
power_of_two_size! {
    /// Bytes in an MFT record: 1 KiB, or 4 KiB on 4Kn disks; others by `mkntfs` only.
    RecordSize, 512, 65_536
}
power_of_two_size! {
    /// Bytes in an index block: 4 KiB nearly everywhere.
    IndexBlockSize, 512, 65_536
}

impl ClusterSize {
    /// How many bytes `count` clusters have.
    pub fn to_bytes(self, count: ClusterCount) -> Option<ByteCount> {
        count
            .0
            .checked_mul(u64::from(self.bytes))
            .map(ByteCount::new)
    }

    /// Where a cluster of the volume begins.
    pub fn lcn_to_offset(self, lcn: Lcn) -> Option<ByteOffset> {
        lcn.0
            .checked_mul(u64::from(self.bytes))
            .map(ByteOffset::new)
    }

    /// Where a cluster of an attribute begins.
    pub fn vcn_to_offset(self, vcn: Vcn) -> Option<ByteOffset> {
        vcn.0
            .checked_mul(u64::from(self.bytes))
            .map(ByteOffset::new)
    }

    /// The cluster of an attribute that holds the byte at `offset`.
    pub const fn vcn_of(self, offset: ByteOffset) -> Vcn {
        Vcn(self.divide(offset.0))
    }

    /// The cluster of the volume that holds the byte at `offset`.
    pub const fn lcn_of(self, offset: ByteOffset) -> Lcn {
        Lcn(self.divide(offset.0))
    }

    /// How far into its cluster `offset` is.
    pub fn offset_within(self, offset: ByteOffset) -> ByteCount {
        ByteCount(offset.0 & u64::from(self.bytes).wrapping_sub(1))
    }

    /// How many clusters hold `count` bytes, the last one perhaps in part.
    pub fn clusters_for(self, count: ByteCount) -> ClusterCount {
        let whole = self.divide(count.0);
        let rest = count.0 & u64::from(self.bytes).wrapping_sub(1);
        // No overflow: there is a rest only where the division made the number smaller.
        ClusterCount(whole.saturating_add(u64::from(rest != 0)))
    }

    /// How many whole clusters are in `count` bytes.
    pub const fn whole_clusters(self, count: ByteCount) -> ClusterCount {
        ClusterCount(self.divide(count.0))
    }

    const fn divide(self, value: u64) -> u64 {
        // By the invariant the shift is at most 21; `None` cannot happen.
        match value.checked_shr(self.shift) {
            Some(value) => value,
            None => 0,
        }
    }
}
