// SPDX-License-Identifier: GPL-2.0-only

//! What a mount has to tell the administrator although it succeeded.

use kernel::{
    fmt,
    prelude::fmt, //
};

use super::error::Error;
use crate::ondisk::units::{
    ByteOffset,
    RecordNumber, //
};

/// Something about a volume that was repaired in memory, worked around, or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The boot sector is bad; the copy at this place was used.
    BackupBootSector(ByteOffset),
    /// The boot sector has no 0xaa55 at its end.
    BootSignature,
    /// The first record of `$MFT` is bad; `$MFTMirr` was used.
    MirrorUsed(Error),
    /// A record of `$MFT` and its copy in `$MFTMirr` differ.
    MirrorDiffers(RecordNumber),
    /// `$MFTMirr` cannot be read.
    MirrorUnreadable(Error),
    /// Part of `$MFT` cannot be reached.
    MftIncomplete(Error),
    /// `$Volume` cannot be read: label, version and flags are not known.
    NoVolumeInformation(Error),
    /// `$UpCase` cannot be read; the default table was used.
    DefaultUpCase(Error),
    /// `$Bitmap` cannot be read: the free space is not known.
    NoBitmap(Error),
    /// `$AttrDef` cannot be read.
    NoAttributeDefinitions(Error),
    /// The volume was not unmounted cleanly, or something asks for a check of it.
    Dirty,
}

impl Notice {
    /// Whether the volume must be mended before anybody writes it. (The dirty flag, copies that differ, and
    /// `$Bitmap` are looked at when somebody wants to write.)
    pub fn forbids_writing(&self) -> bool {
        match self {
            Self::BootSignature
            | Self::NoAttributeDefinitions(_)
            | Self::NoBitmap(_)
            | Self::MirrorDiffers(_)
            | Self::Dirty => false,
            // It is what Windows formats with; an entry that it does not find is left as it is.
            Self::DefaultUpCase(_) => false,
            Self::BackupBootSector(_)
            | Self::MirrorUsed(_)
            | Self::MirrorUnreadable(_)
            | Self::MftIncomplete(_)
            | Self::NoVolumeInformation(_) => true,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupBootSector(at) => f.write_fmt(fmt!(
                "the boot sector is bad, using its copy at byte {}",
                at.get()
            )),
            Self::BootSignature => f.write_str("the boot sector does not end with 0xaa55"),
            Self::MirrorUsed(error) => f.write_fmt(fmt!("using $MFTMirr: {}", error)),
            Self::MirrorDiffers(number) => f.write_fmt(fmt!(
                "$MFTMirr differs from $MFT in record {}, run chkdsk",
                number.get()
            )),
            Self::MirrorUnreadable(error) => {
                f.write_fmt(fmt!("$MFTMirr cannot be read: {}", error))
            }
            Self::MftIncomplete(error) => {
                f.write_fmt(fmt!("part of $MFT cannot be reached: {}", error))
            }
            Self::NoVolumeInformation(error) => {
                f.write_fmt(fmt!("$Volume cannot be read: {}", error))
            }
            Self::DefaultUpCase(error) => f.write_fmt(fmt!(
                "$UpCase cannot be used, taking the default table: {}",
                error
            )),
            Self::NoBitmap(error) => f.write_fmt(fmt!("$Bitmap cannot be read: {}", error)),
            Self::NoAttributeDefinitions(error) => {
                f.write_fmt(fmt!("$AttrDef cannot be read: {}", error))
            }
            Self::Dirty => f.write_str("the volume is marked dirty, run chkdsk"),
        }
    }
}
