// SPDX-License-Identifier: GPL-2.0-only

//! Points in time as the VFS has them. C header: `include/linux/time64.h`.

use super::bindings;
use kernel::prelude::*;

/// A point in time (`struct timespec64`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timespec {
    /// Seconds since the beginning of 1970 UTC; negative before.
    pub(crate) secs: i64,
    /// Nanoseconds after `secs`, below 1,000,000,000.
    pub(crate) nanos: u32,
}

impl From<Timespec> for bindings::timespec64 {
    fn from(time: Timespec) -> Self {
        Self {
            tv_sec: time.secs,
            tv_nsec: time.nanos as c_long,
        }
    }
}

impl From<bindings::timespec64> for Timespec {
    fn from(time: bindings::timespec64) -> Self {
        Self {
            secs: time.tv_sec,
            nanos: u32::try_from(time.tv_nsec).unwrap_or(0),
        }
    }
}
