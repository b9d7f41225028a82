// SPDX-License-Identifier: GPL-2.0-only

//! Filling the page cache and writing it back: `read_folio`, `readahead` and `writepages`.
//!
//! A value in clusters goes through iomap. One in its MFT record, which may leave it while we are
//! here, is copied by `fs::data`, which looks a second time with the record locked (see
//! `fs::residency`). So is the value of a volume whose clusters are smaller than what the device
//! transfers, and content that is compressed: its folios are as large as the units of that, so that
//! each is decoded once. What LZNT1 has compressed is written back by units as well, see
//! `fs::compressed_writing`.
//!
//! Lock order: the folio is locked before any lock of `fs`.

use super::{
    error::report_file,
    inode,
    iomap::Data,
    units,
    NtfsRs, //
};
use crate::{
    fs::{
        convert,
        efs,
        residency::Form, //
    },
    ondisk::units::ByteOffset,
    vfs::{
        address_space::{
            self,
            Copied,
            Kept,
            Readahead, //
        },
        dirty_folios::DirtyFolios,
        folio::LockedFolio,
        inode::Inode,
        iomap, //
    },
};
use kernel::prelude::*;

/// The page cache of the unnamed `$DATA` attribute.
pub(super) struct DataCache;

impl address_space::Operations<NtfsRs> for DataCache {
    fn read_folio(folio: LockedFolio<'_, NtfsRs>) -> Result {
        if inode::uses_iomap(folio.inode()) {
            return iomap::read_folio::<_, Data>(folio);
        }
        copy(folio)
    }

    fn readahead(mut rac: Readahead<'_, NtfsRs>) {
        if inode::uses_iomap(rac.inode()) {
            return iomap::readahead::<_, Data>(rac);
        }
        while let Some(folio) = rac.next_folio() {
            // Whoever wants this folio reads it again, and gets the error.
            if copy(folio).is_err() {
                break;
            }
        }
    }

    fn kept(inode: &Inode<NtfsRs>) -> Kept {
        inode::kept(inode)
    }

    fn has_units(inode: &Inode<NtfsRs>) -> bool {
        inode::unit(inode).is_some()
    }

    fn write_units(inode: &Inode<NtfsRs>, folios: &mut DirtyFolios<'_, NtfsRs>) -> Result {
        units::write(inode, folios)
    }

    fn check_writable(inode: &Inode<NtfsRs>) -> Result {
        inode::unpack(inode)?;
        inode::check_writable(inode)
    }

    fn fill(folio: &mut LockedFolio<'_, NtfsRs>) -> Result {
        fill(folio)
    }

    fn write(inode: &Inode<NtfsRs>, pos: u64, bytes: &[u8]) -> Result<Copied> {
        let volume = inode.super_block().data().volume();
        let attribute = inode::writable_stream(inode)?;
        let form = convert::write_resident(&volume, attribute, ByteOffset::new(pos), bytes)
            .map_err(|error| report_file(inode, error))?;
        Ok(match form {
            Form::Resident => Copied::Done,
            Form::NonResident => Copied::Moved,
        })
    }

    fn bmap(inode: &Inode<NtfsRs>, block: u64) -> Result<u64> {
        if !inode::uses_iomap(inode) {
            return Err(EINVAL);
        }
        Ok(iomap::bmap::<_, Data>(inode, block))
    }
}

/// Fills a folio with copies of what `fs` reads, and ends the read.
fn copy(mut folio: LockedFolio<'_, NtfsRs>) -> Result {
    fill(&mut folio)?;
    folio.end_read(true);
    Ok(())
}

/// Fills a folio with copies of what `fs` reads.
pub(super) fn fill(folio: &mut LockedFolio<'_, NtfsRs>) -> Result {
    let inode = folio.inode();
    let sb = inode.super_block();
    let file = &inode.data().file;
    let unit = usize::try_from(file.unit().unwrap_or(0))?;
    folio.fill(unit, |pos, buffer| {
        let (volume, at) = (sb.data().volume(), ByteOffset::new(pos));
        let read = match inode::raw(inode) {
            Some(stream) => efs::read_raw(&volume, stream, at, buffer),
            None => file.read_at(&volume, at, buffer),
        };
        let read = read.map_err(|error| report_file(inode, error))?;
        buffer.get_mut(read..).unwrap_or(&mut []).fill(0);
        Ok(())
    })
}
