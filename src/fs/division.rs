// SPDX-License-Identifier: GPL-2.0-only

//! How the runs of a value are divided among its records.
//!
//! A part stays where it is while it fits there. One that does not is cut into parts that go to new records:
//! full ones at the end of the value, where more of the same is likely to come behind, and less full ones in
//! its middle. A value that fits into the base record comes back. What a division will need is set aside when
//! clusters are promised, so that it cannot fail for want of records later.

use kernel::prelude::*;

use super::{
    array,
    attribute::{
        Attribute,
        Wanted, //
    },
    catalog::Piece,
    device::Device,
    error::{
        Error,
        Located,
        Result, //
    },
    file,
    image::Image,
    list::Base,
    parts::{
        cut_to_spans,
        Seen, //
    },
    record::Role,
    recording::{
        update_pairs,
        InPlace,
        Recording, //
    },
    records,
    residency::Form,
    runlist::{
        Runlist,
        Target, //
    },
    switch::{
        Division,
        Planned,
        Switch, //
    },
    transaction::Transaction,
    unrecorded::Unrecorded,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::AttributeFlags,
    bytes::u64_from_usize,
    record::FileRecord,
    units::{
        system_record,
        AttributeId,
        ByteCount,
        ClusterCount,
        SequenceNumber,
        Vcn, //
    }, //
};

/// How far a new record of a middle part is filled, so that it has room for what comes.
const fn filled(room: usize) -> usize {
    room.saturating_sub(room / 3)
}

/// Bytes that must be left in the base record when a value comes back there.
const SLACK: usize = 64;

/// What is known when records are to be told of a value in clusters.
pub(super) struct Plan<'p, 'v, D: Device> {
    pub(super) volume: &'v Volume<D>,
    pub(super) data: &'p Attribute,
    pub(super) image: &'p Image,
    /// The first part.
    pub(super) first: &'p Seen,
    pub(super) reserved: (u64, ClusterCount),
}

/// The parts as they are to be.
struct Parts {
    planned: KVec<Planned>,
    /// The mapping pairs of the first part, if it stays.
    first: Option<KVec<u8>>,
    /// Others that stay and change: old and new mapping pairs.
    changed: KVec<(Piece, KVec<u8>, KVec<u8>)>,
    /// Those that go.
    old: KVec<(Piece, bool)>,
    /// Bytes of those that stay in the base record.
    kept_in_base: usize,
}

