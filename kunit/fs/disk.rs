// SPDX-License-Identifier: GPL-2.0-only

//! A volume of 64 clusters in memory, made record by record.
//!
//! `$MFT` is at LCN 4 with room for 32 records, its mirror at LCN 2; LCN 16 and above are free. There
//! is a root directory and a `$Volume`, and nothing else until a test puts it there.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
};

use crate::{
    fs::{
        self,
        device::Device,
        inode::Inode,
        volume::Volume, //
    },
    kunit::{
        fixtures::{
            boot::BootSector,
            index, put,
            record::{
                self,
                file_record,
                resident,
                Clusters,
                RECORD_SIZE, //
            },
        },
        fs::race::Stop, //
    },
    ondisk::{
        fixup::{
            self,
            Magic, //
        },
        units::{
            ByteCount,
            ByteOffset,
            RecordNumber, //
        },
    },
};

pub(crate) const CLUSTER: usize = 4096;
pub(crate) const CLUSTERS: usize = 64;
pub(crate) const MFT_LCN: usize = 4;
pub(crate) const MIRROR_LCN: usize = 2;
pub(crate) const RECORDS: usize = 32;
const LOG_LCN: usize = 3;
const RECORD_BITMAP_LCN: usize = 12;
/// Where a long bitmap is, behind all else, and how many clusters it has.
const LONG_BITMAP_LCN: usize = CLUSTERS;
const LONG_BITMAP_CLUSTERS: usize = 96;
/// The first record that the tests put files in. (KUnit has a `FILE` in its assertions.)
pub(crate) const SAMPLE: u64 = 24;

/// Bytes in memory that stand for a device.
#[pin_data]
pub(crate) struct Disk {
    #[pin]
    bytes: Mutex<KVVec<u8>>,
    /// The bytes that the device says it has; those behind the ones in memory cannot be read.
    size: Atomic<u64>,
    /// How often it was read.
    pub(crate) reads: Atomic<u32>,
    /// How often it was written.
    pub(crate) writes: Atomic<u32>,
    /// Whether every read and every write fails.
    pub(crate) broken: Atomic<bool>,
    /// Which read, write or flush from now on fails, once; 0 for none.
    failing: Atomic<u64>,
    /// Writes that the power lasts for.
    power: Atomic<u64>,
    /// Whether what reaches the device is noted.
    noting: Atomic<bool>,
    /// What reached the device since it was asked for last.
    #[pin]
    actions: Mutex<KVVec<Action>>,
    /// The unit of discarding in bytes; 0 if the device cannot.
    pub(crate) discard_unit: Atomic<u64>,
    /// The byte at which a read stops; with [`WHEN_READ`], when it has its bytes.
    stop_at: Atomic<u64>,
    /// Whether the next flush stops.
    stop_at_flush: Atomic<bool>,
    #[pin]
    pub(crate) stop: Stop,
}

/// What a device was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// To write, from this byte on.
    Write(usize),
    Flush,
    /// To forget so many bytes, from the first one on.
    Discard(u64, u64),
}

/// What is left to succeed, where all fail.
const FROM_NOW_ON: u64 = 1 << 62;

/// More than any offset has.
const WHEN_READ: u64 = 1 << 62;

/// The device that a volume in a test is on.
pub(crate) struct Ram(pub(crate) Arc<Disk>);

impl Device for Ram {
    fn size(&self) -> ByteCount {
        ByteCount::new(self.0.size.load(Relaxed))
    }

    fn logical_block_size(&self) -> u32 {
        512
    }

    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> Result {
        self.0.reads.add(1, Relaxed);
        if self.0.fails() {
            return Err(EIO);
        }
        if self.0.stop_at.load(Relaxed) == at.get() {
            self.0.stop.pass();
        }
        let start = usize::try_from(at.get()).map_err(|_| EIO)?;
        let bytes = self.0.bytes.lock();
        let from = bytes.get(start..).and_then(|rest| rest.get(..buf.len()));
        put(buf, 0, from.ok_or(EIO)?);
        drop(bytes);
        if self.0.stop_at.load(Relaxed) == at.get() | WHEN_READ {
            self.0.stop.pass();
        }
        Ok(())
    }

