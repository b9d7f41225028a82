// SPDX-License-Identifier: GPL-2.0-only

//! Extended attributes: named streams, EAs, and what only Windows knows of a file.
//!
//! `user.NAME` is the stream `NAME`, as for ntfs-3g; if there is none it is the EA `user.NAME`, as for the
//! drivers in the kernel, or the EA `NAME`, as Windows has them. EAs in the other three name spaces have their
//! whole names; those of `trusted.` are for administrators only, whatever way one asks. The names of EAs are
//! the same in any case, since Windows writes them in capitals.
//!
//! What is set is a stream, which hides an EA of that name. EAs themselves are not changed.
//!
//! Access control lists of POSIX are EAs too, but the VFS asks for them in another way, see [`super::posix_acl`].
//!
//! What is fixed is called `system.ntfs_...` as by ntfs-3g and ntfs3, with the same bytes: numbers are those
//! of the machine, and big-endian where the name ends so. None of these is listed. The whole `$EA` has the
//! EAs that are not for everybody, and EFS keys are nobody's business either: both are for administrators.

use super::{
    charset::MAX_BYTES,
    error::{
        report,
        report_file, //
    },
    inode::{
        check_not_stopped,
        nt_time, //
    },
    NtfsRs, //
};
use crate::{
    fs::{
        efs::Encrypted,
        error::{
            Error as FsError,
            Place, //
        },
        inode::Kind,
        names,
        object_id,
        security,
        stream_update,
        streams, //
    },
    ondisk::{
        attribute::AttributeType,
        ea,
        error::Malformed,
        file_name::Namespace,
        name::{
            units_to_wtf8,
            NameBuf, //
        },
        posix_acl,
        standard_information::FileAttributes, //
    },
    vfs::{
        ids,
        inode::Inode,
        xattr::{
            At,
            How,
            Names,
            Operations, //
        }, //
    },
};
use kernel::prelude::*;

const USER: &[u8] = b"user.";
const TRUSTED: &[u8] = b"trusted.";
const SECURITY: &[u8] = b"security.";
const SYSTEM: &[u8] = b"system.";
/// What every name of Linux begins with one of.
const NAMESPACES: [&[u8]; 4] = [USER, TRUSTED, SECURITY, SYSTEM];
/// What WSL keeps in EAs, of which `stat` tells.
const WSL: [&[u8]; 4] = [b"$LXUID", b"$LXGID", b"$LXMOD", b"$LXDEV"];
/// The name of the attribute with the keys of a file that is encrypted: `$EFS`.
const EFS: [u16; 4] = [0x24, 0x45, 0x46, 0x53];

/// The extended attributes of a volume.
pub(super) struct Xattrs;

impl Operations<NtfsRs> for Xattrs {
    fn get(at: &At<'_, NtfsRs>, name: &[u8], value: &mut [u8]) -> Result<usize> {
        let inode = at.inode();
        if let Some(rest) = name.strip_prefix(USER) {
            return user(inode, name, rest, value);
        }
        if let Some(length) = System::find(name).map(|which| system(at, which, value)) {
            return length;
        }
        if !NAMESPACES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(EOPNOTSUPP);
        }
        match with_ea(inode, &[name], |found| give(found, value))? {
            Some(length) => Ok(length),
            // As where there is nobody for this name.
            None if name.starts_with(SYSTEM) => Err(EOPNOTSUPP),
            None => Err(ENODATA),
        }
    }

    fn set(inode: &Inode<NtfsRs>, name: &[u8], value: &[u8], how: How) -> Result {
        let rest = name.strip_prefix(USER).ok_or(EOPNOTSUPP)?;
        check_not_stopped(inode)?;
        let units = stream_name(inode, rest)?;
        let units = units.as_units();
        if how != How::Any {
            let exists = has_stream(inode, units)? || has_user_ea(inode, name, rest)?;
            match how {
                How::Create if exists => return Err(EEXIST),
                How::Replace if !exists => return Err(ENODATA),
                _ => {}
            }
        }
        let data = inode.super_block().data();
        let (volume, file) = (data.volume(), &inode.data().file);
        stream_update::set(&volume, file, units, data.options.case, value)
            .map_err(|error| report_file(inode, error))?;
        inode.note_change();
        Ok(())
    }

    fn remove(inode: &Inode<NtfsRs>, name: &[u8]) -> Result {
        let rest = name.strip_prefix(USER).ok_or(EOPNOTSUPP)?;
        check_not_stopped(inode)?;
        let data = inode.super_block().data();
        // A name that no file can have no stream has either.
        if let Ok(units) = data.options.charset.to_units(rest) {
            let (volume, file) = (data.volume(), &inode.data().file);
            let removed = stream_update::remove(&volume, file, units.as_units(), data.options.case);
            if removed.map_err(|error| report_file(inode, error))? {
                inode.note_change();
                return Ok(());
            }
        }
        match has_user_ea(inode, name, rest)? {
            // EAs are read only.
            true => Err(EOPNOTSUPP),
            false => Err(ENODATA),
        }
    }
}

