// SPDX-License-Identifier: GPL-2.0-only

//! A file whose value is in clusters, on a volume that is written, and what the page cache does to it.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    fs::{
        attribute::Attribute,
        data::{
            self,
            ByteExtent,
            Source, //
        },
        device::Device,
        file,
        inode::Inode,
        inode_record::{
            self,
            Changed, //
        },
        resize,
        volume::Volume, //
    },
    kunit::{
        fixtures::record::{
            file_name,
            resident,
            Clusters,
            RECORD_SIZE, //
        },
        fs::disk::{
            extension,
            file,
            list_entry,
            mount,
            open_file,
            plain,
            writable,
            Disk,
            Ram,
            CLUSTER,
            CLUSTERS,
            SAMPLE, //
        },
    },
    ondisk::{
        compression::lznt1_compress::{
            compress,
            Work, //
        },
        time::NtTime,
        units::{
            ByteCount,
            ByteOffset, //
        },
    },
};

/// What is in all clusters that hold a file's data at first.
pub(crate) const OLD: u8 = b'o';
/// What is in all clusters that are free at first, and must never show.
const STALE: u8 = b's';
const FIRST_LCN: usize = 16;

/// Four clusters, full.
const DENSE: Clusters<'static> = Clusters {
    highest_vcn: 3,
    allocated: 4 * CLUSTER as u64,
    data: 4 * CLUSTER as u64,
    initialized: 4 * CLUSTER as u64,
    mapping_pairs: &[0x11, 4, FIRST_LCN as u8, 0],
    ..Clusters::DATA
};
/// Two clusters, and a hole of six behind them.
const SPARSE: Clusters<'static> = Clusters {
    flags: 0x8000,
    highest_vcn: 7,
    allocated: 8 * CLUSTER as u64,
    data: 8 * CLUSTER as u64,
    initialized: 8 * CLUSTER as u64,
    compressed: Some(2 * CLUSTER as u64),
    mapping_pairs: &[0x11, 2, FIRST_LCN as u8, 0x01, 6, 0],
    ..Clusters::DATA
};

/// Where the logarithm of the compression unit is in an attribute record.
const UNIT_SHIFT_AT: usize = 0x22;
/// Bytes of the units of [`Sample::compressed`].
pub(crate) const UNIT: u64 = 4 * CLUSTER as u64;

/// A unit in one cluster, one in all four, and one that is a hole.
const COMPRESSED: Clusters<'static> = Clusters {
    flags: 0x0001,
    highest_vcn: 11,
    allocated: 3 * UNIT,
    data: 3 * UNIT,
    initialized: 3 * UNIT,
    compressed: Some(5 * CLUSTER as u64),
    mapping_pairs: &[0x11, 1, FIRST_LCN as u8, 0x01, 3, 0x11, 4, 1, 0x01, 4, 0],
    ..Clusters::DATA
};

fn bytes_in_use(record: &[u8; RECORD_SIZE]) -> Result<usize> {
    let used = record.get(0x18..0x1c).ok_or(EINVAL)?;
    Ok(u32::from_le_bytes(used.try_into().map_err(|_| EINVAL)?) as usize)
}

/// The file.
pub(crate) struct Sample {
    pub(crate) disk: Arc<Disk>,
    pub(crate) volume: KBox<Volume<Ram>>,
    pub(crate) inode: Inode,
    pub(crate) data: Arc<Attribute>,
}

pub(crate) const fn offset(at: u64) -> ByteOffset {
    ByteOffset::new(at)
}

pub(crate) const fn bytes(count: u64) -> ByteCount {
    ByteCount::new(count)
}

impl Sample {
    /// Twenty bytes in the record.
    pub(crate) fn small() -> Result<Self> {
        Self::new(&resident(0x80, "", 1, b"small, in the record")?)
    }

    /// Four clusters, full.
    pub(crate) fn dense() -> Result<Self> {
        Self::new(&DENSE.to_bytes()?)
    }

    /// Two clusters, and a hole of six behind them.
    pub(crate) fn sparse() -> Result<Self> {
        Self::new(&SPARSE.to_bytes()?)
    }

    /// Three units of four clusters: one in a single cluster, one as it is, and one that is a hole.
    pub(crate) fn compressed() -> Result<Self> {
        Self::compressed_until(3 * UNIT)
    }

