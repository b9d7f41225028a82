// SPDX-License-Identifier: GPL-2.0-only

//! Names in the dentry cache of a volume that is mounted with `nocase`.
//!
//! Two names that differ in case only are one dentry, by the volume's own table of capitals. So a
//! negative dentry holds for all spellings, and one that becomes positive does too.

use super::{
    charset::Charset,
    NtfsRs, //
};
use crate::{
    ondisk::{
        name::MAX_UNITS,
        upcase::UpCase, //
    },
    vfs::{
        dentry::{
            self,
            Salt, //
        },
        super_block::SuperBlock, //
    },
};
use core::cmp::Ordering;
use kernel::prelude::*;

/// Comparison by the volume's table of capitals.
pub(super) struct IgnoringCase;

impl dentry::Operations<NtfsRs> for IgnoringCase {
    fn hash(sb: &SuperBlock<NtfsRs>, name: &[u8], salt: Salt<'_>) -> Result<u32> {
        let data = sb.data();
        let Ok(units) = data.options.charset.to_units(name) else {
            // No file has such a name; `compare` takes it for equal to itself only.
            return Ok(salt.full_name_hash(name));
        };
        let mut capitals = [0; 2 * MAX_UNITS];
        for (pair, unit) in capitals.chunks_exact_mut(2).zip(units.as_units()) {
            if let [low, high] = pair {
                [*low, *high] = data.volume().upcase().upper(*unit).to_le_bytes();
            }
        }
        let used = units.len().saturating_mul(2);
        Ok(salt.full_name_hash(capitals.get(..used).unwrap_or(&[])))
    }

    fn compare(sb: &SuperBlock<NtfsRs>, cached: &[u8], wanted: &[u8]) -> bool {
        let data = sb.data();
        cached == wanted
            || same(
                &data.options.charset,
                data.volume().upcase(),
                cached,
                wanted,
            )
    }
}

fn same(charset: &Charset, upcase: &UpCase, a: &[u8], b: &[u8]) -> bool {
    let (Ok(a), Ok(b)) = (charset.to_units(a), charset.to_units(b)) else {
        return false;
    };
    let (a, b) = (a.as_units().iter().copied(), b.as_units().iter().copied());
    upcase.compare_ignoring_case(a, b) == Ordering::Equal
}
