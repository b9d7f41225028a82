// SPDX-License-Identifier: GPL-2.0-only

//! Bringing units of a compressed value to the device, see [`super::compressed_writing`].
//!
//! Units are encoded into one memory, which goes to clusters that lie together, as far as there are such; and for
//! several of them the runs are changed at once.
//!
//! Lock order: see [`super`]. The caller may have folios in writeback, and one behind them locked.

use kernel::prelude::*;

use super::{
    allocator::{
        Allocation,
        Claim,
        Purpose,
        Reservation,
        Run, //
    },
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    changed_units::Changed,
    compressed::{
        self,
        Stored,
        Unit, //
    },
    compressed_writing::{
        promise,
        unit_of, //
    },
    device::Device,
    encoder::{
        AnyEncoder,
        Encoder, //
    },
    error::{
        Error,
        Result, //
    },
    file::replace_runs,
    runlist::{
        Runlist,
        Target, //
    },
    volume::Volume, //
};
use crate::ondisk::{
    attribute::Sizes,
    bytes::u64_from_usize,
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        Lcn,
        Vcn, //
    },
};

/// Units that are written back at once at most: with each turn all runs of the value are made anew.
const MAX_UNITS: usize = 64;

/// A unit that is written back.
struct Entry {
    start: ByteOffset,
    promise: Reservation,
    /// How many clusters it takes, when that is known.
    stored: Option<ClusterCount>,
}

/// Units that are written back together. What is not [written](Batch::write) when it is dropped is to be tried again.
pub struct Batch<'v, D: Device> {
    volume: &'v Volume<D>,
    data: &'v Attribute,
    unit: Unit,
    encoder: AnyEncoder<'v>,
    /// Bytes that are collected.
    used: usize,
    entries: KVec<Entry>,
    /// The clusters of the entries, in their order.
    allocations: KVec<Allocation<'v>>,
    /// Why it is not to be written.
    error: Option<Error>,
}

impl<'v, D: Device> Batch<'v, D> {
    /// Gets the memory that is needed; waits for it. The caller has no folio locked.
    pub fn new(volume: &'v Volume<D>, data: &'v Attribute) -> Result<Self> {
        let unit = unit_of(data)?;
        Ok(Self {
            volume,
            data,
            unit,
            encoder: volume.spare_encoder().get(unit)?,
            used: 0,
            entries: KVec::with_capacity(MAX_UNITS, GFP_KERNEL)?,
            allocations: KVec::new(),
            error: None,
        })
    }

    /// Whether it is to be written before the unit at `start` comes.
    pub fn is_full(&self, start: ByteOffset) -> bool {
        let last = self.entries.last();
        self.entries.len() >= MAX_UNITS || last.is_some_and(|last| last.start >= start)
    }

    /// Begins with the unit that begins at `start`: its folio is locked. Gives memory for its bytes, all of which have
    /// to be filled in, with zeros behind the end of the value; then comes [`Batch::encode`].
    pub fn begin(&mut self, start: ByteOffset) -> Result<&mut [u8]> {
        self.volume.start_change()?;
        // A page may have become dirty without a question.
        promise(self.volume, self.data, start, ByteCount::new(1))?;
        if self.is_full(start) {
            return Err(Error::NoMemory);
        }
        let promise = self.data.unrecorded().units.begin(start.get());
        let entry = Entry {
            start,
            promise: promise.ok_or(Error::NotFound)?,
            stored: None,
        };
        // There is room for it.
        array::push(&mut self.entries, entry)?;
        let length = usize::try_from(self.unit.bytes()).unwrap_or(0);
        self.encoder.unit.get_mut(..length).ok_or(Error::NoMemory)
    }

    /// Encodes the unit. The folio may be unlocked by now. After an error nothing of the batch is written.
    pub fn encode(&mut self) -> Result {
        let encoded = self.try_encode();
        self.error = self.error.or(encoded.err());
        encoded
    }

    fn try_encode(&mut self) -> Result {
        let left = self.encoder.out.len().saturating_sub(self.used);
        if u64_from_usize(left) < self.unit.bytes() {
            self.send()?;
        }
        let cluster = self.volume.geometry().cluster_size();
        let stored = match self.encoder.encode(self.unit, cluster, self.used)? {
            Stored::Nothing => ClusterCount::ZERO,
            Stored::Plain => self.unit.clusters(),
            Stored::Compressed(clusters) => clusters,
        };
        let bytes = cluster.to_bytes(stored).ok_or(Error::NoSpace)?.get();
        let bytes = usize::try_from(bytes).map_err(|_| Error::NoSpace)?;
        self.used = self.used.saturating_add(bytes);
        if let Some(entry) = self.entries.last_mut() {
            entry.stored = Some(stored);
        }
        Ok(())
    }

