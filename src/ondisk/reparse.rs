// SPDX-License-Identifier: GPL-2.0-only

//! `$REPARSE_POINT`: what makes a file or directory stand for something else.
//!
//! The value has a tag that says who understands it, and data for that one. Links of Windows
//! (symbolic links, junctions, mount points) and symbolic links of WSL are decoded here.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::MftReference, //
};

/// Offsets within the value.
mod field {
    pub(super) const TAG: usize = 0x00;
    pub(super) const DATA_LENGTH: usize = 0x04;
    pub(super) const DATA: usize = 0x08;
    /// Tags that Microsoft did not give out are followed by a GUID.
    pub(super) const FOREIGN_DATA: usize = 0x18;
}

/// Offsets within the data of links.
mod link_field {
    pub(super) const SUBSTITUTE_OFFSET: usize = 0x00;
    pub(super) const SUBSTITUTE_LENGTH: usize = 0x02;
    pub(super) const PRINT_OFFSET: usize = 0x04;
    pub(super) const PRINT_LENGTH: usize = 0x06;
    pub(super) const SYMLINK_FLAGS: usize = 0x08;
    pub(super) const MOUNT_POINT_PATHS: usize = 0x08;
    pub(super) const SYMLINK_PATHS: usize = 0x0c;
}

/// Who understands a reparse point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReparseTag(u32);

impl ReparseTag {
    /// A junction, or a volume mounted on a folder.
    pub const MOUNT_POINT: Self = Self(0xa000_0003);
    /// A symbolic link of Windows.
    pub const SYMLINK: Self = Self(0xa000_000c);
    /// A symbolic link of WSL.
    pub const LX_SYMLINK: Self = Self(0xa000_001d);
    /// A file whose data is deduplicated.
    pub const DEDUP: Self = Self(0x8000_0013);
    /// A file compressed by the Windows overlay filter (`compact /exe`).
    pub const WOF: Self = Self(0x8000_0017);
    /// A socket in the file system.
    pub const AF_UNIX: Self = Self(0x8000_0023);
    /// A FIFO of WSL.
    pub const LX_FIFO: Self = Self(0x8000_0024);
    /// A character device of WSL; `$LXDEV` says which.
    pub const LX_CHR: Self = Self(0x8000_0025);
    /// A block device of WSL; `$LXDEV` says which.
    pub const LX_BLK: Self = Self(0x8000_0026);
    /// A file of a cloud service; 16 tags differ in the bits that [`Self::is_cloud`] leaves out.
    const CLOUD: u32 = 0x9000_001a;

    /// Takes the field as it is on the disk.
    pub const fn new(tag: u32) -> Self {
        Self(tag)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether the file stands for another named object, as links do.
    pub const fn is_name_surrogate(self) -> bool {
        self.0 & 0x2000_0000 != 0
    }

    /// Whether it belongs to a cloud service.
    pub const fn is_cloud(self) -> bool {
        self.0 & 0xffff_0fff == Self::CLOUD
    }

    const fn is_microsoft(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }
}

/// What `$Extend/$Reparse` has for a file with a reparse point; it is sorted by the tag, and then by two words of the
/// reference, the lower one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReparseKey([u32; 3]);

impl ReparseKey {
    /// That of a file.
    pub fn new(tag: ReparseTag, file: MftReference) -> Self {
        let [a, b, c, d, e, f, g, h] = file.to_raw().to_le_bytes();
        Self([
            tag.get(),
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, g, h]),
        ])
    }

    /// Decodes a key of the index.
    pub fn parse(key: &[u8]) -> Result<Self> {
        let word = |at| {
            let cut = Malformed::truncated("key of a reparse point cut off", 0, key.len(), 12);
            bytes::u32_at(key, at).ok_or(cut)
        };
        Ok(Self([word(0)?, word(4)?, word(8)?]))
    }
}

/// The value of `$REPARSE_POINT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReparsePoint<'a> {
    /// Who understands the data.
    pub tag: ReparseTag,
    /// The data.
    pub data: &'a [u8],
}

