// SPDX-License-Identifier: GPL-2.0-only

//! Tests over whole images: one program, since each would compile the same generic code once more.

mod compression;
mod corrupt;
mod images;
mod log;
mod support;
mod write;
