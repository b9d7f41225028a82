// SPDX-License-Identifier: GPL-2.0-only

//! `struct iomap` and the generic I/O on it. C header: `include/linux/iomap.h`.
//!
//! Blocks are read whole, but the bytes of the block in which a file's valid size is that come after it are
//! what the device happened to have there: that block is read at once and these bytes are zeroed before
//! anybody sees them (`read_folio_range`).

use super::{
    address_space::Readahead,
    bindings,
    folio::LockedFolio,
    inode::Inode,
    super_block, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// How a file's ranges map to the device (`struct iomap_ops`).
pub(crate) trait Operations<T: super_block::Operations>: 'static {
    /// The extent at `pos`; of it, no more than `length` bytes are wanted, but it may be longer, and begin
    /// earlier. Its ends are multiples of the block size, except those of the file and of
    /// [`ExtentKind::Inline`].
    fn begin(inode: &Inode<T>, pos: u64, length: u64, flags: Flags) -> Result<Extent>;
}

/// What the mapping is for.
#[derive(Clone, Copy)]
pub(crate) struct Flags(c_uint);

impl Flags {
    /// Something is to be written (`IOMAP_WRITE`).
    pub(super) const WRITE: Self = Self(bindings::IOMAP_WRITE);

    /// Takes those of iomap.
    pub(super) fn new(flags: c_uint) -> Self {
        Self(flags)
    }

    /// As iomap wants them.
    pub(super) fn get(self) -> c_uint {
        self.0
    }

    /// It is only told to somebody (`IOMAP_REPORT`).
    pub(crate) fn is_report(self) -> bool {
        self.0 & bindings::IOMAP_REPORT != 0
    }

    /// Something is written or zeroed, which may be behind the end of the file (`IOMAP_WRITE`, `IOMAP_ZERO`).
    pub(crate) fn is_write(self) -> bool {
        self.0 & (bindings::IOMAP_WRITE | bindings::IOMAP_ZERO) != 0
    }

    /// The page cache is left out (`IOMAP_DIRECT`).
    pub(super) fn is_direct(self) -> bool {
        self.0 & bindings::IOMAP_DIRECT != 0
    }

    /// Nothing may be waited for (`IOMAP_NOWAIT`).
    pub(super) fn is_nowait(self) -> bool {
        self.0 & bindings::IOMAP_NOWAIT != 0
    }

    /// A page fault makes a page writable (`IOMAP_FAULT`).
    pub(super) fn is_fault(self) -> bool {
        self.0 & bindings::IOMAP_FAULT != 0
    }
}

/// A range of a file and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    /// How many bytes it has.
    pub(crate) length: u64,
    /// Where it is on the device.
    pub(crate) kind: ExtentKind,
}

/// Where an extent is on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtentKind {
    /// Nowhere: zeros.
    Hole,
    /// From this byte of the device on, a multiple of its logical block size.
    Mapped {
        /// The byte of the device.
        address: u64,
    },
    /// Allocated from this byte of the device on, but not written: zeros.
    Unwritten {
        /// The byte of the device.
        address: u64,
    },
    /// From this byte of the device on, but with bytes that are not the file's: it can be written, and not read.
    Lost {
        /// The byte of the device.
        address: u64,
    },
    /// Reserved, without a place yet; where the page cache has nothing, zeros.
    Delayed,
    /// Inside the file system's metadata. Only to be told to somebody.
    Inline,
}

/// The end of the last block that is before or at `pos`.
pub(super) fn whole_blocks<T: super_block::Operations>(inode: &Inode<T>, pos: u64) -> u64 {
    // SAFETY: The block size does not change while there are inodes.
    let block = unsafe { (*inode.super_block().as_ptr()).s_blocksize };
    // A power of two.
    pos & !(block as u64).saturating_sub(1)
}

/// Reads a folio (`iomap_read_folio`); errors go to the folio's readers.
pub(crate) fn read_folio<T: super_block::Operations, O: Operations<T>>(
    folio: LockedFolio<'_, T>,
) -> Result {
    let mut ctx = bindings::iomap_read_folio_ctx {
        ops: &Table::<T, O>::READ,
        cur_folio: folio.into_raw(),
        ..Default::default()
    };
    // SAFETY: The folio is locked, and iomap unlocks it; the tables are for inodes of `T`.
    unsafe { bindings::iomap_read_folio(&Table::<T, O>::TABLE, &mut ctx, ptr::null_mut()) };
    Ok(())
}

/// Reads ahead (`iomap_readahead`).
pub(crate) fn readahead<T: super_block::Operations, O: Operations<T>>(rac: Readahead<'_, T>) {
    let mut ctx = bindings::iomap_read_folio_ctx {
        ops: &Table::<T, O>::READ,
        rac: rac.as_ptr(),
        ..Default::default()
    };
    // SAFETY: The structure is ours during the call; the tables are for inodes of `T`.
    unsafe { bindings::iomap_readahead(&Table::<T, O>::TABLE, &mut ctx, ptr::null_mut()) };
}

