// SPDX-License-Identifier: GPL-2.0-only

//! Security descriptors: who owns a file, and who may do what with it.
//!
//! They are found in `$Secure` (since NTFS 3.0) and in `$SECURITY_DESCRIPTOR` (before it, and in files of
//! drivers that do not know better). Only their structure is decoded: what they permit is nothing that
//! this driver acts on.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
};

/// Offsets within the descriptor.
mod field {
    pub(super) const REVISION: usize = 0x00;
    pub(super) const CONTROL: usize = 0x02;
    pub(super) const OWNER: usize = 0x04;
    pub(super) const GROUP: usize = 0x08;
    pub(super) const SACL: usize = 0x0c;
    pub(super) const DACL: usize = 0x10;
    pub(super) const LENGTH: usize = 0x14;
}

/// Offsets within a SID, and what it may have at most.
mod sid_field {
    pub(super) const REVISION: usize = 0x00;
    pub(super) const COUNT: usize = 0x01;
    pub(super) const SUB_AUTHORITIES: usize = 0x08;
    pub(super) const MAX_COUNT: u8 = 15;
}

/// Offsets within an ACL.
mod acl_field {
    pub(super) const LENGTH: usize = 0x02;
    pub(super) const COUNT: usize = 0x04;
    pub(super) const ENTRIES: usize = 0x08;
}

/// Offsets within an entry of an ACL.
mod ace_field {
    pub(super) const LENGTH: usize = 0x02;
    pub(super) const END: usize = 0x04;
}

/// The offsets count from the start of the descriptor; there is no other form on a disk.
const SELF_RELATIVE: u16 = 0x8000;

/// A security descriptor.
///
/// # Invariants
///
/// Owner, group and both ACLs, as far as there are such, lie in `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityDescriptor<'a> {
    bytes: &'a [u8],
    owner: Option<&'a [u8]>,
    group: Option<&'a [u8]>,
    end: usize,
}

impl<'a> SecurityDescriptor<'a> {
    /// Decodes a descriptor. There may be something behind it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let cut =
            || Malformed::truncated("security descriptor cut off", 0, bytes.len(), field::LENGTH);
        let revision = bytes::u8_at(bytes, field::REVISION).ok_or_else(cut)?;
        let control = bytes::u16_at(bytes, field::CONTROL).ok_or_else(cut)?;
        if revision != 1 || control & SELF_RELATIVE == 0 {
            return Err(Malformed::new(
                "form of a security descriptor",
                field::REVISION,
                u64::from(revision) | (u64::from(control) << 16),
                1 | (u64::from(SELF_RELATIVE) << 16),
            ));
        }
        let mut end = field::LENGTH;
        let mut part = |field, decode: fn(&[u8]) -> Result<&[u8]>| -> Result<Option<&'a [u8]>> {
            let offset = bytes::u32_at(bytes, field)
                .map(bytes::usize_from_u32)
                .ok_or_else(cut)?;
            if offset == 0 {
                return Ok(None);
            }
            if offset < field::LENGTH {
                return Err(Malformed::truncated(
                    "part of a security descriptor in its header",
                    field,
                    offset,
                    field::LENGTH,
                ));
            }
            let part =
                decode(bytes.get(offset..).unwrap_or(&[])).map_err(|error| error.within(offset))?;
            end = end.max(offset.saturating_add(part.len()));
            Ok(Some(part))
        };
        let owner = part(field::OWNER, sid)?;
        let group = part(field::GROUP, sid)?;
        part(field::SACL, acl)?;
        part(field::DACL, acl)?;
        // INVARIANT: All parts were taken from `bytes`.
        Ok(Self {
            bytes,
            owner,
            group,
            end,
        })
    }

    /// The SID of the owner, if there is one.
    pub fn owner(&self) -> Option<&'a [u8]> {
        self.owner
    }

    /// The SID of the group, if there is one.
    pub fn group(&self) -> Option<&'a [u8]> {
        self.group
    }

    /// The bytes up to the end of the part that ends last.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes.get(..self.end).unwrap_or(self.bytes)
    }
}

/// The SID at the start of `bytes`.
fn sid(bytes: &[u8]) -> Result<&[u8]> {
    let revision = bytes::u8_at(bytes, sid_field::REVISION).unwrap_or(0);
    let count = bytes::u8_at(bytes, sid_field::COUNT).unwrap_or(0);
    if revision != 1 {
        return Err(Malformed::new(
            "revision of a SID",
            sid_field::REVISION,
            revision.into(),
            1,
        ));
    }
    if count > sid_field::MAX_COUNT {
        return Err(Malformed::new(
            "sub-authorities of a SID",
            sid_field::COUNT,
            count.into(),
            sid_field::MAX_COUNT.into(),
        ));
    }
    // At most 8 + 4 * 15.
    let length = usize::from(count)
        .saturating_mul(4)
        .saturating_add(sid_field::SUB_AUTHORITIES);
    bytes.get(..length).ok_or_else(|| {
        Malformed::truncated("SID beyond the security descriptor", 0, bytes.len(), length)
    })
}

/// The ACL at the start of `bytes`, whose entries have to fit in it.
fn acl(bytes: &[u8]) -> Result<&[u8]> {
    let beyond =
        |needed| Malformed::truncated("ACL beyond the security descriptor", 0, bytes.len(), needed);
    let length = bytes::u16_at(bytes, acl_field::LENGTH)
        .map(usize::from)
        .ok_or_else(|| beyond(acl_field::ENTRIES))?;
    let acl = bytes.get(..length).ok_or_else(|| beyond(length))?;
    let count = bytes::u16_at(acl, acl_field::COUNT).unwrap_or(0);
    let mut at = acl_field::ENTRIES;
    for _ in 0..count {
        let rest = acl.get(at..).unwrap_or(&[]);
        let length = bytes::u16_at(rest, ace_field::LENGTH).map(usize::from);
        match length {
            Some(length) if length >= ace_field::END && length <= rest.len() => {
                at = at.saturating_add(length);
            }
            found => {
                return Err(Malformed::truncated(
                    "entry beyond its ACL",
                    at,
                    found.unwrap_or(0),
                    rest.len(),
                ))
            }
        }
    }
    match length < acl_field::ENTRIES {
        true => Err(Malformed::truncated(
            "ACL shorter than its header",
            acl_field::LENGTH,
            length,
            acl_field::ENTRIES,
        )),
        false => Ok(acl),
    }
}
