// SPDX-License-Identifier: GPL-2.0-only

//! Which free clusters are the best for somebody.

use super::{
    blocks::BLOCK_BITS,
    count::Progress,
    home::Home,
    less,
    run::Run,
    sum,
    windows::Window,
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
/// How many times as much as is wanted there should be, where a stream begins anew.
const AHEAD: u64 = 16;
/// How often a zone of `$MFT` can be halved.
const MAX_HALVES: u32 = u64::BITS + 1;

impl State {
    /// Free clusters for an allocation: `wanted` of them or less, but one at least; `None` if there
    /// are none at all, or none that this purpose should get and not all is counted yet. `aim` is how many
    /// there should be for a stream that cannot go on at its goal.
    pub(super) fn find<D: Device>(
        &mut self,
        home: &Home<'_, D>,
        goal: Option<Lcn>,
        aim: ClusterCount,
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
        let near = Run {
            lcn: goal,
            length: wanted.min(ClusterCount::new(u64_from_usize(BLOCK_BITS))),
        };
        self.blocks.look_at(home, near)?;
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
        if let Some(run) = self.beside_windows(home, goal, aim, &outside, wanted)? {
            return Ok(Some(run));
        }
        if self.blocks.progress() == Progress::Counting {
            // There may be others outside the zone.
            return Ok(None);
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

    /// [`State::longest`] that leaves the windows of streams alone, if that does not give less.
    fn beside_windows<D: Device>(
        &mut self,
        home: &Home<'_, D>,
        goal: Lcn,
        aim: ClusterCount,
        places: &[Run],
        wanted: ClusterCount,
    ) -> Result<Option<Run>> {
        // Who cannot go on where he was goes where he can for longer.
        let next = Run {
            lcn: goal,
            length: ClusterCount::new(1),
        };
        let goes_on = self.blocks.next_free(home, next, next.length)?.is_some();
        let rooms = match goes_on {
            true => [None, Some(wanted)],
            false => {
                let ahead = ClusterCount::new(wanted.get().saturating_mul(AHEAD));
                [Some(ahead.max(aim)), Some(wanted)]
            }
        };
        let mut best: Option<Run> = None;
        for room in rooms.into_iter().flatten() {
            self.avoids_windows = true;
            let found = self.longest(home, places, room);
            self.avoids_windows = false;
            let Some(found) = found? else {
                break;
            };
            if found.length >= room {
                return Ok(Some(found.at_most(wanted)));
            }
            best = Some(found.at_most(wanted));
        }
        let other = self.longest(home, places, wanted)?;
        Ok(match (best, other) {
            (Some(best), Some(other)) if best.length >= other.length => Some(best),
            (best, other) => other.or(best),
        })
    }

    /// Keeps clusters behind a run for the one who got it with a goal; `own` is the window that he had there.
    pub(super) fn open_window(&mut self, run: Run, goal: Lcn, own: Window, most: ClusterCount) {
        let left = less(own.run.length, run.length);
        // Twice as many as before when half of them are used, or when there were no more.
        let aim = match run.lcn == goal && sum(left, left) >= own.aim {
            true => own.aim,
            false => sum(own.aim, own.aim),
        };
        let ahead = ClusterCount::new(run.length.get().saturating_mul(AHEAD));
        let aim = aim.max(ahead).min(most);
        let wanted = Run {
            lcn: run.end(),
            length: aim,
        };
        let run = self.windows.clip(wanted.before(self.blocks.end()));
        if aim != ClusterCount::ZERO {
            self.windows.put(Window { run, aim });
        }
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
        let mut left = within;
        // Each turn goes on behind what is not to be given.
        while let Some(run) = self.blocks.next_free(home, left, most)? {
            let free = self.allowed(run);
            if !free.is_empty() {
                return Ok(Some(free));
            }
            left = left.from(self.behind_forbidden(run));
        }
        Ok(None)
    }

    /// What of a free run comes before clusters that are not to be given; nothing if it begins with such.
    fn allowed(&self, run: Run) -> Run {
        let free = match self.held {
            Some(held) if held.overlaps(run) => run.before(held.lcn),
            _ => run,
        };
        match self.avoids_windows {
            true => self.windows.clip(free),
            false => free,
        }
    }

    /// The end of the clusters that are not to be given, at the begin of a run.
    fn behind_forbidden(&self, run: Run) -> Lcn {
        let first = run.at_most(ClusterCount::new(1));
        match self.held {
            Some(held) if held.overlaps(first) => held.end(),
            _ => match self.windows.first_in(first) {
                Some(window) => window.end(),
                // There is one of the two.
                None => run.end(),
            },
        }
    }
}
