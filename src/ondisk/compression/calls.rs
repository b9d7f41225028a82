// SPDX-License-Identifier: GPL-2.0-only

//! The targets of x86 calls, which LZX stores as absolute ones.
//!
//! The same function is called from many places: absolute targets are alike where relative ones are
//! not. In a chunk of a WIM, and so of WOF, this is done to every byte that could be such a call, as
//! if the chunk were the begin of a file of a fixed size.

use super::super::bytes;

/// The size that the file is taken to have.
const FILE_SIZE: i32 = 12_000_000;

/// The byte that a call begins with; four bytes of its target follow.
const CALL: u8 = 0xe8;

/// Bytes at the end of a chunk in which no call begins.
const TAIL: usize = 10;

/// Makes the targets of a chunk, all of which is in `out`, relative again.
pub(super) fn make_relative(out: &mut [u8]) {
    let end = out.len().saturating_sub(TAIL);
    let mut at = 0_usize;
    // `at` does not pass the end of the chunk by more than a step, so nothing wraps.
    while at < end {
        if bytes::u64_at(out, at).is_some_and(has_no_call) {
            at = at.wrapping_add(8);
            continue;
        }
        let target = at.wrapping_add(1);
        if bytes::u8_at(out, at) != Some(CALL) {
            at = target;
            continue;
        }
        let relative = bytes::u32_at(out, target)
            .zip(i32::try_from(at).ok())
            .and_then(|(target, at)| relative(i32::from_le_bytes(target.to_le_bytes()), at));
        if let Some(relative) = relative {
            // It was read from there.
            let _ = bytes::put_at(out, target, &relative.to_le_bytes());
        }
        at = target.wrapping_add(4);
    }
}

/// Whether none of eight bytes is [`CALL`].
const fn has_no_call(bytes: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Zero where there is one; the lowest zero byte, if any, borrows into its highest bit.
    let bytes = bytes ^ u64::from_le_bytes([CALL; 8]);
    bytes.wrapping_sub(EACH) & !bytes & (EACH << 7) == 0
}

/// The relative target of a call at that place; `None` where the one that is stored was not changed.
fn relative(absolute: i32, call: i32) -> Option<i32> {
    if absolute >= FILE_SIZE || absolute < call.checked_neg()? {
        return None;
    }
    if absolute >= 0 {
        absolute.checked_sub(call)
    } else {
        absolute.checked_add(FILE_SIZE)
    }
}