    fn write(&self, at: ByteOffset, buf: &[u8]) -> Result {
        self.0.writes.add(1, Relaxed);
        if self.0.fails() {
            return Err(EIO);
        }
        let left = self.0.power.load(Relaxed);
        if left == 0 {
            return Ok(());
        }
        self.0.power.store(left - 1, Relaxed);
        let start = usize::try_from(at.get()).map_err(|_| EIO)?;
        self.0.note(Action::Write(start))?;
        let mut bytes = self.0.bytes.lock();
        let to = bytes
            .get_mut(start..)
            .and_then(|rest| rest.get_mut(..buf.len()));
        put(to.ok_or(EIO)?, 0, buf);
        Ok(())
    }

    fn flush(&self) -> Result {
        if self.0.stop_at_flush.xchg(false, Relaxed) {
            self.0.stop.pass();
        }
        match self.0.fails() {
            true => Err(EIO),
            false => self.0.note(Action::Flush),
        }
    }

    fn discard_unit(&self) -> Option<ByteCount> {
        let unit = self.0.discard_unit.load(Relaxed);
        (unit != 0).then(|| ByteCount::new(unit))
    }

    fn discard(&self, at: ByteOffset, length: ByteCount) -> Result {
        match self.0.fails() {
            true => Err(EIO),
            false => self.0.note(Action::Discard(at.get(), length.get())),
        }
    }
}

/// Makes an error of the filesystem one that a test may return.
pub(crate) fn plain<T>(result: fs::error::Result<T>) -> Result<T> {
    result.map_err(|error| {
        pr_err!("{}\n", error);
        EIO
    })
}

