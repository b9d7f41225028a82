// SPDX-License-Identifier: GPL-2.0-only

//! Making changes: from a page as it is now and what it shall become.
//!
//! Each constructor takes the undo data from the page, and tries the change: if it answers one,
//! [`Change::apply`] succeeds on that page, and [`Change::undo`] brings back its used part byte by
//! byte. Two fields that were wrong before come back right: a next attribute id that was given out
//! already, and a highest VCN that does not fit the mapping pairs. Pages are as in
//! [`super::change::Page`].

mod data;
mod index;
mod record;

pub use index::Place;

use super::change::{
    Change,
    Error,
    Result, //
};
use crate::ondisk::{
    bytes,
    error::Malformed, //
};

/// An offset as log records store it.
fn offset(at: usize) -> Result<u16> {
    u16::try_from(at).map_err(|_| {
        Malformed::new(
            "offset that no log record can hold",
            at,
            bytes::u64_from_usize(at),
            u64::from(u16::MAX),
        )
        .into()
    })
}

fn cut(at: usize, page: &[u8]) -> Error {
    Malformed::truncated("change beyond its page", at, page.len(), at).into()
}
