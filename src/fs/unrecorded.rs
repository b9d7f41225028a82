// SPDX-License-Identifier: GPL-2.0-only

//! How far the data of a value is on the device, while its record is behind.
//!
//! A record may say "initialized" only of bytes that are on the device, and tell of a cluster that can be
//! seen only when all of it is there. Transfers end in any order, so besides the mark below which all
//! that the record tells of is there, ranges are remembered: above it until the gap before them closes,
//! and in fresh clusters, wherever they are, until those are whole. Should there be no memory for that,
//! one is forgotten: the mark then moves when all data was waited for, at the next sync.
//!
//! Of a compressed value the units are remembered that are not on the device, see [`super::dirty_units`].

use kernel::{
    alloc::AllocError,
    prelude::*, //
};

use super::{
    allocator::{
        Reservation,
        Run, //
    },
    array,
    compressed::Unit,
    device::Device,
    dirty_units::DirtyUnits,
    volume::Volume, //
};
use crate::ondisk::units::ClusterCount;

/// Bytes from `start` to before `end` of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSpan {
    /// The first byte.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
}

/// What memory knows of a value in clusters and its record does not.
pub struct Unrecorded {
    /// Whether runs or sizes of the record are older than those in memory.
    pub behind: bool,
    /// All data before it is on the device, but for that of fresh clusters.
    settled: u64,
    /// What is on the device behind `settled` or in fresh clusters, in ascending order, none touching
    /// another; and perhaps what is of no use any more.
    done: KVVec<ByteSpan>,
    /// Whether there was no memory for a range.
    forgot: bool,
    /// A range whose data did not arrive, and that could not be made a hole.
    lost: Option<ByteSpan>,
    /// MFT records that are set aside for what the records are to be told.
    records: Option<Reservation>,
    /// Clusters that are set aside for a list of them.
    clusters: Option<Reservation>,
    /// Of a compressed value, the units that are not on the device.
    pub(super) units: DirtyUnits,
    /// Clusters in whose place others are in memory: they are freed with the change of the record that tells so.
    pub(super) superseded: KVVec<Run>,
}

impl Unrecorded {
    /// Of a value whose record is up to date, with this initialized size.
    pub fn new(initialized: u64) -> Self {
        Self {
            behind: false,
            settled: initialized,
            done: KVVec::new(),
            forgot: false,
            lost: None,
            records: None,
            clusters: None,
            units: DirtyUnits::new(),
            superseded: KVVec::new(),
        }
    }

    /// MFT records, and clusters for a list of them, that are set aside.
    pub(super) fn reserved(&self) -> (u64, ClusterCount) {
        let count = |reservation: &Option<Reservation>| {
            reservation
                .as_ref()
                .map_or(ClusterCount::ZERO, Reservation::count)
        };
        (count(&self.records).get(), count(&self.clusters))
    }

    /// Sets aside so many at least; [`Error::NoSpace`](super::error::Error::NoSpace) if there are not so many.
    pub(super) fn reserve<D: Device>(
        &mut self,
        volume: &Volume<D>,
        records: u64,
        clusters: ClusterCount,
    ) -> super::error::Result {
        let (had_records, had_clusters) = self.reserved();
        let missing = records.saturating_sub(had_records);
        if missing > 0 {
            add(&mut self.records, volume.reserve_records(missing)?);
        }
        if let Some(missing) = clusters.checked_sub(had_clusters) {
            let more = volume.allocator()?.reserve(&**volume, missing)?;
            add(&mut self.clusters, more);
        }
        Ok(())
    }

    /// So many of them were used.
    pub(super) fn claimed(&mut self, (records, clusters): (u64, ClusterCount)) {
        if let Some(reservation) = &mut self.records {
            reservation.claimed(ClusterCount::new(records));
        }
        if let Some(reservation) = &mut self.clusters {
            reservation.claimed(clusters);
        }
        self.units.set_roomy(None);
    }

    /// Gives back what is set aside: the records know all.
    pub(super) fn release(&mut self) {
        self.records = None;
        self.clusters = None;
        self.units.set_roomy(None);
    }

    /// All data before this byte is on the device, but for that of fresh clusters.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// The value is another one now: `end` bytes, all of them on the device.
    pub fn replace(&mut self, end: u64) {
        self.settled = end;
        self.done = KVVec::new();
        self.forgot = false;
        self.lost = None;
    }

