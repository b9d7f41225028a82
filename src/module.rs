// SPDX-License-Identifier: GPL-2.0-only

//! What lives as long as the module is loaded: the registration of the file system type.

use crate::{
    ops,
    vfs::fs_type, //
};
use kernel::prelude::*;

/// The loaded module.
#[pin_data]
pub(crate) struct Module {
    #[pin]
    fs_type: fs_type::Registration<ops::NtfsRs>,
}

impl kernel::InPlaceModule for Module {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            fs_type <- fs_type::Registration::new(module),
        })
    }
}
