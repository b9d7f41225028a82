// SPDX-License-Identifier: GPL-2.0-only

//! Whether a Windows that sleeps believes to know what is on the volume.
//!
//! The boot volume of Windows has the memory of a hibernated system in `hiberfil.sys`, beside the
//! metadata that it will go on with. "Fast startup" is hibernation too. After a real shutdown the file
//! may still be there, with another head.

use kernel::prelude::*;

use super::{
    data,
    device::Device,
    directory::{
        self,
        CaseMode, //
    },
    error::{
        Error,
        Result, //
    },
    volume::Volume, //
};
use crate::ondisk::units::ByteOffset;

/// Bytes at the head of the file that are looked at.
const HEAD: usize = 4096;

/// Whether the volume has the memory of a hibernated Windows.
///
/// What is in the file but cannot be read counts as such: it is no reason to write.
pub(super) fn is_hibernated<D: Device>(volume: &Volume<D>) -> Result<bool> {
    let name: [u16; 12] = HIBERFIL.map(u16::from);
    let found = directory::lookup(volume, &volume.root()?, &name, CaseMode::Ignore)?;
    let Some(found) = found else {
        return Ok(false);
    };
    let file = volume.inode(found.reference)?;
    let Some(content) = file.data()? else {
        return Ok(false);
    };
    let mut head = KVec::<u8>::zeroed(HEAD, GFP_KERNEL)?;
    match data::read_at(volume, content, ByteOffset::ZERO, &mut head) {
        Ok(length) => {
            let head = head.get(..length).unwrap_or(&[]);
            // Awake again, Windows zeroes the head, or writes "wake" or "rstr" there.
            let is_woken = head.starts_with(b"wake")
                || head.starts_with(b"WAKE")
                || head.starts_with(b"rstr")
                || head.starts_with(b"RSTR")
                || head.iter().all(|byte| *byte == 0);
            Ok(!is_woken)
        }
        Err(Error::NoMemory) => Err(Error::NoMemory),
        Err(Error::Unsupported(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The name of the file.
const HIBERFIL: [u8; 12] = *b"hiberfil.sys";
