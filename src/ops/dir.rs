// SPDX-License-Identifier: GPL-2.0-only

//! Directories: `lookup` and `iterate_shared`.

use super::{
    charset::MAX_BYTES,
    error::{
        damaged,
        report, //
    },
    file,
    inode,
    posix_acl,
    xattr,
    NtfsRs, //
};
use crate::{
    fs::{
        directory, names,
        readdir::{
            Batch,
            Cookie,
            DirEntry,
            Walk, //
        },
    },
    ondisk::{
        file_name::Namespace,
        reparse::ReparseTag,
        standard_information::FileAttributes,
        units::system_record, //
    },
    vfs::{
        self,
        dentry::{
            Dentry,
            Unhashed, //
        },
        dir_context::{
            DirContext,
            DirEntryType, //
        },
        iattr::Iattr,
        kstat::Kstat,
        posix_acl::{
            PosixAcl,
            Which, //
        },
        xattr::Names, //
    },
};
use core::mem::replace;
use kernel::{
    prelude::*,
    sync::aref::ARef,
    uaccess::UserPtr, //
};

type Inode = vfs::inode::Inode<NtfsRs>;

/// What a directory does.
pub(super) struct Directory;

impl vfs::inode::Operations<NtfsRs> for Directory {
    fn getattr(inode: &Inode, stat: &mut Kstat) -> Result {
        inode::getattr(inode, stat)
    }

    fn file_flags(inode: &Inode) -> u32 {
        inode::file_flags(inode)
    }

    fn setattr(inode: &Inode, attr: &mut Iattr) -> Result {
        inode::setattr(inode, attr)
    }

    fn listxattr(inode: &Inode, names: &mut Names<'_>) -> Result {
        xattr::list(inode, names)
    }
}

impl vfs::inode::AclOperations<NtfsRs> for Directory {
    fn posix_acl(inode: &Inode, which: Which) -> Result<Option<PosixAcl>> {
        posix_acl::get(inode, which)
    }
}

impl vfs::inode::DirOperations<NtfsRs> for Directory {
    fn lookup(dir: &Inode, dentry: Unhashed<'_, NtfsRs>) -> Result<Option<ARef<Dentry<NtfsRs>>>> {
        let sb = dir.super_block();
        let data = sb.data();
        let units = match data.options.charset.to_units(dentry.name()) {
            Ok(units) => units,
            Err(ENOENT) => return dentry.splice_alias(None),
            Err(error) => return Err(error),
        };
        let found = directory::lookup(
            &data.volume(),
            &dir.data().file,
            units.as_units(),
            inode::case_mode(dir),
        )
        .map_err(|error| report(sb, error))?;
        let Some(found) = found else {
            return dentry.splice_alias(None);
        };
        let inode = match inode::get(sb, found.reference) {
            Err(ESTALE) => {
                sb.error(fmt!(
                    "an entry of directory {} is for record {}, which is free or another file's",
                    dir.ino(),
                    found.reference.number.get()
                ));
                damaged(sb);
                return Err(EUCLEAN);
            }
            other => other?,
        };
        if found.namespace != Namespace::Dos {
            return dentry.splice_alias(Some(inode));
        }
        // A file has one name in the cache, its long one, also when it was found by its 8.3 name:
        // else a directory would seem to move to whichever was looked up last.
        let long = names::find(&data.volume(), found.reference, |name| {
            name.parent.number.get() == dir.ino() && name.namespace != Namespace::Dos
        })
        .map_err(|error| report(sb, error))?;
        match long {
            Some(long) => {
                let mut buffer = KBox::new([0; MAX_BYTES], GFP_KERNEL)?;
                let exact = data.options.charset.to_bytes(&long, &mut buffer)?;
                dentry.add_ci(inode, exact)
            }
            None => dentry.splice_alias(Some(inode)),
        }
    }
}

/// How far the listing of an open directory is.
pub(super) struct Cursor {
    /// The position of the entry that is next; what [`Self::walk`] and the batch are at.
    pos: u64,
    walk: Walk,
    batch: Batch,
    /// Which entry of the batch is next.
    next: usize,
    /// Whether the user was told that entries are missing.
    told_damage: bool,
    /// Whether an entry was left out for its name.
    has_unusable: bool,
    /// Room for one name.
    name: KBox<[u8; MAX_BYTES]>,
}

/// The position of the first entry, behind `.` and `..`.
const START: u64 = 2;
/// The position behind the last entry.
const END: u64 = i64::MAX.unsigned_abs();

impl Cursor {
    fn new() -> Result<Self> {
        Ok(Self {
            pos: START,
            walk: Walk::start()?,
            batch: Batch::new(),
            next: 0,
            told_damage: false,
            has_unusable: false,
            name: KBox::new([0; MAX_BYTES], GFP_KERNEL)?,
        })
    }

    /// Moves to a position that was given out before, by this cursor or by another.
    fn seek(&mut self, dir: &Inode, pos: u64) -> Result {
        let volume = dir.super_block().data().volume();
        self.walk = match Cookie::from_raw(pos) {
            Some(cookie) if pos != END => Walk::resume(&volume, &dir.data().file, cookie)
                .map_err(|error| report(dir.super_block(), error))?,
            _ => Walk::start()?,
        };
        self.batch = Batch::new();
        self.next = 0;
        self.told_damage = false;
        self.has_unusable = false;
        self.pos = pos;
        Ok(())
    }

