// SPDX-License-Identifier: GPL-2.0-only

//! `struct fs_context`: what a mount or a remount is made with. C header: `include/linux/fs_context.h`.

use super::{
    bindings,
    fs_parser::{
        self,
        Spec,
        Value, //
    },
    new_super_block::{
        Mounted,
        NewSuperBlock, //
    },
    super_block::{
        self,
        SuperBlock, //
    },
};
use kernel::{
    error::from_result,
    fmt,
    prelude::*,
    str::CString,
    types::{
        ForeignOwnable as _,
        Opaque, //
    },
};

/// What a file system does with the options of a mount (`struct fs_context_operations`).
///
/// A value lives from `init_fs_context` to `free`; the VFS calls with the context's `uapi_mutex` held, so
/// never two at a time.
pub(crate) trait Operations<T: super_block::Operations>: Sized + Send + 'static {
    /// The options. A name may stand twice: as a flag, and with a value.
    const PARAMETERS: &'static [Spec];

    /// Begins a mount, or, with the super block, a remount.
    fn init(fc: &FsContext, remount: Option<&SuperBlock<T>>) -> Result<Self>;

    /// One of [`Self::PARAMETERS`], by the `opt` given there. All other names are refused before.
    fn parse_param(&mut self, fc: &FsContext, opt: u8, value: Value<'_>) -> Result;

    /// Reads the volume and gives the super block its data and its root.
    fn fill_super<'a>(
        &mut self,
        fc: &FsContext,
        sb: NewSuperBlock<'a, T>,
    ) -> Result<Mounted<'a, T>>;

    /// Remounts: what the options changed, and the flags that `fc` asks for. Called with `s_umount` held
    /// for writing.
    fn reconfigure(&mut self, fc: &mut FsContext, sb: &SuperBlock<T>) -> Result;
}

/// The C context (`struct fs_context`).
#[repr(transparent)]
pub(crate) struct FsContext(Opaque<bindings::fs_context>);

impl FsContext {
    /// Borrows a context.
    ///
    /// # Safety
    ///
    /// `fc` is valid, and nobody else uses it, during `'a`.
    unsafe fn from_raw<'a>(fc: *mut bindings::fs_context) -> &'a mut Self {
        // SAFETY: By the caller's word; the layouts are equal.
        unsafe { &mut *fc.cast() }
    }

    /// The C structure.
    pub(super) fn as_ptr(&self) -> *mut bindings::fs_context {
        self.0.get()
    }

    /// Tells the user of an error (`errorfc`): whoever mounts reads it, `mount(8)` prints it; with the old
    /// interface it goes to the kernel's log.
    pub(crate) fn errorf(&self, message: fmt::Arguments<'_>) {
        self.log(b'e', message);
    }

    /// As [`Self::errorf`], and the error to return (`invalfc`).
    pub(crate) fn invalf(&self, message: fmt::Arguments<'_>) -> Error {
        self.errorf(message);
        EINVAL
    }

    /// Warns the user (`warnfc`).
    pub(crate) fn warnf(&self, message: fmt::Arguments<'_>) {
        self.log(b'w', message);
    }

    fn log(&self, level: u8, message: fmt::Arguments<'_>) {
        let Ok(message) = CString::try_from_fmt(message) else {
            return;
        };
        let fc = self.as_ptr();
        // SAFETY: `fc` is valid; the format takes one string, which is there during the call.
        unsafe {
            bindings::logfc(
                (*fc).log.log,
                (*fc).log.prefix,
                c_char::from(level),
                c"%s".as_char_ptr(),
                message.as_char_ptr(),
            );
        }
    }

    /// Whether a read-only mount is asked for (`SB_RDONLY`).
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: The structure is valid.
        unsafe { (*self.as_ptr()).sb_flags & bindings::SB_RDONLY != 0 }
    }

    /// Whether the mount may not be chatty (`SB_SILENT`).
    pub(crate) fn is_silent(&self) -> bool {
        // SAFETY: The structure is valid.
        unsafe { (*self.as_ptr()).sb_flags & bindings::SB_SILENT != 0 }
    }

    /// Whether the super block will be read-only after this remount.
    pub(crate) fn is_read_only_after<T: super_block::Operations>(
        &self,
        sb: &SuperBlock<T>,
    ) -> bool {
        // SAFETY: The structure is valid.
        let mask = unsafe { (*self.as_ptr()).sb_flags_mask };
        match mask & bindings::SB_RDONLY {
            0 => sb.is_read_only(),
            _ => self.is_read_only(),
        }
    }

    fn is_remount(&self) -> bool {
        // SAFETY: The structure is valid.
        let purpose = unsafe { (*self.as_ptr()).purpose() };
        purpose == bindings::fs_context_purpose_FS_CONTEXT_FOR_RECONFIGURE
    }

    /// The super block that is remounted.
    ///
    /// # Safety
    ///
    /// The context is one of `T` and for a remount.
    unsafe fn remounted<T: super_block::Operations>(&self) -> &SuperBlock<T> {
        // SAFETY: A context for a remount has the root of a live super block, of the context's file system.
        unsafe { SuperBlock::from_raw((*(*self.as_ptr()).root).d_sb) }
    }
}

