// SPDX-License-Identifier: GPL-2.0-only

//! Regular files: open, read, seek, fiemap, fsync; and what files and directories share.

use super::{
    error::report,
    fallocate,
    fiemap,
    inode,
    iomap::{
        self,
        Data, //
    },
    posix_acl,
    trim,
    write,
    xattr,
    NtfsRs, //
};
use crate::{
    fs::inode::Kind,
    ondisk::name::units_to_wtf8,
    vfs::{
        self,
        fiemap::FiemapRequest,
        file::{
            self,
            Seek, //
        },
        iattr::Iattr,
        ids,
        inode::{
            AclOperations,
            FileOperations,
            Inode,
            Operations, //
        },
        inode_lock::SharedInodeLock,
        kiocb::Kiocb,
        kstat::Kstat,
        posix_acl::{
            PosixAcl,
            Which, //
        },
        super_block::SuperBlock,
        xattr::Names, //
    },
};
use kernel::{
    ioctl::_IOR,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
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

    fn file_flags(inode: &Inode<NtfsRs>) -> u32 {
        inode::file_flags(inode)
    }

    fn setattr(inode: &Inode<NtfsRs>, attr: &mut Iattr) -> Result {
        if inode.data().file.kind() != Kind::File {
            return inode::setattr(inode, attr);
        }
        inode::check_not_stopped(inode)?;
        if let Some(mode) = attr.mode() {
            attr.set_mode(inode::set_mode(inode, mode)?);
        }
        if let Some(size) = attr.size() {
            inode.dio_wait();
            write::truncate(inode, size)?;
        }
        Ok(())
    }

    fn listxattr(inode: &Inode<NtfsRs>, names: &mut Names<'_>) -> Result {
        xattr::list(inode, names)
    }
}

impl AclOperations<NtfsRs> for Regular {
    fn posix_acl(inode: &Inode<NtfsRs>, which: Which) -> Result<Option<PosixAcl>> {
        posix_acl::get(inode, which)
    }
}

impl FileOperations<NtfsRs> for Regular {
    fn fiemap(inode: &Inode<NtfsRs>, request: FiemapRequest<'_>) -> Result {
        fiemap::fiemap(inode, request)
    }
}

impl file::Operations<NtfsRs> for Regular {
    fn open(inode: &Inode<NtfsRs>, writing: bool) -> Result {
        if writing {
            inode::check_can_be_written(inode)?;
        }
        inode::check_readable(inode)
    }

    fn read_iter(iocb: &mut Kiocb<'_, NtfsRs>, to: &mut IovIterDest<'_>) -> Result<usize> {
        if iocb.is_nowait() && !iomap::is_known(iocb.inode(), iocb.pos()) {
            return iocb.filemap_read_cached(to);
        }
        if iocb.is_direct() {
            if let Some(read) = read_directly(iocb, to)? {
                return Ok(read);
            }
        }
        iocb.filemap_read(to)
    }

    fn write_iter(iocb: &mut Kiocb<'_, NtfsRs>, from: &mut IovIterSource<'_>) -> Result<usize> {
        write::write_iter(iocb, from)
    }

    fn fsync(inode: &Inode<NtfsRs>) -> Result {
        fsync(inode)
    }

    fn release(inode: &Inode<NtfsRs>) {
        let sb = inode.super_block();
        if !sb.is_read_only() && !sb.data().volume().is_stopped() {
            // Who listens is told at fsync, or when the inode is written again; the log has it already.
            let _ = inode::write(inode, false);
        }
    }

    fn fallocate(inode: &Inode<NtfsRs>, mode: u32, offset: u64, len: u64) -> Result {
        fallocate::fallocate(inode, mode, offset, len)
    }

    fn seek(inode: &Inode<NtfsRs>, offset: u64, what: Seek) -> Result<u64> {
        match what {
            Seek::Data => vfs::iomap::seek_data::<_, Data>(inode, offset),
            Seek::Hole => vfs::iomap::seek_hole::<_, Data>(inode, offset),
        }
    }

    fn ioctl(inode: &Inode<NtfsRs>, cmd: u32, arg: UserPtr) -> Result<isize> {
        ioctl(inode, cmd, arg)
    }
}

/// Reads around the page cache, or not at all, if bytes are not in clusters.
///
/// Where they are is asked with the inode locked: when the read is under way, who takes the clusters away
/// waits for it, but not before.
fn read_directly(iocb: &mut Kiocb<'_, NtfsRs>, to: &mut IovIterDest<'_>) -> Result<Option<usize>> {
    let inode = iocb.inode();
    let _lock = match iocb.is_nowait() {
        true => SharedInodeLock::try_lock(inode).ok_or(EAGAIN)?,
        false => SharedInodeLock::lock(inode),
    };
    match inode::uses_iomap(inode) {
        true => iocb.iomap_dio_read::<Data>(to),
        false => Ok(None),
    }
}

/// Makes durable what belongs to a file or directory, but for its dirty folios.
pub(super) fn fsync(inode: &Inode<NtfsRs>) -> Result {
    if inode.super_block().is_read_only() {
        return Ok(());
    }
    inode::write(inode, true)?;
    let sb = inode.super_block();
    sb.data().volume().sync().map_err(|error| report(sb, error))
}

/// Bytes of a label as `FS_IOC_GETFSLABEL` gives it (`FSLABEL_MAX`), with the NUL.
const LABEL_BYTES: usize = 256;
/// `FS_IOC_GETFSLABEL`.
const GET_LABEL: u32 = _IOR::<[u8; LABEL_BYTES]>(0x94, 49);
/// `FS_IOC_SHUTDOWN`.
const SHUTDOWN: u32 = _IOR::<u32>(0x58, 125);
/// `FS_SHUTDOWN_FLAGS_DEFAULT`: with everything on the device.
const SHUTDOWN_AFTER_ALL: u32 = 0;
/// `FS_SHUTDOWN_FLAGS_LOGFLUSH`: data that is in memory only is lost.
const SHUTDOWN_AFTER_METADATA: u32 = 1;
/// `FS_SHUTDOWN_FLAGS_NOLOGFLUSH`: what is in memory only is lost.
const SHUTDOWN_AT_ONCE: u32 = 2;

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
        trim::FITRIM => trim::trim(inode.super_block(), arg),
        SHUTDOWN => {
            if !ids::is_capable_of_administration() {
                return Err(EPERM);
            }
            let how = UserSlice::new(arg, size_of::<u32>())
                .reader()
                .read::<u32>()?;
            shutdown(inode.super_block(), how).map(|()| 0)
        }
        _ => Err(ENOTTY),
    }
}

/// Stops writing for good.
fn shutdown(sb: &SuperBlock<NtfsRs>, how: u32) -> Result {
    let stop = || {
        sb.data().volume().shutdown();
    };
    match how {
        // Nothing is brought to the device any more.
        SHUTDOWN_AFTER_ALL..=SHUTDOWN_AT_ONCE if sb.data().volume().is_stopped() => {}
        SHUTDOWN_AFTER_ALL => return sb.while_frozen(stop),
        SHUTDOWN_AFTER_METADATA => {
            let synced = sb.data().volume().sync();
            synced.map_err(|error| report(sb, error))?;
        }
        SHUTDOWN_AT_ONCE => {}
        _ => return Err(EINVAL),
    }
    stop();
    Ok(())
}
