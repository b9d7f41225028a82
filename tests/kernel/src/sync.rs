// SPDX-License-Identifier: GPL-2.0-only

//! Sharing and locking.

pub mod arc;
pub mod atomic;
pub mod completion;
pub mod lock;

pub use arc::Arc;
pub use completion::Completion;
pub use lock::{Mutex, MutexGuard, SpinLock, SpinLockGuard};

pub use crate::{new_mutex, new_spinlock};
