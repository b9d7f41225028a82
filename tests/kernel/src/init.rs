// SPDX-License-Identifier: GPL-2.0-only

//! Initialising in place, inside a smart pointer.

use pinned_init::{Init, PinInit};

use crate::{
    alloc::{AllocError, Flags},
    error::{self, Error},
};

/// Smart pointer that can initialise memory in place.
pub trait InPlaceInit<T>: Sized {
    /// Pinned version of `Self`.
    type PinnedSelf;

    /// Initialises a pinned `T` inside a new smart pointer; the initialiser's own error.
    fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self::PinnedSelf, E>
    where
        E: From<AllocError>;

    /// Initialises a pinned `T` inside a new smart pointer; a kernel error.
    fn pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> error::Result<Self::PinnedSelf>
    where
        Error: From<E>,
    {
        // SAFETY: delegates to `init` and only changes the type of the error.
        let init = unsafe {
            pinned_init::pin_init_from_closure(|slot| {
                init.__pinned_init(slot).map_err(|e| Error::from(e))
            })
        };
        Self::try_pin_init(init, flags)
    }

    /// Initialises a `T` inside a new smart pointer; the initialiser's own error.
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>;
}
