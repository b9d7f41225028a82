// SPDX-License-Identifier: GPL-2.0-only

//! An owned copy of a multi-sector structure: an MFT record or an index block.
//!
//! The bytes, with their fixups undone, are behind a mutex, and the guard that [`Buffer::map`]
//! gives is the only way to them. The first one who maps reads the device; an unmapped buffer may
//! also be filled ahead of its use. A structure that is broken stays broken until it is thrown
//! out; an error of the device, or a failed allocation, is forgotten at once.
//!
//! Lock order: see [`super`]; a thread maps one buffer at a time.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Mutex,
        MutexGuard, //
    },
};

use super::error::{
    Error,
    Result, //
};

/// What is known about the bytes.
pub enum State {
    /// Nothing yet.
    Unread,
    /// Read, and whole.
    Ready(KVec<u8>),
    /// Read, and not usable.
    Broken(Error),
}

/// The buffer of one structure.
#[pin_data]
pub struct Buffer {
    #[pin]
    state: Mutex<State>,
}

impl Buffer {
    /// For a base record.
    pub fn base_record() -> impl PinInit<Self> {
        pin_init!(Self { state <- new_mutex!(State::Unread, "ntfs_rs::base_record") })
    }

    /// For an extension record; another lock class than base records.
    pub fn extension_record() -> impl PinInit<Self> {
        pin_init!(Self { state <- new_mutex!(State::Unread, "ntfs_rs::extension_record") })
    }

    /// For the record of `$MFT`; a lock class of its own.
    pub fn mft_record() -> impl PinInit<Self> {
        pin_init!(Self { state <- new_mutex!(State::Unread, "ntfs_rs::mft_record") })
    }

    /// For an index block.
    pub fn index_block() -> impl PinInit<Self> {
        pin_init!(Self { state <- new_mutex!(State::Unread, "ntfs_rs::index_block") })
    }

    /// Locks the buffer and makes sure that it is filled; `fill` reads it if it is not.
    pub fn map<F>(&self, fill: F) -> Result<Mapped<'_>>
    where
        F: FnOnce() -> Result<KVec<u8>>,
    {
        let mut guard = self.state.lock();
        if let State::Unread = *guard {
            match fill() {
                Ok(bytes) => *guard = State::Ready(bytes),
                Err(error) => {
                    if !error.is_transient() {
                        *guard = State::Broken(error);
                    }
                    return Err(error);
                }
            }
        }
        match &*guard {
            // INVARIANT of `Mapped`: only built here, for `Ready`.
            State::Ready(_) => Ok(Mapped { guard }),
            State::Broken(error) => Err(*error),
            // The arm above left no other state.
            State::Unread => Err(Error::NotFound),
        }
    }

    /// Puts bytes that were read ahead into the buffer, unless it is filled or in use.
    pub fn fill_ahead(&self, bytes: KVec<u8>) {
        if let Some(mut guard) = self.state.try_lock() {
            if let State::Unread = *guard {
                *guard = State::Ready(bytes);
            }
        }
    }
}

/// A mapped buffer: its lock is held and its bytes are there. Dropping it unmaps.
///
/// # Invariants
///
/// The state is [`State::Ready`].
#[must_use = "the buffer is unmapped at once when the guard is not used"]
pub struct Mapped<'a> {
    guard: MutexGuard<'a, State>,
}

impl Mapped<'_> {
    /// The bytes, with fixups undone.
    pub fn bytes(&self) -> &[u8] {
        match &*self.guard {
            State::Ready(bytes) => bytes,
            // Excluded by the invariant.
            State::Unread | State::Broken(_) => &[],
        }
    }

    /// The bytes, to be changed by the one who holds the lock.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut *self.guard {
            State::Ready(bytes) => bytes,
            // Excluded by the invariant.
            State::Unread | State::Broken(_) => &mut [],
        }
    }
}
