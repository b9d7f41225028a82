// SPDX-License-Identifier: GPL-2.0-only

//! POSIX access control lists, as the drivers in Linux keep them: each in an EA with the name, and the bytes, that
//! `setxattr(2)` has for it.
//!
//! Windows knows nothing of them. A list begins with a version; entries follow, in the order owner, named users,
//! group, named groups, mask, others.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
};

/// The name of the EA with the list that says who may access a file.
pub const ACCESS: &[u8] = b"system.posix_acl_access";
/// The name of the EA with the list that new files of a directory get.
pub const DEFAULT: &[u8] = b"system.posix_acl_default";

/// `POSIX_ACL_XATTR_VERSION`.
const VERSION: u32 = 2;
/// Bytes of the header, which is the version.
const HEADER: usize = 4;
/// Bytes of an entry.
const ENTRY: usize = 8;
/// No user and no group.
const NOBODY: u32 = u32::MAX;
/// Read, write, execute.
const PERMISSIONS: u16 = 0o7;

/// Offsets within an entry, in bytes.
mod field {
    pub(super) const TAG: usize = 0x0;
    pub(super) const PERMISSIONS: usize = 0x2;
    pub(super) const ID: usize = 0x4;
}

/// Whom an entry is about, in the order in which a list has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tag {
    Owner,
    User,
    Group,
    NamedGroup,
    Mask,
    Others,
}

impl Tag {
    fn from_raw(raw: u16) -> Option<Self> {
        Some(match raw {
            0x01 => Self::Owner,
            0x02 => Self::User,
            0x04 => Self::Group,
            0x08 => Self::NamedGroup,
            0x10 => Self::Mask,
            0x20 => Self::Others,
            _ => return None,
        })
    }

    /// Whether a list can have several of them, each with a user or group of its own.
    fn is_named(self) -> bool {
        matches!(self, Self::User | Self::NamedGroup)
    }
}

/// A list that is checked.
///
/// # Invariants
///
/// `entries` are whole entries with known tags, in order; without any, or with one each for owner, group and others
/// at least, and one for the mask if a user or group is named.
#[derive(Clone, Copy, Debug)]
pub struct PosixAcl<'a> {
    entries: &'a [u8],
    has_mask: bool,
}

impl<'a> PosixAcl<'a> {
    /// Decodes the value of the EA.
    pub fn parse(value: &'a [u8]) -> Result<Self> {
        let version = bytes::u32_at(value, 0).ok_or(Malformed::truncated(
            "access control list cut off",
            0,
            value.len(),
            HEADER,
        ))?;
        if version != VERSION {
            let (found, expected) = (u64::from(version), u64::from(VERSION));
            let what = "version of the access control list";
            return Err(Malformed::new(what, 0, found, expected));
        }
        let entries = value.get(HEADER..).unwrap_or(&[]);
        let mut last = None;
        let mut count: usize = 0;
        let mut has_named = false;
        let mut has_mask = false;
        let mut at = HEADER;
        for entry in entries.chunks(ENTRY) {
            let tag = check(entry, last).map_err(|error| error.within(at))?;
            at = at.saturating_add(ENTRY);
            // In order, so that each of the others comes once.
            count = count.saturating_add(usize::from(!tag.is_named()));
            has_named |= tag.is_named();
            has_mask |= tag == Tag::Mask;
            last = Some(tag);
        }
        let expected = 3_usize.saturating_add(usize::from(has_named || has_mask));
        if last.is_some() && count != expected {
            let what = "entries of an access control list for nobody by name";
            let (found, expected) = (
                bytes::u64_from_usize(count),
                bytes::u64_from_usize(expected),
            );
            return Err(Malformed::new(what, HEADER, found, expected));
        }
        // INVARIANT: Four kinds that come once, and are in order, are three of them and the mask: without a mask
        // there were three at most.
        Ok(Self { entries, has_mask })
    }

    /// Whether it says nothing, which is the same as no list.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of the list, as they were decoded, but without the permissions that `mode` does not give to the
    /// same people: the mask stands for all but owner and others.
    pub fn within(&self, mode: u16) -> impl Iterator<Item = u8> + 'a {
        let (entries, has_mask) = (self.entries, self.has_mask);
        let entries = entries.chunks_exact(ENTRY).flat_map(move |entry| {
            let field = |at| bytes::u16_at(entry, at).unwrap_or(0);
            let tag = field(field::TAG);
            let limit = match Tag::from_raw(tag) {
                Some(Tag::Owner) => mode >> 6,
                Some(Tag::Mask) => mode >> 3,
                Some(Tag::Group) if !has_mask => mode >> 3,
                Some(Tag::Others) => mode,
                _ => PERMISSIONS,
            };
            let permissions = field(field::PERMISSIONS) & limit & PERMISSIONS;
            let id = bytes::u32_at(entry, field::ID).unwrap_or(NOBODY);
            let head = tag.to_le_bytes().into_iter();
            let head = Iterator::chain(head, permissions.to_le_bytes());
            Iterator::chain(head, id.to_le_bytes())
        });
        Iterator::chain(VERSION.to_le_bytes().into_iter(), entries)
    }
}

/// Checks an entry that comes behind one with the tag `last`, and gives its tag.
fn check(entry: &[u8], last: Option<Tag>) -> Result<Tag> {
    let cut = || {
        let what = "entry of an access control list cut off";
        Malformed::truncated(what, 0, entry.len(), ENTRY)
    };
    let raw = bytes::u16_at(entry, field::TAG).ok_or_else(cut)?;
    let permissions = bytes::u16_at(entry, field::PERMISSIONS).ok_or_else(cut)?;
    let id = bytes::u32_at(entry, field::ID).ok_or_else(cut)?;
    let wrong = |what, at, found, expected| Err(Malformed::new(what, at, found, expected));
    let Some(tag) = Tag::from_raw(raw) else {
        return wrong("tag of an access control list", field::TAG, raw.into(), 0);
    };
    let is_in_order = match last {
        None => tag == Tag::Owner,
        Some(last) => tag > last || (tag == last && tag.is_named()),
    };
    if !is_in_order {
        let what = "order of the tags of an access control list";
        return wrong(what, field::TAG, raw.into(), 0);
    }
    if permissions & !PERMISSIONS != 0 {
        let what = "permissions of an access control list";
        let (found, expected) = (permissions.into(), PERMISSIONS.into());
        return wrong(what, field::PERMISSIONS, found, expected);
    }
    if tag.is_named() && id == NOBODY {
        let what = "user or group of an access control list";
        return wrong(what, field::ID, id.into(), 0);
    }
    Ok(tag)
}
