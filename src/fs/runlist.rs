// SPDX-License-Identifier: GPL-2.0-only

//! The runs of a non-resident attribute, joined from all of its parts.
//!
//! A runlist is built once, part by part in the order of their VCNs, and never changes afterwards; a
//! new one replaces it. What no part describes, because a part is missing or broken, is kept as a
//! gap of its own kind, so that the rest of the file can be read.

use kernel::prelude::*;

use super::{
    array,
    error::Result, //
};
use crate::ondisk::units::{
    ClusterCount,
    Lcn,
    Vcn, //
};

/// Where a run of clusters is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// On the volume, from this cluster on.
    Clusters(Lcn),
    /// Nowhere: a hole, it reads as zeros.
    Hole,
    /// Not known: the part of the attribute that would tell it is missing or broken.
    Missing,
}

/// Clusters that are contiguous, from a certain VCN on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first one in the attribute.
    pub vcn: Vcn,
    /// How many there are.
    pub length: ClusterCount,
    /// Where they are.
    pub target: Target,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    vcn: Vcn,
    target: Target,
}

/// A sorted array of runs that covers VCN 0 to [`Runlist::end`] without overlap or gap.
///
/// # Invariants
///
/// The VCNs of `runs` ascend strictly, the first is 0 and all are below `end`.
#[derive(Debug, Default)]
pub struct Runlist {
    runs: KVVec<Run>,
    end: Vcn,
}

impl Runlist {
    /// Without any run.
    pub const fn new() -> Self {
        Self {
            runs: KVVec::new(),
            end: Vcn::ZERO,
        }
    }

    /// The first VCN that is not covered.
    pub fn end(&self) -> Vcn {
        self.end
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there is no run.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Appends a run at the end. Nothing happens if it is empty or has no place among VCNs.
    pub fn push(&mut self, target: Target, length: ClusterCount) -> Result {
        let Some(end) = self.end.checked_add(length) else {
            return Ok(());
        };
        if length == ClusterCount::ZERO {
            return Ok(());
        }
        if !self.continues_last(target) {
            // INVARIANT: The old end is above the VCNs of all runs and below the new end.
            let vcn = self.end;
            array::push(&mut self.runs, Run { vcn, target })?;
        }
        self.end = end;
        Ok(())
    }

    /// Whether a run to `target` is only more of the last run.
    fn continues_last(&self, target: Target) -> bool {
        let Some(last) = self.runs.last() else {
            return false;
        };
        match (last.target, target) {
            (Target::Hole, Target::Hole) | (Target::Missing, Target::Missing) => true,
            (Target::Clusters(lcn), Target::Clusters(next)) => {
                let length = self.end.distance_from(last.vcn);
                length.and_then(|length| lcn.checked_add(length)) == Some(next)
            }
            _ => false,
        }
    }

    /// Fills up to `vcn` with a gap whose place is not known.
    pub fn push_missing_until(&mut self, vcn: Vcn) -> Result {
        match vcn.distance_from(self.end) {
            Some(length) => self.push(Target::Missing, length),
            None => Ok(()),
        }
    }

    /// What is from `vcn` to the end of its run; `None` beyond the end.
    pub fn lookup(&self, vcn: Vcn) -> Option<Extent> {
        if vcn >= self.end {
            return None;
        }
        let (run, end) = self.run_of(vcn)?;
        let skipped = vcn.distance_from(run.vcn)?;
        let target = match run.target {
            Target::Clusters(lcn) => Target::Clusters(lcn.checked_add(skipped)?),
            other => other,
        };
        Some(Extent {
            vcn,
            length: end.distance_from(vcn)?,
            target,
        })
    }

    /// The last run that begins at or before `vcn`, and where it ends.
    fn run_of(&self, vcn: Vcn) -> Option<(&Run, Vcn)> {
        // The first run is in `before` if any is; `before` is halved until it is alone.
        let mut before = self.runs.as_slice();
        let mut end = self.end;
        while before.len() > 1 {
            let (low, high) = before.split_at_checked(before.len() >> 1)?;
            match high.first() {
                Some(run) if run.vcn <= vcn => before = high,
                Some(run) => {
                    before = low;
                    end = run.vcn;
                }
                None => return None,
            }
        }
        before.first().map(|run| (run, end))
    }
}
