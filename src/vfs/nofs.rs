// SPDX-License-Identifier: GPL-2.0-only

//! Scopes in which no allocation enters a file system. C header: `include/linux/sched/mm.h`.

use super::bindings;
use kernel::types::NotThreadSafe;

/// As long as it lives, allocations of this thread do not reclaim through a file system
/// (`memalloc_nofs_save`); dropping it ends the scope (`memalloc_nofs_restore`). Scopes nest, and have to
/// end in the reverse order.
#[must_use = "the scope ends when this is dropped"]
pub(crate) struct NoFs {
    saved: u32,
    _thread: NotThreadSafe,
}

impl NoFs {
    /// Enters a scope.
    pub(crate) fn enter() -> Self {
        // SAFETY: It only sets a flag of the current task.
        let saved = unsafe { bindings::memalloc_nofs_save() };
        Self {
            saved,
            _thread: NotThreadSafe,
        }
    }
}

impl Drop for NoFs {
    fn drop(&mut self) {
        // SAFETY: `saved` came from `memalloc_nofs_save` on this thread, as the type is not `Send`.
        unsafe { bindings::memalloc_nofs_restore(self.saved) };
    }
}
