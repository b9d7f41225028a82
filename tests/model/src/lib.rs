// SPDX-License-Identifier: GPL-2.0-only

//! A value that leaves its record while others read and write it: loom tries all orders in which the
//! threads can come, with the driver's own `fs::residency` on atomics and locks of loom's.
//!
//! What is around it is as small as it can be: a record is a [`fs::record::Fact`] behind a mutex, a
//! mapping is a slot behind another, a cluster is a number that is loaded and stored without any order.
//! No folio is locked: the page cache would keep most of these threads from ever meeting, and this is about
//! those that it does not.

#![forbid(unsafe_code)]

/// The names that `residency` uses.
pub mod fs;

/// The form of an attribute in its record.
pub mod ondisk {
    /// As the module of that name.
    pub mod attribute {
        /// Where the record says that the value is.
        pub enum Form<'r> {
            /// Here.
            Resident {
                /// The value.
                value: &'r [u8],
            },
            /// There.
            NonResident(()),
        }
    }
}

#[cfg(test)]
mod steps;
#[cfg(test)]
mod tests;
