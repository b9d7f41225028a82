// SPDX-License-Identifier: GPL-2.0-only

//! Values in clusters whose runs need more than one record: the parts, the records that hold them, and
//! the `$ATTRIBUTE_LIST` that tells where they are.
//!
//! Records that others refer to are never changed when parts are divided anew. The new parts are written
//! to records that nobody knows yet; then the base record with its list changes, in one piece, and leads to
//! the new parts instead of the old ones; the old records are given up when that is durable. A list that is
//! too long for the base record is in clusters, and each new list in new ones. So, wherever the volume is cut
//! off, the base record leads to parts that are whole: [`super::writeback`] writes extension records first.
//!
//! Lock order: see [`super`]. The caller has locked the mapping. While records are looked at, one is mapped
//! at a time.

use kernel::prelude::*;

use super::{
    array,
    attribute::Attribute,
    catalog::Piece,
    device::Device,
    error::{
        Error,
        Place,
        Result, //
    },
    image::{
        encoded,
        unfit, //
    },
    runlist::Runlist,
    store::Store, //
};
use crate::ondisk::{
    attribute::{
        AttributeFlags,
        Form as RecordForm,
        Sizes, //
    },
    attribute_builder::{
        Head,
        Part, //
    },
    bytes::{
        u64_from_usize,
        usize_from_u32, //
    },
    mapping_pairs,
    record::RecordHeader,
    units::{
        AttributeId,
        ClusterCount,
        RecordNumber,
        Vcn, //
    }, //
};

/// Runs that one attribute record is to tell of.
pub(super) struct Span {
    /// The first VCN.
    pub(super) lowest: Vcn,
    /// The first VCN behind.
    pub(super) end: Vcn,
    /// The mapping pairs.
    pub(super) pairs: KVec<u8>,
}

impl Span {
    /// The attribute record.
    pub(super) fn attribute(
        &self,
        head: &Head<'_>,
        sizes: Sizes,
        unit_shift: u8,
    ) -> Result<KVec<u8>> {
        head.non_resident(&Part {
            lowest_vcn: self.lowest,
            end: self.end,
            sizes,
            compression_unit_shift: unit_shift,
            mapping_pairs: &self.pairs,
        })
        .map_err(unfit)
    }
}

/// The runs from `first` to before `end`, cut so that the mapping pairs of each span take `room` bytes at
/// most; the first span perhaps less. There is one in any case.
pub(super) fn cut_to_spans(
    runs: &Runlist,
    first: Vcn,
    end: Vcn,
    first_room: usize,
    room: usize,
) -> Result<KVec<Span>> {
    let inside = encoded(runs, first).take_while(|run| run.vcn < end);
    let inside = inside.filter_map(|run| clip(run, first, end));
    let mut inside = inside.peekable();
    let mut spans = KVec::new();
    let mut lowest = first;
    let mut room_now = first_room;
    // Each turn encodes a run at least.
    while inside.peek().is_some() {
        let mut pairs = KVec::<u8>::zeroed(room_now, GFP_KERNEL)?;
        let length = mapping_pairs::encode_first(&mut inside, &mut pairs).ok_or(Error::NoRoom)?;
        pairs.truncate(length);
        let behind = inside.peek().map_or(end.min(runs.end()), |run| run.vcn);
        let span = Span {
            lowest,
            end: behind,
            pairs,
        };
        array::push(&mut spans, span)?;
        lowest = behind;
        room_now = room;
    }
    if spans.is_empty() {
        let pairs = KVec::<u8>::zeroed(1, GFP_KERNEL)?;
        let span = Span {
            lowest: first,
            end: first,
            pairs,
        };
        array::push(&mut spans, span)?;
    }
    Ok(spans)
}

/// The part of a run that lies in a range.
fn clip(run: mapping_pairs::Run, first: Vcn, end: Vcn) -> Option<mapping_pairs::Run> {
    let start = run.vcn.max(first);
    let stop = run.vcn.checked_add(run.length)?.min(end);
    let skipped = start.distance_from(run.vcn)?;
    let length = stop.distance_from(start)?;
    if length == ClusterCount::ZERO {
        return None;
    }
    Some(mapping_pairs::Run {
        vcn: start,
        lcn: match run.lcn {
            Some(lcn) => Some(lcn.checked_add(skipped)?),
            None => None,
        },
        length,
    })
}

/// The bytes in use of a record that is to be changed: not more than it has.
pub(super) fn bytes_in_use<D: Device>(
    store: &Store<D>,
    number: RecordNumber,
    header: &RecordHeader,
) -> Result<usize> {
    let (used, most) = (usize_from_u32(header.bytes_in_use), store.record_bytes());
    if used > most {
        let (used, most) = (u64_from_usize(used), u64_from_usize(most));
        return Err(Error::rule(
            Place::Record(number),
            "bytes in use",
            used,
            most,
        ));
    }
    Ok(used)
}

/// One attribute record, as it is now.
pub(super) struct Seen {
    /// Its flags.
    pub(super) flags: AttributeFlags,
    /// Its id.
    pub(super) id: AttributeId,
    /// Its sizes, if it is the part in clusters that begins at VCN 0.
    pub(super) sizes: Option<Sizes>,
    /// Its mapping pairs, with what is behind them; none in a record.
    pub(super) pairs: KVec<u8>,
    /// Bytes that it takes.
    pub(super) length: usize,
    /// Bytes that it could take in its record, if nothing else there changes.
    pub(super) room: usize,
    /// Whether nothing else is in its record.
    pub(super) is_alone: bool,
}

impl Attribute {
    /// Looks at one of its attribute records.
    pub(super) fn see<D: Device>(&self, store: &Store<D>, piece: Piece) -> Result<Seen> {
        let wanted = self.wanted();
        let record = store.record(piece.record.number, wanted.role(piece))?;
        let mapped = record.map(store)?;
        let record = wanted.listed(&mapped, piece)?;
        let found = wanted.find(&record, piece)?;
        let used = bytes_in_use(store, piece.record.number, record.header())?;
        let others = used.checked_sub(found.length).ok_or(Error::NoRoom)?;
        let (sizes, pairs) = match &found.form {
            RecordForm::NonResident(part) => (part.sizes, array::copied(part.mapping_pairs)?),
            RecordForm::Resident { .. } => (None, KVec::new()),
        };
        Ok(Seen {
            flags: found.flags,
            id: found.id,
            sizes,
            pairs,
            length: found.length,
            room: store.record_bytes().saturating_sub(others),
            is_alone: record.attributes().nth(1).is_none(),
        })
    }
}
