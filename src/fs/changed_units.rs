// SPDX-License-Identifier: GPL-2.0-only

//! The runs of a compressed value in which those of some units are others.

use kernel::prelude::*;

use super::{
    allocator::Run,
    array,
    compressed::Unit,
    error::{
        Error,
        Result, //
    },
    runlist::{
        Runlist,
        Target, //
    },
};
use crate::ondisk::units::{
    ClusterCount,
    Vcn, //
};

/// Runs in which those of some units are replaced, in ascending order.
pub(super) struct Changed<'a> {
    old: &'a Runlist,
    unit: Unit,
    runlist: Runlist,
    /// The clusters of the units up to now.
    gone: KVVec<Run>,
    /// The first VCN behind the unit that is being replaced.
    unit_end: Vcn,
}

impl<'a> Changed<'a> {
    pub(super) fn new(old: &'a Runlist, unit: Unit) -> Self {
        Self {
            old,
            unit,
            runlist: Runlist::new(),
            gone: KVVec::new(),
            unit_end: Vcn::ZERO,
        }
    }

    /// Takes over what is before `vcn`; holes lead there if need be.
    fn copy_until(&mut self, vcn: Vcn) -> Result {
        let from = self.runlist.end();
        for run in self.old.extents_from(from) {
            let Some(run) = run.before(vcn) else { break };
            if let Some(run) = run.from(from) {
                self.runlist.push(run.target, run.length)?;
            }
        }
        match vcn.distance_from(self.runlist.end()) {
            Some(missing) => self.runlist.push(Target::Hole, missing),
            None => Ok(()),
        }
    }

    /// Begins with the unit at a VCN.
    pub(super) fn begin(&mut self, vcn: Vcn) -> Result {
        self.copy_until(vcn)?;
        let end = vcn
            .checked_add(self.unit.clusters())
            .ok_or(Error::NoSpace)?;
        for run in self.old.extents_from(vcn) {
            let Some(run) = run.before(end) else { break };
            if let (Some(run), true) = (run.from(vcn), vcn < self.old.end()) {
                if let Target::Clusters(lcn) = run.target {
                    let length = run.length;
                    array::push(&mut self.gone, Run { lcn, length })?;
                }
            }
        }
        self.unit_end = end;
        Ok(())
    }

    pub(super) fn push(&mut self, target: Target, length: ClusterCount) -> Result {
        self.runlist.push(target, length)
    }

    /// The rest of the unit is a hole.
    pub(super) fn end(&mut self) -> Result {
        match self.unit_end.distance_from(self.runlist.end()) {
            Some(missing) => self.runlist.push(Target::Hole, missing),
            None => Ok(()),
        }
    }

    /// The runs, and the clusters that are not among them any more.
    pub(super) fn finish(mut self) -> Result<(Runlist, KVVec<Run>)> {
        let end = self.old.end();
        if self.runlist.end() < end {
            self.copy_until(end)?;
        }
        Ok((self.runlist, self.gone))
    }
}
