// SPDX-License-Identifier: GPL-2.0-only

//! `$VOLUME_INFORMATION`: version and state of the volume, in the record `$Volume`.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
};

/// Offsets of the fields, in bytes.
mod field {
    pub(super) const MAJOR: usize = 0x08;
    pub(super) const MINOR: usize = 0x09;
    pub(super) const FLAGS: usize = 0x0a;
    pub(super) const LENGTH: usize = 0x0c;
}

/// Where the flags are in the value, in bytes.
pub const FLAGS_OFFSET: usize = field::FLAGS;

/// The state of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeFlags(u16);

impl VolumeFlags {
    /// The volume was not unmounted, or errors were found on it.
    pub const DIRTY: Self = Self(0x0001);
    /// `$LogFile` has to be resized.
    pub const RESIZE_LOG_FILE: Self = Self(0x0002);
    /// A newer Windows shall bring the volume to its version.
    pub const UPGRADE_ON_MOUNT: Self = Self(0x0004);
    /// Was used by NT 4, so what that does not know is to be checked.
    pub const MOUNTED_ON_NT4: Self = Self(0x0008);
    /// The USN journal is being deleted.
    pub const DELETE_USN_UNDERWAY: Self = Self(0x0010);
    /// Object ids have to be repaired.
    pub const REPAIR_OBJECT_ID: Self = Self(0x0020);
    /// chkdsk is, or was when it crashed, at work.
    pub const CHKDSK_UNDERWAY: Self = Self(0x4000);
    /// chkdsk changed the volume.
    pub const MODIFIED_BY_CHKDSK: Self = Self(0x8000);

    /// Takes the field as it is on the disk.
    pub const fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The same with all bits of `other` set, or with none of them.
    pub const fn with(self, other: Self, set: bool) -> Self {
        match set {
            true => Self(self.0 | other.0),
            false => Self(self.0 & !other.0),
        }
    }

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The value of `$VOLUME_INFORMATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeInformation {
    /// 1 up to Windows NT 4, 3 since Windows 2000.
    pub major_version: u8,
    /// 2 with NT 4, 0 with Windows 2000, 1 since Windows XP.
    pub minor_version: u8,
    /// The state of the volume.
    pub flags: VolumeFlags,
}

impl VolumeInformation {
    /// Decodes the value of the attribute.
    pub fn parse(value: &[u8]) -> Result<Self> {
        let cut =
            || Malformed::truncated("volume information cut off", 0, value.len(), field::LENGTH);
        Ok(Self {
            major_version: bytes::u8_at(value, field::MAJOR).ok_or_else(cut)?,
            minor_version: bytes::u8_at(value, field::MINOR).ok_or_else(cut)?,
            flags: VolumeFlags(bytes::u16_at(value, field::FLAGS).ok_or_else(cut)?),
        })
    }
}
