// SPDX-License-Identifier: GPL-2.0-only

//! A volume that is written: whether it may be, that it is marked while it is, and how its metadata
//! reaches the device.
//!
//! The mark is the dirty flag in `$Volume`. It is durable before anything else is changed, and goes only
//! after everything else is on the device. As long as this driver writes no log, the one that is there is
//! emptied with the first change: replaying it later would put old metadata in the place of new.
//!
//! Order at [`Volume::sync`]: data and the bits of clusters and records that are in use, then the records
//! that refer to them, then records that were given up, then the bits of what is free. What is cut off between
//! leaves clusters that nobody uses, never one that two believe to have. The device may keep what it was not
//! told to flush in any order, so there is a flush between each two; and since files change meanwhile, a
//! record that does so after the bits were copied is written only after those of then, see
//! [`super::writeback`].
//!
//! Lock order: see [`super`]. All but the mutex of trees are taken before any other of this layer but that of a
//! mapping.

use kernel::{
    fmt, new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        Mutex,
        MutexGuard, //
    },
};

use super::{
    allocator::{
        Allocator,
        Run, //
    },
    attribute::Attribute,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Result, //
    },
    hibernation, mft,
    residency::Form,
    runlist::Target,
    transaction::Transaction,
    trim,
    volume::{
        system_attribute,
        Volume, //
    },
};
use crate::ondisk::{
    attribute::{
        AttributeType,
        Form as RecordForm, //
    },
    log::{
        change::Change,
        restart::{
            LogState,
            Version, //
        },
    },
    units::{
        system_record,
        ByteCount,
        ByteOffset,
        ClusterCount,
        Lcn, //
    },
    volume_information::{
        self,
        VolumeFlags,
        VolumeInformation, //
    },
};

/// Why a volume is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was not unmounted, or errors were found on it.
    Dirty,
    /// chkdsk was at work.
    Chkdsk,
    /// `$MFTMirr` has another copy of a record: the last writer did not come to its end.
    Mirror,
    /// Windows is to bring it to another version, or to resize its log.
    Upgrade,
    /// Not a version that is written: major, minor.
    Version(u8, u8),
    /// There are changes in the log that are not on the volume yet.
    Log,
    /// As before, and the log is of the kind that Windows 8 and later use while a volume is mounted.
    LogInUse,
    /// The log is of a version that is not known.
    LogVersion,
    /// The log cannot be read.
    LogBroken(Error),
    /// Windows is hibernated, or was shut down by "fast startup".
    Hibernated,
    /// A structure that is needed for writing is broken.
    Broken(Error),
    /// The boot sector, `$MFT` or its first records could not be read from where they should be.
    Damaged,
    /// Writing was stopped, and what is in memory is not what is on the device.
    Stopped,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dirty => f.write_str(
                "the volume is marked dirty: let Windows check it (chkdsk /f), or mount with 'force'",
            ),
            Self::Mirror => f.write_str(
                "$MFTMirr differs from $MFT: let Windows check the volume (chkdsk /f), or mount with 'force'",
            ),
            Self::Chkdsk => f.write_str("chkdsk did not come to its end: let Windows check the volume"),
            Self::Upgrade => f.write_str("Windows has to upgrade the volume or its log first"),
            Self::Version(major, minor) => {
                f.write_fmt(fmt!("NTFS {}.{} is not written by this driver", major, minor))
            }
            Self::Log => f.write_str(
                "$LogFile has changes that are not on the volume: mount it in Windows, or with 'force'",
            ),
            Self::LogInUse => f.write_str(
                "$LogFile is in use by Windows: shut Windows down without \"fast startup\" (shutdown /s)",
            ),
            Self::LogVersion => f.write_str("$LogFile is of a version that is not known"),
            Self::LogBroken(error) => f.write_fmt(fmt!("$LogFile cannot be read: {}", error)),
            Self::Hibernated => f.write_str(
                "Windows is hibernated (hiberfil.sys): shut it down without \"fast startup\" (shutdown /s)",
            ),
            Self::Broken(error) => f.write_fmt(fmt!("{}", error)),
            Self::Damaged => f.write_str("the volume is damaged: let Windows check it (chkdsk /f)"),
            Self::Stopped => f.write_str("writing was stopped: unmount the volume and let it be checked"),
        }
    }
}

