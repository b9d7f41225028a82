// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `src/ondisk/log`.

mod change;
mod geometry;
mod page;
mod record;
mod restart;
mod tables;
