// SPDX-License-Identifier: GPL-2.0-only

//! `struct iattr`: what `chmod(2)`, `truncate(2)`, `utimensat(2)` and others change. C header:
//! `include/linux/fs.h`.

use super::bindings;
use kernel::types::Opaque;

/// `ATTR_MODE` of `ia_valid`.
const MODE: u32 = 1 << 0;
/// `ATTR_SIZE` of `ia_valid`.
const SIZE: u32 = 1 << 3;

/// A change of an inode's attributes.
#[repr(transparent)]
pub(crate) struct Iattr(Opaque<bindings::iattr>);

impl Iattr {
    /// Borrows the C structure.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, and nobody else uses it, during `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::iattr) -> &'a mut Self {
        // SAFETY: By the caller's word; the layouts are equal.
        unsafe { &mut *ptr.cast() }
    }

    fn raw(&mut self) -> &mut bindings::iattr {
        // SAFETY: The structure is initialised (by the VFS) and exclusively ours.
        unsafe { &mut *self.0.get() }
    }

    /// The new size in bytes, if it changes; no larger than the VFS's largest.
    pub(crate) fn size(&mut self) -> Option<u64> {
        let raw = self.raw();
        (raw.ia_valid & SIZE != 0).then(|| u64::try_from(raw.ia_size).unwrap_or(0))
    }

    /// The new type and permissions, if they change.
    pub(crate) fn mode(&mut self) -> Option<u16> {
        let raw = self.raw();
        (raw.ia_valid & MODE != 0).then_some(raw.ia_mode)
    }

    /// Replaces the new permissions.
    pub(crate) fn set_mode(&mut self, mode: u16) {
        self.raw().ia_mode = mode;
    }

    /// Leaves the permissions as they are.
    pub(crate) fn keep_mode(&mut self) {
        self.raw().ia_valid &= !MODE;
    }
}
