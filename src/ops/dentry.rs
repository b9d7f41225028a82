// SPDX-License-Identifier: GPL-2.0-only

//! Names in the dentry cache of a volume that is mounted with `nocase`.
//!
//! Two names that differ in case only are one dentry, by the volume's own table of capitals. So a
//! negative dentry holds for all spellings, and one that becomes positive does too. In directories whose own
//! flag says so (WSL sets it), they are two all the same.

use super::{
    charset::Charset,
    NtfsRs, //
};
use crate::{
    ondisk::{
        name::MAX_UNITS,
        upcase::UpCase, //
    },
    vfs::dentry::{
        self,
        Folder, //
    },
};
use core::cmp::Ordering;
use kernel::prelude::*;

/// Comparison by the volume's table of capitals.
pub(super) struct IgnoringCase;

impl dentry::Operations<NtfsRs> for IgnoringCase {
    fn hash(folder: Folder<'_, NtfsRs>, name: &[u8]) -> Result<u32> {
        let data = folder.super_block().data();
        let units = match data.options.charset.to_units(name) {
            Ok(units) if !folder.is_case_sensitive() => units,
            // If no file has such a name, `compare` takes it for equal to itself only.
            _ => return Ok(folder.full_name_hash(name)),
        };
        let mut capitals = [0; 2 * MAX_UNITS];
        for (pair, unit) in capitals.chunks_exact_mut(2).zip(units.as_units()) {
            if let [low, high] = pair {
                [*low, *high] = data.volume().upcase().upper(*unit).to_le_bytes();
            }
        }
        let used = units.len().saturating_mul(2);
        Ok(folder.full_name_hash(capitals.get(..used).unwrap_or(&[])))
    }

    fn compare(folder: Folder<'_, NtfsRs>, cached: &[u8], wanted: &[u8]) -> bool {
        let data = folder.super_block().data();
        let charset = &data.options.charset;
        let is_same = || same(charset, data.volume().upcase(), cached, wanted);
        cached == wanted || (!folder.is_case_sensitive() && is_same())
    }
}

fn same(charset: &Charset, upcase: &UpCase, a: &[u8], b: &[u8]) -> bool {
    let (Ok(a), Ok(b)) = (charset.to_units(a), charset.to_units(b)) else {
        return false;
    };
    let (a, b) = (a.as_units().iter().copied(), b.as_units().iter().copied());
    upcase.compare_ignoring_case(a, b) == Ordering::Equal
}
