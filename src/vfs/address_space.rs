// SPDX-License-Identifier: GPL-2.0-only

//! `struct address_space_operations`: filling the page cache of a file. C header: `include/linux/fs.h`.

use super::{
    bindings,
    folio::LockedFolio,
    inode::Inode,
    super_block, //
};
use core::marker::PhantomData;
use kernel::{
    error::from_result,
    prelude::*, //
};

/// How the page cache of a regular file is filled.
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// Reads a folio, or begins to: [`iomap::read_folio`](super::iomap::read_folio), or own code that ends
    /// with [`LockedFolio::end_read`].
    fn read_folio(folio: LockedFolio<'_, T>) -> Result;

    /// Reads ahead what it likes of `rac`: [`iomap::readahead`](super::iomap::readahead), or own code.
    fn readahead(rac: Readahead<'_, T>);

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
}
