// SPDX-License-Identifier: GPL-2.0-only

//! Bringing changed records and index blocks to the device.
//!
//! A page is written with its lock held, so two writes of it never overtake each other. The first
//! records are written to `$MFTMirr` as well. Extension records are durable before `$MFT`'s record is
//! written, and that before the base records. A page whose write fails stays dirty: the next attempt
//! writes it again, and the caller has the error.
//!
//! What has to be on the device before (clusters that a record refers to are marked as used in
//! `$Bitmap`, data is where the record says) is for [`super::volume::Volume::sync`] to order. It begins a
//! round, makes that durable for all records of the round, and then writes them. A record that changes in
//! between may tell of more: for it that is done once more, with its lock held. One that was clean when the
//! round began waits for the next.

use kernel::sync::{
    atomic::Release,
    Arc, //
};

use super::{
    attribute::{
        Attribute,
        Mapping, //
    },
    buffer::{
        Buffer,
        Mapped,
        Rank,
        Stage, //
    },
    cache::Handle,
    catalog::Catalog,
    data,
    device::Device,
    error::{
        Error,
        Place,
        Result, //
    },
    index::{
        BlockKey,
        IndexKind, //
    },
    mft,
    store::Store, //
};
use crate::ondisk::{
    attribute::AttributeType,
    fixup::Magic,
    index::VcnUnit,
    units::{
        IndexBlockSize,
        MftReference,
        RecordNumber,
        Vcn, //
    },
};

impl<D: Device> Store<D> {
    /// Writes all dirty records and index blocks; says the first error, after all were tried.
    ///
    /// Only for records that tell of nothing that has to be on the device before. May sleep. They are
    /// durable after a flush of the device.
    pub fn write_dirty(&self) -> Result {
        self.begin_round()?;
        self.write_round(|| Ok(()))
    }

    /// Begins a round of all records that are dirty now.
    pub(super) fn begin_round(&self) -> Result {
        self.each_dirty_record(|_, buffer| {
            buffer.map(|| Err(Error::NotFound))?.begin_round();
            Ok(false)
        })
        .map(|_| ())
    }

    /// Writes the records of the round, and all dirty index blocks, which tell of no clusters; says the
    /// first error, after all were tried that nothing refers to which could not be written.
    ///
    /// `prepare` is called, with the lock of a record held, if that has changed since the round began: it
    /// makes durable what has to be on the device before the record. May sleep. All is durable after a flush
    /// of the device.
    pub(super) fn write_round(&self, prepare: impl Fn() -> Result) -> Result {
        let blocks = self.write_dirty_blocks();
        for rank in [Rank::Extension, Rank::Mft, Rank::Base] {
            let any = self.each_dirty_record(|number, buffer| {
                self.write_record(number, buffer, rank, &prepare)
            })?;
            if any && rank != Rank::Base {
                self.device().flush().map_err(Error::Device)?;
            }
        }
        blocks
    }

    /// Calls `act` for each dirty record; says whether it did something, or the first error.
    fn each_dirty_record<F>(&self, act: F) -> Result<bool>
    where
        F: Fn(RecordNumber, &Handle<Buffer>) -> Result<bool>,
    {
        let mut result = Ok(());
        let mut any = false;
        let mut next = RecordNumber::ZERO;
        // Ends: the number ascends in each turn.
        while let Some((number, buffer)) = self.records.next_that_stays(next) {
            match act(number, &buffer) {
                Ok(done) => any |= done,
                Err(error) => result = result.and(Err(error)),
            }
            let Some(behind) = number.get().checked_add(1) else {
                break;
            };
            next = RecordNumber::new(behind);
        }
        result.map(|()| any)
    }

    /// Writes a record, if it is of the round and of this rank; whether it was.
    fn write_record(
        &self,
        number: RecordNumber,
        buffer: &Handle<Buffer>,
        rank: Rank,
        prepare: &impl Fn() -> Result,
    ) -> Result<bool> {
        if buffer.rank() != rank {
            return Ok(false);
        }
        let mut mapped = buffer.map(|| Err(Error::NotFound))?;
        match mapped.stage() {
            Stage::Clean | Stage::Changed => return Ok(false),
            Stage::Ready => {}
            Stage::ChangedAgain => {
                prepare()?;
                self.write_before(rank, prepare)?;
            }
        }
        self.write_mapped(number, &mut mapped)?;
        Ok(true)
    }

