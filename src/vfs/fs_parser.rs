// SPDX-License-Identifier: GPL-2.0-only

//! Mount options: what there is and of which type, and the parsing of one (`__fs_parse`).
//!
//! C header: `include/linux/fs_parser.h`. The rules for finding an option's specification are those of
//! `fs_lookup_key` in `fs/fs_parser.c`: one name may stand twice, as a flag and with a value.

use super::{
    bindings, c_str,
    fs_context::FsContext,
    ids::{
        Gid,
        Uid, //
    },
};
use core::ptr;
use kernel::prelude::*;

/// The type of an option's value.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// No value: `name`.
    Flag,
    /// `name=0`, `1`, `true`, `false`, `yes`, `no`.
    Bool,
    /// `name=12`, `name=0x1f`, `name=017`.
    U32,
    /// `name=0022` or `name=22`: octal always.
    U32Octal,
    /// `name=anything`, not empty.
    String,
    /// `name=word`, one of these words, and the number that stands for it.
    Enum(&'static [(&'static str, u32)]),
    /// `name=1000`: a user, as the mounting task's namespace numbers them.
    Uid,
    /// `name=1000`: a group, likewise.
    Gid,
}

/// One mount option.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    name: &'static CStr,
    opt: u8,
    kind: Kind,
}

impl Spec {
    /// An option called `name`, which `parse_param` gets as `opt`.
    pub(crate) const fn new(name: &'static CStr, opt: u8, kind: Kind) -> Self {
        Self { name, opt, kind }
    }

    fn is_flag(&self) -> bool {
        matches!(self.kind, Kind::Flag)
    }

    /// The C form. The name is that of the table, so `__fs_parse` finds it.
    fn raw(&self) -> bindings::fs_parameter_spec {
        let (type_, data): (bindings::fs_param_type, usize) = match self.kind {
            Kind::Flag => (None, 0),
            Kind::Bool => (Some(bindings::fs_param_is_bool), 0),
            Kind::U32 => (Some(bindings::fs_param_is_u32), 0),
            Kind::U32Octal => (Some(bindings::fs_param_is_u32), 8),
            Kind::String | Kind::Enum(_) => (Some(bindings::fs_param_is_string), 0),
            Kind::Uid => (Some(bindings::fs_param_is_uid), 0),
            Kind::Gid => (Some(bindings::fs_param_is_gid), 0),
        };
        bindings::fs_parameter_spec {
            name: self.name.as_char_ptr(),
            type_,
            opt: 0,
            flags: 0,
            data: ptr::without_provenance(data),
        }
    }
}

/// The value of an option, of the type that its [`Kind`] says.
pub(crate) enum Value<'a> {
    /// The option is there.
    Flag,
    /// On or off.
    Bool(bool),
    /// A number, of [`Kind::U32`] or [`Kind::U32Octal`].
    U32(u32),
    /// The bytes, without the terminating NUL.
    String(&'a CStr),
    /// The number of the word.
    Enum(u32),
    /// A user that exists.
    Uid(Uid),
    /// A group that exists.
    Gid(Gid),
}

/// Finds what `param` means and parses its value.
///
/// `ENOPARAM` if it is not in `specs`: the VFS then looks whether it knows the option itself. Other errors
/// were told to the user.
///
/// # Safety
///
/// `param` is valid during `'a`, and its key and, for that type, its string are.
pub(super) unsafe fn parse<'a>(
    fc: &FsContext,
    specs: &[Spec],
    param: *mut bindings::fs_parameter,
) -> Result<(u8, Value<'a>)> {
    // SAFETY: Valid by the caller's word.
    let (key, is_flag) = unsafe {
        (
            c_str::from_char_ptr((*param).key),
            (*param).type_() == bindings::fs_value_type_fs_value_is_flag,
        )
    };
    let mut named = specs.iter().filter(|spec| spec.name == key);
    let first = named.next().ok_or(ENOPARAM)?;
    let spec = if first.is_flag() == is_flag {
        first
    } else {
        named
            .find(|spec| spec.is_flag() == is_flag)
            .unwrap_or(first)
    };

    let table = [spec.raw(), Default::default()];
    let mut result = bindings::fs_parse_result::default();
    // SAFETY: `fc` and `param` are valid, the table ends with a zeroed entry, `result` is ours.
    let err = unsafe {
        bindings::__fs_parse(
            &raw mut (*fc.as_ptr()).log,
            table.as_ptr(),
            param,
            &mut result,
        )
    };
    kernel::error::to_result(err)?;

    // SAFETY: The member of each union is the one that the type function of `Spec::raw` has set.
    let value = unsafe {
        let parsed = &result.__bindgen_anon_1;
        match spec.kind {
            Kind::Flag => Value::Flag,
            Kind::Bool => Value::Bool(*parsed.boolean.as_ref()),
            Kind::U32 | Kind::U32Octal => Value::U32(*parsed.uint_32.as_ref()),
            Kind::Uid => Value::Uid(Uid(*parsed.uid.as_ref())),
            Kind::Gid => Value::Gid(Gid(*parsed.gid.as_ref())),
            Kind::String => Value::String(c_str::from_char_ptr((*param).__bindgen_anon_1.string)),
            Kind::Enum(words) => {
                let word = c_str::from_char_ptr((*param).__bindgen_anon_1.string);
                Value::Enum(find_word(fc, key, words, word)?)
            }
        }
    };
    Ok((spec.opt, value))
}

fn find_word(fc: &FsContext, key: &CStr, words: &[(&str, u32)], word: &CStr) -> Result<u32> {
    words
        .iter()
        .find(|(name, _)| name.as_bytes() == c_str::to_bytes(word))
        .map(|(_, number)| *number)
        .ok_or_else(|| fc.invalf(fmt!("Bad value for '{}': '{}'", key, word)))
}
