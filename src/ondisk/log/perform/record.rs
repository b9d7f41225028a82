// SPDX-License-Identifier: GPL-2.0-only

//! Operations on MFT records.
//!
//! A record is changed only if it is well-formed as a whole, stricter than for reading: what is
//! moved about must be understood.

use super::{
    edit::{
        Content,
        Edit,
        Splice, //
    },
    Frame, Turn,
};
use crate::ondisk::{
    attribute::{
        self,
        Attribute,
        AttributeType,
        Form,
        NonResident,
        Outline, //
    },
    bytes,
    error::Malformed,
    fixup::Magic,
    log::change::{
        Error,
        Result, //
    },
    mapping_pairs,
    record::{
        field,
        FileRecord,
        RecordFlags,
        RecordHeader, //
    },
};

/// Bytes of the header that the undo of a deallocation brings back.
pub(in crate::ondisk::log) const HEADER_IMAGE: usize = 0x18;

/// A record that may be changed.
///
/// # Invariants
///
/// `used` is within `bytes`; up to there are the header, well-formed attribute records whose lengths
/// are multiples of 8, and the end mark at `end_mark`.
#[derive(Clone, Copy, Debug)]
pub(in crate::ondisk::log) struct Record<'a> {
    pub(in crate::ondisk::log) bytes: &'a [u8],
    pub(in crate::ondisk::log) header: RecordHeader,
    /// Where the used part ends.
    pub(in crate::ondisk::log) used: usize,
    end_mark: usize,
}

impl<'a> Record<'a> {
    /// Checks a record, in use or not.
    pub(in crate::ondisk::log) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header = *FileRecord::parse(bytes)?.header();
        let used = bytes::usize_from_u32(header.bytes_in_use);
        let content = bytes.get(..used).ok_or(Malformed::truncated(
            "bytes in use beyond the record",
            field::BYTES_IN_USE,
            used,
            bytes.len(),
        ))?;
        let end_mark = walk(content, usize::from(header.attributes_offset))?;
        // INVARIANT: All checked above.
        Ok(Self {
            bytes,
            header,
            used,
            end_mark,
        })
    }

    /// Checks a record that has to be in use.
    pub(in crate::ondisk::log) fn in_use(bytes: &'a [u8]) -> Result<Self> {
        let record = Self::parse(bytes)?;
        if record.header.flags.is_in_use() {
            Ok(record)
        } else {
            Err(Malformed::new(
                "logged change of a free record",
                field::FLAGS,
                u64::from(record.header.flags.get()),
                1,
            )
            .into())
        }
    }

    /// The used part.
    pub(in crate::ondisk::log) fn content(&self) -> &'a [u8] {
        self.bytes.get(..self.used).unwrap_or(&[])
    }

    fn outlines(&self) -> Outlines<'a> {
        Outlines {
            content: self.content(),
            next: Some(usize::from(self.header.attributes_offset)),
        }
    }

    /// The attribute record that begins at `at`.
    pub(in crate::ondisk::log) fn attribute(&self, at: usize) -> Result<Attribute<'a>> {
        let outline = self
            .outlines()
            .flatten()
            .find(|outline| outline.offset == at)
            .ok_or_else(|| no_boundary(at))?;
        Ok(Attribute::parse(self.content(), outline)?)
    }

    /// The non-resident attribute record that begins at `at`.
    pub(in crate::ondisk::log) fn non_resident(
        &self,
        at: usize,
    ) -> Result<(Attribute<'a>, NonResident<'a>)> {
        let attribute = self.attribute(at)?;
        match attribute.form {
            Form::NonResident(form) => Ok((attribute, form)),
            Form::Resident { .. } => Err(wrong_form(at)),
        }
    }

    /// The resident attribute record that begins at `at`, its value, and where that begins in it.
    pub(in crate::ondisk::log) fn resident(
        &self,
        at: usize,
    ) -> Result<(Attribute<'a>, &'a [u8], usize)> {
        let attribute = self.attribute(at)?;
        match attribute.form {
            Form::Resident { value, .. } => {
                let offset = bytes::u16_at(
                    self.bytes,
                    at.saturating_add(attribute::field::VALUE_OFFSET),
                );
                Ok((attribute, value, offset.map_or(0, usize::from)))
            }
            Form::NonResident(_) => Err(wrong_form(at)),
        }
    }

    /// Replaces a range of the used part by what may have another length.
    pub(super) fn splice<'c>(
        &self,
        at: usize,
        removed: usize,
        inserted: usize,
        content: Content<'c>,
    ) -> Result<Splice<'c>> {
        let splice = Splice::new(
            (at, removed),
            inserted,
            content,
            self.used,
            self.bytes.len(),
        )?;
        let used = resized(self.used, removed, inserted)?;
        Ok(if used == self.header.bytes_in_use {
            splice
        } else {
            splice.with_u32(field::BYTES_IN_USE, used)
        })
    }
}