impl<'a> ReparsePoint<'a> {
    /// Decodes the value of the attribute.
    pub fn parse(value: &'a [u8]) -> Result<Self> {
        let cut = || Malformed::truncated("reparse point cut off", 0, value.len(), field::DATA);
        let tag = ReparseTag(bytes::u32_at(value, field::TAG).ok_or_else(cut)?);
        let length = usize::from(bytes::u16_at(value, field::DATA_LENGTH).ok_or_else(cut)?);
        let start = if tag.is_microsoft() {
            field::DATA
        } else {
            field::FOREIGN_DATA
        };
        let data = bytes::slice_at(value, start, length).ok_or_else(|| {
            Malformed::truncated(
                "data of the reparse point beyond its end",
                field::DATA_LENGTH,
                length,
                value.len().saturating_sub(start),
            )
        })?;
        Ok(Self { tag, data })
    }
}

/// A path in a reparse point: UTF-16 of any length below 64 KiB.
///
/// # Invariants
///
/// An even number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    bytes: &'a [u8],
}

impl<'a> Path<'a> {
    /// Reads the offset and length fields of a path and takes it from the buffer at `paths`.
    fn parse(data: &'a [u8], offset_at: usize, length_at: usize, paths: usize) -> Result<Self> {
        let cut = || Malformed::truncated("link target cut off", offset_at, data.len(), paths);
        let offset = usize::from(bytes::u16_at(data, offset_at).ok_or_else(cut)?);
        let length = usize::from(bytes::u16_at(data, length_at).ok_or_else(cut)?);
        match bytes::slice_at(data, paths.saturating_add(offset), length) {
            // INVARIANT: Checked here.
            Some(bytes) if length & 1 == 0 => Ok(Self { bytes }),
            Some(_) => Err(Malformed::truncated(
                "half a character in a link target",
                length_at,
                length,
                length & !1,
            )),
            None => Err(Malformed::truncated(
                "link target beyond the reparse point's end",
                offset_at,
                offset.saturating_add(length),
                data.len().saturating_sub(paths),
            )),
        }
    }

    /// The number of UTF-16 units.
    pub fn len(self) -> usize {
        self.bytes.len() >> 1
    }

    /// Whether there is no unit at all.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The UTF-16 units in order.
    pub fn units(self) -> impl ExactSizeIterator<Item = u16> + Clone + 'a {
        self.bytes.chunks_exact(2).map(|pair| match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        })
    }
}

/// A link of Windows: the data of [`ReparseTag::SYMLINK`] or [`ReparseTag::MOUNT_POINT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The path that Windows follows, absolute ones in the form `\??\C:\folder`.
    pub substitute_name: Path<'a>,
    /// The path for people; may be empty.
    pub print_name: Path<'a>,
    /// Whether the path is relative to the folder that the link is in.
    pub is_relative: bool,
}

impl<'a> Link<'a> {
    /// Decodes the data of a symbolic link.
    pub fn parse_symlink(data: &'a [u8]) -> Result<Self> {
        let flags = bytes::u32_at(data, link_field::SYMLINK_FLAGS).ok_or_else(|| {
            Malformed::truncated(
                "symbolic link cut off",
                link_field::SYMLINK_FLAGS,
                data.len(),
                link_field::SYMLINK_PATHS,
            )
        })?;
        Self::parse(data, link_field::SYMLINK_PATHS, flags & 1 != 0)
    }

    /// Decodes the data of a junction or mount point.
    pub fn parse_mount_point(data: &'a [u8]) -> Result<Self> {
        Self::parse(data, link_field::MOUNT_POINT_PATHS, false)
    }

    fn parse(data: &'a [u8], paths: usize, is_relative: bool) -> Result<Self> {
        Ok(Self {
            substitute_name: Path::parse(
                data,
                link_field::SUBSTITUTE_OFFSET,
                link_field::SUBSTITUTE_LENGTH,
                paths,
            )?,
            print_name: Path::parse(
                data,
                link_field::PRINT_OFFSET,
                link_field::PRINT_LENGTH,
                paths,
            )?,
            is_relative,
        })
    }
}

/// Decodes the data of a symbolic link of WSL: its target as the bytes that Linux gave.
pub fn parse_lx_symlink(data: &[u8]) -> Result<&[u8]> {
    match data.split_first_chunk::<4>() {
        Some((version, target)) if u32::from_le_bytes(*version) == 2 => Ok(target),
        Some((version, _)) => Err(Malformed::new(
            "version of a WSL symbolic link",
            0,
            u64::from(u32::from_le_bytes(*version)),
            2,
        )),
        None => Err(Malformed::truncated(
            "WSL symbolic link cut off",
            0,
            data.len(),
            4,
        )),
    }
}
