// SPDX-License-Identifier: GPL-2.0-only

//! Reading records from `$MFT`, and reading ahead in it.
//!
//! One record is read at a time, until somebody is seen to walk through `$MFT` upwards (a scan), or to want
//! one record after the other of a region (a listing, in the order of names): then a chunk is read, and the
//! records in it that are in use wait in the cache. A record that is torn or broken affects nobody but those
//! who map it. The first four have a copy in `$MFTMirr`, which is taken where the original cannot be used.

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Relaxed, //
    },
};

use super::{
    array,
    buffer::Buffer,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    store::{
        FirstRecords,
        Store, //
    },
};
use crate::ondisk::{
    bytes::u64_from_usize,
    fixup::{
        self,
        Magic,
        Transfer, //
    },
    record::RecordHeader,
    units::{
        system_record,
        ByteCount,
        ByteOffset,
        RecordNumber, //
    },
};

/// Records that `$MFTMirr` has in any case.
pub const MIRRORED: u64 = 4;
/// Bytes that are read at once when somebody walks through `$MFT`.
const CHUNK: usize = 64 * 1024;
/// A step of at most so many records upwards is taken for a walk.
const STRIDE: u64 = 64;

/// Reads a record, from the copy that counts or else from the other one.
pub(super) fn read_record<D: Device>(store: &Store<D>, number: RecordNumber) -> Result<KVec<u8>> {
    if number.get() >= MIRRORED {
        return read_main(store, number);
    }
    let (first, second) = match store.first_records() {
        FirstRecords::Main => (read_main(store, number), FirstRecords::Mirror),
        FirstRecords::Mirror => (read_mirror(store, number), FirstRecords::Main),
    };
    let Err(error) = first else {
        return first;
    };
    let other = match second {
        FirstRecords::Main => read_main(store, number),
        FirstRecords::Mirror => read_mirror(store, number),
    };
    // When both are bad, the one that should have been good is what counts.
    other.map_err(|_| error)
}

/// Reads one of the first four records from `$MFTMirr`.
pub(super) fn read_mirror<D: Device>(store: &Store<D>, number: RecordNumber) -> Result<KVec<u8>> {
    let at = mirror_place(store, number).ok_or(Error::NotFound)?;
    let mut record = KVec::<u8>::zeroed(store.record_bytes(), GFP_KERNEL)?;
    store
        .device()
        .read(at, &mut record)
        .map_err(Error::Device)?;
    finish(&mut record, number)?;
    Ok(record)
}

/// Reads a record from `$MFT`, perhaps with those behind it.
pub(super) fn read_main<D: Device>(store: &Store<D>, number: RecordNumber) -> Result<KVec<u8>> {
    if number.get() >= store.record_count() {
        return Err(Error::rule(
            Place::Record(number),
            "number beyond the end of $MFT",
            number.get(),
            store.record_count(),
        ));
    }
    let last = store.last_record();
    let walking = number.get() > last && number.get().saturating_sub(last) <= STRIDE;
    let region = region_of(store, number);
    let nearby = store
        .near_records
        .is_again(system_record::MFT, region.get());
    let first = match walking {
        true => Some(number),
        false => nearby.then_some(region),
    };
    if let Some(record) = first.and_then(|first| read_chunk(store, first, number)) {
        return Ok(record);
    }
    store.last_record_hint.store(number.get(), Relaxed);
    let at = byte_offset(store, number).ok_or(Error::NotFound)?;
    let mut record = KVec::<u8>::zeroed(store.record_bytes(), GFP_KERNEL)?;
    let place = Place::Record(number);
    data::read_mapping(store, &store.mft(), place, at, &mut record)?;
    finish(&mut record, number)?;
    Ok(record)
}

/// The first record of those that are read with `number` when several of them are wanted.
fn region_of<D: Device>(store: &Store<D>, number: RecordNumber) -> RecordNumber {
    let records = u64_from_usize(CHUNK).checked_shr(store.geometry().record_size().shift());
    let within = number.get() & records.unwrap_or(1).saturating_sub(1);
    let first = number.get().saturating_sub(within);
    // Of those that have a copy it is not said here which one counts.
    RecordNumber::new(first.max(MIRRORED).min(number.get()))
}