/// The outlines of the attribute records up to the end mark.
struct Outlines<'a> {
    content: &'a [u8],
    next: Option<usize>,
}

impl Iterator for Outlines<'_> {
    type Item = core::result::Result<Outline, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ends in any case: every outline has a length.
        let offset = self.next.take()?;
        let outline = Outline::parse(self.content, offset).transpose()?;
        if let Ok(outline) = &outline {
            self.next = offset.checked_add(outline.length);
        }
        Some(outline)
    }
}

/// Checks the attribute records from `start` on, and says where the end mark is.
fn walk(content: &[u8], start: usize) -> Result<usize> {
    let mut end = start;
    let outlines = Outlines {
        content,
        next: Some(start),
    };
    for outline in outlines {
        let outline = outline?;
        let attribute = aligned(Attribute::parse(content, outline)?)?;
        check_name(content, &attribute)?;
        end = outline.offset.saturating_add(outline.length);
    }
    Ok(end)
}

/// What is moved about has to keep its alignment.
fn aligned(attribute: Attribute<'_>) -> Result<Attribute<'_>> {
    if attribute.length & 7 == 0 {
        return Ok(attribute);
    }
    Err(Malformed::new(
        "attribute length not a multiple of 8",
        attribute.offset.saturating_add(attribute::field::LENGTH),
        bytes::u64_from_usize(attribute.length),
        8,
    )
    .into())
}

/// A name has to come before the value or the runs, which may move or go.
fn check_name(content: &[u8], attribute: &Attribute<'_>) -> Result<()> {
    let at = |field: usize| attribute.offset.saturating_add(field);
    let (content_field, is_empty) = match &attribute.form {
        Form::Resident { value, .. } => (attribute::field::VALUE_OFFSET, value.is_empty()),
        Form::NonResident(_) => (attribute::field::MAPPING_PAIRS_OFFSET, false),
    };
    if attribute.name.is_empty() || is_empty {
        return Ok(());
    }
    let offset = |field| bytes::u16_at(content, at(field)).map_or(0, usize::from);
    let length = attribute.name.len().saturating_mul(2);
    let end = offset(attribute::field::NAME_OFFSET).saturating_add(length);
    let start = offset(content_field);
    if end <= start {
        return Ok(());
    }
    let field = at(attribute::field::NAME_OFFSET);
    Err(Malformed::truncated(
        "name of an attribute behind the begin of its content",
        field,
        end,
        start,
    )
    .into())
}

fn no_boundary(at: usize) -> Error {
    Malformed::new(
        "no attribute begins where one is logged",
        at,
        bytes::u64_from_usize(at),
        0,
    )
    .into()
}

fn wrong_form(at: usize) -> Error {
    let at = at.saturating_add(attribute::field::NON_RESIDENT);
    Malformed::new("attribute of the other form than logged", at, 0, 1).into()
}

/// `length` after `removed` bytes gave way to `inserted` ones, as a field of 32 bits.
pub(super) fn resized(length: usize, removed: usize, inserted: usize) -> Result<u32> {
    length
        .checked_sub(removed)
        .and_then(|rest| rest.checked_add(inserted))
        .and_then(|length| u32::try_from(length).ok())
        .ok_or(Error::NoRoom)
}

/// Keeps the update sequence number of the buffer when a whole image comes into it.
///
/// The number tells writes apart, not contents. With that of an old image, the next write could
/// carry the same number as the one before, and a torn write would not be seen.
pub(super) fn keep_number<'a>(
    splice: Splice<'a>,
    image: &[u8],
    page: &[u8],
    magic: Magic,
) -> Splice<'a> {
    let place = |bytes| bytes::u16_at(bytes, field::USA_OFFSET).map(usize::from);
    match (place(image), place(page)) {
        (Some(new), Some(old)) if new == old && magic.check(page).is_ok() => {
            match bytes::u16_at(page, old) {
                Some(number) => splice.with_u16(old, number),
                None => splice,
            }
        }
        _ => splice,
    }
}