    /// The data of a range did not arrive. The record tells of nothing there or behind until it is written again.
    pub fn lose(&mut self, span: ByteSpan) {
        let old = self.lost().unwrap_or(span);
        self.lost = Some(ByteSpan {
            start: old.start.min(span.start),
            end: old.end.max(span.end),
        });
    }

    /// A range in which data is missing that nobody has written again.
    pub fn lost(&self) -> Option<ByteSpan> {
        self.lost.filter(|span| span.end > self.settled)
    }

    /// The bytes that are missing: what the device has there is something else.
    pub(super) fn missing(&self) -> Option<ByteSpan> {
        self.lost().map(|span| ByteSpan {
            start: span.start.max(self.settled),
            ..span
        })
    }

    /// Moves the mark of a compressed value, of which all before `initialized` is on the device but for some units.
    pub(super) fn settle_units(&mut self, unit: Unit, initialized: u64) {
        self.settled = self.units.settled(unit, self.settled, initialized);
    }

    /// All data was waited for that was there when the value was initialized up to `end`.
    pub fn settle(&mut self, end: u64) {
        self.settled = self.settled.max(end);
        self.forgot = false;
        self.close_gap();
    }

    /// The ranges that are on the device, without one that has no clusters any more.
    pub fn without(&self, gone: ByteSpan) -> Result<KVVec<ByteSpan>, AllocError> {
        let mut left = KVVec::new();
        for span in self.done.iter().copied() {
            let before = ByteSpan {
                end: span.end.min(gone.start),
                ..span
            };
            let behind = ByteSpan {
                start: span.start.max(gone.end),
                ..span
            };
            for part in [before, behind] {
                if part.start < part.end {
                    array::push(&mut left, part)?;
                }
            }
        }
        Ok(left)
    }

    /// The value ends at `end` now, or earlier, and of its ranges on the device these are `left`.
    pub fn cut(&mut self, end: u64, left: KVVec<ByteSpan>) {
        self.settled = self.settled.min(end);
        self.done = left;
        self.lost = self
            .lost
            .filter(|span| span.start < end)
            .map(|span| ByteSpan {
                end: span.end.min(end),
                ..span
            });
    }

    /// The ranges that are remembered.
    pub fn done(&self) -> &[ByteSpan] {
        &self.done
    }

    /// A transfer ended: `span` is on the device. Gives the whole range that is, around it.
    ///
    /// `is_fresh` says whether a range has fresh clusters; one without is not remembered below the mark.
    pub fn add(&mut self, span: ByteSpan, is_fresh: impl Fn(ByteSpan) -> bool) -> ByteSpan {
        let whole = match self.merged(span, is_fresh) {
            Ok((whole, done)) => {
                self.done = done;
                whole
            }
            Err(_) => {
                self.forgot = true;
                span
            }
        };
        if whole.start <= self.settled {
            self.settled = self.settled.max(whole.end);
        }
        self.close_gap();
        whole
    }

    /// The ranges with one more, and the one that it is in then.
    fn merged(
        &self,
        span: ByteSpan,
        is_fresh: impl Fn(ByteSpan) -> bool,
    ) -> Result<(ByteSpan, KVVec<ByteSpan>), AllocError> {
        let mut whole = span;
        let mut before = KVVec::new();
        let mut behind = KVVec::new();
        for other in self.done.iter().copied() {
            if other.end <= self.settled && !is_fresh(other) {
                continue;
            }
            if other.end < span.start {
                array::push(&mut before, other)?;
            } else if other.start > span.end {
                array::push(&mut behind, other)?;
            } else {
                whole.start = whole.start.min(other.start);
                whole.end = whole.end.max(other.end);
            }
        }
        array::push(&mut before, whole)?;
        for other in behind.iter().copied() {
            array::push(&mut before, other)?;
        }
        Ok((whole, before))
    }

    /// Whether a range was forgotten since all data was waited for.
    pub fn has_forgotten(&self) -> bool {
        self.forgot
    }

    /// There is nothing to write from the mark to `end`: a hole.
    pub fn skip_hole(&mut self, end: u64) {
        self.settled = self.settled.max(end);
        self.close_gap();
    }

    /// Moves the mark over what is known to be on the device behind it.
    fn close_gap(&mut self) {
        for span in self.done.iter() {
            if span.start > self.settled {
                break;
            }
            self.settled = self.settled.max(span.end);
        }
    }
}

fn add(reservation: &mut Option<Reservation>, more: Reservation) {
    match reservation {
        Some(reservation) => reservation.join(more),
        None => *reservation = Some(more),
    }
}