    /// The same, of which so many bytes are initialized.
    pub(crate) fn compressed_until(initialized: u64) -> Result<Self> {
        let value = Clusters {
            initialized,
            ..COMPRESSED
        };
        let mut data = value.to_bytes()?;
        *data.get_mut(UNIT_SHIFT_AT).ok_or(EINVAL)? = 2;
        let sample = Self::new(&data)?;
        let mut encoded = KVec::from_elem(0, 3 * CLUSTER, GFP_KERNEL)?;
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        let unit = KVec::from_elem(OLD, UNIT as usize, GFP_KERNEL)?;
        let work = work.first_mut().ok_or(ENOMEM)?;
        compress(&unit, &mut encoded, work).ok_or(EINVAL)?;
        let encoded = encoded.get(..CLUSTER).ok_or(EINVAL)?;
        sample.disk.write_cluster(FIRST_LCN, encoded);
        sample.disk.write_cluster(FIRST_LCN + 4, &[OLD; CLUSTER]);
        Ok(sample)
    }

    /// A few bytes in the record, of a value that is to be compressed.
    pub(crate) fn compressed_small() -> Result<Self> {
        let mut data = resident(0x80, "", 1, b"small, in the record")?;
        *data.get_mut(0x0c).ok_or(EINVAL)? = 1;
        Self::new(&data)
    }

    /// [`Sample::sparse`], in a record that is full but for `left` bytes.
    pub(crate) fn crowded(left: usize) -> Result<Self> {
        let data = SPARSE.to_bytes()?;
        let empty = bytes_in_use(&file(SAMPLE, &[&data, &resident(0x100, "", 6, &[])?])?)?;
        let other = KVec::from_elem(b'x', RECORD_SIZE - left - empty, GFP_KERNEL)?;
        Self::with_more(&data, &[&resident(0x100, "", 6, &other)?])
    }

    /// [`Sample::small`], in a record that is full of names.
    pub(crate) fn many_names() -> Result<Self> {
        const LONGEST: &str = match core::str::from_utf8(&[b'n'; 255]) {
            Ok(name) => name,
            Err(_) => "",
        };
        let data = resident(0x80, "", 1, b"small, in the record")?;
        let name = |id: u16, length: usize| -> Result<KVec<u8>> {
            let name = LONGEST.get(..length).ok_or(EINVAL)?;
            resident(0x30, "", id, &file_name(name, 1)?)
        };
        let (first, second) = (name(2, 100)?, name(3, 90)?);
        // What is left, less the header of the attribute and of the name; two bytes a unit.
        let left = RECORD_SIZE - bytes_in_use(&file(SAMPLE, &[&first, &second, &data])?)?;
        let third = name(4, (left - 16 - 0x18 - 0x42) / 2)?;
        Self::with_all(&[&first, &second, &third, &data])
    }

