// SPDX-License-Identifier: GPL-2.0-only

//! VFS inodes of files: from an MFT reference to an inode, and `stat`.
//!
//! Owner, group and permissions are those that WSL stored with the file, each as far as it is there and the
//! mount does not say otherwise (`uid=`, `gid=`, `umask=`, `fmask=`, `dmask=`); else those of the mount. The
//! type is what the file itself says: a mode of WSL that has another one is not taken. A read-only file has
//! no permission to write in any case.

use super::{
    address_space::DataCache,
    dir::Directory,
    error::{
        log,
        report,
        report_file, //
    },
    file::Regular,
    options::Options,
    symlink::{
        self,
        Link, //
    },
    Data,
    NtfsRs, //
};
use crate::{
    fs::{
        attribute::Attribute,
        directory::CaseMode,
        efs,
        error::Error as FsError,
        inode::{
            Inode as File,
            Kind, //
        },
        inode_record::{
            self,
            Changed, //
        },
        residency::Form,
        unpack, //
    },
    ondisk::{
        standard_information::FileAttributes,
        time::NtTime,
        units::{
            system_record,
            MftReference, //
        }, //
    },
    vfs::{
        address_space::Kept,
        iattr::Iattr,
        inode::{
            file_flags,
            Iget,
            Inode, //
        },
        inode_lock::InvalidateLock,
        kstat::{
            attributes,
            Kstat, //
        },
        mode,
        new_inode::{
            FolioSizes,
            NewInode, //
        },
        super_block::SuperBlock,
        time::Timespec, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// What is kept of an inode besides `struct inode`.
pub(crate) struct InodeData {
    /// The file.
    pub(super) file: File,
}

/// The inode of a file; `ESTALE` if the record is free, or another file's by now.
pub(super) fn get(sb: &SuperBlock<NtfsRs>, reference: MftReference) -> Result<ARef<Inode<NtfsRs>>> {
    get_telling(sb, reference, report)
}

/// [`get`] for a reference that came from outside of the volume: that there is no file is not its fault.
pub(super) fn get_for_handle(
    sb: &SuperBlock<NtfsRs>,
    reference: MftReference,
) -> Result<ARef<Inode<NtfsRs>>> {
    get_telling(sb, reference, log)
}

fn get_telling(
    sb: &SuperBlock<NtfsRs>,
    reference: MftReference,
    tell: fn(&SuperBlock<NtfsRs>, FsError) -> Error,
) -> Result<ARef<Inode<NtfsRs>>> {
    match sb.iget(reference.number.get())? {
        Iget::Cached(inode) => {
            let sequence = u32::from(reference.sequence.get());
            if sequence != 0 && sequence != inode.generation() {
                return Err(ESTALE);
            }
            Ok(inode)
        }
        Iget::New(inode) => {
            let file = sb
                .data()
                .volume()
                .inode(reference)
                .map_err(|error| tell(sb, error))?;
            if let Some(damage) = file.damage() {
                tell(sb, damage);
            }
            fill(sb, inode, file)
        }
    }
}

/// Fills a new inode in.
fn fill(
    sb: &SuperBlock<NtfsRs>,
    mut inode: NewInode<NtfsRs>,
    file: File,
) -> Result<ARef<Inode<NtfsRs>>> {
    let data = sb.data();
    let options = &data.options;
    let times = file.times();

    let wsl = file.wsl();
    let uid = wsl.uid.filter(|_| !options.given.uid);
    let gid = wsl.gid.filter(|_| !options.given.gid);
    inode.set_uid(uid.and_then(|uid| sb.uid(uid)).unwrap_or(options.uid));
    inode.set_gid(gid.and_then(|gid| sb.gid(gid)).unwrap_or(options.gid));
    inode.set_mode(mode_of(&file, file.file_attributes(), options));
    inode.set_nlink(file.links());
    inode.set_generation(u32::from(file.reference().sequence.get()));
    inode.set_atime(timespec(times.access));
    inode.set_mtime(timespec(times.modification));
    inode.set_ctime(timespec(times.change));
    inode.set_blocks(file.allocated().get().div_ceil(512));

    if options.sys_immutable && is_of_the_system(&file) {
        inode.set_immutable();
    }
    match file.kind() {
        Kind::Directory => {
            inode.set_size(directory_size(&file))?;
            if file.is_case_sensitive_directory() {
                inode.set_case_sensitive();
            }
            inode.set_dir::<Directory, Directory>();
        }
        Kind::File => {
            let raw = raw_stream(options, &file);
            inode.set_size(raw.map_or(file.size(), efs::raw_size).get())?;
            if let Some(stream) = clusters_of(&file).filter(|_| raw.is_none()) {
                inode.set_valid_size(stream.sizes().initialized.get());
            }
            let folios = match (file.unit(), file.is_overlaid()) {
                // One is read, and written, with its unit.
                (Some(unit), false) => FolioSizes::Exactly(unit),
                (Some(unit), true) => FolioSizes::AtLeast(unit),
                (None, _) if data.uses_iomap => FolioSizes::Any,
                (None, _) => FolioSizes::Pages,
            };
            inode.set_file::<Regular, Regular, DataCache>(folios);
        }
        Kind::Symlink => {
            // A link that cannot be read has no length, and says why when it is followed.
            let length = symlink::text(data, &file).map_or(0, |text| text.len());
            inode.set_size(u64::try_from(length)?)?;
            inode.set_symlink::<Link>();
        }
        Kind::Fifo => {
            inode.set_special::<Regular>(0, 0);
        }
        Kind::Socket => {
            inode.set_special::<Regular>(0, 0);
        }
        Kind::CharDevice(device) => {
            inode.set_special::<Regular>(device.major, device.minor);
        }
        Kind::BlockDevice(device) => {
            inode.set_special::<Regular>(device.major, device.minor);
        }
    }
    inode.init(InodeData { file })
}

/// Whether it is a file or directory that Windows calls the system's own. The root directory is marked so too,
/// but what is in it is the user's.
fn is_of_the_system(file: &File) -> bool {
    file.file_attributes().contains(FileAttributes::SYSTEM)
        && matches!(file.kind(), Kind::File | Kind::Directory)
        && file.reference().number != system_record::ROOT
}

/// The bytes of a directory's index blocks, or of its root if it has none.
fn directory_size(file: &File) -> u64 {
    file.index().map_or(0, |index| {
        let (root, blocks) = index.sizes();
        blocks.map_or(root, |blocks| blocks.data).get()
    })
}

fn timespec(time: NtTime) -> Timespec {
    let (secs, nanos) = time.to_unix();
    Timespec { secs, nanos }
}

/// The unnamed stream, if there is one that can be opened.
pub(super) fn stream(inode: &Inode<NtfsRs>) -> Option<&Attribute> {
    inode
        .data()
        .file
        .data()
        .ok()
        .flatten()
        .map(|stream| &**stream)
}

/// The unnamed stream, if EFS has encrypted it and the mount wants it as it is.
fn raw_stream<'a>(options: &Options, file: &'a File) -> Option<&'a Attribute> {
    if !options.efs_raw {
        return None;
    }
    let stream = file.data().ok().flatten()?;
    efs::is_raw(stream).then_some(&**stream)
}

