// SPDX-License-Identifier: GPL-2.0-only

//! A value within its record: writing it, changing its size, and moving it to clusters.
//!
//! The move is what [`super::residency`] is about. Everything that can fail is done first: clusters are
//! allocated, the value is written to them, the new attribute record is made. Then the record changes
//! under its lock, and the hint is published last, still under it. From there on nothing can fail. A record in which
//! there is no room for that is rid of names in the same transaction, see [`super::crowded`].
//!
//! Lock order: see [`super`]. The caller of a conversion has the first folio of the value locked, or is
//! sure that there is none: nobody else writes the value meanwhile.

use kernel::prelude::*;

use super::{
    attribute::Attribute,
    crowded::Room,
    device::Device,
    error::{
        Error,
        Result, //
    },
    file::check_writable,
    image::unfit,
    new_value::NewValue,
    residency::{
        Form,
        Point,
        Probe, //
    },
    transaction::{
        PageId,
        Transaction, //
    },
    unrecorded::Unrecorded,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        Form as RecordForm,
        Sizes, //
    },
    log::change::Change,
    units::{
        AttributeId,
        ByteCount,
        ByteOffset, //
    },
};

/// Writes `bytes` to `at` of the value, as far as the value goes.
///
/// [`Form::NonResident`] if it is not in its record any more: then nothing was written.
pub fn write_resident<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    bytes: &[u8],
) -> Result<Form> {
    write_resident_probed(volume, data, at, bytes, &())
}

/// [`write_resident`] with a probe at the places where another thread could come between.
pub fn write_resident_probed<D: Device, P: Probe>(
    volume: &Volume<D>,
    data: &Attribute,
    at: ByteOffset,
    bytes: &[u8],
    probe: &P,
) -> Result<Form> {
    volume.start_change()?;
    in_record(volume, data, probe, |transaction, page, value, place| {
        let start = usize::try_from(at.get()).unwrap_or(usize::MAX);
        let room = value.saturating_sub(start);
        let bytes = bytes.get(..room.min(bytes.len())).unwrap_or(&[]);
        if bytes.is_empty() {
            return Ok(());
        }
        transaction.change(page, |record| {
            Change::update_resident_value(record, place, start, bytes)
        })
    })
}

/// Makes the value `size` bytes long: what comes in is zero.
///
/// [`Form::NonResident`], and nothing changed, if it is not in its record, or would not fit there.
pub fn resize_resident<D: Device>(
    volume: &Volume<D>,
    data: &Attribute,
    size: ByteCount,
) -> Result<Form> {
    resize_resident_probed(volume, data, size, &())
}

/// [`resize_resident`] with a probe at the places where another thread could come between.
pub fn resize_resident_probed<D: Device, P: Probe>(
    volume: &Volume<D>,
    data: &Attribute,
    size: ByteCount,
    probe: &P,
) -> Result<Form> {
    check_writable(data)?;
    volume.start_change()?;
    let length = match usize::try_from(size.get()) {
        Ok(length) if length <= volume.record_bytes() => length,
        _ => return Ok(Form::NonResident),
    };
    let resized = in_record(volume, data, probe, |transaction, page, old, place| {
        if old == length {
            return Ok(());
        }
        let found = data.find_in(transaction.bytes(page))?;
        let RecordForm::Resident { value, .. } = found.form else {
            return Err(Error::NotFound);
        };
        let mut bytes = KVec::<u8>::zeroed(length, GFP_KERNEL)?;
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = *from;
        }
        let head = data.wanted().head(found.id, found.flags);
        let attribute = head.resident(&bytes, false).map_err(unfit)?;
        transaction.change(page, |record| Change::delete_attribute(record, place))?;
        transaction.change(page, |record| {
            Change::create_attribute(record, place, &attribute)
        })?;
        data.set_sizes(resident_sizes(size));
        Ok(())
    });
    match resized {
        Err(Error::NoRoom) => Ok(Form::NonResident),
        result => result,
    }
}

fn resident_sizes(size: ByteCount) -> Sizes {
    Sizes {
        allocated: size,
        data: size,
        initialized: size,
        compressed: None,
    }
}

/// Turns that are taken before an attribute whose hint and fact never agree counts as corrupt.
const MAX_TURNS: u32 = 64;

