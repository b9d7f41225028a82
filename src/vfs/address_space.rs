// SPDX-License-Identifier: GPL-2.0-only

//! `struct address_space_operations`: filling the page cache of a file and writing it back. C header:
//! `include/linux/fs.h`.
//!
//! A file's bytes are in blocks of the device, where iomap reads and writes them, or in units, which are encoded
//! (see [`super::units`]), or in memory of the file system's metadata, from and to which they are copied here. The
//! latter become one of the former at any time, but only with the inode and the folio at 0 locked; the former
//! become the latter when the file is emptied, with the inode and the mapping locked, and not a folio in it. So for
//! who has a folio locked that is in the mapping it is a fact which of them they are, and for others a hint.

use super::{
    bindings,
    dirty_folios::DirtyFolios,
    folio::{
        HeldFolio,
        LockedFolio, //
    },
    inode::Inode,
    iomap,
    nofs::NoFs,
    super_block,
    units::{
        self,
        UnitOperations, //
    },
    writeback::Writeback, //
};
use core::marker::PhantomData;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// Where copied bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// To the metadata, as far as they are bytes of the file.
    Done,
    /// Nowhere: the file's bytes are not in the metadata any more.
    Moved,
}

/// Where the bytes of a file are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In memory of the file system's metadata.
    Metadata,
    /// In blocks of the device, as they are.
    Blocks,
    /// In units that are encoded.
    Units,
}

