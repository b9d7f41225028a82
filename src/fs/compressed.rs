// SPDX-License-Identifier: GPL-2.0-only

//! Reading values that are compressed by LZNT1. They are written by [`super::compressed_writing`].
//!
//! Such a value is divided into compression units of some clusters, 16 as Windows makes them. A unit
//! that has all of its clusters is as it is; one without any is zeros; one in between has its first
//! clusters, which hold what [`lznt1`] decodes, and a hole behind them. The initialized size counts
//! decoded bytes, and may end within a unit.
//!
//! Takes no lock but that of the mapping.

use kernel::prelude::*;

use super::{
    attribute::Mapping,
    data::{
        self,
        ByteExtent,
        Source, //
    },
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    runlist::{
        Runlist,
        Target, //
    },
    store::Store, //
};
use crate::ondisk::{
    attribute::Sizes,
    boot::Geometry,
    bytes::u64_from_usize,
    compression::lznt1,
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        ClusterSize,
        Vcn, //
    },
};

/// The largest unit that is read: a bound for the memory that it takes. Windows has 64 KiB at most.
const MAX_UNIT: u64 = 2 << 20;

/// The logarithm of the clusters in a unit as Windows makes them.
const SHIFT_OF_WINDOWS: u8 = 4;

/// The largest clusters, in bytes, on which Windows compresses.
const MAX_CLUSTER: u64 = 4096;

/// The compression unit of a value.
///
/// # Invariants
///
/// `bytes` is a power of two, and that of `clusters`; no more than [`MAX_UNIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    clusters: ClusterCount,
    bytes: u64,
}

impl Unit {
    /// Takes the logarithm of its clusters; `None` if it is too large.
    pub(super) fn new(cluster: ClusterSize, shift: u8) -> Option<Self> {
        let clusters = ClusterCount::new(1_u64.checked_shl(shift.into())?);
        let bytes = cluster.to_bytes(clusters)?.get();
        // INVARIANT: The size of a cluster is a power of two.
        (bytes <= MAX_UNIT).then_some(Self { clusters, bytes })
    }

    /// The one that Windows gives to every value; `None` if it is too large.
    pub(super) fn of_windows(cluster: ClusterSize) -> Option<Self> {
        Self::new(cluster, SHIFT_OF_WINDOWS)
    }

    /// Whether values with such units are written: with clusters of no more than 4 KiB, since Windows compresses
    /// nothing else.
    pub(super) fn is_written(self) -> bool {
        let cluster = self.bytes.checked_div(self.clusters.get());
        cluster.is_some_and(|cluster| cluster <= MAX_CLUSTER)
    }

    /// How many bytes it has, a power of two.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// How many clusters it has at most, a power of two.
    pub(super) fn clusters(self) -> ClusterCount {
        self.clusters
    }

    /// The logarithm of its clusters.
    pub(super) fn shift(self) -> u8 {
        let shift = self.clusters.get().checked_ilog2().unwrap_or(0);
        u8::try_from(shift).unwrap_or(0)
    }

    /// Where the unit begins that holds a byte.
    pub(super) fn start_of(self, offset: ByteOffset) -> ByteOffset {
        ByteOffset::new(offset.get() & !self.bytes.saturating_sub(1))
    }

    /// Where the first unit begins that is at or behind a byte; `None` if there is no number for that.
    pub(super) fn next(self, offset: ByteOffset) -> Option<ByteOffset> {
        let next = offset.get().checked_next_multiple_of(self.bytes)?;
        Some(ByteOffset::new(next))
    }
}

/// How a unit is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// Not at all: zeros.
    Nothing,
    /// As it is.
    Plain,
    /// In so many clusters.
    Compressed(ClusterCount),
}

/// Looks at the clusters of the unit that begins at `first`.
///
/// Those that are missing count as there, so that reading them says why they are missing. A hole before
/// or between the clusters is an error: what is decoded has none.
pub(super) fn stored(mapping: &Mapping, unit: Unit, first: Vcn, place: Place) -> Result<Stored> {
    let Some(end) = first.checked_add(unit.clusters) else {
        return Ok(Stored::Nothing);
    };
    let runs = mapping
        .runlist
        .extents_from(first)
        .take_while(|run| run.vcn < end)
        .filter(|run| run.target != Target::Hole)
        .filter_map(|run| run.from(first)?.before(end));
    let mut there = ClusterCount::ZERO;
    for run in runs {
        let expected = first.checked_add(there).unwrap_or(end);
        if run.vcn != expected {
            let what = "VCN of clusters behind a hole of their compression unit";
            return Err(Error::rule(place, what, run.vcn.get(), expected.get()));
        }
        there = there.checked_add(run.length).unwrap_or(unit.clusters);
    }
    Ok(match there {
        ClusterCount::ZERO => Stored::Nothing,
        all if all >= unit.clusters => Stored::Plain,
        some => Stored::Compressed(some),
    })
}