/// Reads the records from `first` on, keeps them all, and gives the one that is wanted, which is not before
/// `first` and less than a chunk behind it.
///
/// `None` for any trouble: the caller reads the one record by itself, and reports what it meets.
fn read_chunk<D: Device>(
    store: &Store<D>,
    first: RecordNumber,
    number: RecordNumber,
) -> Option<KVec<u8>> {
    let size = store.record_bytes();
    let at = byte_offset(store, first)?;
    let behind = store.record_count().saturating_sub(first.get());
    let wanted = usize::try_from(behind)
        .unwrap_or(usize::MAX)
        .saturating_mul(size)
        .min(CHUNK);
    let mut chunk = KVVec::<u8>::zeroed(wanted, GFP_KERNEL).ok()?;
    let written = store.written.load(Acquire);
    data::read_mapping(store, &store.mft(), Place::Record(number), at, &mut chunk).ok()?;

    let mut wanted_record = None;
    let mut current = first;
    for bytes in chunk.chunks_exact(size.max(1)) {
        if current == number {
            let mut record = array::copied(bytes).ok()?;
            finish(&mut record, number).ok()?;
            wanted_record = Some(record);
        } else {
            keep(store, current, bytes, written);
        }
        store.last_record_hint.store(current.get(), Relaxed);
        current = RecordNumber::new(current.get().checked_add(1)?);
    }
    wanted_record
}

/// Puts a record that was read ahead into the cache, if it is in use and whole, and as the device has it now:
/// nothing was written since there were so many that had been.
fn keep<D: Device>(store: &Store<D>, number: RecordNumber, bytes: &[u8], written: u64) {
    let Ok(header) = RecordHeader::parse(bytes) else {
        return;
    };
    if !header.flags.is_in_use() || store.records.get(number).is_some() {
        return;
    }
    let Ok(mut record) = array::copied(bytes) else {
        return;
    };
    if finish(&mut record, number).is_err() {
        return;
    }
    let kept = match header.base {
        None => store.records.get_or_insert(number, Buffer::base_record),
        Some(_) => store
            .records
            .get_or_insert(number, Buffer::extension_record),
    };
    // Without memory it is read when it is wanted. From here on it is not changed without being read, so what
    // counts is what was written before.
    if let Ok(buffer) = kept {
        if store.written.load(Acquire) == written {
            buffer.fill_ahead(record);
        }
    }
}

/// Undoes the fixups of a record just read; a torn one is an error.
pub(super) fn finish(record: &mut [u8], number: RecordNumber) -> Result {
    let place = Place::Record(number);
    match fixup::undo(record, Magic::FILE).at(place)? {
        Transfer::Complete => Ok(()),
        Transfer::Torn(what) => Err(Error::corrupt(place, what)),
    }
}

/// Puts the fixups into a record that is made to be written as it is.
pub(super) fn protect(record: &mut [u8], number: RecordNumber) -> Result {
    fixup::redo(record, Magic::FILE).at(Place::Record(number))
}

/// Where on the device the copy of a record is that has one.
pub(super) fn mirror_place<D: Device>(
    store: &Store<D>,
    number: RecordNumber,
) -> Option<ByteOffset> {
    let geometry = store.geometry();
    // The mirror fills a cluster at least.
    let in_cluster = geometry
        .cluster_size()
        .bytes()
        .checked_shr(geometry.record_size().shift())
        .unwrap_or(0);
    if number.get() >= MIRRORED.max(u64::from(in_cluster)) {
        return None;
    }
    let start = geometry
        .cluster_size()
        .lcn_to_offset(geometry.mft_mirror())?;
    let skipped = byte_offset(store, number)?;
    start.checked_add(ByteCount::new(skipped.get()))
}

/// Where a record begins in `$MFT`.
pub(super) fn byte_offset<D: Device>(store: &Store<D>, number: RecordNumber) -> Option<ByteOffset> {
    let size = u64::from(store.geometry().record_size().bytes());
    number.get().checked_mul(size).map(ByteOffset::new)
}
