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

use core::cmp::Ordering;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        Allocation,
        Claim,
        Freed,
        Purpose,
        Run, //
    },
    array,
    attribute::{
        Attribute,
        Mapping,
        Pieces,
        Wanted, //
    },
    catalog::{
        Piece,
        MAX_LIST, //
    },
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    record::Role,
    recording::{
        encoded,
        unfit, //
    },
    records::{
        For,
        NewRecord, //
    },
    runlist::{
        Runlist,
        Target, //
    },
    store::Store,
    transaction::{
        PageId,
        Transaction, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        Attribute as AttributeRecord,
        AttributeFlags,
        AttributeType,
        Form as RecordForm,
        Sizes, //
    },
    attribute_builder::{
        Head,
        Part, //
    },
    attribute_list::{
        self,
        ListEntry, //
    },
    bytes::{
        u64_from_usize,
        usize_from_u32, //
    },
    log::change::Change,
    mapping_pairs,
    name::Name,
    record::FileRecord,
    units::{
        AttributeId,
        ByteCount,
        ByteOffset,
        ClusterCount,
        MftReference,
        Vcn, //
    },
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
    pub(super) fn attribute(&self, head: &Head<'_>, sizes: Sizes) -> Result<KVec<u8>> {
        head.non_resident(&Part {
            lowest_vcn: self.lowest,
            end: self.end,
            sizes,
            compression_unit_shift: 0,
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
    let inside = encoded(runs).filter_map(|run| clip(run, first, end));
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
        let record = mapped.record_as(piece.record)?;
        let found = wanted.find(&record, piece)?;
        let used = usize_from_u32(record.header().bytes_in_use);
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
            room: store.record_bytes().saturating_sub(others),
            is_alone: record.attributes().nth(1).is_none(),
        })
    }
}

/// The list as it is now.
struct OldList {
    id: AttributeId,
    /// Its clusters, if it is not in the base record.
    clusters: KVec<Run>,
}

/// The base record, as far as the parts of one attribute are concerned.
pub(super) struct Base {
    owner: MftReference,
    /// Bytes in use without those of the attribute and of the list.
    others: usize,
    next_id: AttributeId,
    /// The id of the attribute, if a part of it is here.
    own_id: Option<AttributeId>,
    list: Option<OldList>,
    /// What a list has before the entries of the attribute, and behind them.
    before: KVVec<u8>,
    behind: KVVec<u8>,
    /// Whether other attributes are in extension records.
    is_spread: bool,
}

impl Base {
    /// Looks at the base record of an attribute.
    pub(super) fn load<D: Device>(volume: &Volume<D>, wanted: &Wanted<'_>) -> Result<Self> {
        let place = Place::Record(wanted.owner.number);
        let record = volume.record(wanted.owner.number, Role::Base)?;
        let mapped = record.map(volume)?;
        let content = mapped.record_as(wanted.owner)?;
        let header = content.header();
        let mut base = Self {
            owner: MftReference {
                sequence: header.sequence,
                ..wanted.owner
            },
            others: usize_from_u32(header.bytes_in_use),
            next_id: AttributeId::new(header.next_attribute_id),
            own_id: None,
            list: None,
            before: KVVec::new(),
            behind: KVVec::new(),
            is_spread: false,
        };
        let mut old: Option<KVVec<u8>> = None;
        let mut in_clusters: Option<Mapping> = None;
        for attribute in content.attributes() {
            let attribute = attribute.at(place)?;
            let is_list = attribute.type_ == AttributeType::ATTRIBUTE_LIST;
            let is_own = attribute.type_ == wanted.type_ && attribute.name.is(wanted.name);
            if is_list || is_own {
                base.others = base.others.saturating_sub(attribute.length);
            }
            if is_own {
                base.own_id = base.own_id.or(Some(attribute.id));
            }
            if is_list {
                base.list = Some(OldList {
                    id: attribute.id,
                    clusters: KVec::new(),
                });
                match &attribute.form {
                    RecordForm::Resident { value, .. } => old = Some(array::copied(value)?),
                    RecordForm::NonResident(part) => {
                        let place = list_place(wanted);
                        let mapping = Mapping::of_part(volume.geometry(), place, part)?;
                        in_clusters = Some(mapping);
                    }
                }
            }
        }
        if base.list.is_none() {
            for attribute in content.attributes() {
                base.add(volume, wanted, &entry_of(base.owner, &attribute.at(place)?))?;
            }
        }
        drop(mapped);
        if let (Some(mapping), Some(list)) = (&in_clusters, &mut base.list) {
            old = Some(read_list(volume, wanted, mapping)?);
            for extent in mapping.runlist.extents() {
                if let Target::Clusters(lcn) = extent.target {
                    let length = extent.length;
                    array::push(&mut list.clusters, Run { lcn, length })?;
                }
            }
        }
        if let Some(old) = &old {
            for entry in attribute_list::entries(old) {
                base.add(volume, wanted, &entry.at(list_place(wanted))?)?;
            }
        }
        Ok(base)
    }