/// How many clusters the runs have.
pub(super) fn taken(runlist: &Runlist) -> ClusterCount {
    let clusters = runlist
        .extents()
        .filter(|run| matches!(run.target, Target::Clusters(_)));
    clusters.fold(ClusterCount::ZERO, |sum, run| {
        sum.checked_add(run.length).unwrap_or(sum)
    })
}

/// What a reader has, and where it reads.
pub(super) struct Reader<'a, D: Device> {
    pub(super) store: &'a Store<D>,
    pub(super) mapping: &'a Mapping,
    pub(super) sizes: Sizes,
    pub(super) unit: Unit,
    /// For errors.
    pub(super) place: Place,
}

impl<D: Device> Reader<'_, D> {
    /// Reads from `offset` on; says how many bytes, less than `buf` has only at the end of the value.
    ///
    /// It is cheapest to read whole units. May sleep.
    pub(super) fn read(&self, offset: ByteOffset, buf: &mut [u8]) -> Result<usize> {
        let left = self.sizes.data.get().saturating_sub(offset.get());
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..length).unwrap_or(&mut []);
        let mut scratch = Scratch::default();
        let (mut rest, mut at) = (buf, offset);
        // Each turn reads at least a byte, up to the end of a unit.
        while !rest.is_empty() {
            let start = self.unit.start_of(at);
            let skip = at.get().saturating_sub(start.get());
            let part = usize::try_from(self.unit.bytes.saturating_sub(skip));
            let part = part.unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest
                .split_at_mut_checked(part)
                .unwrap_or((&mut [], &mut []));
            self.read_unit(start, skip, now, &mut scratch)?;
            self.zero_uninitialized(at, now);
            let length = ByteCount::new(u64_from_usize(part));
            at = at.checked_add(length).unwrap_or(at);
            rest = later;
        }
        Ok(length)
    }

    /// Reads the bytes of the unit that begin `skip` behind its begin.
    fn read_unit(
        &self,
        start: ByteOffset,
        skip: u64,
        buf: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result {
        let cluster = self.store.geometry().cluster_size();
        if start.get() >= self.sizes.initialized.get() {
            buf.fill(0);
            return Ok(());
        }
        let everything = Sizes {
            data: ByteCount::new(u64::MAX),
            initialized: ByteCount::new(u64::MAX),
            ..self.sizes
        };
        let read = |at: ByteOffset, buf: &mut [u8]| {
            data::read_runs(self.store, self.mapping, everything, self.place, at, buf)
        };
        match stored(self.mapping, self.unit, cluster.vcn_of(start), self.place)? {
            Stored::Nothing => buf.fill(0),
            Stored::Plain => {
                let at = start.get().saturating_add(skip);
                read(ByteOffset::new(at), buf)?;
            }
            Stored::Compressed(clusters) => {
                let length = cluster.to_bytes(clusters).unwrap_or_default().get();
                let input = of_length(&mut scratch.input, length)?;
                read(start, input)?;
                if skip == 0 && is_chunks(buf.len()) {
                    return lznt1::decompress(input, buf).at(self.place);
                }
                let output = of_length(&mut scratch.output, self.unit.bytes)?;
                lznt1::decompress(input, output).at(self.place)?;
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                let from = output.get(skip..).unwrap_or(&[]);
                for (to, from) in buf.iter_mut().zip(from) {
                    *to = *from;
                }
            }
        }
        Ok(())
    }

    /// Zeroes what is behind the initialized size.
    fn zero_uninitialized(&self, at: ByteOffset, buf: &mut [u8]) {
        let kept = self.sizes.initialized.get().saturating_sub(at.get());
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        buf.get_mut(kept..).unwrap_or(&mut []).fill(0);
    }
}

