// SPDX-License-Identifier: GPL-2.0-only

//! MFT records: map, look, unmap.
//!
//! A [`Record`] keeps a record in the cache; [`Record::map`] locks it, reads it if it was not read
//! yet, and gives the guard that is the only way to its bytes. Mapping a record never grows `$MFT`.
//!
//! Lock order: see [`super`]. No thread maps a second record while it has one mapped: a hostile
//! volume could otherwise make two threads wait for each other.

use kernel::prelude::*;

use super::{
    buffer::{
        Buffer,
        Mapped,
        Rank, //
    },
    cache::Handle,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    mft,
    store::Store,
    transaction::Permit, //
};
use crate::ondisk::{
    record::FileRecord,
    units::{
        system_record,
        MftReference,
        RecordNumber, //
    },
};

/// What a record is wanted for; chooses the class of its lock when it enters the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The record that stands for a file.
    Base,
    /// A further record of a file, found through its attribute list.
    Extension,
}

/// A record that stays in the cache.
pub struct Record {
    number: RecordNumber,
    buffer: Handle<Buffer>,
}

impl Record {
    /// Which record it is.
    pub fn number(&self) -> RecordNumber {
        self.number
    }

    /// Whether it entered the cache as an extension record.
    pub(super) fn is_extension(&self) -> bool {
        self.buffer.rank() == Rank::Extension
    }

    /// Locks the record and reads it if need be. Dropping the guard unmaps it.
    pub fn map<D: Device>(&self, store: &Store<D>) -> Result<MappedRecord<'_>> {
        Ok(MappedRecord {
            number: self.number,
            buffer: self.buffer.map(|| mft::read_record(store, self.number))?,
        })
    }

    /// [`Self::map`], if nobody has the record locked.
    pub(super) fn try_map<D: Device>(&self, store: &Store<D>) -> Result<Option<MappedRecord<'_>>> {
        let read = || mft::read_record(store, self.number);
        Ok(self.buffer.try_map(read)?.map(|buffer| MappedRecord {
            number: self.number,
            buffer,
        }))
    }

    /// Locks the record to make it anew, whatever is there.
    pub(super) fn map_anew<D: Device>(
        &self,
        store: &Store<D>,
        permit: &Permit,
    ) -> Result<Mapped<'_>> {
        self.buffer
            .map_anew(permit, || match mft::read_record(store, self.number) {
                Err(Error::Corrupt(_)) => Ok(KVec::zeroed(store.record_bytes(), GFP_KERNEL)?),
                read => read,
            })
    }
}

/// A mapped record; its lock is held.
#[must_use = "the record is unmapped at once when the guard is not used"]
pub struct MappedRecord<'a> {
    number: RecordNumber,
    buffer: Mapped<'a>,
}

impl<'a> MappedRecord<'a> {
    /// The record, decoded.
    pub fn record(&self) -> Result<FileRecord<'_>> {
        FileRecord::parse(self.buffer.bytes()).at(Place::Record(self.number))
    }

    /// The record, decoded, if it still is the use of it that `reference` means.
    ///
    /// A sequence number of 0 stands for any. Otherwise [`Error::Stale`].
    pub fn record_as(&self, reference: MftReference) -> Result<FileRecord<'_>> {
        let record = self.record()?;
        let header = record.header();
        let wanted = reference.sequence.get();
        if !header.flags.is_in_use() || (wanted != 0 && wanted != header.sequence.get()) {
            return Err(Error::Stale(reference));
        }
        Ok(record)
    }

    /// The same number as long as no attribute comes or goes, and the [`Record`] is kept.
    pub(super) fn arrangement(&self) -> u32 {
        self.buffer.arrangement()
    }

    /// Whether the record was made anew, and the device has nothing of it yet.
    pub(super) fn is_unwritten(&self) -> bool {
        self.buffer.is_unwritten()
    }

    /// The guard of its buffer, for a transaction.
    pub(super) fn into_buffer(self) -> Mapped<'a> {
        self.buffer
    }
}

impl<D: Device> Store<D> {
    /// The record `number`, which is read when it is mapped for the first time.
    pub fn record(&self, number: RecordNumber, role: Role) -> Result<Record> {
        let buffer = match role {
            _ if number == system_record::MFT => {
                self.records.get_or_insert(number, Buffer::mft_record)
            }
            Role::Base => self.records.get_or_insert(number, Buffer::base_record),
            Role::Extension => self.records.get_or_insert(number, Buffer::extension_record),
        }?;
        Ok(Record { number, buffer })
    }
}