    /// Makes sure that there is a next entry in the batch; `false` at the end of the directory.
    fn has_next(&mut self, dir: &Inode) -> Result<bool> {
        if self.next < self.batch.len() {
            return Ok(true);
        }
        self.next = 0;
        let volume = dir.super_block().data().volume();
        self.walk
            .fill(&volume, &dir.data().file, &mut self.batch)
            .map_err(|error| report(dir.super_block(), error))
    }

    /// That something is missing from the listing, once.
    fn tell_damage(&mut self, dir: &Inode) -> Result {
        if replace(&mut self.told_damage, true) {
            return Ok(());
        }
        match self.walk.damage() {
            Some(damage) => Err(report(dir.super_block(), damage)),
            // The line in the log was written when it was left out.
            None if self.has_unusable => Err(EUCLEAN),
            None => Ok(()),
        }
    }
}

impl vfs::file::DirOperations<NtfsRs> for Directory {
    type Cursor = Cursor;

    fn open(_inode: &Inode) -> Result<Cursor> {
        Cursor::new()
    }

    fn iterate_shared(
        dir: &Inode,
        cursor: &mut Cursor,
        ctx: &mut DirContext<'_, NtfsRs>,
    ) -> Result {
        let begun = ctx.pos();
        if !ctx.emit_dots() {
            return Ok(());
        }
        let pos = ctx.pos();
        if pos == END {
            // All entries are out; an error now does not take any of them back.
            return match cursor.pos {
                END => cursor.tell_damage(dir),
                _ => Ok(()),
            };
        }
        if pos != cursor.pos {
            cursor.seek(dir, pos)?;
        }
        // An error after entries of the same call would be lost: the next call gives it.
        let mut emitted = pos != begun;
        while cursor.has_next(dir)? {
            if let Some(entry) = cursor.batch.get(cursor.next) {
                ctx.set_pos(entry.cookie.get());
                cursor.pos = entry.cookie.get();
                match emit(dir, &entry, &mut cursor.name, ctx) {
                    Emitted::NoRoom => return Ok(()),
                    Emitted::Given => emitted = true,
                    Emitted::Hidden => {}
                    Emitted::Unusable => cursor.has_unusable = true,
                }
            }
            cursor.next = cursor.next.saturating_add(1);
        }
        ctx.set_pos(END);
        cursor.pos = END;
        if emitted {
            return Ok(());
        }
        cursor.tell_damage(dir)
    }

    fn fsync(inode: &Inode) -> Result {
        file::fsync(inode)
    }

    fn ioctl(inode: &Inode, cmd: u32, arg: UserPtr) -> Result<isize> {
        file::ioctl(inode, cmd, arg)
    }
}

/// What became of an entry.
enum Emitted {
    /// The reader has it.
    Given,
    /// The reader has no more room; the entry comes first next time.
    NoRoom,
    /// It is not for the reader's eyes.
    Hidden,
    /// It has a name that no file can have in Linux.
    Unusable,
}

/// Gives one entry to the reader, if it should have it.
fn emit(
    dir: &Inode,
    entry: &DirEntry<'_>,
    buffer: &mut [u8; MAX_BYTES],
    ctx: &mut DirContext<'_, NtfsRs>,
) -> Emitted {
    let sb = dir.super_block();
    let data = sb.data();
    let number = entry.reference.number;
    // The root lists itself.
    let is_system = number < system_record::FIRST_USER;
    if number == system_record::ROOT || (is_system && !data.options.show_system_files()) {
        return Emitted::Hidden;
    }
    if data.options.no_hidden() && entry.attributes.contains(FileAttributes::HIDDEN) {
        return Emitted::Hidden;
    }
    match data.options.charset.to_bytes(entry.name, buffer) {
        Ok(name) if is_usable(name) => match ctx.emit(name, number.get(), entry_type(entry)) {
            true => Emitted::Given,
            false => Emitted::NoRoom,
        },
        _ => {
            sb.error(fmt!(
                "the name of record {} in directory {} cannot be used and is left out",
                number.get(),
                dir.ino()
            ));
            Emitted::Unusable
        }
    }
}

/// Whether the VFS can have such a name.
fn is_usable(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

/// What the entry says about the type, where that is enough to know it.
fn entry_type(entry: &DirEntry<'_>) -> DirEntryType {
    match entry.reparse_tag.map(ReparseTag::new) {
        Some(ReparseTag::SYMLINK | ReparseTag::MOUNT_POINT | ReparseTag::LX_SYMLINK) => {
            DirEntryType::Symlink
        }
        Some(tag) if tag == ReparseTag::WOF => DirEntryType::Regular,
        Some(_) => DirEntryType::Unknown,
        None if entry.attributes.contains(FileAttributes::NTFS_DIRECTORY) => {
            DirEntryType::Directory
        }
        None => DirEntryType::Regular,
    }
}