/// How the page cache of a regular file is filled and written back.
pub(crate) trait Operations<T: super_block::Operations>: UnitOperations<T> {
    /// Reads a folio, or begins to: [`iomap::read_folio`](super::iomap::read_folio), or own code that ends
    /// with [`LockedFolio::end_read`].
    fn read_folio(folio: LockedFolio<'_, T>) -> Result;

    /// Reads ahead what it likes of `rac`: [`iomap::readahead`](super::iomap::readahead), or own code.
    fn readahead(rac: Readahead<'_, T>);

    /// Where the file's bytes are. Only a hint without the lock of a folio.
    fn kept(inode: &Inode<T>) -> Kept;

    /// Whether the file's bytes are in units, or will be when they leave the metadata.
    fn has_units(inode: &Inode<T>) -> bool;

    /// Writes the dirty folios of a file in units back. One of a file that is not, by now, is made dirty again.
    fn write_units(inode: &Inode<T>, folios: &mut DirtyFolios<'_, T>) -> Result;

    /// Whether a page of the file may be made writable.
    fn check_writable(inode: &Inode<T>) -> Result;

    /// Fills all of a folio of a file whose bytes are not in blocks.
    fn fill(folio: &mut LockedFolio<'_, T>) -> Result;

    /// Copies bytes of a file that are at `pos` to the metadata. The folio is locked.
    fn write(inode: &Inode<T>, pos: u64, bytes: &[u8]) -> Result<Copied>;

    /// The block of the device where a block of the file is, in the super block's block size; 0 for none.
    fn bmap(inode: &Inode<T>, block: u64) -> Result<u64>;
}

/// Folios that are wanted soon (`struct readahead_control`). Those that are not taken from it the VFS
/// unlocks.
pub(crate) struct Readahead<'a, T: super_block::Operations> {
    rac: *mut bindings::readahead_control,
    _mapping: PhantomData<&'a mut Inode<T>>,
}

impl<'a, T: super_block::Operations> Readahead<'a, T> {
    /// The C structure.
    pub(super) fn as_ptr(&self) -> *mut bindings::readahead_control {
        self.rac
    }

    /// The file's inode.
    pub(crate) fn inode(&self) -> &'a Inode<T> {
        // SAFETY: The mapping is that of an inode of ours, which stays during the call.
        unsafe { Inode::from_raw((*(*self.rac).mapping).host) }
    }

    /// The next folio, locked (`readahead_folio`).
    pub(crate) fn next_folio(&mut self) -> Option<LockedFolio<'a, T>> {
        // SAFETY: The structure is ours during the call. It gives a locked folio of the mapping, which the
        // lock keeps there.
        unsafe {
            let folio = bindings::readahead_folio(self.rac);
            (!folio.is_null()).then(|| LockedFolio::from_raw(folio))
        }
    }
}

/// Turns that one call of `writepages` takes at most, where the bytes move meanwhile.
const MAX_TURNS: u32 = 3;

/// The ops table.
pub(super) struct Table<T, A>(PhantomData<(T, A)>);

impl<T: super_block::Operations, A: Operations<T>> Table<T, A> {
    /// The table. `release_folio` and the two others are for the state that iomap attaches to a folio; a
    /// folio that iomap never saw has none.
    pub(super) const TABLE: bindings::address_space_operations =
        bindings::address_space_operations {
            read_folio: Some(Self::read_folio),
            readahead: Some(Self::readahead),
            bmap: Some(Self::bmap),
            writepages: Some(Self::writepages),
            dirty_folio: Some(Self::dirty_folio),
            write_begin: Some(Self::write_begin),
            write_end: Some(Self::write_end),
            swap_activate: Some(Self::swap_activate),
            error_remove_folio: Some(bindings::generic_error_remove_folio),
            direct_IO: Some(bindings::noop_direct_IO),
            release_folio: Some(bindings::iomap_release_folio),
            invalidate_folio: Some(bindings::iomap_invalidate_folio),
            is_partially_uptodate: Some(bindings::iomap_is_partially_uptodate),
            migrate_folio: Some(bindings::filemap_migrate_folio),
            ..pin_init::zeroed()
        };

    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn read_folio(
        _file: *mut bindings::file,
        folio: *mut bindings::folio,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes a locked folio of our file.
            A::read_folio(unsafe { LockedFolio::from_raw(folio) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn readahead(rac: *mut bindings::readahead_control) {
        A::readahead(Readahead {
            rac,
            _mapping: PhantomData,
        });
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn bmap(mapping: *mut bindings::address_space, block: u64) -> u64 {
        // SAFETY: The VFS passes the mapping of our inode.
        let inode = unsafe { Inode::from_raw((*mapping).host) };
        A::bmap(inode, block).unwrap_or(0)
    }
    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn swap_activate(
        swap: *mut bindings::swap_info_struct,
        file: *mut bindings::file,
        span: *mut bindings::sector_t,
    ) -> c_int {
        let table = &iomap::Table::<T, T::FileMapping>::TABLE;
        // SAFETY: The VFS passes our file; the table is for inodes of `T`.
        unsafe { bindings::iomap_swapfile_activate(swap, file, span, table) }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn writepages(
        mapping: *mut bindings::address_space,
        wbc: *mut bindings::writeback_control,
    ) -> c_int {
        // SAFETY: The VFS passes the mapping of our inode.
        let inode = unsafe { Inode::<T>::from_raw((*mapping).host) };
        let mut writeback = Writeback::new(inode, wbc);
        from_result(|| {
            let mut result = Ok(());
            for _ in 0..MAX_TURNS {
                let now = Self::kept_encoded(inode);
                let written = match now {
                    true => {
                        // SAFETY: The arguments are those of this call.
                        let mut folios = unsafe { DirtyFolios::new(inode, mapping, wbc) };
                        A::write_units(inode, &mut folios)
                    }
                    // SAFETY: The arguments are those of this call.
                    false => unsafe { Self::write_folios(inode, &mut writeback, mapping, wbc) },
                };
                result = result.and(written);
                // Meanwhile they may have come to another place, and wait for that.
                if Self::kept_encoded(inode) == now {
                    break;
                }
            }
            result.map(|()| 0)
        })
    }

    fn kept_encoded(inode: &Inode<T>) -> bool {
        A::kept(inode) == Kept::Units
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn dirty_folio(
        mapping: *mut bindings::address_space,
        folio: *mut bindings::folio,
    ) -> bool {
        // SAFETY: The VFS passes the mapping of our inode, and a folio in it.
        unsafe {
            match A::has_units(Inode::from_raw((*mapping).host)) {
                true => bindings::filemap_dirty_folio(mapping, folio),
                false => bindings::iomap_dirty_folio(mapping, folio),
            }
        }
    }

    /// Writes folios back, each into blocks or by a copy, as it is to be when it is locked.
    ///
    /// # Safety
    ///
    /// The arguments are those of `writepages`.
    unsafe fn write_folios(
        inode: &Inode<T>,
        writeback: &mut Writeback<T>,
        mapping: *mut bindings::address_space,
        wbc: *mut bindings::writeback_control,
    ) -> Result {
        let mut buffer = KVec::new();
        if A::kept(inode) == Kept::Metadata {
            // Before a folio stops being dirty: without memory, all stays as it is.
            let _scope = NoFs::enter();
            buffer = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        }
        let mut folio = core::ptr::null_mut();
        let mut error = 0;
        loop {
            // SAFETY: `folio` is what the last call gave, or null.
            folio = unsafe { bindings::writeback_iter(mapping, wbc, folio, &mut error) };
            if folio.is_null() {
                break;
            }
            // SAFETY: The iterator gave it locked, in our mapping, and not dirty any more.
            let mut locked = unsafe { LockedFolio::<T>::from_raw(folio) };
            let kept = A::kept(inode);
            let copied = if kept == Kept::Blocks {
                Ok(Copied::Moved)
            } else if buffer.is_empty() || kept == Kept::Units {
                // The file was emptied since this call began, and has new bytes, which are for the next one; or
                // its bytes have moved, and are for the next turn.
                // SAFETY: The folio is locked, and `wbc` that of this call.
                unsafe { bindings::folio_redirty_for_writepage(wbc, folio) };
                Ok(Copied::Done)
            } else {
                Self::copy(inode, &mut locked, &mut buffer)
            };
            let written = match copied {
                // Moved since the look at it.
                Ok(Copied::Moved) if A::kept(inode) == Kept::Units => {
                    // SAFETY: As above.
                    unsafe { bindings::folio_redirty_for_writepage(wbc, folio) };
                    Ok(())
                }
                // SAFETY: As above.
                Ok(Copied::Moved) => unsafe { writeback.folio(folio) },
                Ok(Copied::Done) => Ok(()),
                Err(failed) => {
                    super::writeback::set_error(inode, failed);
                    // It is not dirty any more, and the mapping is to know that, too.
                    locked.finish_writeback();
                    Err(failed)
                }
            };
            error = written.err().map_or(0, Error::to_errno);
        }
        let result = to_result(error);
        writeback.submit(result)
    }

    /// Writes a folio back by a copy.
    fn copy(inode: &Inode<T>, folio: &mut LockedFolio<'_, T>, buffer: &mut [u8]) -> Result<Copied> {
        let left = usize::try_from(inode.size().saturating_sub(folio.pos()));
        let length = left.unwrap_or(usize::MAX).min(folio.size());
        let copied = match buffer.get_mut(..length) {
            // A truncation is about to drop it.
            Some([]) => Copied::Done,
            Some(bytes) => {
                folio.copy_out(0, bytes)?;
                A::write(inode, folio.pos(), bytes)?
            }
            // So much is never copied.
            None => Copied::Moved,
        };
        if copied == Copied::Done {
            folio.finish_writeback();
        }
        Ok(copied)
    }

    /// Of files that are copied, or in units: iomap has its own way. The inode is locked exclusively.
    ///
    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, for a file of `T`.
    unsafe extern "C" fn write_begin(
        _iocb: *const bindings::kiocb,
        mapping: *mut bindings::address_space,
        pos: bindings::loff_t,
        len: c_uint,
        out: *mut *mut bindings::folio,
        _data: *mut *mut c_void,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS passes the mapping of our inode.
            let inode = unsafe { Inode::<T>::from_raw((*mapping).host) };
            let pos = u64::try_from(pos)?;
            if A::kept(inode) == Kept::Units {
                let folio = units::begin::<T, A>(inode, pos, u64::from(len))?;
                // SAFETY: The VFS wants the folio, with its lock and reference, there.
                unsafe { *out = folio.into_raw() };
                return Ok(0);
            }
            let mut folio = HeldFolio::get(inode, pos)?;
            if !folio.is_up_to_date() {
                A::fill(&mut folio)?;
                folio.mark_up_to_date();
            }
            // SAFETY: The VFS wants the folio, with its lock and reference, there.
            unsafe { *out = folio.into_raw() };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct address_space_operations` says, after `write_begin`.
    unsafe extern "C" fn write_end(
        _iocb: *const bindings::kiocb,
        mapping: *mut bindings::address_space,
        pos: bindings::loff_t,
        len: c_uint,
        copied: c_uint,
        folio: *mut bindings::folio,
        _data: *mut c_void,
    ) -> c_int {
        // SAFETY: The VFS passes the mapping of our inode, and what `write_begin` gave.
        let (inode, mut folio) = unsafe {
            (
                Inode::<T>::from_raw((*mapping).host),
                HeldFolio::<T>::from_raw(folio),
            )
        };
        let end = pos.saturating_add(i64::from(copied));
        let mut copied = copied;
        if A::kept(inode) == Kept::Units {
            let pos = u64::try_from(pos).unwrap_or(0);
            if !units::end::<T, A>(inode, &mut folio, pos, u64::from(len), u64::from(copied)) {
                copied = 0;
            }
        }
        if copied > 0 {
            folio.mark_dirty();
            if u64::try_from(end).is_ok_and(|end| end > inode.size()) {
                inode.write_size(end);
            }
        }
        drop(folio);
        inode.mark_dirty();
        c_int::try_from(copied).unwrap_or(c_int::MAX)
    }
}
