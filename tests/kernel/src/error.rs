// SPDX-License-Identifier: GPL-2.0-only

//! Kernel errors: an errno as a type.

use core::{fmt, num::NonZeroI32};

use crate::alloc::AllocError;

/// The codes, with their Linux x86 numbers.
pub mod code {
    macro_rules! declare_err {
        ($($err:ident = $number:literal, $doc:literal;)+) => {
            $(
                #[doc = $doc]
                pub const $err: super::Error = super::Error::from_positive($number);
            )+
        };
    }

    declare_err! {
        EPERM = 1, "Operation not permitted.";
        ENOENT = 2, "No such file or directory.";
        EIO = 5, "I/O error.";
        ENXIO = 6, "No such device or address.";
        EAGAIN = 11, "Try again.";
        ENOMEM = 12, "Out of memory.";
        EACCES = 13, "Permission denied.";
        EBUSY = 16, "Device or resource busy.";
        EEXIST = 17, "File exists.";
        ENODEV = 19, "No such device.";
        ENOTDIR = 20, "Not a directory.";
        EISDIR = 21, "Is a directory.";
        EINVAL = 22, "Invalid argument.";
        EFBIG = 27, "File too large.";
        ENOSPC = 28, "No space left on device.";
        EROFS = 30, "Read-only file system.";
        ERANGE = 34, "Math result not representable.";
        ENAMETOOLONG = 36, "File name too long.";
        ENODATA = 61, "No data available.";
        EOVERFLOW = 75, "Value too large for defined data type.";
        EILSEQ = 84, "Illegal byte sequence.";
        EOPNOTSUPP = 95, "Operation not supported on transport endpoint.";
    }
}

/// Generic integer kernel error; always a valid, negative errno.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(NonZeroI32);

impl Error {
    const fn from_positive(number: i32) -> Self {
        match NonZeroI32::new(-number) {
            Some(errno) => Self(errno),
            None => panic!("errno 0"),
        }
    }

    /// An [`Error`] from a kernel error code; what is none becomes `EINVAL`, as in the kernel.
    pub fn from_errno(errno: core::ffi::c_int) -> Self {
        match NonZeroI32::new(errno) {
            Some(value) if (-4095..0).contains(&errno) => Self(value),
            _ => code::EINVAL,
        }
    }

    /// The errno, negative.
    pub fn to_errno(self) -> core::ffi::c_int {
        self.0.get()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.0.get()).finish()
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}

impl From<core::num::TryFromIntError> for Error {
    fn from(_: core::num::TryFromIntError) -> Self {
        code::EINVAL
    }
}

impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Self {
        code::EINVAL
    }
}

impl From<core::convert::Infallible> for Error {
    fn from(e: core::convert::Infallible) -> Self {
        match e {}
    }
}

/// A [`Result`](core::result::Result) with an [`Error`] in it.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;