/// [`raw_stream`] of an inode.
pub(super) fn raw(inode: &Inode<NtfsRs>) -> Option<&Attribute> {
    raw_stream(&inode.super_block().data().options, &inode.data().file)
}

fn clusters_of(file: &File) -> Option<&Attribute> {
    let stream = file.data().ok().flatten()?;
    (stream.residency().hint() == Form::NonResident).then_some(&**stream)
}

/// Whether the value is where the kernel's generic code can read it, as far as the hint tells.
pub(super) fn uses_iomap(inode: &Inode<NtfsRs>) -> bool {
    let file = &inode.data().file;
    let is_plain = file.unit().is_none() && !file.is_overlaid() && raw(inode).is_none();
    is_plain && inode.super_block().data().uses_iomap && clusters_of(file).is_some()
}

/// The bytes of the units in which the unnamed stream is compressed by LZNT1, or will be when it leaves its record.
pub(super) fn unit(inode: &Inode<NtfsRs>) -> Option<u64> {
    let file = &inode.data().file;
    file.unit().filter(|_| !file.is_overlaid())
}

/// Where the content is, as far as the hint tells.
pub(super) fn kept(inode: &Inode<NtfsRs>) -> Kept {
    if uses_iomap(inode) {
        return Kept::Blocks;
    }
    let is_in_clusters = clusters_of(&inode.data().file).is_some();
    match is_in_clusters && unit(inode).is_some() {
        true => Kept::Units,
        false => Kept::Metadata,
    }
}

/// Whether this driver can read the unnamed stream; if not, why, in the log.
pub(super) fn check_readable(inode: &Inode<NtfsRs>) -> Result {
    let checked = match raw(inode) {
        Some(stream) => efs::check_raw(stream),
        None => inode.data().file.check_readable(),
    };
    checked.map_err(|error| report_file(inode, error))
}