impl<'v, D: Device> Plan<'_, 'v, D> {
    fn flags(&self) -> AttributeFlags {
        self.image.flags(self.first.flags)
    }

    fn is_mft(&self) -> bool {
        self.data.owner().number == system_record::MFT
    }

    fn is_base(&self, piece: Piece) -> bool {
        piece.record.number == self.data.owner().number
    }

    /// Bytes of mapping pairs that an extension record has room for.
    fn room_elsewhere(&self) -> usize {
        room_for_pairs(self.volume, &self.data.wanted(), self.flags())
    }

    pub(super) fn prepare(&self) -> Result<Recording<'v, D>> {
        let pieces = self.data.pieces();
        let first = pieces.first().copied().ok_or(Error::NotFound)?;
        let is_simple = pieces.len() == 1 && self.is_base(first);
        let head = self.data.wanted().head(self.first.id, self.flags());
        if let Some(pairs) = self.all_pairs()? {
            let length = head.non_resident_length(pairs.len());
            if is_simple && length.is_some_and(|length| length <= self.first.room) {
                return self.recording(Some(pairs), None);
            }
            if !is_simple && !self.is_mft() {
                if let Some(recording) = self.come_back(&pieces, &pairs)? {
                    return Ok(recording);
                }
            }
        }
        // A list that grows may need the room that the first part has.
        let stays = self.first.flags == self.flags();
        match self.divide(&pieces, stays) {
            Err(Error::NoRoom) if stays && !self.is_mft() => self.divide(&pieces, false),
            result => result,
        }
    }

    /// All mapping pairs, if they may fit in one record.
    fn all_pairs(&self) -> Result<Option<KVec<u8>>> {
        match self.image.mapping_pairs(self.volume.record_bytes()) {
            Ok(pairs) => Ok(Some(pairs)),
            Err(Error::NoRoom) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn recording(
        &self,
        first: Option<KVec<u8>>,
        switch: Option<Switch<'v, D>>,
    ) -> Result<Recording<'v, D>> {
        let volume = self.volume;
        let owner = self.data.owner().number;
        let flags = self.flags();
        let place = self.data.first_piece().ok_or(Error::NotFound)?;
        let holder = match first.is_some() && !self.is_base(place) {
            true => Some(volume.record(place.record.number, Role::Extension)?),
            false => None,
        };
        Ok(Recording {
            volume,
            base: volume.record(owner, Role::Base)?,
            holder,
            first: first.map(|pairs| InPlace {
                pairs,
                flags,
                sizes: self.image.sizes_for(flags),
            }),
            switch,
            sizes: self.image.sizes(),
            has_holes: flags.is_sparse(),
            superseded: None,
        })
    }

    /// The whole value in the base record, without a list, if that is possible.
    fn come_back(&self, pieces: &[Piece], pairs: &[u8]) -> Result<Option<Recording<'v, D>>> {
        let wanted = self.data.wanted();
        let base = Base::load(self.volume, &wanted)?;
        let head = wanted.head(base.id(), self.flags());
        let needed = head
            .non_resident_length(pairs.len())
            .and_then(|length| length.checked_add(SLACK));
        let fits = needed.is_some_and(|needed| needed <= base.room(self.volume));
        if !fits || !base.can_go_without_list() {
            return Ok(None);
        }
        let sizes = self.image.sizes_for(self.flags());
        let mut old = KVec::new();
        for piece in pieces {
            let seen = self.data.see(self.volume, *piece)?;
            array::push(&mut old, (*piece, seen.is_alone))?;
        }
        let mut division = Division {
            in_base: Some(self.image.to_attribute(&head, pairs)?),
            kept_in_base: 0,
            parts: KVec::new(),
            head,
            sizes,
            unit_shift: self.data.unit_shift(),
            old,
            reserved: self.reserved,
            is_mft: false,
        };
        let switch = Switch::prepare(self.volume, &wanted, &base, &mut division)?;
        self.recording(None, Some(switch)).map(Some)
    }

    /// Several records; `stays` says whether what fits may stay where it is.
    fn divide(&self, pieces: &[Piece], stays: bool) -> Result<Recording<'v, D>> {
        let wanted = self.data.wanted();
        let parts = self.parts(pieces, stays)?;
        let is_new = |part: &Planned| matches!(part, Planned::New(_));
        let mut switch = None;
        if !parts.old.is_empty() || parts.planned.iter().any(is_new) {
            let base = Base::load(self.volume, &wanted)?;
            let mut division = Division {
                in_base: None,
                kept_in_base: parts.kept_in_base,
                parts: parts.planned,
                head: wanted.head(self.first.id, self.flags()),
                sizes: self.image.sizes_for(self.flags()),
                unit_shift: self.data.unit_shift(),
                old: parts.old,
                reserved: self.reserved,
                is_mft: self.is_mft(),
            };
            switch = Some(Switch::prepare(self.volume, &wanted, &base, &mut division)?);
        }
        let recording = self.recording(parts.first, switch)?;
        for (piece, old, new) in &parts.changed {
            self.update(*piece, old, new)?;
        }
        Ok(recording)
    }

    fn parts(&self, pieces: &[Piece], stays: bool) -> Result<Parts> {
        let mut parts = Parts {
            planned: KVec::new(),
            first: None,
            changed: KVec::new(),
            old: KVec::new(),
            kept_in_base: 0,
        };
        let end = self.image.runlist.end();
        let mut behind = pieces.iter().skip(1).map(|piece| piece.lowest_vcn);
        for piece in pieces {
            let next = behind.next();
            let is_first = piece.lowest_vcn == Vcn::ZERO;
            let seen = match is_first {
                true => None,
                false => Some(self.data.see(self.volume, *piece)?),
            };
            let seen = seen.as_ref().unwrap_or(self.first);
            if !is_first && piece.lowest_vcn >= end {
                array::push(&mut parts.old, (*piece, seen.is_alone))?;
                continue;
            }
            let last = next.is_none_or(|next| next >= end);
            let range = (
                piece.lowest_vcn,
                if last { end } else { next.unwrap_or(end) },
            );
            self.place(&mut parts, *piece, seen, range, last, stays)?;
        }
        Ok(parts)
    }

    /// Finds a place for the runs of a range that were in one piece up to now.
    fn place(
        &self,
        parts: &mut Parts,
        piece: Piece,
        seen: &Seen,
        (start, end): (Vcn, Vcn),
        last: bool,
        stays: bool,
    ) -> Result {
        let head = self.data.wanted().head(seen.id, self.flags());
        let header = head.non_resident_length(0).unwrap_or(usize::MAX);
        let runs = &self.image.runlist;
        let full = self.room_elsewhere();
        let is_first = start == Vcn::ZERO;
        let here = match self.is_mft() && is_first {
            true => {
                let base = Base::load(self.volume, &self.data.wanted())?;
                base.room(self.volume).saturating_sub(MFT_LIST)
            }
            false => seen.room,
        };
        let here = here.saturating_sub(header);
        if stays && seen.flags == self.flags() {
            let spans = match cut_to_spans(runs, start, end, here, full) {
                Err(Error::NoRoom) => KVec::new(),
                spans => spans?,
            };
            let fits = spans.len() == 1;
            if fits || (self.is_mft() && is_first && !spans.is_empty()) {
                let mut spans = spans.into_iter();
                let Some(span) = spans.next() else {
                    return Err(Error::NoRoom);
                };
                if self.is_base(piece) {
                    let length = head.non_resident_length(span.pairs.len());
                    let length = length.ok_or(Error::NoRoom)?;
                    parts.kept_in_base = parts.kept_in_base.saturating_add(length);
                }
                array::push(&mut parts.planned, Planned::Kept(piece))?;
                if is_first {
                    parts.first = Some(span.pairs);
                } else if !seen.pairs.starts_with(&span.pairs) {
                    let old = array::copied(&seen.pairs)?;
                    array::push(&mut parts.changed, (piece, old, span.pairs))?;
                }
                for span in spans {
                    array::push(&mut parts.planned, Planned::New(span))?;
                }
                return Ok(());
            }
        }
        let room = match last {
            true => full,
            false => filled(full),
        };
        for span in cut_to_spans(runs, start, end, room, room)? {
            array::push(&mut parts.planned, Planned::New(span))?;
        }
        array::push(&mut parts.old, (piece, seen.is_alone))?;
        Ok(())
    }

    /// Changes the mapping pairs of a part that stays where it is, and is not the first.
    fn update(&self, piece: Piece, old: &[u8], new: &[u8]) -> Result {
        let wanted = self.data.wanted();
        let record = self
            .volume
            .record(piece.record.number, wanted.role(piece))?;
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(self.volume, &record, piece.record)?;
        let place = transaction.place(page);
        let content = FileRecord::parse(transaction.bytes(page)).at(place)?;
        let at = wanted.find(&content, piece)?.offset;
        update_pairs(&mut transaction, page, at, old, new)?;
        transaction.commit();
        Ok(())
    }
}

