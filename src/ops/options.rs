// SPDX-License-Identifier: GPL-2.0-only

//! Mount options: their names, their values, what a remount may change, and how `/proc/mounts` shows
//! them.
//!
//! Options that `ntfs`, `ntfs3` and `ntfs-3g` have with the same meaning keep their spelling, and an
//! option that is on or off is taken both as a flag and with a value, so that a line of fstab or of
//! udisks goes on working. Options that only say how to write are taken too and have no effect; the
//! user is told.

use super::charset::Charset;
use crate::{
    fs::directory::CaseMode,
    vfs::{
        fs_context::FsContext,
        fs_parser::{
            Kind,
            Spec,
            Value, //
        },
        ids::{
            self,
            Gid,
            Uid, //
        },
        posix_acl, //
    },
};
use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

mod opt {
    pub(super) const UID: u8 = 0;
    pub(super) const GID: u8 = 1;
    pub(super) const UMASK: u8 = 2;
    pub(super) const FMASK: u8 = 3;
    pub(super) const DMASK: u8 = 4;
    pub(super) const IOCHARSET: u8 = 5;
    pub(super) const NOCASE: u8 = 6;
    pub(super) const CASE_SENSITIVE: u8 = 7;
    pub(super) const SHOW_SYSTEM_FILES: u8 = 8;
    pub(super) const NATIVE_SYMLINK: u8 = 9;
    pub(super) const FOR_WRITING: u8 = 10;
    pub(super) const FORCE: u8 = 11;
    pub(super) const DISCARD: u8 = 12;
    pub(super) const ERRORS: u8 = 13;
    pub(super) const SYS_IMMUTABLE: u8 = 14;
    pub(super) const ACL: u8 = 15;
    pub(super) const NO_ACL: u8 = 16;
    pub(super) const NO_HIDDEN: u8 = 17;
    pub(super) const EFS_RAW: u8 = 18;
}

const NATIVE_SYMLINK: &[(&str, u32)] = &[("raw", 0), ("rel", 1)];
const ERRORS: &[(&str, u32)] = &[
    ("continue", OnErrors::Continue.to_raw()),
    ("remount-ro", OnErrors::ReadOnly.to_raw()),
    ("panic", OnErrors::Panic.to_raw()),
];
const SYMLINK: &[(&str, u32)] = &[("wsl", 0), ("native", 1)];

/// All mount options.
pub(super) const PARAMETERS: &[Spec] = &[
    Spec::new(c"uid", opt::UID, Kind::Uid),
    Spec::new(c"gid", opt::GID, Kind::Gid),
    Spec::new(c"umask", opt::UMASK, Kind::U32Octal),
    Spec::new(c"fmask", opt::FMASK, Kind::U32Octal),
    Spec::new(c"dmask", opt::DMASK, Kind::U32Octal),
    Spec::new(c"iocharset", opt::IOCHARSET, Kind::String),
    Spec::new(c"nls", opt::IOCHARSET, Kind::String),
    Spec::new(c"nocase", opt::NOCASE, Kind::Flag),
    Spec::new(c"nocase", opt::NOCASE, Kind::Bool),
    Spec::new(c"case_sensitive", opt::CASE_SENSITIVE, Kind::Flag),
    Spec::new(c"case_sensitive", opt::CASE_SENSITIVE, Kind::Bool),
    Spec::new(c"showmeta", opt::SHOW_SYSTEM_FILES, Kind::Flag),
    Spec::new(c"showmeta", opt::SHOW_SYSTEM_FILES, Kind::Bool),
    Spec::new(c"show_sys_files", opt::SHOW_SYSTEM_FILES, Kind::Flag),
    Spec::new(c"show_sys_files", opt::SHOW_SYSTEM_FILES, Kind::Bool),
    Spec::new(c"nohidden", opt::NO_HIDDEN, Kind::Flag),
    Spec::new(c"nohidden", opt::NO_HIDDEN, Kind::Bool),
    Spec::new(c"hide_hid_files", opt::NO_HIDDEN, Kind::Flag),
    Spec::new(c"hide_hid_files", opt::NO_HIDDEN, Kind::Bool),
    Spec::new(
        c"native_symlink",
        opt::NATIVE_SYMLINK,
        Kind::Enum(NATIVE_SYMLINK),
    ),
    Spec::new(c"force", opt::FORCE, Kind::Flag),
    Spec::new(c"force", opt::FORCE, Kind::Bool),
    Spec::new(c"discard", opt::DISCARD, Kind::Flag),
    Spec::new(c"discard", opt::DISCARD, Kind::Bool),
    Spec::new(c"errors", opt::ERRORS, Kind::Enum(ERRORS)),
    Spec::new(c"sys_immutable", opt::SYS_IMMUTABLE, Kind::Flag),
    Spec::new(c"sys_immutable", opt::SYS_IMMUTABLE, Kind::Bool),
    Spec::new(c"acl", opt::ACL, Kind::Flag),
    Spec::new(c"acl", opt::ACL, Kind::Bool),
    Spec::new(c"noacl", opt::NO_ACL, Kind::Flag),
    Spec::new(c"efs_raw", opt::EFS_RAW, Kind::Flag),
    Spec::new(c"efs_raw", opt::EFS_RAW, Kind::Bool),
    // These say how to write.
    Spec::new(c"windows_names", opt::FOR_WRITING, Kind::Flag),
    Spec::new(c"windows_names", opt::FOR_WRITING, Kind::Bool),
    Spec::new(c"hide_dot_files", opt::FOR_WRITING, Kind::Flag),
    Spec::new(c"hide_dot_files", opt::FOR_WRITING, Kind::Bool),
    Spec::new(c"sparse", opt::FOR_WRITING, Kind::Flag),
    Spec::new(c"sparse", opt::FOR_WRITING, Kind::Bool),
    Spec::new(c"disable_sparse", opt::FOR_WRITING, Kind::Flag),
    Spec::new(c"disable_sparse", opt::FOR_WRITING, Kind::Bool),
    Spec::new(c"prealloc", opt::FOR_WRITING, Kind::Flag),
    Spec::new(c"prealloc", opt::FOR_WRITING, Kind::Bool),
    Spec::new(c"delalloc", opt::FOR_WRITING, Kind::Flag),
    Spec::new(c"delalloc", opt::FOR_WRITING, Kind::Bool),
    Spec::new(c"preallocated_size", opt::FOR_WRITING, Kind::String),
    Spec::new(c"mft_zone_multiplier", opt::FOR_WRITING, Kind::U32),
    Spec::new(c"symlink", opt::FOR_WRITING, Kind::Enum(SYMLINK)),
];