/// The device's block of a file's block; 0 if it has none (`iomap_bmap`).
pub(crate) fn bmap<T: super_block::Operations, O: Operations<T>>(
    inode: &Inode<T>,
    block: u64,
) -> u64 {
    // SAFETY: The mapping is that of a live inode of `T`, for which the table is.
    unsafe {
        let mapping = &raw mut (*inode.as_ptr()).i_data;
        bindings::iomap_bmap(mapping, block, &Table::<T, O>::TABLE)
    }
}

/// The first hole at or after `offset` (`iomap_seek_hole`).
pub(crate) fn seek_hole<T: super_block::Operations, O: Operations<T>>(
    inode: &Inode<T>,
    offset: u64,
) -> Result<u64> {
    let offset = i64::try_from(offset).map_err(|_| ENXIO)?;
    // SAFETY: The table is for inodes of `T`.
    found(unsafe { bindings::iomap_seek_hole(inode.as_ptr(), offset, &Table::<T, O>::TABLE) })
}

/// The first data at or after `offset` (`iomap_seek_data`).
pub(crate) fn seek_data<T: super_block::Operations, O: Operations<T>>(
    inode: &Inode<T>,
    offset: u64,
) -> Result<u64> {
    let offset = i64::try_from(offset).map_err(|_| ENXIO)?;
    // SAFETY: The table is for inodes of `T`.
    found(unsafe { bindings::iomap_seek_data(inode.as_ptr(), offset, &Table::<T, O>::TABLE) })
}

fn found(ret: bindings::loff_t) -> Result<u64> {
    u64::try_from(ret).or_else(|_| Err(Error::from_errno(i32::try_from(ret)?)))
}

/// The ops tables.
pub(super) struct Table<T, O>(PhantomData<(T, O)>);

impl<T: super_block::Operations, O: Operations<T>> Table<T, O> {
    /// How to map.
    pub(super) const TABLE: bindings::iomap_ops = bindings::iomap_ops {
        iomap_begin: Some(Self::iomap_begin),
        iomap_end: None,
        iomap_next: None,
    };

    /// How to read what was mapped.
    const READ: bindings::iomap_read_ops = bindings::iomap_read_ops {
        read_folio_range: Some(Self::read_folio_range),
        submit_read: Some(Self::submit_read),
        bio_set: ptr::null_mut(),
    };

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`.
    unsafe extern "C" fn iomap_begin(
        inode: *mut bindings::inode,
        pos: bindings::loff_t,
        length: bindings::loff_t,
        flags: c_uint,
        iomap: *mut bindings::iomap,
        _srcmap: *mut bindings::iomap,
    ) -> c_int {
        from_result(|| {
            let (pos, length, flags) = (u64::try_from(pos)?, u64::try_from(length)?, Flags(flags));
            // SAFETY: iomap passes our inode, and a zeroed structure to be filled in.
            let (inode, iomap) = unsafe { (Inode::<T>::from_raw(inode), &mut *iomap) };
            let mut extent = O::begin(inode, pos, length, flags)?;
            if flags.is_direct() && extent.kind == ExtentKind::Delayed {
                // What was dirty is written back before, so this was dirtied after the read began.
                extent.kind = ExtentKind::Hole;
            }
            fill(inode, iomap, extent, pos, flags)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`.
    unsafe extern "C" fn read_folio_range(
        iter: *const bindings::iomap_iter,
        ctx: *mut bindings::iomap_read_folio_ctx,
        len: usize,
    ) -> c_int {
        // SAFETY: iomap passes an iteration over our inode, at a position in a locked folio, of which `len`
        // bytes are mapped and wanted.
        unsafe {
            let valid = Inode::<T>::from_raw((*iter).inode).valid_size();
            let pos = u64::try_from((*iter).pos).unwrap_or(0);
            let ends = valid
                .checked_sub(pos)
                .and_then(|ends| usize::try_from(ends).ok());
            match ends {
                Some(ends) if ends < len => read_last_range(iter, ctx, len, valid),
                _ => bindings::iomap_bio_read_folio_range(iter, ctx, len),
            }
        }
    }

    /// # Safety
    ///
    /// Called by iomap only, as its ops tables say, for an inode of `T`.
    unsafe extern "C" fn submit_read(
        iter: *const bindings::iomap_iter,
        ctx: *mut bindings::iomap_read_folio_ctx,
    ) {
        // SAFETY: What iomap passes is for its own function, which is always there.
        unsafe {
            if let Some(submit_read) = bindings::iomap_bio_read_ops.submit_read {
                submit_read(iter, ctx);
            }
        }
    }
}

/// `IOMAP_NULL_ADDR`.
const NULL_ADDR: u64 = u64::MAX;

/// The flag of a map whose bytes on the device are not to be read, see [`ExtentKind::Lost`] (`IOMAP_F_PRIVATE`).
pub(super) const LOST: u16 = flag(bindings::IOMAP_F_PRIVATE);