/// Lets `act` change a value that is in its record: the three steps of [`super::residency`], in a
/// transaction. It gets the page, the length of the value and where the attribute is.
fn in_record<D, P, F>(volume: &Volume<D>, data: &Attribute, probe: &P, act: F) -> Result<Form>
where
    D: Device,
    P: Probe,
    F: FnOnce(&mut Transaction<'_>, PageId, usize, usize) -> Result,
{
    if let Some(damage) = data.damage() {
        return Err(damage);
    }
    for _ in 0..MAX_TURNS {
        if data.residency().hint() == Form::NonResident {
            return Ok(Form::NonResident);
        }
        let piece = data.first_piece().ok_or(Error::NotFound)?;
        probe.at(Point::HintResident);
        let holder = volume.record(piece.record.number, data.wanted().role(piece))?;
        let mut transaction = Transaction::begin();
        let mapped = transaction.map_record(volume, &holder, piece.record);
        let found = mapped.and_then(|page| Ok((page, data.find_in(transaction.bytes(page))?)));
        match found.map(|(page, found)| (page, found.at, found.form)) {
            Ok((page, place, RecordForm::Resident { value, .. })) => {
                let length = value.len();
                act(&mut transaction, page, length, place)?;
                transaction.commit();
                return Ok(Form::Resident);
            }
            Ok(_) => {}
            // It may have left this record.
            Err(_) if data.residency().hint() == Form::NonResident => {}
            Err(error) => return Err(error),
        }
        drop(transaction);
        probe.at(Point::Flipped);
    }
    Err(Error::rule(
        data.place(),
        "form of the attribute differs from the one it was opened with",
        1,
        0,
    ))
}

/// Moves the value to clusters. `value` is what it is to be: the bytes of its first folio, which the
/// caller has locked, up to the size of the file.
///
/// Nothing is changed on an error. A value that is in clusters already stays as it is.
pub fn make_non_resident<D: Device>(volume: &Volume<D>, data: &Attribute, value: &[u8]) -> Result {
    make_non_resident_probed(volume, data, value, &())
}

/// [`make_non_resident`] with a probe at the places where another thread could come between.
pub fn make_non_resident_probed<D: Device, P: Probe>(
    volume: &Volume<D>,
    data: &Attribute,
    value: &[u8],
    probe: &P,
) -> Result {
    check_writable(data)?;
    volume.start_change()?;
    volume.with_freed(|| try_make_non_resident(volume, data, value, probe))
}

fn try_make_non_resident<D: Device, P: Probe>(
    volume: &Volume<D>,
    data: &Attribute,
    value: &[u8],
    probe: &P,
) -> Result {
    let mut unrecorded = data.unrecorded();
    if data.residency().hint() == Form::NonResident {
        return Ok(());
    }
    let value = match data.compression_unit() {
        Some(unit) => NewValue::compress(volume, unit, value)?,
        None => NewValue::write(volume, value)?,
    };
    probe.at(Point::Prepared);
    commit(value, volume, data, &mut unrecorded, probe)
}

/// The fact, then the hint.
fn commit<D: Device, P: Probe>(
    mut value: NewValue<'_>,
    volume: &Volume<D>,
    data: &Attribute,
    unrecorded: &mut Unrecorded,
    probe: &P,
) -> Result {
    let piece = data.first_piece().ok_or(Error::NotFound)?;
    let is_base = piece.record.number == data.owner().number;
    let holder = data.holder(volume)?;
    let mut room = None;
    // Twice at most.
    loop {
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(volume, &holder, piece.record)?;
        let prepared = match &room {
            Some(room) => Room::apply(room, volume, data, &mut transaction, page),
            None => Ok(()),
        };
        match prepared.and_then(|()| change(&value, data, &mut transaction, page)) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                // From here on nothing fails.
                value.keep();
                data.set_sizes(value.sizes);
                data.install(value.mapping);
                unrecorded.replace(value.sizes.initialized.get());
                probe.at(Point::FactFlipped);
                data.residency().publish(Form::NonResident);
                transaction.commit();
                if let Some(room) = room {
                    room.finish(volume);
                }
                return Ok(());
            }
            Err(Error::NoRoom) if room.is_none() && is_base => {
                drop(transaction);
                let head = data.wanted().head(AttributeId::new(0), data.flags());
                let length = value.attribute_length(&head).ok_or(Error::NoRoom)?;
                room = Some(Room::prepare(volume, data, length)?);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Changes the attribute where it is; `false` if it is in clusters already.
fn change(
    value: &NewValue<'_>,
    data: &Attribute,
    transaction: &mut Transaction<'_>,
    page: PageId,
) -> Result<bool> {
    let found = data.find_in(transaction.bytes(page))?;
    if let RecordForm::NonResident(_) = found.form {
        return Ok(false);
    }
    let at = found.at;
    let attribute = value.attribute(&data.wanted().head(found.id, found.flags))?;
    transaction.change(page, |record| Change::delete_attribute(record, at))?;
    transaction.change(page, |record| {
        Change::create_attribute(record, at, &attribute)
    })?;
    Ok(true)
}
