// SPDX-License-Identifier: GPL-2.0-only

//! Reading the value of an attribute, whatever its form, and writing over clusters that it has.
//!
//! What is compressed is for [`super::compressed`].
//!
//! [`read_at`] reads into memory. [`map_extent`] says where bytes are, for those who let the page
//! cache or the device do the transfer. Holes, and all that is beyond the initialized size, read as
//! zeros. What this driver cannot decode is an error, never raw bytes.

use kernel::prelude::*;

use super::{
    attribute::{
        Attribute,
        Mapping, //
    },
    compressed::{
        self,
        Unit, //
    },
    device::Device,
    error::{
        Error,
        Place,
        Result, //
    },
    residency::Probe,
    runlist::Target,
    store::Store,
    unrecorded::ByteSpan, //
};
use crate::ondisk::{
    attribute::Sizes,
    boot::Geometry,
    bytes::u64_from_usize,
    units::{
        ByteCount,
        ByteOffset, //
    },
};

/// The largest piece in which data is transferred: a page, or a cluster if that is smaller.
const LARGEST_BLOCK: u64 = 4096;

/// Reads from `offset` on; says how many bytes, less than `buf` has only at the end of the value.
///
/// May sleep. Takes the record lock for a resident value only.
pub fn read_at<D: Device>(
    store: &Store<D>,
    attribute: &Attribute,
    offset: ByteOffset,
    buf: &mut [u8],
) -> Result<usize> {
    read_at_probed(store, attribute, offset, buf, &())
}

/// [`read_at`] with a probe at the places where another thread could come between.
pub fn read_at_probed<D: Device, P: Probe>(
    store: &Store<D>,
    attribute: &Attribute,
    offset: ByteOffset,
    buf: &mut [u8],
    probe: &P,
) -> Result<usize> {
    check_supported(attribute)?;
    read_stored(store, attribute, None, offset, buf, probe)
}

/// [`read_at`] of what is stored, whether or not anybody understands it; in clusters with other sizes than those of
/// the value, if there are some.
pub(super) fn read_stored<D: Device, P: Probe>(
    store: &Store<D>,
    attribute: &Attribute,
    sizes: Option<Sizes>,
    offset: ByteOffset,
    buf: &mut [u8],
    probe: &P,
) -> Result<usize> {
    let resident = attribute.with_resident(store, probe, |value| {
        let start = usize::try_from(offset.get()).unwrap_or(usize::MAX);
        let value = value.get(start..).unwrap_or(&[]);
        copy(buf, value)
    })?;
    match resident {
        Some(length) => Ok(length),
        None => {
            let mapping = attribute.mapping(store)?;
            let (sizes, place) = (
                sizes.unwrap_or_else(|| attribute.sizes()),
                attribute.place(),
            );
            let Some(unit) = attribute.compression_unit() else {
                check_arrived(store, attribute, offset, buf.len())?;
                return read_runs(store, &mapping, sizes, place, offset, buf);
            };
            let reader = compressed::Reader {
                store,
                mapping: &mapping,
                sizes,
                unit,
                place,
            };
            reader.read(offset, buf)
        }
    }
}

fn check_supported(attribute: &Attribute) -> Result {
    attribute.unsupported().map_or(Ok(()), Err)
}

/// The error for bytes of which some are missing since a transfer failed.
fn check_arrived<D: Device>(
    store: &Store<D>,
    attribute: &Attribute,
    offset: ByteOffset,
    length: usize,
) -> Result {
    let end = offset.get().saturating_add(u64_from_usize(length));
    let lost = lost_blocks(store.geometry(), attribute);
    match lost.filter(|lost| lost.start < end && offset.get() < lost.end) {
        Some(_) => Err(Error::Device(EIO)),
        None => Ok(()),
    }
}

/// The blocks with bytes that are missing since a transfer failed. Data is transferred by whole ones, so what
/// was in them before is in doubt as well.
fn lost_blocks(geometry: &Geometry, attribute: &Attribute) -> Option<ByteSpan> {
    let block = u64::from(geometry.cluster_size().bytes()).min(LARGEST_BLOCK);
    let within = block.saturating_sub(1);
    attribute.lost().map(|span| ByteSpan {
        start: span.start & !within,
        end: span.end.saturating_add(within) & !within,
    })
}

/// Copies as much as fits, and says how much.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    to.len().min(from.len())
}

/// Reads from `offset` on through a mapping, with the sizes that it was loaded with; `place` is for
/// errors.
pub(super) fn read_mapping<D: Device>(
    store: &Store<D>,
    mapping: &Mapping,
    place: Place,
    offset: ByteOffset,
    buf: &mut [u8],
) -> Result<usize> {
    read_runs(store, mapping, mapping.sizes, place, offset, buf)
}

