// SPDX-License-Identifier: GPL-2.0-only

//! Names between the user's bytes and the volume's UTF-16.
//!
//! Without an option names are UTF-8, and a lone surrogate is shown as WTF-8 has it, so that every
//! file has a name by which it can be opened. With `iocharset=` the kernel's table of that character
//! set is used; a character that it has not is shown as `?`, and such a file cannot be opened, as in
//! other file systems.

use crate::{
    ondisk::name::{
        NameBuf,
        MAX_UNITS, //
    },
    vfs::{
        c_str,
        nls::NlsTable, //
    }, //
};
use kernel::prelude::*;

/// The most bytes that a shown name can have: a character of any set has at most six.
pub(super) const MAX_BYTES: usize = 6 * MAX_UNITS;

/// A coding of names.
pub(super) enum Charset {
    /// UTF-8, WTF-8 where that is not enough.
    Utf8,
    /// One of the kernel's tables.
    Table(NlsTable),
}

impl Charset {
    /// Loads a character set by the name that the user gave.
    pub(super) fn load(name: &CStr) -> Result<Self> {
        if [&b"utf8"[..], b"utf-8", b"UTF-8", b"UTF8"].contains(&c_str::to_bytes(name)) {
            return Ok(Self::Utf8);
        }
        NlsTable::load(name).map(Self::Table)
    }

    /// The name of the set.
    pub(super) fn name(&self) -> &CStr {
        match self {
            Self::Utf8 => c"utf8",
            Self::Table(table) => table.name(),
        }
    }

    /// The UTF-16 of a name that the user gave. `ENAMETOOLONG` if it is too long for any file, `ENOENT`
    /// if no file can have it. Neither sleeps nor allocates.
    pub(super) fn to_units(&self, bytes: &[u8]) -> Result<NameBuf> {
        match self {
            // No name of 255 units has more bytes than three for each.
            Self::Utf8 if bytes.len() > 3 * MAX_UNITS => Err(ENAMETOOLONG),
            Self::Utf8 => NameBuf::from_wtf8(bytes).ok_or_else(|| {
                let characters = bytes
                    .iter()
                    .filter(|byte| **byte & 0xc0 != 0x80)
                    .fold(0_usize, |count, _| count.saturating_add(1));
                if characters > MAX_UNITS {
                    ENAMETOOLONG
                } else {
                    ENOENT
                }
            }),
            Self::Table(table) => {
                let mut name = NameBuf::new();
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (unit, length) = table.char2uni(rest).map_err(|_| ENOENT)?;
                    name.push(unit).ok_or(ENAMETOOLONG)?;
                    rest = rest.get(length..).unwrap_or(&[]);
                }
                Ok(name)
            }
        }
    }

    /// Writes a name for the user into `out`, and gives the part of it that was written.
    pub(super) fn to_bytes<'a>(
        &self,
        units: &[u16],
        out: &'a mut [u8; MAX_BYTES],
    ) -> Result<&'a [u8]> {
        let mut length: usize = 0;
        match self {
            Self::Utf8 => {
                let name = NameBuf::from_units(units).ok_or(ENAMETOOLONG)?;
                length = name.to_wtf8(out).ok_or(ENAMETOOLONG)?;
            }
            Self::Table(table) => {
                for unit in units {
                    let room = out.get_mut(length..).unwrap_or(&mut []);
                    let written = match table.uni2char(*unit, room) {
                        Ok(written) => written,
                        Err(_) => {
                            *room.first_mut().ok_or(ENAMETOOLONG)? = b'?';
                            1
                        }
                    };
                    length = length.saturating_add(written);
                }
            }
        }
        out.get(..length).ok_or(ENAMETOOLONG)
    }
}
