// SPDX-License-Identifier: GPL-2.0-only

//! A volume, opened: its system files, and the way to everything else.
//!
//! [`Volume::open`] reads the boot sector (or a copy of it), finds all of `$MFT`, and reads what the
//! volume says about itself. A system file that is broken costs no more than what it is for; that
//! is told by a [`Notice`]. The volume dereferences to its [`Store`], which reads records,
//! attributes and index blocks.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        Allocator,
        Progress,
        Zone, //
    },
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    bitmap::Bitmap,
    catalog::Catalog,
    data,
    device::Device,
    encoder::SpareEncoder,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    inode::{
        read_small,
        Inode, //
    },
    mft,
    notice::Notice,
    records::Records,
    store::{
        FirstRecords,
        Store, //
    },
    writing::Writing, //
};
use crate::ondisk::{
    attribute::{
        AttributeType,
        Form, //
    },
    boot::{
        Geometry,
        BOOT_SECTOR_LENGTH, //
    },
    bytes::usize_from_u32,
    name::Name,
    record::FileRecord,
    units::{
        system_record,
        ByteCount,
        ByteOffset,
        ClusterCount,
        MftReference,
        RecordNumber,
        SequenceNumber,
        Vcn, //
    },
    upcase::{
        UpCase,
        TABLE_LENGTH, //
    },
    volume_information::{
        VolumeFlags,
        VolumeInformation, //
    },
};

/// How many records `$MFT` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordCounts {
    /// All of them.
    pub total: u64,
    /// Those that are free.
    pub free: u64,
}

/// A volume.
pub struct Volume<D: Device> {
    store: Pin<KBox<Store<D>>>,
    upcase: UpCase,
    label: KVec<u16>,
    information: VolumeInformation,
    clusters: Option<Bitmap>,
    allocator: Result<Pin<KBox<Allocator>>>,
    record_bits: Option<Bitmap>,
    record_allocator: Result<Pin<KBox<Records>>>,
    notices: KVec<Notice>,
    writing: Pin<KBox<Writing>>,
    spare_encoder: Pin<KBox<SpareEncoder>>,
}

impl<D: Device> core::ops::Deref for Volume<D> {
    type Target = Store<D>;

    fn deref(&self) -> &Store<D> {
        &self.store
    }
}

impl<D: Device> Volume<D> {
    /// Opens the volume on `device`, for reading. May sleep.
    ///
    /// [`Error::NotNtfs`] if there is none; [`Error::Corrupt`] if the boot sectors or `$MFT` cannot
    /// be used, or the volume is longer than the device.
    pub fn open(device: D) -> Result<KBox<Self>> {
        let mut notices = KVec::new();
        let boot = Boot::find(&device)?;
        if let Some(notice) = boot.notice {
            array::push(&mut notices, notice)?;
        }
        if !boot.geometry.has_signature() {
            array::push(&mut notices, Notice::BootSignature)?;
        }
        let mapping = Arc::new(boot.mft, GFP_KERNEL)?;
        let store = KBox::pin_init(
            Store::new(device, boot.geometry, boot.first_records, mapping),
            GFP_KERNEL,
        )
        .map_err(|_| Error::NoMemory)?;
        bootstrap(&store, &mut notices)?;
        compare_mirror(&store, &mut notices)?;
        let upcase = read_upcase(&store, &mut notices)?;
        let (label, information) = read_volume_record(&store, &mut notices)?;
        let clusters = open_bitmap(&store, &mut notices)?;
        let record_bits = open_record_bitmap(&store)?;
        check_attribute_definitions(&store, &mut notices)?;
        let allocator = open_allocator(&store)?;
        let record_allocator = Records::open(&store);
        if let Err(Error::NoMemory) = record_allocator {
            return Err(Error::NoMemory);
        }
        let writing = KBox::pin_init(Writing::new(), GFP_KERNEL).map_err(|_| Error::NoMemory)?;
        let spare = KBox::pin_init(SpareEncoder::new(), GFP_KERNEL);
        let volume = Self {
            store,
            upcase,
            label,
            information,
            clusters,
            allocator,
            record_bits,
            record_allocator,
            notices,
            writing,
            spare_encoder: spare.map_err(|_| Error::NoMemory)?,
        };
        Ok(KBox::new(volume, GFP_KERNEL)?)
    }

