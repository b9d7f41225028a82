// SPDX-License-Identifier: GPL-2.0-only

//! The block device and the shrinker, as the file system layer wants them.

use super::Volume;
use crate::{
    fs::device::Device,
    ondisk::units::{
        ByteCount,
        ByteOffset, //
    },
    vfs::{
        bdev::BlockDevice,
        shrinker, //
    },
};
use kernel::prelude::*;

impl Device for BlockDevice {
    fn size(&self) -> ByteCount {
        ByteCount::new(self.size())
    }

    fn logical_block_size(&self) -> u32 {
        self.logical_block_size()
    }

    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> Result {
        self.read(at.get(), buf)
    }

    fn write(&self, at: ByteOffset, buf: &[u8]) -> Result {
        self.write(at.get(), buf)
    }

    fn flush(&self) -> Result {
        self.flush()
    }

    fn discard_unit(&self) -> Option<ByteCount> {
        let bytes = self.discard_granularity()?;
        Some(ByteCount::new(u64::from(bytes)))
    }

    fn discard(&self, at: ByteOffset, length: ByteCount) -> Result {
        self.discard(at.get(), length.get())
    }
}

impl shrinker::Operations for Volume {
    fn count(&self) -> usize {
        self.cached()
    }

    fn scan(&self, number: usize) -> usize {
        self.shrink(number)
    }
}