    /// Adds what a list says of other attributes.
    fn add<D: Device>(
        &mut self,
        volume: &Volume<D>,
        wanted: &Wanted<'_>,
        entry: &ListEntry<'_>,
    ) -> Result {
        let order = entry.type_.cmp(&wanted.type_).then_with(|| {
            let own = wanted.name.iter().copied();
            volume.upcase().collate_file_name(entry.name.units(), own)
        });
        let list = match order {
            Ordering::Less => &mut self.before,
            Ordering::Greater => &mut self.behind,
            Ordering::Equal => return Ok(()),
        };
        self.is_spread |= entry.reference.number != self.owner.number;
        append(list, entry)
    }

    /// Whether other attributes have no need of a list.
    pub(super) fn can_go_without_list(&self) -> bool {
        !self.is_spread
    }

    /// Bytes that the attributes of interest can take here together with the list.
    pub(super) fn room<D: Device>(&self, store: &Store<D>) -> usize {
        store.record_bytes().saturating_sub(self.others)
    }

    /// The id that the attribute has here, or would get.
    pub(super) fn id(&self) -> AttributeId {
        self.own_id.unwrap_or(self.next_id)
    }

    /// The id that the list has, or would get; `after_own` says that the attribute gets one before it.
    fn list_id(&self, after_own: bool) -> AttributeId {
        match (&self.list, self.own_id) {
            (Some(list), _) => list.id,
            (None, None) if after_own => AttributeId::new(self.next_id.get().saturating_add(1)),
            _ => self.next_id,
        }
    }
}

fn list_place(wanted: &Wanted<'_>) -> Place {
    Place::Attribute(wanted.owner.number, AttributeType::ATTRIBUTE_LIST)
}

fn entry_of<'a>(owner: MftReference, attribute: &AttributeRecord<'a>) -> ListEntry<'a> {
    ListEntry {
        type_: attribute.type_,
        name: attribute.name,
        lowest_vcn: match &attribute.form {
            RecordForm::Resident { .. } => Vcn::ZERO,
            RecordForm::NonResident(part) => part.lowest_vcn,
        },
        reference: owner,
        id: attribute.id,
    }
}

/// Appends an entry to a list.
fn append(list: &mut KVVec<u8>, entry: &ListEntry<'_>) -> Result {
    let length = entry.length().ok_or(Error::NoRoom)?;
    let mut bytes = KVec::<u8>::zeroed(length, GFP_KERNEL)?;
    entry.put(&mut bytes, 0).ok_or(Error::NoRoom)?;
    append_bytes(list, &bytes)
}

fn append_bytes(list: &mut KVVec<u8>, bytes: &[u8]) -> Result {
    for byte in bytes {
        array::push(list, *byte)?;
    }
    Ok(())
}

/// Reads a list that is in clusters.
fn read_list<D: Device>(
    store: &Store<D>,
    wanted: &Wanted<'_>,
    mapping: &Mapping,
) -> Result<KVVec<u8>> {
    let place = list_place(wanted);
    let size = mapping.sizes.data.get();
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if length > MAX_LIST {
        let most = u64_from_usize(MAX_LIST);
        return Err(Error::rule(place, "size of the attribute list", size, most));
    }
    let mut list = KVVec::<u8>::zeroed(length, GFP_KERNEL)?;
    data::read_mapping(store, mapping, place, ByteOffset::ZERO, &mut list)?;
    Ok(list)
}

/// Where a part is to be.
pub(super) enum Planned {
    /// Where it is.
    Kept(Piece),
    /// In a record of its own.
    New(Span),
}

