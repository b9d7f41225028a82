// SPDX-License-Identifier: GPL-2.0-only

//! What is wrong with bytes that a decoder refused.
//!
//! One small `Copy` type for the whole layer: no allocation, no nesting. The layer above adds the
//! place on the volume; `ops` chooses the errno.

use kernel::fmt;

/// A structure on the disk that cannot be what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which field or rule is violated, in words for the kernel log.
    pub what: &'static str,
    /// Offset of the field in bytes, from the start of the decoded structure.
    pub at: usize,
    /// The value that was found.
    pub found: u64,
    /// The value, or the limit, that was expected.
    pub expected: u64,
}

impl Malformed {
    /// Describes a violated rule.
    pub const fn new(what: &'static str, at: usize, found: u64, expected: u64) -> Self {
        Self {
            what,
            at,
            found,
            expected,
        }
    }

    /// A structure that needs `needed` bytes from offset `at` on, with only `present` bytes there.
    pub const fn truncated(what: &'static str, at: usize, present: usize, needed: usize) -> Self {
        Self {
            what,
            at,
            found: crate::ondisk::bytes::u64_from_usize(present),
            expected: crate::ondisk::bytes::u64_from_usize(needed),
        }
    }

    /// The same, as seen from a structure in which the decoded one begins at `base`.
    pub const fn within(self, base: usize) -> Self {
        Self {
            at: self.at.saturating_add(base),
            ..self
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at offset {:#x}: found {:#x}, expected {:#x}",
            self.what, self.at, self.found, self.expected
        )
    }
}

/// Result of a decoder.
pub type Result<T> = core::result::Result<T, Malformed>;
