// SPDX-License-Identifier: GPL-2.0-only

//! MFT records that are free, and taking them into use.
//!
//! `$MFT`'s `$BITMAP` says which records are in use. It is kept and written by an [`Allocator`], as
//! `$Bitmap` is: a bit is set when its record is handed out, and cleared when the transaction that gave the
//! record up is durable. A few free records are set aside for `$MFT` itself, which may need one to grow.
//!
//! Lock order: see [`super`]. Records are taken and given back under the lock of the mapping of the file
//! that wants them, and with no record mapped.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use super::{
    allocator::{
        Allocation,
        Allocator,
        Claim,
        Epoch,
        Freed,
        Purpose,
        Reservation,
        Run,
        Zone, //
    },
    array,
    attribute::Attribute,
    bits, data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    image::unfit,
    left_behind::Queue,
    record::{
        Record,
        Role, //
    },
    store::Store,
    switch::insert,
    transaction::{
        PageId,
        Transaction, //
    },
    volume::{
        system_attribute,
        Volume, //
    },
};
use crate::ondisk::{
    attribute::AttributeType,
    attribute_builder::with_id,
    log::change::Change,
    record::{
        FileRecord,
        RecordHeader, //
    },
    record_builder,
    units::{
        system_record,
        AttributeId,
        ByteOffset,
        ClusterCount,
        Lcn,
        MftReference,
        RecordNumber,
        SequenceNumber, //
    },
};

/// The first record that is handed out. Those before it are for the system's own files.
const FIRST: u64 = 24;
/// Free records that only `$MFT` itself gets.
const SET_ASIDE: u64 = 4;
/// Records that are tried, when those that should be free are not.
const MAX_TRIES: u32 = 64;

/// Who wants a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// Any file.
    File(Claim),
    /// `$MFT`, which cannot grow before it has it.
    Mft,
}

/// Hands out MFT records.
#[pin_data]
pub struct Records {
    bits: Pin<KBox<Allocator>>,
    /// Free records that are not handed out: those that are set aside, and those before the first.
    withheld: u64,
    /// Parts of values in records that are not given up with them.
    #[pin]
    left_behind: Mutex<Queue>,
    /// Held by the one who makes `$MFT` longer.
    #[pin]
    pub(super) growing: Mutex<()>,
    /// The value of `$MFT`, and the bitmap, for those who make them longer.
    pub(super) data: Arc<Attribute>,
    pub(super) bitmap: Arc<Attribute>,
}

/// A record as the allocator of bits knows it.
const fn bit(number: RecordNumber) -> Run {
    Run {
        lcn: Lcn::new(number.get()),
        length: ClusterCount::new(1),
    }
}

impl Records {
    /// Takes over `$MFT`'s `$BITMAP`; may sleep.
    pub(super) fn open<D: Device>(store: &Store<D>) -> Result<Pin<KBox<Self>>> {
        let value = system_attribute(store, system_record::MFT, AttributeType::DATA)?;
        let bitmap = system_attribute(store, system_record::MFT, AttributeType::BITMAP)?;
        // No more than fit the volume, whatever size `$MFT` claims.
        let geometry = store.geometry();
        let room = geometry.volume_size().get();
        let most = room.checked_shr(geometry.record_size().shift());
        let count = ClusterCount::new(store.record_count().min(most.unwrap_or(0)));
        let first = Lcn::new(FIRST);
        let bits = Allocator::open_over(store, &bitmap, count, Zone::NONE, first)?;
        let mut head = [0; 3];
        let read = data::read_at(store, &bitmap, ByteOffset::ZERO, &mut head)?;
        let (before, _) = bits::zeros(head.get(..read).unwrap_or(&[]), FIRST);
        let withheld = before.saturating_add(SET_ASIDE);
        KBox::pin_init(
            pin_init!(Self {
                bits,
                withheld,
                left_behind <- new_mutex!(Queue::new(), "ntfs_rs::left_behind"),
                growing <- new_mutex!((), "ntfs_rs::growing_mft"),
                data: value,
                bitmap,
            }),
            GFP_KERNEL,
        )
        .map_err(|_| Error::NoMemory)
    }

    /// The bits of the records.
    pub(super) fn bits(&self) -> &Allocator {
        &self.bits
    }

