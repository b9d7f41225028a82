// SPDX-License-Identifier: GPL-2.0-only

//! Work queues: a thread for each item.

use crate::alloc::{failures::request, AllocError, Flags};

/// A work queue.
pub struct Queue(());

static SYSTEM: Queue = Queue(());

/// The system work queue.
pub fn system() -> &'static Queue {
    &SYSTEM
}

impl Queue {
    /// Runs `func` on another thread.
    pub fn try_spawn<T: 'static + Send + FnOnce()>(
        &self,
        _flags: Flags,
        func: T,
    ) -> Result<(), AllocError> {
        request()?;
        std::thread::spawn(func);
        Ok(())
    }
}
