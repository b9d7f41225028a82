// SPDX-License-Identifier: GPL-2.0-only

//! A record with one attribute.

use kernel::sync::{Arc, Mutex, MutexGuard};

use super::{error::Result, store::Store};

/// Where the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Here: one byte.
    Resident([u8; 1]),
    /// In the cluster.
    NonResident,
}

/// Which kind of record.
pub enum Role {
    /// The first of a file.
    Base,
    /// Another one.
    Extension,
}

/// A number and how often it was used.
#[derive(Clone, Copy)]
pub struct Reference {
    /// The number.
    pub number: u64,
}

/// The record of the file.
pub const OWNER: Reference = Reference { number: 24 };

/// A part of an attribute.
#[derive(Clone, Copy)]
pub struct Piece {
    /// Where it is.
    pub record: Reference,
}

/// A record.
pub struct Record(pub Arc<Mutex<Fact>>);

impl Record {
    /// Which one it is: there is one only.
    pub fn number(&self) -> u64 {
        OWNER.number
    }

    /// Locks it.
    pub fn map<D>(&self, _store: &Store<D>) -> Result<MappedRecord<'_>> {
        Ok(MappedRecord(self.0.lock()))
    }
}

/// A locked record.
pub struct MappedRecord<'a>(pub MutexGuard<'a, Fact>);

impl MappedRecord<'_> {
    /// Its content.
    pub fn record_as(&self, _record: Reference) -> Result<FileRecord<'_>> {
        Ok(FileRecord(&self.0))
    }
}

/// The content of a record.
pub struct FileRecord<'r>(pub &'r Fact);
