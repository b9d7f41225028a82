// SPDX-License-Identifier: GPL-2.0-only

//! VFS inodes of files: from an MFT reference to an inode, and `stat`.

use super::{
    address_space::DataCache,
    dir::Directory,
    error::{
        report,
        report_file, //
    },
    file::Regular,
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
        error::Error as FsError,
        inode::{
            Inode as File,
            Kind, //
        },
        residency::Form, //
    },
    ondisk::{
        standard_information::FileAttributes,
        time::NtTime,
        units::MftReference, //
    },
    vfs::{
        inode::{
            Iget,
            Inode, //
        },
        kstat::{
            attributes,
            Kstat, //
        },
        mode,
        new_inode::NewInode,
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
                .map_err(|error| report(sb, error))?;
            if let Some(damage) = file.damage() {
                sb.error(fmt!("{}", damage));
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

    inode.set_uid(options.uid);
    inode.set_gid(options.gid);
    inode.set_nlink(file.links());
    inode.set_generation(u32::from(file.reference().sequence.get()));
    inode.set_atime(timespec(times.access));
    inode.set_mtime(timespec(times.modification));
    inode.set_ctime(timespec(times.change));
    inode.set_blocks(file.allocated().get().div_ceil(512));

    let special = mode::RWX & !options.fmask;
    match file.kind() {
        Kind::Directory => {
            inode.set_mode(mode::DIRECTORY | (mode::RWX & !options.dmask));
            inode.set_size(directory_size(&file))?;
            inode.set_dir::<Directory, Directory>();
        }
        Kind::File => {
            // Read-only means something else for the directories of Windows.
            let writable = match file.file_attributes().contains(FileAttributes::READ_ONLY) {
                true => mode::RWX & !mode::WRITE,
                false => mode::RWX,
            };
            inode.set_mode(mode::REGULAR | (writable & !options.fmask));
            inode.set_size(file.size().get())?;
            if let Some(stream) = clusters_of(&file) {
                inode.set_valid_size(stream.sizes().initialized.get());
            }
            inode.set_file::<Regular, Regular, DataCache>(data.uses_iomap);
        }
        Kind::Symlink => {
            inode.set_mode(mode::SYMLINK | mode::RWX);
            // A link that cannot be read has no length, and says why when it is followed.
            let length = symlink::text(data, &file).map_or(0, |text| text.len());
            inode.set_size(u64::try_from(length)?)?;
            inode.set_symlink::<Link>();
        }
        Kind::Fifo => {
            inode.set_mode(mode::FIFO | special);
            inode.set_special::<Regular>(0, 0);
        }
        Kind::Socket => {
            inode.set_mode(mode::SOCKET | special);
            inode.set_special::<Regular>(0, 0);
        }
        Kind::CharDevice(device) => {
            inode.set_mode(mode::CHAR_DEVICE | special);
            inode.set_special::<Regular>(device.major, device.minor);
        }
        Kind::BlockDevice(device) => {
            inode.set_mode(mode::BLOCK_DEVICE | special);
            inode.set_special::<Regular>(device.major, device.minor);
        }
    }
    inode.init(InodeData { file })
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

fn clusters_of(file: &File) -> Option<&Attribute> {
    let stream = file.data().ok().flatten()?;
    (stream.residency().hint() == Form::NonResident).then_some(&**stream)
}

/// Whether the value is where the kernel's generic code can read it, as far as the hint tells.
pub(super) fn uses_iomap(inode: &Inode<NtfsRs>) -> bool {
    inode.super_block().data().uses_iomap && clusters_of(&inode.data().file).is_some()
}

/// Whether this driver can read the unnamed stream; if not, why, in the log.
pub(super) fn check_readable(inode: &Inode<NtfsRs>) -> Result {
    let refused = match inode.data().file.data() {
        Ok(Some(stream)) => stream
            .unsupported(stream.residency().hint())
            .map(FsError::Unsupported),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    refused.map_or(Ok(()), |error| Err(report_file(inode, error)))
}

/// What `stat` tells beyond `struct inode`.
pub(super) fn getattr(inode: &Inode<NtfsRs>, stat: &mut Kstat) -> Result {
    let data = inode.super_block().data();
    let file = &inode.data().file;
    stat.set_btime(timespec(file.times().creation));
    stat.set_block_size(data.io_size);

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

impl Data {
    /// Alignment of memory and of file offsets that direct I/O needs, in bytes.
    fn direct_io_alignment(&self) -> (u32, u32) {
        let volume = self.volume();
        let device = volume.device();
        (device.dma_alignment(), device.logical_block_size())
    }
}
