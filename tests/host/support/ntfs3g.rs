// SPDX-License-Identifier: GPL-2.0-only

//! ntfs-3g's library, to compare reading with ours.
//!
//! It has no function that decodes bytes of LZNT1: only one that reads a compressed file of a volume. The
//! library is looked for at run time: `NTFS_RS_LIBNTFS` names its file, if it is not where the linker finds
//! it (Debian's package `libntfs-3g89t64`).

use std::{
    ffi::{c_char, c_int, c_void, CString},
    mem,
    path::Path,
    ptr,
};

use super::library::Library;

type Mount = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;
type Lookup = unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char) -> *mut c_void;
type Open = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, u32) -> *mut c_void;
type Pread = unsafe extern "C" fn(*mut c_void, i64, i64, *mut c_void) -> i64;

/// `NTFS_MNT_RDONLY`.
const READ_ONLY: c_int = 1;
/// `AT_DATA`.
const DATA: c_int = 0x80;

/// The content of a file as the library reads it. Neither it nor its volume is closed.
pub struct Stream {
    attribute: *mut c_void,
    pread: Pread,
}

impl Stream {
    /// Opens a file of a volume in an image; `None` if this machine does not have the library.
    pub fn open(image: &Path, path: &str) -> Option<Self> {
        let library = Library::load("NTFS_RS_LIBNTFS", "libntfs-3g.so.89")?;
        let image = CString::new(image.to_str().expect("a name")).expect("a name");
        let path = CString::new(path).expect("a path");
        // SAFETY: The types are those of `volume.h`, `dir.h` and `attrib.h`; each pointer is what the call
        // before has given, and is not null.
        unsafe {
            let mount: Mount = mem::transmute(library.find("ntfs_mount"));
            let lookup: Lookup = mem::transmute(library.find("ntfs_pathname_to_inode"));
            let open: Open = mem::transmute(library.find("ntfs_attr_open"));
            let volume = mount(image.as_ptr(), READ_ONLY);
            assert!(!volume.is_null(), "ntfs-3g opens the volume");
            let inode = lookup(volume, ptr::null_mut(), path.as_ptr());
            assert!(!inode.is_null(), "ntfs-3g finds the file");
            let attribute = open(inode, DATA, library.find("AT_UNNAMED"), 0);
            assert!(!attribute.is_null(), "ntfs-3g opens the file");
            let pread = mem::transmute::<*mut c_void, Pread>(library.find("ntfs_attr_pread"));
            Some(Self { attribute, pread })
        }
    }

    /// Reads from a position on, as far as there is something; says how many bytes.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> usize {
        let (at, length) = (at as i64, buffer.len() as i64);
        // SAFETY: The attribute is open, and the buffer is as long as is said.
        let read = unsafe { (self.pread)(self.attribute, at, length, buffer.as_mut_ptr().cast()) };
        usize::try_from(read).expect("ntfs-3g reads the file")
    }
}
