// SPDX-License-Identifier: GPL-2.0-only

//! The device that a volume is on, as this layer needs it.

use crate::ondisk::units::{
    ByteCount,
    ByteOffset, //
};

/// A block device, or what stands for one in a test.
pub trait Device: Send + Sync {
    /// Bytes on the device.
    fn size(&self) -> ByteCount;

    /// The smallest unit that the device transfers, in bytes.
    fn logical_block_size(&self) -> u32;

    /// Fills `buf` with what is at `at`, or fails as a whole.
    ///
    /// Any offset and any length; an implementor whose device wants aligned transfers reads around
    /// them. May sleep. A range that reaches beyond the device is an error.
    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> kernel::error::Result;

    /// Writes `buf` to `at`; after an error any part of it may be there.
    ///
    /// Any offset and any length, as for [`Device::read`]; an implementor whose device wants aligned
    /// transfers reads what is around them first, and keeps two such writes to one block apart. May
    /// sleep. What was written is durable after the next [`Device::flush`].
    fn write(&self, at: ByteOffset, buf: &[u8]) -> kernel::error::Result;

    /// Makes durable all that was written. May sleep.
    fn flush(&self) -> kernel::error::Result;

    /// The unit in which the device can forget bytes; `None` if it cannot.
    fn discard_unit(&self) -> Option<ByteCount> {
        None
    }

    /// Tells the device that nobody needs these bytes: until they are written again, anything may be read
    /// there. May sleep. What does not make up a whole unit is left alone by most devices.
    fn discard(&self, at: ByteOffset, length: ByteCount) -> kernel::error::Result {
        let _ = (at, length);
        Ok(())
    }
}