/// The name of a stream that is to be made; `EINVAL` if none can have it.
fn stream_name(inode: &Inode<NtfsRs>, name: &[u8]) -> Result<NameBuf> {
    let charset = &inode.super_block().data().options.charset;
    let units = charset.to_units(name).map_err(|error| match error {
        ENOENT => EINVAL,
        error => error,
    })?;
    match streams::is_name(units.as_units()) {
        true => Ok(units),
        false => Err(EINVAL),
    }
}

fn has_stream(inode: &Inode<NtfsRs>, name: &[u16]) -> Result<bool> {
    let data = inode.super_block().data();
    let file = &inode.data().file;
    let found = streams::read(
        &data.volume(),
        file,
        name,
        data.options.case,
        Encrypted::AsStored,
        &mut [],
    );
    found
        .map(|found| found.is_some())
        .map_err(|error| report_file(inode, error))
}

/// The prefix of an EA's name that Linux gave it, and what is behind it; Windows may have made capitals of both.
fn split(name: &[u8]) -> Option<(&'static [u8], &[u8])> {
    NAMESPACES.iter().find_map(|prefix| {
        let (head, rest) = name.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then_some((*prefix, rest))
    })
}

/// Writes a value, if there is room, and says how long it is.
fn give(found: &[u8], value: &mut [u8]) -> usize {
    if found.len() <= value.len() {
        for (to, from) in value.iter_mut().zip(found) {
            *to = *from;
        }
    }
    found.len()
}

/// A stream, or an EA.
fn user(inode: &Inode<NtfsRs>, name: &[u8], rest: &[u8], value: &mut [u8]) -> Result<usize> {
    let data = inode.super_block().data();
    let volume = data.volume();
    // A name that no file can have no stream has either.
    if let Ok(units) = data.options.charset.to_units(rest) {
        let file = &inode.data().file;
        let encrypted = match data.options.efs_raw {
            true => Encrypted::AsStored,
            false => Encrypted::Refused,
        };
        let (name, case) = (units.as_units(), data.options.case);
        let size = streams::read(&volume, file, name, case, encrypted, value);
        if let Some(size) = size.map_err(|error| report_file(inode, error))? {
            return usize::try_from(size.get()).map_err(|_| E2BIG);
        }
    }
    with_user_ea(inode, name, rest, |found| give(found, value))?.ok_or(ENODATA)
}

