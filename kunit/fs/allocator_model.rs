// SPDX-License-Identifier: GPL-2.0-only

//! A volume as `fs::allocator` should have it, cluster by cluster.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    allocator::{
        open,
        run, //
    },
    disk::{
        mount,
        plain,
        Disk,
        Ram, //
    },
};
use crate::{
    fs::{
        allocator::{
            Allocator,
            Claim,
            Purpose,
            Reservation,
            Run,
            Zone, //
        },
        error::Error,
        volume::Volume, //
    },
    ondisk::units::{
        ClusterCount,
        Lcn, //
    },
};

/// What `statfs` would show.
pub(crate) fn free(allocator: &Allocator, volume: &Volume<Ram>) -> Result<u64> {
    Ok(plain(allocator.free(volume))?.get())
}

/// Numbers that look random; the constants are Knuth's for MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// What the model knows of a cluster.
#[derive(Clone, Copy, PartialEq)]
enum Cluster {
    Free,
    Used,
    Queued,
}

/// The same volume, cluster by cluster.
struct Model {
    clusters: KVVec<Cluster>,
    free: u64,
    reserved: u64,
}

impl Model {
    fn mark(&mut self, run: Run, from: Cluster, to: Cluster) {
        let start = run.lcn.get() as usize;
        for cluster in &mut self.clusters[start..start + run.length.get() as usize] {
            assert!(*cluster == from);
            *cluster = to;
        }
        match (from, to) {
            (Cluster::Free, _) => self.free -= run.length.get(),
            (_, Cluster::Free) => self.free += run.length.get(),
            _ => {}
        }
    }

    /// Clusters from `lcn` on that are used, `most` at the utmost.
    fn used(&self, lcn: u64, most: u64) -> Run {
        let mut length = 0;
        for cluster in &self.clusters[lcn as usize..] {
            if *cluster != Cluster::Used || length == most {
                break;
            }
            length += 1;
        }
        run(lcn, length)
    }
}

/// When the free clusters are counted.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Counting {
    /// Before anything else.
    AtOnce,
    /// A part now and then, and the rest when somebody must know.
    Slowly,
}

/// Steps taken at random, on a volume of which all clusters are free.
pub(crate) struct Walk {
    pub(crate) clusters: u64,
    pub(crate) steps: u64,
    /// The most that is wanted at once.
    pub(crate) longest: u64,
    /// Where a byte of `$Bitmap` is.
    pub(crate) at: fn(usize) -> usize,
    pub(crate) counting: Counting,
}

impl Walk {
    /// Takes the steps on the volume and on its model.
    pub(crate) fn compare(&self, disk: &Arc<Disk>) -> Result {
        let Self {
            clusters,
            steps,
            longest,
            at,
            counting,
        } = *self;
        let volume = mount(disk)?;
        let allocator = open(&volume, Zone::behind_mft(&volume))?;
        let mut random = Random(clusters);
        let mut model = Model {
            clusters: KVVec::from_elem(Cluster::Free, clusters as usize, GFP_KERNEL)?,
            free: clusters,
            reserved: 0,
        };
        let mut full = 0;
        let mut reservation: Option<Reservation> = None;
        for _ in 0..steps {
            let goal = random.below(clusters);
            let wanted = 1 + random.below(longest);
            let count = ClusterCount::new(wanted);
            let action = random.below(16);
            match action {
                0..7 => {
                    let claim = match wanted <= model.reserved {
                        true => Claim::Reserved,
                        false => Claim::Unreserved,
                    };
                    let purpose = match random.below(8) {
                        0 => Purpose::Mft,
                        _ => Purpose::Data,
                    };
                    let goal = Some(Lcn::new(goal)).filter(|_| random.below(3) > 0);
                    match allocator.allocate(&volume, goal, count, claim, purpose) {
                        Ok(allocation) => {
                            let run = allocation.run();
                            assert!(!run.is_empty() && run.length <= count);
                            model.mark(run, Cluster::Free, Cluster::Used);
                            if random.below(8) == 0 {
                                drop(allocation);
                                model.mark(run, Cluster::Used, Cluster::Free);
                            } else {
                                allocation.keep();
                                if claim == Claim::Reserved {
                                    model.reserved -= run.length.get();
                                    if let Some(reservation) = &mut reservation {
                                        reservation.claimed(run.length);
                                    }
                                }
                            }
                        }
                        Err(error) => {
                            assert_eq!(error, Error::NoSpace);
                            assert!(claim == Claim::Unreserved && model.free == model.reserved);
                            full += 1;
                        }
                    }
                }
                7..12 => {
                    let run = model.used(goal, wanted);
                    let freed = plain(allocator.prepare_free(&volume, [run]))?;
                    if random.below(4) > 0 {
                        freed.later();
                        model.mark(run, Cluster::Used, Cluster::Queued);
                    }
                }
                12 => allocator.settle(allocator.mark(), |run| {
                    model.mark(run, Cluster::Queued, Cluster::Free);
                }),
                13 => match allocator.reserve(&volume, count) {
                    Ok(more) => {
                        model.reserved += wanted;
                        match &mut reservation {
                            Some(reservation) => reservation.join(more),
                            None => reservation = Some(more),
                        }
                    }
                    Err(_) => assert!(model.free - model.reserved < wanted),
                },
                14 => {
                    reservation = None;
                    model.reserved = 0;
                }
                _ => {
                    plain(allocator.write_back(&volume))?;
                    allocator.shrink(usize::MAX);
                    if random.below(8) == 0 {
                        plain(allocator.count_some(&volume))?;
                    }
                }
            }
            if counting == Counting::AtOnce {
                assert_eq!(free(&allocator, &volume)?, model.free - model.reserved);
            }
        }
        // The volume was full at times.
        assert!(full > 0);
        assert_eq!(free(&allocator, &volume)?, model.free - model.reserved);
        plain(allocator.write_back(&volume))?;
        assert_eq!(allocator.dirty(), 0);
        for (byte, clusters) in model.clusters.chunks(8).enumerate() {
            let mut expected = 0;
            for (bit, cluster) in clusters.iter().enumerate() {
                expected |= u8::from(*cluster != Cluster::Free) << bit;
            }
            assert_eq!(disk.byte(at(byte)), expected);
        }
        Ok(())
    }
}
