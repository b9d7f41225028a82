// SPDX-License-Identifier: GPL-2.0-only

//! Reading a value that may leave its record at any moment.
//!
//! A small value lives in its MFT record, and a write that makes it too long moves it to clusters
//! while others read. The flag outside of the record is a hint; the form inside of it is the fact:
//!
//! 1. decide by the hint;
//! 2. map the record (its lock is held now) and compare with the fact;
//! 3. when they differ, unmap and begin again.
//!
//! Whoever converts does all that can fail first, changes the fact under the record lock, and
//! publishes the hint last, still under it. So one who acted on a stale hint finds the new one when it
//! begins again, and a second turn is enough for a flip.
//!
//! [`ResidentView`] is the only way to the bytes of a value, so nobody can forget the second look.

use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Release, //
};

use super::{
    attribute::Attribute,
    device::Device,
    error::{
        Error,
        Result, //
    },
    record::{
        MappedRecord,
        Record,
        Role, //
    },
    store::Store, //
};
use crate::ondisk::attribute::Form as RecordForm;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the MFT record.
    Resident,
    /// In clusters.
    NonResident,
}

/// What is believed about the form of an attribute without its record lock.
pub struct Residency {
    non_resident: Atomic<bool>,
}

impl Residency {
    pub(super) fn new(non_resident: bool) -> Self {
        Self {
            non_resident: Atomic::new(non_resident),
        }
    }

    /// The form as it was published last. Only a hint: the record may say something else by now.
    pub fn hint(&self) -> Form {
        if self.non_resident.load(Acquire) {
            Form::NonResident
        } else {
            Form::Resident
        }
    }

    /// Publishes a form: the last act of who changed it, with the record still locked.
    pub fn publish(&self, form: Form) {
        self.non_resident.store(form == Form::NonResident, Release);
    }
}

/// Places at which a test may stop a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The hint said "resident"; the record is not mapped yet.
    HintResident,
    /// The second look found the hint stale; the record is unmapped again.
    Flipped,
    /// Who converts has prepared everything; the record is unchanged.
    Prepared,
    /// The record is changed, and still mapped; the hint is not published yet.
    FactFlipped,
}

/// Called at the places where another thread could come between; the unit type does nothing.
pub trait Probe {
    /// The thread is at `point`. A reader holds no lock of this layer there; a converter has locked the
    /// mapping, and at [`Point::FactFlipped`] the record.
    fn at(&self, point: Point);
}

impl Probe for () {
    #[inline(always)]
    fn at(&self, _point: Point) {}
}

/// What the second look found.
#[must_use = "a flipped attribute has to be looked at again"]
pub enum Mapped<'a> {
    /// The value is in the record, which stays mapped with the view.
    Resident(ResidentView<'a>),
    /// The value is not in the record any more.
    Flipped,
}

/// A resident value, with its record mapped.
pub struct ResidentView<'a> {
    record: MappedRecord<'a>,
    attribute: &'a Attribute,
}

impl ResidentView<'_> {
    /// Lets `look` have the value. Do not touch user memory in it: the record is locked.
    pub fn with_value<R>(&self, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let piece = self.attribute.first_piece().ok_or(Error::NotFound)?;
        let record = self.record.record_as(piece.record)?;
        match self.attribute.wanted().find(&record, piece)?.form {
            RecordForm::Resident { value, .. } => Ok(look(value)),
            // The lock was held since the second look.
            RecordForm::NonResident(_) => Err(Error::NotFound),
        }
    }
}

/// Turns that are taken before an attribute whose hint and fact never agree counts as corrupt.
///
/// A flip needs one more than the first, and each direction of it excludes readers for long enough.
const MAX_TURNS: u32 = 64;

impl Attribute {
    /// The record that holds the value, or the first part of its runs.
    pub fn holder<D: Device>(&self, store: &Store<D>) -> Result<Record> {
        let number = self.first_piece().ok_or(Error::NotFound)?.record.number;
        let role = if number == self.owner().number {
            Role::Base
        } else {
            Role::Extension
        };
        store.record(number, role)
    }

    /// The second look: maps `holder` and compares the fact with the hint "resident".
    pub fn lock_resident<'a, D: Device>(
        &'a self,
        store: &Store<D>,
        holder: &'a Record,
    ) -> Result<Mapped<'a>> {
        let piece = self.first_piece().ok_or(Error::NotFound)?;
        if piece.record.number != holder.number() {
            return Ok(Mapped::Flipped);
        }
        let mapped = holder.map(store)?;
        let found = mapped
            .record_as(piece.record)
            .and_then(|record| self.wanted().find(&record, piece));
        let is_resident = match found.map(|found| found.form) {
            Ok(RecordForm::Resident { .. }) => true,
            Ok(RecordForm::NonResident(_)) => false,
            // It may have left this record.
            Err(_) if self.residency().hint() == Form::NonResident => false,
            Err(error) => return Err(error),
        };
        Ok(match is_resident {
            true => Mapped::Resident(ResidentView {
                record: mapped,
                attribute: self,
            }),
            false => Mapped::Flipped,
        })
    }

    /// Lets `look` have the value while it is in its record; `None` when it is in clusters.
    ///
    /// All three steps of the protocol. `look` runs with the record locked, once at most.
    pub fn with_resident<D, P, R, F>(
        &self,
        store: &Store<D>,
        probe: &P,
        look: F,
    ) -> Result<Option<R>>
    where
        D: Device,
        P: Probe,
        F: FnOnce(&[u8]) -> R,
    {
        for _ in 0..MAX_TURNS {
            if self.residency().hint() == Form::NonResident {
                return Ok(None);
            }
            let holder = self.holder(store)?;
            probe.at(Point::HintResident);
            match self.lock_resident(store, &holder)? {
                Mapped::Resident(view) => return view.with_value(look).map(Some),
                Mapped::Flipped => probe.at(Point::Flipped),
            };
        }
        Err(Error::rule(
            self.place(),
            "form of the attribute differs from the one it was opened with",
            1,
            0,
        ))
    }
}
