// SPDX-License-Identifier: GPL-2.0-only

//! POSIX access control lists, for the option `acl`: the EAs in which the drivers in the kernel keep them.
//!
//! A list gives nobody more than the mode does, which may come from the mount's options, or be without permissions
//! to write since Windows calls the file read-only.

use super::{
    xattr,
    NtfsRs, //
};
use crate::{
    fs::array,
    ondisk::posix_acl::{
        self,
        PosixAcl as List, //
    },
    vfs::{
        inode::Inode,
        mode,
        posix_acl::{
            PosixAcl,
            Which, //
        }, //
    },
};
use kernel::prelude::*;

/// A list of a file, if it has one.
pub(super) fn get(inode: &Inode<NtfsRs>, which: Which) -> Result<Option<PosixAcl>> {
    let (name, mode) = match which {
        Which::Access => (posix_acl::ACCESS, inode.mode()),
        // What it is for has a mode of its own.
        Which::Default => (posix_acl::DEFAULT, mode::RWX),
    };
    let found = xattr::with_ea(inode, &[name], |value| {
        let list = List::parse(value).map_err(|what| xattr::damaged(inode, what))?;
        let within = array::collected(list.within(mode), value.len())?;
        Ok::<KVec<u8>, Error>(within)
    })?;
    match found.transpose()? {
        Some(value) => PosixAcl::from_xattr(inode.super_block(), &value),
        None => Ok(None),
    }
}
