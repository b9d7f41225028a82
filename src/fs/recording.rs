// SPDX-License-Identifier: GPL-2.0-only

//! Bringing the record of a value in clusters up to what memory knows.
//!
//! The record is told of clusters when their data is there, or when it lies behind the initialized size
//! that the record has, where nobody sees it. So the volume, should it be cut off at any moment, never
//! shows what was in the clusters before.
//!
//! A value whose runs do not fit in one record has several parts, see [`super::parts`]. They are divided anew
//! only where one outgrows its record; the others stay, and change only when their own runs do.

use kernel::{
    alloc::allocator::Kmalloc,
    prelude::*, //
};

use super::{
    array,
    attribute::{
        Attribute,
        Mapping,
        Wanted, //
    },
    catalog::Piece,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    parts::{
        cut_to_spans,
        Base,
        Division,
        Planned,
        Seen,
        Span,
        Switch, //
    },
    record::{
        Record,
        Role, //
    },
    records,
    runlist::{
        Runlist,
        Target, //
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
        AttributeFlags,
        AttributeType,
        Form as RecordForm,
        Sizes, //
    },
    attribute_builder::{
        Head,
        Part,
        Unfit, //
    },
    boot::Geometry,
    bytes::u64_from_usize,
    log::change::Change,
    mapping_pairs::{
        self,
        Run, //
    },
    record::FileRecord,
    standard_information::{
        FileAttributes,
        StandardInformation, //
    },
    units::{
        system_record,
        AttributeId,
        ByteCount,
        ClusterCount,
        SequenceNumber,
        Vcn, //
    },
};

/// What a record is to say of a value in clusters.
pub(super) struct Image {
    runlist: Runlist,
    sizes: Sizes,
    has_holes: bool,
}

impl Image {
    /// From what memory knows, for a record whose initialized size is `initialized`.
    pub(super) fn new(
        geometry: &Geometry,
        place: Place,
        mapping: &Mapping,
        memory: Sizes,
        settled: u64,
        initialized: ByteCount,
    ) -> Result<Self> {
        let cluster = geometry.cluster_size();
        // From here on nothing that the record says can be seen.
        let unseen = Vcn::new(cluster.clusters_for(initialized).get());
        let mut runlist = Runlist::new();
        for run in mapping.runlist.extents() {
            let (seen, behind) = (run.before(unseen), run.from(unseen));
            for (part, can_be_seen) in [(seen, true), (behind, false)] {
                let Some(part) = part else {
                    continue;
                };
                let target = match part.target {
                    Target::Clusters(lcn) => Target::Clusters(lcn),
                    Target::Fresh(lcn) if !can_be_seen => Target::Clusters(lcn),
                    Target::Fresh(_) | Target::Hole => Target::Hole,
                    // Kept apart from holes, to be cut off at the end.
                    promised @ Target::Promised(_) => promised,
                    Target::Missing => {
                        return Err(mapping.damage.unwrap_or_else(|| {
                            let what = "change of a value whose runs are not all known, at VCN";
                            Error::rule(place, what, part.vcn.get(), 0)
                        }))
                    }
                };
                runlist.push(target, part.length)?;
            }
        }
        let needed = Vcn::new(cluster.clusters_for(memory.data).get());
        let runlist = without_promises(&runlist, needed)?;

        let mut taken = ClusterCount::ZERO;
        let mut has_holes = false;
        for run in runlist.extents() {
            match run.target {
                Target::Clusters(_) => taken = taken.checked_add(run.length).unwrap_or(taken),
                _ => has_holes = true,
            }
        }
        let end = ClusterCount::new(runlist.end().get());
        let too_long = || Error::rule(place, "clusters of the value", end.get(), 0);
        let allocated = cluster.to_bytes(end).ok_or_else(too_long)?;
        let data = memory.data.min(allocated);
        Ok(Self {
            runlist,
            sizes: Sizes {
                allocated,
                data,
                initialized: ByteCount::new(settled).min(data),
                compressed: cluster.to_bytes(taken),
            },
            has_holes,
        })
    }

    /// The sizes as the record is to have them; `compressed` is what the clusters take in any case.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The flags that the attribute needs.
    fn flags(&self, old: AttributeFlags) -> AttributeFlags {
        match self.has_holes {
            true => old.with_sparse(),
            false => old,
        }
    }

