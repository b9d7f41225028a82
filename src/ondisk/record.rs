// SPDX-License-Identifier: GPL-2.0-only

//! FILE records: the entries of `$MFT`.
//!
//! A record begins with a header and an update sequence array, and then holds attribute records up
//! to an end marker. What is decoded here has its fixups undone already (see [`super::fixup`]).
//! A file that needs more than one record has a base record and extension records that point back
//! to it.

use super::{
    attribute::{
        Attribute,
        Outline, //
    },
    bytes,
    error::{
        Malformed,
        Result, //
    },
    fixup::Magic,
    units::{
        Lsn,
        MftReference,
        RecordNumber,
        SequenceNumber, //
    },
};

/// Offsets of the fields, in bytes from the start of the record.
pub(super) mod field {
    pub(in crate::ondisk) const USA_OFFSET: usize = 0x04;
    pub(in crate::ondisk) const USA_COUNT: usize = 0x06;
    pub(in crate::ondisk) const LSN: usize = 0x08;
    pub(in crate::ondisk) const SEQUENCE: usize = 0x10;
    pub(in crate::ondisk) const LINK_COUNT: usize = 0x12;
    pub(in crate::ondisk) const ATTRIBUTES_OFFSET: usize = 0x14;
    pub(in crate::ondisk) const FLAGS: usize = 0x16;
    pub(in crate::ondisk) const BYTES_IN_USE: usize = 0x18;
    pub(in crate::ondisk) const BYTES_ALLOCATED: usize = 0x1c;
    pub(in crate::ondisk) const BASE_RECORD: usize = 0x20;
    pub(in crate::ondisk) const NEXT_ATTRIBUTE_ID: usize = 0x28;
    pub(in crate::ondisk) const RECORD_NUMBER: usize = 0x2c;
}

/// Bytes of the header before NTFS 3.1; the update sequence array follows.
pub(super) const HEADER_LENGTH: usize = 0x2a;
/// Bytes of the header since NTFS 3.1 (Windows XP), with the record's own number.
pub(super) const HEADER_LENGTH_3_1: usize = 0x30;

/// What a record is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFlags(u16);

impl RecordFlags {
    /// Takes the field as it is on the disk.
    pub const fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the record belongs to a file; a free one keeps the last content.
    pub const fn is_in_use(self) -> bool {
        self.0 & 0x1 != 0
    }

    /// Whether the file is a directory, that is, has an index of `$FILE_NAME`s.
    pub const fn is_directory(self) -> bool {
        self.0 & 0x2 != 0
    }

    /// Whether the file has indexes of other things (`$Secure`, `$Quota`, ...).
    pub const fn is_view_index(self) -> bool {
        self.0 & 0x8 != 0
    }
}

/// The header of a FILE record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The last log record that describes a change of this record.
    pub lsn: Lsn,
    /// How often the record was reused.
    pub sequence: SequenceNumber,
    /// In how many directories the file is listed, DOS names included.
    pub link_count: u16,
    /// Where the first attribute begins, in bytes.
    pub attributes_offset: u16,
    /// What the record is used for.
    pub flags: RecordFlags,
    /// Where the used part of the record ends, in bytes; perhaps wrong, see [`FileRecord`].
    pub bytes_in_use: u32,
    /// How many bytes the record has according to itself; perhaps wrong.
    pub bytes_allocated: u32,
    /// The base record when this is an extension record.
    pub base: Option<MftReference>,
    /// The id that the next attribute gets.
    pub next_attribute_id: u16,
    /// The low 32 bits of the record's own number; before NTFS 3.1 not stored.
    pub number: Option<u32>,
}