/// Lets `look` have the EA that `user.` and `rest` mean, if there is no stream.
fn with_user_ea<R>(
    inode: &Inode<NtfsRs>,
    name: &[u8],
    rest: &[u8],
    look: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>> {
    // `user.trusted.NAME` is no way around the VFS's check of `trusted.NAME`.
    let names: &[&[u8]] = match split(rest) {
        Some(_) => &[name],
        None => &[name, rest],
    };
    with_ea(inode, names, look)
}

fn has_user_ea(inode: &Inode<NtfsRs>, name: &[u8], rest: &[u8]) -> Result<bool> {
    Ok(with_user_ea(inode, name, rest, |_| ())?.is_some())
}

/// Lets `look` have the EA with the first of these names that one has.
pub(super) fn with_ea<R>(
    inode: &Inode<NtfsRs>,
    names: &[&[u8]],
    look: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>> {
    let Some(all) = eas(inode)? else {
        return Ok(None);
    };
    for name in names {
        for attribute in ea::entries(&all) {
            match attribute {
                Ok(attribute) if attribute.is(name) => return Ok(Some(look(attribute.value))),
                Ok(_) => {}
                Err(what) => return Err(damaged(inode, what)),
            }
        }
    }
    Ok(None)
}

/// The value of `$EA`, if there is one.
fn eas(inode: &Inode<NtfsRs>) -> Result<Option<KVVec<u8>>> {
    let volume = inode.super_block().data().volume();
    let file = inode.data().file.reference();
    streams::value(&volume, file, AttributeType::EA, &[]).map_err(|error| report_file(inode, error))
}

/// The error for a broken chain of EAs.
pub(super) fn damaged(inode: &Inode<NtfsRs>, what: Malformed) -> Error {
    let number = inode.data().file.reference().number;
    let place = Place::Attribute(number, AttributeType::EA);
    report(inode.super_block(), FsError::corrupt(place, what))
}

/// What is fixed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum System {
    DosAttributes,
    Attributes,
    AttributesBigEndian,
    Times,
    TimesBigEndian,
    CreationTime,
    CreationTimeBigEndian,
    ReparseData,
    ObjectId,
    SecurityDescriptor,
    DosName,
    EfsInfo,
    Eas,
}

impl System {
    const NAMES: [(&[u8], Self); 14] = [
        (b"system.dos_attrib", Self::DosAttributes),
        (b"system.ntfs_attrib", Self::Attributes),
        (b"system.ntfs_attrib_be", Self::AttributesBigEndian),
        (b"system.ntfs_times", Self::Times),
        (b"system.ntfs_times_be", Self::TimesBigEndian),
        (b"system.ntfs_crtime", Self::CreationTime),
        (b"system.ntfs_crtime_be", Self::CreationTimeBigEndian),
        (b"system.ntfs_reparse_data", Self::ReparseData),
        (b"system.ntfs_object_id", Self::ObjectId),
        (b"system.ntfs_acl", Self::SecurityDescriptor),
        (b"system.ntfs_security", Self::SecurityDescriptor),
        (b"system.ntfs_dos_name", Self::DosName),
        (b"system.ntfs_efsinfo", Self::EfsInfo),
        (b"system.ntfs_ea", Self::Eas),
    ];

    fn find(name: &[u8]) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names.find(|(of, _)| *of == name).map(|(_, which)| *which)
    }

    /// Whether only administrators may have it.
    fn is_restricted(self) -> bool {
        matches!(self, Self::EfsInfo | Self::Eas)
    }
}

fn system(at: &At<'_, NtfsRs>, which: System, value: &mut [u8]) -> Result<usize> {
    let inode = at.inode();
    if which.is_restricted() && !ids::is_capable_of_administration() {
        return Err(EPERM);
    }
    let file = inode.data().file.reference();
    let volume = inode.super_block().data().volume();
    let found = match which {
        System::DosAttributes => {
            let [low, ..] = attributes(inode)?.get().to_le_bytes();
            return Ok(give(&[low], value));
        }
        System::Attributes | System::AttributesBigEndian => {
            let shown = match attributes(inode)? {
                none if none == FileAttributes::default() => FileAttributes::NORMAL,
                some => some,
            };
            return Ok(match which {
                System::Attributes => give(&shown.get().to_ne_bytes(), value),
                _ => give(&shown.get().to_be_bytes(), value),
            });
        }
        System::Times => return times(inode, value, u64::to_ne_bytes),
        System::TimesBigEndian => return times(inode, value, u64::to_be_bytes),
        System::CreationTime => return creation_time(inode, value, u64::to_ne_bytes),
        System::CreationTimeBigEndian => return creation_time(inode, value, u64::to_be_bytes),
        System::DosName => return dos_name(at, value),
        System::ObjectId => {
            let id = object_id::object_id(&volume, file);
            let id = id.map_err(|error| report_file(inode, error))?;
            return id.map(|id| give(&id, value)).ok_or(ENODATA);
        }
        System::SecurityDescriptor => security::descriptor(&volume, file),
        System::ReparseData => streams::value(&volume, file, AttributeType::REPARSE_POINT, &[]),
        System::EfsInfo => {
            streams::value(&volume, file, AttributeType::LOGGED_UTILITY_STREAM, &EFS)
        }
        System::Eas => streams::value(&volume, file, AttributeType::EA, &[]),
    };
    let found = found.map_err(|error| report_file(inode, error))?;
    found.map(|found| give(&found, value)).ok_or(ENODATA)
}

