// SPDX-License-Identifier: GPL-2.0-only

//! Sharing and locking.

pub mod arc;
pub mod atomic;
pub mod completion;
pub mod lock;

/// What locks and atomics are made of.
mod backend {
    #[cfg(feature = "loom")]
    pub use loom::sync::{
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize},
        Mutex, MutexGuard,
    };
    #[cfg(not(feature = "loom"))]
    pub use std::sync::{
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize},
        Mutex, MutexGuard,
    };
}

pub use arc::Arc;
pub use completion::Completion;
pub use lock::{Mutex, MutexGuard, SpinLock, SpinLockGuard};

pub use crate::{new_mutex, new_spinlock};
