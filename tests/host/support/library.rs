// SPDX-License-Identifier: GPL-2.0-only

//! C libraries that are looked for at run time, since a machine need not have them.

use std::ffi::{c_char, c_int, c_void, CString};

extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// `RTLD_NOW` of Linux.
const NOW: c_int = 2;

/// A library, which is never unloaded.
pub struct Library(*mut c_void);

impl Library {
    /// Loads the file that a variable of the environment names, or else the one that the linker finds under
    /// `name`; `None` if this machine does not have it.
    pub fn load(variable: &str, name: &str) -> Option<Self> {
        let name = std::env::var(variable).unwrap_or_else(|_| name.into());
        let name = CString::new(name).expect("a name");
        // SAFETY: The name is a C string; what the library does when it is loaded is in order.
        let library = unsafe { dlopen(name.as_ptr(), NOW) };
        (!library.is_null()).then_some(Self(library))
    }

    /// The address of what the library has under a name.
    pub fn find(&self, name: &str) -> *mut c_void {
        let name = CString::new(name).expect("a name");
        // SAFETY: The library is loaded, and is never unloaded.
        let found = unsafe { dlsym(self.0, name.as_ptr()) };
        assert!(!found.is_null(), "the library has {name:?}");
        found
    }
}
