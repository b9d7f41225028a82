// SPDX-License-Identifier: GPL-2.0-only

//! Attribute records: the pieces that an MFT record consists of.
//!
//! An attribute record is found in a FILE record only. It has a type, perhaps a name, and either
//! its value (resident) or the place of its value on the volume (non-resident). One attribute can
//! be spread over several records; each part then covers a range of VCNs, and only the part that
//! begins at VCN 0 has the sizes.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    name::Name,
    units::{
        AttributeId,
        ByteCount,
        Vcn, //
    },
};
use kernel::fmt;

/// The type code of an attribute; `$AttrDef` lists those that a volume knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(u32);

impl AttributeType {
    /// `$STANDARD_INFORMATION`: times, DOS attributes, security and quota ids.
    pub const STANDARD_INFORMATION: Self = Self(0x10);
    /// `$ATTRIBUTE_LIST`: which record holds which attribute, when one record is not enough.
    pub const ATTRIBUTE_LIST: Self = Self(0x20);
    /// `$FILE_NAME`: one name of the file, in one directory.
    pub const FILE_NAME: Self = Self(0x30);
    /// `$OBJECT_ID`: GUIDs of the file (`$VOLUME_VERSION` before NTFS 3.0).
    pub const OBJECT_ID: Self = Self(0x40);
    /// `$SECURITY_DESCRIPTOR`: before NTFS 3.0, and from drivers that do not use `$Secure`.
    pub const SECURITY_DESCRIPTOR: Self = Self(0x50);
    /// `$VOLUME_NAME`: the label; in `$Volume` only.
    pub const VOLUME_NAME: Self = Self(0x60);
    /// `$VOLUME_INFORMATION`: version and flags; in `$Volume` only.
    pub const VOLUME_INFORMATION: Self = Self(0x70);
    /// `$DATA`: a stream of the file.
    pub const DATA: Self = Self(0x80);
    /// `$INDEX_ROOT`: the top node of a B+ tree.
    pub const INDEX_ROOT: Self = Self(0x90);
    /// `$INDEX_ALLOCATION`: the other nodes of a B+ tree.
    pub const INDEX_ALLOCATION: Self = Self(0xa0);
    /// `$BITMAP`: which records of `$MFT`, or which blocks of an index, are in use.
    pub const BITMAP: Self = Self(0xb0);
    /// `$REPARSE_POINT` (`$SYMBOLIC_LINK` before NTFS 3.0).
    pub const REPARSE_POINT: Self = Self(0xc0);
    /// `$EA_INFORMATION`: sizes of the extended attributes.
    pub const EA_INFORMATION: Self = Self(0xd0);
    /// `$EA`: the extended attributes.
    pub const EA: Self = Self(0xe0);
    /// `$LOGGED_UTILITY_STREAM`: `$EFS`, `$TXF_DATA`.
    pub const LOGGED_UTILITY_STREAM: Self = Self(0x100);
    /// Marks the end of the attributes in a record.
    pub const END: Self = Self(0xffff_ffff);

    /// Takes any type code.
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// The type code.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::STANDARD_INFORMATION => "$STANDARD_INFORMATION",
            Self::ATTRIBUTE_LIST => "$ATTRIBUTE_LIST",
            Self::FILE_NAME => "$FILE_NAME",
            Self::OBJECT_ID => "$OBJECT_ID",
            Self::SECURITY_DESCRIPTOR => "$SECURITY_DESCRIPTOR",
            Self::VOLUME_NAME => "$VOLUME_NAME",
            Self::VOLUME_INFORMATION => "$VOLUME_INFORMATION",
            Self::DATA => "$DATA",
            Self::INDEX_ROOT => "$INDEX_ROOT",
            Self::INDEX_ALLOCATION => "$INDEX_ALLOCATION",
            Self::BITMAP => "$BITMAP",
            Self::REPARSE_POINT => "$REPARSE_POINT",
            Self::EA_INFORMATION => "$EA_INFORMATION",
            Self::EA => "$EA",
            Self::LOGGED_UTILITY_STREAM => "$LOGGED_UTILITY_STREAM",
            Self(code) => return write!(f, "attribute type {code:#x}"),
        })
    }
}

/// How the value of an attribute is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttributeFlags(u16);

impl AttributeFlags {
    const COMPRESSION_MASK: u16 = 0x00ff;
    const ENCRYPTED: u16 = 0x4000;
    const SPARSE: u16 = 0x8000;

    /// Takes the field as it is on the disk.
    pub const fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether a compression method is set. On a resident attribute it is only a wish for later.
    pub const fn is_compressed(self) -> bool {
        self.0 & Self::COMPRESSION_MASK != 0
    }