    /// The sizes for an attribute with these flags.
    fn sizes_for(&self, flags: AttributeFlags) -> Sizes {
        Sizes {
            compressed: self
                .sizes
                .compressed
                .filter(|_| flags.is_sparse() || flags.is_compressed()),
            ..self.sizes
        }
    }

    /// The mapping pairs; [`Error::NoRoom`] if they are longer than `room`.
    pub(super) fn mapping_pairs(&self, room: usize) -> Result<KVec<u8>> {
        let mut pairs = KVec::<u8>::zeroed(room, GFP_KERNEL)?;
        let runs = encoded(&self.runlist);
        let length = mapping_pairs::encode(runs, &mut pairs).ok_or(Error::NoRoom)?;
        pairs.truncate(length);
        Ok(pairs)
    }

    /// The attribute record, made anew.
    pub(super) fn to_attribute(&self, head: &Head<'_>, pairs: &[u8]) -> Result<KVec<u8>> {
        let head = Head {
            flags: self.flags(head.flags),
            ..*head
        };
        head.non_resident(&Part {
            lowest_vcn: Vcn::ZERO,
            end: self.runlist.end(),
            sizes: self.sizes_for(head.flags),
            compression_unit_shift: 0,
            mapping_pairs: pairs,
        })
        .map_err(unfit)
    }
}

/// The runs as mapping pairs have them.
pub(super) fn encoded(runs: &Runlist) -> impl Iterator<Item = Run> + '_ {
    runs.extents().map(|run| Run {
        vcn: run.vcn,
        lcn: match run.target {
            Target::Clusters(lcn) => Some(lcn),
            _ => None,
        },
        length: run.length,
    })
}

/// Without the promised clusters: those at the end are cut off, others are holes for now.
///
/// So are holes from `needed` on, where the value has no byte: what was promised there and given back.
fn without_promises(runs: &Runlist, needed: Vcn) -> Result<Runlist> {
    let mut end = Vcn::ZERO;
    for run in runs.extents() {
        let behind = run.end().unwrap_or(end);
        end = match run.target {
            Target::Promised(_) => end,
            Target::Hole => end.max(behind.min(needed)),
            _ => behind,
        };
    }
    let mut kept = Runlist::new();
    for run in runs.until(end)?.extents() {
        let target = match run.target {
            Target::Promised(_) => Target::Hole,
            other => other,
        };
        kept.push(target, run.length)?;
    }
    Ok(kept)
}

/// Why no attribute record could be made.
pub(super) fn unfit(why: Unfit) -> Error {
    match why {
        Unfit::NoMemory => Error::NoMemory,
        Unfit::TooLong => Error::NoRoom,
    }
}

/// Where an attribute is in its record, and what the record says of it.
pub(super) struct Found<'r> {
    pub(super) at: usize,
    pub(super) flags: AttributeFlags,
    pub(super) id: AttributeId,
    pub(super) form: RecordForm<'r>,
}

impl Attribute {
    /// Finds the first part of the attribute in its mapped record.
    pub(super) fn find_in<'r>(&self, bytes: &'r [u8]) -> Result<Found<'r>> {
        let piece = self.first_piece().ok_or(Error::NotFound)?;
        let record = FileRecord::parse(bytes).at(Place::Record(piece.record.number))?;
        let found = self.wanted().find(&record, piece)?;
        Ok(Found {
            at: found.offset,
            flags: found.flags,
            id: found.id,
            form: found.form,
        })
    }
}

/// The mapping pairs and sizes of the first part, as they are to be where it is.
struct InPlace {
    pairs: KVec<u8>,
    flags: AttributeFlags,
    sizes: Sizes,
}

/// What the records are to be told of a value, prepared: [`Recording::apply`] it to the base record in a
/// transaction, [`Recording::publish`], commit, and [`Recording::finish`]. Dropping it before gives everything back.
///
/// Parts in extension records that need no other division know already.
pub(super) struct Recording<'v, D: Device> {
    volume: &'v Volume<D>,
    base: Record,
    /// The record of the first part, if that is changed in place and is not the base record.
    holder: Option<Record>,
    first: Option<InPlace>,
    switch: Option<Switch<'v, D>>,
    sizes: Sizes,
    has_holes: bool,
}