    /// Brings all to the device, and has the mapping tell of it. After an error nothing has changed but that the units
    /// are not on their way any more: they are to be tried again if [`is_transient`] says so, else they are lost.
    pub fn write(&mut self) -> Result {
        let written = match self.error.take() {
            Some(error) => Err(error),
            None => self.send().and_then(|()| self.install()),
        };
        if let Err(error) = written {
            self.fail(error);
        }
        self.used = 0;
        self.entries.clear();
        self.allocations.clear();
        written
    }

    /// Where the next clusters had best be.
    fn goal(&self) -> Result<Option<Lcn>> {
        if let Some(last) = self.allocations.last() {
            return Ok(Some(last.run().end()));
        }
        let Some(first) = self.entries.first() else {
            return Ok(None);
        };
        let mapping = self.data.mapping(self.volume)?;
        let vcn = self.volume.geometry().cluster_size().vcn_of(first.start);
        let before = vcn.get().checked_sub(1).map(Vcn::new);
        let hole = before.and_then(|vcn| mapping.runlist.run_at(vcn));
        let vcn = match hole {
            Some(hole) if hole.target == Target::Hole => hole.vcn,
            _ => vcn,
        };
        Ok(mapping.runlist.behind(vcn))
    }

    /// Writes what is collected to new clusters.
    fn send(&mut self) -> Result {
        let cluster = self.volume.geometry().cluster_size();
        let allocator = self.volume.allocator()?;
        let mut at: usize = 0;
        // Each turn writes a cluster at least.
        while at < self.used {
            let rest = self.used.saturating_sub(at);
            let wanted = cluster.clusters_for(ByteCount::new(u64_from_usize(rest)));
            let goal = self.goal()?;
            let got =
                allocator.allocate(self.volume, goal, wanted, Claim::Reserved, Purpose::Data)?;
            let length = got.run().length;
            array::push(&mut self.allocations, got)?;
            let got = self.allocations.last();
            let got = got.map_or(&[][..], core::slice::from_ref);
            let rest = self.encoder.out.get(at..self.used).unwrap_or(&[]);
            write_runs(self.volume, got, rest)?;
            let bytes = cluster.to_bytes(length).ok_or(Error::NoSpace)?.get();
            at = at.saturating_add(usize::try_from(bytes).map_err(|_| Error::NoSpace)?);
        }
        self.used = 0;
        Ok(())
    }

    /// Puts the new clusters in the place of the old ones.
    fn install(&mut self) -> Result {
        if self.entries.is_empty() {
            return Ok(());
        }
        let cluster = self.volume.geometry().cluster_size();
        let mut unrecorded = self.data.unrecorded();
        let mapping = self.data.mapping_to_change(self.volume)?;
        let is_underway = |entry: &Entry| unrecorded.units.is_underway(entry.start.get());
        if !self.entries.iter().all(is_underway) {
            return Err(Error::NotFound);
        }
        let runs = self.allocations.iter().map(Allocation::run);
        let (runlist, gone) = with_entries(
            &mapping,
            self.unit,
            &self.entries,
            |at| cluster.vcn_of(at),
            runs,
        )?;
        let taken = compressed::taken(&runlist);
        let before = unrecorded.superseded.len();
        let replace = || -> Result {
            for run in &gone {
                array::push(&mut unrecorded.superseded, *run)?;
            }
            replace_runs(self.data, &mapping, runlist).map(|_| ())
        };
        if let Err(error) = replace() {
            unrecorded.superseded.truncate(before);
            return Err(error);
        }

        // From here on nothing fails.
        unrecorded.behind = true;
        while let Some(allocation) = self.allocations.pop() {
            allocation.keep();
        }
        while let Some(mut entry) = self.entries.pop() {
            entry.promise.claimed(entry.stored.unwrap_or_default());
            unrecorded.units.arrived(entry.start.get());
        }
        let sizes = self.data.sizes();
        self.data.set_sizes(Sizes {
            compressed: cluster.to_bytes(taken),
            ..sizes
        });
        Ok(())
    }

