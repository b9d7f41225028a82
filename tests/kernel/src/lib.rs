// SPDX-License-Identifier: GPL-2.0-only

//! The part of the kernel's `kernel` crate that `ondisk` and `fs` use, for the host.
//!
//! Names, signatures and error paths are those of `rust/kernel` of Linux 7.3; one file here for each
//! file there. It is never more lenient: allocation takes flags and can fail
//! ([`alloc::failures`]), locks are made by pinned initialisers, atomics take ordering types.
//! Kbuild never sees this crate.

pub mod alloc;
pub mod error;
pub mod fmt;
pub mod init;
pub mod prelude;
pub mod print;
pub mod rbtree;
pub mod sync;
pub mod workqueue;

/// Fails the build when the condition, a constant expression, is false.
#[macro_export]
macro_rules! static_assert {
    ($condition:expr $(, $arg:literal)?) => {
        const _: () = ::core::assert!($condition $(, $arg)?);
    };
}

/// `format_args!`; the prelude gives it the name that it has there, `fmt!`.
#[macro_export]
macro_rules! __fmt {
    ($($arg:tt)*) => { ::core::format_args!($($arg)*) };
}
