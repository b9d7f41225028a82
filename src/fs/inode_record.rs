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
        Error,
        Result, //
    },
    file::catch_up,
    index_update,
    inode::Inode,
    record::Role,
    recording::standard_information,
    residency::Form,
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
    bytes::{
        align_8,
        u64_from_usize, //
    },
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
/// `waited`: the caller has waited for all transfers of the data that were under way. The records are
/// dirty afterwards; [`Volume::sync`] makes them durable.
pub fn write_inode<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    changed: &Changed,
    waited: bool,
) -> Result {
    volume.start_change()?;
    let copies = match inode.data() {
        Ok(Some(data)) => {
            let mut unrecorded = data.unrecorded();
            if data.residency().hint() == Form::NonResident {
                catch_up(volume, data, &mut unrecorded, waited)?;
            }
            let copies = write_records(volume, inode, changed, Some((data, &unrecorded)))?;
            unrecorded.behind = false;
            copies
        }
        _ => write_records(volume, inode, changed, None)?,
    };
    match copies {
        Some(copies) => index_update::refresh(volume, inode.reference(), &copies),
        None => Ok(()),
    }
}

/// The changes of the file's own records; gives what its directories are to copy.
fn write_records<D: Device>(
    volume: &Volume<D>,
    inode: &Inode,
    changed: &Changed,
    data: Option<(&Attribute, &Unrecorded)>,
) -> Result<Option<Copies>> {
    let reference = inode.reference();
    let base = volume.record(reference.number, Role::Base)?;
    let holder = match data {
        Some((data, _)) => Some(data.holder(volume)?),
        None => None,
    };
    let mut transaction = Transaction::begin();
    let page = transaction.map_record(volume, &base, reference)?;

    let mut sizes = None;
    if let (Some((data, unrecorded)), Some(holder)) = (data, &holder) {
        let piece = data.first_piece().ok_or(Error::NotFound)?;
        let data_page = match piece.record.number == reference.number {
            true => page,
            false => transaction.map_record(volume, holder, piece.record)?,
        };
        let recorded = write_data(volume, &mut transaction, data_page, data, unrecorded)?;
        sizes = Some(recorded);
    }
    let standard = write_standard(&mut transaction, page, changed)?;
    transaction.commit();
    let Some((times, attributes)) = standard else {
        return Ok(None);
    };
    let sizes = sizes.unwrap_or(Sizes {
        allocated: ByteCount::ZERO,
        data: ByteCount::ZERO,
        initialized: ByteCount::ZERO,
        compressed: None,
    });
    Ok(Some(Copies {
        times,
        allocated_size: match attributes.contains(FileAttributes::SPARSE) {
            true => sizes.compressed.unwrap_or(sizes.allocated),
            false => sizes.allocated,
        },
        data_size: sizes.data,
        attributes,
    }))
}

/// Records the value of the unnamed stream; gives its sizes as a directory shows them.
fn write_data<D: Device>(
    volume: &Volume<D>,
    transaction: &mut Transaction<'_>,
    page: PageId,
    data: &Attribute,
    unrecorded: &Unrecorded,
) -> Result<Sizes> {
    if data.unsupported(Form::NonResident).is_some() || data.flags().is_compressed() {
        // Not written by this driver, so nothing to record.
        return Ok(data.sizes());
    }
    let found = data.find_in(transaction.bytes(page))?;
    if let RecordForm::Resident { value, .. } = found.form {
        let taken = align_8(value.len()).unwrap_or(value.len());
        let (taken, size) = (u64_from_usize(taken), u64_from_usize(value.len()));
        return Ok(Sizes {
            allocated: ByteCount::new(taken),
            data: ByteCount::new(size),
            initialized: ByteCount::new(size),
            compressed: None,
        });
    }
    let recorded = data.record_clusters(volume, transaction, page, unrecorded)?;
    let memory = data.sizes();
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
