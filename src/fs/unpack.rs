// SPDX-License-Identifier: GPL-2.0-only

//! Making an ordinary file of one that the Windows overlay filter (WOF) has compressed.
//!
//! That is done before the first change of its content, in steps each of which leaves a file with the same content:
//!
//! 1. the unnamed value, which was a hole, gets clusters with all of the content. The reparse point still has everybody
//!    read the compressed stream;
//! 2. the reparse point goes, and with it the file's attribute that tells of it: one change of the base record. From
//!    here on the unnamed value is the content;
//! 3. the compressed stream goes, and the entry of the index of reparse points.
//!
//! When the last step fails, the stream stays as one that everybody can see, and the volume is marked for a check. When
//! the power goes in between, the index may have an entry too much (see [`super::index_delete`] for one of many nodes),
//! and the volume is marked as well. The content is the same in any case.
//!
//! Lock order: see [`super`]. The caller sees to it that nobody reads the content meanwhile: the clusters of the stream
//! are somebody else's soon after.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::Purpose,
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    attribute_removal::remove,
    data,
    device::Device,
    error::{
        Error,
        Result, //
    },
    file::check_undamaged,
    inode::Inode,
    overlay::Overlay,
    recording::standard_information,
    reparse_index,
    residency::Form,
    resize::{
        self,
        Cut, //
    },
    runlist::{
        Runlist,
        Target, //
    },
    streams,
    transaction::{
        PageId,
        Transaction, //
    },
    unrecorded::ByteSpan,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        AttributeType,
        Sizes, //
    },
    bytes::u64_from_usize,
    compression::wof,
    log::change::Change,
    reparse::ReparseTag,
    standard_information::{
        FileAttributes,
        StandardInformation, //
    },
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        Vcn, //
    },
};

/// Bytes that are decoded and written at once, at least.
const PIECE: usize = 256 * 1024;
/// All bytes of a value.
const EVERYTHING: ByteSpan = ByteSpan {
    start: 0,
    end: u64::MAX,
};

/// Makes an ordinary file of one that WOF has compressed; any other stays as it is.
///
/// On an error the file is as it was, and can be read as before. May sleep for as long as it takes to decode the file.
pub fn unpack<D: Device>(volume: &Volume<D>, inode: &Inode) -> Result {
    let (Some(overlay), Some(data)) = (inode.overlay()?, inode.data()?) else {
        return Ok(());
    };
    check_undamaged(data)?;
    if data.flags().is_compressed() || data.flags().is_encrypted() {
        return Err(Error::Unsupported("data compressed in two ways"));
    }
    if data.residency().hint() == Form::Resident {
        return Err(Error::Unsupported("writing WOF data within its record"));
    }
    let name: KVec<u16> = array::collected(wof::STREAM.encode_utf16(), wof::STREAM.len())?;
    // A named stream may have holes, which the file's attributes tell of as well.
    let is_sparse = !streams::names(&**volume, inode)?.is_empty();
    volume.start_change()?;
    volume.with_freed(|| fill(volume, overlay, data))?;

    let unrecorded = data.unrecorded();
    let point = (AttributeType::REPARSE_POINT, &[][..]);
    let removed = remove(
        volume,
        &unrecorded,
        inode.reference(),
        point,
        |transaction, page| mark_ordinary(transaction, page, is_sparse),
    );
    if let Err(error) = removed {
        drop(unrecorded);
        // Should this fail too, the clusters are the value's, and taken by the next attempt.
        let _ = give_back(volume, data);
        return Err(error);
    }
    inode.set_unpacked();
    data.lift_refusal();
    data.moved();

    let stream = (AttributeType::DATA, &name[..]);
    let removed = remove(
        volume,
        &unrecorded,
        inode.reference(),
        stream,
        |_, _| Ok(()),
    );
    drop(unrecorded);
    let forgotten = reparse_index::remove(volume, ReparseTag::WOF, inode.reference());
    if removed.is_err() || forgotten.is_err() {
        volume.note_damage();
    }
    Ok(())
}