/// Bytes that the list of `$MFT` takes in its record: it is in clusters, so that most of its runs are found
/// through the first part.
const MFT_LIST: usize = 0x50;

/// Bytes of mapping pairs that an extension record with nothing else has room for.
fn room_for_pairs<D: Device>(
    volume: &Volume<D>,
    wanted: &Wanted<'_>,
    flags: AttributeFlags,
) -> usize {
    let none = SequenceNumber::ZERO;
    let record = records::new_record(volume, wanted.owner.number, none, None);
    let header = wanted
        .head(AttributeId::new(0), flags)
        .non_resident_length(0)
        .unwrap_or(usize::MAX);
    // Attribute records end at multiples of 8.
    record.room().saturating_sub(header) & !7
}

impl Attribute {
    /// Sees to it that runs can be recorded later, whatever of them has data by then: sets aside the records
    /// that are needed for it, or says [`Error::NoSpace`].
    pub(super) fn ensure_room<D: Device>(
        &self,
        volume: &Volume<D>,
        unrecorded: &mut Unrecorded,
        runs: &Runlist,
    ) -> Result {
        self.ensure_room_without(volume, unrecorded, runs, 0)
    }

    /// [`Attribute::ensure_room`] for the runs that there are, before something else takes so many bytes of the base
    /// record.
    pub(super) fn ensure_room_beside<D: Device>(
        &self,
        volume: &Volume<D>,
        unrecorded: &mut Unrecorded,
        taken: usize,
    ) -> Result {
        let is_recorded = !unrecorded.behind && !file::has_promises(volume, self, unrecorded)?;
        if taken == 0 || self.residency().hint() == Form::Resident || is_recorded {
            return Ok(());
        }
        let runs = &self.mapping_to_change(volume)?.runlist;
        self.ensure_room_without(volume, unrecorded, runs, taken)
    }