    fn fail(&mut self, error: Error) {
        self.allocations.clear();
        if self.entries.is_empty() {
            return;
        }
        let mut unrecorded = self.data.unrecorded();
        let settled = unrecorded.settled();
        let mapping = self.data.mapping(self.volume);
        while let Some(entry) = self.entries.pop() {
            let start = entry.start;
            let vcn = self.volume.geometry().cluster_size().vcn_of(start);
            let stored = mapping
                .as_ref()
                .map(|mapping| compressed::stored(mapping, self.unit, vcn, self.data.place()));
            let is_seen = start.get().saturating_add(self.unit.bytes()) <= settled;
            let is_lost = !is_seen && stored != Ok(Ok(Stored::Nothing));
            match is_transient(&error) {
                true => unrecorded
                    .units
                    .failed(start.get(), Some(entry.promise), false),
                false => unrecorded.units.failed(start.get(), None, is_lost),
            }
        }
    }
}

impl<D: Device> Drop for Batch<'_, D> {
    fn drop(&mut self) {
        self.fail(Error::NoMemory);
    }
}

/// Whether units that were not written back for this reason are still promised.
pub fn is_transient(error: &Error) -> bool {
    matches!(error, Error::NoMemory | Error::Device(ENOMEM))
}

/// The runs of a mapping with those of the entries, which are in any order, in their place; and the clusters that are not
/// among them any more.
fn with_entries(
    mapping: &Mapping,
    unit: Unit,
    entries: &[Entry],
    vcn_of: impl Fn(ByteOffset) -> Vcn,
    runs: impl Iterator<Item = Run>,
) -> Result<(Runlist, KVVec<Run>)> {
    let mut changed = Changed::new(&mapping.runlist, unit);
    let mut runs = runs;
    let mut left = Run::default();
    for entry in entries {
        changed.begin(vcn_of(entry.start))?;
        let mut missing = entry.stored.ok_or(Error::NoMemory)?;
        // Each turn takes a cluster at least.
        while missing != ClusterCount::ZERO {
            if left.is_empty() {
                left = runs.next().ok_or(Error::NoSpace)?;
            }
            let now = left.at_most(missing);
            changed.push(Target::Clusters(now.lcn), now.length)?;
            missing = missing.checked_sub(now.length).unwrap_or_default();
            left = left.from(now.end());
        }
        changed.end()?;
    }
    changed.finish()
}

/// Writes a value that leaves its record to new clusters. Gives its runs, which end with a whole unit.
pub(super) fn write_all<'v, D: Device>(
    volume: &'v Volume<D>,
    unit: Unit,
    value: &[u8],
) -> Result<(Runlist, KVec<Allocation<'v>>)> {
    let cluster = volume.geometry().cluster_size();
    let allocator = volume.allocator()?;
    let mut encoder = Encoder::new(unit)?;
    let length = usize::try_from(unit.bytes()).map_err(|_| Error::NoSpace)?;
    let mut runlist = Runlist::new();
    let mut allocations = KVec::new();
    let mut rest = value;
    // Each turn takes a unit, or what is left.
    while !rest.is_empty() {
        let (part, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = behind;
        let start = runlist.end();
        let end = start.checked_add(unit.clusters()).ok_or(Error::NoSpace)?;
        encoder.unit.fill(0);
        for (to, from) in encoder.unit.iter_mut().zip(part) {
            *to = *from;
        }
        let stored = match encoder.encode(unit, cluster, 0)? {
            Stored::Nothing => ClusterCount::ZERO,
            Stored::Plain => unit.clusters(),
            Stored::Compressed(clusters) => clusters,
        };
        let last = start.checked_add(stored).ok_or(Error::NoSpace)?;
        let unreserved = ClusterCount::ZERO;
        let own = allocator.extend(volume, &mut runlist, last, unreserved, Purpose::Data)?;
        write_runs(volume, &own, &encoder.out)?;
        for allocation in own {
            array::push(&mut allocations, allocation)?;
        }
        if let Some(hole) = end.distance_from(runlist.end()) {
            runlist.push(Target::Hole, hole)?;
        }
    }
    Ok((runlist, allocations))
}

/// Writes bytes to new clusters, which have no more than these.
pub(super) fn write_runs<D: Device>(
    volume: &Volume<D>,
    allocations: &[Allocation<'_>],
    bytes: &[u8],
) -> Result {
    let cluster = volume.geometry().cluster_size();
    let mut rest = bytes;
    for allocation in allocations {
        let Run { lcn, length } = allocation.run();
        let length = cluster.to_bytes(length).ok_or(Error::NoSpace)?.get();
        let length = usize::try_from(length).map_err(|_| Error::NoSpace)?;
        let place = cluster.lcn_to_offset(lcn).ok_or(Error::NoSpace)?;
        let (now, later) = rest.split_at_checked(length).ok_or(Error::NoSpace)?;
        volume.device().write(place, now).map_err(Error::Device)?;
        rest = later;
    }
    Ok(())
}