/// The unnamed stream, if this driver can change it; if not, why, in the log.
pub(super) fn writable_stream(inode: &Inode<NtfsRs>) -> Result<&Attribute> {
    check_writable(inode)?;
    stream(inode).ok_or(EOPNOTSUPP)
}

/// Whether this driver can change the unnamed stream; if not, why, in the log.
///
/// Plain bytes in a stream that is encrypted or elsewhere would be garbage to all others. A unit of one that is
/// compressed has to be in one folio.
pub(super) fn check_writable(inode: &Inode<NtfsRs>) -> Result {
    check_not_stopped(inode)?;
    let refused = match inode.data().file.data() {
        Ok(Some(stream)) => {
            // (A folio may have several.)
            let is_divided = unit(inode).is_some_and(|unit| unit > inode.min_folio_bytes());
            let divided = FsError::Unsupported("writing compressed data without large folios");
            stream.unwritable().or(is_divided.then_some(divided))
        }
        Ok(None) => Some(FsError::Unsupported(
            "file without a data stream, to be written",
        )),
        Err(error) => Some(error),
    };
    refused.map_or(Ok(()), |error| Err(report_file(inode, error)))
}

/// [`check_writable`] for who opens a file. One that WOF has compressed can be changed, when it is [unpacked](unpack).
pub(super) fn check_can_be_written(inode: &Inode<NtfsRs>) -> Result {
    match inode.data().file.is_packed() {
        true => check_not_stopped(inode),
        false => check_writable(inode),
    }
}

/// Makes an ordinary file of one that WOF has compressed: to be called before its content, or its size, is changed for
/// the first time. The caller has neither the mapping nor a folio locked.
pub(super) fn unpack(inode: &Inode<NtfsRs>) -> Result {
    if !inode.data().file.is_packed() {
        return Ok(());
    }
    check_not_stopped(inode)?;
    // Nobody reads the compressed stream meanwhile, or later.
    let _lock = InvalidateLock::lock(inode);
    if !inode.data().file.is_packed() {
        // Somebody was faster, and may have changed its sizes since.
        return Ok(());
    }
    // Of such a file nobody asks for this; from then on it counts.
    inode.set_valid_size(inode.size());
    let volume = inode.super_block().data().volume();
    unpack::unpack(&volume, &inode.data().file).map_err(|error| report_file(inode, error))?;
    inode.mark_dirty();
    Ok(())
}

/// Whether the volume can still be written, as the mount says: `EROFS` after damage was found.
pub(super) fn check_not_stopped(inode: &Inode<NtfsRs>) -> Result {
    match inode.super_block().data().volume().is_stopped() {
        true => Err(EROFS),
        false => Ok(()),
    }
}

/// What `stat` tells beyond `struct inode`.
pub(super) fn getattr(inode: &Inode<NtfsRs>, stat: &mut Kstat) -> Result {
    let data = inode.super_block().data();
    let file = &inode.data().file;
    stat.set_btime(timespec(file.times().creation));
    stat.set_block_size(data.io_size);
    stat.set_blocks(file.allocated().get().div_ceil(512));

    let known = [
        (FileAttributes::COMPRESSED, attributes::COMPRESSED),
        (FileAttributes::ENCRYPTED, attributes::ENCRYPTED),
    ];
    let (mut set, mut mask) = (0, 0);
    for (windows, linux) in known {
        mask |= linux;
        if file.file_attributes().contains(windows) {
            set |= linux;
        }
    }
    mask |= attributes::IMMUTABLE;
    if inode.is_immutable() {
        set |= attributes::IMMUTABLE;
    }
    stat.set_attributes(set, mask);
    if file.kind() == Kind::File {
        let (memory, offset) = match uses_iomap(inode) {
            true => data.direct_io_alignment(),
            false => (0, 0),
        };
        stat.set_dio_align(memory, offset);
    }
    Ok(())
}

/// How names are found in a directory: as the mount says, unless the directory's own flag tells them apart.
pub(super) fn case_mode(inode: &Inode<NtfsRs>) -> CaseMode {
    match inode.data().file.is_case_sensitive_directory() {
        true => CaseMode::Exact,
        false => inode.super_block().data().options.case,
    }
}

