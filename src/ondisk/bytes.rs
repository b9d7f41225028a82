// SPDX-License-Identifier: GPL-2.0-only

//! Checked little-endian access to byte buffers, and integer conversions that cannot lose bits.
//!
//! Every read answers `None` beyond the end of the buffer, whatever offset the disk gave.

/// A 64-bit or 32-bit `usize` always holds a `u32`.
#[expect(
    clippy::as_conversions,
    reason = "`From` does not exist; the assertion proves it lossless"
)]
pub const fn usize_from_u32(value: u32) -> usize {
    const { assert!(usize::BITS >= u32::BITS) };
    value as usize
}

/// A `u64` always holds a `usize`.
#[expect(
    clippy::as_conversions,
    reason = "`From` does not exist; the assertion proves it lossless"
)]
pub const fn u64_from_usize(value: usize) -> u64 {
    const { assert!(u64::BITS >= usize::BITS) };
    value as u64
}

fn array_at<const N: usize>(buffer: &[u8], offset: usize) -> Option<&[u8; N]> {
    buffer.get(offset..)?.first_chunk()
}

/// The byte at `offset`.
pub fn u8_at(buffer: &[u8], offset: usize) -> Option<u8> {
    buffer.get(offset).copied()
}

/// The 16-bit number at `offset`, which need not be aligned.
pub fn u16_at(buffer: &[u8], offset: usize) -> Option<u16> {
    array_at(buffer, offset).map(|bytes| u16::from_le_bytes(*bytes))
}

/// The 32-bit number at `offset`, which need not be aligned.
pub fn u32_at(buffer: &[u8], offset: usize) -> Option<u32> {
    array_at(buffer, offset).map(|bytes| u32::from_le_bytes(*bytes))
}

/// The 64-bit number at `offset`, which need not be aligned.
pub fn u64_at(buffer: &[u8], offset: usize) -> Option<u64> {
    array_at(buffer, offset).map(|bytes| u64::from_le_bytes(*bytes))
}

/// `length` bytes from `offset` on.
pub fn slice_at(buffer: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    buffer.get(offset..)?.get(..length)
}

/// Writes `bytes` at `offset`; `None`, and nothing written, where they do not fit.
pub fn put_at(buffer: &mut [u8], offset: usize, bytes: &[u8]) -> Option<()> {
    let target = buffer.get_mut(offset..)?.get_mut(..bytes.len())?;
    for (to, from) in target.iter_mut().zip(bytes) {
        *to = *from;
    }
    Some(())
}

/// The next multiple of 8, the alignment of attribute records and index entries.
pub const fn align_8(value: usize) -> Option<usize> {
    match value.checked_add(7) {
        Some(value) => Some(value & !7),
        None => None,
    }
}