/// Another division into parts, prepared; dropping it gives everything back.
pub(super) struct Switch<'v, D: Device> {
    new: KVec<NewRecord<'v, D>>,
    pieces: Arc<Pieces>,
    /// The attribute record in the base record, if it is to be made there.
    in_base: Option<KVec<u8>>,
    /// The attribute record of the list, if there is to be one.
    list: Option<KVec<u8>>,
    list_clusters: KVec<Allocation<'v>>,
    freed_clusters: Option<Freed<'v>>,
    freed_records: Option<Freed<'v>>,
    /// Parts in records that have other attributes as well.
    left_behind: KVec<Piece>,
    /// New records and clusters that were reserved.
    claimed: (u64, ClusterCount),
}

/// What a [`Switch`] is to bring about.
pub(super) struct Division<'a> {
    /// The attribute record that is made in the base record, which tells of the first VCNs.
    pub(super) in_base: Option<KVec<u8>>,
    /// Bytes of the attribute record that stays in the base record, when it has been changed there.
    pub(super) kept_in_base: usize,
    /// The parts, but for the one in `in_base`.
    pub(super) parts: KVec<Planned>,
    /// How the attribute records begin.
    pub(super) head: Head<'a>,
    /// The sizes for the part that begins at VCN 0.
    pub(super) sizes: Sizes,
    /// The records that held parts up to now and do no more, and whether there is nothing else in them.
    pub(super) old: KVec<(Piece, bool)>,
    /// Records and clusters that were reserved for this.
    pub(super) reserved: (u64, ClusterCount),
    /// Whether it is `$MFT` that is divided.
    pub(super) is_mft: bool,
}

impl<'v, D: Device> Switch<'v, D> {
    /// Prepares a division. Nothing that others refer to is changed; [`Error::NoRoom`] if it does not fit in
    /// the base record.
    pub(super) fn prepare(
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        base: &Base,
        division: Division<'_>,
    ) -> Result<Self> {
        let mut switch = Self {
            new: KVec::new(),
            pieces: Arc::new(KVec::new(), GFP_KERNEL)?,
            in_base: None,
            list: None,
            list_clusters: KVec::new(),
            freed_clusters: None,
            freed_records: None,
            left_behind: KVec::new(),
            claimed: (0, ClusterCount::ZERO),
        };
        let mut pieces = KVec::new();
        if division.in_base.is_some() {
            let piece = Piece {
                record: base.owner,
                id: base.id(),
                lowest_vcn: Vcn::ZERO,
            };
            array::push(&mut pieces, piece)?;
        }
        for part in &division.parts {
            let piece = match part {
                Planned::Kept(piece) => *piece,
                Planned::New(span) => switch.add(volume, base, &division, span)?,
            };
            array::push(&mut pieces, piece)?;
        }
        switch.in_base = division.in_base;
        let own = switch.in_base.as_ref().map_or(0, |bytes| bytes.len());
        let own = own.saturating_add(division.kept_in_base);
        let room = base.room(volume).checked_sub(own).ok_or(Error::NoRoom)?;
        let elsewhere = |piece: &Piece| piece.record.number != base.owner.number;
        if base.is_spread || pieces.iter().any(elsewhere) {
            switch.make_list(volume, wanted, base, &pieces, room, division.reserved.1)?;
        }
        switch.pieces = Arc::new(pieces, GFP_KERNEL)?;
        if let Some(list) = &base.list {
            let clusters = list.clusters.iter().copied();
            switch.freed_clusters = Some(volume.allocator()?.prepare_free(volume, clusters)?);
        }
        let mut records = KVec::new();
        for (piece, is_alone) in &division.old {
            if piece.record.number == base.owner.number {
                continue;
            }
            match is_alone {
                true => array::push(&mut records, piece.record)?,
                false => array::push(&mut switch.left_behind, *piece)?,
            }
        }
        let records = records.iter().copied();
        let allocator = volume.records_for_writing()?;
        switch.freed_records = Some(allocator.prepare_free(volume, records)?);
        Ok(switch)
    }

