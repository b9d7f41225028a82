// SPDX-License-Identifier: GPL-2.0-only

//! `struct nls_table`: character sets other than UTF-8. C header: `include/linux/nls.h`.

use super::{
    bindings,
    c_str, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// A loaded character set.
///
/// # Invariants
///
/// `table` is a reference to a loaded table, with both its functions.
pub(crate) struct NlsTable {
    table: NonNull<bindings::nls_table>,
}

// SAFETY: Tables do not change; the module's count, which `unload_nls` lowers, is atomic.
unsafe impl Send for NlsTable {}
// SAFETY: As above.
unsafe impl Sync for NlsTable {}

impl NlsTable {
    /// Loads the character set of this name, which may load a module (`load_nls`); `EINVAL` if there is
    /// none.
    pub(crate) fn load(name: &CStr) -> Result<Self> {
        // SAFETY: A terminated string, which `load_nls` does not change or keep.
        let table = unsafe { bindings::load_nls(name.as_char_ptr().cast_mut()) };
        // INVARIANT: `load_nls` gives a reference; tables have both functions.
        Ok(Self {
            table: NonNull::new(table).ok_or(EINVAL)?,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: By the type invariant; the name is a terminated string.
        unsafe { c_str::from_char_ptr(self.table.as_ref().charset) }
    }

    /// The first character of `bytes`, and how many bytes it has, at least one; an error if there is none in
    /// this set, or it is not in Unicode's plane 0 (`char2uni`).
    pub(crate) fn char2uni(&self, bytes: &[u8]) -> Result<(u16, usize)> {
        let bound = i32::try_from(bytes.len())?;
        let mut unicode = 0;
        // SAFETY: The function reads no more than `bound` bytes.
        let len = unsafe {
            let char2uni = self.table.as_ref().char2uni.ok_or(EINVAL)?;
            char2uni(bytes.as_ptr(), bound, &mut unicode)
        };
        match usize::try_from(len)? {
            0 => Err(EINVAL),
            len => Ok((unicode, len)),
        }
    }

    /// Writes a character to the begin of `bytes`; how many bytes it has, or an error if it is not in this
    /// set or there is no room (`uni2char`).
    pub(crate) fn uni2char(&self, unicode: u16, bytes: &mut [u8]) -> Result<usize> {
        let bound = i32::try_from(bytes.len())?;
        // SAFETY: The function writes no more than `bound` bytes.
        let len = unsafe {
            let uni2char = self.table.as_ref().uni2char.ok_or(EINVAL)?;
            uni2char(unicode, bytes.as_mut_ptr(), bound)
        };
        Ok(usize::try_from(len)?)
    }
}

impl Drop for NlsTable {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { bindings::unload_nls(self.table.as_ptr()) };
    }
}