/// The bits of a mode that a mask may take away.
const MODE_BITS: u32 = 0o777;

/// How absolute targets of symbolic links and junctions are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NativeSymlink {
    /// As they are in the volume: `/??/C:/Users`.
    Raw,
    /// As if the drive was this volume, relative to the link: `../Users`.
    Relative,
}

/// What is done when a volume that is written turns out to be damaged, or its metadata cannot be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnErrors {
    /// Nothing but that the volume stays marked dirty.
    Continue,
    /// It is not written any more.
    ReadOnly,
    /// The kernel panics.
    Panic,
}

impl OnErrors {
    const fn to_raw(self) -> u32 {
        match self {
            Self::Continue => 0,
            Self::ReadOnly => 1,
            Self::Panic => 2,
        }
    }

    const fn from_raw(raw: u32) -> Self {
        match raw {
            0 => Self::Continue,
            2 => Self::Panic,
            _ => Self::ReadOnly,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::ReadOnly => "remount-ro",
            Self::Panic => "panic",
        }
    }
}

/// What the user asked for; `None` where nothing was said.
#[derive(Default)]
pub(super) struct Requested {
    uid: Option<Uid>,
    gid: Option<Gid>,
    fmask: Option<u16>,
    dmask: Option<u16>,
    charset: Option<Charset>,
    case: Option<CaseMode>,
    show_system_files: Option<bool>,
    no_hidden: Option<bool>,
    native_symlink: Option<NativeSymlink>,
    force: Option<bool>,
    discard: Option<bool>,
    errors: Option<OnErrors>,
    sys_immutable: Option<bool>,
    acl: Option<bool>,
    efs_raw: Option<bool>,
}