    /// [`Attribute::ensure_room`], with so many bytes less in the base record.
    fn ensure_room_without<D: Device>(
        &self,
        volume: &Volume<D>,
        unrecorded: &mut Unrecorded,
        runs: &Runlist,
        taken: usize,
    ) -> Result {
        let mut all = Runlist::new();
        let mut has_holes = false;
        for run in runs.extents() {
            let target = match run.target {
                Target::Clusters(lcn) | Target::Fresh(lcn) | Target::Promised(lcn) => {
                    Target::Clusters(lcn)
                }
                Target::Hole | Target::Missing => {
                    has_holes = true;
                    Target::Hole
                }
            };
            all.push(target, run.length)?;
        }
        let pieces = self.pieces();
        let first = pieces.first().copied().ok_or(Error::NotFound)?;
        let seen = self.see(volume, first)?;
        let flags = match has_holes && self.compression_unit().is_none() {
            true => seen.flags.with_sparse(),
            false => seen.flags,
        };
        let wanted = self.wanted();
        let header = wanted.head(seen.id, flags).non_resident_length(0);
        let taken = match first.record.number == self.owner().number {
            true => taken,
            false => 0,
        };
        let here = seen
            .room
            .saturating_sub(taken)
            .saturating_sub(header.unwrap_or(usize::MAX));
        let full = room_for_pairs(volume, &wanted, flags);
        let rewritten = flags != seen.flags && pieces.len() > 1;
        let mut records: u64 = 0;
        let mut behind = pieces.iter().skip(1).map(|piece| piece.lowest_vcn);
        for piece in pieces.iter() {
            let end = behind.next().unwrap_or(all.end()).min(all.end());
            let here = match *piece == first {
                true => here,
                false => full,
            };
            let fits = match cut_to_spans(&all, piece.lowest_vcn, end, here, full) {
                Err(Error::NoRoom) => false,
                spans => spans?.len() == 1,
            };
            if !fits || rewritten {
                let room = match end == all.end() {
                    true => full,
                    false => filled(full),
                };
                let spans = cut_to_spans(&all, piece.lowest_vcn, end, room, room)?;
                // One more, for when only some of the runs have data.
                let count = u64_from_usize(spans.len()).saturating_add(1);
                records = records.saturating_add(count);
            }
        }
        if records == 0 {
            return Ok(());
        }
        let parts = u64_from_usize(pieces.len()).saturating_add(records);
        let list = parts.saturating_mul(LIST_ENTRY).saturating_add(LIST_OTHERS);
        let cluster = volume.geometry().cluster_size();
        let clusters = cluster.clusters_for(ByteCount::new(list));
        unrecorded.reserve(volume, records, clusters)
    }
}

/// Bytes that a list takes for one part, at least as many as needed: the longest name of a stream.
const LIST_ENTRY: u64 = 0x20;
/// Bytes that a list takes for other attributes, mostly.
const LIST_OTHERS: u64 = 0x400;
