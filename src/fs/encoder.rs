// SPDX-License-Identifier: GPL-2.0-only

//! The memory in which compression units are encoded.
//!
//! Who writes units back gets memory of his own. Where there is none, as when that is what is to be freed by it, there
//! is a spare one for a volume, which one at a time can have: it is made when the first unit is promised.
//!
//! Lock order: the spare memory is locked before all else, folios as well.

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::{
    alloc::AllocError,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Mutex,
        MutexGuard, //
    },
};

use super::{
    compressed::{
        Stored,
        Unit, //
    },
    error::{
        Error,
        Result, //
    },
};
use crate::ondisk::{
    bytes::u64_from_usize,
    compression::lznt1_compress::{
        compress,
        Work, //
    },
    units::{
        ByteCount,
        ClusterSize, //
    },
};

/// Bytes that are collected before they go to the device, if there is memory for so many.
const COLLECTED: usize = 256 * 1024;

/// Memory for units.
pub(super) struct Encoder {
    /// The bytes of one unit.
    pub(super) unit: KVec<u8>,
    /// What units became, one behind the other.
    pub(super) out: KVec<u8>,
    work: KVec<Work>,
}

impl Encoder {
    const fn empty() -> Self {
        Self {
            unit: KVec::new(),
            out: KVec::new(),
            work: KVec::new(),
        }
    }

    /// For units of so many bytes, of which `room` may be collected.
    fn with_room(unit: Unit, room: usize) -> core::result::Result<Self, AllocError> {
        let length = usize::try_from(unit.bytes()).map_err(|_| AllocError)?;
        Ok(Self {
            unit: KVec::zeroed(length, GFP_KERNEL)?,
            out: KVec::zeroed(room.max(length), GFP_KERNEL)?,
            work: KVec::zeroed(1, GFP_KERNEL)?,
        })
    }

    /// For one unit at a time.
    pub(super) fn new(unit: Unit) -> Result<Self> {
        Ok(Self::with_room(unit, 0)?)
    }

    fn is_for(&self, unit: Unit) -> bool {
        u64_from_usize(self.unit.len()) >= unit.bytes()
    }

    /// Encodes the bytes of the unit into `out`, from `used` on, where there has to be room for all of them. Says how it
    /// is to be stored.
    pub(super) fn encode(
        &mut self,
        unit: Unit,
        cluster: ClusterSize,
        used: usize,
    ) -> Result<Stored> {
        let length = usize::try_from(unit.bytes()).map_err(|_| Error::NoMemory)?;
        let bytes = self.unit.get(..length).ok_or(Error::NoMemory)?;
        let is_zero = |part: &[u8]| part.iter().fold(0, |all, byte| all | *byte) == 0;
        if bytes.chunks(256).all(is_zero) {
            return Ok(Stored::Nothing);
        }
        let out = self.out.get_mut(used..).unwrap_or(&mut []);
        let out = out.get_mut(..length).ok_or(Error::NoMemory)?;
        // Nothing is gained by less than a cluster.
        let saved = usize::try_from(cluster.bytes()).map_err(|_| Error::NoMemory)?;
        let room = out.get_mut(..length.saturating_sub(saved));
        let work = self.work.first_mut();
        if let Some(taken) = room
            .zip(work)
            .and_then(|(room, work)| compress(bytes, room, work))
        {
            let taken = ByteCount::new(u64_from_usize(taken));
            return Ok(Stored::Compressed(cluster.clusters_for(taken)));
        }
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(Stored::Plain)
    }
}

/// The spare memory of a volume.
#[pin_data]
pub(super) struct SpareEncoder {
    /// Bytes of the units that there is memory for.
    room: Atomic<u64>,
    #[pin]
    memory: Mutex<Encoder>,
}

impl SpareEncoder {
    /// No memory yet.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            room: Atomic::new(0),
            memory <- new_mutex!(Encoder::empty(), "ntfs_rs::encoder"),
        })
    }

    /// Sees to it that there is memory for such units. Never waits for who has it.
    pub(super) fn provide(&self, unit: Unit) -> Result {
        if self.room.load(Acquire) >= unit.bytes() {
            return Ok(());
        }
        let encoder = Encoder::new(unit)?;
        if let Some(mut memory) = self.memory.try_lock() {
            if !memory.is_for(unit) {
                *memory = encoder;
                self.room.store(unit.bytes(), Release);
            }
        }
        Ok(())
    }

    /// Memory to write units back with; waits for the spare one if there is no other.
    pub(super) fn get(&self, unit: Unit) -> Result<AnyEncoder<'_>> {
        if let Ok(encoder) =
            Encoder::with_room(unit, COLLECTED).or_else(|_| Encoder::with_room(unit, 0))
        {
            return Ok(AnyEncoder::Own(encoder));
        }
        let spare = self.memory.lock();
        match spare.is_for(unit) {
            true => Ok(AnyEncoder::Spare(spare)),
            false => Err(Error::NoMemory),
        }
    }
}

/// Memory of one's own, or the spare one.
pub(super) enum AnyEncoder<'a> {
    Own(Encoder),
    Spare(MutexGuard<'a, Encoder>),
}

impl Deref for AnyEncoder<'_> {
    type Target = Encoder;

    fn deref(&self) -> &Encoder {
        match self {
            Self::Own(encoder) => encoder,
            Self::Spare(encoder) => encoder,
        }
    }
}

impl DerefMut for AnyEncoder<'_> {
    fn deref_mut(&mut self) -> &mut Encoder {
        match self {
            Self::Own(encoder) => encoder,
            Self::Spare(encoder) => encoder,
        }
    }
}
