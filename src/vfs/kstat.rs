// SPDX-License-Identifier: GPL-2.0-only

//! The answer to `stat(2)` and `statx(2)`. C header: `include/linux/stat.h`.

use super::{
    bindings,
    time::Timespec, //
};
use kernel::types::Opaque;

/// Bits of `stx_attributes`.
pub(crate) mod attributes {
    /// The file is compressed (`STATX_ATTR_COMPRESSED`).
    pub(crate) const COMPRESSED: u64 = 0x4;
    /// Nobody may change the file (`STATX_ATTR_IMMUTABLE`).
    pub(crate) const IMMUTABLE: u64 = 0x10;
    /// The file is encrypted (`STATX_ATTR_ENCRYPTED`).
    pub(crate) const ENCRYPTED: u64 = 0x800;
}

/// What `getattr` fills in (`struct kstat`); `generic_fillattr` went before.
#[repr(transparent)]
pub(crate) struct Kstat(Opaque<bindings::kstat>);

impl Kstat {
    /// Borrows the C structure.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, and nobody else uses it, during `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::kstat) -> &'a mut Self {
        // SAFETY: By the caller's word; the layouts are equal.
        unsafe { &mut *ptr.cast() }
    }

    fn raw(&mut self) -> &mut bindings::kstat {
        // SAFETY: The structure is initialised (by the VFS) and exclusively ours.
        unsafe { &mut *self.0.get() }
    }

    /// When the file was made (`STATX_BTIME`).
    pub(crate) fn set_btime(&mut self, time: Timespec) {
        let raw = self.raw();
        raw.btime = time.into();
        raw.result_mask |= bindings::STATX_BTIME;
    }

    /// `STATX_ATTR_*`: which of those in `mask` are set; `mask` has those that we know.
    pub(crate) fn set_attributes(&mut self, attributes: u64, mask: u64) {
        let raw = self.raw();
        raw.attributes |= attributes & mask;
        raw.attributes_mask |= mask;
    }

    /// What direct I/O needs (`STATX_DIOALIGN`): alignment of the memory and of offset and length, in
    /// bytes; 0 and 0 for a file without direct I/O.
    pub(crate) fn set_dio_align(&mut self, memory: u32, offset: u32) {
        let raw = self.raw();
        raw.dio_mem_align = memory;
        raw.dio_offset_align = offset;
        raw.result_mask |= bindings::STATX_DIOALIGN;
    }

    /// How much it takes on the device, in units of 512 bytes.
    pub(crate) fn set_blocks(&mut self, blocks: u64) {
        self.raw().blocks = blocks;
    }

    /// The preferred I/O size, in bytes.
    pub(crate) fn set_block_size(&mut self, bytes: u32) {
        self.raw().blksize = bytes;
    }
}
