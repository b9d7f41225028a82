// SPDX-License-Identifier: GPL-2.0-only

//! Devices: a range of a file, and one of memory.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use kernel::error::{
    code::{EIO, EROFS},
    Result,
};
use ntfs_rs::{
    fs::device::Device,
    ondisk::units::{ByteCount, ByteOffset},
};

/// A range of a file, from an offset to its end.
pub struct FileDevice {
    file: File,
    start: u64,
    size: u64,
    /// How often the device was read.
    pub reads: AtomicU64,
}

impl FileDevice {
    /// Opens `path` from byte `start` on.
    pub fn open(path: &Path, start: u64) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len().saturating_sub(start);
        Ok(Self {
            file,
            start,
            size,
            reads: AtomicU64::new(0),
        })
    }
}

impl Device for FileDevice {
    fn size(&self) -> ByteCount {
        ByteCount::new(self.size)
    }

    fn logical_block_size(&self) -> u32 {
        512
    }

    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> Result {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let end = at.get().checked_add(buf.len() as u64).ok_or(EIO)?;
        if end > self.size {
            return Err(EIO);
        }
        self.file
            .read_exact_at(buf, self.start + at.get())
            .map_err(|_| EIO)
    }

    fn write(&self, _at: ByteOffset, _buf: &[u8]) -> Result {
        Err(EROFS)
    }

    fn flush(&self) -> Result {
        Ok(())
    }
}

/// A device of bytes in memory.
pub struct MemoryDevice(pub std::vec::Vec<u8>);

impl Device for MemoryDevice {
    fn size(&self) -> ByteCount {
        ByteCount::new(self.0.len() as u64)
    }

    fn logical_block_size(&self) -> u32 {
        512
    }

    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> Result {
        let start = usize::try_from(at.get()).map_err(|_| EIO)?;
        let end = start.checked_add(buf.len()).ok_or(EIO)?;
        buf.copy_from_slice(self.0.get(start..end).ok_or(EIO)?);
        Ok(())
    }

    fn write(&self, _at: ByteOffset, _buf: &[u8]) -> Result {
        Err(EROFS)
    }

    fn flush(&self) -> Result {
        Ok(())
    }
}

/// A device of bytes in memory, some of which are replaced.
pub struct PatchedDevice {
    base: std::sync::Arc<std::vec::Vec<u8>>,
    patches: std::vec::Vec<(u64, u8)>,
}

impl PatchedDevice {
    /// `base` with the byte at each offset of `patches` replaced.
    pub fn new(base: std::sync::Arc<std::vec::Vec<u8>>, patches: std::vec::Vec<(u64, u8)>) -> Self {
        Self { base, patches }
    }
}

impl Device for PatchedDevice {
    fn size(&self) -> ByteCount {
        ByteCount::new(self.base.len() as u64)
    }

    fn logical_block_size(&self) -> u32 {
        512
    }

    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> Result {
        let start = usize::try_from(at.get()).map_err(|_| EIO)?;
        let end = start.checked_add(buf.len()).ok_or(EIO)?;
        buf.copy_from_slice(self.base.get(start..end).ok_or(EIO)?);
        for (offset, byte) in &self.patches {
            if let Some(within) = offset.checked_sub(at.get()) {
                if let Some(target) = buf.get_mut(within as usize) {
                    *target = *byte;
                }
            }
        }
        Ok(())
    }

    fn write(&self, _at: ByteOffset, _buf: &[u8]) -> Result {
        Err(EROFS)
    }

    fn flush(&self) -> Result {
        Ok(())
    }
}