/// Whether so many bytes, from the begin of a unit on, are whole chunks.
fn is_chunks(length: usize) -> bool {
    length & lznt1::CHUNK.saturating_sub(1) == 0
}

/// Memory for one unit after the other.
#[derive(Default)]
struct Scratch {
    input: KVVec<u8>,
    output: KVVec<u8>,
}

/// The first `length` bytes of `memory`, of which there are at least so many from now on.
fn of_length(memory: &mut KVVec<u8>, length: u64) -> Result<&mut [u8]> {
    // No more than `MAX_UNIT`.
    let length = usize::try_from(length).unwrap_or(0);
    if memory.len() < length {
        *memory = KVVec::zeroed(length, GFP_KERNEL)?;
    }
    Ok(memory.get_mut(..length).unwrap_or(&mut []))
}

/// What is at `offset`: to the end of its unit, or of the hole that goes on behind it. In a hole `dirty` gives the first
/// unit at or behind a byte that the page cache has and the device has not: that is promised, not a hole.
pub(super) fn locate(
    geometry: &Geometry,
    mapping: &Mapping,
    sizes: Sizes,
    unit: Unit,
    place: Place,
    offset: ByteOffset,
    dirty: impl Fn(ByteOffset) -> Option<ByteOffset>,
) -> Result<ByteExtent> {
    let cluster = geometry.cluster_size();
    let start = unit.start_of(offset);
    let end = start.get().saturating_add(unit.bytes);
    let found = data::locate(geometry, mapping, sizes.initialized, place, start)?;
    let in_unit = ByteExtent {
        offset,
        length: ByteCount::new(end.saturating_sub(offset.get())),
        source: found.source,
    };
    let first = cluster.vcn_of(start);
    Ok(match (stored(mapping, unit, first, place)?, found.source) {
        (Stored::Nothing, _) => {
            let hole_end = found.offset.get().saturating_add(found.length.get());
            // Up to the last whole unit of the hole.
            let hole_end = unit.start_of(ByteOffset::new(hole_end)).get().max(end);
            let next = dirty(start).map_or(hole_end, ByteOffset::get);
            if next == start.get() {
                return Ok(ByteExtent {
                    source: Source::Promised,
                    ..in_unit
                });
            }
            ByteExtent {
                length: ByteCount::new(hole_end.min(next).saturating_sub(offset.get())),
                source: Source::Hole,
                ..in_unit
            }
        }
        (Stored::Plain | Stored::Compressed(_), Source::Device(at)) => ByteExtent {
            source: Source::Encoded(at),
            ..in_unit
        },
        _ => in_unit,
    })
}

/// What is at `offset`, see [`data::layout`].
pub(super) fn layout(
    geometry: &Geometry,
    mapping: &Mapping,
    sizes: Sizes,
    unit: Unit,
    place: Place,
    offset: ByteOffset,
) -> Result<ByteExtent> {
    let cluster = geometry.cluster_size();
    let start = unit.start_of(offset);
    let end = start.get().saturating_add(unit.bytes);
    let rest = ByteCount::new(end.saturating_sub(offset.get()));
    let is_read = start.get() < sizes.initialized.get();
    let within = |initialized: ByteCount| -> Result<ByteExtent> {
        let found = data::locate(geometry, mapping, initialized, place, offset)?;
        Ok(ByteExtent {
            length: found.length.min(rest),
            ..found
        })
    };
    match stored(mapping, unit, cluster.vcn_of(start), place)? {
        Stored::Nothing => locate(geometry, mapping, sizes, unit, place, offset, |_| None),
        Stored::Plain => within(sizes.initialized),
        Stored::Compressed(_) => {
            let found = within(ByteCount::new(u64::MAX))?;
            let Source::Device(at) = found.source else {
                return Ok(found);
            };
            let next = found.offset.get().saturating_add(found.length.get());
            let (next, end) = (ByteOffset::new(next), ByteOffset::new(end));
            let (next, end) = (cluster.vcn_of(next), cluster.vcn_of(end));
            let is_last = !mapping
                .runlist
                .extents_from(next)
                .take_while(|run| run.vcn < end)
                .any(|run| run.target != Target::Hole);
            Ok(ByteExtent {
                length: if is_last { rest } else { found.length },
                source: match is_read {
                    true => Source::Encoded(at),
                    false => Source::Uninitialized(at),
                },
                ..found
            })
        }
    }
}
