// SPDX-License-Identifier: GPL-2.0-only

//! What the tests over whole images share: devices, unpacked images, a walk through a volume, numbers,
//! and what the codecs are compared with.

#![allow(dead_code)]

pub mod device;
pub mod images;
pub mod library;
pub mod ntfs3g;
pub mod random;
pub mod samples;
pub mod walk;
pub mod wimlib;