    /// Writes what records of a rank may refer to since the round began: all dirty ones of lower ranks,
    /// durably. The caller holds the lock of a record of that rank.
    fn write_before(&self, rank: Rank, prepare: &impl Fn() -> Result) -> Result {
        for lower in [Rank::Extension, Rank::Mft] {
            if lower == rank {
                break;
            }
            let any = self.each_dirty_record(|number, buffer| {
                if buffer.rank() != lower {
                    return Ok(false);
                }
                let mut mapped = buffer.map(|| Err(Error::NotFound))?;
                match mapped.stage() {
                    Stage::Clean => return Ok(false),
                    Stage::Ready => {}
                    Stage::Changed | Stage::ChangedAgain => prepare()?,
                }
                self.write_mapped(number, &mut mapped)?;
                Ok(true)
            })?;
            if any {
                self.device().flush().map_err(Error::Device)?;
            }
        }
        Ok(())
    }

    fn write_mapped(&self, number: RecordNumber, mapped: &mut Mapped<'_>) -> Result {
        let place = Place::Record(number);
        let mapping = self.mft();
        mapped.write_out(
            Magic::FILE,
            |what| Error::corrupt(place, what),
            |bytes| {
                let at = mft::byte_offset(self, number).ok_or(Error::NotFound)?;
                let written = data::write_mapping(self, &mapping, place, at, bytes);
                // Before the buffer counts as clean, and can be forgotten.
                self.written.fetch_add(1, Release);
                written?;
                match mft::mirror_place(self, number) {
                    Some(copy) => self.device().write(copy, bytes).map_err(Error::Device),
                    None => Ok(()),
                }
            },
        )
    }

    fn write_dirty_blocks(&self) -> Result {
        let mut result = Ok(());
        let mut tree: Option<(BlockKey, Result<Tree>)> = None;
        let mut next = BlockKey {
            directory: MftReference::default(),
            kind: IndexKind::FileNames,
            vcn: Vcn::ZERO,
        };
        while let Some((key, buffer)) = self.blocks.next_that_stays(next) {
            let tree = match &mut tree {
                Some((of, tree)) if (of.directory, of.kind) == (key.directory, key.kind) => &*tree,
                other => &other.insert((key, Tree::open(self, key))).1,
            };
            let written = match tree {
                Ok(tree) => tree.write(self, key, &buffer),
                Err(error) => Err(*error),
            };
            result = result.and(written);
            let Some(behind) = key.vcn.get().checked_add(1) else {
                break;
            };
            next = BlockKey {
                vcn: Vcn::new(behind),
                ..key
            };
        }
        result
    }
}

/// Where the blocks of an index are.
struct Tree {
    mapping: Arc<Mapping>,
}

impl Tree {
    fn open<D: Device>(store: &Store<D>, key: BlockKey) -> Result<Self> {
        let catalog = Catalog::load(store, key.directory)?;
        let type_ = AttributeType::INDEX_ALLOCATION;
        let allocation =
            Attribute::open(store, &catalog, type_, key.kind.name())?.ok_or(Error::NotFound)?;
        Ok(Self {
            mapping: allocation.mapping(store)?,
        })
    }

    fn write<D: Device>(&self, store: &Store<D>, key: BlockKey, buffer: &Handle<Buffer>) -> Result {
        let place = Place::IndexBlock(key.directory.number, key.vcn);
        buffer.map(|| Err(Error::NotFound))?.write_out(
            Magic::INDX,
            |what| Error::corrupt(place, what),
            |bytes| {
                let size = u32::try_from(bytes.len()).ok();
                let at = size
                    .and_then(IndexBlockSize::new)
                    .map(|size| VcnUnit::new(size, store.geometry().cluster_size()))
                    .and_then(|unit| unit.to_offset(key.vcn))
                    .ok_or(Error::NotFound)?;
                let written = data::write_mapping(store, &self.mapping, place, at, bytes);
                store.written.fetch_add(1, Release);
                written
            },
        )
    }
}
