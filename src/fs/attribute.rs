// SPDX-License-Identifier: GPL-2.0-only

//! Attributes, opened: what stays the same while a file is in use, and where the value is.
//!
//! The value of a resident attribute is in its record and nowhere else, see [`super::residency`].
//! Where the clusters of a non-resident one are is loaded when it is needed for the first time,
//! through all records that describe a part of it, into a [`Mapping`] that never changes.
//!
//! Where a value is changes only under the lock of [`Attribute::unrecorded`]: a new mapping is made from
//! the present one and takes its place, and whoever reads has one or the other. So do the records that hold
//! the parts; who looks for a part that has left its record looks again.
//!
//! Lock order: see [`super`]. The mapping is loaded without a lock; when two threads do so at the
//! same time, both get the one that was first.

use kernel::{
    new_mutex, new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Arc,
        Mutex,
        MutexGuard,
        SpinLock, //
    },
};

use super::{
    array,
    catalog::{
        Catalog,
        Piece, //
    },
    compressed::Unit,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    record::{
        MappedRecord,
        Role, //
    },
    residency::{
        Form,
        Residency, //
    },
    runlist::{
        Runlist,
        Target, //
    },
    store::Store,
    unrecorded::{
        ByteSpan,
        Unrecorded, //
    },
};
use crate::ondisk::{
    attribute::{
        Attribute as AttributeRecord,
        AttributeFlags,
        AttributeType,
        Form as RecordForm,
        NonResident,
        Sizes, //
    },
    attribute_builder::Head,
    boot::Geometry,
    bytes::u64_from_usize,
    mapping_pairs,
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

/// Where the clusters of a non-resident attribute are, and how much of them counts.
#[derive(Debug)]
pub struct Mapping {
    /// The runs of all parts.
    pub runlist: Runlist,
    /// The sizes.
    pub sizes: Sizes,
    /// Why some of the runs are missing or doubtful, if so. Such a value is not changed.
    pub damage: Option<Error>,
}

impl Mapping {
    /// The mapping that one part gives; what is behind it is missing.
    pub(super) fn of_part(
        geometry: &Geometry,
        place: Place,
        part: &NonResident<'_>,
    ) -> Result<Self> {
        let sizes = part
            .sizes
            .ok_or_else(|| no_first_part(place, part.lowest_vcn))?;
        let mut mapping = Self {
            runlist: Runlist::new(),
            sizes,
            damage: None,
        };
        mapping.append(geometry, place, part)?;
        mapping.finish(geometry, place)?;
        Ok(mapping)
    }

    /// Appends the runs of the next part. A broken part leaves out what cannot be decoded.
    fn append(&mut self, geometry: &Geometry, place: Place, part: &NonResident<'_>) -> Result {
        let runs = mapping_pairs::decode(
            part.mapping_pairs,
            part.lowest_vcn,
            part.highest_vcn,
            geometry.clusters(),
        );
        for run in runs {
            match run.at(place) {
                Ok(run) => {
                    let target = run.lcn.map_or(Target::Hole, Target::Clusters);
                    self.runlist.push(target, run.length)?;
                }
                Err(error) => self.damage = self.damage.or(Some(error)),
            }
        }
        Ok(())
    }

    /// Covers all that the value needs, with a gap if the runs are too short.
    fn finish(&mut self, geometry: &Geometry, place: Place) -> Result {
        let needed = self.sizes.data.min(self.sizes.initialized);
        let end = Vcn::new(geometry.cluster_size().clusters_for(needed).get());
        let found = self.runlist.end();
        if found < end {
            let short = Error::rule(place, "runs end before the value", found.get(), end.get());
            self.damage = self.damage.or(Some(short));
        }
        self.runlist.push_missing_until(end)
    }
}

/// The error where the sizes of an attribute cannot be found.
fn no_first_part(place: Place, found: Vcn) -> Error {
    Error::rule(place, "no part begins at VCN 0", found.get(), 0)
}

/// The compression unit of a value that is compressed.
fn unit_of<D: Device>(store: &Store<D>, place: Place, part: &NonResident<'_>) -> Result<Unit> {
    let shift = part.compression_unit_shift;
    Unit::new(store.geometry().cluster_size(), shift)
        .ok_or_else(|| Error::rule(place, "logarithm of the compression unit", shift.into(), 4))
}

/// Where the parts of an attribute are; the one that begins at VCN 0 is the first.
pub(super) type Pieces = KVec<Piece>;

/// An attribute of a file, opened.
#[pin_data]
pub struct Attribute {
    owner: MftReference,
    type_: AttributeType,
    name: KVec<u16>,
    flags: AttributeFlags,
    /// The parts, in the order of their VCNs.
    #[pin]
    pieces: Mutex<Arc<Pieces>>,
    residency: Residency,
    /// Why the value cannot be read although its clusters could, if so.
    refusal: Option<&'static str>,
    /// Whether that does not hold any more.
    is_lifted: Atomic<bool>,
    /// Why the value is not to be changed although it may be readable, if so.
    damage: Option<Error>,
    unit: Option<Unit>,
    #[pin]
    sizes: SpinLock<Sizes>,
    #[pin]
    mapping: Mutex<Option<Arc<Mapping>>>,
    /// Counts the changes of the mapping and of the form.
    sequence: Atomic<u32>,
    /// Whether data may be missing, as [`Attribute::unrecorded`] tells. Set under its lock.
    has_lost: Atomic<bool>,
    #[pin]
    unrecorded: Mutex<Unrecorded>,
}

impl Attribute {
    /// Opens an attribute; `None` if the file has none of this type and name.
    ///
    /// When it is not found but the catalog is damaged, the damage is the error: it may be where
    /// nobody can look.
    pub fn open<D: Device>(
        store: &Store<D>,
        catalog: &Catalog,
        type_: AttributeType,
        name: &[u16],
    ) -> Result<Option<Arc<Self>>> {
        Self::open_refusing(store, catalog, type_, name, None)
    }

    /// [`Attribute::open`] for a value whose real content is elsewhere; `refusal` says how, and
    /// every attempt to read it is [`Error::Unsupported`].
    pub fn open_refusing<D: Device>(
        store: &Store<D>,
        catalog: &Catalog,
        type_: AttributeType,
        name: &[u16],
        refusal: Option<&'static str>,
    ) -> Result<Option<Arc<Self>>> {
        let place = Place::Attribute(catalog.owner.number, type_);
        let mut pieces = KVec::new();
        for piece in catalog.pieces(type_, name) {
            array::push(&mut pieces, piece)?;
        }
        let Some(found) = pieces.first().copied() else {
            return match catalog.damage {
                Some(damage) => Err(damage),
                None => Ok(None),
            };
        };
        let first = pieces
            .iter()
            .copied()
            .find(|piece| piece.lowest_vcn == Vcn::ZERO)
            .ok_or_else(|| no_first_part(place, found.lowest_vcn))?;
        let units = array::copied(name)?;

        let wanted = Wanted {
            owner: catalog.owner,
            type_,
            name,
        };
        let (flags, residency, sizes, unit) = wanted.with_piece(store, first, |attribute| {
            let flags = attribute.flags;
            let (non_resident, sizes, unit) = match &attribute.form {
                RecordForm::Resident { value, .. } => {
                    let cluster = store.geometry().cluster_size();
                    let unit = flags.is_compressed().then(|| Unit::of_windows(cluster));
                    let sizes = sizes_of_resident(value.len());
                    (false, Some(sizes), unit.flatten())
                }
                RecordForm::NonResident(part) if flags.is_compressed() => {
                    (true, part.sizes, Some(unit_of(store, place, part)?))
                }
                RecordForm::NonResident(part) => (true, part.sizes, None),
            };
            let sizes = sizes.ok_or_else(|| no_first_part(place, first.lowest_vcn))?;
            Ok((flags, Residency::new(non_resident), sizes, unit))
        })?;
        let ordered = in_order(&pieces)?;
        let damage = catalog.damage.or_else(|| {
            let (found, used) = (pieces.len(), ordered.len());
            let most = match residency.hint() {
                Form::NonResident => used,
                Form::Resident => 1,
            };
            let what = "attribute records of the same value or part of it";
            let twice = Error::rule(place, what, u64_from_usize(found), u64_from_usize(most));
            (found != most).then_some(twice)
        });
        let pieces = Arc::new(ordered, GFP_KERNEL)?;
        // What is behind the end of the value is not there, whatever is said of it.
        let sizes = Sizes {
            initialized: sizes.initialized.min(sizes.data),
            ..sizes
        };
        let initialized = sizes.initialized.get();
        let attribute = Arc::pin_init(
            pin_init!(Self {
                owner: catalog.owner,
                type_,
                name: units,
                flags,
                pieces <- new_mutex!(pieces, "ntfs_rs::pieces"),
                residency,
                refusal,
                is_lifted: Atomic::new(false),
                damage,
                unit,
                sizes <- new_spinlock!(sizes, "ntfs_rs::sizes"),
                mapping <- new_mutex!(None, "ntfs_rs::mapping"),
                sequence: Atomic::new(0),
                has_lost: Atomic::new(false),
                unrecorded <- new_mutex!(
                    Unrecorded::new(initialized),
                    "ntfs_rs::unrecorded"
                ),
            }),
            GFP_KERNEL,
        )
        .map_err(|_| Error::NoMemory)?;
        Ok(Some(attribute))
    }

    /// The base record of the file.
    pub fn owner(&self) -> MftReference {
        self.owner
    }

    /// Which attribute it is, for an error.
    pub fn place(&self) -> Place {
        Place::Attribute(self.owner.number, self.type_)
    }

    /// How the value is stored.
    pub fn flags(&self) -> AttributeFlags {
        self.flags
    }

    /// The compression unit of a value that is compressed by LZNT1; of one in its record, which it will have when it
    /// leaves that.
    pub fn compression_unit(&self) -> Option<Unit> {
        self.unit
    }

    /// The logarithm of the clusters in a compression unit, as an attribute record has it; 0 if there is none.
    pub(super) fn unit_shift(&self) -> u8 {
        self.unit.map_or(0, Unit::shift)
    }

    /// The VCN behind a value of so many bytes: of one that is compressed, behind its last unit.
    pub(super) fn end_of(&self, geometry: &Geometry, size: ByteCount) -> Result<Vcn> {
        let cluster = geometry.cluster_size();
        let Some(unit) = self.unit else {
            return Ok(Vcn::new(cluster.clusters_for(size).get()));
        };
        let end = unit.next(ByteOffset::new(size.get()));
        Ok(cluster.vcn_of(end.ok_or(Error::NoSpace)?))
    }

    /// Why the value cannot be read, if this driver does not know how.
    pub fn unsupported(&self) -> Option<Error> {
        let refusal = self.refusal.filter(|_| !self.is_lifted.load(Acquire));
        let refusal = refusal.map(Error::Unsupported);
        match self.flags.is_encrypted() {
            true => refusal.or(Some(Error::Encrypted)),
            false => refusal,
        }
    }

    /// The value is the content from now on.
    pub(super) fn lift_refusal(&self) {
        self.is_lifted.store(true, Release);
    }

    /// Why the value cannot be changed, if this driver does not know how.
    ///
    /// Plain bytes in a value that is encrypted or elsewhere would be garbage to all others. One in its record is
    /// never compressed, but would be once it leaves it.
    pub fn unwritable(&self) -> Option<Error> {
        let can_compress = self.unit.is_some_and(Unit::is_written);
        let unfit = (self.flags.is_compressed() && !can_compress)
            .then_some(Error::Unsupported("writing such compressed data"));
        self.unsupported().or(unfit)
    }

    /// Why the value is not to be changed although it may be readable: what is broken would be made worse.
    pub fn damage(&self) -> Option<Error> {
        self.damage
    }

    /// [`Attribute::mapping`] for one who is going to change it: all of it has to be known.
    pub(super) fn mapping_to_change<D: Device>(&self, store: &Store<D>) -> Result<Arc<Mapping>> {
        let mapping = self.mapping(store)?;
        match self.damage.or(mapping.damage) {
            Some(damage) => Err(damage),
            None => Ok(mapping),
        }
    }

    /// The hint whether the value is in the record.
    pub fn residency(&self) -> &Residency {
        &self.residency
    }

    /// The sizes as they are now.
    pub fn sizes(&self) -> Sizes {
        *self.sizes.lock()
    }

    /// The size of the value.
    pub fn data_size(&self) -> ByteCount {
        self.sizes().data
    }

    /// The bytes that it takes on the volume, outside of its MFT records.
    pub fn allocated(&self) -> ByteCount {
        let sizes = self.sizes();
        match self.residency.hint() {
            Form::Resident => ByteCount::ZERO,
            Form::NonResident => sizes.compressed.unwrap_or(sizes.allocated),
        }
    }

    /// Replaces the sizes, after a change of the attribute.
    pub fn set_sizes(&self, sizes: Sizes) {
        *self.sizes.lock() = sizes;
    }

    /// Counts the changes of where the value is: a place that was looked up is good for as long as this
    /// stays the same.
    pub fn sequence(&self) -> u32 {
        self.sequence.load(Acquire)
    }

    /// Locks the mapping against all other changes of it: for the way from looking at it to
    /// [`Attribute::install`], and from looking at what the record does not know to recording it.
    pub(super) fn unrecorded(&self) -> MutexGuard<'_, Unrecorded> {
        self.unrecorded.lock()
    }

    /// [`Attribute::unrecorded`] for a value of `$MFT`, by the one who makes it longer: `None` if another one
    /// has it locked.
    pub(super) fn unrecorded_of_mft(&self) -> Option<MutexGuard<'_, Unrecorded>> {
        self.unrecorded.try_lock()
    }

    /// Replaces the mapping. The caller has locked [`Attribute::unrecorded`].
    pub(super) fn install(&self, mapping: Arc<Mapping>) {
        let old = self.mapping.lock().replace(mapping);
        self.moved();
        // Freed here, after the lock was given back.
        drop(old);
    }

    /// Makes places that were looked up before stale.
    pub(super) fn moved(&self) {
        self.sequence.fetch_add(1, Release);
    }

    /// Data is missing from now on. The caller has locked [`Attribute::unrecorded`].
    pub(super) fn note_lost(&self) {
        self.has_lost.store(true, Release);
        self.moved();
    }

    /// Whether data may be missing; who may wait asks [`Attribute::lost`].
    pub(super) fn may_have_lost(&self) -> bool {
        self.has_lost.load(Acquire)
    }

    /// The bytes whose data did not arrive, and that nobody has written again: what is on the device is not theirs.
    ///
    /// Takes the lock of [`Attribute::unrecorded`] only where a transfer has failed.
    pub(super) fn lost(&self) -> Option<ByteSpan> {
        if !self.may_have_lost() {
            return None;
        }
        let unrecorded = self.unrecorded();
        let lost = unrecorded.missing();
        if lost.is_none() {
            self.has_lost.store(false, Release);
        }
        lost
    }

    /// Where the parts are now.
    pub(super) fn pieces(&self) -> Arc<Pieces> {
        self.pieces.lock().clone()
    }

    /// The parts are somewhere else now. The caller has locked [`Attribute::unrecorded`], and the base record.
    pub(super) fn set_pieces(&self, pieces: Arc<Pieces>) {
        let old = core::mem::replace(&mut *self.pieces.lock(), pieces);
        // Freed here, after the lock was given back.
        drop(old);
    }

    /// The record that holds the value, or the first part of the runs.
    pub(super) fn first_piece(&self) -> Option<Piece> {
        self.pieces.lock().first().copied()
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            owner: self.owner,
            type_: self.type_,
            name: &self.name,
        }
    }

    /// Where the clusters are; loaded when it is called for the first time. Takes no record lock
    /// later on, so it is for the paths that must not wait for one.
    ///
    /// Of a resident attribute this is an error; look at the hint first.
    pub fn mapping<D: Device>(&self, store: &Store<D>) -> Result<Arc<Mapping>> {
        if let Some(mapping) = &*self.mapping.lock() {
            return Ok(mapping.clone());
        }
        let loaded = Arc::new(self.load_mapping(store)?, GFP_KERNEL)?;
        let mut slot = self.mapping.lock();
        if let Some(first) = &*slot {
            // `loaded` is freed after the lock was given back.
            return Ok(first.clone());
        }
        *slot = Some(loaded.clone());
        Ok(loaded)
    }

    /// Where the clusters are, if that is known without waiting for anything.
    pub fn mapping_if_loaded(&self) -> Option<Arc<Mapping>> {
        self.mapping.try_lock()?.clone()
    }

    /// Reads all parts, in the order of their VCNs.
    pub(super) fn load_mapping<D: Device>(&self, store: &Store<D>) -> Result<Mapping> {
        let mut mapping: Option<Mapping> = None;
        let mut expected = Vcn::ZERO;
        for piece in self.pieces().iter().copied() {
            // A list can have parts that overlap.
            if piece.lowest_vcn < expected {
                if let Some(mapping) = &mut mapping {
                    let (found, expected) = (piece.lowest_vcn.get(), expected.get());
                    let what = "part of an attribute within another one";
                    let overlap = Error::rule(self.place(), what, found, expected);
                    mapping.damage = mapping.damage.or(Some(overlap));
                }
                continue;
            }
            if let Some(mapping) = &mut mapping {
                let (found, next) = (mapping.runlist.end(), piece.lowest_vcn);
                if found < next {
                    let what = "part of an attribute missing before VCN";
                    let gap = Error::rule(self.place(), what, next.get(), found.get());
                    mapping.damage = mapping.damage.or(Some(gap));
                }
                mapping.runlist.push_missing_until(next)?;
            }
            match self.add_piece(store, piece, &mut mapping) {
                Ok(()) => {}
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => match &mut mapping {
                    Some(mapping) => mapping.damage = mapping.damage.or(Some(error)),
                    None => return Err(error),
                },
            }
            // Behind this piece, whatever it contained.
            let behind = Vcn::new(piece.lowest_vcn.get().saturating_add(1));
            let end = mapping.as_ref().map_or(Vcn::ZERO, |m| m.runlist.end());
            expected = end.max(behind);
        }
        let mut mapping = mapping.ok_or_else(|| no_first_part(self.place(), expected))?;
        mapping.finish(store.geometry(), self.place())?;
        Ok(mapping)
    }

    fn add_piece<D: Device>(
        &self,
        store: &Store<D>,
        piece: Piece,
        mapping: &mut Option<Mapping>,
    ) -> Result {
        let place = self.place();
        self.wanted().with_piece(store, piece, |attribute| {
            let RecordForm::NonResident(part) = &attribute.form else {
                return Err(Error::rule(place, "resident where runs are expected", 0, 1));
            };
            let mapping = match mapping {
                Some(mapping) => mapping,
                None => mapping.insert(Mapping {
                    runlist: Runlist::new(),
                    sizes: part
                        .sizes
                        .ok_or_else(|| no_first_part(place, part.lowest_vcn))?,
                    damage: None,
                }),
            };
            mapping.append(store.geometry(), place, part)
        })
    }
}