    /// What the administrator should know although the volume could be opened.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Whether something was found that only chkdsk can mend, in what writing relies on.
    pub(super) fn is_damaged(&self) -> bool {
        self.notices.iter().any(Notice::forbids_writing)
    }

    /// Whether `$MFTMirr` has something else than `$MFT`.
    pub(super) fn has_other_copies(&self) -> bool {
        let differs = |notice: &Notice| matches!(notice, Notice::MirrorDiffers(_));
        self.notices.iter().any(differs)
    }

    /// How far the volume is written.
    pub(super) fn writing(&self) -> &Writing {
        &self.writing
    }

    /// The memory in which units are encoded when there is no other.
    pub(super) fn spare_encoder(&self) -> &SpareEncoder {
        &self.spare_encoder
    }

    /// The allocator, or why there is none.
    pub(super) fn clusters_for_writing(&self) -> Result<&Allocator> {
        match &self.allocator {
            Ok(allocator) => Ok(allocator),
            Err(error) => Err(*error),
        }
    }

    /// The allocator of MFT records, or why there is none.
    pub(super) fn records_for_writing(&self) -> Result<&Records> {
        match &self.record_allocator {
            Ok(allocator) => Ok(allocator),
            Err(error) => Err(*error),
        }
    }

    /// The name of the volume, as UTF-16 units.
    pub fn label(&self) -> &[u16] {
        &self.label
    }

    /// Major and minor version of NTFS; 0.0 if the volume could not tell.
    pub fn version(&self) -> (u8, u8) {
        (
            self.information.major_version,
            self.information.minor_version,
        )
    }

    /// The state of the volume as it is on the disk.
    pub fn flags(&self) -> VolumeFlags {
        self.information.flags
    }

    /// The capital letters by which the directories are sorted.
    pub fn upcase(&self) -> &UpCase {
        &self.upcase
    }

    /// The serial number.
    pub fn serial(&self) -> u64 {
        self.store.geometry().serial()
    }

    /// Clusters that are free; `None` if `$Bitmap` cannot be opened.
    ///
    /// Counts what is not counted yet, see [`Volume::count_free`]; may sleep.
    pub fn free_clusters(&self) -> Result<Option<ClusterCount>> {
        match (&self.allocator, &self.clusters) {
            (Ok(allocator), _) => allocator.free(&self.store).map(Some),
            (_, Some(bitmap)) => Ok(Some(ClusterCount::new(bitmap.free(&self.store)?))),
            _ => Ok(None),
        }
    }

    /// How many MFT records there are, and how many of them are free. Counts what is not counted yet.
    pub fn record_counts(&self) -> Result<RecordCounts> {
        let total = self.store.record_count();
        let free = match (&self.record_allocator, &self.record_bits) {
            (Ok(allocator), _) => allocator.free(&self.store)?,
            (_, Some(bitmap)) => bitmap.free(&self.store)?,
            _ => 0,
        };
        Ok(RecordCounts { total, free })
    }

    /// Counts the free clusters and records, so that nobody need wait for that later.
    ///
    /// `go_on` is asked before each read, of at most 256 KiB; when it says no, that is all. May sleep, and holds
    /// no lock meanwhile for which anybody waits who does not need the count himself. Whoever does meets the same
    /// error. A bitmap that is not fit to be written is counted when it is asked for.
    pub fn count_free(&self, go_on: impl Fn() -> bool) -> Result {
        let clusters = self.allocator.as_ref().ok().map(|bits| &**bits);
        let records = self.record_allocator.as_ref().ok().map(|own| own.bits());
        for bits in [clusters, records].into_iter().flatten() {
            // Each turn counts a part of the bitmap.
            while go_on() && bits.count_some(&self.store)? == Progress::Counting {}
        }
        Ok(())
    }

    /// Opens a file by reference; see [`Inode::open`].
    pub fn inode(&self, reference: MftReference) -> Result<Inode> {
        Inode::open(&self.store, reference)
    }

    /// Opens whatever file uses a record now.
    pub fn inode_number(&self, number: RecordNumber) -> Result<Inode> {
        self.inode(any_use_of(number))
    }

