// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::compression`, one file for each codec there.

mod lznt1;
mod lzx;
mod wof;
mod xpress;