/// Reads from `offset` on through a mapping, with these sizes.
pub(super) fn read_runs<D: Device>(
    store: &Store<D>,
    mapping: &Mapping,
    sizes: Sizes,
    place: Place,
    offset: ByteOffset,
    buf: &mut [u8],
) -> Result<usize> {
    let left = sizes.data.get().saturating_sub(offset.get());
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
    let mut rest = buf.get_mut(..length).unwrap_or(&mut []);
    let mut at = offset;
    // Each turn consumes at least a byte of `rest`.
    while !rest.is_empty() {
        let extent = locate(store.geometry(), mapping, sizes.initialized, place, at)?;
        let part = usize::try_from(extent.length.get())
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let Some((now, later)) = rest.split_at_mut_checked(part).filter(|_| part != 0) else {
            return Err(missing(mapping, place, at));
        };
        match extent.source {
            Source::Device(from) => store.device().read(from, now).map_err(Error::Device)?,
            Source::Hole | Source::Uninitialized(_) | Source::Promised => now.fill(0),
            // Whoever decodes them looks at the clusters themselves.
            Source::Encoded(_) => return Err(missing(mapping, place, at)),
            Source::Lost(_) => return Err(Error::Device(EIO)),
        }
        at = at
            .checked_add(ByteCount::new(u64_from_usize(part)))
            .ok_or_else(|| missing(mapping, place, at))?;
        rest = later;
    }
    Ok(length)
}

/// Writes `buf` from `offset` on through a mapping; `place` is for errors.
///
/// For what has clusters already, and whose sizes are for others to change: a hole is an error. After
/// an error any part of `buf` may be written.
pub(super) fn write_mapping<D: Device>(
    store: &Store<D>,
    mapping: &Mapping,
    place: Place,
    offset: ByteOffset,
    buf: &[u8],
) -> Result {
    let everything = ByteCount::new(u64::MAX);
    let mut rest = buf;
    let mut at = offset;
    // Each turn consumes at least a byte of `rest`.
    while !rest.is_empty() {
        let extent = locate(store.geometry(), mapping, everything, place, at)?;
        let part = usize::try_from(extent.length.get())
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (Source::Device(to), Some((now, later))) = (
            extent.source,
            rest.split_at_checked(part).filter(|_| part != 0),
        ) else {
            return Err(missing(mapping, place, at));
        };
        store.device().write(to, now).map_err(Error::Device)?;
        at = at
            .checked_add(ByteCount::new(u64_from_usize(part)))
            .ok_or_else(|| missing(mapping, place, at))?;
        rest = later;
    }
    Ok(())
}

/// What a range of bytes of an attribute consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Bytes of the device, from this offset of it on.
    Device(ByteOffset),
    /// A hole: zeros.
    Hole,
    /// Clusters that were allocated and never written: zeros, whatever is on the device.
    ///
    /// They are from this offset of the device on.
    Uninitialized(ByteOffset),
    /// Clusters for data that comes to the page cache: zeros where that has none.
    Promised,
    /// Whole blocks of the device from this offset of it on, to which data was on its way that did not arrive:
    /// nobody knows what is there.
    Lost(ByteOffset),
    /// Bytes that are compressed, or may be, from this offset of the device on: only [`read_at`] reads them.
    Encoded(ByteOffset),
}

/// A range of bytes of an attribute that come from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteExtent {
    /// Where it begins in the attribute.
    pub offset: ByteOffset,
    /// How long it is; never 0.
    pub length: ByteCount,
    /// Where the bytes are.
    pub source: Source,
}

/// What is at `offset` of a non-resident attribute, up to the next change of kind or place.
///
/// An extent of the device ends exactly at the initialized size, which need not be the end of a
/// block. Behind the last cluster there is a hole without end. Takes no record lock once the
/// attribute's mapping is loaded. What cannot be read by this driver is [`Error::Unsupported`].
pub fn map_extent<D: Device>(
    store: &Store<D>,
    attribute: &Attribute,
    offset: ByteOffset,
) -> Result<ByteExtent> {
    check_supported(attribute)?;
    if let Some(unit) = attribute.compression_unit() {
        return locate_in_units(store, attribute, unit, offset);
    }
    let mapping = attribute.mapping(store)?;
    let (geometry, place) = (store.geometry(), attribute.place());
    let initialized = attribute.sizes().initialized;
    let found = locate(geometry, &mapping, initialized, place, offset)?;
    Ok(match lost_blocks(geometry, attribute) {
        Some(lost) => without_lost(found, lost),
        None => found,
    })
}