/// How far a volume is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It is not.
    ReadOnly,
    /// It may be; nothing is changed yet.
    Writable,
    /// It is marked dirty, and is being changed.
    Changed,
}

impl Mode {
    fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Writable,
            2 => Self::Changed,
            _ => Self::ReadOnly,
        }
    }

    fn to_raw(self) -> u32 {
        match self {
            Self::ReadOnly => 0,
            Self::Writable => 1,
            Self::Changed => 2,
        }
    }
}

/// The state of writing of a volume.
#[pin_data]
pub struct Writing {
    mode: Atomic<u32>,
    /// Whether the volume stays marked dirty: metadata could not be written, or is broken, or the volume was
    /// marked before, and nobody has checked it.
    stays_marked: Atomic<bool>,
    /// Whether writing was stopped for good.
    stopped: Atomic<bool>,
    /// Whether clusters are discarded when they become free.
    discard: Atomic<bool>,
    /// Held by the one who changes the mode.
    #[pin]
    marking: Mutex<()>,
    /// Held by the one who brings metadata to the device.
    #[pin]
    syncing: Mutex<()>,
    /// Held by the one who changes the tree of an index.
    #[pin]
    trees: Mutex<()>,
}

impl Writing {
    /// Of a volume that is not written.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            mode: Atomic::new(Mode::ReadOnly.to_raw()),
            stays_marked: Atomic::new(false),
            stopped: Atomic::new(false),
            discard: Atomic::new(false),
            marking <- new_mutex!((), "ntfs_rs::marking"),
            syncing <- new_mutex!((), "ntfs_rs::syncing"),
            trees <- new_mutex!((), "ntfs_rs::trees"),
        })
    }

    /// Locks the trees of all indexes against other changes than those of the data of entries.
    pub(super) fn change_trees(&self) -> MutexGuard<'_, ()> {
        self.trees.lock()
    }

    fn mode(&self) -> Mode {
        Mode::from_raw(self.mode.load(Acquire))
    }

    fn set_mode(&self, mode: Mode) {
        self.mode.store(mode.to_raw(), Release);
    }

    /// From one mode to another; `false` if it is not that one any more.
    fn turn(&self, from: Mode, to: Mode) -> bool {
        self.mode.cmpxchg(from.to_raw(), to.to_raw(), Full).is_ok()
    }
}

impl<D: Device> Volume<D> {
    /// Decides whether the volume may be written, and if so, lets it. Nothing is written yet.
    ///
    /// With `force` a volume that is dirty, whose log is not clean, or whose `$MFTMirr` differs is written all
    /// the same: what the log would have mended is lost. It stays marked until somebody checks it. A hibernated
    /// Windows is not forced.
    pub fn begin_writing(&self, force: bool) -> core::result::Result<(), Refusal> {
        let _alone = self.writing().marking.lock();
        if self.writing().mode() != Mode::ReadOnly {
            return Ok(());
        }
        if self.is_stopped() {
            return Err(Refusal::Stopped);
        }
        self.check_writable(force)?;
        self.writing().set_mode(Mode::Writable);
        Ok(())
    }

    fn check_writable(&self, force: bool) -> core::result::Result<(), Refusal> {
        match self.version() {
            (1, 2) | (3, 0) | (3, 1) => {}
            (major, minor) => return Err(Refusal::Version(major, minor)),
        }
        if self.is_damaged() {
            return Err(Refusal::Damaged);
        }
        self.allocator().map_err(Refusal::Broken)?;
        self.records_for_writing().map_err(Refusal::Broken)?;
        self.check_own_clusters().map_err(Refusal::Broken)?;
        let flags = self.read_flags().map_err(Refusal::Broken)?;
        if flags.contains(VolumeFlags::UPGRADE_ON_MOUNT)
            || flags.contains(VolumeFlags::RESIZE_LOG_FILE)
        {
            return Err(Refusal::Upgrade);
        }
        if hibernation::is_hibernated(self).map_err(Refusal::Broken)? {
            return Err(Refusal::Hibernated);
        }
        let refused = self.check_left(flags);
        if force && refused.is_err() {
            self.writing().stays_marked.store(true, Relaxed);
            return Ok(());
        }
        refused
    }

