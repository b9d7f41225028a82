// SPDX-License-Identifier: GPL-2.0-only

//! The table of capital letters, and the order of names that it defines.
//!
//! Every volume has its own table in `$UpCase`: one UTF-16 unit for each unit there is. Names in
//! directories are sorted by it, so a volume has to be read with its own table. Surrogates are
//! units like any other.

use core::cmp::Ordering;

use super::{
    error::{
        Malformed,
        Result, //
    },
    upcase_default,
};
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

/// The number of entries: one for each value of a UTF-16 unit.
pub const ENTRIES: usize = 65_536;

/// Bytes of a whole `$UpCase`.
pub const TABLE_LENGTH: usize = 2 * ENTRIES;

/// A table of capital letters.
pub struct UpCase {
    table: KVVec<u16>,
}

impl UpCase {
    /// Checks the content of `$UpCase`.
    ///
    /// It has to be a whole table that knows the Latin alphabet; a table that fails this is not
    /// what any directory was sorted by.
    pub fn check(data: &[u8]) -> Result<()> {
        if data.len() != TABLE_LENGTH {
            return Err(Malformed::truncated(
                "size of $UpCase",
                0,
                data.len(),
                TABLE_LENGTH,
            ));
        }
        for (at, (unit, upper)) in (0..=0x7f_u16).zip(units(data)).enumerate() {
            let expected = match unit {
                // No overflow: the letters begin at 97.
                0x61..=0x7a => unit.saturating_sub(0x20),
                _ => unit,
            };
            if upper != expected {
                return Err(Malformed::new(
                    "$UpCase does not know the alphabet",
                    at.saturating_mul(2),
                    u64::from(upper),
                    u64::from(expected),
                ));
            }
        }
        Ok(())
    }

    /// Takes the content of `$UpCase`, after [`UpCase::check`] accepted it.
    ///
    /// Units that `data` has no entry for are their own capitals.
    pub fn from_data(data: &[u8]) -> core::result::Result<Self, AllocError> {
        let mut upcase = Self::identity()?;
        for (entry, upper) in upcase.table.iter_mut().zip(units(data)) {
            *entry = upper;
        }
        Ok(upcase)
    }

    /// The table that Windows writes since Vista, for volumes without a usable one.
    pub fn windows() -> core::result::Result<Self, AllocError> {
        let mut upcase = Self::identity()?;
        for letters in &upcase_default::LETTERS {
            let range = usize::from(letters.first)..=usize::from(letters.last);
            let entries = upcase.table.get_mut(range).unwrap_or(&mut []);
            for (index, entry) in entries.iter_mut().enumerate() {
                if index & 1 == 0 || !letters.alternate {
                    *entry = entry
                        .wrapping_sub(letters.first)
                        .wrapping_add(letters.first_upper);
                }
            }
        }
        Ok(upcase)
    }

    fn identity() -> core::result::Result<Self, AllocError> {
        // `zeroed`, as the other ways to fill a vector keep checks that can panic.
        let mut table = KVVec::zeroed(ENTRIES, GFP_KERNEL)?;
        for (entry, unit) in table.iter_mut().zip(0..=u16::MAX) {
            *entry = unit;
        }
        Ok(Self { table })
    }

    /// The capital of one UTF-16 unit; a unit that has none is its own.
    pub fn upper(&self, unit: u16) -> u16 {
        self.table.get(usize::from(unit)).copied().unwrap_or(unit)
    }

    /// Compares two names without regard to case.
    pub fn compare_ignoring_case(
        &self,
        a: impl Iterator<Item = u16>,
        b: impl Iterator<Item = u16>,
    ) -> Ordering {
        a.map(|unit| self.upper(unit))
            .cmp(b.map(|unit| self.upper(unit)))
    }

    /// Compares two names in the order of a directory: without regard to case, then with it.
    pub fn collate_file_name(
        &self,
        a: impl Iterator<Item = u16> + Clone,
        b: impl Iterator<Item = u16> + Clone,
    ) -> Ordering {
        self.compare_ignoring_case(a.clone(), b.clone())
            .then_with(|| a.cmp(b))
    }
}

fn units(data: &[u8]) -> impl Iterator<Item = u16> + '_ {
    data.chunks_exact(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    })
}