impl<'v, D: Device> Recording<'v, D> {
    /// For a value in clusters, from what memory knows. No record is mapped by the caller.
    pub(super) fn prepare(
        volume: &'v Volume<D>,
        data: &Attribute,
        unrecorded: &Unrecorded,
    ) -> Result<Self> {
        let first = data.first_piece().ok_or(Error::NotFound)?;
        let seen = data.see(volume, first)?;
        let recorded = seen.sizes.ok_or(Error::NotFound)?;
        let mapping = data.mapping(volume)?;
        let image = Image::new(
            volume.geometry(),
            data.place(),
            &mapping,
            data.sizes(),
            unrecorded.settled(),
            recorded.initialized,
        )?;
        let plan = Plan {
            volume,
            data,
            image: &image,
            first: &seen,
            reserved: unrecorded.reserved(),
        };
        plan.prepare()
    }

    /// For a value without a byte, which comes back into the base record.
    ///
    /// Nobody can find other bytes than none in it, whichever form he believes in.
    pub(super) fn prepare_empty(volume: &'v Volume<D>, data: &Attribute) -> Result<Self> {
        let pieces = data.pieces();
        let mut old = KVec::new();
        let mut flags = AttributeFlags::default();
        for piece in pieces.iter().rev() {
            let seen = data.see(volume, *piece)?;
            flags = seen.flags;
            array::push(&mut old, (*piece, seen.is_alone))?;
        }
        let wanted = data.wanted();
        let base = Base::load(volume, &wanted)?;
        let head = wanted.head(base.id(), flags.without_sparse());
        let sizes = Sizes {
            allocated: ByteCount::ZERO,
            data: ByteCount::ZERO,
            initialized: ByteCount::ZERO,
            compressed: None,
        };
        let division = Division {
            in_base: Some(head.resident(&[], false).map_err(unfit)?),
            kept_in_base: 0,
            parts: KVec::new(),
            head,
            sizes,
            old,
            reserved: (0, ClusterCount::ZERO),
            is_mft: false,
        };
        Ok(Self {
            volume,
            base: volume.record(data.owner().number, Role::Base)?,
            holder: None,
            first: None,
            switch: Some(Switch::prepare(volume, &wanted, &base, division)?),
            sizes,
            has_holes: false,
        })
    }

    /// The base record, for the transaction.
    pub(super) fn base(&self) -> &Record {
        &self.base
    }

    /// The sizes that the records have then; `compressed` is what the clusters take in any case.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Does the changes; `page` is the base record.
    pub(super) fn apply<'a>(
        &'a self,
        data: &Attribute,
        transaction: &mut Transaction<'a>,
        page: PageId,
    ) -> Result {
        if let Some(switch) = &self.switch {
            switch.take_out(transaction, page, &data.wanted())?;
        }
        if let Some(first) = &self.first {
            let page = match &self.holder {
                Some(holder) => {
                    let piece = data.first_piece().ok_or(Error::NotFound)?;
                    transaction.map_record(self.volume, holder, piece.record)?
                }
                None => page,
            };
            first.apply(data, transaction, page)?;
        }
        if let Some(switch) = &self.switch {
            switch.put_in(self.volume, transaction, page)?;
        }
        if self.has_holes {
            mark_sparse(transaction, page)?;
        }
        Ok(())
    }

    /// Lets others find the parts where they are now. The transaction is about to commit, with all done that
    /// can fail, and the base record is still mapped.
    pub(super) fn publish(&self, data: &Attribute) {
        if let Some(switch) = &self.switch {
            data.set_pieces(switch.pieces());
        }
    }

    /// The transaction has committed.
    pub(super) fn finish(self, data: &Attribute, unrecorded: &mut Unrecorded) {
        if let Some(switch) = self.switch {
            unrecorded.claimed(switch.finish(self.volume, &data.wanted()));
        }
    }
}

