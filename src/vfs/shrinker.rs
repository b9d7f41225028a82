// SPDX-License-Identifier: GPL-2.0-only

//! `struct shrinker`: giving memory of our caches back. C header: `include/linux/shrinker.h`.

use super::bindings;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    types::ForeignOwnable, //
};

/// `SHRINK_STOP`: not now.
const SHRINK_STOP: c_ulong = c_ulong::MAX;

/// `SHRINK_EMPTY`: there is nothing.
const SHRINK_EMPTY: c_ulong = SHRINK_STOP - 1;

/// A cache that can be asked for memory.
///
/// Both may be called by any thread that allocates without `GFP_NOFS` (in particular not within
/// [`NoFs`](super::nofs::NoFs)), and by kswapd; they may lock what is not held over an allocation that may
/// call them.
pub(crate) trait Operations: Send + Sync + 'static {
    /// How many objects could be given back.
    fn count(&self) -> usize;

    /// Looks at no more than `number` objects and gives back what is not in use; how many those were.
    fn scan(&self, number: usize) -> usize;
}

/// Something that owns a cache and is asked for its memory as long as this lives.
///
/// # Invariants
///
/// `shrinker` is registered with our functions, and its `private_data` is what `P::into_foreign` gave.
pub(crate) struct Shrinker<P: ForeignOwnable> {
    shrinker: NonNull<bindings::shrinker>,
    _owner: PhantomData<P>,
}

// SAFETY: The shrinker is guarded by its own locks, and the owner may be sent.
unsafe impl<P: ForeignOwnable + Send> Send for Shrinker<P> {}
// SAFETY: Only shared borrows of the cache are given out.
unsafe impl<P: ForeignOwnable + Sync> Sync for Shrinker<P> {}

impl<C, P> Shrinker<P>
where
    C: Operations,
    P: ForeignOwnable + 'static,
    for<'a> P::Borrowed<'a>: Deref<Target = C>,
{
    /// Registers a cache, under a name that debugfs shows (`shrinker_alloc`, `shrinker_register`).
    pub(crate) fn new(owner: P, name: &CStr) -> Result<Self> {
        // SAFETY: The format takes one string, which is there during the call.
        let shrinker =
            unsafe { bindings::shrinker_alloc(0, c"%s".as_char_ptr(), name.as_char_ptr()) };
        let shrinker = NonNull::new(shrinker).ok_or(ENOMEM)?;
        // SAFETY: Not registered yet, so exclusively ours.
        unsafe {
            let raw = shrinker.as_ptr();
            (*raw).count_objects = Some(Self::count_objects);
            (*raw).scan_objects = Some(Self::scan_objects);
            (*raw).seeks = bindings::DEFAULT_SEEKS as c_int;
            (*raw).private_data = owner.into_foreign();
            bindings::shrinker_register(raw);
        }
        // INVARIANT: Just made so.
        Ok(Self {
            shrinker,
            _owner: PhantomData,
        })
    }

    /// # Safety
    ///
    /// Called by reclaim only, as `struct shrinker` says, for the shrinker of [`Self::new`].
    unsafe extern "C" fn count_objects(
        shrinker: *mut bindings::shrinker,
        _control: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: Registered, so its data is there.
        let cache = unsafe { P::borrow((*shrinker).private_data) };
        match cache.count() {
            0 => SHRINK_EMPTY,
            count => count,
        }
    }

    /// # Safety
    ///
    /// Called by reclaim only, as `struct shrinker` says, for the shrinker of [`Self::new`].
    unsafe extern "C" fn scan_objects(
        shrinker: *mut bindings::shrinker,
        control: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: Registered, so its data is there; the control is ours during the call.
        let (cache, gfp, number) = unsafe {
            (
                P::borrow((*shrinker).private_data),
                (*control).gfp_mask,
                (*control).nr_to_scan,
            )
        };
        if gfp & bindings::__GFP_FS == 0 {
            return SHRINK_STOP;
        }
        cache.scan(number)
    }
}

impl<P: ForeignOwnable> Shrinker<P> {
    /// What it owns.
    pub(crate) fn owner(&self) -> P::Borrowed<'_> {
        // SAFETY: By the type invariant.
        unsafe { P::borrow((*self.shrinker.as_ptr()).private_data) }
    }
}

impl<P: ForeignOwnable> Drop for Shrinker<P> {
    fn drop(&mut self) {
        // SAFETY: Registered; `shrinker_free` waits for calls that run, and none come after.
        unsafe {
            let owner = (*self.shrinker.as_ptr()).private_data;
            bindings::shrinker_free(self.shrinker.as_ptr());
            drop(P::from_foreign(owner));
        }
    }
}