    /// Whether the clusters hold what EFS encrypted.
    pub const fn is_encrypted(self) -> bool {
        self.0 & Self::ENCRYPTED != 0
    }

    /// Whether the attribute may have holes.
    pub const fn is_sparse(self) -> bool {
        self.0 & Self::SPARSE != 0
    }

    /// The same, for an attribute that may have holes.
    pub const fn with_sparse(self) -> Self {
        Self(self.0 | Self::SPARSE)
    }

    /// The same, for an attribute that has none.
    pub const fn without_sparse(self) -> Self {
        Self(self.0 & !Self::SPARSE)
    }
}

/// The sizes of a non-resident attribute, from its first part.
///
/// No value is negative. That `initialized <= data <= allocated` is *not* promised: volumes with
/// other values exist, and their peers read them; a reader has to stop at the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes that the clusters (and holes) of the attribute span.
    pub allocated: ByteCount,
    /// Bytes of the value.
    pub data: ByteCount,
    /// Bytes of the value that were ever written; what follows reads as zeros.
    pub initialized: ByteCount,
    /// Bytes of the clusters that are really allocated; in compressed and sparse attributes only.
    pub compressed: Option<ByteCount>,
}

impl Sizes {
    /// Those of a value without a byte and without a cluster.
    pub const NOTHING: Self = Self {
        allocated: ByteCount::ZERO,
        data: ByteCount::ZERO,
        initialized: ByteCount::ZERO,
        compressed: None,
    };
}

/// What an attribute record says about a value that is in clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonResident<'a> {
    /// The first VCN of this part.
    pub lowest_vcn: Vcn,
    /// The last VCN of this part; `None` when it has no clusters.
    pub highest_vcn: Option<Vcn>,
    /// The sizes; `None` unless this part begins at VCN 0.
    pub sizes: Option<Sizes>,
    /// Logarithm of the clusters in a compression unit; 0 in attributes that are not compressed.
    pub compression_unit_shift: u8,
    /// The runs of this part, for [`super::mapping_pairs::decode`].
    pub mapping_pairs: &'a [u8],
}

/// Where the value of an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// In the attribute record.
    Resident {
        /// The value.
        value: &'a [u8],
        /// Whether the value is also a key of an index (`$FILE_NAME`).
        indexed: bool,
    },
    /// In clusters of the volume.
    NonResident(NonResident<'a>),
}

/// An attribute record, or one part of an attribute that has several.
///
/// # Invariants
///
/// Name, value and mapping pairs lie within the record from which the attribute was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Where the attribute record begins in the FILE record, in bytes.
    pub offset: usize,
    /// How many bytes the attribute record has.
    pub length: usize,
    /// What the attribute is for.
    pub type_: AttributeType,
    /// Its name; most are unnamed.
    pub name: Name<'a>,
    /// Tells it apart from the other attributes of the same FILE record.
    pub id: AttributeId,
    /// How the value is stored.
    pub flags: AttributeFlags,
    /// The value, or where it is.
    pub form: Form<'a>,
}

/// Offsets of the fields, in bytes from the start of the attribute record.
pub(super) mod field {
    pub(in crate::ondisk) const LENGTH: usize = 0x04;
    pub(in crate::ondisk) const NON_RESIDENT: usize = 0x08;
    pub(in crate::ondisk) const NAME_LENGTH: usize = 0x09;
    pub(in crate::ondisk) const NAME_OFFSET: usize = 0x0a;
    pub(in crate::ondisk) const FLAGS: usize = 0x0c;
    pub(in crate::ondisk) const ID: usize = 0x0e;
    pub(in crate::ondisk) const VALUE_LENGTH: usize = 0x10;
    pub(in crate::ondisk) const VALUE_OFFSET: usize = 0x14;
    pub(in crate::ondisk) const RESIDENT_FLAGS: usize = 0x16;
    pub(in crate::ondisk) const LOWEST_VCN: usize = 0x10;
    pub(in crate::ondisk) const HIGHEST_VCN: usize = 0x18;
    pub(in crate::ondisk) const MAPPING_PAIRS_OFFSET: usize = 0x20;
    pub(in crate::ondisk) const COMPRESSION_UNIT: usize = 0x22;
    pub(in crate::ondisk) const ALLOCATED_SIZE: usize = 0x28;
    pub(in crate::ondisk) const DATA_SIZE: usize = 0x30;
    pub(in crate::ondisk) const INITIALIZED_SIZE: usize = 0x38;
    pub(in crate::ondisk) const COMPRESSED_SIZE: usize = 0x40;
}

