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
use kernel::{
    fmt,
    prelude::*, //
};

/// A mount or a remount on its way.
pub(crate) struct Context {
    requested: Requested,
}

impl fs_context::Operations<NtfsRs> for Context {
    const PARAMETERS: &'static [Spec] = options::PARAMETERS;

    fn init(_fc: &FsContext, _remount: Option<&SuperBlock<NtfsRs>>) -> Result<Self> {
        Ok(Self {
            requested: Requested::default(),
        })
    }

    fn parse_param(&mut self, fc: &FsContext, opt: u8, value: Value<'_>) -> Result {
        self.requested.take(fc, opt, value)
    }

    fn fill_super<'a>(
        &mut self,
        fc: &FsContext,
        sb: NewSuperBlock<'a, NtfsRs>,
    ) -> Result<Mounted<'a, NtfsRs>> {
        let options = take(&mut self.requested).into_options();
        let mut mounted = super_block::fill(fc, sb, options)?;
        super_block::apply_discard(&mounted, |why| mounted.warn(why));
        if !fc.is_read_only() {
            let tell = |why: fmt::Arguments<'_>| mounted.warn(fmt!("mounted read-only: {}", why));
            if !super_block::begin_writing(&mounted, tell) {
                mounted.set_read_only();
            }
        }
        super_block::start_counting(&mounted);
        Ok(mounted)
    }

    fn reconfigure(&mut self, fc: &mut FsContext, sb: &SuperBlock<NtfsRs>) -> Result {
        take(&mut self.requested).remount(fc, &sb.data().options)?;
        super_block::apply_discard(sb, |why| fc.warnf(why));
        match (sb.is_read_only(), fc.is_read_only_after(sb)) {
            // What was to be written is lost already, which was said.
            (false, true) if sb.data().volume().is_stopped() => Ok(()),
            (false, true) => {
                sb.sync_filesystem()?;
                super_block::end_writing(sb)
            }
            (true, false) => {
                let tell = |why: fmt::Arguments<'_>| {
                    fc.errorf(fmt!("cannot remount for writing: {}", why))
                };
                match super_block::begin_writing(sb, tell) {
                    true => Ok(()),
                    false => Err(EROFS),
                }
            }
            _ => Ok(()),
        }
    }
}
