// SPDX-License-Identifier: GPL-2.0-only

//! Symbolic links: those of Windows, junctions, mount points, and those of WSL.

use super::{
    error::report_file,
    inode,
    options::NativeSymlink,
    xattr,
    Data,
    NtfsRs,
    Volume, //
};
use crate::{
    fs::{
        error::Error as FsError,
        inode::Inode as File,
        symlink::target, //
    },
    ondisk::units::system_record,
    vfs::{
        iattr::Iattr,
        inode::{
            Inode,
            Operations,
            SymlinkOperations, //
        },
        kstat::Kstat,
        xattr::Names, //
    },
};
use kernel::prelude::*;

/// What a symbolic link does.
pub(super) struct Link;

impl Operations<NtfsRs> for Link {
    fn getattr(inode: &Inode<NtfsRs>, stat: &mut Kstat) -> Result {
        inode::getattr(inode, stat)
    }

    fn file_flags(inode: &Inode<NtfsRs>) -> u32 {
        inode::file_flags(inode)
    }

    fn setattr(inode: &Inode<NtfsRs>, attr: &mut Iattr) -> Result {
        inode::setattr(inode, attr)
    }

    fn listxattr(inode: &Inode<NtfsRs>, names: &mut Names<'_>) -> Result {
        xattr::list(inode, names)
    }
}

impl SymlinkOperations<NtfsRs> for Link {
    fn get_link(inode: &Inode<NtfsRs>) -> Result<KVec<u8>> {
        let data = inode.super_block().data();
        text(data, &inode.data().file).map_err(|error| report_file(inode, error))
    }
}

/// The target as a user sees it.
pub(super) fn text(data: &Data, link: &File) -> Result<KVec<u8>, FsError> {
    let target = target(&data.volume(), link)?;
    match data.options.native_symlink {
        NativeSymlink::Relative => target.within_volume(depth(&data.volume(), link)?),
        NativeSymlink::Raw => {
            let mut text = KVec::new();
            text.extend_from_slice(target.raw(), GFP_KERNEL)?;
            Ok(text)
        }
    }
}

/// More directories above each other than a path can name.
const MAX_DEPTH: usize = 2048;

/// How many directories there are between the root and a link.
fn depth(volume: &Volume, link: &File) -> Result<usize, FsError> {
    let mut parent = link.parent().ok_or(FsError::NotFound)?;
    for depth in 0..MAX_DEPTH {
        if parent.number == system_record::ROOT {
            return Ok(depth);
        }
        parent = volume.inode(parent)?.parent().ok_or(FsError::NotFound)?;
    }
    Err(FsError::Unsupported("directory that is its own parent"))
}