/// The pieces in the order of their VCNs; of those that begin at the same one, the first that was found.
fn in_order(found: &[Piece]) -> Result<Pieces> {
    let vcns = found.iter().map(|piece| piece.lowest_vcn);
    if vcns.clone().zip(vcns.skip(1)).all(|(one, next)| one < next) {
        return Ok(array::copied(found)?);
    }
    let mut ordered = KVec::new();
    let mut next = Some(Vcn::ZERO);
    // Each turn goes on to a higher VCN, so there are not more turns than pieces.
    while let Some(from) = next {
        let rest = found.iter().filter(|piece| piece.lowest_vcn >= from);
        let Some(piece) = rest.min_by_key(|piece| piece.lowest_vcn) else {
            break;
        };
        array::push(&mut ordered, *piece)?;
        next = piece.lowest_vcn.checked_add(ClusterCount::new(1));
    }
    Ok(ordered)
}

/// The sizes of a value that is in its record.
fn sizes_of_resident(length: usize) -> Sizes {
    let length = ByteCount::new(u64_from_usize(length));
    Sizes {
        allocated: length,
        data: length,
        initialized: length,
        compressed: None,
    }
}

/// Which attribute of which file is looked for in a record.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) owner: MftReference,
    pub(super) type_: AttributeType,
    pub(super) name: &'a [u16],
}

