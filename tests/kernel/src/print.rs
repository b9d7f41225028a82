// SPDX-License-Identifier: GPL-2.0-only

//! Log macros: one line to standard error each.

/// Prints an error.
#[macro_export]
macro_rules! pr_err {
    ($($arg:tt)*) => { ::std::eprint!($($arg)*) };
}

/// Prints a warning.
#[macro_export]
macro_rules! pr_warn {
    ($($arg:tt)*) => { ::std::eprint!($($arg)*) };
}

/// Prints a line for information.
#[macro_export]
macro_rules! pr_info {
    ($($arg:tt)*) => { ::std::eprint!($($arg)*) };
}
