// SPDX-License-Identifier: GPL-2.0-only

//! Users and groups as the kernel names them, and the task that a call is for. C header: `include/linux/uidgid.h`.

use super::bindings;

/// A user (`kuid_t`).
#[derive(Clone, Copy)]
pub(crate) struct Uid(pub(super) bindings::kuid_t);

/// A group (`kgid_t`).
#[derive(Clone, Copy)]
pub(crate) struct Gid(pub(super) bindings::kgid_t);

impl Uid {
    /// The user of the current task (`current_uid`).
    pub(crate) fn current() -> Self {
        // SAFETY: Reads the current task's credentials.
        Self(unsafe { bindings::current_uid() })
    }

    /// The number in the initial user namespace, for `/proc/mounts` (`from_kuid_munged`).
    pub(crate) fn munged(self) -> u32 {
        // SAFETY: A conversion of a number.
        unsafe { bindings::from_kuid_munged(self.0) }
    }
}

impl Gid {
    /// The group of the current task (`current_gid`).
    pub(crate) fn current() -> Self {
        // SAFETY: Reads the current task's credentials.
        Self(unsafe { bindings::current_gid() })
    }

    /// The number in the initial user namespace, for `/proc/mounts` (`from_kgid_munged`).
    pub(crate) fn munged(self) -> u32 {
        // SAFETY: A conversion of a number.
        unsafe { bindings::from_kgid_munged(self.0) }
    }
}

/// The permissions that the current task does not want on new files (`current_umask`).
pub(crate) fn current_umask() -> u16 {
    // SAFETY: Reads the current task's file system state.
    let umask = unsafe { bindings::current_umask() };
    u16::try_from(umask & 0o777).unwrap_or(0)
}

impl PartialEq for Uid {
    fn eq(&self, other: &Self) -> bool {
        self.0.val == other.0.val
    }
}

impl PartialEq for Gid {
    fn eq(&self, other: &Self) -> bool {
        self.0.val == other.0.val
    }
}

/// Whether the current task was killed and should come to its end (`fatal_signal_pending`).
pub(crate) fn is_killed() -> bool {
    // SAFETY: It only looks at the current task.
    unsafe { bindings::fatal_signal_pending() }
}

/// Whether this task may administer the system (`CAP_SYS_ADMIN`).
pub(crate) fn is_capable_of_administration() -> bool {
    // SAFETY: It only looks at the current task.
    unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as kernel::ffi::c_int) }
}