/// Bytes of the smallest attribute record that can hold a value.
pub const MIN_RESIDENT_LENGTH: usize = 0x18;
/// Bytes of the header of a non-resident attribute without a compressed size.
pub const MIN_NON_RESIDENT_LENGTH: usize = 0x40;
/// Bytes of the header of a non-resident attribute with a compressed size.
pub(super) const COMPRESSED_HEADER_LENGTH: usize = 0x48;

/// The extent of an attribute record, known before its content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// The type code; never [`AttributeType::END`].
    pub(super) type_: AttributeType,
    /// Where the attribute record begins in the FILE record.
    pub(super) offset: usize,
    /// How many bytes it has; they are all within the part of the record that is in use.
    pub(super) length: usize,
}

impl Outline {
    /// Looks at `offset` of `record`, whose attributes end at its end; `None` at the end marker.
    pub(super) fn parse(record: &[u8], offset: usize) -> Result<Option<Self>> {
        let rest = record.get(offset..).unwrap_or(&[]);
        let type_ = bytes::u32_at(rest, 0).map(AttributeType).ok_or_else(|| {
            Malformed::truncated("no end marker behind the attributes", offset, rest.len(), 4)
        })?;
        if type_ == AttributeType::END {
            return Ok(None);
        }
        let length = bytes::u32_at(rest, field::LENGTH)
            .map(bytes::usize_from_u32)
            .ok_or_else(|| {
                Malformed::truncated(
                    "attribute cut off by the record's end",
                    offset,
                    rest.len(),
                    8,
                )
            })?;
        let at = offset.saturating_add(field::LENGTH);
        if length < MIN_RESIDENT_LENGTH {
            return Err(Malformed::truncated(
                "attribute length too small",
                at,
                length,
                MIN_RESIDENT_LENGTH,
            ));
        }
        if length > rest.len() {
            return Err(Malformed::truncated(
                "attribute length beyond the record's end",
                at,
                length,
                rest.len(),
            ));
        }
        Ok(Some(Self {
            type_,
            offset,
            length,
        }))
    }
}

impl<'a> Attribute<'a> {
    /// Decodes an attribute record that is not part of a FILE record (yet); `body` is the whole of it.
    pub fn parse_alone(body: &'a [u8]) -> Result<Self> {
        match Outline::parse(body, 0)? {
            Some(outline) if outline.length == body.len() => Self::parse(body, outline),
            _ => Err(Malformed::truncated(
                "attribute record of another length",
                field::LENGTH,
                body.len(),
                MIN_RESIDENT_LENGTH,
            )),
        }
    }

    /// Decodes the attribute record at `outline` of the FILE record `record`.
    pub(super) fn parse(record: &'a [u8], outline: Outline) -> Result<Self> {
        let body = bytes::slice_at(record, outline.offset, outline.length).unwrap_or(&[]);
        Self::parse_body(body, outline).map_err(|error| error.within(outline.offset))
    }

    fn parse_body(body: &'a [u8], outline: Outline) -> Result<Self> {
        let cut =
            |at, needed| Malformed::truncated("attribute header cut off", at, body.len(), needed);
        let u8_field = |at| bytes::u8_at(body, at).ok_or(cut(at, MIN_RESIDENT_LENGTH));
        let u16_field = |at| bytes::u16_at(body, at).ok_or(cut(at, MIN_RESIDENT_LENGTH));

        let flags = AttributeFlags(u16_field(field::FLAGS)?);
        let name_length = u8_field(field::NAME_LENGTH)?;
        let name_offset = usize::from(u16_field(field::NAME_OFFSET)?);
        let name = match name_length {
            // The offset of a name that does not exist means nothing.
            0 => Name::EMPTY,
            units => Name::parse(body, name_offset, units)?,
        };
        let form = match u8_field(field::NON_RESIDENT)? {
            0 => Self::parse_resident(body)?,
            1 => {
                let name_start = (name_length != 0).then_some(name_offset);
                Form::NonResident(NonResident::parse(body, flags, name_start)?)
            }
            other => {
                return Err(Malformed::new(
                    "attribute neither resident nor non-resident",
                    field::NON_RESIDENT,
                    u64::from(other),
                    1,
                ))
            }
        };
        // INVARIANT: All slices were taken from `body`, which is a part of the record.
        Ok(Self {
            offset: outline.offset,
            length: outline.length,
            type_: outline.type_,
            name,
            id: AttributeId::new(u16_field(field::ID)?),
            flags,
            form,
        })
    }

