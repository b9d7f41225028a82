// SPDX-License-Identifier: GPL-2.0-only

//! Bringing the records of a value in clusters up to what memory knows.
//!
//! What they are told is an [`super::image`]. A value whose runs do not fit in one record has several parts,
//! see [`super::parts`]. They are divided anew only where one outgrows its record, see [`super::division`]; the
//! others stay, and change only when their own runs do.

use kernel::{
    alloc::allocator::Kmalloc,
    prelude::*, //
};

use super::{
    allocator::Freed,
    array,
    attribute::Attribute,
    device::Device,
    division::Plan,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    image::{
        unfit,
        Holes,
        Image,
        Told, //
    },
    list::Base,
    parts::Span,
    record::{
        Record,
        Role, //
    },
    switch::{
        Division,
        Switch, //
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
    log::change::Change,
    mapping_pairs,
    record::FileRecord,
    standard_information::{
        FileAttributes,
        StandardInformation, //
    },
    units::{
        AttributeId,
        ByteOffset,
        ClusterCount,
        Vcn, //
    }, //
};

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
pub(super) struct InPlace {
    pub(super) pairs: KVec<u8>,
    pub(super) flags: AttributeFlags,
    pub(super) sizes: Sizes,
}

/// What the records are to be told of a value, prepared: [`Recording::apply`] it to the base record in a
/// transaction, [`Recording::publish`], commit, and [`Recording::finish`]. Dropping it before gives everything back.
///
/// Parts in extension records that need no other division know already.
pub(super) struct Recording<'v, D: Device> {
    pub(super) volume: &'v Volume<D>,
    pub(super) base: Record,
    /// The record of the first part, if that is changed in place and is not the base record.
    pub(super) holder: Option<Record>,
    pub(super) first: Option<InPlace>,
    pub(super) switch: Option<Switch<'v, D>>,
    pub(super) sizes: Sizes,
    pub(super) has_holes: bool,
    /// Clusters that the records do not tell of then.
    pub(super) superseded: Option<Freed<'v>>,
}

impl<'v, D: Device> Recording<'v, D> {
    /// For a value in clusters, from what memory knows. No record is mapped by the caller.
    pub(super) fn prepare(
        volume: &'v Volume<D>,
        data: &Attribute,
        unrecorded: &Unrecorded,
    ) -> Result<Self> {
        Self::prepare_with(volume, data, unrecorded, Holes::Possible)
    }

    /// [`Self::prepare`], with or without the flag for holes that a value may have had.
    pub(super) fn prepare_with(
        volume: &'v Volume<D>,
        data: &Attribute,
        unrecorded: &Unrecorded,
        holes: Holes,
    ) -> Result<Self> {
        let first = data.first_piece().ok_or(Error::NotFound)?;
        let seen = data.see(volume, first)?;
        let recorded = seen.sizes.ok_or(Error::NotFound)?;
        let mapping = data.mapping_to_change(volume)?;
        let cluster = volume.geometry().cluster_size();
        let told = data.compression_unit().map(|unit| {
            let end = cluster.vcn_to_offset(mapping.runlist.end());
            let next = end.and_then(|end| unrecorded.units.next(end.get()));
            let until = next.map_or(Vcn::new(u64::MAX), |next| {
                cluster.vcn_of(ByteOffset::new(next))
            });
            Told { unit, until }
        });
        let image = Image::new(
            volume.geometry(),
            data.place(),
            &mapping,
            data.sizes(),
            unrecorded.settled(),
            recorded,
            told,
        )?
        .with(holes);
        let plan = Plan {
            volume,
            data,
            image: &image,
            first: &seen,
            reserved: unrecorded.reserved(),
        };
        let superseded = prepare_superseded(volume, unrecorded)?;
        Ok(Self {
            superseded,
            ..plan.prepare()?
        })
    }

    /// For a value without a byte, which comes back into the base record.
    ///
    /// Nobody can find other bytes than none in it, whichever form he believes in.
    pub(super) fn prepare_empty(
        volume: &'v Volume<D>,
        data: &Attribute,
        unrecorded: &Unrecorded,
    ) -> Result<Self> {
        data.mapping_to_change(volume)?;
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
        let sizes = Sizes::NOTHING;
        let mut division = Division {
            in_base: Some(head.resident(&[], false).map_err(unfit)?),
            kept_in_base: 0,
            parts: KVec::new(),
            head,
            sizes,
            unit_shift: 0,
            old,
            reserved: (0, ClusterCount::ZERO),
            is_mft: false,
        };
        Ok(Self {
            superseded: prepare_superseded(volume, unrecorded)?,
            volume,
            base: volume.record(data.owner().number, Role::Base)?,
            holder: None,
            first: None,
            switch: Some(Switch::prepare(volume, &wanted, &base, &mut division)?),
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
    pub(super) fn finish(self, unrecorded: &mut Unrecorded) {
        if let Some(superseded) = self.superseded {
            superseded.later();
            unrecorded.superseded = KVVec::new();
        }
        if let Some(switch) = self.switch {
            unrecorded.claimed(switch.finish(self.volume));
        }
    }
}

/// Gets ready to free the clusters in whose place memory has others.
fn prepare_superseded<'v, D: Device>(
    volume: &'v Volume<D>,
    unrecorded: &Unrecorded,
) -> Result<Option<Freed<'v>>> {
    if unrecorded.superseded.is_empty() {
        return Ok(None);
    }
    let runs = unrecorded.superseded.iter().copied();
    volume.allocator()?.prepare_free(volume, runs).map(Some)
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
            let attribute = span.attribute(&head, self.sizes, data.unit_shift())?;
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
pub(super) fn update_pairs(
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
