// SPDX-License-Identifier: GPL-2.0-only

//! Errors.

/// Where something went wrong.
pub struct Place;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// What was looked for is not there.
    NotFound,
    /// A rule is broken.
    Rule(&'static str),
}

/// A result with such an error.
pub type Result<T = ()> = core::result::Result<T, Error>;

impl Error {
    /// A broken rule: where, what was found, and what is allowed.
    pub fn rule(_place: Place, what: &'static str, _found: u64, _limit: u64) -> Self {
        Self::Rule(what)
    }
}