/// Fills the record with an image, or brings its header back.
pub(super) fn initialize<'a>(content: Content<'a>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let image = content.bytes()?;
    if frame.record_offset != 0 {
        return Err(no_boundary(frame.record_offset));
    }
    if image.len() == HEADER_IMAGE {
        Magic::FILE.check(image)?;
        Record::parse(page)?;
        let edit = Splice::overwrite(0, content, page.len())?;
        return Ok(Edit::Splice(edit));
    }
    let new = Record::parse(image)?;
    // What is behind the image is not part of the record, and must not look as if it were.
    let splice = Splice::new(
        (0, page.len()),
        page.len(),
        Content::Bytes(new.content()),
        page.len(),
        page.len(),
    )?;
    Ok(Edit::Splice(keep_number(splice, image, page, Magic::FILE)))
}

/// Gives the record free; one that is free already, or never was a record, stays as it is.
pub(super) fn deallocate<'a>(page: &[u8]) -> Result<Edit<'a>> {
    let header = match RecordHeader::parse(page) {
        Ok(header) if header.flags.is_in_use() => header,
        _ => return Ok(Edit::Nothing),
    };
    // 0 in a reference means that the writer did not know.
    let sequence = header.sequence.get().checked_add(1).unwrap_or(1);
    let splice = Splice::overwrite(0, Content::Zeros(0), page.len())?
        .with_u16(field::SEQUENCE, sequence)
        .with_u16(field::FLAGS, RecordFlags::new(0).get());
    Ok(Edit::Splice(splice))
}

/// Replaces all from an attribute on.
pub(super) fn write_end<'a>(content: Content<'a>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let at = frame.record_offset;
    if at != record.end_mark {
        record.attribute(at)?;
    }
    let end = content.bytes()?;
    let mark = walk(end, 0)?;
    let length = mark.checked_add(8).ok_or(Error::NoRoom)?;
    let removed = record.used.saturating_sub(at);
    Ok(Edit::Splice(record.splice(
        at,
        removed,
        length.max(bytes::align_8(end.len()).ok_or(Error::NoRoom)?),
        content,
    )?))
}

/// Whether an attribute record is a name of the file, which its link count counts.
fn is_link(attribute: &Attribute<'_>) -> bool {
    matches!(attribute.form, Form::Resident { indexed: true, .. })
}

