// SPDX-License-Identifier: GPL-2.0-only

//! Parts of values that no list tells of any more, in extension records that hold other attributes too.
//!
//! Such a record is not given up, so the part is taken out of it. On the device that must not come before the
//! base record that leads elsewhere: the parts wait here for the sync that has made that durable.

use kernel::prelude::*;

use super::{
    attribute::Wanted,
    catalog::Piece,
    device::Device,
    error::{
        Located,
        Result, //
    },
    record::Role,
    transaction::Transaction,
    volume::Volume, //
};
use crate::{
    fs::array,
    ondisk::{
        attribute::AttributeType,
        log::change::Change,
        record::FileRecord,
        units::MftReference, //
    },
};

/// One such part.
pub(super) struct LeftBehind {
    owner: MftReference,
    type_: AttributeType,
    name: KVec<u16>,
    piece: Piece,
    next: Option<KBox<Self>>,
}

impl LeftBehind {
    /// A part that is to be taken out. It waits for nothing yet.
    pub(super) fn new(wanted: &Wanted<'_>, piece: Piece) -> Result<KBox<Self>> {
        let part = Self {
            owner: wanted.owner,
            type_: wanted.type_,
            name: array::copied(wanted.name)?,
            piece,
            next: None,
        };
        Ok(KBox::new(part, GFP_KERNEL)?)
    }

    fn take_out<D: Device>(&self, volume: &Volume<D>) -> Result {
        let wanted = Wanted {
            owner: self.owner,
            type_: self.type_,
            name: &self.name,
        };
        let record = volume.record(self.piece.record.number, Role::Extension)?;
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(volume, &record, self.piece.record)?;
        let place = transaction.place(page);
        let content = FileRecord::parse(transaction.bytes(page)).at(place)?;
        let at = wanted.find(&content, self.piece)?.offset;
        transaction.change(page, |record| Change::delete_attribute(record, at))?;
        transaction.commit();
        Ok(())
    }
}

/// Parts that wait, the one that came last first. Adding one needs no memory.
#[derive(Default)]
pub(super) struct Queue {
    first: Option<KBox<LeftBehind>>,
}

impl Queue {
    /// None.
    pub(super) const fn new() -> Self {
        Self { first: None }
    }

    /// Adds a part.
    pub(super) fn add(&mut self, mut part: KBox<LeftBehind>) {
        part.next = self.first.take();
        self.first = Some(part);
    }

    /// Adds all parts of another one.
    pub(super) fn add_all(&mut self, mut other: Self) {
        while let Some(part) = other.pop() {
            self.add(part);
        }
    }

    fn pop(&mut self) -> Option<KBox<LeftBehind>> {
        let mut part = self.first.take()?;
        self.first = part.next.take();
        Some(part)
    }

    /// Takes all parts out of their records. Says whether there were any.
    pub(super) fn take_out<D: Device>(mut self, volume: &Volume<D>) -> bool {
        let mut any = false;
        while let Some(part) = self.pop() {
            any = true;
            // Nobody looks there any more, so it may stay where it cannot be taken out.
            let _ = part.take_out(volume);
        }
        any
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // One by one: each would drop the next one within itself.
        while self.pop().is_some() {}
    }
}
