// SPDX-License-Identifier: GPL-2.0-only

//! Waiting for an event.

use std::sync::{Condvar, Mutex};

use pinned_init::PinInit;

/// An event that happens once.
#[derive(Default)]
pub struct Completion {
    done: Mutex<bool>,
    changed: Condvar,
}

impl Completion {
    /// Not yet completed.
    // In the kernel too this gives an initialiser and not the value.
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> impl PinInit<Self> {
        Self::default()
    }

    /// Wakes all present and future waiters.
    pub fn complete_all(&self) {
        *self.done.lock().unwrap_or_else(|e| e.into_inner()) = true;
        self.changed.notify_all();
    }

    /// Waits for the completion.
    pub fn wait_for_completion(&self) {
        let mut done = self.done.lock().unwrap_or_else(|e| e.into_inner());
        while !*done {
            done = self.changed.wait(done).unwrap_or_else(|e| e.into_inner());
        }
    }
}