/// Inserts an attribute record.
pub(super) fn create<'a>(content: Content<'a>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let at = frame.record_offset;
    let new = content.bytes()?;
    let body = new;
    let new = aligned(Attribute::parse_alone(body)?)?;
    check_name(body, &new)?;
    let before = record
        .outlines()
        .flatten()
        .take_while(|outline| outline.offset < at)
        .last()
        .map(|outline| outline.type_);
    let after = if at == record.end_mark {
        AttributeType::END
    } else {
        record.attribute(at)?.type_
    };
    // What is brought back had its place, be it a wrong one.
    let is_new = frame.turn == Turn::Forward;
    if is_new && (before.is_some_and(|before| before > new.type_) || after < new.type_) {
        return Err(Malformed::new(
            "attribute logged for a place where its type does not belong",
            at,
            u64::from(new.type_.get()),
            u64::from(after.get()),
        )
        .into());
    }
    let next_id = match new.id.get().checked_add(1) {
        Some(next_id) => next_id,
        // The last number is not given out: there would be none to come next.
        None if is_new => return Err(Error::NoRoom),
        None => record.header.next_attribute_id,
    };
    let mut splice = record.splice(at, 0, new.length, content)?.with_u16(
        field::NEXT_ATTRIBUTE_ID,
        next_id.max(record.header.next_attribute_id),
    );
    if is_link(&new) {
        let links = record.header.link_count.checked_add(1);
        splice = splice.with_u16(field::LINK_COUNT, links.ok_or(Error::NoRoom)?);
    }
    Ok(Edit::Splice(splice))
}

/// Removes an attribute record.
pub(super) fn delete<'a>(frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let attribute = record.attribute(frame.record_offset)?;
    let mut splice = record.splice(attribute.offset, attribute.length, 0, Content::Zeros(0))?;
    // A creation that is taken back had raised the number, if it was the newest. A deletion that
    // is new leaves it, so that an id is not used twice. Where a creation used the newest id
    // *again*, the deletion before it is taken back next, and that raises the number again.
    if frame.turn == Turn::Back
        && attribute.id.get().checked_add(1) == Some(record.header.next_attribute_id)
    {
        splice = splice.with_u16(field::NEXT_ATTRIBUTE_ID, attribute.id.get());
    }
    if is_link(&attribute) {
        let links = record
            .header
            .link_count
            .checked_sub(1)
            .ok_or(Malformed::new(
                "link count of a record with a name",
                field::LINK_COUNT,
                0,
                1,
            ))?;
        splice = splice.with_u16(field::LINK_COUNT, links);
    }
    Ok(Edit::Splice(splice))
}

/// Where in its attribute record a change begins, checked against where its part begins.
fn place_in(attribute: &Attribute<'_>, first: usize, frame: &Frame) -> Result<usize> {
    let at = frame.attribute_offset;
    if at < first || at > attribute.length {
        return Err(Malformed::truncated(
            "change logged outside of its attribute",
            attribute.offset,
            at,
            attribute.length,
        )
        .into());
    }
    Ok(attribute.offset.saturating_add(at))
}

/// Changes a resident value; with another length than before, it ends behind the new bytes.
pub(super) fn update_value<'a>(
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let (attribute, _, value_offset) = record.resident(frame.record_offset)?;
    let at = place_in(
        &attribute,
        value_offset.max(attribute::MIN_RESIDENT_LENGTH),
        frame,
    )?;
    let rest = attribute.length.saturating_sub(frame.attribute_offset);
    if content.length() == frame.inverse_length {
        if content.length() > rest {
            return Err(Malformed::truncated(
                "logged value beyond its attribute",
                at,
                content.length(),
                rest,
            )
            .into());
        }
        let splice = record.splice(at, content.length(), content.length(), content)?;
        return Ok(Edit::Splice(splice));
    }
    let end = frame
        .attribute_offset
        .checked_add(content.length())
        .ok_or(Error::NoRoom)?;
    let length = bytes::align_8(end).ok_or(Error::NoRoom)?;
    let splice = record
        .splice(
            at,
            rest,
            length.saturating_sub(frame.attribute_offset),
            content,
        )?
        .with_u32(
            attribute.offset.saturating_add(attribute::field::LENGTH),
            resized(length, 0, 0)?,
        )
        .with_u32(
            attribute
                .offset
                .saturating_add(attribute::field::VALUE_LENGTH),
            resized(end, value_offset, 0)?,
        );
    Ok(Edit::Splice(splice))
}

