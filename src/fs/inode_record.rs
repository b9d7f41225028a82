// SPDX-License-Identifier: GPL-2.0-only

//! Bringing the records of a file up to what memory knows: times, attributes, sizes and runs.
//!
//! One transaction changes the file's records. The copies in the directories follow, each in its own:
//! should one be missing, nothing but a listing of Windows is stale.
//!
//! Lock order: see [`super`].

use super::{
    attribute::Attribute,
    device::Device,
    error::{
        Result, //
    },
    file::{
        self,
        catch_up, //
    },
    index_update,
    inode::Inode,
    record::Role,
    recording::{
        standard_information,
        Recording, //
    },
    residency::Form,
    transaction::{
        PageId,
        Transaction, //
    },
    unrecorded::Unrecorded,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Sizes,
    file_name::Copies,
    log::change::Change,
    standard_information::{
        FileAttributes,
        StandardInformation,
        Times, //
    },
    time::NtTime,
    units::ByteCount,
};

/// What the VFS knows of a file; `None` where nothing has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// When the content was last changed.
    pub modification: Option<NtTime>,
    /// When the file was last changed in any way.
    pub change: Option<NtTime>,
    /// When it was last read.
    pub access: Option<NtTime>,
    /// Whether nobody has permission to write.
    pub read_only: Option<bool>,
}

/// Brings the file's records, and the copies in its directories, up to what memory knows.
///
/// `waited`: the caller has waited for all transfers of the data that were under way; it is told if data is missing
/// that did not arrive at an earlier time. The records are dirty afterwards; [`Volume::sync`] makes them durable.
pub fn write_inode<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    changed: &Changed,
    waited: bool,
) -> Result {
    volume.start_change()?;
    let mut complete = Ok(());
    let copies = match inode.data() {
        Ok(Some(data)) => {
            let mut unrecorded = data.unrecorded();
            if data.residency().hint() == Form::NonResident {
                catch_up(volume, data, &mut unrecorded, waited)?;
            }
            if waited {
                complete = file::check_complete(&unrecorded);
            }
            let copies = write_records(volume, inode, changed, Some((data, &mut unrecorded)))?;
            unrecorded.behind = false;
            if !file::has_promises(volume, data, &unrecorded)? {
                unrecorded.release();
            }
            copies
        }
        _ => write_records(volume, inode, changed, None)?,
    };
    if let Some(copies) = copies {
        index_update::refresh(volume, inode.reference(), &copies)?;
    }
    complete
}

/// The changes of the file's own records; gives what its directories are to copy.
fn write_records<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    changed: &Changed,
    data: Option<(&Attribute, &mut Unrecorded)>,
) -> Result<Option<Copies>> {
    let reference = inode.reference();
    let base = volume.record(reference.number, Role::Base)?;
    let recording = match &data {
        Some((data, unrecorded)) => prepare_data(volume, data, unrecorded)?,
        None => None,
    };
    let mut transaction = Transaction::begin();
    let page = transaction.map_record(volume, &base, reference)?;
    let mut sizes = None;
    if let Some((data, _)) = &data {
        sizes = Some(write_data(
            &mut transaction,
            page,
            data,
            recording.as_ref(),
        )?);
    }
    let standard = write_standard(&mut transaction, page, changed)?;
    if let (Some((data, _)), Some(recording)) = (&data, &recording) {
        recording.publish(data);
    }
    transaction.commit();
    if let (Some((_, unrecorded)), Some(recording)) = (data, recording) {
        recording.finish(unrecorded);
    }
    let Some((times, attributes)) = standard else {
        return Ok(None);
    };
    let sizes = sizes.unwrap_or(Sizes::NOTHING);
    let has_less = attributes.contains(FileAttributes::SPARSE)
        || attributes.contains(FileAttributes::COMPRESSED);
    Ok(Some(Copies {
        times,
        allocated_size: match has_less {
            true => sizes.compressed.unwrap_or(sizes.allocated),
            false => sizes.allocated,
        },
        data_size: sizes.data,
        attributes,
    }))
}

/// Prepares to record the value of the unnamed stream, if it is in clusters and written by this driver.
fn prepare_data<'v, D: Device>(
    volume: &'v Volume<D>,
    data: &Attribute,
    unrecorded: &Unrecorded,
) -> Result<Option<Recording<'v, D>>> {
    if data.residency().hint() == Form::Resident || is_foreign(data) {
        return Ok(None);
    }
    Recording::prepare(volume, data, unrecorded).map(Some)
}

/// Whether the value is not written by this driver, so that there is nothing to record.
fn is_foreign(data: &Attribute) -> bool {
    data.unwritable().is_some()
}

/// Records the value of the unnamed stream; gives its sizes as a directory shows them.
fn write_data<'a, D: Device>(
    transaction: &mut Transaction<'a>,
    page: PageId,
    data: &Attribute,
    recording: Option<&'a Recording<'_, D>>,
) -> Result<Sizes> {
    let memory = data.sizes();
    let Some(recording) = recording else {
        if is_foreign(data) {
            return Ok(memory);
        }
        let taken = memory.data.get().checked_next_multiple_of(8);
        return Ok(Sizes {
            allocated: taken.map_or(memory.data, ByteCount::new),
            ..memory
        });
    };
    recording.apply(data, transaction, page)?;
    let recorded = recording.sizes();
    data.set_sizes(Sizes {
        allocated: recorded.allocated,
        compressed: recorded.compressed,
        ..memory
    });
    Ok(recorded)
}

/// Changes times and attributes; `None` if the file has no `$STANDARD_INFORMATION` in its base record.
fn write_standard(
    transaction: &mut Transaction<'_>,
    page: PageId,
    changed: &Changed,
) -> Result<Option<(Times, FileAttributes)>> {
    let place = transaction.place(page);
    let Some((at, old)) = standard_information(transaction.bytes(page), place)? else {
        return Ok(None);
    };
    let times = Times {
        creation: old.times.creation,
        modification: changed.modification.unwrap_or(old.times.modification),
        change: changed.change.unwrap_or(old.times.change),
        access: changed.access.unwrap_or(old.times.access),
    };
    let mut attributes = old.attributes;
    if let Some(read_only) = changed.read_only {
        attributes = attributes.with(FileAttributes::READ_ONLY, read_only);
    }
    // As Windows does: what was changed is to be archived.
    if times.modification != old.times.modification {
        attributes = attributes.with(FileAttributes::ARCHIVE, true);
    }
    if times != old.times || attributes != old.attributes {
        let new = StandardInformation::times_and_attributes(&times, attributes);
        transaction.change(page, |record| {
            Change::update_resident_value(record, at, 0, &new)
        })?;
    }
    Ok(Some((times, attributes)))
}
