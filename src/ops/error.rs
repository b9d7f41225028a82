// SPDX-License-Identifier: GPL-2.0-only

//! From an error of the file system to an errno and a line in the log.
//!
//! This is the one place where an errno is chosen.

use super::{
    options::OnErrors,
    NtfsRs, //
};
use crate::{
    fs::error::Error as FsError,
    vfs::{
        fs_context::FsContext,
        inode::Inode,
        new_super_block::NewSuperBlock,
        super_block::SuperBlock, //
    },
};
use kernel::prelude::*;

impl From<FsError> for Error {
    fn from(error: FsError) -> Self {
        match error {
            // The block layer says more than `EIO` at times, but users expect that one; being
            // interrupted is no failure of the device.
            FsError::Device(EINTR) => EINTR,
            FsError::Device(ENOMEM) | FsError::NoMemory => ENOMEM,
            FsError::Device(_) | FsError::Unwritten(_) => EIO,
            FsError::NotNtfs => EINVAL,
            FsError::Corrupt(_) => EUCLEAN,
            FsError::NoSpace => ENOSPC,
            // What is in the way is to be moved out of the record by who writes; nobody else sees it.
            FsError::NoRoom => ENOSPC,
            FsError::ReadOnly => EROFS,
            FsError::NotFound => ENOENT,
            FsError::Stale(_) => ESTALE,
            FsError::NotDirectory => ENOTDIR,
            FsError::Unsupported(_) => EOPNOTSUPP,
            // As Windows says it to who has not the key.
            FsError::Encrypted => EACCES,
        }
    }
}

/// Logs what deserves a line, does what `errors=` says, and gives the errno.
pub(super) fn report(sb: &SuperBlock<NtfsRs>, error: FsError) -> Error {
    let errno = log(sb, error);
    if error.is_damage() {
        damaged(sb);
    }
    errno
}

/// The volume is damaged, which was said: does what `errors=` says, if the volume is written. Never waits;
/// callable under any lock.
///
/// `SB_RDONLY` is left alone, which only a remount may change: each way to write looks at
/// [`Volume::is_stopped`](crate::fs::volume::Volume::is_stopped) instead.
pub(super) fn damaged(sb: &SuperBlock<NtfsRs>) {
    let volume = sb.data().volume();
    if !volume.is_writable() {
        return;
    }
    let reaction = sb.data().options.errors();
    if reaction == OnErrors::Continue {
        return volume.note_damage();
    }
    if reaction == OnErrors::Panic {
        sb.panic();
    }
    if volume.shutdown() {
        sb.critical(fmt!(
            "not written any more because of this error: unmount it and let Windows check it (chkdsk /f)"
        ));
    }
}

/// Logs what deserves a line, and gives the errno.
///
/// A name that does not exist, a file that was deleted meanwhile and a full volume are no news.
pub(super) fn log(sb: &SuperBlock<NtfsRs>, error: FsError) -> Error {
    match error {
        FsError::NotFound
        | FsError::NoSpace
        | FsError::ReadOnly
        | FsError::Stale(_)
        | FsError::NotDirectory
        | FsError::NoMemory => {}
        FsError::Unsupported(_) | FsError::Encrypted | FsError::NoRoom => {
            sb.warn(fmt!("{}", error))
        }
        FsError::NotNtfs | FsError::Corrupt(_) | FsError::Device(_) | FsError::Unwritten(_) => {
            sb.error(fmt!("{}", error))
        }
    }
    error.into()
}

/// As [`report`], for something that was tried with a file.
pub(super) fn report_file(inode: &Inode<NtfsRs>, error: FsError) -> Error {
    let sb = inode.super_block();
    match error {
        // The other errors say where they were found.
        FsError::Unsupported(_) | FsError::Encrypted => {
            sb.warn(fmt!("file {}: {}", inode.ino(), error));
            error.into()
        }
        _ => report(sb, error),
    }
}

/// As [`report`], for a volume that cannot be mounted: whoever mounts it is told too.
pub(super) fn report_new(fc: &FsContext, sb: &NewSuperBlock<'_, NtfsRs>, error: FsError) -> Error {
    if !fc.is_silent() {
        sb.error(fmt!("cannot mount: {}", error));
    }
    fc.errorf(fmt!("{}", error));
    error.into()
}