/// Replaces the end of the mapping pairs; the highest VCN follows from them.
pub(super) fn update_mapping_pairs<'a>(
    content: Content<'a>,
    frame: &Frame,
    page: &[u8],
) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let (attribute, form) = record.non_resident(frame.record_offset)?;
    let pairs_offset = attribute.length.saturating_sub(form.mapping_pairs.len());
    let at = place_in(&attribute, pairs_offset, frame)?;
    let kept = frame.attribute_offset.saturating_sub(pairs_offset);
    let kept = form.mapping_pairs.get(..kept).unwrap_or(&[]);
    let clusters = mapping_pairs::total(kept.iter().copied().chain(content.iter()))?;
    let highest = form
        .lowest_vcn
        .checked_add(clusters)
        .filter(|end| end.get() <= i64::MAX.unsigned_abs())
        .ok_or(Malformed::new(
            "logged runs beyond the last possible VCN",
            attribute.offset,
            clusters.get(),
            i64::MAX.unsigned_abs(),
        ))?
        // Without clusters at VCN 0 it is all ones.
        .get()
        .wrapping_sub(1);
    let end = frame
        .attribute_offset
        .checked_add(content.length())
        .ok_or(Error::NoRoom)?;
    let length = bytes::align_8(end).ok_or(Error::NoRoom)?;
    let mut splice = record.splice(
        at,
        attribute.length.saturating_sub(frame.attribute_offset),
        length.saturating_sub(frame.attribute_offset),
        content,
    )?;
    if length != attribute.length {
        splice = splice.with_u32(
            attribute.offset.saturating_add(attribute::field::LENGTH),
            resized(length, 0, 0)?,
        );
    }
    Ok(Edit::Splice(
        splice.with_u64(
            attribute
                .offset
                .saturating_add(attribute::field::HIGHEST_VCN),
            highest,
        ),
    ))
}

/// Changes the sizes; the log has them in another order than the attribute record.
pub(super) fn set_sizes<'a>(content: Content<'_>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let (attribute, form) = record.non_resident(frame.record_offset)?;
    let data = content.bytes()?;
    let cut = || Malformed::truncated("logged attribute sizes", 0, data.len(), 0x18);
    let size = |at| {
        bytes::u64_at(data, at)
            .filter(|size| *size <= i64::MAX.unsigned_abs())
            .ok_or_else(cut)
    };
    let has_compressed = form
        .sizes
        .ok_or_else(|| wrong_form(attribute.offset))?
        .compressed
        .is_some();
    let at = |field: usize| attribute.offset.saturating_add(field);
    let splice = Splice::overwrite(attribute.offset, Content::Zeros(0), record.used)?
        .with_u64(at(attribute::field::ALLOCATED_SIZE), size(0)?)
        .with_u64(at(attribute::field::INITIALIZED_SIZE), size(8)?)
        .with_u64(at(attribute::field::DATA_SIZE), size(0x10)?);
    match data.len() {
        0x18 => Ok(Edit::Splice(splice)),
        0x20 if has_compressed => Ok(Edit::Splice(
            splice.with_u64(at(attribute::field::COMPRESSED_SIZE), size(0x18)?),
        )),
        _ => Err(cut().into()),
    }
}

/// Zeros what is behind the used part.
pub(super) fn zero_end<'a>(content: Content<'_>, frame: &Frame, page: &[u8]) -> Result<Edit<'a>> {
    let record = Record::in_use(page)?;
    let at = frame.record_offset.saturating_add(frame.attribute_offset);
    // There is no undo, so nothing that counts may go; the second half of the end mark does not.
    if at < record.end_mark.saturating_add(4) {
        return Err(Malformed::truncated(
            "end of a record logged inside its used part",
            at,
            at,
            record.used,
        )
        .into());
    }
    let zeros = Content::Zeros(content.length());
    Ok(Edit::Splice(Splice::overwrite(at, zeros, page.len())?))
}
