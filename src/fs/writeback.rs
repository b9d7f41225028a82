// SPDX-License-Identifier: GPL-2.0-only

//! Bringing changed records and index blocks to the device.
//!
//! A page is written with its lock held, so two writes of it never overtake each other. The first
//! records are written to `$MFTMirr` as well. A page whose write fails stays dirty: the next attempt
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
    /// May sleep. They are durable after a flush of the device.
    pub fn write_dirty(&self) -> Result {
        let blocks = self.write_dirty_blocks();
        let records = self.write_dirty_records();
        blocks.and(records)
    }

    fn write_dirty_records(&self) -> Result {
        let mut result = Ok(());
        let mut next = RecordNumber::ZERO;
        // Ends: the number ascends in each turn.
        while let Some((number, buffer)) = self.records.next_that_stays(next) {
            result = result.and(self.write_record(number, &buffer));
            let Some(behind) = number.get().checked_add(1) else {
                break;
            };
            next = RecordNumber::new(behind);
        }
        result
    }

    fn write_record(&self, number: RecordNumber, buffer: &Handle<Buffer>) -> Result {
        let place = Place::Record(number);
        let mapping = self.mft();
        buffer.map(|| Err(Error::NotFound))?.write_out(
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
        )
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
