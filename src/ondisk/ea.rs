// SPDX-License-Identifier: GPL-2.0-only

//! `$EA`: the extended attributes of OS/2, which WSL and Linux drivers use.
//!
//! The value is a chain of entries. Each has a name of ASCII letters with a NUL behind it, and a
//! value of up to 64 KiB. `$EA_INFORMATION` stands beside it, and counts.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::ByteCount, //
};

/// Offsets of the fields, in bytes from the start of the entry.
mod field {
    pub(super) const NEXT: usize = 0x00;
    pub(super) const NAME_LENGTH: usize = 0x05;
    pub(super) const VALUE_LENGTH: usize = 0x06;
    pub(super) const NAME: usize = 0x08;
}

/// Offsets of the fields of `$EA_INFORMATION`, in bytes.
mod information_field {
    pub(super) const PACKED_LENGTH: usize = 0x00;
    pub(super) const NEEDED: usize = 0x02;
    pub(super) const LENGTH: usize = 0x04;
    pub(super) const END: usize = 0x08;
}

/// The value of `$EA_INFORMATION`, which every file with an `$EA` has beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EaInformation {
    /// Bytes of the attributes without the links between them and without padding.
    pub packed_length: u16,
    /// How many of them who opens the file has to understand.
    pub needed: u16,
    /// Bytes of `$EA` that are in use.
    pub length: ByteCount,
}

impl EaInformation {
    /// Decodes the value of the attribute.
    pub fn parse(value: &[u8]) -> Result<Self> {
        let cut = || {
            Malformed::truncated(
                "$EA_INFORMATION cut off",
                0,
                value.len(),
                information_field::END,
            )
        };
        let length = bytes::u32_at(value, information_field::LENGTH).ok_or_else(cut)?;
        Ok(Self {
            packed_length: bytes::u16_at(value, information_field::PACKED_LENGTH)
                .ok_or_else(cut)?,
            needed: bytes::u16_at(value, information_field::NEEDED).ok_or_else(cut)?,
            length: ByteCount::new(u64::from(length)),
        })
    }
}

/// One extended attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedAttribute<'a> {
    /// Its name, without the NUL; not to be told apart from others by case.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}

impl ExtendedAttribute<'_> {
    /// Whether this is its name, in any case of the letters.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The extended attributes in `ea`, the whole value of `$EA`.
///
/// The iterator ends after an error.
pub fn entries(ea: &[u8]) -> ExtendedAttributes<'_> {
    ExtendedAttributes { rest: ea, at: 0 }
}

/// Iterator over extended attributes.
#[derive(Clone, Debug)]
pub struct ExtendedAttributes<'a> {
    /// What is not decoded yet; empty at the end.
    rest: &'a [u8],
    /// Where `rest` begins in the whole.
    at: usize,
}

impl<'a> ExtendedAttributes<'a> {
    /// Decodes the entry at the start of `entry`, and says where the next one begins.
    fn parse(entry: &'a [u8]) -> Result<(ExtendedAttribute<'a>, usize)> {
        let cut =
            || Malformed::truncated("extended attribute cut off", 0, entry.len(), field::NAME);
        let next = bytes::u32_at(entry, field::NEXT)
            .map(bytes::usize_from_u32)
            .ok_or_else(cut)?;
        let name_length = usize::from(bytes::u8_at(entry, field::NAME_LENGTH).ok_or_else(cut)?);
        let value_length = usize::from(bytes::u16_at(entry, field::VALUE_LENGTH).ok_or_else(cut)?);
        // At most 8 + 255 + 1 + 65535.
        let value_at = field::NAME.saturating_add(name_length).saturating_add(1);
        let end = value_at.saturating_add(value_length);
        let name = bytes::slice_at(entry, field::NAME, name_length);
        let value = bytes::slice_at(entry, value_at, value_length);
        let (Some(name), Some(value)) = (name, value) else {
            return Err(Malformed::truncated(
                "extended attribute beyond the end",
                field::NAME_LENGTH,
                entry.len(),
                end,
            ));
        };
        let next = match next {
            // The last one may say so; else the end of the value does.
            0 => entry.len(),
            next if next < end => {
                return Err(Malformed::truncated(
                    "extended attributes overlap",
                    field::NEXT,
                    next,
                    end,
                ))
            }
            next => next,
        };
        Ok((ExtendedAttribute { name, value }, next))
    }
}

impl<'a> Iterator for ExtendedAttributes<'a> {
    type Item = Result<ExtendedAttribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ends in any case: `next` is behind at least the header of the entry.
        if self.rest.is_empty() {
            return None;
        }
        let at = self.at;
        match Self::parse(self.rest) {
            Ok((attribute, next)) => {
                self.rest = self.rest.get(next..).unwrap_or(&[]);
                self.at = at.saturating_add(next);
                Some(Ok(attribute))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error.within(at)))
            }
        }
    }
}