impl<'w> Wanted<'w> {
    /// How an attribute record of it begins.
    pub(super) fn head(&self, id: AttributeId, flags: AttributeFlags) -> Head<'w> {
        Head {
            type_: self.type_,
            name: self.name,
            id,
            flags,
        }
    }

    /// Maps the record that holds a piece, finds the piece, and lets `look` have it.
    pub(super) fn with_piece<D, R, F>(&self, store: &Store<D>, piece: Piece, look: F) -> Result<R>
    where
        D: Device,
        F: FnOnce(&AttributeRecord<'_>) -> Result<R>,
    {
        let record = store.record(piece.record.number, self.role(piece))?;
        let mapped = record.map(store)?;
        look(&self.find(&self.listed(&mapped, piece)?, piece)?)
    }

    /// [`Wanted::with_piece`] where several attributes have the same type and name, as
    /// `$FILE_NAME` does: the id tells them apart.
    pub(super) fn with_instance<D, R, F>(
        &self,
        store: &Store<D>,
        piece: Piece,
        look: F,
    ) -> Result<R>
    where
        D: Device,
        F: FnOnce(&AttributeRecord<'_>) -> Result<R>,
    {
        let record = store.record(piece.record.number, self.role(piece))?;
        let mapped = record.map(store)?;
        let record = self.listed(&mapped, piece)?;
        self.check_owner(&record, piece)?;
        let attribute = record
            .attributes()
            .filter_map(core::result::Result::ok)
            .find(|attribute| attribute.type_ == self.type_ && attribute.id == piece.id)
            .ok_or_else(|| self.not_found(piece))?;
        look(&attribute)
    }

    pub(super) fn role(&self, piece: Piece) -> Role {
        if piece.record.number == self.owner.number {
            Role::Base
        } else {
            Role::Extension
        }
    }

    /// The record that holds a piece. That a list leads to another use of it is the list's fault.
    pub(super) fn listed<'m>(
        &self,
        mapped: &'m MappedRecord<'_>,
        piece: Piece,
    ) -> Result<FileRecord<'m>> {
        match mapped.record_as(piece.record) {
            Err(Error::Stale(reference)) if piece.record.number != self.owner.number => {
                let place = Place::Record(reference.number);
                let sequence = u64::from(reference.sequence.get());
                Err(Error::rule(
                    place,
                    "listed record is not in use so",
                    0,
                    sequence,
                ))
            }
            record => record,
        }
    }

    fn not_found(&self, piece: Piece) -> Error {
        Error::rule(
            Place::Record(piece.record.number),
            "listed attribute not found, of type",
            0,
            u64::from(self.type_.get()),
        )
    }

    /// Checks that a record belongs to the file.
    fn check_owner(&self, record: &FileRecord<'_>, piece: Piece) -> Result {
        let owner = self.owner.number;
        if piece.record.number == owner {
            return Ok(());
        }
        let base = record.header().base;
        if base.map(|base| base.number) == Some(owner) {
            return Ok(());
        }
        Err(Error::rule(
            Place::Record(piece.record.number),
            "extension record of another file",
            base.unwrap_or_default().number.get(),
            owner.get(),
        ))
    }

    /// Finds a piece in the record that should hold it.
    pub(super) fn find<'r>(
        &self,
        record: &FileRecord<'r>,
        piece: Piece,
    ) -> Result<AttributeRecord<'r>> {
        self.check_owner(record, piece)?;
        record
            .attributes()
            .filter_map(core::result::Result::ok)
            .find(|attribute| {
                attribute.type_ == self.type_
                    && attribute.name.is(self.name)
                    && match &attribute.form {
                        RecordForm::Resident { .. } => piece.lowest_vcn == Vcn::ZERO,
                        RecordForm::NonResident(part) => part.lowest_vcn == piece.lowest_vcn,
                    }
            })
            .ok_or_else(|| self.not_found(piece))
    }
}