    /// Makes a record with one part.
    fn add(
        &mut self,
        volume: &'v Volume<D>,
        base: &Base,
        division: &Division<'_>,
        span: &Span,
    ) -> Result<Piece> {
        let head = Head {
            id: AttributeId::new(0),
            ..division.head
        };
        let attribute = span.attribute(&head, division.sizes)?;
        let whom = match division.is_mft {
            true => For::Mft,
            false if self.claimed.0 < division.reserved.0 => {
                self.claimed.0 = self.claimed.0.saturating_add(1);
                For::File(Claim::Reserved)
            }
            false => For::File(Claim::Unreserved),
        };
        let record = NewRecord::new(volume, base.owner, whom)?;
        record.put(&attribute)?;
        let piece = Piece {
            record: record.reference(),
            id: head.id,
            lowest_vcn: span.lowest,
        };
        array::push(&mut self.new, record)?;
        Ok(piece)
    }

    /// Makes the list, in the base record if it fits into `room`.
    fn make_list(
        &mut self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        base: &Base,
        pieces: &[Piece],
        room: usize,
        reserved: ClusterCount,
    ) -> Result {
        let mut units = KVec::<u8>::new();
        for unit in wanted.name {
            for byte in unit.to_le_bytes() {
                array::push(&mut units, byte)?;
            }
        }
        let name = Name::from_bytes(&units).ok_or(Error::NoRoom)?;
        let mut list = KVVec::new();
        append_bytes(&mut list, &base.before)?;
        for piece in pieces {
            let entry = ListEntry {
                type_: wanted.type_,
                name,
                lowest_vcn: piece.lowest_vcn,
                reference: piece.record,
                id: piece.id,
            };
            append(&mut list, &entry)?;
        }
        append_bytes(&mut list, &base.behind)?;
        if list.len() > MAX_LIST {
            return Err(Error::NoRoom);
        }
        let head = Head {
            type_: AttributeType::ATTRIBUTE_LIST,
            name: &[],
            id: base.list_id(self.in_base.is_some()),
            flags: AttributeFlags::default(),
        };
        let fits = head
            .resident_length(list.len())
            .is_some_and(|length| length <= room);
        let attribute = match fits {
            true => head.resident(&list, false).map_err(unfit)?,
            false => self.put_list(volume, wanted, &head, &mut list, reserved)?,
        };
        if attribute.len() > room {
            return Err(Error::NoRoom);
        }
        self.list = Some(attribute);
        Ok(())
    }

    /// Writes the list to clusters, and gives its attribute record.
    fn put_list(
        &mut self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        head: &Head<'_>,
        list: &mut KVVec<u8>,
        reserved: ClusterCount,
    ) -> Result<KVec<u8>> {
        let cluster = volume.geometry().cluster_size();
        let data = ByteCount::new(u64_from_usize(list.len()));
        let end = Vcn::new(cluster.clusters_for(data).get());
        let mut runlist = Runlist::new();
        // Each turn adds at least a cluster.
        while let Some(missing) = end.distance_from(runlist.end()) {
            if missing == ClusterCount::ZERO {
                break;
            }
            let left = reserved.checked_sub(self.claimed.1).unwrap_or_default();
            let (claim, wanted) = match left {
                ClusterCount::ZERO => (Claim::Unreserved, missing),
                left => (Claim::Reserved, missing.min(left)),
            };
            let got = volume
                .allocator()?
                .allocate(volume, None, wanted, claim, Purpose::Data)?;
            let Run { lcn, length } = got.run();
            if claim == Claim::Reserved {
                self.claimed.1 = self.claimed.1.checked_add(length).unwrap_or(left);
            }
            array::push(&mut self.list_clusters, got)?;
            runlist.push(Target::Clusters(lcn), length)?;
        }
        let allocated = cluster
            .to_bytes(ClusterCount::new(end.get()))
            .ok_or(Error::NoSpace)?;
        let sizes = Sizes {
            allocated,
            data,
            initialized: data,
            compressed: None,
        };
        let filled = usize::try_from(allocated.get()).map_err(|_| Error::NoSpace)?;
        // Each turn adds a byte.
        while list.len() < filled {
            array::push(list, 0)?;
        }
        let mut spans = cut_to_spans(&runlist, Vcn::ZERO, end, LIST_PAIRS, LIST_PAIRS)?;
        let (Some(span), None) = (spans.pop(), spans.pop()) else {
            return Err(Error::NoRoom);
        };
        let mapping = Mapping {
            runlist,
            sizes,
            damage: None,
        };
        let place = list_place(wanted);
        data::write_mapping(volume, &mapping, place, ByteOffset::ZERO, list)?;
        span.attribute(head, sizes)
    }

