// SPDX-License-Identifier: GPL-2.0-only

//! `fs_context`: from `mount(8)` to a super block.

use super::{
    options::{
        self,
        Requested, //
    },
    super_block,
    NtfsRs, //
};
use crate::vfs::{
    fs_context::{
        self,
        FsContext, //
    },
    fs_parser::{
        Spec,
        Value, //
    },
    new_super_block::{
        Mounted,
        NewSuperBlock, //
    },
    super_block::SuperBlock, //
};
use core::mem::take;
use kernel::prelude::*;

/// A mount or a remount on its way.
pub(crate) struct Context {
    requested: Requested,
    /// Whether a writable mount was asked for, and a read-only one is made.
    falls_back: bool,
}

impl fs_context::Operations<NtfsRs> for Context {
    const PARAMETERS: &'static [Spec] = options::PARAMETERS;

    fn init(_fc: &FsContext, _remount: Option<&SuperBlock<NtfsRs>>) -> Result<Self> {
        Ok(Self {
            requested: Requested::default(),
            falls_back: false,
        })
    }

    fn parse_param(&mut self, fc: &FsContext, opt: u8, value: Value<'_>) -> Result {
        self.requested.take(fc, opt, value)
    }

    fn get_tree(&mut self, fc: &mut FsContext) -> Result {
        // Before the device is opened, so that it is not opened for writing.
        self.falls_back = !fc.is_read_only();
        fc.set_read_only();
        Ok(())
    }

    fn fill_super<'a>(
        &mut self,
        fc: &FsContext,
        sb: NewSuperBlock<'a, NtfsRs>,
    ) -> Result<Mounted<'a, NtfsRs>> {
        let options = take(&mut self.requested).into_options();
        let mounted = super_block::fill(fc, sb, options)?;
        if self.falls_back {
            mounted.warn(fmt!("mounted read-only: this version does not write"));
        }
        Ok(mounted)
    }

    fn reconfigure(&mut self, fc: &mut FsContext, sb: &SuperBlock<NtfsRs>) -> Result {
        if !fc.is_read_only() {
            fc.errorf(fmt!(
                "cannot remount for writing: this version does not write"
            ));
            return Err(EROFS);
        }
        take(&mut self.requested).remount(fc, &sb.data().options)
    }
}
