// SPDX-License-Identifier: GPL-2.0-only

//! The runs of a non-resident attribute, joined from all of its parts.
//!
//! A runlist is built once, part by part in the order of their VCNs, and never changes afterwards; a
//! new one replaces it. What no part describes, because a part is missing or broken, is kept as a
//! gap of its own kind, so that the rest of the file can be read.
//!
//! The runlist of a file that is being written is ahead of its records: clusters are promised before
//! there is data for them, and the record may tell of them only when the data is there.

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
    /// On the volume as well, but the data is on its way there: a record does not tell of it yet.
    Fresh(Lcn),
    /// On the volume, for data that comes to the page cache, if it comes; nothing of it is there.
    Promised(Lcn),
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

impl Extent {
    /// The part that begins at `vcn`, if that is before the end; all of it if it begins later.
    pub fn from(&self, vcn: Vcn) -> Option<Self> {
        let Some(skipped) = vcn.distance_from(self.vcn) else {
            return Some(*self);
        };
        let length = self.length.checked_sub(skipped)?;
        if length == ClusterCount::ZERO {
            return None;
        }
        let target = match self.target {
            Target::Clusters(lcn) => Target::Clusters(lcn.checked_add(skipped)?),
            Target::Fresh(lcn) => Target::Fresh(lcn.checked_add(skipped)?),
            Target::Promised(lcn) => Target::Promised(lcn.checked_add(skipped)?),
            other => other,
        };
        Some(Self {
            vcn,
            length,
            target,
        })
    }

    /// The part before `vcn`, if there is one.
    pub fn before(&self, vcn: Vcn) -> Option<Self> {
        let length = vcn.distance_from(self.vcn)?.min(self.length);
        (length != ClusterCount::ZERO).then_some(Self { length, ..*self })
    }

    /// The first VCN behind it.
    pub fn end(&self) -> Option<Vcn> {
        self.vcn.checked_add(self.length)
    }
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

    /// Where the run before `vcn` goes on, as the place for the next one.
    pub fn behind(&self, vcn: Vcn) -> Option<Lcn> {
        let before = vcn.get().checked_sub(1).map(Vcn::new)?;
        match self.lookup(before)?.target {
            Target::Clusters(lcn) | Target::Fresh(lcn) | Target::Promised(lcn) => {
                lcn.checked_add(ClusterCount::new(1))
            }
            Target::Hole | Target::Missing => None,
        }
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
            (Target::Clusters(lcn), Target::Clusters(next))
            | (Target::Fresh(lcn), Target::Fresh(next))
            | (Target::Promised(lcn), Target::Promised(next)) => {
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
        let whole = Extent {
            vcn: run.vcn,
            length: end.distance_from(run.vcn)?,
            target: run.target,
        };
        whole.from(vcn)
    }

    /// The whole run that `vcn` is in; `None` beyond the end.
    pub fn run_at(&self, vcn: Vcn) -> Option<Extent> {
        if vcn >= self.end {
            return None;
        }
        let (run, end) = self.run_of(vcn)?;
        Some(Extent {
            vcn: run.vcn,
            length: end.distance_from(run.vcn)?,
            target: run.target,
        })
    }

    /// All runs, in the order of their VCNs.
    pub fn extents(&self) -> impl Iterator<Item = Extent> + '_ {
        self.extents_of(&self.runs)
    }

    /// The runs from the one on that `vcn` is in, without a look at those before; all if there is none.
    pub fn extents_from(&self, vcn: Vcn) -> impl Iterator<Item = Extent> + '_ {
        let (mut first, mut count) = (0_usize, self.runs.len());
        // The run is among `count` ones from `first` on; they are halved until it is alone.
        while count > 1 {
            let half = count >> 1;
            let middle = first.saturating_add(half);
            if self.runs.get(middle).is_some_and(|run| run.vcn <= vcn) {
                first = middle;
                count = count.saturating_sub(half);
            } else {
                count = half;
            }
        }
        self.extents_of(self.runs.get(first..).unwrap_or(&[]))
    }

    /// The last runs, which these are.
    fn extents_of<'a>(&'a self, runs: &'a [Run]) -> impl Iterator<Item = Extent> + 'a {
        let ends = runs.iter().skip(1).map(|run| run.vcn);
        let ends = Iterator::chain(ends, core::iter::once(self.end));
        runs.iter().zip(ends).filter_map(|(run, end)| {
            Some(Extent {
                vcn: run.vcn,
                length: end.distance_from(run.vcn)?,
                target: run.target,
            })
        })
    }

    /// The same runs up to `end`; what is behind it is left out.
    pub fn until(&self, end: Vcn) -> Result<Self> {
        let mut cut = Self::new();
        for run in self.extents() {
            let Some(before) = run.before(end) else {
                break;
            };
            cut.push(before.target, before.length)?;
        }
        Ok(cut)
    }

    /// The same runs, but `length` clusters from `vcn` on are to `target`. A hole leads there if need
    /// be.
    pub fn replaced(&self, vcn: Vcn, length: ClusterCount, target: Target) -> Result<Self> {
        let mut changed = self.until(vcn)?;
        if let Some(gap) = vcn.distance_from(changed.end) {
            changed.push(Target::Hole, gap)?;
        }
        changed.push(target, length)?;
        let behind = changed.end;
        for run in self.extents() {
            if let Some(rest) = run.from(behind) {
                changed.push(rest.target, rest.length)?;
            }
        }
        Ok(changed)
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
