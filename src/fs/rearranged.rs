// SPDX-License-Identifier: GPL-2.0-only

//! Where a named stream goes that cannot stay where it is, and what makes room for it: see
//! [`super::stream_update`].

use kernel::prelude::*;

use super::{
    array,
    attribute::Wanted,
    catalog::{
        Catalog,
        Entry,
        Piece, //
    },
    crowded::{
        entry_length,
        room_elsewhere,
        Copied,
        Filling,
        Moves, //
    },
    device::Device,
    error::{
        Error,
        Result, //
    },
    image::unfit,
    inode::Still,
    list::Base,
    new_list::LIST_IN_CLUSTERS,
    new_value::NewValue,
    parts::{
        cut_to_spans,
        Seen, //
    },
    record::{
        Record,
        Role, //
    },
    streams::is_of_wof,
    switch::{
        insert,
        take_out,
        Division,
        Planned,
        Switch, //
    },
    transaction::Transaction,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        AttributeFlags,
        Sizes, //
    },
    attribute_builder::{
        with_id,
        Head, //
    },
    units::{
        AttributeId,
        ClusterCount,
        MftReference,
        Vcn, //
    }, //
};

/// What a new stream is stored as.
const PLAIN: AttributeFlags = AttributeFlags::new(0);

/// The value as it is to be.
pub(super) struct Value<'v, 'b> {
    bytes: &'b [u8],
    /// Its clusters, if it was written to some.
    clusters: Option<NewValue<'v>>,
}

impl<'v, 'b> Value<'v, 'b> {
    /// One that is nowhere yet.
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            clusters: None,
        }
    }

    /// Bytes of an attribute record that holds it.
    fn resident_length(&self, head: &Head<'_>) -> usize {
        head.resident_length(self.bytes.len()).unwrap_or(usize::MAX)
    }

    /// Its clusters, which are written if they are not yet.
    fn clusters<D: Device>(&mut self, volume: &'v Volume<D>) -> Result<&NewValue<'v>> {
        match &mut self.clusters {
            Some(clusters) => Ok(clusters),
            none => Ok(none.insert(NewValue::write(volume, self.bytes)?)),
        }
    }

    /// The attribute record if it has to fit into `room`: with the value if it can be, else for one in clusters. `None`
    /// if that does not fit either.
    pub(super) fn fitting<D: Device>(
        &mut self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        id: AttributeId,
        room: usize,
    ) -> Result<Option<KVec<u8>>> {
        let head = wanted.head(id, PLAIN);
        if self.resident_length(&head) <= room {
            self.clusters = None;
            return head.resident(self.bytes, false).map(Some).map_err(unfit);
        }
        // A value without a byte has no clusters, and the shortest pairs are a byte.
        let shortest = head.non_resident_length(1).unwrap_or(usize::MAX);
        if self.bytes.is_empty() || shortest > room {
            return Ok(None);
        }
        let clusters = self.clusters(volume)?;
        match clusters.attribute_length(&head) {
            Some(length) if length <= room => clusters.attribute(&head).map(Some),
            _ => Ok(None),
        }
    }

    /// The parts of a value in clusters of which one record cannot tell.
    fn spans<D: Device>(
        &mut self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        room: usize,
    ) -> Result<KVec<Planned>> {
        let head = wanted.head(AttributeId::new(0), PLAIN);
        let header = head.non_resident_length(0).unwrap_or(usize::MAX);
        // Attribute records end at multiples of 8.
        let room = room.saturating_sub(header) & !7;
        if self.bytes.is_empty() {
            return Err(Error::NoRoom);
        }
        let runs = &self.clusters(volume)?.mapping.runlist;
        let mut parts = KVec::new();
        for span in cut_to_spans(runs, Vcn::ZERO, runs.end(), room, room)? {
            array::push(&mut parts, Planned::New(span))?;
        }
        Ok(parts)
    }

    /// A record has the value, or is going to, and nothing can fail any more.
    pub(super) fn keep(&mut self) {
        if let Some(clusters) = &mut self.clusters {
            clusters.keep();
        }
    }
}

