// SPDX-License-Identifier: GPL-2.0-only

//! A file with named streams on a volume that is written, and what has to hold of its records.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    fs::{
        device::Device,
        directory::CaseMode,
        efs::Encrypted,
        error::Result as FsResult,
        inode::Inode,
        record::Role,
        stream_update,
        streams,
        volume::Volume, //
    },
    kunit::{
        fixtures::{
            index,
            put,
            record::resident, //
        },
        fs::{
            disk::{
                file,
                mount,
                open_file,
                plain,
                units,
                writable,
                Disk,
                Ram,
                CLUSTER,
                SAMPLE, //
            },
            sample::Sample, //
        },
    },
    ondisk::{
        attribute::{
            AttributeType,
            Form, //
        },
        attribute_list,
        mapping_pairs,
        units::{
            ByteCount,
            ByteOffset,
            RecordNumber,
            Vcn, //
        }, //
    },
};

/// The file.
pub(crate) struct Streamed {
    pub(crate) disk: Arc<Disk>,
    pub(crate) volume: KBox<Volume<Ram>>,
    pub(crate) inode: Inode,
}

/// Bytes that tell a value from others.
pub(crate) fn content(seed: u8, length: usize) -> Result<KVVec<u8>> {
    let mut bytes = KVVec::from_elem(0, length, GFP_KERNEL)?;
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = seed ^ (at as u8) ^ ((at >> 8) as u8);
    }
    Ok(bytes)
}

impl From<Sample> for Streamed {
    fn from(sample: Sample) -> Self {
        Self {
            disk: sample.disk,
            volume: sample.volume,
            inode: sample.inode,
        }
    }
}

impl Streamed {
    /// A small file without a stream.
    pub(crate) fn small() -> Result<Self> {
        Ok(Sample::small()?.into())
    }

    /// A file whose record has so many bytes left, and nothing in it that could leave.
    pub(crate) fn full(left: usize) -> Result<Self> {
        Ok(Sample::crowded(left)?.into())
    }

    /// A small file with three names, which fill its record.
    pub(crate) fn many_names() -> Result<Self> {
        Ok(Sample::many_names()?.into())
    }

