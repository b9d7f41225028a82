// SPDX-License-Identifier: GPL-2.0-only

//! Formatting: the kernel has a `Display` of its own, here it is the one of `core`.

pub use core::fmt::{Arguments, Debug, Display, Error, Formatter, Result, Write};