/// The attributes that Windows would show, without that there are none.
fn attributes(inode: &Inode<NtfsRs>) -> Result<FileAttributes> {
    let file = &inode.data().file;
    let volume = inode.super_block().data().volume();
    let standard = streams::standard_information(&volume, file.reference())
        .map_err(|error| report_file(inode, error))?;
    let is_directory = file.record_flags().is_directory();
    Ok(standard
        .attributes
        .with(FileAttributes::DIRECTORY, is_directory))
}

/// Creation, modification, access, change; as many of them as there is room for, as ntfs-3g gives them.
fn times(inode: &Inode<NtfsRs>, value: &mut [u8], encode: fn(u64) -> [u8; 8]) -> Result<usize> {
    let (access, modification, change) = inode.times();
    let times = [
        inode.data().file.times().creation,
        nt_time(modification),
        nt_time(access),
        nt_time(change),
    ];
    let mut encoded = [0; 32];
    for (to, time) in encoded.chunks_exact_mut(8).zip(times) {
        give(&encode(time.get()), to);
    }
    let room = match value.len() {
        0 => encoded.len(),
        room => room.min(encoded.len()) & !7,
    };
    match encoded.get(..room) {
        Some(some) if !some.is_empty() => Ok(give(some, value)),
        _ => Err(ERANGE),
    }
}

fn creation_time(
    inode: &Inode<NtfsRs>,
    value: &mut [u8],
    encode: fn(u64) -> [u8; 8],
) -> Result<usize> {
    let time = inode.data().file.times().creation;
    Ok(give(&encode(time.get()), value))
}

/// The 8.3 name that the file has in the directory, in capitals.
fn dos_name(at: &At<'_, NtfsRs>, value: &mut [u8]) -> Result<usize> {
    let inode = at.inode();
    let directory = at.directory().ok_or(ENODATA)?;
    // The root is in itself, and its name there is nobody's to see.
    if directory == inode.ino() {
        return Err(ENODATA);
    }
    let volume = inode.super_block().data().volume();
    let found = names::find(&volume, inode.data().file.reference(), |name| {
        name.parent.number.get() == directory
            && matches!(name.namespace, Namespace::Dos | Namespace::Win32AndDos)
    });
    let found = found.map_err(|error| report_file(inode, error))?;
    let found = found.ok_or(ENODATA)?;
    let capitals = found.iter().map(|unit| volume.upcase().upper(*unit));
    let mut text = KBox::new([0; MAX_BYTES], GFP_KERNEL)?;
    let length = units_to_wtf8(capitals, &mut text[..]).unwrap_or(0);
    Ok(give(text.get(..length).unwrap_or(&[]), value))
}

/// Lists streams and EAs.
pub(super) fn list(inode: &Inode<NtfsRs>, names: &mut Names<'_>) -> Result {
    let data = inode.super_block().data();
    let file = &inode.data().file;
    // Of the others, the VFS lets nobody read any.
    let has_user = matches!(file.kind(), Kind::File | Kind::Directory | Kind::Socket);
    let streams = match has_user {
        true => streams::names(&data.volume(), file).map_err(|error| report_file(inode, error))?,
        false => KVec::new(),
    };
    let mut text = KBox::new([0; MAX_BYTES], GFP_KERNEL)?;
    for stream in &streams {
        names.push(USER, data.options.charset.to_bytes(stream, &mut text)?)?;
    }
    let Some(all) = eas(inode)? else {
        return Ok(());
    };
    for attribute in ea::entries(&all) {
        let attribute = attribute.map_err(|what| damaged(inode, what))?;
        let mut lists = [posix_acl::ACCESS, posix_acl::DEFAULT].into_iter();
        if let Some(name) = lists.find(|name| attribute.is(name)) {
            // Without the option, and of links, the VFS gives none to anybody.
            if data.options.acl && file.kind() != Kind::Symlink {
                names.push(&[], name)?;
            }
            continue;
        }
        let (prefix, rest) = split(attribute.name).unwrap_or((USER, attribute.name));
        let is_wsl = WSL.iter().any(|name| attribute.is(name));
        if (prefix == USER && !has_user)
            || ((prefix == TRUSTED || is_wsl) && !ids::is_capable_of_administration())
        {
            continue;
        }
        // A stream of this name is what one would read.
        let units = data.options.charset.to_units(rest);
        let is_stream = prefix == USER
            && units.is_ok_and(|units| streams.iter().any(|name| **name == *units.as_units()));
        if !is_stream {
            names.push(prefix, rest)?;
        }
    }
    Ok(())
}
