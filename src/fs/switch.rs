// SPDX-License-Identifier: GPL-2.0-only

//! Leading the base record of a value to another division of it, see [`super::parts`].

use core::cmp::Ordering;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        Claim,
        Freed, //
    },
    array,
    attribute::{
        Pieces,
        Wanted, //
    },
    catalog::Piece,
    device::Device,
    error::{
        Error,
        Located,
        Result, //
    },
    left_behind::{
        LeftBehind,
        Queue, //
    },
    list::Base,
    new_list::NewList,
    parts::Span,
    records::{
        For,
        NewRecord, //
    },
    transaction::{
        PageId,
        Transaction, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::{
        Attribute as AttributeRecord,
        AttributeType,
        Form as RecordForm,
        Sizes, //
    },
    attribute_builder::Head,
    log::change::Change,
    record::FileRecord,
    units::{
        ClusterCount,
        Vcn, //
    }, //
};

/// Where a part is to be.
pub(super) enum Planned {
    /// Where it is, or was put by the caller.
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
    /// The list, if there is to be one.
    list: Option<NewList<'v>>,
    freed_clusters: Option<Freed<'v>>,
    freed_records: Option<Freed<'v>>,
    /// Parts in records that have other attributes as well.
    left_behind: Queue,
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
    /// The logarithm of the clusters in a compression unit.
    pub(super) unit_shift: u8,
    /// The records that held parts up to now and do no more, and whether there is nothing else in them.
    pub(super) old: KVec<(Piece, bool)>,
    /// Records and clusters that were reserved for this.
    pub(super) reserved: (u64, ClusterCount),
    /// Whether it is `$MFT` that is divided.
    pub(super) is_mft: bool,
}

impl Division<'_> {
    /// Bytes that the attribute is to have in the base record.
    pub(super) fn base_length(&self) -> usize {
        let made = self.in_base.as_ref().map_or(0, |bytes| bytes.len());
        made.saturating_add(self.kept_in_base)
    }
}

impl<'v, D: Device> Switch<'v, D> {
    /// Prepares a division. Nothing that others refer to is changed; [`Error::NoRoom`] if it does not fit in
    /// the base record. Unless there is an error, what is to be in the base record is taken from it.
    pub(super) fn prepare(
        volume: &'v Volume<D>,
        wanted: &Wanted<'_>,
        base: &Base,
        division: &mut Division<'_>,
    ) -> Result<Self> {
        let mut switch = Self {
            new: KVec::new(),
            pieces: Arc::new(KVec::new(), GFP_KERNEL)?,
            in_base: None,
            list: None,
            freed_clusters: None,
            freed_records: None,
            left_behind: Queue::new(),
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
                Planned::New(span) => switch.add(volume, base, division, span)?,
            };
            array::push(&mut pieces, piece)?;
        }
        let own = division.base_length();
        let room = base.room(volume).checked_sub(own).ok_or(Error::NoRoom)?;
        let elsewhere = |piece: &Piece| piece.record.number != base.owner.number;
        if base.is_spread || pieces.iter().any(elsewhere) {
            let id = base.list_id(division.in_base.is_some());
            let reserved = division.reserved.1;
            let (list, claimed) =
                NewList::prepare(volume, wanted, base, &pieces, id, room, reserved)?;
            switch.list = Some(list);
            switch.claimed.1 = claimed;
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
                true => {
                    volume.check_can_give_up(piece.record)?;
                    array::push(&mut records, piece.record)?;
                }
                false => switch.left_behind.add(LeftBehind::new(wanted, *piece)?),
            }
        }
        let records = records.iter().copied();
        let allocator = volume.records_for_writing()?;
        switch.freed_records = Some(allocator.prepare_free(volume, records)?);
        switch.in_base = division.in_base.take();
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
        let attribute = span.attribute(&division.head, division.sizes, division.unit_shift)?;
        let whom = match division.is_mft {
            true => For::Mft,
            false if self.claimed.0 < division.reserved.0 => {
                self.claimed.0 = self.claimed.0.saturating_add(1);
                For::File(Claim::Reserved)
            }
            false => For::File(Claim::Unreserved),
        };
        let record = NewRecord::new(volume, base.owner, whom)?;
        let piece = Piece {
            record: record.reference(),
            id: record.add(&attribute)?,
            lowest_vcn: span.lowest,
        };
        array::push(&mut self.new, record)?;
        Ok(piece)
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
        take_out(transaction, page, goes)
    }

    /// Puts into the base record what is to be there.
    pub(super) fn put_in(
        &self,
        volume: &Volume<D>,
        transaction: &mut Transaction<'_>,
        page: PageId,
    ) -> Result {
        // In the order in which their ids were chosen.
        let in_base = self.in_base.as_deref();
        let list = self.list.as_ref().map(NewList::attribute);
        for attribute in [in_base, list].into_iter().flatten() {
            insert(volume, transaction, page, attribute)?;
        }
        Ok(())
    }

    /// Bytes of what it puts into the base record.
    pub(super) fn base_length(&self) -> usize {
        let in_base = self.in_base.as_ref().map_or(0, |bytes| bytes.len());
        let list = self.list.as_ref().map_or(0, |list| list.attribute().len());
        in_base.saturating_add(list)
    }

    /// Where the parts are then.
    pub(super) fn pieces(&self) -> Arc<Pieces> {
        self.pieces.clone()
    }

    /// The base record is changed. Gives what of the reservation was used.
    pub(super) fn finish(mut self, volume: &'v Volume<D>) -> (u64, ClusterCount) {
        while let Some(record) = self.new.pop() {
            record.keep();
        }
        if let Some(list) = self.list.take() {
            list.keep();
        }
        let freed = [self.freed_clusters.take(), self.freed_records.take()];
        for freed in freed.into_iter().flatten() {
            freed.later();
        }
        let left_behind = core::mem::take(&mut self.left_behind);
        if let Ok(records) = volume.records_for_writing() {
            records.put_left_behind(left_behind);
        }
        self.claimed
    }
}

/// Takes all attributes out of a mapped record that are to go.
pub(super) fn take_out(
    transaction: &mut Transaction<'_>,
    page: PageId,
    goes: impl Fn(&AttributeRecord<'_>) -> bool,
) -> Result {
    let place = transaction.place(page);
    // Each turn takes one out.
    loop {
        let found = FileRecord::parse(transaction.bytes(page))
            .at(place)?
            .attributes()
            .filter_map(core::result::Result::ok)
            .find(&goes)
            .map(|attribute| attribute.offset);
        let Some(at) = found else {
            return Ok(());
        };
        transaction.change(page, |record| Change::delete_attribute(record, at))?;
    }
}

/// Inserts an attribute record where it belongs by type and name.
pub(super) fn insert<D: Device>(
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