/// Gives the value clusters with the content.
fn fill<D: Device>(volume: &Volume<D>, overlay: &Overlay, data: &Arc<Attribute>) -> Result {
    let mut unrecorded = data.unrecorded();
    let mapping = data.mapping_to_change(volume)?;
    let sizes = data.sizes();
    let size = sizes.data;
    let cluster = volume.geometry().cluster_size();
    let end = Vcn::new(cluster.clusters_for(size).get());
    let mut runlist = Runlist::new();
    let allocator = volume.allocator()?;
    let unreserved = ClusterCount::ZERO;
    let mut allocations = allocator.extend(volume, &mut runlist, end, unreserved, Purpose::Data)?;
    let whole = Sizes {
        data: size,
        initialized: size,
        ..sizes
    };
    let new = Mapping {
        runlist: runlist.until(end)?,
        sizes: whole,
        damage: None,
    };
    copy(volume, overlay, data, &new)?;
    let cut = Cut {
        runlist,
        gone: EVERYTHING,
        sizes: whole,
        form: Form::NonResident,
    };
    // Those of an attempt that came to no end, if there are any.
    let lost = mapping.runlist.extents();
    let settled = unrecorded.settled();
    unrecorded.replace(size.get());
    let done = resize::cut_dense(volume, data, &mut unrecorded, &mapping, cut, lost);
    if done.is_err() {
        unrecorded.replace(settled);
        return done;
    }
    while let Some(allocation) = allocations.pop() {
        allocation.keep();
    }
    Ok(())
}

/// Makes the value a hole again.
fn give_back<D: Device>(volume: &Volume<D>, data: &Arc<Attribute>) -> Result {
    let mut unrecorded = data.unrecorded();
    let mapping = data.mapping_to_change(volume)?;
    let sizes = Sizes {
        initialized: ByteCount::ZERO,
        ..data.sizes()
    };
    let mut runlist = Runlist::new();
    let length = ClusterCount::new(mapping.runlist.end().get());
    runlist.push(Target::Hole, length)?;
    let cut = Cut {
        runlist,
        gone: EVERYTHING,
        sizes,
        form: Form::NonResident,
    };
    let settled = unrecorded.settled();
    unrecorded.replace(0);
    let lost = mapping.runlist.extents();
    let done = resize::cut(volume, data, &mut unrecorded, &mapping, cut, lost);
    if done.is_err() {
        unrecorded.replace(settled);
    }
    done
}

/// Writes the content to the clusters of a mapping, with zeros up to their end.
fn copy<D: Device>(
    volume: &Volume<D>,
    overlay: &Overlay,
    data: &Attribute,
    to: &Mapping,
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let unit = usize::try_from(cluster.bytes()).map_err(|_| Error::NoMemory)?;
    // Whole chunks, and whole clusters: both are powers of two.
    let room = PIECE.max(overlay.chunk_size()).max(unit);
    let mut piece = KVVec::<u8>::zeroed(room, GFP_KERNEL)?;
    let size = to.sizes.data;
    let mut at = ByteOffset::ZERO;
    // Each turn goes on by a piece.
    while at.get() < size.get() {
        let read = overlay.read(volume, at, &mut piece)?;
        let wanted = size.get().saturating_sub(at.get());
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(room);
        if read != wanted {
            let (read, wanted) = (u64_from_usize(read), u64_from_usize(wanted));
            let what = "bytes of a piece of WOF data";
            return Err(Error::rule(data.place(), what, read, wanted));
        }
        let whole = read
            .checked_next_multiple_of(unit)
            .unwrap_or(room)
            .min(room);
        piece.get_mut(read..whole).unwrap_or(&mut []).fill(0);
        let bytes = piece.get(..whole).unwrap_or(&[]);
        data::write_mapping(volume, to, data.place(), at, bytes)?;
        let length = ByteCount::new(u64_from_usize(read));
        at = at.checked_add(length).ok_or(Error::NoSpace)?;
    }
    Ok(())
}

/// Takes the attributes off that a file has by WOF.
fn mark_ordinary(transaction: &mut Transaction<'_>, page: PageId, is_sparse: bool) -> Result {
    let place = transaction.place(page);
    let Some((at, old)) = standard_information(transaction.bytes(page), place)? else {
        return Ok(());
    };
    let attributes = old.attributes.with(FileAttributes::REPARSE_POINT, false);
    let attributes = match is_sparse {
        true => attributes,
        false => attributes.with(FileAttributes::SPARSE, false),
    };
    let new = StandardInformation::times_and_attributes(&old.times, attributes);
    transaction.change(page, |record| {
        Change::update_resident_value(record, at, 0, &new)
    })
}
