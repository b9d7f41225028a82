// SPDX-License-Identifier: GPL-2.0-only

//! The super block: mounting a volume, `statfs`, and the options in `/proc/mounts`.

use super::{
    dentry::IgnoringCase,
    error::{
        report,
        report_new, //
    },
    export::Handles,
    inode,
    iomap,
    options::Options,
    xattr::Xattrs,
    Context,
    InodeData,
    NtfsRs,
    Volume, //
};
use crate::{
    fs::{
        device::Device,
        directory::CaseMode, //
    },
    ondisk::{
        name::MAX_UNITS,
        time::NtTime,
        units::{
            system_record,
            MftReference,
            SequenceNumber, //
        },
    },
    vfs::{
        fs_context::FsContext,
        inode::Inode,
        new_super_block::{
            Mounted,
            NewSuperBlock, //
        },
        nofs::NoFs,
        ratelimit::Ratelimit,
        shrinker::Shrinker,
        statfs::Statfs,
        super_block::{
            self,
            SuperBlock, //
        },
        workqueue::{
            Background,
            Work,
            Workqueue, //
        }, //
    },
};
use core::ops::Deref;
use kernel::{
    fmt,
    page::PAGE_SIZE,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
};

/// What belongs to a mounted volume.
#[pin_data]
pub(crate) struct Data {
    #[pin]
    log: Ratelimit,
    /// Where the ends of writes are handled.
    ended_writes: Workqueue,
    /// The volume, whose caches the kernel can shrink, and of which it is counted what is free.
    #[pin]
    volume: Background<Shrinker<Pin<KBox<Volume>>>>,
    /// The options in force.
    pub(super) options: Options,
    /// Whether clusters are no smaller than what the device transfers, so that the kernel's generic
    /// code can read them in place.
    pub(super) uses_iomap: bool,
    /// The size of I/O that suits the volume, in bytes.
    pub(super) io_size: u32,
}

impl Data {
    /// The volume, for as long as no allocation may come back to this file system.
    ///
    /// `fs` allocates with its locks held, and reclaim must not want one of them: so this is the only
    /// way to the volume.
    pub(super) fn volume(&self) -> ScopedVolume<'_> {
        ScopedVolume {
            volume: self.volume.owner().get_ref(),
            _scope: NoFs::enter(),
        }
    }
}

/// Counting what is free. Mounting does not wait for it, however large the volume is.
impl Work for Shrinker<Pin<KBox<Volume>>> {
    fn work(&self, go_on: impl Fn() -> bool) {
        let _scope = NoFs::enter();
        // Whoever needs the count meets the error too, and reports it.
        let _ = self.owner().count_free(go_on);
    }
}

/// A volume that is in use by this task.
pub(super) struct ScopedVolume<'a> {
    volume: &'a Volume,
    _scope: NoFs,
}

impl Deref for ScopedVolume<'_> {
    type Target = Volume;

    fn deref(&self) -> &Volume {
        self.volume
    }
}

/// What `statfs(2)` gives as the type: "NTFS" with the bytes in the order of the C drivers.
const MAGIC: u64 = 0x5346_544e;

/// The page size, by which the kernel's block size is bounded.
const PAGE_BYTES: u32 = 1 << kernel::page::PAGE_SHIFT;

impl super_block::Operations for NtfsRs {
    const NAME: &'static CStr = c"ntfs_rs";
    type Context = Context;
    type Data = Data;
    type Inode = InodeData;
    type FileMapping = iomap::Data;

    fn ratelimit(data: &Data) -> &Ratelimit {
        &data.log
    }

    fn workqueue(data: &Data) -> &Workqueue {
        &data.ended_writes
    }

    fn write_inode(inode: &Inode<Self>, waited: bool) -> Result {
        inode::write(inode, waited)
    }

    fn sync_fs(sb: &SuperBlock<Self>) -> Result {
        let volume = sb.data().volume();
        match volume.is_writable() {
            true => volume.sync().map_err(|error| report(sb, error)),
            false if volume.is_stopped() => Err(EROFS),
            false => Ok(()),
        }
    }

    fn freeze_fs(sb: &SuperBlock<Self>) -> Result {
        sb.data().volume.stop();
        end_writing(sb)
    }

    fn unfreeze_fs(sb: &SuperBlock<Self>) -> Result {
        if sb.data().volume().is_stopped() {
            return Ok(());
        }
        start_counting(sb);
        // It was writable before. If it is not any more, that is said, and each write fails.
        if !sb.is_read_only() && !begin_writing(sb, |why| sb.error(why)) {
            sb.data().volume().shutdown();
        }
        Ok(())
    }

    fn put_super(sb: &SuperBlock<Self>) {
        sb.data().volume.stop();
        // The log says what failed; there is nobody else to tell.
        let _ = end_writing(sb);
    }

    fn shutdown(sb: &SuperBlock<Self>) {
        sb.data().volume().shutdown();
    }