    /// Looks at what the last writer left behind.
    fn check_left(&self, flags: VolumeFlags) -> core::result::Result<(), Refusal> {
        if flags.contains(VolumeFlags::CHKDSK_UNDERWAY) {
            return Err(Refusal::Chkdsk);
        }
        if flags.contains(VolumeFlags::DIRTY) {
            return Err(Refusal::Dirty);
        }
        if self.has_other_copies() {
            return Err(Refusal::Mirror);
        }
        match self.log_state().map_err(Refusal::LogBroken)? {
            LogState::Empty | LogState::Closed(_) | LogState::Clean(_) | LogState::Chkdsk(_) => {
                Ok(())
            }
            LogState::Unclean(page) if page.version == Version::V2_0 => Err(Refusal::LogInUse),
            LogState::Unclean(_) => Err(Refusal::Log),
            LogState::Unknown(..) => Err(Refusal::LogVersion),
        }
    }

    /// Whether the volume may be written.
    pub fn is_writable(&self) -> bool {
        self.writing().mode() != Mode::ReadOnly
    }

    /// To be called before anything is changed: marks the volume, if it is not marked yet.
    ///
    /// [`Error::ReadOnly`] if it may not be written, or not any more.
    pub fn start_change(&self) -> Result {
        match self.writing().mode() {
            Mode::Changed => Ok(()),
            Mode::ReadOnly => Err(Error::ReadOnly),
            Mode::Writable => self.first_change(),
        }
    }

    fn first_change(&self) -> Result {
        let _alone = self.writing().marking.lock();
        match self.writing().mode() {
            Mode::Changed => return Ok(()),
            Mode::ReadOnly => return Err(Error::ReadOnly),
            Mode::Writable => {}
        }
        let marked = self.write_dirty_flag(true).and_then(|()| self.empty_log());
        marked.map_err(unwritten)?;
        match self.writing().turn(Mode::Writable, Mode::Changed) {
            true => Ok(()),
            // Writing was stopped meanwhile.
            false => Err(Error::ReadOnly),
        }
    }

    /// Does what needs space. If there is none while freed clusters or records wait for what freed them to be durable,
    /// that is made so, and it is done once more: the caller has no lock of this layer.
    pub(super) fn with_freed<T>(&self, act: impl Fn() -> Result<T>) -> Result<T> {
        let waits = |bits: &Allocator| bits.pending() != ClusterCount::ZERO;
        match act() {
            Err(Error::NoSpace)
                if waits(self.allocator()?) || waits(self.records_for_writing()?.bits()) =>
            {
                self.sync()?;
                act()
            }
            result => result,
        }
    }

    /// Brings all changes of metadata to the device, durably.
    ///
    /// After an error what could not be written is tried again the next time, and the volume stays marked
    /// dirty. [`Error::Unwritten`] if it was the device that failed.
    pub fn sync(&self) -> Result {
        if self.writing().mode() != Mode::Changed {
            return Ok(());
        }
        let result = self.write_metadata().map_err(unwritten);
        if result.is_err() {
            self.writing().stays_marked.store(true, Relaxed);
        }
        result
    }

    fn write_metadata(&self) -> Result {
        let _alone = self.writing().syncing.lock();
        let clusters = self.allocator()?;
        let records = self.records_for_writing()?;
        let (epoch, record_epoch) = (clusters.mark(), records.bits().mark());
        let write_bits = || {
            clusters.write_back(self)?;
            records.bits().write_back(self)
        };
        let bits = || {
            write_bits()?;
            self.flush()
        };
        let round = || {
            self.begin_round()?;
            bits()?;
            self.write_round(bits)?;
            self.flush()
        };
        let left_behind = records.take_left_behind();
        if let Err(error) = round() {
            records.put_left_behind(left_behind);
            return Err(error);
        }
        // Nothing on the device leads to these any more.
        let is_rid = left_behind.take_out(self);
        if self.give_up_records(record_epoch)? || is_rid {
            round()?;
        }
        records.bits().settle(record_epoch, |_| {});
        let unit = self.discard_unit();
        clusters.settle(epoch, |run| self.discard_freed(run, unit));
        write_bits()
    }