    /// Opens the root directory.
    pub fn root(&self) -> Result<Inode> {
        self.inode_number(system_record::ROOT)
    }

    /// Opens the directory that lists a file (one of them), or the one above a directory.
    pub fn parent(&self, inode: &Inode) -> Result<Inode> {
        self.inode(inode.parent().ok_or(Error::NotFound)?)
    }
}

/// A reference to a record that does not care which use of it is meant.
fn any_use_of(number: RecordNumber) -> MftReference {
    MftReference {
        number,
        sequence: SequenceNumber::ZERO,
    }
}

/// What is known before there is a store.
struct Boot {
    geometry: Geometry,
    first_records: FirstRecords,
    /// The first part of `$MFT`.
    mft: Mapping,
    notice: Option<Notice>,
}

impl Boot {
    /// Finds a boot sector that leads to `$MFT`: the first sector, or one of its copies.
    fn find<D: Device>(device: &D) -> Result<Self> {
        let first = match Self::at(device, ByteOffset::ZERO) {
            Ok(boot) => return Ok(boot),
            Err(error) => error,
        };
        if first == Error::NoMemory {
            return Err(first);
        }
        for at in copies(device) {
            // A copy counts only if it leads to `$MFT`: it may be of a volume that was here before.
            if let Ok(mut boot) = Self::at(device, at) {
                boot.notice = boot.notice.or(Some(Notice::BackupBootSector(at)));
                return Ok(boot);
            }
        }
        Err(first)
    }

    fn at<D: Device>(device: &D, at: ByteOffset) -> Result<Self> {
        let place = Place::Boot(at);
        let mut sector = [0; BOOT_SECTOR_LENGTH];
        device.read(at, &mut sector).map_err(Error::Device)?;
        if !sector
            .get(3..)
            .is_some_and(|rest| rest.starts_with(b"NTFS    "))
        {
            return Err(Error::NotNtfs);
        }
        let geometry = Geometry::parse(&sector).at(place)?;
        if geometry.volume_size() > device.size() {
            return Err(Error::rule(
                place,
                "volume longer than its device",
                geometry.volume_size().get(),
                device.size().get(),
            ));
        }
        let main = first_part(device, &geometry, FirstRecords::Main);
        let error = match main {
            Ok(mft) => {
                return Ok(Self {
                    geometry,
                    first_records: FirstRecords::Main,
                    mft,
                    notice: None,
                })
            }
            Err(error) => error,
        };
        // When the copy is of no use either, the error is that of the original.
        let mft = first_part(device, &geometry, FirstRecords::Mirror).map_err(|_| error)?;
        Ok(Self {
            geometry,
            first_records: FirstRecords::Mirror,
            mft,
            notice: Some(Notice::MirrorUsed(error)),
        })
    }
}

/// Where copies of the boot sector can be: at the end, and where NT 3.51 had it, in the middle.
fn copies<D: Device>(device: &D) -> impl Iterator<Item = ByteOffset> {
    let size = device.size().get();
    let block = u64::from(device.logical_block_size()).max(512);
    let last = |sector: u64| size.checked_sub(sector).map(|at| at & !511);
    let half = size.checked_shr(1).map(|at| at & !511);
    let places = [last(512), last(block), last(4096), half];
    places
        .into_iter()
        .flatten()
        .filter(|at| *at != 0)
        .map(ByteOffset::new)
}

