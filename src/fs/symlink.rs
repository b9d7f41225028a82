// SPDX-License-Identifier: GPL-2.0-only

//! The targets of symbolic links: those of Windows, junctions and mount points, those of WSL.
//!
//! A target of Windows is a path with backslashes, perhaps absolute with a drive letter, which Linux
//! cannot follow as it is. [`Target::raw`] only turns the separators; [`Target::within_volume`]
//! makes of an absolute path one that begins at the root of this volume, by going up from the link.

use kernel::prelude::*;

use super::{
    array,
    device::Device,
    error::{
        Error,
        Located,
        Result, //
    },
    inode::{
        read_small,
        Inode, //
    },
    store::Store, //
};
use crate::ondisk::{
    name::units_to_wtf8,
    reparse::{
        parse_lx_symlink,
        Link,
        Path,
        ReparsePoint,
        ReparseTag, //
    },
};

/// Where a symbolic link points.
pub enum Target {
    /// The text that Linux gave, as WSL stores it.
    Linux(KVec<u8>),
    /// A path of Windows, in WTF-8, with `/` instead of `\`.
    Windows {
        /// The path; an absolute one is like `/??/C:/folder`.
        path: KVec<u8>,
        /// Whether it begins at the directory that the link is in.
        is_relative: bool,
    },
}

/// Reads the target of a link; [`Error::NotFound`] if the file is none.
pub fn target<D: Device>(store: &Store<D>, inode: &Inode) -> Result<Target> {
    let reparse = inode.reparse().ok_or(Error::NotFound)?;
    let place = reparse.place();
    let value = read_small(store, reparse)?;
    let point = ReparsePoint::parse(&value).at(place)?;
    let link = match point.tag {
        ReparseTag::LX_SYMLINK => {
            let target = parse_lx_symlink(point.data).at(place)?;
            return Ok(Target::Linux(array::copied(target)?));
        }
        ReparseTag::SYMLINK => Link::parse_symlink(point.data).at(place)?,
        ReparseTag::MOUNT_POINT => Link::parse_mount_point(point.data).at(place)?,
        _ => return Err(Error::NotFound),
    };
    Ok(Target::Windows {
        path: to_linux(link.substitute_name)?,
        is_relative: link.is_relative,
    })
}

/// The path as WTF-8 with slashes.
fn to_linux(path: Path<'_>) -> Result<KVec<u8>> {
    // A unit takes three bytes at most.
    let room = path.len().saturating_mul(3);
    let mut text = KVec::<u8>::zeroed(room, GFP_KERNEL)?;
    let units = path.units().map(|unit| match unit {
        0x5c => 0x2f,
        unit => unit,
    });
    let length = units_to_wtf8(units, &mut text).unwrap_or(0);
    text.truncate(length);
    Ok(text)
}

impl Target {
    /// The target as it is stored, with slashes.
    pub fn raw(&self) -> &[u8] {
        match self {
            Self::Linux(text) => text,
            Self::Windows { path, .. } => path,
        }
    }

    /// The target with an absolute path of Windows turned into one that stays on this volume.
    ///
    /// `depth` is the number of directories between the root and the link (0 for a link in the
    /// root). The drive letter is taken for this volume's. [`Error::Unsupported`] for paths that
    /// lead elsewhere for certain: of the network, or of a volume by its GUID.
    pub fn within_volume(&self, depth: usize) -> Result<KVec<u8>> {
        let Self::Windows {
            path,
            is_relative: false,
        } = self
        else {
            return Ok(array::copied(self.raw())?);
        };
        let tail =
            on_drive(path).ok_or(Error::Unsupported("link to another computer or volume"))?;
        let mut text = KVec::new();
        let up = (0..depth).flat_map(|_| b"../");
        for byte in Iterator::chain(b"./".iter(), Iterator::chain(up, tail)) {
            array::push(&mut text, *byte)?;
        }
        Ok(text)
    }
}

/// What follows the drive letter of an absolute path.
fn on_drive(path: &[u8]) -> Option<&[u8]> {
    let path = path
        .strip_prefix(b"/??/")
        .or_else(|| path.strip_prefix(b"//?/"))
        .unwrap_or(path);
    match path {
        [letter, b':'] if letter.is_ascii_alphabetic() => Some(&[]),
        [letter, b':', b'/', tail @ ..] if letter.is_ascii_alphabetic() => Some(tail),
        [b'/', b'/', ..] => None,
        [b'/', tail @ ..] => Some(tail),
        _ => None,
    }
}
