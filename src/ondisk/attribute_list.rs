// SPDX-License-Identifier: GPL-2.0-only

//! `$ATTRIBUTE_LIST`: which MFT record holds which attribute of a file.
//!
//! It is in the base record of every file that has extension records. There is one entry for each
//! attribute record of the file, those in the base record included, sorted by type, name and VCN.
//! The order is not checked here.

use super::{
    attribute::AttributeType,
    bytes,
    error::{
        Malformed,
        Result, //
    },
    name::Name,
    units::{
        AttributeId,
        MftReference,
        Vcn, //
    },
};

/// Offsets of the fields, in bytes from the start of the entry.
mod field {
    pub(super) const TYPE: usize = 0x00;
    pub(super) const LENGTH: usize = 0x04;
    pub(super) const NAME_LENGTH: usize = 0x06;
    pub(super) const NAME_OFFSET: usize = 0x07;
    pub(super) const LOWEST_VCN: usize = 0x08;
    pub(super) const REFERENCE: usize = 0x10;
    pub(super) const ID: usize = 0x18;
}

/// Bytes of an entry without its name.
pub const MIN_ENTRY_LENGTH: usize = 0x1a;

/// One entry: where one attribute record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// The type of the attribute.
    pub type_: AttributeType,
    /// Its name.
    pub name: Name<'a>,
    /// The first VCN of the part; 0 for a resident attribute.
    pub lowest_vcn: Vcn,
    /// The MFT record that holds the attribute record.
    pub reference: MftReference,
    /// The id of the attribute record there.
    pub id: AttributeId,
}

impl ListEntry<'_> {
    /// Bytes of the entry in a list that is made here; the entries are aligned, as those of Windows.
    pub fn length(&self) -> Option<usize> {
        let name = self.name.len().checked_mul(2)?;
        bytes::align_8(MIN_ENTRY_LENGTH.checked_add(name)?)
    }

    /// Puts the entry to byte `at` of a list that is made here, where there are zeros; says where it ends.
    ///
    /// `None` if there is no room for it.
    pub fn put(&self, list: &mut [u8], at: usize) -> Option<usize> {
        let length = self.length()?;
        let end = at.checked_add(length)?;
        let entry = list.get_mut(at..end)?;
        let units = u8::try_from(self.name.len()).ok()?;
        bytes::put_at(entry, field::TYPE, &self.type_.get().to_le_bytes())?;
        bytes::put_at(
            entry,
            field::LENGTH,
            &u16::try_from(length).ok()?.to_le_bytes(),
        )?;
        bytes::put_at(entry, field::NAME_LENGTH, &[units])?;
        bytes::put_at(
            entry,
            field::NAME_OFFSET,
            &u8::try_from(MIN_ENTRY_LENGTH).ok()?.to_le_bytes(),
        )?;
        bytes::put_at(
            entry,
            field::LOWEST_VCN,
            &self.lowest_vcn.get().to_le_bytes(),
        )?;
        bytes::put_at(
            entry,
            field::REFERENCE,
            &self.reference.to_raw().to_le_bytes(),
        )?;
        bytes::put_at(entry, field::ID, &self.id.get().to_le_bytes())?;
        bytes::put_at(entry, MIN_ENTRY_LENGTH, self.name.as_bytes())?;
        Some(end)
    }
}

/// The entries of an attribute list; `list` is its whole value.
///
/// An entry that is broken inside gives an error, and the next one follows. After an entry of
/// which not even the length is usable nothing follows.
pub fn entries(list: &[u8]) -> ListEntries<'_> {
    ListEntries {
        list,
        next: Some(0),
    }
}

/// Iterator over the entries of an attribute list.
#[derive(Clone, Debug)]
pub struct ListEntries<'a> {
    list: &'a [u8],
    /// Where the next entry begins; `None` when there is no further one.
    next: Option<usize>,
}

impl<'a> ListEntries<'a> {
    fn measure(rest: &'a [u8]) -> Result<&'a [u8]> {
        let length = bytes::u16_at(rest, field::LENGTH)
            .map(usize::from)
            .ok_or_else(|| {
                Malformed::truncated(
                    "attribute list entry cut off",
                    0,
                    rest.len(),
                    MIN_ENTRY_LENGTH,
                )
            })?;
        if length < MIN_ENTRY_LENGTH {
            return Err(Malformed::truncated(
                "attribute list entry too short",
                field::LENGTH,
                length,
                MIN_ENTRY_LENGTH,
            ));
        }
        rest.get(..length).ok_or_else(|| {
            Malformed::truncated(
                "attribute list entry beyond the list's end",
                field::LENGTH,
                length,
                rest.len(),
            )
        })
    }

    fn parse(entry: &'a [u8]) -> Result<ListEntry<'a>> {
        let cut = || {
            Malformed::truncated(
                "attribute list entry cut off",
                0,
                entry.len(),
                MIN_ENTRY_LENGTH,
            )
        };
        let lowest_vcn = bytes::u64_at(entry, field::LOWEST_VCN).ok_or_else(cut)?;
        if lowest_vcn > i64::MAX.unsigned_abs() {
            return Err(Malformed::new(
                "negative lowest VCN in the attribute list",
                field::LOWEST_VCN,
                lowest_vcn,
                i64::MAX.unsigned_abs(),
            ));
        }
        let name = match bytes::u8_at(entry, field::NAME_LENGTH).ok_or_else(cut)? {
            // The offset of a name that does not exist means nothing.
            0 => Name::EMPTY,
            units => {
                let offset = bytes::u8_at(entry, field::NAME_OFFSET).ok_or_else(cut)?;
                Name::parse(entry, usize::from(offset), units)?
            }
        };
        let type_ = bytes::u32_at(entry, field::TYPE).ok_or_else(cut)?;
        let reference = bytes::u64_at(entry, field::REFERENCE).ok_or_else(cut)?;
        Ok(ListEntry {
            type_: AttributeType::new(type_),
            name,
            lowest_vcn: Vcn::new(lowest_vcn),
            reference: MftReference::from_raw(reference),
            id: AttributeId::new(bytes::u16_at(entry, field::ID).ok_or_else(cut)?),
        })
    }
}

impl<'a> Iterator for ListEntries<'a> {
    type Item = Result<ListEntry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ends in any case: every entry has at least `MIN_ENTRY_LENGTH` bytes.
        let offset = self.next.take()?;
        let rest = self.list.get(offset..).unwrap_or(&[]);
        if rest.is_empty() {
            return None;
        }
        let entry = Self::measure(rest).and_then(|entry| {
            self.next = offset.checked_add(entry.len());
            Self::parse(entry)
        });
        Some(entry.map_err(|error| error.within(offset)))
    }
}