    /// Takes out of the base record what is not to stay there.
    pub(super) fn take_out(
        &self,
        transaction: &mut Transaction<'_>,
        page: PageId,
        wanted: &Wanted<'_>,
    ) -> Result {
        let goes = |attribute: &AttributeRecord<'_>| {
            let is_own = attribute.type_ == wanted.type_ && attribute.name.is(wanted.name);
            let lowest = match &attribute.form {
                RecordForm::Resident { .. } => Vcn::ZERO,
                RecordForm::NonResident(part) => part.lowest_vcn,
            };
            let kept = |piece: &Piece| {
                piece.record.number == wanted.owner.number && piece.lowest_vcn == lowest
            };
            let stays = self.in_base.is_none() && self.pieces.iter().any(kept);
            attribute.type_ == AttributeType::ATTRIBUTE_LIST || (is_own && !stays)
        };
        let place = transaction.place(page);
        // Each turn takes one out.
        loop {
            let found = FileRecord::parse(transaction.bytes(page))
                .at(place)?
                .attributes()
                .filter_map(core::result::Result::ok)
                .find(goes)
                .map(|attribute| attribute.offset);
            let Some(at) = found else {
                return Ok(());
            };
            transaction.change(page, |record| Change::delete_attribute(record, at))?;
        }
    }

    /// Puts into the base record what is to be there.
    pub(super) fn put_in(
        &self,
        volume: &Volume<D>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result {
        // In the order in which their ids were chosen.
        for attribute in [&self.in_base, &self.list].into_iter().flatten() {
            insert(volume, transaction, page, attribute)?;
        }
        Ok(())
    }

    /// Where the parts are then.
    pub(super) fn pieces(&self) -> Arc<Pieces> {
        self.pieces.clone()
    }

    /// The base record is changed. Gives what of the reservation was used.
    pub(super) fn finish(
        mut self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
    ) -> (u64, ClusterCount) {
        while let Some(record) = self.new.pop() {
            record.keep();
        }
        while let Some(allocation) = self.list_clusters.pop() {
            allocation.keep();
        }
        let freed = [self.freed_clusters.take(), self.freed_records.take()];
        for freed in freed.into_iter().flatten() {
            freed.later();
        }
        for piece in &self.left_behind {
            // Nobody looks there any more, so it may stay.
            let _ = delete_piece(volume, wanted, *piece);
        }
        self.claimed
    }
}

/// Bytes of mapping pairs that the attribute record of a list has room for.
const LIST_PAIRS: usize = 64;

/// Inserts an attribute record where it belongs by type and name.
fn insert<D: Device>(
    volume: &Volume<D>,
    transaction: &mut Transaction<'_>,
    page: PageId,
    attribute: &[u8],
) -> Result {
    let place = transaction.place(page);
    let new = AttributeRecord::parse_alone(attribute).at(place)?;
    let record = FileRecord::parse(transaction.bytes(page)).at(place)?;
    let mut at = usize::from(record.header().attributes_offset);
    for other in record.attributes() {
        let other = other.at(place)?;
        let order = other.type_.cmp(&new.type_).then_with(|| {
            let upcase = volume.upcase();
            upcase.collate_file_name(other.name.units(), new.name.units())
        });
        if order == Ordering::Greater {
            break;
        }
        at = other.offset.saturating_add(other.length);
    }
    transaction.change(page, |record| {
        Change::create_attribute(record, at, attribute)
    })
}

/// Takes a part out of an extension record that has other attributes.
fn delete_piece<D: Device>(volume: &Volume<D>, wanted: &Wanted<'_>, piece: Piece) -> Result {
    let record = volume.record(piece.record.number, Role::Extension)?;
    let mut transaction = Transaction::begin();
    let page = transaction.map_record(volume, &record, piece.record)?;
    let place = transaction.place(page);
    let content = FileRecord::parse(transaction.bytes(page)).at(place)?;
    let at = wanted.find(&content, piece)?.offset;
    transaction.change(page, |record| Change::delete_attribute(record, at))?;
    transaction.commit();
    Ok(())
}