impl Disk {
    /// A disk with the least that can be mounted.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Self::with_clusters(CLUSTERS)
    }

    /// The same, of which so many clusters are in memory.
    fn with_clusters(clusters: usize) -> Result<Arc<Self>> {
        let bytes = KVVec::<u8>::zeroed(clusters * CLUSTER, GFP_KERNEL)?;
        let disk = Arc::pin_init(
            pin_init!(Self {
                bytes <- new_mutex!(bytes),
                size: Atomic::new((CLUSTERS * CLUSTER) as u64),
                reads: Atomic::new(0),
                writes: Atomic::new(0),
                broken: Atomic::new(false),
                failing: Atomic::new(0),
                power: Atomic::new(u64::MAX),
                noting: Atomic::new(false),
                actions <- new_mutex!(KVVec::new()),
                discard_unit: Atomic::new(0),
                stop_at: Atomic::new(u64::MAX),
                stop_at_flush: Atomic::new(false),
                stop <- Stop::new(false),
            }),
            GFP_KERNEL,
        )?;
        let boot = BootSector {
            total_sectors: (CLUSTERS * CLUSTER / 512 - 1) as u64,
            mft: MFT_LCN as u64,
            mft_mirror: MIRROR_LCN as u64,
            ..BootSector::WINDOWS
        };
        disk.write(0, &boot.to_bytes());
        disk.write(CLUSTERS * CLUSTER - 512, &boot.to_bytes());
        disk.put_mft(&Self::mft_data(8, 7)?)?;
        for number in 1..3 {
            disk.put_file(number, &[])?;
        }
        let information = resident(0x70, "", 1, &[0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0])?;
        disk.put_file(3, &[&information])?;
        let root = index::root(&[&index::entry(0, None, None)?])?;
        disk.put_directory(5, &root, &[])?;
        Ok(disk)
    }

    /// Says that the volume has so many clusters, of which only the first ones are in memory.
    pub(crate) fn claim(&self, clusters: u64) {
        let sectors = clusters * (CLUSTER / 512) as u64;
        let boot = BootSector {
            total_sectors: sectors,
            mft: MFT_LCN as u64,
            mft_mirror: MIRROR_LCN as u64,
            ..BootSector::WINDOWS
        };
        self.write(0, &boot.to_bytes());
        self.size.store((sectors + 1) * 512, Relaxed);
    }

    /// Puts a `$Bitmap` of so many bytes, which are zeros unless a test wrote there: ten clusters from
    /// LCN 40 on, and ten from LCN 20 on.
    pub(crate) fn put_bitmap(&self, bytes: u64) -> Result {
        let bitmap = Clusters {
            highest_vcn: 19,
            allocated: 20 * CLUSTER as u64,
            data: bytes,
            initialized: bytes,
            // LCN 20 is written as 40 - 20.
            mapping_pairs: &[0x11, 10, 40, 0x11, 10, 0xec, 0],
            ..Clusters::DATA
        };
        self.put_file(6, &[&bitmap.to_bytes()?])
    }

    /// Puts what a volume needs to be written: a `$Bitmap`, in which LCN 32 to 39 and 50 to 62 are free,
    /// an empty `$LogFile`, and a `$BITMAP` of `$MFT`, in which records 25 to 31 can be had.
    pub(crate) fn make_writable(&self) -> Result {
        self.put_bitmap(8)?;
        self.write(
            Self::bitmap_at(0),
            &[0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0x03, 0x80],
        );
        let log = Clusters {
            highest_vcn: 0,
            allocated: CLUSTER as u64,
            data: CLUSTER as u64,
            initialized: CLUSTER as u64,
            mapping_pairs: &[0x11, 0x01, LOG_LCN as u8, 0x00],
            ..Clusters::DATA
        };
        self.put_file(2, &[&log.to_bytes()?])?;
        let bitmap = Clusters {
            type_: 0xb0,
            id: 3,
            highest_vcn: 0,
            allocated: CLUSTER as u64,
            data: 8,
            initialized: 8,
            mapping_pairs: &[0x11, 0x01, RECORD_BITMAP_LCN as u8, 0x00],
            ..Clusters::DATA
        };
        let information = standard_information()?;
        let data = Self::mft_data(8, 7)?;
        let mft = file_record(0, 1, &[&information, &data, &bitmap.to_bytes()?]);
        self.put_record(0, &mft)?;
        self.put_mirror(0, &mft)?;
        self.write(
            Self::record_bit_at(0),
            &[0xff, 0xff, 0x00, 0x01, 0, 0, 0, 0],
        );
        for sector in 0..CLUSTER / 512 {
            self.write(LOG_LCN * CLUSTER + sector * 512, &[0xff; 512]);
        }
        Ok(())
    }

    /// A disk that says that it has so many clusters, with a `$Bitmap` of zeros for all of them: up to twelve
    /// blocks of the allocator, which counts eight at once.
    pub(crate) fn with_long_bitmap(clusters: u64) -> Result<Arc<Self>> {
        let disk = Self::with_clusters(LONG_BITMAP_LCN + LONG_BITMAP_CLUSTERS)?;
        disk.claim(clusters);
        let bytes = clusters.div_ceil(64) * 8;
        let bitmap = Clusters {
            highest_vcn: LONG_BITMAP_CLUSTERS as u64 - 1,
            allocated: (LONG_BITMAP_CLUSTERS * CLUSTER) as u64,
            data: bytes,
            initialized: bytes,
            mapping_pairs: &[0x11, LONG_BITMAP_CLUSTERS as u8, LONG_BITMAP_LCN as u8, 0],
            ..Clusters::DATA
        };
        disk.put_file(6, &[&bitmap.to_bytes()?])?;
        Ok(disk)
    }

    /// Where a byte of that `$Bitmap` is.
    pub(crate) fn long_bitmap_at(byte: usize) -> usize {
        LONG_BITMAP_LCN * CLUSTER + byte
    }

    /// Where the byte is in which `$MFT`'s `$BITMAP` has the bit of a record.
    pub(crate) fn record_bit_at(number: u64) -> usize {
        RECORD_BITMAP_LCN * CLUSTER + number as usize / 8
    }

    /// Where a byte of that `$Bitmap` is.
    pub(crate) fn bitmap_at(byte: usize) -> usize {
        match byte / CLUSTER {
            vcn @ 0..10 => (40 + vcn) * CLUSTER + byte % CLUSTER,
            vcn => (20 + vcn - 10) * CLUSTER + byte % CLUSTER,
        }
    }

    /// Whether the device fails now.
    fn fails(&self) -> bool {
        let left = self.failing.load(Relaxed);
        if left != FROM_NOW_ON {
            self.failing.store(left.saturating_sub(1), Relaxed);
        }
        left == 1 || left == FROM_NOW_ON || self.broken.load(Relaxed)
    }

    /// Lets the `nth` read, write or flush from now on fail (1: the next); 0 takes that back.
    pub(crate) fn fail_nth(&self, nth: u64) {
        self.failing.store(nth, Relaxed);
    }

    /// The same for all from the `nth` on: no other way of getting at the bytes helps.
    pub(crate) fn fail_from(&self, nth: u64) {
        self.failing.store(FROM_NOW_ON + nth - 1, Relaxed);
    }

    /// After so many writes from now on none reaches the device, and nobody is told.
    pub(crate) fn cut_power_after(&self, writes: u64) {
        self.power.store(writes, Relaxed);
    }

    /// Whether the power is gone.
    pub(crate) fn is_without_power(&self) -> bool {
        self.power.load(Relaxed) == 0
    }

    /// Whether the one that was to fail is still to come.
    pub(crate) fn is_yet_to_fail(&self) -> bool {
        self.failing.load(Relaxed) != 0
    }

    fn note(&self, action: Action) -> Result {
        if self.noting.load(Relaxed) {
            self.actions.lock().push(action, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// What reached the device since the last call, or nothing at the first one.
    pub(crate) fn take_actions(&self) -> KVVec<Action> {
        self.noting.store(true, Relaxed);
        core::mem::take(&mut *self.actions.lock())
    }

    /// A copy of all bytes.
    pub(crate) fn image(&self) -> Result<KVVec<u8>> {
        let mut image = KVVec::<u8>::zeroed(CLUSTERS * CLUSTER, GFP_KERNEL)?;
        put(&mut image, 0, &self.bytes.lock());
        Ok(image)
    }

    /// A disk that begins with these bytes: what is there after a power cut.
    pub(crate) fn with_image(image: &[u8]) -> Result<Arc<Self>> {
        let disk = Self::new()?;
        disk.write(0, image);
        Ok(disk)
    }

    /// Lets the next read that begins at this byte stop.
    pub(crate) fn stop_reading(&self, at: ByteOffset) {
        self.stop_at.store(at.get(), Relaxed);
        self.stop.arm();
    }

    /// Lets the next read that begins at this byte stop when it has its bytes.
    pub(crate) fn stop_when_read(&self, at: ByteOffset) {
        self.stop_at.store(at.get() | WHEN_READ, Relaxed);
        self.stop.arm();
    }

    /// Lets the next flush stop, before it does anything.
    pub(crate) fn stop_flushing(&self) {
        self.stop_at_flush.store(true, Relaxed);
        self.stop.arm();
    }

    /// A byte of the disk.
    pub(crate) fn byte(&self, at: usize) -> u8 {
        self.bytes.lock().get(at).copied().unwrap_or(0)
    }

    /// The data attribute of `$MFT`: `clusters` of them at its place.
    pub(crate) fn mft_data(clusters: u8, highest_vcn: u64) -> Result<KVec<u8>> {
        let bytes = (RECORDS * RECORD_SIZE) as u64;
        Clusters {
            highest_vcn,
            allocated: bytes,
            data: bytes,
            initialized: bytes,
            mapping_pairs: &[0x11, clusters, MFT_LCN as u8, 0],
            ..Clusters::DATA
        }
        .to_bytes()
    }

    /// Writes the record of `$MFT` with this data attribute, and its copy in the mirror.
    pub(crate) fn put_mft(&self, data: &[u8]) -> Result {
        let information = standard_information()?;
        let mft = file_record(0, 1, &[&information, data]);
        self.put_record(0, &mft)?;
        self.put_mirror(0, &mft)
    }

    /// Writes bytes anywhere.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        put(&mut self.bytes.lock(), at, bytes);
    }

    /// Writes bytes to a cluster.
    pub(crate) fn write_cluster(&self, lcn: usize, bytes: &[u8]) {
        self.write(lcn * CLUSTER, bytes);
    }

    /// Writes a record, with its fixups.
    pub(crate) fn put_record(&self, number: u64, record: &[u8; RECORD_SIZE]) -> Result {
        let mut stamped = *record;
        fixup::redo(&mut stamped, Magic::FILE).map_err(|_| EINVAL)?;
        self.write(MFT_LCN * CLUSTER + number as usize * RECORD_SIZE, &stamped);
        Ok(())
    }

    /// Writes a record to the mirror, with its fixups.
    pub(crate) fn put_mirror(&self, number: u64, record: &[u8; RECORD_SIZE]) -> Result {
        let mut stamped = *record;
        fixup::redo(&mut stamped, Magic::FILE).map_err(|_| EINVAL)?;
        self.write(
            MIRROR_LCN * CLUSTER + number as usize * RECORD_SIZE,
            &stamped,
        );
        Ok(())
    }

    /// Writes an index block, with its fixups.
    pub(crate) fn put_block(&self, lcn: usize, block: &[u8]) -> Result {
        let mut stamped = KVec::new();
        stamped.extend_from_slice(block, GFP_KERNEL)?;
        fixup::redo(&mut stamped, Magic::INDX).map_err(|_| EINVAL)?;
        self.write_cluster(lcn, &stamped);
        Ok(())
    }

    /// Writes the record of a file with standard information and these attributes.
    pub(crate) fn put_file(&self, number: u64, attributes: &[&[u8]]) -> Result {
        let record = file(number, attributes)?;
        self.put_record(number, &record)?;
        if number < 4 {
            self.put_mirror(number, &record)?;
        }
        Ok(())
    }

    /// Writes the record of a directory with this root and further attributes.
    pub(crate) fn put_directory(&self, number: u64, root: &[u8], more: &[&[u8]]) -> Result {
        let root = resident(0x90, "$I30", 5, root)?;
        let mut attributes = KVec::new();
        attributes.push(&*root, GFP_KERNEL)?;
        attributes.extend_from_slice(more, GFP_KERNEL)?;
        let mut record = file(number, &attributes)?;
        put(&mut record, 0x16, &3_u16.to_le_bytes());
        self.put_record(number, &record)
    }
}

/// Opens the volume on a disk.
pub(crate) fn mount(disk: &Arc<Disk>) -> Result<KBox<Volume<Ram>>> {
    plain(Volume::open(Ram(disk.clone())))
}

/// Lets a volume be written.
pub(crate) fn writable(volume: &Volume<Ram>) -> Result {
    volume.begin_writing(false).map_err(|refusal| {
        pr_err!("{}\n", refusal);
        EROFS
    })
}

/// The attribute that every file has.
pub(crate) fn standard_information() -> Result<KVec<u8>> {
    let mut value = [0; 0x48];
    for (index, at) in [0, 8, 16, 24].into_iter().enumerate() {
        put(&mut value, at, &(5000 + index as u64).to_le_bytes());
    }
    put(&mut value, 0x20, &0x20_u32.to_le_bytes());
    resident(0x10, "", 0, &value)
}

/// A record with standard information and these attributes; the sequence number is that of system
/// files, or 1.
pub(crate) fn file(number: u64, attributes: &[&[u8]]) -> Result<[u8; RECORD_SIZE]> {
    let information = standard_information()?;
    let mut all = KVec::new();
    all.push(&*information, GFP_KERNEL)?;
    all.extend_from_slice(attributes, GFP_KERNEL)?;
    let sequence = match number {
        1..=15 => number as u16,
        _ => 1,
    };
    Ok(file_record(number as u32, sequence, &all))
}

/// An extension record of [`SAMPLE`] with these attributes.
pub(crate) fn extension(number: u64, attributes: &[&[u8]]) -> [u8; RECORD_SIZE] {
    let mut record = file_record(number as u32, 1, attributes);
    put(&mut record, 0x12, &0_u16.to_le_bytes());
    put(&mut record, 0x20, &reference(SAMPLE).to_le_bytes());
    record
}

/// A reference to a file of a test, as it is on the disk.
pub(crate) fn reference(number: u64) -> u64 {
    (1 << 48) | number
}

/// An entry of an attribute list for an unnamed attribute.
pub(crate) fn list_entry(type_: u32, lowest_vcn: u64, number: u64, id: u16) -> [u8; 0x20] {
    let mut entry = [0; 0x20];
    put(&mut entry, 0x00, &type_.to_le_bytes());
    put(&mut entry, 0x04, &0x20_u16.to_le_bytes());
    put(&mut entry, 0x07, &[0x1a]);
    put(&mut entry, 0x08, &lowest_vcn.to_le_bytes());
    put(&mut entry, 0x10, &reference(number).to_le_bytes());
    put(&mut entry, 0x18, &id.to_le_bytes());
    entry
}

/// An entry of a directory.
pub(crate) fn name_entry(name: &str, number: u64, sub_node: Option<u64>) -> Result<KVec<u8>> {
    let key = record::file_name(name, 1)?;
    index::entry(reference(number), Some(&key), sub_node)
}

/// The `$INDEX_ALLOCATION` of a directory: `blocks` clusters from `lcn` on.
pub(crate) fn allocation(lcn: u8, blocks: u8) -> Result<KVec<u8>> {
    let bytes = u64::from(blocks) * CLUSTER as u64;
    Clusters {
        type_: 0xa0,
        name: "$I30",
        id: 6,
        highest_vcn: u64::from(blocks) - 1,
        allocated: bytes,
        data: bytes,
        initialized: bytes,
        mapping_pairs: &[0x11, blocks, lcn, 0],
        ..Clusters::DATA
    }
    .to_bytes()
}

/// Opens a record by number.
pub(crate) fn open_file(volume: &Volume<Ram>, number: u64) -> Result<Inode> {
    plain(volume.inode_number(RecordNumber::new(number)))
}

/// The UTF-16 units of a name.
pub(crate) fn units(name: &str) -> Result<KVec<u16>> {
    let mut units = KVec::new();
    for unit in name.encode_utf16() {
        units.push(unit, GFP_KERNEL)?;
    }
    Ok(units)
}