/// An extension record with nothing but streams, as it is to be.
struct Pack {
    /// The record that is to be so, or that another one takes the place of; `None` if it is only to be made.
    source: Option<MftReference>,
    /// Whether the device has nothing of that yet.
    is_unwritten: bool,
    /// The id that it gives out next.
    next_id: AttributeId,
    /// What is in it, without the stream of interest.
    copies: KVec<Copied>,
}

impl Pack {
    /// To be made.
    const EMPTY: Self = Self {
        source: None,
        is_unwritten: false,
        next_id: AttributeId::new(0),
        copies: KVec::new(),
    };

    /// Copies a record; `None` if something else is in it, which has to stay where it is.
    fn load<D: Device>(
        volume: &Volume<D>,
        catalog: &Catalog,
        wanted: &Wanted<'_>,
        source: MftReference,
    ) -> Result<Option<Self>> {
        let entries = || {
            catalog
                .entries
                .iter()
                .filter(|one| one.piece.record == source)
        };
        let is_stream = |one: &Entry| {
            let name = || one.name.iter().copied();
            one.type_ == wanted.type_ && !one.name.is_empty() && !is_of_wof(volume, name())
        };
        let Some(first) = entries().next().filter(|_| entries().all(is_stream)) else {
            return Ok(None);
        };
        let record = volume.record(source.number, Role::Extension)?;
        let mapped = record.map(volume)?;
        let content = wanted.listed(&mapped, first.piece)?;
        let mut pack = Self {
            source: Some(source),
            is_unwritten: mapped.is_unwritten(),
            next_id: AttributeId::new(content.header().next_attribute_id),
            copies: KVec::new(),
        };
        for entry in entries().filter(|one| !one.is(wanted.type_, wanted.name)) {
            let other = Wanted {
                name: &entry.name,
                ..*wanted
            };
            let attribute = other.find(&content, entry.piece)?;
            if attribute.id != entry.piece.id {
                return Ok(None);
            }
            let copied = Copied::new(&content, source, &attribute)?;
            array::push(&mut pack.copies, copied)?;
        }
        Ok(Some(pack))
    }

    /// Bytes of what is in it.
    fn length(&self) -> usize {
        let lengths = self.copies.iter().map(Copied::length);
        lengths.fold(0, usize::saturating_add)
    }
}

/// An extension record that is changed where it is.
struct InPlace {
    record: Record,
    reference: MftReference,
    /// What comes into it.
    attribute: Option<KVec<u8>>,
}

/// Where the new attribute record goes.
enum Home {
    /// Nowhere: there is none.
    None,
    /// To the base record.
    Base(KVec<u8>),
    /// To an extension record.
    Elsewhere(KVec<u8>),
    /// To several, one for each part.
    Parts(KVec<Planned>),
}

/// Parts that are of no use any more, each with whether nothing else is in its record.
type Gone = KVec<(Piece, bool)>;

/// What is known when attributes are to be rearranged.
pub(super) struct Plan<'p, 'v, D: Device> {
    pub(super) volume: &'v Volume<D>,
    pub(super) catalog: &'p Catalog,
    pub(super) wanted: &'p Wanted<'p>,
    /// The parts that there are now.
    pub(super) old: &'p [(Piece, Seen)],
}

