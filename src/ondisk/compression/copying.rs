// SPDX-License-Identifier: GPL-2.0-only

//! Copying what was decoded before, the other half of every codec here.

use super::super::bytes;

/// Bytes that are moved at once.
const STEP: usize = 8;

/// For each distance below [`STEP`], how many bytes make it a repetition over at least [`STEP`]: a
/// multiple of the distance, so that the pattern goes on.
const ALONE: [usize; STEP] = [0, 7, 6, 6, 4, 5, 6, 7];

/// Repeats at `at` the `length` bytes that begin `distance` before it; they may reach beyond `at`.
///
/// Up to seven bytes behind the last one may change, so the output has to be made from its begin to
/// its end. Answers false, and changes nothing, where the bytes are not all in the buffer.
#[inline]
#[must_use]
pub(super) fn repeat(out: &mut [u8], at: usize, distance: usize, length: usize) -> bool {
    let (Some(mut from), Some(end)) = (at.checked_sub(distance), at.checked_add(length)) else {
        return false;
    };
    if distance == 0 || end > out.len() {
        return false;
    }
    let mut to = at;
    // None of the additions below can wrap: they stay within a step of the buffer.
    if let Some(&alone) = ALONE.get(distance) {
        let first = to;
        for ahead in 0..alone.min(length) {
            one(out, from.wrapping_add(ahead), first.wrapping_add(ahead));
        }
        to = to.wrapping_add(alone);
    }
    while to < end {
        let Some(word) = chunk(out, from) else {
            return false;
        };
        match out.get_mut(to..).and_then(|rest| rest.first_chunk_mut()) {
            Some(target) => *target = word,
            None => {
                // The last bytes of the buffer.
                for target in to..end {
                    one(out, from, target);
                    from = from.wrapping_add(1);
                }
                return true;
            }
        }
        to = to.wrapping_add(STEP);
        from = from.wrapping_add(STEP);
    }
    true
}

#[inline]
fn chunk(out: &[u8], at: usize) -> Option<[u8; STEP]> {
    out.get(at..)?.first_chunk().copied()
}

#[inline]
fn one(out: &mut [u8], from: usize, to: usize) {
    if let (Some(byte), Some(target)) = (bytes::u8_at(out, from), out.get_mut(to)) {
        *target = byte;
    }
}

/// Copies `from` to the begin of `to`, as far as there is room; answers the room behind it.
pub(super) fn plain<'a>(from: &[u8], to: &'a mut [u8]) -> &'a mut [u8] {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    to.get_mut(from.len()..).unwrap_or(&mut [])
}