impl RecordHeader {
    /// Decodes the header at the start of `record`.
    ///
    /// Only the magic is checked here; [`FileRecord::parse`] checks what has to fit the buffer.
    pub fn parse(record: &[u8]) -> Result<Self> {
        Magic::FILE.check(record)?;
        let cut =
            || Malformed::truncated("record header cut off", 0, record.len(), HEADER_LENGTH_3_1);
        let u16_field = |at| bytes::u16_at(record, at).ok_or_else(cut);
        let u32_field = |at| bytes::u32_at(record, at).ok_or_else(cut);
        let u64_field = |at| bytes::u64_at(record, at).ok_or_else(cut);

        let base = u64_field(field::BASE_RECORD)?;
        let has_number = usize::from(u16_field(field::USA_OFFSET)?) >= HEADER_LENGTH_3_1;
        Ok(Self {
            lsn: Lsn::new(u64_field(field::LSN)?),
            sequence: SequenceNumber::new(u16_field(field::SEQUENCE)?),
            link_count: u16_field(field::LINK_COUNT)?,
            attributes_offset: u16_field(field::ATTRIBUTES_OFFSET)?,
            flags: RecordFlags(u16_field(field::FLAGS)?),
            bytes_in_use: u32_field(field::BYTES_IN_USE)?,
            bytes_allocated: u32_field(field::BYTES_ALLOCATED)?,
            base: (base != 0).then(|| MftReference::from_raw(base)),
            next_attribute_id: u16_field(field::NEXT_ATTRIBUTE_ID)?,
            number: if has_number {
                Some(u32_field(field::RECORD_NUMBER)?)
            } else {
                None
            },
        })
    }

    /// Whether the record says that it is record `number`, or does not say which one it is.
    pub fn is_number(&self, number: RecordNumber) -> bool {
        let [b0, b1, b2, b3, ..] = number.get().to_le_bytes();
        self.number
            .is_none_or(|stored| stored == u32::from_le_bytes([b0, b1, b2, b3]))
    }
}

/// A FILE record whose fixups are undone.
///
/// The attributes end at `bytes_in_use` or at the end of the buffer, whichever comes first: a
/// `bytes_in_use` that is too large does no harm, because the end marker comes before it.
///
/// # Invariants
///
/// `used` is a prefix of the record's buffer and holds all that is read from the record.
#[derive(Clone, Copy, Debug)]
pub struct FileRecord<'a> {
    header: RecordHeader,
    used: &'a [u8],
}

impl<'a> FileRecord<'a> {
    /// Decodes a record; `record` is the whole of it.
    pub fn parse(record: &'a [u8]) -> Result<Self> {
        let header = RecordHeader::parse(record)?;
        let used = record
            .get(..bytes::usize_from_u32(header.bytes_in_use))
            .unwrap_or(record);
        let start = usize::from(header.attributes_offset);
        if start < HEADER_LENGTH || start >= used.len() {
            return Err(Malformed::truncated(
                "attributes outside of the used part of the record",
                field::ATTRIBUTES_OFFSET,
                start,
                used.len(),
            ));
        }
        // INVARIANT: Either a prefix or the whole.
        Ok(Self { header, used })
    }

    /// The header.
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The bytes of one of its attribute records.
    pub fn bytes_of(&self, attribute: &Attribute<'_>) -> &'a [u8] {
        bytes::slice_at(self.used, attribute.offset, attribute.length).unwrap_or(&[])
    }

    /// The attribute records in the order in which they are stored.
    ///
    /// An attribute that is broken inside gives an error, and the next one follows. After an
    /// attribute of which not even the length is usable nothing follows.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            used: self.used,
            next: Some(usize::from(self.header.attributes_offset)),
        }
    }
}

/// Iterator over the attribute records of a FILE record.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    used: &'a [u8],
    /// Where the next attribute record begins; `None` when there is no further one.
    next: Option<usize>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ends in any case: every outline is at least `MIN_RESIDENT_LENGTH` bytes long.
        let offset = self.next.take()?;
        match Outline::parse(self.used, offset) {
            Ok(Some(outline)) => {
                self.next = offset.checked_add(outline.length);
                Some(Attribute::parse(self.used, outline))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
