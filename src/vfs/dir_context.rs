// SPDX-License-Identifier: GPL-2.0-only

//! `struct dir_context`: where the entries of a directory go. C header: `include/linux/fs.h`.

use super::{
    bindings,
    super_block, //
};
use core::marker::PhantomData;

/// The type of a directory entry (`DT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirEntryType {
    /// Not known without reading the inode.
    Unknown,
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Symlink,
}

impl DirEntryType {
    fn raw(self) -> u32 {
        match self {
            Self::Unknown => bindings::DT_UNKNOWN,
            Self::Directory => bindings::DT_DIR,
            Self::Regular => bindings::DT_REG,
            Self::Symlink => bindings::DT_LNK,
        }
    }
}

/// The reader of a directory, at a position.
pub(crate) struct DirContext<'a, T> {
    file: *mut bindings::file,
    ctx: *mut bindings::dir_context,
    _call: PhantomData<(&'a mut (), T)>,
}

impl<T: super_block::Operations> DirContext<'_, T> {
    /// Takes the arguments of `iterate_shared`.
    ///
    /// # Safety
    ///
    /// Both are those of such a call, which lasts as long as the value.
    pub(super) unsafe fn new(file: *mut bindings::file, ctx: *mut bindings::dir_context) -> Self {
        Self {
            file,
            ctx,
            _call: PhantomData,
        }
    }

    /// The position: 0 and 1 are `.` and `..`, what follows is the file system's, up to `i64::MAX`.
    pub(crate) fn pos(&self) -> u64 {
        // SAFETY: The context is ours during the call.
        let pos = unsafe { (*self.ctx).pos };
        u64::try_from(pos).unwrap_or(0)
    }

    /// Sets the position: that of the entry to be emitted next.
    pub(crate) fn set_pos(&mut self, pos: u64) {
        // SAFETY: The context is ours during the call.
        unsafe { (*self.ctx).pos = i64::try_from(pos).unwrap_or(i64::MAX) };
    }

    /// Emits `.` and `..`, if the position is before them, and moves it behind (`dir_emit_dots`). False: no
    /// more room.
    pub(crate) fn emit_dots(&mut self) -> bool {
        // SAFETY: The file is a directory of ours, and the context is ours during the call.
        unsafe { bindings::dir_emit_dots(self.file, self.ctx) }
    }

    /// Emits an entry, whose position [`Self::set_pos`] has set (`dir_emit`). False: no more room, and the
    /// entry has to come first in the next call. A name with `/`, or an empty one, makes the VFS fail the
    /// whole read: do not pass one.
    pub(crate) fn emit(&mut self, name: &[u8], ino: u64, kind: DirEntryType) -> bool {
        let Ok(len) = i32::try_from(name.len()) else {
            return true;
        };
        // SAFETY: `len` bytes are there, and the context is ours during the call.
        unsafe { bindings::dir_emit(self.ctx, name.as_ptr().cast(), len, ino, kind.raw()) }
    }
}
