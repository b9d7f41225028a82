// SPDX-License-Identifier: GPL-2.0-only

//! `struct fiemap_extent_info`: where a file is. C header: `include/linux/fiemap.h`.

use super::{
    bindings,
    ids,
    inode::Inode,
    iomap,
    super_block, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What an extent is like (`FIEMAP_EXTENT_*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FiemapKind {
    /// The bytes are on the device as they are.
    Plain,
    /// Allocated and not written: zeros.
    Unwritten,
    /// Encoded, from the place that is given on; there may be less of it than the extent is long.
    Encoded,
    /// Encoded, and not in blocks of its own; where, is not told.
    Packed,
}

impl FiemapKind {
    fn flags(self) -> u32 {
        match self {
            Self::Plain => 0,
            Self::Unwritten => bindings::FIEMAP_EXTENT_UNWRITTEN,
            Self::Encoded => bindings::FIEMAP_EXTENT_ENCODED,
            Self::Packed => {
                bindings::FIEMAP_EXTENT_ENCODED
                    | bindings::FIEMAP_EXTENT_NOT_ALIGNED
                    | bindings::FIEMAP_EXTENT_UNKNOWN
            }
        }
    }
}

/// A part of a file and where it is (`struct fiemap_extent`), in bytes.
#[derive(Clone, Copy)]
pub(crate) struct FiemapExtent {
    /// Where it begins in the file.
    pub(crate) logical: u64,
    /// Where it begins on the device.
    pub(crate) physical: u64,
    /// How long it is in the file.
    pub(crate) length: u64,
    pub(crate) kind: FiemapKind,
}

impl FiemapExtent {
    fn end(self) -> Option<u64> {
        self.logical.checked_add(self.length)
    }

    /// Both as one, if they lie together in the file and on the device, as they are.
    fn joined(self, next: Self) -> Option<Self> {
        let is_next = self.end() == Some(next.logical)
            && self.physical.checked_add(self.length) == Some(next.physical)
            && self.kind == next.kind
            && matches!(self.kind, FiemapKind::Plain | FiemapKind::Unwritten);
        is_next.then_some(Self {
            length: self.length.saturating_add(next.length),
            ..self
        })
    }
}

/// A request for the extents of a range of a file.
pub(crate) struct FiemapRequest<'a> {
    info: *mut bindings::fiemap_extent_info,
    start: u64,
    len: u64,
    _call: PhantomData<&'a mut ()>,
}

impl FiemapRequest<'_> {
    /// Takes the arguments of `fiemap`.
    ///
    /// # Safety
    ///
    /// They are those of such a call, which lasts as long as the value.
    pub(super) unsafe fn new(
        info: *mut bindings::fiemap_extent_info,
        start: u64,
        len: u64,
    ) -> Self {
        Self {
            info,
            start,
            len,
            _call: PhantomData,
        }
    }

    /// Answers it with the extents that `O` gives (`iomap_fiemap`).
    pub(crate) fn iomap<T, O>(self, inode: &Inode<T>) -> Result
    where
        T: super_block::Operations,
        O: iomap::Operations<T>,
    {
        // SAFETY: The request is ours during the call; the table is for inodes of `T`.
        to_result(unsafe {
            bindings::iomap_fiemap(
                inode.as_ptr(),
                self.info,
                self.start,
                self.len,
                &iomap::Table::<T, O>::TABLE,
            )
        })
    }

    /// Answers it with what `next` gives: the extent at or behind a byte of the file, `None` if there is no
    /// more. `EINTR` if the task is being killed.
    pub(crate) fn fill<T: super_block::Operations>(
        self,
        inode: &Inode<T>,
        mut next: impl FnMut(u64) -> Result<Option<FiemapExtent>>,
    ) -> Result {
        let mut len = self.len;
        // SAFETY: The request is ours during the call.
        to_result(unsafe {
            bindings::fiemap_prep(inode.as_ptr(), self.info, self.start, &mut len, 0)
        })?;
        let end = self.start.saturating_add(len);
        let mut at = self.start;
        let mut held: Option<FiemapExtent> = None;
        // Each turn goes on behind the extent that it found.
        while at < end {
            let Some(found) = next(at)?.filter(|found| found.logical < end) else {
                break;
            };
            let behind = found.end().filter(|behind| *behind > at);
            at = behind.ok_or(EIO)?;
            match held.and_then(|held| held.joined(found)) {
                Some(joined) => held = Some(joined),
                None => {
                    let last = held.replace(found);
                    if last.map_or(Ok(false), |last| self.put(last, 0))? {
                        return Ok(());
                    }
                }
            }
            if ids::is_killed() {
                return Err(EINTR);
            }
        }
        if let Some(last) = held {
            self.put(last, bindings::FIEMAP_EXTENT_LAST)?;
        }
        Ok(())
    }

    /// Adds an extent to the answer (`fiemap_fill_next_extent`); says whether there is no room for another.
    fn put(&self, extent: FiemapExtent, flags: u32) -> Result<bool> {
        // SAFETY: The request is ours during the call, and was prepared.
        let ret = unsafe {
            bindings::fiemap_fill_next_extent(
                self.info,
                extent.logical,
                extent.physical,
                extent.length,
                extent.kind.flags() | flags,
            )
        };
        match ret {
            0 => Ok(false),
            1 => Ok(true),
            error => Err(Error::from_errno(error)),
        }
    }
}