/// Reads the record of `$MFT`, from itself or from `$MFTMirr`, and decodes where its data begins.
fn first_part<D: Device>(device: &D, geometry: &Geometry, from: FirstRecords) -> Result<Mapping> {
    let number = system_record::MFT;
    let place = Place::Attribute(number, AttributeType::DATA);
    let lcn = match from {
        FirstRecords::Main => geometry.mft(),
        FirstRecords::Mirror => geometry.mft_mirror(),
    };
    let at = geometry
        .cluster_size()
        .lcn_to_offset(lcn)
        .ok_or(Error::NotFound)?;
    let size = usize_from_u32(geometry.record_size().bytes());
    let mut record = KVec::<u8>::zeroed(size, GFP_KERNEL)?;
    device.read(at, &mut record).map_err(Error::Device)?;
    mft::finish(&mut record, number)?;
    let record = FileRecord::parse(&record).at(Place::Record(number))?;
    if !record.header().flags.is_in_use() {
        return Err(Error::rule(place, "record of $MFT is not in use", 0, 1));
    }
    let part = record
        .attributes()
        .filter_map(core::result::Result::ok)
        .filter(|attribute| attribute.type_ == AttributeType::DATA && attribute.name.is_empty())
        .find_map(|attribute| match attribute.form {
            Form::NonResident(part) if part.lowest_vcn == Vcn::ZERO => Some(part),
            _ => None,
        })
        .ok_or_else(|| Error::rule(place, "record of $MFT has no data", 0, 1))?;
    let mapping = Mapping::of_part(geometry, place, &part)?;
    if mapping.runlist.lookup(Vcn::ZERO).is_none() {
        return Err(mapping
            .damage
            .unwrap_or_else(|| Error::rule(place, "$MFT without clusters", 0, 1)));
    }
    Ok(mapping)
}

/// Turns that are taken at most to find parts of `$MFT` through other parts of it.
const MAX_BOOTSTRAP_TURNS: usize = 16;

/// Finds all parts of `$MFT`, which can be described in records that lie in parts found before.
fn bootstrap<D: Device>(store: &Store<D>, notices: &mut KVec<Notice>) -> Result {
    let mut known = 0;
    let mut damage = None;
    for _ in 0..MAX_BOOTSTRAP_TURNS {
        let found = Catalog::load(store, any_use_of(system_record::MFT)).and_then(|catalog| {
            let data = Attribute::open(store, &catalog, AttributeType::DATA, &[])?
                .ok_or(Error::NotFound)?;
            data.load_mapping(store)
        });
        let mapping = match found {
            Ok(mapping) => Arc::new(mapping, GFP_KERNEL)?,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                damage = Some(error);
                break;
            }
        };
        damage = mapping.damage;
        let runs = mapping.runlist.len();
        store.set_mft(mapping);
        if damage.is_none() || runs <= known {
            break;
        }
        known = runs;
        // Records that could not be read are tried again with what is known now.
        store.shrink(usize::MAX);
    }
    if let Some(damage) = damage {
        array::push(notices, Notice::MftIncomplete(damage))?;
    }
    Ok(())
}

/// Compares the first records with their copies.
fn compare_mirror<D: Device>(store: &Store<D>, notices: &mut KVec<Notice>) -> Result {
    for number in (0..mft::MIRRORED).map(RecordNumber::new) {
        let copy = match mft::read_mirror(store, number) {
            Ok(copy) => copy,
            Err(error) if error == Error::NoMemory => return Err(error),
            Err(error) => {
                array::push(notices, Notice::MirrorUnreadable(error))?;
                return Ok(());
            }
        };
        let Ok(original) = mft::read_main(store, number) else {
            continue;
        };
        let used = |bytes: &[u8]| {
            let record = FileRecord::parse(bytes).ok()?;
            Some(usize_from_u32(record.header().bytes_in_use).min(bytes.len()))
        };
        let length = used(&original).unwrap_or(original.len());
        if original.get(..length) != copy.get(..length) {
            array::push(notices, Notice::MirrorDiffers(number))?;
            return Ok(());
        }
    }
    Ok(())
}

/// Takes `$Bitmap` over for writing; the inner error is why it cannot be written.
fn open_allocator<D: Device>(store: &Store<D>) -> Result<Result<Pin<KBox<Allocator>>>> {
    let opened = system_attribute(store, system_record::BITMAP, AttributeType::DATA)
        .and_then(|bitmap| Allocator::open(store, &bitmap, Zone::behind_mft(store)));
    match opened {
        Err(Error::NoMemory) => Err(Error::NoMemory),
        opened => Ok(opened),
    }
}

/// Opens an attribute of a system file.
pub(super) fn system_attribute<D: Device>(
    store: &Store<D>,
    number: RecordNumber,
    type_: AttributeType,
) -> Result<Arc<Attribute>> {
    let catalog = Catalog::load(store, any_use_of(number))?;
    Attribute::open(store, &catalog, type_, &[])?
        .ok_or_else(|| Error::rule(Place::Attribute(number, type_), "missing", 0, 1))
}