impl<'v, D: Device> Plan<'_, 'v, D> {
    /// `in_place` says whether a record that the device has nothing of may be changed.
    pub(super) fn prepare(
        &self,
        value: &mut Option<Value<'v, '_>>,
        in_place: bool,
        still: &mut Still<'_>,
    ) -> Result<Rearranged<'v, D>> {
        let (volume, wanted) = (self.volume, self.wanted);
        let mut base = Base::load(volume, wanted)?;
        let (mut packs, mut gone) = self.left()?;
        let home = match value {
            Some(value) => self.home(value, &base)?,
            None => Home::None,
        };
        let (in_base, elsewhere, mut parts) = match home {
            Home::None => (None, None, KVec::new()),
            Home::Base(attribute) => (Some(attribute), None, KVec::new()),
            Home::Elsewhere(attribute) => (None, Some(attribute), KVec::new()),
            Home::Parts(parts) => (None, None, parts),
        };
        let target = match &elsewhere {
            Some(attribute) => Some(self.find_pack(&mut packs, &gone, attribute.len())?),
            None => None,
        };
        let mut changed = None;
        let mut streams = Filling::new();
        for (index, pack) in (0..packs.len()).zip(&packs) {
            let attribute = elsewhere.as_ref().filter(|_| target == Some(index));
            if let (true, None, Some(reference)) = (
                in_place && pack.is_unwritten && (attribute.is_some() || !pack.copies.is_empty()),
                &changed,
                pack.source,
            ) {
                let attribute = match attribute {
                    Some(attribute) => Some(with_id(attribute, pack.next_id).map_err(unfit)?),
                    None => None,
                };
                if attribute.is_some() {
                    array::push(&mut parts, kept(reference, pack.next_id))?;
                }
                changed = Some(InPlace {
                    record: volume.record(reference.number, Role::Extension)?,
                    reference,
                    attribute,
                });
                continue;
            }
            if !pack.copies.is_empty() || attribute.is_some() {
                streams.begin(volume, &base)?;
                for copied in &pack.copies {
                    streams.add(volume, copied, &mut base)?;
                }
                if let Some(attribute) = attribute {
                    let (record, id) = streams.put(attribute)?;
                    array::push(&mut parts, kept(record, id))?;
                }
            }
            if let Some(source) = pack.source {
                array::push(&mut gone, (whole(source), true))?;
            }
        }

        let clusters = value.as_ref().and_then(|value| value.clusters.as_ref());
        let mut division = Division {
            in_base,
            kept_in_base: 0,
            parts,
            head: wanted.head(base.id(), PLAIN),
            sizes: clusters.map_or(Sizes::NOTHING, |clusters| clusters.sizes),
            old: gone,
            reserved: (0, ClusterCount::ZERO),
            unit_shift: 0,
            is_mft: false,
        };
        let (moves, switch) =
            Moves::with_switch(volume, wanted, &mut base, &mut division, streams)?;
        still.ensure_room(volume, base.growth(switch.base_length()))?;
        Ok(Rearranged {
            changed,
            moves,
            switch,
        })
    }

    /// What the stream that there is leaves behind: records with other streams, and parts in other records.
    fn left(&self) -> Result<(KVec<Pack>, Gone)> {
        let mut packs = KVec::new();
        let mut gone = KVec::new();
        for (piece, seen) in self.old {
            if self.wanted.role(*piece) == Role::Base || seen.is_alone {
                array::push(&mut gone, (*piece, seen.is_alone))?;
            } else if !is_in(&packs, piece.record) {
                match Pack::load(self.volume, self.catalog, self.wanted, piece.record)? {
                    Some(pack) => array::push(&mut packs, pack)?,
                    None => array::push(&mut gone, (*piece, false))?,
                }
            }
        }
        Ok((packs, gone))
    }

    /// Makes the new attribute record, and says where it goes.
    fn home(&self, value: &mut Value<'v, '_>, base: &Base) -> Result<Home> {
        let (volume, wanted) = (self.volume, self.wanted);
        let room = room_elsewhere(volume, wanted.owner.number);
        let resident = value.resident_length(&wanted.head(base.id(), PLAIN));
        let here = self.room_here(base);
        // Where there is a list, another record is better than a cluster.
        if !base.is_spread || resident <= here || resident > room {
            match value.fitting(volume, wanted, base.id(), here) {
                Ok(Some(attribute)) => return Ok(Home::Base(attribute)),
                Ok(None) => {}
                // It needs no clusters in a record with more room.
                Err(Error::NoSpace) if resident <= room => {}
                Err(error) => return Err(error),
            }
        }
        match value.fitting(volume, wanted, AttributeId::new(0), room)? {
            Some(attribute) => Ok(Home::Elsewhere(attribute)),
            None => value.spans(volume, wanted, room).map(Home::Parts),
        }
    }

    /// Bytes that an attribute can take in the base record without that anything has to leave it, nor the list.
    fn room_here(&self, base: &Base) -> usize {
        let room = base.room(self.volume);
        if !base.is_spread {
            return room;
        }
        let list = base.list_length(entry_length(self.wanted), usize::MAX);
        let list = match list <= room {
            true => list,
            false => LIST_IN_CLUSTERS,
        };
        room.saturating_sub(list)
    }

    /// The place of a record with streams that has room for so many bytes; it is a new one if there is none.
    fn find_pack(
        &self,
        packs: &mut KVec<Pack>,
        gone: &[(Piece, bool)],
        length: usize,
    ) -> Result<usize> {
        let room = room_elsewhere(self.volume, self.wanted.owner.number);
        let fits = |pack: &Pack| pack.length().saturating_add(length) <= room;
        let mut places = (0..packs.len()).zip(&*packs);
        if let Some((index, _)) = places.find(|(_, pack)| fits(pack)) {
            return Ok(index);
        }
        let mut last = None;
        let mut found = None;
        for entry in &self.catalog.entries {
            let source = entry.piece.record;
            // Those of one record follow each other, mostly.
            let is_known = last == Some(source) || source.number == self.wanted.owner.number;
            let is_gone = gone.iter().any(|(piece, _)| piece.record == source);
            if is_known || is_gone || is_in(packs, source) {
                continue;
            }
            last = Some(source);
            found = Pack::load(self.volume, self.catalog, self.wanted, source)?.filter(fits);
            if found.is_some() {
                break;
            }
        }
        array::push(packs, found.unwrap_or(Pack::EMPTY))?;
        Ok(packs.len().saturating_sub(1))
    }
}