/// A flag of a map, which has 16 bits for them.
pub(super) const fn flag(flag: u32) -> u16 {
    flag as u16
}

/// Tells iomap of an extent; `EIO` if it does not contain `pos`.
pub(super) fn fill<T: super_block::Operations>(
    inode: &Inode<T>,
    iomap: &mut bindings::iomap,
    extent: Extent,
    pos: u64,
    flags: Flags,
) -> Result {
    // SAFETY: The device is open as long as the super block has inodes.
    iomap.bdev = unsafe { (*inode.super_block().as_ptr()).s_bdev };
    let end = extent.offset.checked_add(extent.length).ok_or(EIO)?;
    if pos < extent.offset || pos >= end || i64::try_from(end).is_err() {
        return Err(EIO);
    }
    iomap.offset = i64::try_from(extent.offset)?;
    iomap.length = extent.length;
    let (type_, address) = match extent.kind {
        ExtentKind::Hole => (bindings::IOMAP_HOLE, NULL_ADDR),
        ExtentKind::Mapped { address } => (bindings::IOMAP_MAPPED, address),
        ExtentKind::Unwritten { address } => (bindings::IOMAP_UNWRITTEN, address),
        ExtentKind::Lost { .. } if !flags.is_report() && !flags.is_write() => return Err(EIO),
        ExtentKind::Lost { address } => {
            iomap.flags |= LOST;
            (bindings::IOMAP_MAPPED, address)
        }
        ExtentKind::Delayed => (bindings::IOMAP_DELALLOC, NULL_ADDR),
        // Reading it through iomap would need the bytes in memory that stays there.
        ExtentKind::Inline if !flags.is_report() => return Err(EIO),
        ExtentKind::Inline => (bindings::IOMAP_INLINE, NULL_ADDR),
    };
    iomap.type_ = u16::try_from(type_)?;
    iomap.addr = address;
    Ok(())
}

/// Reads `len` bytes into the folio at once, and zeroes those from `valid` on, before its read ends.
///
/// # Safety
///
/// The arguments are those of `read_folio_range`.
unsafe fn read_last_range(
    iter: *const bindings::iomap_iter,
    ctx: *mut bindings::iomap_read_folio_ctx,
    len: usize,
    valid: u64,
) -> c_int {
    // SAFETY: By the caller's word.
    unsafe {
        let (folio, pos) = ((*ctx).cur_folio, (*iter).pos);
        let offset = pos.wrapping_sub(bindings::folio_pos(folio)) as usize;
        let read = read_now(&(*iter).iomap, folio, pos, len, valid);
        let err = read.err().map_or(0, Error::to_errno);
        bindings::iomap_finish_folio_read(folio, offset, len, err);
    }
    0
}

/// Reads bytes of a file into its folio and waits; those from `valid` on are zeros, whatever the device has.
///
/// # Safety
///
/// The folio is locked and has the range, and the map has it on the device.
pub(super) unsafe fn read_now(
    map: &bindings::iomap,
    folio: *mut bindings::folio,
    pos: bindings::loff_t,
    len: usize,
    valid: u64,
) -> Result {
    // SAFETY: By the caller's word.
    unsafe {
        let offset = pos.wrapping_sub(bindings::folio_pos(folio)) as usize;
        let in_map = pos.wrapping_sub(map.offset) as u64;
        let sector = map.addr.wrapping_add(in_map) >> bindings::SECTOR_SHIFT;
        read_sync(map.bdev, sector, folio, offset, len)?;
        let valid = valid.saturating_sub(u64::try_from(pos).unwrap_or(0));
        let valid = usize::try_from(valid).unwrap_or(len).min(len);
        bindings::folio_zero_range(folio, offset.wrapping_add(valid), len.wrapping_sub(valid));
    }
    Ok(())
}

/// Reads from the device into a folio and waits (as `iomap_bio_read_folio_range_sync`).
///
/// # Safety
///
/// The device is open, the folio is locked and has the range.
unsafe fn read_sync(
    bdev: *mut bindings::block_device,
    sector: u64,
    folio: *mut bindings::folio,
    offset: usize,
    len: usize,
) -> Result {
    let mut bio = MaybeUninit::<bindings::bio>::uninit();
    let mut vec = MaybeUninit::<bindings::bio_vec>::uninit();
    // SAFETY: `bio_init` initialises; one vector is enough for one folio; both live until the read is done.
    unsafe {
        let bio = bio.as_mut_ptr();
        bindings::bio_init(bio, bdev, vec.as_mut_ptr(), 1, bindings::req_op_REQ_OP_READ);
        (*bio).bi_iter.bi_sector = sector;
        bindings::bio_add_folio_nofail(bio, folio, len, offset);
        let read = to_result(bindings::submit_bio_wait(bio));
        bindings::bio_uninit(bio);
        read
    }
}
