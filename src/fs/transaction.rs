// SPDX-License-Identifier: GPL-2.0-only

//! Changing metadata: several changes of several records or index blocks, all of them or none.
//!
//! A [`Transaction`] maps what it changes and keeps it mapped to its end (strict two-phase locking), so
//! nobody sees a part of it, and the bytes that a change would put back are those that it replaced.
//! Each change is a logged operation ([`Change`]). Committing cannot fail; a transaction that is dropped
//! takes its changes back, newest first.
//!
//! Nothing else changes a record or an index block: the bytes of a buffer are given out for a
//! [`Permit`] only, and there is none outside of this file.
//!
//! Lock order: see [`super`]. A transaction maps records in the order base, extensions, and further
//! files in ascending order of their numbers.

use kernel::prelude::*;

use super::{
    array,
    buffer::Mapped,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    record::{
        MappedRecord,
        Record, //
    },
    store::Store, //
};
use crate::ondisk::{
    bytes::u64_from_usize,
    fixup::{
        self,
        Magic, //
    },
    log::{
        change::{
            self,
            Change,
            Page,
            PageKind, //
        },
        opcode::Opcode, //
    },
    units::MftReference,
};

/// The right to change the bytes of a buffer.
pub(super) struct Permit(());

/// Which of the pages of a transaction is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageId(usize);

/// A page that is mapped.
struct Held<'a> {
    place: Place,
    kind: PageKind,
    buffer: Mapped<'a>,
    changed: bool,
    /// Whether attributes came or went.
    rearranged: bool,
    /// Whether it is made anew.
    anew: bool,
}

/// A change that was done.
struct Done {
    page: PageId,
    change: Change,
}

/// Changes that belong together.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'a> {
    pages: KVec<Held<'a>>,
    done: KVec<Done>,
    permit: Permit,
}

impl<'a> Transaction<'a> {
    /// Without any change.
    pub fn begin() -> Self {
        Self {
            pages: KVec::new(),
            done: KVec::new(),
            permit: Permit(()),
        }
    }

    /// Maps a record for the length of the transaction; it has to be in use as `reference` means.
    pub fn map_record<D: Device>(
        &mut self,
        store: &Store<D>,
        record: &'a Record,
        reference: MftReference,
    ) -> Result<PageId> {
        self.hold_record(record.map(store)?, record, reference)
    }

    /// [`Self::map_record`], if nobody has the record locked; else `None`: what the transaction has mapped is to be
    /// given back before one waits for it.
    pub(super) fn try_map_record<D: Device>(
        &mut self,
        store: &Store<D>,
        record: &'a Record,
        reference: MftReference,
    ) -> Result<Option<PageId>> {
        match record.try_map(store)? {
            Some(mapped) => self.hold_record(mapped, record, reference).map(Some),
            None => Ok(None),
        }
    }

    fn hold_record(
        &mut self,
        mapped: MappedRecord<'a>,
        record: &Record,
        reference: MftReference,
    ) -> Result<PageId> {
        let start = mapped.record_as(reference)?.header().attributes_offset;
        let place = Place::Record(record.number());
        let buffer = mapped.into_buffer();
        // What is changed has to be written later.
        let end = fixup::array_end(buffer.bytes(), Magic::FILE).at(place)?;
        if end > usize::from(start) {
            let what = "end of the update sequence array within the attributes";
            let (found, expected) = (u64_from_usize(end), u64::from(start));
            return Err(Error::rule(place, what, found, expected));
        }
        self.hold(place, PageKind::Record, buffer)
    }

    /// Maps a record that is free, whatever it holds, to make it anew.
    pub(super) fn map_free_record<D: Device>(
        &mut self,
        store: &Store<D>,
        record: &'a Record,
    ) -> Result<PageId> {
        let buffer = record.map_anew(store, &self.permit)?;
        let page = self.hold(Place::Record(record.number()), PageKind::Record, buffer)?;
        if let Some(held) = self.pages.get_mut(page.0) {
            held.anew = true;
        }
        Ok(page)
    }

    /// Whether a record was made anew, and the device has nothing of it yet.
    pub(super) fn is_unwritten(&self, page: PageId) -> bool {
        let held = self.pages.get(page.0);
        held.is_some_and(|held| held.buffer.is_unwritten())
    }