fn is_in(packs: &[Pack], source: MftReference) -> bool {
    packs.iter().any(|pack| pack.source == Some(source))
}

/// All of a record.
fn whole(record: MftReference) -> Piece {
    Piece {
        record,
        id: AttributeId::new(0),
        lowest_vcn: Vcn::ZERO,
    }
}

/// A stream in one part.
fn kept(record: MftReference, id: AttributeId) -> Planned {
    Planned::Kept(Piece {
        record,
        id,
        lowest_vcn: Vcn::ZERO,
    })
}

/// The file's attributes in other places than before, prepared; dropping it gives everything back.
pub(super) struct Rearranged<'v, D: Device> {
    changed: Option<InPlace>,
    moves: Moves<'v, D>,
    switch: Switch<'v, D>,
}

impl<'v, D: Device> Rearranged<'v, D> {
    /// `false`, and nothing changed, if a record was written meanwhile that is to be changed in place.
    pub(super) fn commit(
        self,
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        value: &mut Option<Value<'v, '_>>,
    ) -> Result<bool> {
        let base = volume.record(wanted.owner.number, Role::Base)?;
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(volume, &base, wanted.owner)?;
        self.moves.take_out(&mut transaction, page)?;
        self.switch.take_out(&mut transaction, page, wanted)?;
        self.switch.put_in(volume, &mut transaction, page)?;
        if let Some(changed) = &self.changed {
            let page = transaction.map_record(volume, &changed.record, changed.reference)?;
            if !transaction.is_unwritten(page) {
                return Ok(false);
            }
            take_out(&mut transaction, page, |other| {
                other.type_ == wanted.type_ && other.name.is(wanted.name)
            })?;
            if let Some(attribute) = &changed.attribute {
                insert(volume, &mut transaction, page, attribute)?;
            }
        }
        // From here on nothing fails.
        if let Some(value) = value {
            value.keep();
        }
        transaction.commit();
        self.moves.finish();
        self.switch.finish(volume);
        Ok(true)
    }
}