/// What `lsattr` shows: what Windows knows of it, and how names are found. There is nothing in NTFS that would say
/// "append only" or "no dump".
pub(super) fn file_flags(inode: &Inode<NtfsRs>) -> u32 {
    let file = &inode.data().file;
    let attributes = file.file_attributes();
    let known = [
        (
            attributes.contains(FileAttributes::COMPRESSED),
            file_flags::COMPRESSED,
        ),
        (
            attributes.contains(FileAttributes::ENCRYPTED),
            file_flags::ENCRYPTED,
        ),
        (inode.is_immutable(), file_flags::IMMUTABLE),
        (
            file.kind() == Kind::Directory && case_mode(inode) == CaseMode::Ignore,
            file_flags::IGNORES_CASE,
        ),
    ];
    known
        .iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |all, (_, flag)| all | flag)
}

/// What `chmod`, `utimensat` and others change of what is no regular file: its mode is that of the mount.
pub(super) fn setattr(inode: &Inode<NtfsRs>, attr: &mut Iattr) -> Result {
    check_not_stopped(inode)?;
    if let Some(mode) = attr.mode() {
        check_mode(mode)?;
        attr.keep_mode();
    }
    Ok(())
}

/// Makes a regular file read-only or not, as a mode says, and gives the mode that it has then.
///
/// There is no place for more of a mode. As in other file systems without owners, the nearest is taken.
pub(super) fn set_mode(inode: &Inode<NtfsRs>, mode: u16) -> Result<u16> {
    check_mode(mode)?;
    let data = inode.super_block().data();
    let file = &inode.data().file;
    let read_only = mode & mode::WRITE & !data.options.fmask == 0;
    let changed = Changed {
        read_only: Some(read_only),
        ..Changed::default()
    };
    inode_record::write_inode(&data.volume(), file, &changed, false)
        .map_err(|error| report_file(inode, error))?;
    let attributes = FileAttributes::default().with(FileAttributes::READ_ONLY, read_only);
    Ok(mode_of(file, attributes, &data.options))
}

/// The mode of a file with these attributes.
fn mode_of(file: &File, attributes: FileAttributes, options: &Options) -> u16 {
    let type_ = match file.kind() {
        // Nobody looks at the permissions of a link.
        Kind::Symlink => return mode::SYMLINK | mode::RWX,
        Kind::Directory => mode::DIRECTORY,
        Kind::File => mode::REGULAR,
        Kind::Fifo => mode::FIFO,
        Kind::Socket => mode::SOCKET,
        Kind::CharDevice(_) => mode::CHAR_DEVICE,
        Kind::BlockDevice(_) => mode::BLOCK_DEVICE,
    };
    let (mask, is_given) = match type_ {
        mode::DIRECTORY => (options.dmask, options.given.dmask),
        _ => (options.fmask, options.given.fmask),
    };
    let stored = file.wsl().mode.filter(|_| !is_given);
    let permissions = stored
        .and_then(|mode| u16::try_from(mode).ok())
        .filter(|mode| mode & mode::TYPE == type_)
        .map_or(mode::RWX & !mask, |mode| mode & mode::PERMISSIONS);
    // Read-only means something else for the directories of Windows.
    let is_read_only = type_ == mode::REGULAR && attributes.contains(FileAttributes::READ_ONLY);
    match is_read_only {
        true => type_ | (permissions & !mode::WRITE),
        false => type_ | permissions,
    }
}

/// Refuses a mode that no file here can have.
fn check_mode(mode: u16) -> Result {
    match mode & !(mode::TYPE | mode::RWX) {
        0 => Ok(()),
        _ => Err(EPERM),
    }
}

/// Has the record know what memory knows. `waited`: all data that was dirty was written and waited for.
pub(super) fn write(inode: &Inode<NtfsRs>, waited: bool) -> Result {
    let (access, modification, change) = inode.times();
    let changed = Changed {
        access: Some(nt_time(access)),
        modification: Some(nt_time(modification)),
        change: Some(nt_time(change)),
        read_only: None,
    };
    let volume = inode.super_block().data().volume();
    inode_record::write_inode(&volume, &inode.data().file, &changed, waited)
        .map_err(|error| report_file(inode, error))
}

pub(super) fn nt_time(time: Timespec) -> NtTime {
    NtTime::from_unix(time.secs, time.nanos)
}

impl Data {
    /// Alignment of memory and of file offsets that direct I/O needs, in bytes.
    fn direct_io_alignment(&self) -> (u32, u32) {
        let volume = self.volume();
        let device = volume.device();
        (device.dma_alignment(), device.logical_block_size())
    }
}
