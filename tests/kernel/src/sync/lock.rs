// SPDX-License-Identifier: GPL-2.0-only

//! Locks: made by a pinned initialiser, as in the kernel.

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use pinned_init::PinInit;

use super::backend;

/// A lock with data in it; `B` tells a mutex from a spin lock.
pub struct Lock<T, B> {
    data: backend::Mutex<T>,
    _backend: PhantomData<B>,
}

/// Proof of a held lock.
#[must_use = "the lock unlocks immediately when the guard is unused"]
pub struct Guard<'a, T, B> {
    guard: backend::MutexGuard<'a, T>,
    _backend: PhantomData<B>,
}

/// Name of the sleeping lock.
pub struct MutexBackend;
/// Name of the spinning lock.
pub struct SpinLockBackend;

/// A mutual exclusion primitive that sleeps.
pub type Mutex<T> = Lock<T, MutexBackend>;
/// Guard of a [`Mutex`].
pub type MutexGuard<'a, T> = Guard<'a, T, MutexBackend>;
/// A mutual exclusion primitive that spins.
pub type SpinLock<T> = Lock<T, SpinLockBackend>;
/// Guard of a [`SpinLock`].
pub type SpinLockGuard<'a, T> = Guard<'a, T, SpinLockBackend>;

// SAFETY: `B` is a name only.
unsafe impl<T: Send, B> Send for Lock<T, B> {}
// SAFETY: as above; the data is reached through the lock.
unsafe impl<T: Send, B> Sync for Lock<T, B> {}

impl<T, B> Lock<T, B> {
    /// An initialiser of a lock; use `new_mutex!` and `new_spinlock!`.
    pub fn new(data: T) -> impl PinInit<Self> {
        Self {
            data: backend::Mutex::new(data),
            _backend: PhantomData,
        }
    }

    /// Takes the lock. A panic of another holder is a failed test there, not here.
    pub fn lock(&self) -> Guard<'_, T, B> {
        let guard = match self.data.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        };
        Guard {
            guard,
            _backend: PhantomData,
        }
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<Guard<'_, T, B>> {
        let guard = self.data.try_lock().ok()?;
        Some(Guard {
            guard,
            _backend: PhantomData,
        })
    }
}

impl<T, B> Deref for Guard<'_, T, B> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

/// As in the kernel, only data that need not stay pinned can be changed through the guard.
impl<T: Unpin, B> DerefMut for Guard<'_, T, B> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Initialiser of a [`Mutex`]; each call site is a lock class of its own in the kernel.
#[macro_export]
macro_rules! new_mutex {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::Mutex::new($inner)
    };
}

/// Initialiser of a [`SpinLock`].
#[macro_export]
macro_rules! new_spinlock {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::SpinLock::new($inner)
    };
}
