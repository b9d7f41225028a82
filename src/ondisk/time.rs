// SPDX-License-Identifier: GPL-2.0-only

//! Time stamps: 100-nanosecond intervals since the start of 1601, UTC.

/// Intervals in a second.
const PER_SECOND: u64 = 10_000_000;
/// Nanoseconds in an interval.
const NANOSECONDS: u32 = 100;
/// Seconds from the start of 1601 to that of 1970: 369 years, 89 of them leap years.
const UNIX_EPOCH: i64 = 11_644_473_600;

/// A time stamp as it is on the disk.
///
/// Windows takes it for signed and shows no negative ones; read as unsigned, as here, every value
/// is a time from 1601 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NtTime(u64);

impl NtTime {
    /// The start of 1601.
    pub const MIN: Self = Self(0);
    /// The last time that Windows accepts, in the year 30828.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// Takes the number on the disk.
    pub const fn new(intervals: u64) -> Self {
        Self(intervals)
    }

    /// The number on the disk.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Seconds since 1970, negative before it, and the nanoseconds to add to them.
    pub fn to_unix(self) -> (i64, u32) {
        // Neither conversion can fail: a quotient by 10^7 has 41 bits, a remainder has 24.
        let seconds = i64::try_from(self.0 / PER_SECOND).unwrap_or(i64::MAX);
        let intervals = u32::try_from(self.0 % PER_SECOND).unwrap_or(0);
        (
            seconds.saturating_sub(UNIX_EPOCH),
            intervals.saturating_mul(NANOSECONDS),
        )
    }

    /// The interval that holds a time given as `to_unix` returns it.
    ///
    /// Times before 1601 become the start of 1601, times that do not fit become the last that fits.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let Ok(seconds) = u64::try_from(seconds.saturating_add(UNIX_EPOCH)) else {
            return Self::MIN;
        };
        let intervals = u64::from(nanoseconds / NANOSECONDS);
        Self(seconds.saturating_mul(PER_SECOND).saturating_add(intervals))
    }
}