    /// Whether clusters are discarded when they become free: after what freed them is durable, and before
    /// anybody can get them again. Without effect if the device cannot discard.
    /// Says whether it was so before.
    pub fn set_discard(&self, discard: bool) -> bool {
        self.writing().discard.xchg(discard, Relaxed)
    }

    /// What a run of freed clusters has to be as long as, if those are to be discarded.
    fn discard_unit(&self) -> Option<ByteCount> {
        let discard = self.writing().discard.load(Relaxed);
        self.device().discard_unit().filter(|_| discard)
    }

    fn discard_freed(&self, run: Run, unit: Option<ByteCount>) {
        let length = self.geometry().cluster_size().to_bytes(run.length);
        if unit.is_some_and(|unit| length.is_some_and(|length| length >= unit)) {
            // Nothing depends on it, and nobody could do anything about a failure.
            let _ = trim::discard(self, run);
        }
    }

    fn flush(&self) -> Result {
        self.device().flush().map_err(Error::Device)
    }

    /// The volume is not written any more, until [`Volume::begin_writing`]: for an unmount, a remount or a
    /// freeze. Takes the mark away, if everything is on the device; leaves one for who has only seen that
    /// something is broken.
    pub fn end_writing(&self) -> Result {
        let synced = self.sync();
        let _alone = self.writing().marking.lock();
        let mode = self.writing().mode();
        self.writing().set_mode(Mode::ReadOnly);
        synced?;
        let stays_marked = self.writing().stays_marked.load(Relaxed);
        match mode {
            Mode::Changed if !stays_marked => {
                self.flush()?;
                self.write_dirty_flag(false).map_err(unwritten)
            }
            Mode::Writable if stays_marked => self.write_dirty_flag(true).map_err(unwritten),
            _ => Ok(()),
        }
    }

    /// Stops all writing at once and for good; the volume stays as it is on the device, marked dirty if
    /// anything was changed. Says whether it was written until now. Never waits; callable under any lock.
    pub fn shutdown(&self) -> bool {
        self.writing().stays_marked.store(true, Relaxed);
        self.writing().stopped.store(true, Relaxed);
        let mode = &self.writing().mode;
        Mode::from_raw(mode.xchg(Mode::ReadOnly.to_raw(), Full)) != Mode::ReadOnly
    }

    /// Whether writing was stopped by [`Volume::shutdown`].
    pub fn is_stopped(&self) -> bool {
        self.writing().stopped.load(Relaxed)
    }

    /// Something on the volume is broken: it is to be marked dirty when it is no longer written. Never waits.
    pub fn note_damage(&self) {
        self.writing().stays_marked.store(true, Relaxed);
    }

    /// The attribute with the flags of the volume.
    fn information(&self) -> Result<kernel::sync::Arc<Attribute>> {
        system_attribute(
            self,
            system_record::VOLUME,
            AttributeType::VOLUME_INFORMATION,
        )
    }

    fn read_flags(&self) -> Result<VolumeFlags> {
        let information = self.information()?;
        let place = information.place();
        information
            .with_resident(self, &(), |value| VolumeInformation::parse(value).at(place))?
            .ok_or(Error::NotFound)?
            .map(|information| information.flags)
    }

    /// Sets or clears the dirty flag, durably.
    fn write_dirty_flag(&self, dirty: bool) -> Result {
        let information = self.information()?;
        let piece = information.first_piece().ok_or(Error::NotFound)?;
        let holder = information.holder(self)?;
        let mut transaction = Transaction::begin();
        let page = transaction.map_record(self, &holder, piece.record)?;
        let found = information.find_in(transaction.bytes(page))?;
        let RecordForm::Resident { value, .. } = found.form else {
            return Err(Error::NotFound);
        };
        let place = information.place();
        let old = VolumeInformation::parse(value).at(place)?.flags;
        let new = old.with(VolumeFlags::DIRTY, dirty);
        let at = found.at;
        if new != old {
            transaction.change(page, |record| {
                Change::update_resident_value(
                    record,
                    at,
                    volume_information::FLAGS_OFFSET,
                    &new.get().to_le_bytes(),
                )
            })?;
        }
        transaction.commit();
        self.write_dirty()?;
        self.flush()
    }