    /// A directory.
    pub(crate) fn directory() -> Result<Self> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        let root = index::root(&[&index::entry(0, None, None)?])?;
        disk.put_directory(SAMPLE, &root, &[])?;
        let streamed = Self::open(disk)?;
        writable(&streamed.volume)?;
        Ok(streamed)
    }

    /// A small file with these attributes beside its data.
    pub(crate) fn with_streams(attributes: &[&[u8]]) -> Result<Self> {
        Self::with_next_id(attributes, 7)
    }

    /// The same, whose record gives out this id next.
    pub(crate) fn with_next_id(attributes: &[&[u8]], next_id: u16) -> Result<Self> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        let data = resident(0x80, "", 1, b"unnamed")?;
        let mut all: KVec<&[u8]> = KVec::new();
        all.push(&data, GFP_KERNEL)?;
        all.extend_from_slice(attributes, GFP_KERNEL)?;
        let mut record = file(SAMPLE, &all)?;
        put(&mut record, 0x28, &next_id.to_le_bytes());
        disk.put_record(SAMPLE, &record)?;
        let streamed = Self::open(disk)?;
        writable(&streamed.volume)?;
        Ok(streamed)
    }

    /// The file as it is on a disk.
    pub(crate) fn open(disk: Arc<Disk>) -> Result<Self> {
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        Ok(Self {
            disk,
            volume,
            inode,
        })
    }

    /// The file as one would find it if the power went now.
    pub(crate) fn after_power_cut(&self) -> Result<Self> {
        Self::open(Disk::with_image(&self.disk.image()?)?)
    }

    /// The file on a volume that was unmounted and is mounted again.
    pub(crate) fn remounted(self) -> Result<Self> {
        plain(self.volume.end_writing())?;
        let again = self.after_power_cut()?;
        writable(&again.volume)?;
        Ok(again)
    }

    pub(crate) fn try_set(&self, name: &str, value: &[u8]) -> FsResult {
        let name = units(name).map_err(|_| crate::fs::error::Error::NoMemory)?;
        stream_update::set(&self.volume, &self.inode, &name, CaseMode::Exact, value)
    }

    pub(crate) fn try_remove(&self, name: &str) -> FsResult<bool> {
        let name = units(name).map_err(|_| crate::fs::error::Error::NoMemory)?;
        stream_update::remove(&self.volume, &self.inode, &name, CaseMode::Exact)
    }

    pub(crate) fn set(&self, name: &str, value: &[u8]) -> Result {
        plain(self.try_set(name, value))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<bool> {
        plain(self.try_remove(name))
    }

    /// The value of a stream.
    pub(crate) fn get(&self, name: &str) -> Result<Option<KVVec<u8>>> {
        let mut value = KVVec::from_elem(0xee, 1 << 16, GFP_KERNEL)?;
        let name = units(name)?;
        let (volume, inode) = (&self.volume, &self.inode);
        let found = plain(streams::read(
            volume,
            inode,
            &name,
            CaseMode::Exact,
            Encrypted::Refused,
            &mut value,
        ))?;
        Ok(found.map(|size| {
            value.truncate(size.get() as usize);
            value
        }))
    }

    pub(crate) fn has(&self, name: &str, value: &[u8]) -> Result<bool> {
        Ok(self.get(name)?.as_deref() == Some(value))
    }

    /// How many streams there are.
    pub(crate) fn count(&self) -> Result<usize> {
        Ok(plain(streams::names(&self.volume, &self.inode))?.len())
    }

    pub(crate) fn sync(&self) -> Result {
        plain(self.volume.sync())
    }

    pub(crate) fn free_clusters(&self) -> Result<u64> {
        Ok(plain(self.volume.free_clusters())?.ok_or(ENOENT)?.get())
    }

    pub(crate) fn free_records(&self) -> Result<u64> {
        Ok(plain(self.volume.record_counts())?.free)
    }

    /// The attribute records of one MFT record, but for a list.
    fn attributes(&self, number: u64, role: Role, out: &mut KVec<Found>) -> Result<Option<Found>> {
        let record = plain(self.volume.record(RecordNumber::new(number), role))?;
        let mapped = plain(record.map(&self.volume))?;
        let content = plain(mapped.record())?;
        assert!(content.header().flags.is_in_use());
        let base = content.header().base.map(|base| base.number.get());
        assert_eq!(base, (role == Role::Extension).then_some(SAMPLE));
        let mut list = None;
        let mut last = None;
        for attribute in content.attributes() {
            let attribute = attribute.map_err(|_| EINVAL)?;
            assert!(last <= Some(attribute.type_));
            assert!(attribute.id.get() < content.header().next_attribute_id);
            last = Some(attribute.type_);
            let mut found = Found {
                record: number,
                id: attribute.id.get(),
                type_: attribute.type_,
                name: KVec::new(),
                lowest: 0,
                value: KVVec::new(),
                clusters: 0,
                first: None,
            };
            for unit in attribute.name.units() {
                found.name.push(unit, GFP_KERNEL)?;
            }
            let is_list = attribute.type_ == AttributeType::ATTRIBUTE_LIST;
            match &attribute.form {
                Form::Resident { value, .. } => found.value.extend_from_slice(value, GFP_KERNEL)?,
                Form::NonResident(part) => {
                    found.lowest = part.lowest_vcn.get();
                    let clusters = self.volume.geometry().clusters();
                    let (lowest, highest) = (part.lowest_vcn, part.highest_vcn);
                    for run in mapping_pairs::decode(part.mapping_pairs, lowest, highest, clusters)
                    {
                        let run = run.map_err(|_| EINVAL)?;
                        let Some(lcn) = run.lcn else { continue };
                        found.clusters += run.length.get();
                        found.first = found.first.or(Some(lcn.get() * CLUSTER as u64));
                        if is_list {
                            let length = run.length.get() as usize * CLUSTER;
                            let mut bytes = KVVec::from_elem(0, length, GFP_KERNEL)?;
                            let at = ByteOffset::new(lcn.get() * CLUSTER as u64);
                            self.volume.device().read(at, &mut bytes)?;
                            found.value.extend_from_slice(&bytes, GFP_KERNEL)?;
                        }
                    }
                    let size = part.sizes.map_or(ByteCount::ZERO, |sizes| sizes.data);
                    found.value.truncate(size.get() as usize);
                }
            }
            // Ids are unique in a record.
            assert!(!out
                .iter()
                .any(|other| (other.record, other.id) == (number, found.id)));
            match is_list {
                true => list = Some(found),
                false => out.push(found, GFP_KERNEL)?,
            }
        }
        Ok(list)
    }

    /// Where on the device the list begins, if it is in clusters, and where the first stream that is.
    pub(crate) fn places(&self) -> Result<(Option<u64>, Option<u64>)> {
        let mut all = KVec::new();
        let list = self.attributes(SAMPLE, Role::Base, &mut all)?;
        let is_stream = |found: &&Found| found.first.is_some() && !found.name.is_empty();
        let stream = all.iter().find(is_stream).and_then(|found| found.first);
        Ok((list.and_then(|list| list.first), stream))
    }

    /// Checks that the list, if there is one, tells of each attribute record of the file and of nothing else, and that
    /// it is in order. Gives how many records the file has, and how many clusters its attributes and the list have.
    pub(crate) fn check(&self) -> Result<(usize, u64)> {
        let mut all = KVec::new();
        let list = self.attributes(SAMPLE, Role::Base, &mut all)?;
        let Some(list) = list else {
            return Ok((1, all.iter().map(|found| found.clusters).sum()));
        };
        let mut numbers: KVec<u64> = KVec::new();
        numbers.push(SAMPLE, GFP_KERNEL)?;
        for entry in attribute_list::entries(&list.value) {
            let number = entry.map_err(|_| EINVAL)?.reference.number.get();
            if !numbers.contains(&number) {
                numbers.push(number, GFP_KERNEL)?;
                assert!(self
                    .attributes(number, Role::Extension, &mut all)?
                    .is_none());
            }
        }
        // One without another record would be of no use.
        assert!(numbers.len() > 1);
        let mut count = 0;
        let mut last: Option<(AttributeType, KVec<u16>, Vcn)> = None;
        for entry in attribute_list::entries(&list.value) {
            let entry = entry.map_err(|_| EINVAL)?;
            let mut name = KVec::new();
            for unit in entry.name.units() {
                name.push(unit, GFP_KERNEL)?;
            }
            let is_meant = |found: &&Found| {
                (found.record, found.id, found.type_, found.lowest)
                    == (
                        entry.reference.number.get(),
                        entry.id.get(),
                        entry.type_,
                        entry.lowest_vcn.get(),
                    )
                    && *found.name == *name
            };
            assert_eq!(all.iter().filter(is_meant).count(), 1);
            if let Some((type_, before, vcn)) = &last {
                let upcase = self.volume.upcase();
                let names = upcase.collate_file_name(before.iter().copied(), name.iter().copied());
                let order = type_.cmp(&entry.type_).then(names);
                let order = order.then(vcn.cmp(&entry.lowest_vcn));
                assert!(order.is_le());
            }
            last = Some((entry.type_, name, entry.lowest_vcn));
            count += 1;
        }
        assert_eq!(count, all.len());
        let clusters: u64 = all.iter().map(|found| found.clusters).sum();
        Ok((numbers.len(), clusters + list.clusters))
    }
}

/// An attribute record.
struct Found {
    record: u64,
    id: u16,
    type_: AttributeType,
    name: KVec<u16>,
    lowest: u64,
    value: KVVec<u8>,
    clusters: u64,
    /// Where the first cluster begins.
    first: Option<u64>,
}