    fn parse_resident(body: &'a [u8]) -> Result<Form<'a>> {
        let cut = || {
            Malformed::truncated(
                "resident attribute header cut off",
                0,
                body.len(),
                MIN_RESIDENT_LENGTH,
            )
        };
        let length = bytes::u32_at(body, field::VALUE_LENGTH).ok_or_else(cut)?;
        let offset = bytes::u16_at(body, field::VALUE_OFFSET).ok_or_else(cut)?;
        let flags = bytes::u8_at(body, field::RESIDENT_FLAGS).ok_or_else(cut)?;
        let value = if length == 0 {
            // The offset of an empty value may lie anywhere.
            &[]
        } else {
            if usize::from(offset) < MIN_RESIDENT_LENGTH {
                return Err(Malformed::truncated(
                    "value overlaps the attribute header",
                    field::VALUE_OFFSET,
                    usize::from(offset),
                    MIN_RESIDENT_LENGTH,
                ));
            }
            bytes::slice_at(body, usize::from(offset), bytes::usize_from_u32(length)).ok_or_else(
                || {
                    Malformed::truncated(
                        "value beyond the end of its attribute",
                        field::VALUE_LENGTH,
                        bytes::usize_from_u32(length),
                        body.len().saturating_sub(usize::from(offset)),
                    )
                },
            )?
        };
        Ok(Form::Resident {
            value,
            indexed: flags & 1 != 0,
        })
    }
}

impl<'a> NonResident<'a> {
    fn parse(body: &'a [u8], flags: AttributeFlags, name_start: Option<usize>) -> Result<Self> {
        let cut = || {
            Malformed::truncated(
                "non-resident attribute header cut off",
                0,
                body.len(),
                MIN_NON_RESIDENT_LENGTH,
            )
        };
        let signed = |at, what| match bytes::u64_at(body, at) {
            Some(value) if value <= i64::MAX.unsigned_abs() => Ok(value),
            Some(value) => Err(Malformed::new(what, at, value, i64::MAX.unsigned_abs())),
            None => Err(cut()),
        };

        let lowest_vcn = signed(field::LOWEST_VCN, "negative lowest VCN")?;
        let highest_vcn = match bytes::u64_at(body, field::HIGHEST_VCN).ok_or_else(cut)? {
            // One below the lowest VCN means that there are no clusters.
            highest if highest == lowest_vcn.wrapping_sub(1) => None,
            highest if highest > i64::MAX.unsigned_abs() || highest < lowest_vcn => {
                return Err(Malformed::new(
                    "highest VCN below the lowest one",
                    field::HIGHEST_VCN,
                    highest,
                    lowest_vcn,
                ))
            }
            highest => Some(Vcn::new(highest)),
        };
        let pairs_offset = bytes::u16_at(body, field::MAPPING_PAIRS_OFFSET)
            .map(usize::from)
            .ok_or_else(cut)?;
        let mapping_pairs = match body.get(pairs_offset..) {
            Some(pairs) if pairs_offset >= MIN_NON_RESIDENT_LENGTH => pairs,
            _ => {
                return Err(Malformed::truncated(
                    "mapping pairs outside of their attribute",
                    field::MAPPING_PAIRS_OFFSET,
                    pairs_offset,
                    body.len(),
                ))
            }
        };
        // An attribute can be sparse without this field (`$BadClus:$Bad` of some Windows versions
        // has its name there), so look at what leaves room for it as well.
        let has_compressed_size = (flags.is_compressed() || flags.is_sparse())
            && pairs_offset >= COMPRESSED_HEADER_LENGTH
            && name_start.is_none_or(|start| start >= COMPRESSED_HEADER_LENGTH);
        let sizes = if lowest_vcn == 0 {
            Some(Sizes {
                allocated: ByteCount::new(signed(
                    field::ALLOCATED_SIZE,
                    "negative allocated size",
                )?),
                data: ByteCount::new(signed(field::DATA_SIZE, "negative data size")?),
                initialized: ByteCount::new(signed(
                    field::INITIALIZED_SIZE,
                    "negative initialized size",
                )?),
                compressed: if has_compressed_size {
                    let size = signed(field::COMPRESSED_SIZE, "negative compressed size")?;
                    Some(ByteCount::new(size))
                } else {
                    None
                },
            })
        } else {
            None
        };
        Ok(Self {
            lowest_vcn: Vcn::new(lowest_vcn),
            highest_vcn,
            sizes,
            compression_unit_shift: bytes::u8_at(body, field::COMPRESSION_UNIT).ok_or_else(cut)?,
            mapping_pairs,
        })
    }
}
