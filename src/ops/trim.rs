// SPDX-License-Identifier: GPL-2.0-only

//! `FITRIM`, which `fstrim(8)` calls: discarding the free clusters of a volume.

use super::{
    error::report,
    NtfsRs, //
};
use crate::{
    fs::{
        device::Device,
        trim::{
            self,
            Request, //
        },
    },
    ondisk::units::{
        ByteCount,
        ByteOffset, //
    },
    vfs::{
        ids,
        super_block::SuperBlock, //
    },
};
use kernel::{
    ioctl::_IOWR,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// `struct fstrim_range`: `start`, `len`, `minlen`, in bytes.
type FstrimRange = [u64; 3];

/// `FITRIM`.
pub(super) const FITRIM: u32 = _IOWR::<FstrimRange>(0x58, 121);

/// Trims as `FITRIM` says. The length becomes that of what was discarded.
///
/// Of a volume that is not written nothing is trimmed: ext4 and XFS do so where the log was not replayed,
/// and here it is not where a mount is read-only.
pub(super) fn trim(sb: &SuperBlock<NtfsRs>, arg: UserPtr) -> Result<isize> {
    if !ids::is_capable_of_administration() {
        return Err(EPERM);
    }
    if sb.data().volume().device().discard_unit().is_none() {
        return Err(EOPNOTSUPP);
    }
    let user = || UserSlice::new(arg, size_of::<FstrimRange>());
    let [start, length, least] = user().reader().read::<FstrimRange>()?;
    let trimmed = free_clusters(sb, start, length, least)?;
    user().writer().write(&[start, trimmed.get(), least])?;
    Ok(0)
}

fn free_clusters(
    sb: &SuperBlock<NtfsRs>,
    start: u64,
    length: u64,
    least: u64,
) -> Result<ByteCount> {
    let volume = sb.data().volume();
    if !volume.is_writable() {
        return Err(EROFS);
    }
    let size = volume.geometry().volume_size().get();
    let cluster = u64::from(volume.geometry().cluster_size().bytes());
    if start >= size || least > size || length < cluster {
        return Err(EINVAL);
    }
    let request = Request {
        from: ByteOffset::new(start),
        to: ByteOffset::new(start.saturating_add(length)),
        least: ByteCount::new(least),
    };
    trim::trim(&volume, request, || !ids::is_killed()).map_err(|error| report(sb, error))
}
