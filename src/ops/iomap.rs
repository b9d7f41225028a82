// SPDX-License-Identifier: GPL-2.0-only

//! Where a file is on the device, for the kernel's generic code: page cache, direct I/O, fiemap,
//! `SEEK_HOLE`, bmap; and where it is to be written.
//!
//! Only values in clusters are read and written this way. No record lock is held from here to the end of
//! the I/O.

use super::{
    error::report_file,
    inode,
    NtfsRs, //
};
use crate::{
    fs::{
        attribute::Attribute,
        data::{
            self,
            ByteExtent,
            Source, //
        },
        file,
        residency::Form, //
    },
    ondisk::units::{
        ByteCount,
        ByteOffset, //
    },
    vfs::{
        inode::Inode,
        iomap::{
            self,
            Extent,
            ExtentKind,
            Flags, //
        },
        iomap_write::WriteOperations, //
    },
};
use kernel::prelude::*;

/// The mapping of the unnamed `$DATA` attribute.
pub(crate) struct Data;

impl iomap::Operations<NtfsRs> for Data {
    fn begin(inode: &Inode<NtfsRs>, pos: u64, length: u64, flags: Flags) -> Result<Extent> {
        let size = inode.size();
        // A write looks behind the end too, where there can be clusters.
        let stream = inode::stream(inode).filter(|_| pos < size || flags.is_write());
        let Some(attribute) = stream else {
            return Ok(Extent {
                offset: pos,
                length,
                kind: ExtentKind::Hole,
            });
        };
        let is_elsewhere = inode.data().file.is_overlaid() || inode::raw(inode).is_some();
        if attribute.residency().hint() == Form::Resident || is_elsewhere {
            return Ok(Extent {
                offset: 0,
                length: size,
                kind: ExtentKind::Inline,
            });
        }
        // By whole blocks: behind the last bytes that were written in a block the rest of it is nothing of its
        // own.
        let block = u64::try_from(inode.super_block().block_size())?;
        let start = pos & !block.saturating_sub(1);
        let found = data::map_extent(
            &inode.super_block().data().volume(),
            attribute,
            ByteOffset::new(start),
        )
        .map_err(|error| report_file(inode, error))?;
        extent(inode, start, found)
    }
}

impl WriteOperations<NtfsRs> for Data {
    fn sequence(inode: &Inode<NtfsRs>) -> u32 {
        inode::stream(inode).map_or(0, Attribute::sequence)
    }

    fn unit(inode: &Inode<NtfsRs>) -> u64 {
        let volume = inode.super_block().data().volume();
        u64::from(volume.geometry().cluster_size().bytes())
    }

    fn reserve(inode: &Inode<NtfsRs>, pos: u64, length: u64) -> Result {
        let volume = inode.super_block().data().volume();
        let (at, length) = (ByteOffset::new(pos), ByteCount::new(length));
        file::reserve(&volume, inode::writable_stream(inode)?, at, length)
            .map_err(|error| report_file(inode, error))?;
        Ok(())
    }

    fn release(inode: &Inode<NtfsRs>, pos: u64, length: u64) {
        let volume = inode.super_block().data().volume();
        if let Some(attribute) = inode::stream(inode) {
            let (at, length) = (ByteOffset::new(pos), ByteCount::new(length));
            // What cannot be given back now is so when the inode goes.
            let _ = file::unreserve(&volume, attribute, at, length)
                .map_err(|error| report_file(inode, error));
        }
    }

    fn allocate(inode: &Inode<NtfsRs>, pos: u64, length: u64) -> Result<Extent> {
        let volume = inode.super_block().data().volume();
        let (at, length) = (ByteOffset::new(pos), ByteCount::new(length));
        let found = file::allocate(&volume, inode::writable_stream(inode)?, at, length)
            .map_err(|error| report_file(inode, error))?;
        extent(inode, found.offset.get(), found)
    }

    fn written(inode: &Inode<NtfsRs>, pos: u64, length: u64, ok: bool) -> Result {
        let volume = inode.super_block().data().volume();
        let (at, length) = (ByteOffset::new(pos), ByteCount::new(length));
        let attribute = inode::stream(inode).ok_or(EIO)?;
        let noted = file::written(&volume, attribute, at, length, ok)
            .map_err(|error| report_file(inode, error));
        // The record is to know.
        inode.mark_dirty();
        noted
    }

    fn initialized(inode: &Inode<NtfsRs>, end: u64) {
        if let Some(attribute) = inode::stream(inode) {
            file::set_initialized(attribute, ByteCount::new(end));
        }
    }
}

/// Whether the bytes from `pos` to before `end` have places on the device, no more than `most` of them, and
/// are written there, as far as that is known without waiting.
pub(super) fn is_on_device(inode: &Inode<NtfsRs>, pos: u64, end: u64, most: usize) -> bool {
    let volume = inode.super_block().data().volume();
    let Some(attribute) = inode::stream(inode) else {
        return false;
    };
    let mut at = pos;
    for _ in 0..most {
        match data::map_extent_at_once(&volume, attribute, ByteOffset::new(at)) {
            Some(ByteExtent {
                source: Source::Device(_),
                length,
                ..
            }) => at = at.saturating_add(length.get()),
            _ => return false,
        }
        if at >= end {
            return true;
        }
    }
    false
}

/// Whether the bytes at `pos` can be looked for without waiting.
pub(super) fn is_known(inode: &Inode<NtfsRs>, pos: u64) -> bool {
    let volume = inode.super_block().data().volume();
    let at = ByteOffset::new(pos);
    inode::uses_iomap(inode)
        && inode::stream(inode)
            .is_some_and(|stream| data::map_extent_at_once(&volume, stream, at).is_some())
}

/// What was found from `pos` on, as the kernel's generic code has it.
///
/// The last bytes that were written may end within a block. It is mapped as a whole, and what is behind
/// them is zeroed when it is read, see [`Inode::valid_size`].
fn extent(inode: &Inode<NtfsRs>, pos: u64, found: ByteExtent) -> Result<Extent> {
    let block = u64::try_from(inode.super_block().block_size())?;
    let end = pos.saturating_add(found.length.get());
    let end = end.checked_next_multiple_of(block).unwrap_or(end);
    Ok(Extent {
        offset: pos,
        length: end.min(i64::MAX.unsigned_abs()).saturating_sub(pos),
        kind: match found.source {
            Source::Hole => ExtentKind::Hole,
            Source::Device(at) => ExtentKind::Mapped { address: at.get() },
            Source::Uninitialized(at) => ExtentKind::Unwritten { address: at.get() },
            Source::Promised => ExtentKind::Delayed,
            Source::Lost(at) => ExtentKind::Lost { address: at.get() },
            // Nobody may take that for the bytes themselves.
            Source::Encoded(_) => ExtentKind::Inline,
        },
    })
}
