// SPDX-License-Identifier: GPL-2.0-only

//! Reference counting.

use core::{mem::MaybeUninit, ops::Deref, ptr::addr_of_mut};

use pinned_init::{Init, PinInit};

use crate::{
    alloc::{
        failures::{request, Live},
        AllocError, Flags,
    },
    init::InPlaceInit,
};

struct Inner<T> {
    value: T,
    _live: Live,
}

/// A reference-counted pointer to a pinned `T`.
pub struct Arc<T>(std::sync::Arc<Inner<T>>);

impl<T> Arc<T> {
    /// A new object with one reference.
    pub fn new(contents: T, _flags: Flags) -> Result<Self, AllocError> {
        request()?;
        Ok(Self(std::sync::Arc::new(Inner {
            value: contents,
            _live: Live::new(),
        })))
    }

    /// Whether both are the same object.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&this.0, &other.0)
    }
}

impl<T> InPlaceInit<T> for Arc<T> {
    type PinnedSelf = Self;

    fn try_pin_init<E>(init: impl PinInit<T, E>, _flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        request()?;
        let mut slot = std::boxed::Box::new(MaybeUninit::<Inner<T>>::uninit());
        let inner = slot.as_mut_ptr();
        // SAFETY: both fields are written before the slot counts as initialised. The move into the
        // `Arc` is harmless: no type of this crate depends on its address.
        let inner = unsafe {
            init.__pinned_init(addr_of_mut!((*inner).value))?;
            addr_of_mut!((*inner)._live).write(Live::new());
            slot.assume_init()
        };
        Ok(Self(std::sync::Arc::from(inner)))
    }

    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        Self::try_pin_init(init, flags)
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: core::fmt::Debug> core::fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&**self, f)
    }
}
