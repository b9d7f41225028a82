// SPDX-License-Identifier: GPL-2.0-only

//! `struct workqueue_struct`: threads for work that has to be done in a process. C header:
//! `include/linux/workqueue.h`.

use super::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A queue whose work goes on when there is no memory (`WQ_MEM_RECLAIM`): memory may be waiting for it.
///
/// # Invariants
///
/// The queue is live.
pub(crate) struct Workqueue(NonNull<bindings::workqueue_struct>);

// SAFETY: A queue may be used by any thread at any time.
unsafe impl Send for Workqueue {}
// SAFETY: As above.
unsafe impl Sync for Workqueue {}

impl Workqueue {
    /// Makes a queue (`alloc_workqueue`).
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        let flags = bindings::wq_flags_WQ_MEM_RECLAIM | bindings::wq_flags_WQ_UNBOUND;
        // SAFETY: The format takes one string, which is there during the call.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(c"%s".as_char_ptr(), flags, 0, name.as_char_ptr())
        };
        // INVARIANT: Just made.
        NonNull::new(queue).map(Self).ok_or(ENOMEM)
    }

    /// The C structure.
    pub(super) fn as_ptr(&self) -> *mut bindings::workqueue_struct {
        self.0.as_ptr()
    }
}

impl Drop for Workqueue {
    fn drop(&mut self) {
        // SAFETY: The queue is ours; this waits for the work that is in it.
        unsafe { bindings::destroy_workqueue(self.as_ptr()) };
    }
}
