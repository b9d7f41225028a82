// SPDX-License-Identifier: GPL-2.0-only

//! `struct ratelimit_state`: how often something may be logged. C header: `include/linux/ratelimit.h`.

use super::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// A limit of some messages in a few seconds; the kernel logs how many it held back.
///
/// # Invariants
///
/// `state` is initialised and does not move.
#[pin_data]
pub(crate) struct Ratelimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
}

// SAFETY: The state has a lock of its own.
unsafe impl Send for Ratelimit {}
// SAFETY: As above.
unsafe impl Sync for Ratelimit {}

impl Ratelimit {
    /// The kernel's usual limit (`ratelimit_default_init`).
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- Opaque::ffi_init(|slot: *mut bindings::ratelimit_state| {
                // SAFETY: `slot` is valid for writes and pinned.
                unsafe { bindings::ratelimit_default_init(slot) };
            }),
        })
    }

    /// Whether one more message is within the limit (`___ratelimit`). Never sleeps.
    pub(crate) fn allows(&self) -> bool {
        // SAFETY: By the type invariant; the name is for the kernel's line about what was held back.
        unsafe { bindings::___ratelimit(self.state.get(), c"ntfs_rs".as_char_ptr()) != 0 }
    }
}
