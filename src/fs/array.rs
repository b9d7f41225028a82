// SPDX-License-Identifier: GPL-2.0-only

//! Growing an array without a path to a panic.
//!
//! `KVec::push` and its kin can do nothing wrong, but their arithmetic is compiled with overflow
//! checks that the compiler cannot prove idle, and each leaves a call to the panic handler in the
//! object, where none is allowed. These do the same with operations of `KVec` that leave none.

use kernel::{
    alloc::{
        kvec::PushError,
        AllocError,
        Allocator, //
    },
    prelude::*,
};

/// Items for which an array has room at first.
const FIRST: usize = 4;

/// Appends an item; the array grows to twice its size if it is full.
pub fn push<T, A: Allocator>(items: &mut Vec<T, A>, item: T) -> Result<(), AllocError> {
    let Err(PushError(item)) = items.push_within_capacity(item) else {
        return Ok(());
    };
    let room = items.len().saturating_mul(2).max(FIRST);
    let mut grown = Vec::with_capacity(room, GFP_KERNEL)?;
    for old in items.drain_all() {
        // There is room for more than were in the array.
        if grown.push_within_capacity(old).is_err() {
            return Err(AllocError);
        }
    }
    if grown.push_within_capacity(item).is_err() {
        return Err(AllocError);
    }
    *items = grown;
    Ok(())
}

/// A new array with the items of a slice in it.
pub fn copied<T: Copy, A: Allocator>(from: &[T]) -> Result<Vec<T, A>, AllocError> {
    collected(from.iter().copied(), from.len())
}

/// A new array with what an iterator gives, up to `length` items.
pub fn collected<T, A: Allocator>(
    from: impl Iterator<Item = T>,
    length: usize,
) -> Result<Vec<T, A>, AllocError> {
    let mut items = Vec::with_capacity(length, GFP_KERNEL)?;
    for item in from.take(length) {
        if items.push_within_capacity(item).is_err() {
            return Err(AllocError);
        }
    }
    Ok(items)
}
