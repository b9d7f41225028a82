// SPDX-License-Identifier: GPL-2.0-only

//! What can go wrong in this layer, and where.
//!
//! `Display` gives one line for the log. The errno is chosen in `ops`, once.

use kernel::{
    alloc::AllocError,
    fmt,
    prelude::fmt, //
};

use crate::ondisk::{
    attribute::AttributeType,
    error::Malformed,
    units::{
        ByteOffset,
        MftReference,
        RecordNumber,
        Vcn, //
    },
};

/// Which structure of the volume is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A boot sector, by its place on the device.
    Boot(ByteOffset),
    /// An MFT record.
    Record(RecordNumber),
    /// An attribute of a file, by its base record.
    Attribute(RecordNumber, AttributeType),
    /// The top node of a directory's tree.
    IndexRoot(RecordNumber),
    /// An index block of a directory.
    IndexBlock(RecordNumber, Vcn),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Boot(at) => f.write_fmt(fmt!("boot sector at byte {}", at.get())),
            Self::Record(number) => f.write_fmt(fmt!("MFT record {}", number.get())),
            Self::Attribute(number, type_) => {
                f.write_fmt(fmt!("{} of MFT record {}", type_, number.get()))
            }
            Self::IndexRoot(number) => {
                f.write_fmt(fmt!("index root of MFT record {}", number.get()))
            }
            Self::IndexBlock(number, vcn) => f.write_fmt(fmt!(
                "index block at VCN {} of MFT record {}",
                vcn.get(),
                number.get()
            )),
        }
    }
}

/// A structure that cannot be what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// Which structure.
    pub place: Place,
    /// What is wrong with it.
    pub what: Malformed,
}

/// An error of this layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The device could not be read or written.
    Device(kernel::error::Error),
    /// Metadata could not be written: what is on the device is older than what is in memory.
    Unwritten(kernel::error::Error),
    /// An allocation failed.
    NoMemory,
    /// There is no NTFS volume: the boot sector is another filesystem's, or empty.
    NotNtfs,
    /// A structure on the disk is broken.
    Corrupt(Corruption),
    /// The volume has not as many free clusters.
    NoSpace,
    /// There is no such record, attribute or entry.
    NotFound,
    /// The record was freed, or is used by another file by now.
    Stale(MftReference),
    /// The file is not a directory.
    NotDirectory,
    /// Valid, but not handled by this driver; says what.
    Unsupported(&'static str),
    /// The content is encrypted by EFS, and only Windows has the keys.
    Encrypted,
    /// The MFT record has no room for what should be put into it.
    NoRoom,
    /// The volume is not to be written, or not any more.
    ReadOnly,
}

impl Error {
    /// A broken structure.
    pub const fn corrupt(place: Place, what: Malformed) -> Self {
        Self::Corrupt(Corruption { place, what })
    }

    /// A broken rule that has no offset: `found` where `expected` should be.
    pub const fn rule(place: Place, what: &'static str, found: u64, expected: u64) -> Self {
        Self::corrupt(place, Malformed::new(what, 0, found, expected))
    }

    /// Whether the volume should not be written any more before somebody has checked it: a structure is
    /// broken, or what is on the device is not what it should be.
    ///
    /// A device that cannot be read, a lack of space or memory, and what this driver cannot do are not.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::Unwritten(_))
    }

    /// Whether the same call may succeed when it is repeated.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Device(_) | Self::NoMemory)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => {
                f.write_fmt(fmt!("the device fails with error {}", error.to_errno()))
            }
            Self::Unwritten(error) => f.write_fmt(fmt!(
                "metadata could not be written: the device fails with error {}",
                error.to_errno()
            )),
            Self::NoMemory => f.write_str("out of memory"),
            Self::NotNtfs => f.write_str("not an NTFS volume"),
            Self::Corrupt(Corruption { place, what }) => {
                f.write_fmt(fmt!("{} is corrupt: {}", place, what))
            }
            Self::NoSpace => f.write_str("no free clusters"),
            Self::NotFound => f.write_str("not found"),
            Self::Stale(reference) => {
                f.write_fmt(fmt!("stale reference to MFT record {}", reference))
            }
            Self::NotDirectory => f.write_str("not a directory"),
            Self::Unsupported(what) => f.write_fmt(fmt!("{} not supported", what)),
            Self::Encrypted => f.write_str("encrypted data cannot be read without its key"),
            Self::NoRoom => f.write_str("no room left in the MFT record"),
            Self::ReadOnly => f.write_str("the volume is read-only"),
        }
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

impl From<core::convert::Infallible> for Error {
    fn from(e: core::convert::Infallible) -> Self {
        match e {}
    }
}

/// Result of this layer.
pub type Result<T = ()> = core::result::Result<T, Error>;

/// Turns the error of a decoder into one of this layer.
pub trait Located<T> {
    /// Says in which structure the decoder found it.
    fn at(self, place: Place) -> Result<T>;
}

impl<T> Located<T> for core::result::Result<T, Malformed> {
    fn at(self, place: Place) -> Result<T> {
        self.map_err(|what| Error::corrupt(place, what))
    }
}