impl Requested {
    /// Takes one of [`PARAMETERS`].
    pub(super) fn take(&mut self, fc: &FsContext, opt: u8, value: Value<'_>) -> Result {
        match (opt, value) {
            (opt::UID, Value::Uid(uid)) => self.uid = Some(uid),
            (opt::GID, Value::Gid(gid)) => self.gid = Some(gid),
            (opt::UMASK, Value::U32(mask)) => {
                let mask = mode_mask(fc, "umask", mask)?;
                self.fmask = Some(mask);
                self.dmask = Some(mask);
            }
            (opt::FMASK, Value::U32(mask)) => self.fmask = Some(mode_mask(fc, "fmask", mask)?),
            (opt::DMASK, Value::U32(mask)) => self.dmask = Some(mode_mask(fc, "dmask", mask)?),
            (opt::IOCHARSET, Value::String(name)) => {
                self.charset = Some(Charset::load(name).map_err(|_| {
                    fc.invalf(fmt!("character set '{}' is not known to this kernel", name))
                })?)
            }
            (opt::NOCASE, value) => {
                self.case = Some(if is_on(value) {
                    CaseMode::Ignore
                } else {
                    CaseMode::Exact
                })
            }
            (opt::CASE_SENSITIVE, value) => {
                self.case = Some(if is_on(value) {
                    CaseMode::Exact
                } else {
                    CaseMode::Ignore
                })
            }
            (opt::SHOW_SYSTEM_FILES, value) => self.show_system_files = Some(is_on(value)),
            (opt::NO_HIDDEN, value) => self.no_hidden = Some(is_on(value)),
            (opt::NATIVE_SYMLINK, Value::Enum(word)) => {
                self.native_symlink = Some(if word == 0 {
                    NativeSymlink::Raw
                } else {
                    NativeSymlink::Relative
                })
            }
            (opt::FORCE, value) => self.force = Some(is_on(value)),
            (opt::ERRORS, Value::Enum(word)) => self.errors = Some(OnErrors::from_raw(word)),
            (opt::DISCARD, value) => self.discard = Some(is_on(value)),
            (opt::SYS_IMMUTABLE, value) => self.sys_immutable = Some(is_on(value)),
            (opt::ACL, value) => {
                let acl = is_on(value);
                if acl && !posix_acl::IS_SUPPORTED {
                    return Err(fc.invalf(fmt!("this kernel has no access control lists")));
                }
                self.acl = Some(acl);
            }
            (opt::EFS_RAW, value) => self.efs_raw = Some(is_on(value)),
            (opt::NO_ACL, _) => self.acl = Some(false),
            (opt::FOR_WRITING, _) => {
                fc.warnf(fmt!("an option says how to write, and has no effect yet"))
            }
            // Each option has one of the kinds of the table.
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    /// The options of a new mount: what was asked for, or the defaults.
    ///
    /// As in other file systems without owners, all belongs to who mounts it, and that task's umask
    /// counts.
    pub(super) fn into_options(self) -> Options {
        let umask = ids::current_umask();
        Options {
            given: Given {
                uid: self.uid.is_some(),
                gid: self.gid.is_some(),
                fmask: self.fmask.is_some(),
                dmask: self.dmask.is_some(),
            },
            uid: self.uid.unwrap_or_else(Uid::current),
            gid: self.gid.unwrap_or_else(Gid::current),
            fmask: self.fmask.unwrap_or(umask),
            dmask: self.dmask.unwrap_or(umask),
            charset: self.charset.unwrap_or(Charset::Utf8),
            case: self.case.unwrap_or(CaseMode::Exact),
            native_symlink: self.native_symlink.unwrap_or(NativeSymlink::Raw),
            sys_immutable: self.sys_immutable.unwrap_or(false),
            acl: self.acl.unwrap_or(false),
            efs_raw: self.efs_raw.unwrap_or(false),
            show_system_files: Atomic::new(self.show_system_files.unwrap_or(false)),
            no_hidden: Atomic::new(self.no_hidden.unwrap_or(false)),
            force: Atomic::new(self.force.unwrap_or(false)),
            discard: Atomic::new(self.discard.unwrap_or(false)),
            errors: Atomic::new(self.errors.unwrap_or(OnErrors::ReadOnly).to_raw()),
        }
    }

    /// Changes the options of a mounted volume to what was asked for.
    ///
    /// Inodes and names that are in memory were made with the old options; what they depend on
    /// cannot change. All is checked before anything is changed.
    pub(super) fn remount(self, fc: &FsContext, options: &Options) -> Result {
        let fixed = [
            ("uid", self.uid.is_some_and(|uid| uid != options.uid)),
            ("gid", self.gid.is_some_and(|gid| gid != options.gid)),
            (
                "fmask",
                self.fmask.is_some_and(|mask| mask != options.fmask),
            ),
            (
                "dmask",
                self.dmask.is_some_and(|mask| mask != options.dmask),
            ),
            (
                "iocharset",
                self.charset
                    .as_ref()
                    .is_some_and(|charset| charset.name() != options.charset.name()),
            ),
            ("nocase", self.case.is_some_and(|case| case != options.case)),
            (
                "native_symlink",
                self.native_symlink
                    .is_some_and(|shown| shown != options.native_symlink),
            ),
            (
                "sys_immutable",
                self.sys_immutable
                    .is_some_and(|immutable| immutable != options.sys_immutable),
            ),
            ("acl", self.acl.is_some_and(|acl| acl != options.acl)),
            (
                "efs_raw",
                self.efs_raw.is_some_and(|raw| raw != options.efs_raw),
            ),
        ];
        if let Some((name, _)) = fixed.iter().find(|(_, differs)| *differs) {
            return Err(fc.invalf(fmt!("'{}' cannot be changed by a remount", name)));
        }
        if let Some(show) = self.show_system_files {
            options.show_system_files.store(show, Relaxed);
        }
        if let Some(no_hidden) = self.no_hidden {
            options.no_hidden.store(no_hidden, Relaxed);
        }
        if let Some(force) = self.force {
            options.force.store(force, Relaxed);
        }
        if let Some(discard) = self.discard {
            options.discard.store(discard, Relaxed);
        }
        if let Some(errors) = self.errors {
            options.errors.store(errors.to_raw(), Relaxed);
        }
        Ok(())
    }
}

fn is_on(value: Value<'_>) -> bool {
    !matches!(value, Value::Bool(false))
}

fn mode_mask(fc: &FsContext, name: &str, mask: u32) -> Result<u16> {
    match u16::try_from(mask) {
        Ok(small) if mask & !MODE_BITS == 0 => Ok(small),
        _ => Err(fc.invalf(fmt!("{}={:o} is not a mask of permissions", name, mask))),
    }
}

/// What the user said about owners and permissions; WSL's word counts for the rest.
pub(super) struct Given {
    /// Who owns all files.
    pub(super) uid: bool,
    /// Their group.
    pub(super) gid: bool,
    /// Permissions that files do not have.
    pub(super) fmask: bool,
    /// Permissions that directories do not have.
    pub(super) dmask: bool,
}

/// The options of a mounted volume.
pub(super) struct Options {
    /// Which of the next four come from the user.
    pub(super) given: Given,
    /// Who owns all files.
    pub(super) uid: Uid,
    /// Their group.
    pub(super) gid: Gid,
    /// Permissions that files do not have.
    pub(super) fmask: u16,
    /// Permissions that directories do not have.
    pub(super) dmask: u16,
    /// How names are coded for the user.
    pub(super) charset: Charset,
    /// Whether names differ by case.
    pub(super) case: CaseMode,
    /// How absolute link targets are shown.
    pub(super) native_symlink: NativeSymlink,
    /// Whether files of the system, as Windows calls them, are not to be changed.
    pub(super) sys_immutable: bool,
    /// Whether access control lists of POSIX count.
    pub(super) acl: bool,
    /// Whether what EFS has encrypted is read as it is.
    pub(super) efs_raw: bool,
    show_system_files: Atomic<bool>,
    no_hidden: Atomic<bool>,
    force: Atomic<bool>,
    discard: Atomic<bool>,
    errors: Atomic<u32>,
}

impl Options {
    /// Whether listings show the files that NTFS itself consists of.
    pub(super) fn show_system_files(&self) -> bool {
        self.show_system_files.load(Relaxed)
    }

    /// Whether listings leave out what Windows calls hidden.
    pub(super) fn no_hidden(&self) -> bool {
        self.no_hidden.load(Relaxed)
    }

    /// Whether a volume is written although it should be checked first. What the log would have mended is
    /// lost then.
    pub(super) fn force(&self) -> bool {
        self.force.load(Relaxed)
    }

    /// Whether the device is told of clusters that become free.
    pub(super) fn discard(&self) -> bool {
        self.discard.load(Relaxed)
    }

    /// What is done when a volume that is written turns out to be damaged.
    pub(super) fn errors(&self) -> OnErrors {
        OnErrors::from_raw(self.errors.load(Relaxed))
    }

    /// Writes the options as `/proc/mounts` shows them.
    pub(super) fn show(&self, seq: &SeqFile) {
        seq_print!(
            seq,
            ",uid={},gid={},fmask={:04o},dmask={:04o},iocharset={}",
            self.uid.munged(),
            self.gid.munged(),
            self.fmask,
            self.dmask,
            self.charset.name()
        );
        if self.case == CaseMode::Ignore {
            seq_print!(seq, ",nocase");
        }
        if self.show_system_files() {
            seq_print!(seq, ",showmeta");
        }
        if self.no_hidden() {
            seq_print!(seq, ",nohidden");
        }
        if self.native_symlink == NativeSymlink::Relative {
            seq_print!(seq, ",native_symlink=rel");
        }
        if self.sys_immutable {
            seq_print!(seq, ",sys_immutable");
        }
        if self.acl {
            seq_print!(seq, ",acl");
        }
        if self.efs_raw {
            seq_print!(seq, ",efs_raw");
        }
        if self.force() {
            seq_print!(seq, ",force");
        }
        if self.discard() {
            seq_print!(seq, ",discard");
        }
        seq_print!(seq, ",errors={}", self.errors().name());
    }
}