    /// Records that are free: what `statfs` shows.
    pub fn free<D: Device>(&self, store: &Store<D>) -> Result<u64> {
        Ok(self.bits.free(store)?.get())
    }

    /// Whether a file can have `count` records beyond those that are set aside.
    pub(super) fn has<D: Device>(&self, store: &Store<D>, count: u64) -> Result<bool> {
        let needed = self.withheld.saturating_add(count);
        self.bits.has(store, ClusterCount::new(needed))
    }

    /// The parts that were left behind up to now.
    pub(super) fn take_left_behind(&self) -> Queue {
        core::mem::take(&mut *self.left_behind.lock())
    }

    /// Adds parts that are to be taken out when the base records that lead elsewhere are durable.
    pub(super) fn put_left_behind(&self, parts: Queue) {
        self.left_behind.lock().add_all(parts);
    }

    /// Gets ready to give records up.
    pub(super) fn prepare_free<D: Device>(
        &self,
        store: &Store<D>,
        records: impl IntoIterator<Item = MftReference>,
    ) -> Result<Freed<'_>> {
        let bits = records.into_iter().map(|record| bit(record.number));
        self.bits.prepare_free(store, bits)
    }
}

impl<D: Device> Volume<D> {
    /// Sets `count` records aside for a file; `$MFT` gets longer if need be.
    pub fn reserve_records(&self, count: u64) -> Result<Reservation> {
        let records = self.records_for_writing()?;
        while !records.has(self, count)? {
            self.grow_mft(count)?;
        }
        records.bits.reserve(self, ClusterCount::new(count))
    }

    fn take_record(&self, whom: For) -> Result<Allocation<'_>> {
        let records = self.records_for_writing()?;
        let claim = match whom {
            For::File(claim) => claim,
            For::Mft => Claim::Unreserved,
        };
        if whom == For::File(Claim::Unreserved) {
            while !records.has(self, 1)? {
                self.grow_mft(1)?;
            }
        }
        let one = ClusterCount::new(1);
        // `$MFT`'s own lie at its begin, where they are found before the rest of it is known.
        let goal = (whom == For::Mft).then_some(Lcn::new(FIRST));
        let allocate = || records.bits.allocate(self, goal, one, claim, Purpose::Mft);
        match allocate() {
            // Some that should have been free were in use.
            Err(Error::NoSpace) if whom == For::File(Claim::Reserved) => {
                self.grow_mft(1)?;
                allocate()
            }
            result => result,
        }
    }

    /// Marks the records as free that no record refers to since all up to the end of an epoch is durable. Says
    /// whether there were any; their bits are for [`Allocator::settle`].
    pub(super) fn give_up_records(&self, until: Epoch) -> Result<bool> {
        let mut any = false;
        let mut result = Ok(());
        let records = self.records_for_writing()?;
        records.bits.each_queued(until, |run| {
            any = true;
            match self.give_up(RecordNumber::new(run.lcn.get())) {
                // It was whole when it was put here. It must not keep all else from the device.
                Err(Error::Corrupt(_)) => self.note_damage(),
                given_up => result = result.and(given_up),
            }
        });
        result.map(|()| any)
    }

    /// Marks a record as free.
    fn give_up(&self, number: RecordNumber) -> Result {
        let record = self.record(number, Role::Extension)?;
        let mut transaction = Transaction::begin();
        let any = MftReference {
            number,
            sequence: SequenceNumber::ZERO,
        };
        match transaction.map_record(self, &record, any) {
            Ok(page) => transaction.change(page, Change::deallocate_record)?,
            // It was marked by an attempt that failed later.
            Err(Error::Stale(_)) => {}
            Err(error) => return Err(error),
        }
        transaction.commit();
        Ok(())
    }

    /// Whether a record can be given up when that is durable which does without it: tried out, and taken back.
    pub(super) fn check_can_give_up(&self, reference: MftReference) -> Result {
        let record = self.record(reference.number, Role::Extension)?;
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(self, &record, reference)?;
        transaction.change(page, Change::deallocate_record)
    }
}

/// An extension record that was made a moment ago, and that nothing refers to yet. Dropping it gives it up.
pub(super) struct NewRecord<'v, D: Device> {
    volume: &'v Volume<D>,
    record: Record,
    reference: MftReference,
    bit: Option<Allocation<'v>>,
}