    /// Takes a mapped index block for the length of the transaction.
    pub fn hold_block(&mut self, place: Place, buffer: Mapped<'a>) -> Result<PageId> {
        fixup::array_end(buffer.bytes(), Magic::INDX).at(place)?;
        self.hold(place, PageKind::IndexBlock, buffer)
    }

    fn hold(&mut self, place: Place, kind: PageKind, buffer: Mapped<'a>) -> Result<PageId> {
        let id = PageId(self.pages.len());
        let held = Held {
            place,
            kind,
            buffer,
            changed: false,
            rearranged: false,
            anew: false,
        };
        array::push(&mut self.pages, held)?;
        Ok(id)
    }

    /// The bytes of a page as they are now, fixups undone.
    pub fn bytes(&self, page: PageId) -> &[u8] {
        self.pages
            .get(page.0)
            .map_or(&[], |held| held.buffer.bytes())
    }

    /// Where a page is, for an error.
    pub fn place(&self, page: PageId) -> Place {
        match self.pages.get(page.0) {
            Some(held) => held.place,
            // A `PageId` is of a page that is held.
            None => Place::Record(Default::default()),
        }
    }

    /// Does the change that `make` makes from the page as it is now.
    pub fn change<F>(&mut self, page: PageId, make: F) -> Result
    where
        F: FnOnce(&[u8]) -> change::Result<Change>,
    {
        let Some(held) = self.pages.get_mut(page.0) else {
            return Err(Error::NotFound);
        };
        let place = held.place;
        let change = make(held.buffer.bytes()).map_err(|error| located(error, place))?;
        let rearranges = matches!(
            change.redo.opcode,
            Opcode::CreateAttribute | Opcode::DeleteAttribute
        );
        // Room for it first, so that what was done can always be taken back.
        array::push(&mut self.done, Done { page, change })?;
        let applied = match self.done.last() {
            Some(done) => held.perform(&self.permit, |page| done.change.apply(page)),
            None => Err(change::Error::NoMemory),
        };
        if let Err(error) = applied {
            drop(self.done.pop());
            return Err(located(error, place));
        }
        held.changed = true;
        held.rearranged |= rearranges;
        Ok(())
    }

    /// Keeps the changes. The pages are dirty from here on, and nobody waits for them any more.
    pub fn commit(mut self) {
        for held in self.pages.iter_mut().filter(|held| held.changed) {
            held.buffer.set_dirty(&self.permit);
            if held.anew {
                held.buffer.set_unwritten(&self.permit);
            }
            if held.rearranged {
                held.buffer.set_rearranged(&self.permit);
            }
        }
        self.done = KVec::new();
    }
}

impl Held<'_> {
    fn perform<F>(&mut self, permit: &Permit, act: F) -> change::Result<()>
    where
        F: FnOnce(&mut Page<'_>) -> change::Result<()>,
    {
        let bytes = self.buffer.bytes_mut(permit);
        act(&mut match self.kind {
            PageKind::Record => Page::Record(bytes),
            PageKind::IndexBlock => Page::IndexBlock(bytes),
            PageKind::Bitmap => Page::Bitmap(bytes),
            PageKind::Data => Page::Data(bytes),
        })
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        while let Some(Done { page, change }) = self.done.pop() {
            let Some(held) = self.pages.get_mut(page.0) else {
                continue;
            };
            if held
                .perform(&self.permit, |page| change.undo(page))
                .is_err()
            {
                // It was done on this page, and nobody came between. Should it be a fault of ours all the
                // same, then the page may not be used any more: the one on the device is still whole.
                let what = "change that could not be taken back, of page";
                let error = Error::rule(held.place, what, u64_from_usize(page.0), 0);
                held.buffer.poison(error, &self.permit);
            }
        }
    }
}

/// An error of making or doing a change, as one of this layer.
pub(super) fn located(error: change::Error, place: Place) -> Error {
    match error {
        change::Error::Malformed(what) => Error::corrupt(place, what),
        change::Error::NoRoom => Error::NoRoom,
        change::Error::NoMemory => Error::NoMemory,
    }
}
