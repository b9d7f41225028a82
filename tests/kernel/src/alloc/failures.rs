// SPDX-License-Identifier: GPL-2.0-only

//! Allocations that fail on demand, and the count of those that live.
//!
//! Every container of this crate asks here before it takes memory. A test makes the nth request of
//! its own thread fail; other threads are not disturbed. The only module without a twin in the kernel
//! (which has fault injection for that).

use std::cell::Cell;

use super::AllocError;

thread_local! {
    static COUNTDOWN: Cell<Option<u64>> = const { Cell::new(None) };
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// Runs `f` with its `nth` allocation failing (0: the first); gives also whether one did fail.
pub fn with_nth_failing<R>(nth: u64, f: impl FnOnce() -> R) -> (R, bool) {
    COUNTDOWN.set(Some(nth));
    let result = f();
    let failed = COUNTDOWN.take().is_none();
    (result, failed)
}

/// Requests made by this thread so far.
pub fn requests() -> u64 {
    REQUESTS.get()
}

/// Allocations made by this thread, less those that it gave back.
pub fn live() -> isize {
    LIVE.get()
}

/// Whether the next allocation succeeds.
pub(crate) fn request() -> Result<(), AllocError> {
    REQUESTS.set(REQUESTS.get() + 1);
    match COUNTDOWN.get() {
        Some(0) => {
            COUNTDOWN.set(None);
            Err(AllocError)
        }
        Some(n) => {
            COUNTDOWN.set(Some(n - 1));
            Ok(())
        }
        None => Ok(()),
    }
}

/// One living allocation; dropped with it.
#[derive(Debug)]
pub(crate) struct Live(());

impl Live {
    pub(crate) fn new() -> Self {
        LIVE.set(LIVE.get() + 1);
        Self(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A thread that ends may drop what it holds after its counter.
        let _ = LIVE.try_with(|live| live.set(live.get() - 1));
    }
}
