// SPDX-License-Identifier: GPL-2.0-only

//! Regular files: open, read, seek, fiemap; and the ioctls that files and directories share.

use super::{
    inode,
    iomap::Data,
    NtfsRs, //
};
use crate::{
    ondisk::name::units_to_wtf8,
    vfs::{
        fiemap::FiemapRequest,
        file::{
            self,
            Seek, //
        },
        inode::{
            FileOperations,
            Inode,
            Operations, //
        },
        iomap,
        kiocb::Kiocb,
        kstat::Kstat, //
    },
};
use kernel::{
    ioctl::_IOR,
    iov::IovIterDest,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// What a regular file does.
pub(super) struct Regular;

impl Operations<NtfsRs> for Regular {
    fn getattr(inode: &Inode<NtfsRs>, stat: &mut Kstat) -> Result {
        inode::getattr(inode, stat)
    }
}

impl FileOperations<NtfsRs> for Regular {
    fn fiemap(inode: &Inode<NtfsRs>, request: FiemapRequest<'_>) -> Result {
        inode::check_readable(inode)?;
        request.iomap::<_, Data>(inode)
    }
}

impl file::Operations<NtfsRs> for Regular {
    fn open(inode: &Inode<NtfsRs>) -> Result {
        inode::check_readable(inode)
    }

    fn read_iter(iocb: &mut Kiocb<'_, NtfsRs>, to: &mut IovIterDest<'_>) -> Result<usize> {
        if iocb.is_direct() && inode::uses_iomap(iocb.inode()) {
            return iocb.iomap_dio_read::<Data>(to);
        }
        iocb.filemap_read(to)
    }

    fn seek(inode: &Inode<NtfsRs>, offset: u64, what: Seek) -> Result<u64> {
        match what {
            Seek::Data => iomap::seek_data::<_, Data>(inode, offset),
            Seek::Hole => iomap::seek_hole::<_, Data>(inode, offset),
        }
    }

    fn ioctl(inode: &Inode<NtfsRs>, cmd: u32, arg: UserPtr) -> Result<isize> {
        ioctl(inode, cmd, arg)
    }
}

/// Bytes of a label as `FS_IOC_GETFSLABEL` gives it (`FSLABEL_MAX`), with the NUL.
const LABEL_BYTES: usize = 256;
/// `FS_IOC_GETFSLABEL`.
const GET_LABEL: u32 = _IOR::<[u8; LABEL_BYTES]>(0x94, 49);

/// The ioctls of any file or directory. (`FS_IOC_GETFSUUID` is the VFS's.)
pub(super) fn ioctl(inode: &Inode<NtfsRs>, cmd: u32, arg: UserPtr) -> Result<isize> {
    match cmd {
        GET_LABEL => {
            let mut label = [0; LABEL_BYTES];
            let (text, _nul) = label.split_at_mut(LABEL_BYTES - 1);
            let volume = inode.super_block().data().volume();
            // A label has 32 characters at most; a longer one would not fit, and is not shown.
            if units_to_wtf8(volume.label().iter().copied(), text).is_none() {
                text.fill(0);
            }
            let mut out = UserSlice::new(arg, LABEL_BYTES).writer();
            out.write_slice(&label)?;
            Ok(0)
        }
        _ => Err(ENOTTY),
    }
}