impl InPlace {
    fn apply(&self, data: &Attribute, transaction: &mut Transaction<'_>, page: PageId) -> Result {
        let found = data.find_in(transaction.bytes(page))?;
        let RecordForm::NonResident(part) = found.form else {
            return Err(Error::NotFound);
        };
        let at = found.at;
        if self.flags != found.flags {
            let span = Span {
                lowest: Vcn::ZERO,
                end: Vcn::new(
                    mapping_pairs::total(self.pairs.iter().copied())
                        .at(data.place())?
                        .get(),
                ),
                pairs: array::copied(&self.pairs)?,
            };
            let head = data.wanted().head(found.id, self.flags);
            let attribute = span.attribute(&head, self.sizes)?;
            transaction.change(page, |record| Change::delete_attribute(record, at))?;
            return transaction.change(page, |record| {
                Change::create_attribute(record, at, &attribute)
            });
        }
        let same_sizes = part.sizes == Some(self.sizes);
        let old = array::copied::<_, Kmalloc>(part.mapping_pairs)?;
        update_pairs(transaction, page, at, &old, &self.pairs)?;
        match same_sizes {
            true => Ok(()),
            false => transaction.change(page, |record| {
                Change::set_attribute_sizes(record, at, self.sizes)
            }),
        }
    }
}

/// How far a new record of a middle part is filled, so that it has room for what comes.
const fn filled(room: usize) -> usize {
    room.saturating_sub(room / 3)
}

/// Bytes that must be left in the base record when a value comes back there.
const SLACK: usize = 64;

/// What is known when records are to be told of a value in clusters.
struct Plan<'p, 'v, D: Device> {
    volume: &'v Volume<D>,
    data: &'p Attribute,
    image: &'p Image,
    /// The first part.
    first: &'p Seen,
    reserved: (u64, ClusterCount),
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

    fn prepare(&self) -> Result<Recording<'v, D>> {
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
        let division = Division {
            in_base: Some(self.image.to_attribute(&head, pairs)?),
            kept_in_base: 0,
            parts: KVec::new(),
            head,
            sizes,
            old,
            reserved: self.reserved,
            is_mft: false,
        };
        let switch = Switch::prepare(self.volume, &wanted, &base, division)?;
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
            let division = Division {
                in_base: None,
                kept_in_base: parts.kept_in_base,
                parts: parts.planned,
                head: wanted.head(self.first.id, self.flags()),
                sizes: self.image.sizes_for(self.flags()),
                old: parts.old,
                reserved: self.reserved,
                is_mft: self.is_mft(),
            };
            switch = Some(Switch::prepare(self.volume, &wanted, &base, division)?);
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
        let flags = match has_holes {
            true => seen.flags.with_sparse(),
            false => seen.flags,
        };
        let wanted = self.wanted();
        let header = wanted.head(seen.id, flags).non_resident_length(0);
        let here = seen.room.saturating_sub(header.unwrap_or(usize::MAX));
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
/// Tells of holes in `$STANDARD_INFORMATION` as well, if it is in this record: others take an attribute
/// that differs from it for corrupt.
fn mark_sparse(transaction: &mut Transaction<'_>, page: PageId) -> Result {
    let place = transaction.place(page);
    let Some((at, old)) = standard_information(transaction.bytes(page), place)? else {
        return Ok(());
    };
    let new = old.attributes.with(FileAttributes::SPARSE, true);
    if new == old.attributes {
        return Ok(());
    }
    let head = StandardInformation::times_and_attributes(&old.times, new);
    transaction.change(page, |record| {
        Change::update_resident_value(record, at, 0, &head)
    })
}

/// The `$STANDARD_INFORMATION` in a record, and where it is there.
pub(super) fn standard_information(
    record: &[u8],
    place: Place,
) -> Result<Option<(usize, StandardInformation)>> {
    let found = FileRecord::parse(record)
        .at(place)?
        .attributes()
        .filter_map(core::result::Result::ok)
        .find(|attribute| attribute.type_ == AttributeType::STANDARD_INFORMATION);
    match found.map(|found| (found.offset, found.form)) {
        Some((at, RecordForm::Resident { value, .. })) => {
            Ok(Some((at, StandardInformation::parse(value).at(place)?)))
        }
        _ => Ok(None),
    }
}

/// Replaces mapping pairs by others, from where they differ; what is behind their end does not count.
fn update_pairs(
    transaction: &mut Transaction<'_>,
    page: PageId,
    at: usize,
    old: &[u8],
    new: &[u8],
) -> Result {
    if old.starts_with(new) {
        return Ok(());
    }
    let mut same: usize = 0;
    for (one, other) in old.iter().zip(new) {
        if one != other {
            break;
        }
        same = same.saturating_add(1);
    }
    let end = new.get(same..).unwrap_or(&[]);
    transaction.change(page, |record| {
        Change::update_mapping_pairs(record, at, same, end)
    })
}
