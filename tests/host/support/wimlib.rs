// SPDX-License-Identifier: GPL-2.0-only

//! wimlib's codecs, to compare ours with.
//!
//! The library is looked for at run time: `NTFS_RS_WIMLIB` names its file, if it is not where the
//! linker finds it (Debian's package `libwim15t64`).

use std::{
    ffi::{c_int, c_uint, c_void},
    mem, ptr,
};

use super::library::Library;

type Create = unsafe extern "C" fn(c_int, usize, c_uint, *mut *mut c_void) -> c_int;
type CreateDecoder = unsafe extern "C" fn(c_int, usize, *mut *mut c_void) -> c_int;
type Compress =
    unsafe extern "C" fn(*const c_void, usize, *mut c_void, usize, *mut c_void) -> usize;
type Decompress =
    unsafe extern "C" fn(*const c_void, usize, *mut c_void, usize, *mut c_void) -> c_int;

/// Its codecs that WOF has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Xpress = 1,
    Lzx = 2,
}

/// The library.
pub struct Wimlib {
    create_compressor: Create,
    create_decompressor: CreateDecoder,
    compress: Compress,
    decompress: Decompress,
}

impl Wimlib {
    /// Loads the library; `None` if this machine does not have it.
    pub fn load() -> Option<Self> {
        let library = Library::load("NTFS_RS_WIMLIB", "libwim.so.15")?;
        let find = |name| library.find(name);
        // SAFETY: The types are those of `wimlib.h`.
        unsafe {
            Some(Self {
                create_compressor: mem::transmute::<*mut c_void, Create>(find(
                    "wimlib_create_compressor",
                )),
                create_decompressor: mem::transmute::<*mut c_void, CreateDecoder>(find(
                    "wimlib_create_decompressor",
                )),
                compress: mem::transmute::<*mut c_void, Compress>(find("wimlib_compress")),
                decompress: mem::transmute::<*mut c_void, Decompress>(find("wimlib_decompress")),
            })
        }
    }

    /// A compressor for chunks up to this size. It is not freed.
    pub fn compressor(&self, codec: Codec, size: usize, level: u32) -> Compressor<'_> {
        let mut state = ptr::null_mut();
        // SAFETY: `state` is written to.
        let done = unsafe { (self.create_compressor)(codec as c_int, size, level, &mut state) };
        assert_eq!(done, 0, "a compressor of wimlib");
        Compressor {
            library: self,
            state,
        }
    }

    /// The same for the way back.
    pub fn decompressor(&self, codec: Codec, size: usize) -> Decompressor<'_> {
        let mut state = ptr::null_mut();
        // SAFETY: `state` is written to.
        let done = unsafe { (self.create_decompressor)(codec as c_int, size, &mut state) };
        assert_eq!(done, 0, "a decompressor of wimlib");
        Decompressor {
            library: self,
            state,
        }
    }
}

pub struct Compressor<'a> {
    library: &'a Wimlib,
    state: *mut c_void,
}

impl Compressor<'_> {
    /// The chunk in its compressed form; `None` if it does not shrink.
    pub fn compress(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; chunk.len().saturating_sub(1)];
        // SAFETY: Both buffers are as long as is said, and the state is that of a compressor.
        let length = unsafe {
            (self.library.compress)(
                chunk.as_ptr().cast(),
                chunk.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                self.state,
            )
        };
        out.truncate(length);
        (length != 0).then_some(out)
    }
}

pub struct Decompressor<'a> {
    library: &'a Wimlib,
    state: *mut c_void,
}

impl Decompressor<'_> {
    /// Whether the input is sound for so many bytes.
    pub fn decompress(&self, input: &[u8], out: &mut [u8]) -> bool {
        // SAFETY: Both buffers are as long as is said, and the state is that of a decompressor.
        let done = unsafe {
            (self.library.decompress)(
                input.as_ptr().cast(),
                input.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                self.state,
            )
        };
        done == 0
    }
}
