// SPDX-License-Identifier: GPL-2.0-only

//! `KBox` and its kin.

use core::{
    fmt,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    pin::Pin,
};
use std::boxed::Box as StdBox;

use pinned_init::{Init, PinInit};

use super::{
    allocator::{KVmalloc, Kmalloc},
    failures::{request, Live},
    AllocError, Flags,
};
use crate::init::InPlaceInit;

/// An owning pointer to one value.
pub struct Box<T: ?Sized, A> {
    value: StdBox<T>,
    live: Live,
    _allocator: PhantomData<A>,
}

/// A [`Box`] in `kmalloc` memory.
pub type KBox<T> = Box<T, Kmalloc>;
/// A [`Box`] in `kvmalloc` memory.
pub type KVBox<T> = Box<T, KVmalloc>;

// SAFETY: `A` is a name only; the value is owned.
unsafe impl<T: Send + ?Sized, A> Send for Box<T, A> {}
// SAFETY: as above.
unsafe impl<T: Sync + ?Sized, A> Sync for Box<T, A> {}

impl<T, A> Box<T, A> {
    /// A new box with `x` in it.
    pub fn new(x: T, _flags: Flags) -> Result<Self, AllocError> {
        request()?;
        Ok(Self::of(StdBox::new(x)))
    }

    /// Takes the value out and frees the box.
    pub fn into_inner(b: Self) -> T {
        *b.value
    }

    /// The box, pinned.
    pub fn into_pin(this: Self) -> Pin<Self> {
        // SAFETY: the value is on the heap and cannot be moved through the pin.
        unsafe { Pin::new_unchecked(this) }
    }

    fn of(value: StdBox<T>) -> Self {
        Self {
            value,
            live: Live::new(),
            _allocator: PhantomData,
        }
    }
}

impl<T, A> InPlaceInit<T> for Box<T, A> {
    type PinnedSelf = Pin<Self>;

    fn try_pin_init<E>(init: impl PinInit<T, E>, _flags: Flags) -> Result<Pin<Self>, E>
    where
        E: From<AllocError>,
    {
        request()?;
        let mut slot = StdBox::new(MaybeUninit::<T>::uninit());
        // SAFETY: the slot is valid for writes and never moves; on success it is initialised.
        let value = unsafe {
            init.__pinned_init(slot.as_mut_ptr())?;
            slot.assume_init()
        };
        Ok(Self::into_pin(Self::of(value)))
    }

    fn try_init<E>(init: impl Init<T, E>, _flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        request()?;
        let mut slot = StdBox::new(MaybeUninit::<T>::uninit());
        // SAFETY: the slot is valid for writes; on success it is initialised.
        let value = unsafe {
            init.__init(slot.as_mut_ptr())?;
            slot.assume_init()
        };
        Ok(Self::of(value))
    }
}

impl<T: ?Sized, A> Deref for Box<T, A> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized, A> DerefMut for Box<T, A> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug + ?Sized, A> fmt::Debug for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = &self.live;
        fmt::Debug::fmt(&**self, f)
    }
}
