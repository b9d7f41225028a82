// SPDX-License-Identifier: GPL-2.0-only

//! `FS_IOC_FIEMAP`: where a file is, told to those who may not read there.
//!
//! What the kernel's generic code reads is told by it. A unit that LZNT1 has compressed is told as encoded, as
//! long as its bytes are, from its first cluster on. What WOF has compressed lies in a stream without any
//! alignment: one extent stands for all of the file, and says that it has no place that would be of use. So it does for what EFS
//! has encrypted, with the option `efs_raw`: its last bytes are nowhere on the device.

use super::{
    error::report_file,
    inode,
    iomap,
    NtfsRs, //
};
use crate::{
    fs::{
        attribute::Attribute,
        data::{
            self,
            Source, //
        },
        residency::Form, //
    },
    ondisk::units::ByteOffset,
    vfs::{
        fiemap::{
            FiemapExtent,
            FiemapKind,
            FiemapRequest, //
        },
        inode::Inode, //
    },
};
use kernel::prelude::*;

/// Answers for a regular file.
pub(super) fn fiemap(inode: &Inode<NtfsRs>, request: FiemapRequest<'_>) -> Result {
    inode::check_readable(inode)?;
    if inode.data().file.is_overlaid() || inode::raw(inode).is_some() {
        let size = inode.size();
        return request.fill(inode, |at| {
            Ok((at < size).then_some(FiemapExtent {
                logical: 0,
                physical: 0,
                length: size,
                kind: FiemapKind::Packed,
            }))
        });
    }
    let stream = inode::stream(inode).filter(|it| it.residency().hint() == Form::NonResident);
    let unit = stream.and_then(Attribute::compression_unit);
    match (stream, unit) {
        (Some(stream), Some(unit)) => {
            request.fill(inode, |at| next_in_units(inode, stream, unit.bytes(), at))
        }
        _ => request.iomap::<_, iomap::Data>(inode),
    }
}

/// The extent at or behind `at` of a value in compression units of so many bytes.
fn next_in_units(
    inode: &Inode<NtfsRs>,
    stream: &Attribute,
    unit: u64,
    at: u64,
) -> Result<Option<FiemapExtent>> {
    let volume = inode.super_block().data().volume();
    let cluster = u64::from(volume.geometry().cluster_size().bytes());
    let size = inode.size();
    // What is told is whole clusters.
    let end = size.checked_next_multiple_of(cluster).unwrap_or(size);
    // The clusters of a unit that tell of `at` may lie before it.
    let mut from = at & !unit.saturating_sub(1);
    // Each turn goes on behind what it found.
    while from < size {
        let found = data::layout(&volume, stream, ByteOffset::new(from))
            .map_err(|error| report_file(inode, error))?;
        let behind = from.saturating_add(found.length.get());
        let behind = behind.checked_next_multiple_of(cluster).unwrap_or(behind);
        let behind = behind.min(end);
        if behind <= from {
            return Err(EIO);
        }
        let place = match found.source {
            Source::Hole | Source::Promised => None,
            Source::Device(address) | Source::Lost(address) => Some((address, FiemapKind::Plain)),
            Source::Uninitialized(address) => Some((address, FiemapKind::Unwritten)),
            Source::Encoded(address) => Some((address, FiemapKind::Encoded)),
        };
        if let Some((address, kind)) = place.filter(|_| behind > at) {
            return Ok(Some(FiemapExtent {
                logical: from,
                physical: address.get(),
                length: behind.saturating_sub(from),
                kind,
            }));
        }
        from = behind;
    }
    Ok(None)
}
