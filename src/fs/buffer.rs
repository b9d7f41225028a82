// SPDX-License-Identifier: GPL-2.0-only

//! An owned copy of a multi-sector structure: an MFT record or an index block.
//!
//! The bytes, with their fixups undone, are behind a mutex, and the guard that [`Buffer::map`]
//! gives is the only way to them. The first one who maps reads the device; an unmapped buffer may
//! also be filled ahead of its use. A structure that is broken stays broken until it is thrown
//! out; an error of the device, or a failed allocation, is forgotten at once.
//!
//! Only a [`super::transaction::Transaction`] changes the bytes. What it changed is dirty, and stays in
//! the cache until [`Mapped::write_out`] has brought it to the device. What has to be on the device before
//! is brought there in rounds: a buffer tells whether it changed since [`Mapped::begin_round`].
//!
//! Lock order: see [`super`]; a thread maps one buffer at a time, but for those of one transaction.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex,
        MutexGuard, //
    },
};

use super::{
    cache::Cached,
    error::{
        Error,
        Result, //
    },
    transaction::Permit, //
};
use crate::ondisk::{
    error::Malformed,
    fixup::{
        self,
        Magic, //
    },
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

/// How far the bytes are from those on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// They are the same.
    Clean,
    /// They have changed since the last round began, and had been clean then.
    Changed,
    /// They are what they were when the last round began, and are to be written in it.
    Ready,
    /// They are to be written in the last round, and have changed since it began.
    ChangedAgain,
}

impl Stage {
    fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Changed,
            2 => Self::Ready,
            3 => Self::ChangedAgain,
            _ => Self::Clean,
        }
    }

    fn to_raw(self) -> u32 {
        match self {
            Self::Clean => 0,
            Self::Changed => 1,
            Self::Ready => 2,
            Self::ChangedAgain => 3,
        }
    }
}

/// When a structure is written. What refers to others comes after them, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// An extension record, which a base record refers to.
    Extension,
    /// The record of `$MFT`, which tells where all others are.
    Mft,
    /// Anything else.
    Base,
}

/// The buffer of one structure.
#[pin_data]
pub struct Buffer {
    #[pin]
    state: Mutex<State>,
    /// A [`Stage`]; written under the lock of the bytes.
    stage: Atomic<u32>,
    /// Counts the transactions that put attributes into the record or took some out; written under the lock of
    /// the bytes.
    arrangement: Atomic<u32>,
    /// Whether what was made anew here was never written; written under the lock of the bytes.
    unwritten: Atomic<bool>,
    rank: Rank,
}

impl Cached for Buffer {
    fn must_stay(&self) -> bool {
        self.is_dirty()
    }
}

