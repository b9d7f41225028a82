// SPDX-License-Identifier: GPL-2.0-only

//! Checked little-endian access to byte buffers, and integer conversions that cannot lose bits.
//!
//! Every read answers `None` beyond the end of the buffer, whatever offset the disk gave.

use core::cmp::Ordering;

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

/// Replaces `removed` bytes at `at` by `inserted` ones, of `end` bytes that are in use.
///
/// What follows moves up or down; the inserted bytes, and those freed at the end, become zero. Answers
/// the new end; `None`, and nothing changed, where the range is not in use or the rest does not fit.
pub fn splice(
    buffer: &mut [u8],
    end: usize,
    at: usize,
    removed: usize,
    inserted: usize,
) -> Option<usize> {
    let from = at.checked_add(removed)?;
    let to = at.checked_add(inserted)?;
    let moved = end.checked_sub(from)?;
    let new_end = to.checked_add(moved)?;
    if end.max(new_end) > buffer.len() {
        return None;
    }
    // From the side on which nothing is overwritten before it has moved.
    match to.cmp(&from) {
        Ordering::Greater => {
            for distance in (0..moved).rev() {
                move_byte(buffer, from, to, distance);
            }
        }
        Ordering::Less => {
            for distance in 0..moved {
                move_byte(buffer, from, to, distance);
            }
        }
        Ordering::Equal => {}
    }
    fill_zero(buffer, at, to);
    fill_zero(buffer, new_end, end);
    Some(new_end)
}

/// Copies the byte `distance` behind `from` to as far behind `to`.
fn move_byte(buffer: &mut [u8], from: usize, to: usize, distance: usize) {
    let byte = buffer.get(from.saturating_add(distance)).copied();
    if let (Some(byte), Some(target)) = (byte, buffer.get_mut(to.saturating_add(distance))) {
        *target = byte;
    }
}

/// Zeros the bytes from `start` up to `end`; none where the range is empty or not in the buffer.
pub fn fill_zero(buffer: &mut [u8], start: usize, end: usize) {
    for byte in buffer.get_mut(start..end).unwrap_or(&mut []) {
        *byte = 0;
    }
}
