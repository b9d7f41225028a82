// SPDX-License-Identifier: GPL-2.0-only

//! Values that EFS has encrypted, as they are: for backups, which restore them without a key.
//!
//! What is read is what ntfs-3g gives with its option `efs_raw`: the clusters up to the next multiple of 512 bytes,
//! since the cipher works on whole blocks, and then two bytes that tell how many of these are behind the end of the
//! value. A value without a byte, or within its record, is as it is.

use super::{
    attribute::Attribute,
    data,
    device::Device,
    error::{
        Error,
        Result, //
    },
    residency::Form,
    store::Store, //
};
use crate::ondisk::{
    attribute::Sizes,
    bytes::u64_from_usize,
    units::{
        ByteCount,
        ByteOffset, //
    },
};

/// What the cipher works on, in bytes.
const BLOCK: u64 = 512;

/// What is made of a value that EFS has encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
    /// An error.
    Refused,
    /// What is stored, see [`read_raw`].
    AsStored,
}

/// Whether a value is encrypted, and nothing else is in the way of reading it as it is.
pub fn is_raw(value: &Attribute) -> bool {
    matches!(value.unsupported(), Some(Error::Encrypted)) && value.compression_unit().is_none()
}

/// Bytes of the value in whole blocks, where it has that form.
fn in_blocks(value: &Attribute) -> Option<ByteCount> {
    let size = value.data_size().get();
    let is_in_clusters = value.residency().hint() == Form::NonResident;
    let blocks = size.checked_next_multiple_of(BLOCK);
    blocks
        .filter(|_| is_in_clusters && size != 0)
        .map(ByteCount::new)
}

/// How many of the bytes in blocks are behind the end of the value, as it stands behind them.
fn padding(value: &Attribute, blocks: ByteCount) -> [u8; 2] {
    let behind = blocks.get().saturating_sub(value.data_size().get());
    // Less than a block.
    u16::try_from(behind).unwrap_or(0).to_le_bytes()
}

/// How long an encrypted value is, as it is.
pub fn raw_size(value: &Attribute) -> ByteCount {
    let Some(blocks) = in_blocks(value) else {
        return value.data_size();
    };
    let padding = ByteCount::new(2);
    blocks.checked_add(padding).unwrap_or(blocks)
}

/// Why an encrypted value cannot be read as it is, if so.
pub fn check_raw(value: &Attribute) -> Result {
    let Sizes {
        data, initialized, ..
    } = value.sizes();
    match initialized == data {
        true => Ok(()),
        // Zeros there are of the value, and nobody without the key could say what they are encrypted.
        false => Err(Error::Unsupported(
            "encrypted data that was not written up to its end",
        )),
    }
}

/// Reads an encrypted value as it is, from `offset` on; says how many bytes, less than `buf` has only at its end.
///
/// May sleep.
pub fn read_raw<D: Device>(
    store: &Store<D>,
    value: &Attribute,
    offset: ByteOffset,
    buf: &mut [u8],
) -> Result<usize> {
    check_raw(value)?;
    let Some(blocks) = in_blocks(value) else {
        return data::read_stored(store, value, None, offset, buf, &());
    };
    let sizes = Sizes {
        data: blocks,
        initialized: blocks,
        ..value.sizes()
    };
    let read = data::read_stored(store, value, Some(sizes), offset, buf, &())?;
    let at = offset.get().saturating_add(u64_from_usize(read));
    let skipped = at.saturating_sub(blocks.get());
    let padding = padding(value, blocks);
    let padding = usize::try_from(skipped)
        .ok()
        .and_then(|from| padding.get(from..));
    let mut done = read;
    if at >= blocks.get() {
        let rest = buf.get_mut(read..).unwrap_or(&mut []);
        for (to, from) in rest.iter_mut().zip(padding.unwrap_or(&[])) {
            *to = *from;
            done = done.saturating_add(1);
        }
    }
    Ok(done)
}
