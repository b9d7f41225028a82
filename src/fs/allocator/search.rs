// SPDX-License-Identifier: GPL-2.0-only

//! Which free clusters are the best for somebody.

use super::{
    blocks::BLOCK_BITS,
    home::Home,
    run::Run,
    Purpose,
    State, //
};
use crate::{
    fs::{
        device::Device,
        error::Result, //
    },
    ondisk::{
        bytes::u64_from_usize,
        units::{
            ClusterCount,
            Lcn, //
        },
    },
};

/// Runs that are looked at until the longest of them will do.
const MAX_RUNS: usize = 4096;
/// Blocks that are read until the longest run that they have will do.
const MAX_READS: u64 = 32;
/// Blocks that tell of one allocation at most: all of them stay in memory until it is kept.
const MAX_BLOCKS: usize = 64;
/// How often a zone of `$MFT` can be halved.
const MAX_HALVES: u32 = u64::BITS + 1;

impl State {
    /// Free clusters for an allocation: `wanted` of them or less, but one at least; `None` if there
    /// are none at all.
    pub(super) fn find<D: Device>(
        &mut self,
        home: &Home<'_, D>,
        goal: Option<Lcn>,
        wanted: ClusterCount,
        purpose: Purpose,
    ) -> Result<Option<Run>> {
        let most = u64_from_usize(BLOCK_BITS).saturating_mul(u64_from_usize(MAX_BLOCKS));
        let wanted = wanted.min(ClusterCount::new(most));
        let zone = self.zone.run();
        let goal = goal.unwrap_or(match purpose {
            Purpose::Data => self.next,
            Purpose::Mft => zone.lcn,
        });
        let goal = match goal >= self.first && goal < self.blocks.end() {
            true => goal,
            false => self.first,
        };
        let behind = Run::between(goal, self.blocks.end());
        let before = Run::between(self.first, goal);
        if purpose == Purpose::Mft {
            return self.longest(home, &[behind, before], wanted);
        }
        let outside = [
            behind.before(zone.lcn),
            behind.from(zone.end()),
            before.before(zone.lcn),
            before.from(zone.end()),
        ];
        if let Some(run) = self.longest(home, &outside, wanted)? {
            return Ok(Some(run));
        }
        let mut zone = self.zone;
        for _ in 0..MAX_HALVES {
            let Some(given) = zone.give_up() else {
                break;
            };
            let found = self.longest(home, &[given], wanted)?;
            if found.is_some() {
                self.zone = zone;
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first `wanted` free clusters that lie together; else the longest run that was found.
    fn longest<D: Device>(
        &mut self,
        home: &Home<'_, D>,
        places: &[Run],
        wanted: ClusterCount,
    ) -> Result<Option<Run>> {
        let mut longest: Option<Run> = None;
        let mut runs: usize = 0;
        let reads = self.blocks.reads();
        for place in places {
            let mut left = *place;
            // Each turn goes on behind the run that it found.
            while let Some(run) = self.next_free(home, left, wanted)? {
                if run.length >= wanted {
                    return Ok(Some(run.at_most(wanted)));
                }
                if longest.is_none_or(|longest| longest.length < run.length) {
                    longest = Some(run);
                }
                runs = runs.saturating_add(1);
                let read = self.blocks.reads().saturating_sub(reads);
                if runs >= MAX_RUNS || read >= MAX_READS {
                    return Ok(longest);
                }
                left = left.from(run.end());
            }
        }
        Ok(longest)
    }

    /// The first free clusters in `within` that are not held, see
    /// [`Blocks::next_free`](super::blocks::Blocks::next_free).
    pub(super) fn next_free<D: Device>(
        &mut self,
        home: &Home<'_, D>,
        within: Run,
        most: ClusterCount,
    ) -> Result<Option<Run>> {
        let Some(run) = self.blocks.next_free(home, within, most)? else {
            return Ok(None);
        };
        let Some(held) = self.held.filter(|held| held.overlaps(run)) else {
            return Ok(Some(run));
        };
        if run.lcn < held.lcn {
            return Ok(Some(run.before(held.lcn)));
        }
        self.blocks.next_free(home, within.from(held.end()), most)
    }
}