/// Lets a lack of memory through, and makes a notice of all else.
fn tolerate<T>(
    result: Result<T>,
    notices: &mut KVec<Notice>,
    notice: fn(Error) -> Notice,
) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NoMemory) => Err(Error::NoMemory),
        Err(error) => {
            array::push(notices, notice(error))?;
            Ok(None)
        }
    }
}

fn read_upcase<D: Device>(store: &Store<D>, notices: &mut KVec<Notice>) -> Result<UpCase> {
    let read = || -> Result<UpCase> {
        let data = system_attribute(store, system_record::UPCASE, AttributeType::DATA)?;
        let mut table = KVVec::<u8>::zeroed(TABLE_LENGTH, GFP_KERNEL)?;
        let length = data::read_at(store, &data, ByteOffset::ZERO, &mut table)?;
        table.truncate(length);
        UpCase::check(&table).at(data.place())?;
        Ok(UpCase::from_data(&table)?)
    };
    match tolerate(read(), notices, Notice::DefaultUpCase)? {
        Some(upcase) => Ok(upcase),
        None => Ok(UpCase::windows()?),
    }
}

fn read_volume_record<D: Device>(
    store: &Store<D>,
    notices: &mut KVec<Notice>,
) -> Result<(KVec<u16>, VolumeInformation)> {
    let number = system_record::VOLUME;
    let information = (|| {
        let attribute = system_attribute(store, number, AttributeType::VOLUME_INFORMATION)?;
        let value = read_small(store, &attribute)?;
        VolumeInformation::parse(&value).at(attribute.place())
    })();
    let information = tolerate(information, notices, Notice::NoVolumeInformation)?;
    let information = information.unwrap_or(VolumeInformation {
        major_version: 0,
        minor_version: 0,
        flags: VolumeFlags::default(),
    });
    if information.flags.contains(VolumeFlags::DIRTY) {
        array::push(notices, Notice::Dirty)?;
    }

    let mut label = KVec::new();
    // A volume without a label may lack the attribute.
    let value = system_attribute(store, number, AttributeType::VOLUME_NAME)
        .and_then(|attribute| read_small(store, &attribute));
    match value {
        Ok(value) => {
            let units = value.get(..value.len().min(256) & !1).unwrap_or(&[]);
            let name = Name::from_bytes(units).unwrap_or_default();
            label = array::collected(name.units(), name.len())?;
        }
        Err(Error::NoMemory) => return Err(Error::NoMemory),
        Err(_) => {}
    }
    Ok((label, information))
}

fn open_bitmap<D: Device>(store: &Store<D>, notices: &mut KVec<Notice>) -> Result<Option<Bitmap>> {
    let bits = store.geometry().clusters().get();
    let value = system_attribute(store, system_record::BITMAP, AttributeType::DATA);
    let value = tolerate(value, notices, Notice::NoBitmap)?;
    Ok(value.map(|value| Bitmap::new(value, bits)))
}

fn open_record_bitmap<D: Device>(store: &Store<D>) -> Result<Option<Bitmap>> {
    match system_attribute(store, system_record::MFT, AttributeType::BITMAP) {
        // No more records than fit the volume, whatever size `$MFT` claims: what is beyond is holes,
        // and counting those would take for ever.
        Ok(value) => {
            let size = store.geometry().record_size();
            let room = store.geometry().volume_size().get();
            let most = room.checked_shr(size.shift()).unwrap_or(0);
            Ok(Some(Bitmap::new(value, store.record_count().min(most))))
        }
        Err(Error::NoMemory) => Err(Error::NoMemory),
        Err(_) => Ok(None),
    }
}

fn check_attribute_definitions<D: Device>(store: &Store<D>, notices: &mut KVec<Notice>) -> Result {
    let number = system_record::ATTRIBUTE_DEFINITIONS;
    let found = system_attribute(store, number, AttributeType::DATA).and_then(|data| {
        if data.data_size() == ByteCount::ZERO {
            return Err(Error::rule(data.place(), "empty", 0, 1));
        }
        Ok(())
    });
    tolerate(found, notices, Notice::NoAttributeDefinitions)?;
    Ok(())
}