impl<'v, D: Device> NewRecord<'v, D> {
    /// Takes a free record for the file with this base record.
    pub(super) fn new(volume: &'v Volume<D>, base: MftReference, whom: For) -> Result<Self> {
        // Those that somebody looks at as what they were before, so that others come.
        let mut passed_over = KVec::new();
        for _ in 0..MAX_TRIES {
            let bit = volume.take_record(whom)?;
            let number = RecordNumber::new(bit.run().lcn.get());
            // It may be there as what it was before, with the lock of a base record.
            volume.records.forget(number);
            let record = volume.record(number, Role::Extension)?;
            if !record.is_extension() {
                array::push(&mut passed_over, bit)?;
                continue;
            }
            match make(volume, &record, base)? {
                Some(sequence) => {
                    return Ok(Self {
                        volume,
                        record,
                        reference: MftReference { number, sequence },
                        bit: Some(bit),
                    })
                }
                // In use, whatever the bitmap says: so its bit is set from now on.
                None => bit.keep_unclaimed(),
            }
        }
        let place = Place::Attribute(system_record::MFT, AttributeType::BITMAP);
        Err(Error::rule(
            place,
            "bits of records in use",
            0,
            u64::from(MAX_TRIES),
        ))
    }

    /// Which record it is.
    pub(super) fn reference(&self) -> MftReference {
        self.reference
    }

    /// Puts an attribute into the record, where it belongs. Whatever id it had, it gets the next one, from 0 on.
    pub(super) fn add(&self, attribute: &[u8]) -> Result<AttributeId> {
        self.change(|transaction, page| {
            let place = transaction.place(page);
            let record = FileRecord::parse(transaction.bytes(page)).at(place)?;
            let id = AttributeId::new(record.header().next_attribute_id);
            let attribute = with_id(attribute, id).map_err(unfit)?;
            insert(self.volume, transaction, page, &attribute)?;
            Ok(id)
        })
    }

    /// Lets `act` change it in a transaction of its own.
    pub(super) fn change<R>(
        &self,
        act: impl FnOnce(&mut Transaction<'_>, PageId) -> Result<R>,
    ) -> Result<R> {
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(self.volume, &self.record, self.reference)?;
        let done = act(&mut transaction, page)?;
        transaction.commit();
        Ok(done)
    }

    /// The base record refers to it now.
    pub(super) fn keep(mut self) {
        if let Some(bit) = self.bit.take() {
            bit.keep();
        }
    }
}

impl<D: Device> Drop for NewRecord<'_, D> {
    fn drop(&mut self) {
        if self.bit.is_some() {
            // Should a sync have written it, the bit is clear on the device before the record is free, and the
            // same is so if it cannot be marked now: then it is passed over when its turn comes again.
            let _ = self.volume.give_up(self.reference.number);
        }
    }
}

/// Makes an extension record without an attribute; `None`, and nothing changed, if it is in use.
fn make<D: Device>(
    volume: &Volume<D>,
    record: &Record,
    base: MftReference,
) -> Result<Option<SequenceNumber>> {
    let mut transaction = Transaction::begin();
    let page = transaction.map_free_record(volume, record)?;
    let old = RecordHeader::parse(transaction.bytes(page)).ok();
    if old.is_some_and(|old| old.flags.is_in_use()) {
        return Ok(None);
    }
    let sequence = old.map_or(0, |old| old.sequence.get()).max(1);
    let sequence = SequenceNumber::new(sequence);
    let image = new_record(volume, record.number(), sequence, Some(base)).image()?;
    transaction.change(page, |_| Ok(Change::announce_record()))?;
    transaction.change(page, |old| Change::initialize_record(old, &image))?;
    transaction.commit();
    Ok(Some(sequence))
}

/// What a record of this volume is that is made anew; without a base record it is free.
pub(super) fn new_record<D: Device>(
    volume: &Volume<D>,
    number: RecordNumber,
    sequence: SequenceNumber,
    base: Option<MftReference>,
) -> record_builder::NewRecord {
    record_builder::NewRecord {
        size: volume.geometry().record_size(),
        number: (volume.version() >= (3, 1)).then_some(number),
        sequence,
        in_use: base.is_some(),
        base,
    }
}
