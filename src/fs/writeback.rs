// SPDX-License-Identifier: GPL-2.0-only

//! Bringing changed records and index blocks to the device.
//!
//! A page is written with its lock held, so two writes of it never overtake each other. The first
//! records are written to `$MFTMirr` as well. Extension records are durable before `$MFT`'s record is
//! written, and that before the base records. A page whose write fails stays dirty: the next attempt
//! writes it again, and the caller has the error.
//!
//! What has to be on the device before (clusters that a record refers to are marked as used in
//! `$Bitmap`, data is where the record says) is for [`super::volume::Volume::sync`] to order.

use kernel::sync::Arc;

use super::{
    attribute::{
        Attribute,
        Mapping, //
    },
    buffer::Buffer,
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
        I30, //
    },
    mft,
    store::Store, //
};
use crate::ondisk::{
    attribute::AttributeType,
    fixup::Magic,
    index::VcnUnit,
    record::RecordHeader,
    units::{
        system_record,
        IndexBlockSize,
        MftReference,
        RecordNumber,
        Vcn, //
    },
};

/// When a record is written. What refers to others comes after them, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    /// An extension record, which a base record refers to.
    Extension,
    /// The record of `$MFT`, which tells where all others are.
    Mft,
    /// Any other.
    Base,
}

impl Rank {
    fn of(number: RecordNumber, record: &[u8]) -> Self {
        let base = RecordHeader::parse(record)
            .ok()
            .and_then(|header| header.base);
        match base {
            _ if number == system_record::MFT => Self::Mft,
            Some(_) => Self::Extension,
            None => Self::Base,
        }
    }
}

impl<D: Device> Store<D> {
    /// Writes all dirty records and index blocks; says the first error, after all were tried.
    ///
    /// May sleep. They are durable after a flush of the device.
    pub fn write_dirty(&self) -> Result {
        let mut result = self.write_dirty_blocks();
        for rank in [Rank::Extension, Rank::Mft, Rank::Base] {
            let written = self.write_dirty_records(rank);
            // What refers to records that could not be written stays as it is.
            let any = written?;
            if any && rank != Rank::Base {
                result = result.and(self.device().flush().map_err(Error::Device));
            }
        }
        result
    }

    /// Writes the dirty records of a rank; says whether there were any.
    fn write_dirty_records(&self, rank: Rank) -> Result<bool> {
        let mut result = Ok(());
        let mut any = false;
        let mut next = RecordNumber::ZERO;
        // Ends: the number ascends in each turn.
        while let Some((number, buffer)) = self.records.next_that_stays(next) {
            match self.write_record(number, &buffer, rank) {
                Ok(written) => any |= written,
                Err(error) => result = result.and(Err(error)),
            }
            let Some(behind) = number.get().checked_add(1) else {
                break;
            };
            next = RecordNumber::new(behind);
        }
        result.map(|()| any)
    }

    /// Writes a record, if it is dirty and of this rank; whether it was.
    fn write_record(
        &self,
        number: RecordNumber,
        buffer: &Handle<Buffer>,
        rank: Rank,
    ) -> Result<bool> {
        let place = Place::Record(number);
        let mapping = self.mft();
        let mut mapped = buffer.map(|| Err(Error::NotFound))?;
        if Rank::of(number, mapped.bytes()) != rank {
            return Ok(false);
        }
        let was_dirty = mapped.is_dirty();
        mapped.write_out(
            Magic::FILE,
            |what| Error::corrupt(place, what),
            |bytes| {
                let at = mft::byte_offset(self, number).ok_or(Error::NotFound)?;
                data::write_mapping(self, &mapping, place, at, bytes)?;
                match mft::mirror_place(self, number) {
                    Some(copy) => self.device().write(copy, bytes).map_err(Error::Device),
                    None => Ok(()),
                }
            },
        )?;
        Ok(was_dirty)
    }

    fn write_dirty_blocks(&self) -> Result {
        let mut result = Ok(());
        let mut tree: Option<(MftReference, Result<Tree>)> = None;
        let mut next = BlockKey {
            directory: MftReference::default(),
            vcn: Vcn::ZERO,
        };
        while let Some((key, buffer)) = self.blocks.next_that_stays(next) {
            let tree = match &mut tree {
                Some((directory, tree)) if *directory == key.directory => &*tree,
                other => {
                    &other
                        .insert((key.directory, Tree::open(self, key.directory)))
                        .1
                }
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

/// Where the index blocks of a directory are.
struct Tree {
    mapping: Arc<Mapping>,
}

impl Tree {
    fn open<D: Device>(store: &Store<D>, directory: MftReference) -> Result<Self> {
        let catalog = Catalog::load(store, directory)?;
        let allocation = Attribute::open(store, &catalog, AttributeType::INDEX_ALLOCATION, &I30)?
            .ok_or(Error::NotFound)?;
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
                data::write_mapping(store, &self.mapping, place, at, bytes)
            },
        )
    }
}
