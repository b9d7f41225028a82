// SPDX-License-Identifier: GPL-2.0-only

//! Where a file is on the device, for the kernel's generic code: page cache, direct I/O, fiemap,
//! `SEEK_HOLE`, bmap.
//!
//! Only values in clusters are read this way. No record lock is held from here to the end of the I/O.

use super::{
    error::report_file,
    inode,
    NtfsRs, //
};
use crate::{
    fs::{
        data::{
            self,
            Source, //
        },
        residency::Form, //
    },
    ondisk::units::ByteOffset,
    vfs::{
        inode::Inode,
        iomap::{
            self,
            Extent,
            ExtentKind,
            Flags, //
        }, //
    },
};
use kernel::prelude::*;

/// The mapping of the unnamed `$DATA` attribute.
pub(super) struct Data;

impl iomap::Operations<NtfsRs> for Data {
    fn begin(inode: &Inode<NtfsRs>, pos: u64, length: u64, _flags: Flags) -> Result<Extent> {
        let size = inode.size();
        let stream = inode::stream(inode).filter(|_| pos < size);
        let Some(attribute) = stream else {
            return Ok(Extent {
                offset: pos,
                length,
                kind: ExtentKind::Hole,
            });
        };
        if attribute.residency().hint() == Form::Resident {
            return Ok(Extent {
                offset: 0,
                length: size,
                kind: ExtentKind::Inline,
            });
        }
        let sb = inode.super_block();
        let found = data::map_extent(&sb.data().volume(), attribute, ByteOffset::new(pos))
            .map_err(|error| report_file(inode, error))?;
        // The last bytes that were written may end within a block. It is mapped as a whole, and what
        // is behind them is zeroed when it is read, see `Inode::valid_size`.
        let block = u64::try_from(sb.block_size())?;
        let end = pos.saturating_add(found.length.get());
        let end = end.checked_next_multiple_of(block).unwrap_or(end);
        Ok(Extent {
            offset: pos,
            length: end.min(i64::MAX.unsigned_abs()).saturating_sub(pos),
            kind: match found.source {
                Source::Hole | Source::Delayed => ExtentKind::Hole,
                Source::Device(at) => ExtentKind::Mapped { address: at.get() },
                Source::Uninitialized(at) => ExtentKind::Unwritten { address: at.get() },
            },
        })
    }
}