    fn statfs(sb: &SuperBlock<Self>, out: &mut Statfs) -> Result {
        let volume = sb.data().volume();
        let geometry = volume.geometry();
        // A count that cannot be had is shown as 0: `df` is no reason to fail.
        let free = match volume.free_clusters() {
            Ok(free) => free.map_or(0, |free| free.get()),
            Err(error) => {
                report(sb, error);
                0
            }
        };
        out.set_block_size(geometry.cluster_size().bytes());
        out.set_blocks(geometry.clusters().get(), free);
        match volume.record_counts() {
            // New files can use free records, and whatever free clusters could become records.
            Ok(counts) => {
                let bytes = free.saturating_mul(u64::from(geometry.cluster_size().bytes()));
                let possible = bytes
                    .checked_shr(geometry.record_size().shift())
                    .unwrap_or(0);
                let free = counts.free.saturating_add(possible);
                let used = counts.total.saturating_sub(counts.free);
                out.set_files(used.saturating_add(free), free);
            }
            Err(error) => {
                report(sb, error);
            }
        }
        out.set_name_length(u32::try_from(MAX_UNITS)?);
        Ok(())
    }

    fn show_options(sb: &SuperBlock<Self>, seq: &SeqFile) -> Result {
        let data = sb.data();
        data.options.show(seq);
        if data.volume().is_stopped() {
            // As ext4 has it.
            seq_print!(seq, ",emergency_ro");
        }
        Ok(())
    }
}

/// Begins to write the volume, or tells why that is not possible; whether it is.
pub(super) fn begin_writing(
    sb: &SuperBlock<NtfsRs>,
    tell: impl FnOnce(fmt::Arguments<'_>),
) -> bool {
    let data = sb.data();
    if !data.uses_iomap {
        tell(fmt!(
            "its clusters are smaller than the blocks of the device"
        ));
        return false;
    }
    match data.volume().begin_writing(data.options.force()) {
        Ok(()) => true,
        Err(refusal) => {
            tell(fmt!("{}", refusal));
            false
        }
    }
}

/// Has it counted in the background what is free, as far as it is not yet. That ends with a freeze and an
/// unmount; a remount does not wait for it either, and needs no other count.
pub(super) fn start_counting(sb: &SuperBlock<NtfsRs>) {
    sb.data().volume.start();
}

/// Has freed clusters discarded or not, as the options say.
///
/// That a device cannot is told once, when the option comes.
pub(super) fn apply_discard(sb: &SuperBlock<NtfsRs>, tell: impl FnOnce(fmt::Arguments<'_>)) {
    let data = sb.data();
    let volume = data.volume();
    let discard = data.options.discard();
    if volume.set_discard(discard) != discard && discard && volume.device().discard_unit().is_none()
    {
        tell(fmt!("'discard' has no effect: the device cannot"));
    }
}

/// Leaves the volume clean on the device, if it was being written.
pub(super) fn end_writing(sb: &SuperBlock<NtfsRs>) -> Result {
    let volume = sb.data().volume();
    match volume.is_writable() {
        true => volume.end_writing().map_err(|error| report(sb, error)),
        false => Ok(()),
    }
}

/// Mounts the volume that is on the super block's device.
pub(super) fn fill<'a>(
    fc: &FsContext,
    mut sb: NewSuperBlock<'a, NtfsRs>,
    options: Options,
) -> Result<Mounted<'a, NtfsRs>> {
    let device = sb.block_device()?;
    let device_block = device.logical_block_size();
    let volume = Volume::open(device).map_err(|error| report_new(fc, &sb, error))?;
    for notice in volume.notices() {
        sb.warn(fmt!("{}", notice));
    }

    let cluster = volume.geometry().cluster_size().bytes();
    let uses_iomap = cluster >= device_block;
    sb.set_block_size(cluster.min(PAGE_BYTES).max(device_block))?;
    sb.set_magic(MAGIC);
    sb.set_max_bytes(u64::MAX);
    let (first, _) = NtTime::new(0).to_unix();
    let (last, _) = NtTime::new(i64::MAX.unsigned_abs()).to_unix();
    sb.set_time(first, last, 100);
    sb.set_uuid(&volume.serial().to_le_bytes())?;
    sb.set_export::<Handles>();
    sb.set_xattr::<Xattrs>();
    sb.set_posix_acl(options.acl);
    if options.case == CaseMode::Ignore {
        sb.set_dentry_ops::<IgnoringCase>();
    }

    let data = try_pin_init!(Data {
        log <- Ratelimit::new(),
        ended_writes: Workqueue::new(c"ntfs_rs")?,
        volume <- Background::new(Shrinker::new(KBox::into_pin(volume), c"ntfs_rs")?),
        options,
        uses_iomap,
        io_size: cluster.max(u32::try_from(PAGE_SIZE)?),
    });
    let sb = sb.set_data(KBox::try_pin_init(data, GFP_KERNEL)?);
    let root = MftReference {
        number: system_record::ROOT,
        sequence: SequenceNumber::ZERO,
    };
    match inode::get(&sb, root) {
        Ok(root) => sb.set_root(root),
        // What is a stale reference elsewhere is no volume here.
        Err(ESTALE) => {
            sb.error(fmt!(
                "the record of the root directory is free, or part of another file"
            ));
            fc.errorf(fmt!(
                "the record of the root directory is free, or part of another file"
            ));
            Err(EUCLEAN)
        }
        Err(error) => Err(error),
    }
}