/// Of what was found, the part before or within the blocks that were lost.
fn without_lost(found: ByteExtent, lost: ByteSpan) -> ByteExtent {
    let Source::Device(at) = found.source else {
        return found;
    };
    let start = found.offset.get();
    if start >= lost.end {
        return found;
    }
    let (end, source) = match start < lost.start {
        true => (lost.start, found.source),
        false => (lost.end, Source::Lost(at)),
    };
    let length = ByteCount::new(end.saturating_sub(start));
    ByteExtent {
        length: found.length.min(length),
        source,
        ..found
    }
}

/// [`map_extent`] without waiting for anything; `None` if that would be needed, is an error, or the value is
/// compressed.
pub fn map_extent_at_once<D: Device>(
    store: &Store<D>,
    attribute: &Attribute,
    offset: ByteOffset,
) -> Option<ByteExtent> {
    check_supported(attribute).ok()?;
    if attribute.may_have_lost() {
        return None;
    }
    let mapping = attribute.mapping_if_loaded()?;
    if attribute.compression_unit().is_some() {
        return None;
    }
    let (geometry, place) = (store.geometry(), attribute.place());
    let initialized = attribute.sizes().initialized;
    locate(geometry, &mapping, initialized, place, offset).ok()
}

/// What is at `offset` of a non-resident attribute, for who is only told of places: as [`map_extent`], but of a
/// compressed value it says which units are as they are. Bytes that are compressed are told with their clusters,
/// the last of which stand for all bytes up to the end of the unit.
pub fn layout<D: Device>(
    store: &Store<D>,
    attribute: &Attribute,
    offset: ByteOffset,
) -> Result<ByteExtent> {
    let Some(unit) = attribute.compression_unit() else {
        return map_extent(store, attribute, offset);
    };
    check_supported(attribute)?;
    let mapping = attribute.mapping(store)?;
    let (geometry, place) = (store.geometry(), attribute.place());
    compressed::layout(geometry, &mapping, attribute.sizes(), unit, place, offset)
}

fn locate_in_units<D: Device>(
    store: &Store<D>,
    attribute: &Attribute,
    unit: Unit,
    offset: ByteOffset,
) -> Result<ByteExtent> {
    let unrecorded = attribute.unrecorded();
    let mapping = attribute.mapping(store)?;
    let (geometry, place) = (store.geometry(), attribute.place());
    let dirty = |from: ByteOffset| unrecorded.units.next(from.get()).map(ByteOffset::new);
    let sizes = attribute.sizes();
    compressed::locate(geometry, &mapping, sizes, unit, place, offset, dirty)
}

/// What is at `offset`, see [`map_extent`].
pub(super) fn locate(
    geometry: &Geometry,
    mapping: &Mapping,
    initialized: ByteCount,
    place: Place,
    offset: ByteOffset,
) -> Result<ByteExtent> {
    let cluster = geometry.cluster_size();
    let vcn = cluster.vcn_of(offset);
    let Some(run) = mapping.runlist.lookup(vcn) else {
        return Ok(ByteExtent {
            offset,
            length: ByteCount::new(u64::MAX.saturating_sub(offset.get())),
            source: Source::Hole,
        });
    };
    let within = cluster.offset_within(offset);
    let length = cluster
        .to_bytes(run.length)
        .and_then(|length| length.checked_sub(within))
        .ok_or_else(|| missing(mapping, place, offset))?;
    let source = match run.target {
        Target::Missing => return Err(missing(mapping, place, offset)),
        Target::Hole => Source::Hole,
        Target::Promised(_) => Source::Promised,
        Target::Clusters(lcn) | Target::Fresh(lcn) => {
            let start = cluster.lcn_to_offset(lcn);
            let start = start.and_then(|start| start.checked_add(within));
            Source::Device(start.ok_or_else(|| missing(mapping, place, offset))?)
        }
    };
    let initialized = initialized.get().saturating_sub(offset.get());
    Ok(match source {
        Source::Device(at) if initialized == 0 => ByteExtent {
            offset,
            length,
            source: Source::Uninitialized(at),
        },
        Source::Device(_) => ByteExtent {
            offset,
            length: length.min(ByteCount::new(initialized)),
            source,
        },
        _ => ByteExtent {
            offset,
            length,
            source,
        },
    })
}

/// The error for bytes whose place is not known.
fn missing(mapping: &Mapping, place: Place, offset: ByteOffset) -> Error {
    mapping.damage.unwrap_or_else(|| {
        Error::rule(
            place,
            "no run describes the byte",
            offset.get(),
            mapping.sizes.data.get(),
        )
    })
}