/// `init_fs_context` of `struct file_system_type`.
///
/// # Safety
///
/// Called by the VFS only, as `struct fs_context_operations` says, for a context of `T`.
pub(super) unsafe extern "C" fn init_fs_context<T: super_block::Operations>(
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    // SAFETY: The VFS passes a new context, which nobody else knows.
    let fc = unsafe { FsContext::from_raw(fc.cast()) };
    from_result(|| {
        // SAFETY: The context is for file system `T`.
        let remounted = fc.is_remount().then(|| unsafe { fc.remounted::<T>() });
        let context = KBox::new(T::Context::init(fc, remounted)?, GFP_KERNEL)?;
        // SAFETY: Valid; `free` takes back what `into_foreign` gives away.
        unsafe {
            (*fc.as_ptr()).fs_private = context.into_foreign();
            (*fc.as_ptr()).ops = &Table::<T>::TABLE;
        }
        Ok(0)
    })
}

/// The ops table of a context.
struct Table<T>(core::marker::PhantomData<T>);

impl<T: super_block::Operations> Table<T> {
    const TABLE: bindings::fs_context_operations = bindings::fs_context_operations {
        free: Some(Self::free),
        dup: None,
        parse_param: Some(Self::parse_param),
        parse_monolithic: None,
        get_tree: Some(Self::get_tree),
        reconfigure: Some(Self::reconfigure),
    };

    /// The file system's part of a context.
    ///
    /// # Safety
    ///
    /// `fc` was made by [`init_fs_context`] for `T`, and nobody else uses it during `'a`.
    unsafe fn context<'a>(fc: *mut bindings::fs_context) -> &'a mut T::Context {
        // SAFETY: `fs_private` is what `init_fs_context` stored.
        unsafe { KBox::<T::Context>::borrow_mut((*fc).fs_private) }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct fs_context_operations` says, for a context of `T`.
    unsafe extern "C" fn free(fc: *mut bindings::fs_context) {
        // SAFETY: Null, or what `init_fs_context` stored; this is the last call with the context.
        drop(unsafe { KBox::<T::Context>::try_from_foreign((*fc).fs_private) });
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct fs_context_operations` says, for a context of `T`.
    unsafe extern "C" fn parse_param(
        fc: *mut bindings::fs_context,
        param: *mut bindings::fs_parameter,
    ) -> c_int {
        // SAFETY: The VFS passes our context, exclusively.
        let (context, fc) = unsafe { (Self::context(fc), FsContext::from_raw(fc)) };
        from_result(|| {
            let specs = <T::Context as Operations<T>>::PARAMETERS;
            // SAFETY: The VFS passes a valid parameter.
            let (opt, value) = unsafe { fs_parser::parse(fc, specs, param)? };
            context.parse_param(fc, opt, value)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct fs_context_operations` says, for a context of `T`.
    unsafe extern "C" fn get_tree(fc: *mut bindings::fs_context) -> c_int {
        // SAFETY: The VFS passes our context; `fill_super` fits the file system.
        unsafe { bindings::get_tree_bdev(fc, Some(Self::fill_super)) }
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct fs_context_operations` says, for a context of `T`.
    unsafe extern "C" fn fill_super(
        sb: *mut bindings::super_block,
        fc: *mut bindings::fs_context,
    ) -> c_int {
        // SAFETY: The VFS passes our context, exclusively.
        let (context, fc) = unsafe { (Self::context(fc), FsContext::from_raw(fc)) };
        from_result(|| {
            // SAFETY: A new super block of `T`, which nobody else sees yet.
            let new = unsafe { NewSuperBlock::new(sb) };
            // After an error `kill_sb` frees what `new` was given.
            context.fill_super(fc, new)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by the VFS only, as `struct fs_context_operations` says, for a context of `T`.
    unsafe extern "C" fn reconfigure(fc: *mut bindings::fs_context) -> c_int {
        // SAFETY: The VFS passes our context, exclusively.
        let (context, fc) = unsafe { (Self::context(fc), FsContext::from_raw(fc)) };
        from_result(|| {
            // SAFETY: A context for a remount, whose root keeps the super block through this call.
            let sb = unsafe { SuperBlock::<T>::from_raw((*(*fc.as_ptr()).root).d_sb) };
            context.reconfigure(fc, sb)?;
            Ok(0)
        })
    }
}