    /// Four clusters, full, told of by record 25, where another attribute is as well.
    pub(crate) fn sharing() -> Result<Self> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        for lcn in FIRST_LCN..FIRST_LCN + 4 {
            disk.write_cluster(lcn, &[OLD; CLUSTER]);
        }
        let other = resident(0x100, "", 6, b"another attribute")?;
        let further = SAMPLE + 1;
        disk.put_record(further, &extension(further, &[&DENSE.to_bytes()?, &other]))?;
        let mut list = KVec::new();
        for (type_, number, id) in [(0x10, SAMPLE, 0), (0x80, further, 1), (0x100, further, 6)] {
            let entry = list_entry(type_, 0, number, id);
            list.extend_from_slice(&entry, GFP_KERNEL)?;
        }
        disk.put_file(SAMPLE, &[&resident(0x20, "", 4, &list)?])?;
        disk.write(Disk::record_bit_at(SAMPLE), &[0x03]);
        let sample = Self::open(disk)?;
        writable(&sample.volume)?;
        Ok(sample)
    }

    fn new(data: &[u8]) -> Result<Self> {
        Self::with_more(data, &[])
    }

    fn with_more(data: &[u8], more: &[&[u8]]) -> Result<Self> {
        let mut attributes = KVec::new();
        attributes.push(data, GFP_KERNEL)?;
        attributes.extend_from_slice(more, GFP_KERNEL)?;
        Self::with_all(&attributes)
    }

    /// With these attributes, in the order of their types.
    fn with_all(attributes: &[&[u8]]) -> Result<Self> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        for lcn in Iterator::chain(32..40, 50..CLUSTERS - 1) {
            disk.write_cluster(lcn, &[STALE; CLUSTER]);
        }
        for lcn in FIRST_LCN..FIRST_LCN + 4 {
            disk.write_cluster(lcn, &[OLD; CLUSTER]);
        }
        disk.put_file(SAMPLE, attributes)?;
        let sample = Self::open(disk)?;
        writable(&sample.volume)?;
        Ok(sample)
    }

    /// The file as it is on a disk.
    pub(crate) fn open(disk: Arc<Disk>) -> Result<Self> {
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let data = plain(inode.data())?.ok_or(ENOENT)?.clone();
        Ok(Self {
            disk,
            volume,
            inode,
            data,
        })
    }

    /// The file as one would find it if the power went now.
    pub(crate) fn after_power_cut(&self) -> Result<Self> {
        Self::open(Disk::with_image(&self.disk.image()?)?)
    }

    pub(crate) fn free(&self) -> Result<u64> {
        Ok(plain(self.volume.free_clusters())?.ok_or(ENOENT)?.get())
    }

    pub(crate) fn at(&self, at: u64) -> Result<ByteExtent> {
        plain(data::map_extent(&**self.volume, &self.data, offset(at)))
    }

    /// Whether a cluster of the value is full of a byte.
    pub(crate) fn is_full_of(&self, vcn: u64, byte: u8) -> Result<bool> {
        let mut bytes = KVec::from_elem(!byte, CLUSTER, GFP_KERNEL)?;
        let at = offset(vcn * CLUSTER as u64);
        let read = data::read_at(&**self.volume, &self.data, at, &mut bytes);
        Ok(plain(read)? == CLUSTER && bytes.iter().all(|found| *found == byte))
    }

    pub(crate) fn reserve(&self, at: u64, length: u64) -> Result<ByteExtent> {
        let (at, length) = (offset(at), bytes(length));
        plain(file::reserve(&self.volume, &self.data, at, length))
    }

    pub(crate) fn unreserve(&self, at: u64, length: u64) -> Result {
        let (at, length) = (offset(at), bytes(length));
        plain(file::unreserve(&self.volume, &self.data, at, length))
    }

    pub(crate) fn allocate(&self, at: u64) -> Result<ByteExtent> {
        plain(file::allocate(
            &self.volume,
            &self.data,
            offset(at),
            bytes(16 * CLUSTER as u64),
        ))
    }

    /// Writes data where an extent is.
    pub(crate) fn transfer(&self, extent: ByteExtent, byte: u8) -> Result {
        let Source::Device(place) = extent.source else {
            return Err(EINVAL);
        };
        let length = usize::try_from(extent.length.get()).map_err(|_| EINVAL)?;
        let buffer = KVec::from_elem(byte, length.min(CLUSTER), GFP_KERNEL)?;
        self.volume.device().write(place, &buffer)
    }

    /// A transfer ended well.
    pub(crate) fn written(&self, at: u64, length: u64) -> Result {
        let (at, length) = (offset(at), bytes(length));
        plain(file::written(&self.volume, &self.data, at, length, true))
    }

    /// A transfer failed.
    pub(crate) fn lost(&self, at: u64, length: u64) -> Result {
        let (at, length) = (offset(at), bytes(length));
        plain(file::written(&self.volume, &self.data, at, length, false))
    }

    pub(crate) fn set_size(&self, size: u64) -> Result {
        plain(resize::set_size(&self.volume, &self.data, bytes(size)))
    }

    /// Takes clusters for the first bytes of the value.
    pub(crate) fn preallocate(&self, length: u64) -> Result {
        let (at, length) = (offset(0), bytes(length));
        plain(resize::preallocate(&self.volume, &self.data, at, length))
    }

    pub(crate) fn punch(&self, at: u64, length: u64) -> Result {
        let (at, length) = (offset(at), bytes(length));
        plain(resize::punch_hole(&self.volume, &self.data, at, length))
    }

    /// Tells the record, without having waited for any data.
    pub(crate) fn record(&self) -> Result {
        plain(inode_record::write_inode(
            &self.volume,
            &self.inode,
            &CHANGED,
            false,
        ))
    }

    /// Makes everything durable: all data was waited for.
    pub(crate) fn save_all(&self) -> Result {
        plain(inode_record::write_inode(
            &self.volume,
            &self.inode,
            &CHANGED,
            true,
        ))?;
        plain(self.volume.sync())
    }

    /// Makes durable what the record is to know now.
    pub(crate) fn save(&self) -> Result {
        self.record()?;
        plain(self.volume.sync())
    }
}

/// Times that are in the record already.
pub(crate) const CHANGED: Changed = Changed {
    modification: Some(NtTime::new(5001)),
    change: Some(NtTime::new(5002)),
    access: Some(NtTime::new(5003)),
    read_only: None,
};