impl Buffer {
    /// For a base record.
    pub fn base_record() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State::Unread, "ntfs_rs::base_record"),
            stage: Atomic::new(Stage::Clean.to_raw()),
            arrangement: Atomic::new(0),
            unwritten: Atomic::new(false),
            rank: Rank::Base,
        })
    }

    /// For an extension record; another lock class than base records.
    pub fn extension_record() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State::Unread, "ntfs_rs::extension_record"),
            stage: Atomic::new(Stage::Clean.to_raw()),
            arrangement: Atomic::new(0),
            unwritten: Atomic::new(false),
            rank: Rank::Extension,
        })
    }

    /// For the record of `$MFT`; a lock class of its own.
    pub fn mft_record() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State::Unread, "ntfs_rs::mft_record"),
            stage: Atomic::new(Stage::Clean.to_raw()),
            arrangement: Atomic::new(0),
            unwritten: Atomic::new(false),
            rank: Rank::Mft,
        })
    }

    /// For an index block.
    pub fn index_block() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State::Unread, "ntfs_rs::index_block"),
            stage: Atomic::new(Stage::Clean.to_raw()),
            arrangement: Atomic::new(0),
            unwritten: Atomic::new(false),
            rank: Rank::Base,
        })
    }

    /// Whether the bytes are still to be written. Without the lock this is only a hint.
    pub fn is_dirty(&self) -> bool {
        self.stage() != Stage::Clean
    }

    fn stage(&self) -> Stage {
        Stage::from_raw(self.stage.load(Relaxed))
    }

    /// When it is written, by what it was made for.
    pub(super) fn rank(&self) -> Rank {
        self.rank
    }

    fn set_stage(&self, stage: Stage) {
        self.stage.store(stage.to_raw(), Relaxed);
    }

    /// Locks the buffer and makes sure that it is filled; `fill` reads it if it is not.
    pub fn map<F>(&self, fill: F) -> Result<Mapped<'_>>
    where
        F: FnOnce() -> Result<KVec<u8>>,
    {
        self.filled(self.state.lock(), fill)
    }

    /// [`Self::map`], if nobody has the buffer locked: for who has other buffers mapped already.
    pub(super) fn try_map<F>(&self, fill: F) -> Result<Option<Mapped<'_>>>
    where
        F: FnOnce() -> Result<KVec<u8>>,
    {
        match self.state.try_lock() {
            Some(guard) => self.filled(guard, fill).map(Some),
            None => Ok(None),
        }
    }

    fn filled<'a, F>(&'a self, guard: MutexGuard<'a, State>, fill: F) -> Result<Mapped<'a>>
    where
        F: FnOnce() -> Result<KVec<u8>>,
    {
        let mut guard = guard;
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
            // INVARIANT of `Mapped`: it is `Ready`.
            State::Ready(_) => Ok(Mapped {
                buffer: self,
                guard,
            }),
            State::Broken(error) => Err(*error),
            // The arm above left no other state.
            State::Unread => Err(Error::NotFound),
        }
    }

    /// Locks the buffer of a structure that is to be made anew; `make` gives what it is made from, if nothing
    /// usable is here.
    pub(super) fn map_anew<F>(&self, _permit: &Permit, make: F) -> Result<Mapped<'_>>
    where
        F: FnOnce() -> Result<KVec<u8>>,
    {
        let mut guard = self.state.lock();
        if !matches!(*guard, State::Ready(_)) {
            *guard = State::Ready(make()?);
        }
        // INVARIANT of `Mapped`: made so above.
        Ok(Mapped {
            buffer: self,
            guard,
        })
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
    buffer: &'a Buffer,
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

    /// The bytes, to be changed by a transaction, which alone has the permit.
    pub(super) fn bytes_mut(&mut self, _permit: &Permit) -> &mut [u8] {
        Self::ready(&mut self.guard)
    }

    fn ready<'g>(guard: &'g mut MutexGuard<'_, State>) -> &'g mut [u8] {
        match &mut **guard {
            State::Ready(bytes) => bytes,
            // Excluded by the invariant.
            State::Unread | State::Broken(_) => &mut [],
        }
    }

    /// Notes that the bytes are to be written.
    pub(super) fn set_dirty(&mut self, _permit: &Permit) {
        let buffer = self.buffer;
        buffer.set_stage(match buffer.stage() {
            Stage::Clean | Stage::Changed => Stage::Changed,
            Stage::Ready | Stage::ChangedAgain => Stage::ChangedAgain,
        });
    }

    /// Notes that attributes came or went.
    pub(super) fn set_rearranged(&mut self, _permit: &Permit) {
        self.buffer.arrangement.fetch_add(1, Relaxed);
    }

    /// The same number as long as no attribute comes or goes, and the buffer is kept.
    pub(super) fn arrangement(&self) -> u32 {
        self.buffer.arrangement.load(Relaxed)
    }

    /// Notes that the structure was made anew.
    pub(super) fn set_unwritten(&mut self, _permit: &Permit) {
        self.buffer.unwritten.store(true, Relaxed);
    }

    /// Whether the structure was made anew and the device has nothing of it yet, so that nothing there refers to it.
    pub(super) fn is_unwritten(&self) -> bool {
        self.buffer.unwritten.load(Relaxed)
    }

    /// Gives the bytes up: they are in no state that may be used or written. For a transaction that
    /// could not take a change back.
    pub(super) fn poison(&mut self, error: Error, _permit: &Permit) {
        *self.guard = State::Broken(error);
        self.buffer.set_stage(Stage::Clean);
    }

    /// A round begins: the bytes are to be written in it, if they are dirty.
    pub(super) fn begin_round(&mut self) {
        if self.buffer.is_dirty() {
            self.buffer.set_stage(Stage::Ready);
        }
    }

    /// How far the bytes are from those on the device.
    pub(super) fn stage(&self) -> Stage {
        self.buffer.stage()
    }

    /// Writes the bytes with their fixups, if they are dirty; `write` gets them as they go to the device.
    ///
    /// The lock is held until they are there, so an older write cannot come after a newer one. After an
    /// error they are as dirty as before.
    pub(super) fn write_out<F, E>(&mut self, magic: Magic, malformed: E, write: F) -> Result
    where
        F: FnOnce(&[u8]) -> Result,
        E: FnOnce(Malformed) -> Error,
    {
        if !self.buffer.is_dirty() {
            return Ok(());
        }
        let bytes = Self::ready(&mut self.guard);
        if let Err(what) = fixup::redo(bytes, magic) {
            return Err(malformed(what));
        }
        // From the first byte on, should it fail.
        self.buffer.unwritten.store(false, Relaxed);
        let written = write(bytes);
        // What was done a moment ago can be undone.
        let undone = fixup::undo(bytes, magic);
        written?;
        undone.map(|_| ()).map_err(malformed)?;
        self.buffer.set_stage(Stage::Clean);
        Ok(())
    }
}
