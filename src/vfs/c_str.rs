// SPDX-License-Identifier: GPL-2.0-only

//! Strings that C owns.

use super::bindings;
use core::slice;
use kernel::prelude::*;

/// Borrows a string.
///
/// `CStr::from_char_ptr` does the same, with an addition that may panic.
///
/// # Safety
///
/// `ptr` is a terminated string that does not change during `'a`.
pub(super) unsafe fn from_char_ptr<'a>(ptr: *const c_char) -> &'a CStr {
    // SAFETY: By the caller's word, so many bytes are there, and only the last of them is 0.
    unsafe {
        let len = bindings::strlen(ptr).wrapping_add(1);
        CStr::from_bytes_with_nul_unchecked(slice::from_raw_parts(ptr.cast(), len))
    }
}

/// The bytes of a string without the terminator (`CStr::to_bytes`, without a subtraction that may panic).
pub(crate) fn to_bytes(string: &CStr) -> &[u8] {
    match string.to_bytes_with_nul().split_last() {
        Some((_, bytes)) => bytes,
        None => &[],
    }
}
