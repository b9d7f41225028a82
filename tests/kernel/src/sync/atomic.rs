// SPDX-License-Identifier: GPL-2.0-only

//! Atomics whose ordering is a type.

use core::sync::atomic::Ordering as Std;

use super::backend::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};

pub use ordering::{Acquire, Full, Relaxed, Release};

/// Memory orderings.
pub mod ordering {
    use core::sync::atomic::Ordering as Std;

    /// No ordering.
    pub struct Relaxed;
    /// For loads: what follows stays behind.
    pub struct Acquire;
    /// For stores: what precedes stays before.
    pub struct Release;
    /// Both.
    pub struct Full;

    /// Ordering of a read-modify-write operation.
    pub trait Ordering {
        /// The ordering of the standard library.
        const STD: Std;
    }
    impl Ordering for Relaxed {
        const STD: Std = Std::Relaxed;
    }
    impl Ordering for Acquire {
        const STD: Std = Std::Acquire;
    }
    impl Ordering for Release {
        const STD: Std = Std::Release;
    }
    impl Ordering for Full {
        const STD: Std = Std::SeqCst;
    }

    /// Ordering of a load.
    pub trait AcquireOrRelaxed: Ordering {}
    impl AcquireOrRelaxed for Acquire {}
    impl AcquireOrRelaxed for Relaxed {}

    /// Ordering of a store.
    pub trait ReleaseOrRelaxed: Ordering {}
    impl ReleaseOrRelaxed for Release {}
    impl ReleaseOrRelaxed for Relaxed {}
}

/// A type that fits in an [`Atomic`].
pub trait AtomicType: Copy {
    /// The atomic of the standard library.
    type Repr;
    /// Makes one.
    fn new(v: Self) -> Self::Repr;
    /// Loads it.
    fn load(repr: &Self::Repr, order: Std) -> Self;
    /// Stores to it.
    fn store(repr: &Self::Repr, v: Self, order: Std);
    /// Exchanges it.
    fn xchg(repr: &Self::Repr, v: Self, order: Std) -> Self;
    /// Exchanges it if it is `old`.
    fn cmpxchg(repr: &Self::Repr, old: Self, new: Self, order: Std) -> Result<Self, Self>;
}

/// A type with atomic addition.
pub trait AtomicAdd: AtomicType {
    /// Adds and gives what was there before.
    fn fetch_add(repr: &Self::Repr, v: Self, order: Std) -> Self;
    /// Subtracts and gives what was there before.
    fn fetch_sub(repr: &Self::Repr, v: Self, order: Std) -> Self;
}

macro_rules! atomic_type {
    ($type:ty, $repr:ty) => {
        impl AtomicType for $type {
            type Repr = $repr;
            fn new(v: Self) -> $repr {
                <$repr>::new(v)
            }
            fn load(repr: &$repr, order: Std) -> Self {
                repr.load(order)
            }
            fn store(repr: &$repr, v: Self, order: Std) {
                repr.store(v, order);
            }
            fn xchg(repr: &$repr, v: Self, order: Std) -> Self {
                repr.swap(v, order)
            }
            fn cmpxchg(repr: &$repr, old: Self, new: Self, order: Std) -> Result<Self, Self> {
                repr.compare_exchange(old, new, order, Std::Relaxed)
            }
        }
    };
}

macro_rules! atomic_add {
    ($type:ty, $repr:ty) => {
        atomic_type!($type, $repr);
        impl AtomicAdd for $type {
            fn fetch_add(repr: &$repr, v: Self, order: Std) -> Self {
                repr.fetch_add(v, order)
            }
            fn fetch_sub(repr: &$repr, v: Self, order: Std) -> Self {
                repr.fetch_sub(v, order)
            }
        }
    };
}

atomic_type!(bool, AtomicBool);
atomic_add!(u32, AtomicU32);
atomic_add!(u64, AtomicU64);
atomic_add!(usize, AtomicUsize);

/// A memory location that can be accessed atomically.
pub struct Atomic<T: AtomicType>(T::Repr);

impl<T: AtomicType> Atomic<T> {
    /// Creates it.
    pub fn new(v: T) -> Self {
        Self(T::new(v))
    }

    /// Loads the value.
    pub fn load<O: ordering::AcquireOrRelaxed>(&self, _: O) -> T {
        T::load(&self.0, O::STD)
    }

    /// Stores a value.
    pub fn store<O: ordering::ReleaseOrRelaxed>(&self, v: T, _: O) {
        T::store(&self.0, v, O::STD);
    }

    /// Exchanges the value.
    pub fn xchg<O: ordering::Ordering>(&self, v: T, _: O) -> T {
        T::xchg(&self.0, v, O::STD)
    }

    /// Exchanges the value if it is `old`; the error is what was there.
    pub fn cmpxchg<O: ordering::Ordering>(&self, old: T, new: T, _: O) -> Result<T, T> {
        T::cmpxchg(&self.0, old, new, O::STD)
    }
}

impl<T: AtomicAdd> Atomic<T> {
    /// Adds.
    pub fn add(&self, v: T, _: Relaxed) {
        T::fetch_add(&self.0, v, Std::Relaxed);
    }

    /// Adds and gives what was there before.
    pub fn fetch_add<O: ordering::Ordering>(&self, v: T, _: O) -> T {
        T::fetch_add(&self.0, v, O::STD)
    }

    /// Subtracts and gives what was there before.
    pub fn fetch_sub<O: ordering::Ordering>(&self, v: T, _: O) -> T {
        T::fetch_sub(&self.0, v, O::STD)
    }
}
