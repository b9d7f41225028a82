// SPDX-License-Identifier: GPL-2.0-only

//! What `use kernel::prelude::*` brings.

pub use core::{
    mem::{align_of, align_of_val, size_of, size_of_val},
    pin::Pin,
};

pub use pinned_init::{init, pin_data, pin_init, pinned_drop, Init, PinInit, Zeroable};
pub use zerocopy::{FromBytes, IntoBytes};
pub use zerocopy_derive::{FromBytes, IntoBytes};

pub use crate::{
    __fmt as fmt,
    alloc::{flags::*, Box, KBox, KVBox, KVVec, KVec, VVec, Vec},
    error::{code::*, Error, Result},
    init::InPlaceInit,
    pr_err, pr_info, pr_warn, static_assert,
};