    fn log_file(&self) -> Result<kernel::sync::Arc<Attribute>> {
        let log = system_attribute(self, system_record::LOG_FILE, AttributeType::DATA)?;
        let size = log.data_size();
        if size > MAX_LOG {
            let (found, most) = (size.get(), MAX_LOG.get());
            return Err(Error::rule(log.place(), "size of the log", found, most));
        }
        Ok(log)
    }

    /// Checks that what the volume needs to be found again is not among the free clusters: the boot sector,
    /// `$MFT`, its mirror, and both bitmaps. Reads only what `$Bitmap` tells of these, a bit for a cluster.
    fn check_own_clusters(&self) -> Result {
        let clusters = self.allocator()?;
        let geometry = self.geometry();
        let record = u64::from(geometry.record_size().bytes());
        let mirror = ByteCount::new(record.saturating_mul(mft::MIRRORED));
        let mirror = geometry.cluster_size().clusters_for(mirror);
        let places = [
            (Lcn::ZERO, ClusterCount::new(1)),
            (geometry.mft_mirror(), mirror),
        ];
        for (lcn, length) in places {
            clusters.check_used(self, Run { lcn, length })?;
        }
        let own = |number, type_| system_attribute(self, number, type_)?.mapping(self);
        let mappings = [
            self.mft(),
            own(system_record::MFT, AttributeType::BITMAP)?,
            own(system_record::BITMAP, AttributeType::DATA)?,
        ];
        for extent in mappings
            .iter()
            .flat_map(|mapping| mapping.runlist.extents())
        {
            if let Target::Clusters(lcn) = extent.target {
                let length = extent.length;
                clusters.check_used(self, Run { lcn, length })?;
            }
        }
        Ok(())
    }

    /// What the head of `$LogFile` says.
    fn log_state(&self) -> Result<LogState> {
        let log = self.log_file()?;
        let mut head = KVVec::<u8>::zeroed(LOG_HEAD, GFP_KERNEL)?;
        let length = data::read_at(self, &log, ByteOffset::ZERO, &mut head)?;
        head.truncate(length);
        LogState::read(&mut head).at(log.place())
    }

    /// Fills `$LogFile` with ones, which all who read it take for an empty log.
    fn empty_log(&self) -> Result {
        if self.log_state() == Ok(LogState::Empty) {
            return Ok(());
        }
        let log = self.log_file()?;
        if log.residency().hint() == Form::Resident {
            return Err(Error::Unsupported("$LogFile within its record"));
        }
        let mapping = log.mapping(self)?;
        let mut ones = KVec::<u8>::zeroed(LOG_PIECE, GFP_KERNEL)?;
        ones.fill(0xff);
        let size = log.data_size();
        let mut at = ByteOffset::ZERO;
        // Each turn goes on by what it wrote.
        while let Some(left) = size.checked_sub(ByteCount::new(at.get())) {
            let length = usize::try_from(left.get())
                .unwrap_or(usize::MAX)
                .min(LOG_PIECE);
            if length == 0 {
                break;
            }
            let piece = ones.get(..length).unwrap_or(&[]);
            data::write_mapping(self, &mapping, log.place(), at, piece)?;
            let written = ByteCount::new(crate::ondisk::bytes::u64_from_usize(length));
            at = at.checked_add(written).ok_or(Error::NotFound)?;
        }
        self.flush()
    }

    /// The clusters of the volume; an error if `$Bitmap` cannot be used for writing.
    pub fn allocator(&self) -> Result<&Allocator> {
        match self.clusters_for_writing() {
            Ok(allocator) => Ok(allocator),
            Err(error) => Err(error),
        }
    }
}

/// The error of a device to which metadata was written; to be short of memory is none of its own.
fn unwritten(error: Error) -> Error {
    match error {
        Error::Device(ENOMEM) => Error::NoMemory,
        Error::Device(errno) => Error::Unwritten(errno),
        error => error,
    }
}

/// Bytes at the head of a log in which both restart pages are, whatever their size.
const LOG_HEAD: usize = 128 * 1024;
/// Bytes of the longest log that there is, with room to spare.
const MAX_LOG: ByteCount = ByteCount::new(8 << 30);
/// Bytes of a log that are overwritten at once.
const LOG_PIECE: usize = 64 * 1024;
