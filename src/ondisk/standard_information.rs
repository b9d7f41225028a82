// SPDX-License-Identifier: GPL-2.0-only

//! `$STANDARD_INFORMATION`: the times and DOS attributes of a file.
//!
//! Every base record has it, always resident. It has 48 bytes on NTFS 1.2 and 72 since 3.0, but
//! drivers write the short form to newer volumes too. `$FILE_NAME` repeats the times and attributes
//! for the use of directories; these here are the ones that count.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    secure::SecurityId,
    time::NtTime, //
};

/// Offsets of the fields, in bytes.
mod field {
    pub(super) const TIMES: usize = 0x00;
    pub(super) const ATTRIBUTES: usize = 0x20;
    pub(super) const CLASS_FLAGS: usize = 0x28;
    pub(super) const SECURITY_ID: usize = 0x34;
    /// What has to be there.
    pub(super) const NEEDED: usize = 0x24;
}

/// Attributes of a file in the sense of DOS and Windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileAttributes(u32);

impl FileAttributes {
    /// The content may not be changed.
    pub const READ_ONLY: Self = Self(0x0000_0001);
    /// Not shown by default.
    pub const HIDDEN: Self = Self(0x0000_0002);
    /// Part of the operating system.
    pub const SYSTEM: Self = Self(0x0000_0004);
    /// A directory, as Windows tells its programs; NTFS does not keep this bit here.
    pub const DIRECTORY: Self = Self(0x0000_0010);
    /// Changed since the last backup.
    pub const ARCHIVE: Self = Self(0x0000_0020);
    /// No other attribute, as Windows tells its programs.
    pub const NORMAL: Self = Self(0x0000_0080);
    /// Has, or had, holes.
    pub const SPARSE: Self = Self(0x0000_0200);
    /// Has a reparse point.
    pub const REPARSE_POINT: Self = Self(0x0000_0400);
    /// Compressed; on a directory: new files in it will be.
    pub const COMPRESSED: Self = Self(0x0000_0800);
    /// The content is somewhere else, on slower storage.
    pub const OFFLINE: Self = Self(0x0000_1000);
    /// Encrypted by EFS.
    pub const ENCRYPTED: Self = Self(0x0000_4000);
    /// The file itself is not here yet; opening it would fetch it.
    pub const RECALL_ON_OPEN: Self = Self(0x0004_0000);
    /// The content is not, or not wholly, here; reading it would fetch it.
    pub const RECALL_ON_DATA_ACCESS: Self = Self(0x0040_0000);
    /// A directory; only NTFS itself uses this bit, in `$FILE_NAME`.
    pub const NTFS_DIRECTORY: Self = Self(0x1000_0000);

    /// Takes the field as it is on the disk.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same with all bits of `other` set, or with none of them.
    pub const fn with(self, other: Self, set: bool) -> Self {
        match set {
            true => Self(self.0 | other.0),
            false => Self(self.0 & !other.0),
        }
    }

    /// Whether any bit of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The four times that NTFS keeps of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When the file was created.
    pub creation: NtTime,
    /// When its content was last changed.
    pub modification: NtTime,
    /// When its MFT record was last changed.
    pub change: NtTime,
    /// When its content was last read, to the accuracy that Windows keeps.
    pub access: NtTime,
}

impl Times {
    /// Reads the four times in the order in which both structures have them.
    pub(super) fn at(buffer: &[u8], offset: usize) -> Option<Self> {
        let time = |at: usize| bytes::u64_at(buffer, offset.checked_add(at)?).map(NtTime::new);
        Some(Self {
            creation: time(0x00)?,
            modification: time(0x08)?,
            change: time(0x10)?,
            access: time(0x18)?,
        })
    }
}

/// The value of `$STANDARD_INFORMATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardInformation {
    /// The times of the file.
    pub times: Times,
    /// Its attributes.
    pub attributes: FileAttributes,
    /// Whether names in this directory are told apart by case (Windows 10 1803, for WSL).
    pub is_case_sensitive_directory: bool,
    /// The key of the security descriptor in `$Secure`; `None` in the short form, or if it is 0.
    pub security_id: Option<SecurityId>,
}

impl StandardInformation {
    /// Decodes the value of the attribute.
    pub fn parse(value: &[u8]) -> Result<Self> {
        let cut = || {
            Malformed::truncated(
                "standard information cut off",
                0,
                value.len(),
                field::NEEDED,
            )
        };
        let flags = bytes::u32_at(value, field::CLASS_FLAGS).unwrap_or(0);
        Ok(Self {
            times: Times::at(value, field::TIMES).ok_or_else(cut)?,
            attributes: FileAttributes(bytes::u32_at(value, field::ATTRIBUTES).ok_or_else(cut)?),
            is_case_sensitive_directory: flags & 1 != 0,
            security_id: bytes::u32_at(value, field::SECURITY_ID)
                .filter(|id| *id != 0)
                .map(SecurityId::new),
        })
    }

    /// The head of a value: what it begins with, in both forms.
    pub fn times_and_attributes(times: &Times, attributes: FileAttributes) -> [u8; field::NEEDED] {
        let mut head = [0; field::NEEDED];
        let fields = [
            times.creation,
            times.modification,
            times.change,
            times.access,
        ];
        for (to, time) in head.chunks_mut(8).zip(fields) {
            bytes::put_at(to, 0, &time.get().to_le_bytes());
        }
        bytes::put_at(&mut head, field::ATTRIBUTES, &attributes.0.to_le_bytes());
        head
    }
}
