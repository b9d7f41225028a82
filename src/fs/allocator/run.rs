// SPDX-License-Identifier: GPL-2.0-only

//! Clusters of the volume that lie one behind the other, and those set aside for `$MFT`.

use crate::{
    fs::{
        device::Device,
        runlist::Target,
        store::Store, //
    },
    ondisk::units::{
        ClusterCount,
        Lcn,
        Vcn, //
    },
};

/// Clusters that lie one behind the other on the volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The first one.
    pub lcn: Lcn,
    /// How many there are.
    pub length: ClusterCount,
}

impl Run {
    /// From one cluster up to another, which is not part of it; empty if it lies before.
    pub fn between(from: Lcn, to: Lcn) -> Self {
        Self {
            lcn: from,
            length: to.distance_from(from).unwrap_or_default(),
        }
    }

    /// The cluster behind the last one.
    pub const fn end(self) -> Lcn {
        Lcn::new(self.lcn.get().saturating_add(self.length.get()))
    }

    /// Whether there is no cluster in it.
    pub fn is_empty(self) -> bool {
        self.length == ClusterCount::ZERO
    }

    /// Whether there is a cluster in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.lcn < other.end() && other.lcn < self.end()
    }

    /// Its first clusters, `most` of them if there are so many.
    pub fn at_most(self, most: ClusterCount) -> Self {
        Self {
            length: self.length.min(most),
            ..self
        }
    }

    /// What of it lies before `lcn`.
    pub fn before(self, lcn: Lcn) -> Self {
        Self::between(self.lcn, self.end().min(lcn))
    }

    /// What of it is at or behind `lcn`.
    pub fn from(self, lcn: Lcn) -> Self {
        Self::between(self.lcn.max(lcn), self.end())
    }
}

/// The clusters behind `$MFT` that data stays away from, so that `$MFT` can grow in one piece.
///
/// Data takes half of what is left of the zone each time there is no free cluster outside, the half
/// that is farther from `$MFT`. Nothing on the disk tells of it; the next mount begins with a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    run: Run,
}

impl Zone {
    /// No cluster is set aside.
    pub const NONE: Self = Self {
        run: Run {
            lcn: Lcn::ZERO,
            length: ClusterCount::ZERO,
        },
    };

    /// An eighth of a volume that has `clusters`, from `start` on.
    pub fn behind(start: Lcn, clusters: ClusterCount) -> Self {
        let volume = Run {
            lcn: Lcn::ZERO,
            length: clusters,
        };
        let most = ClusterCount::new(clusters.get() >> 3);
        Self {
            run: volume.from(start).at_most(most),
        }
    }

    /// An eighth of the volume behind the last cluster of `$MFT`.
    pub fn behind_mft<D: Device>(store: &Store<D>) -> Self {
        let mapping = store.mft();
        let last = mapping.runlist.end().get().checked_sub(1).map(Vcn::new);
        let extent = last.and_then(|last| mapping.runlist.lookup(last));
        match extent.map(|extent| extent.target) {
            Some(Target::Clusters(lcn)) => {
                let start = Lcn::new(lcn.get().saturating_add(1));
                Self::behind(start, store.geometry().clusters())
            }
            _ => Self::NONE,
        }
    }

    /// Its clusters.
    pub fn run(self) -> Run {
        self.run
    }

    /// `$MFT` got these clusters: what lies before their end is no longer of use to it.
    pub(super) fn advance(&mut self, mft: Run) {
        if self.run.overlaps(mft) {
            self.run = self.run.from(mft.end());
        }
    }

    /// Gives up the half that is farther from `$MFT`; `None` if nothing is left.
    pub(super) fn give_up(&mut self) -> Option<Run> {
        if self.run.is_empty() {
            return None;
        }
        let kept = self
            .run
            .at_most(ClusterCount::new(self.run.length.get() >> 1));
        let given = self.run.from(kept.end());
        self.run = kept;
        Some(given)
    }
}
