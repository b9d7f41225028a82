// SPDX-License-Identifier: GPL-2.0-only

//! File handles, for NFS and `open_by_handle_at(2)`.
//!
//! A record number and the sequence number of its use name a file for ever, so a handle needs nothing
//! else, and stays good when the inode is not in memory.

use super::{
    inode,
    NtfsRs, //
};
use crate::{
    ondisk::units::{
        MftReference,
        RecordNumber,
        SequenceNumber, //
    },
    vfs::{
        export,
        inode::Inode,
        super_block::SuperBlock, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// Handles made of MFT references.
pub(super) struct Handles;

impl export::Operations<NtfsRs> for Handles {
    fn get_inode(
        sb: &SuperBlock<NtfsRs>,
        ino: u64,
        generation: u32,
    ) -> Result<ARef<Inode<NtfsRs>>> {
        let sequence = u16::try_from(generation).map_err(|_| ESTALE)?;
        // Sequence number 0 stands for any use of the record, which no handle does.
        if sequence == 0 || ino >= sb.data().volume().record_count() {
            return Err(ESTALE);
        }
        inode::get_for_handle(
            sb,
            MftReference {
                number: RecordNumber::new(ino),
                sequence: SequenceNumber::new(sequence),
            },
        )
    }

    fn get_parent(child: &Inode<NtfsRs>) -> Result<ARef<Inode<NtfsRs>>> {
        let sb = child.super_block();
        inode::get(sb, child.data().file.parent().ok_or(ESTALE)?)
    }
}
