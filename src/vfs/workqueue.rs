// SPDX-License-Identifier: GPL-2.0-only

//! `struct workqueue_struct`: threads for work that has to be done in a process, and `struct work_struct`:
//! something that is done in the background. C header: `include/linux/workqueue.h`.

use super::bindings;
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque, //
};

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

/// What can be done in the background.
pub(crate) trait Work: Send + Sync + 'static {
    /// Does it, in a thread of the kernel. Returns soon after `go_on` said no for the first time.
    fn work(&self, go_on: impl Fn() -> bool);
}

/// Something that has work done in the background.
///
/// # Invariants
///
/// `item` is initialised with [`Self::run`], is in no other [`Background`] and does not move.
#[pin_data(PinnedDrop)]
pub(crate) struct Background<T: Work> {
    #[pin]
    item: Opaque<bindings::work_struct>,
    /// Whether the work is to end.
    stopped: Atomic<bool>,
    owner: T,
}

// SAFETY: The item is guarded by the work queue, and the owner may be sent.
unsafe impl<T: Work> Send for Background<T> {}
// SAFETY: Only shared borrows of the owner are given out, and it is `Sync`.
unsafe impl<T: Work> Sync for Background<T> {}

impl<T: Work> Background<T> {
    /// Of which nothing is done yet.
    pub(crate) fn new(owner: T) -> impl PinInit<Self> {
        // INVARIANT: The item is part of this object, which is pinned.
        pin_init!(Self {
            item <- Opaque::ffi_init(|slot: *mut bindings::work_struct| {
                // SAFETY: `slot` is valid for writes and pinned.
                unsafe { bindings::init_background_work(slot, Some(Self::run)) };
            }),
            stopped: Atomic::new(false),
            owner,
        })
    }

    /// Has the work done by a thread that may take long (`system_dfl_long_wq`); once more after it ended, or was
    /// stopped. Never sleeps.
    pub(crate) fn start(&self) {
        self.stopped.store(false, Relaxed);
        // SAFETY: By the type invariant; the item is cancelled before it goes.
        unsafe { bindings::queue_work(bindings::system_dfl_long_wq, self.item.get()) };
    }

    /// Has the work end, and waits for that (`cancel_work_sync`).
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        // SAFETY: By the type invariant.
        unsafe { bindings::cancel_work_sync(self.item.get()) };
    }

    /// # Safety
    ///
    /// Called by the work queue only, with the item of a `Self`.
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // SAFETY: The item is part of a `Self`, which is not dropped before this returned.
        let this = unsafe {
            let item = work.cast::<Opaque<bindings::work_struct>>();
            &*kernel::container_of!(item, Self, item)
        };
        this.owner.work(|| !this.stopped.load(Relaxed));
    }
}

impl<T: Work> Deref for Background<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.owner
    }
}

#[pinned_drop]
impl<T: Work> PinnedDrop for Background<T> {
    fn drop(self: Pin<&mut Self>) {
        self.stop();
    }
}
