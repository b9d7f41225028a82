// SPDX-License-Identifier: GPL-2.0-only

//! Telling the device which clusters hold nothing: all that are free, when somebody asks for it.
//!
//! A cluster is discarded only while nobody can get it ([`Held`](super::allocator::Held)), and one that was
//! freed is not free before the transaction that freed it is durable.
//!
//! No lock of its own. Under that of the trimmer the device discards; all others can go on meanwhile.

use super::{
    allocator::Run,
    device::Device,
    error::{
        Error,
        Result, //
    },
    volume::Volume, //
};
use crate::ondisk::units::{
    ByteCount,
    ByteOffset,
    ClusterCount,
    Lcn, //
};

/// What is to be discarded of the free clusters.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Those that begin here or later,
    pub from: ByteOffset,
    /// and end here or before.
    pub to: ByteOffset,
    /// Runs that are shorter are left out; so are those shorter than the unit of the device.
    pub least: ByteCount,
}

/// Discards free clusters, and says how many bytes they have.
///
/// `go_on` is asked before each run; when it says no, that is all. Ends too when the volume is not written
/// any more. [`Error::ReadOnly`] if it is not written: a log that was not replayed, or Windows when it wakes
/// up, may use clusters that are free by `$Bitmap`. [`Error::Unsupported`] if the device cannot discard.
pub fn trim<D: Device>(
    volume: &Volume<D>,
    request: Request,
    mut go_on: impl FnMut() -> bool,
) -> Result<ByteCount> {
    let device = volume.device();
    let Some(unit) = device.discard_unit() else {
        return Err(Error::Unsupported("discarding by the device"));
    };
    if !volume.is_writable() {
        return Err(Error::ReadOnly);
    }
    let cluster = volume.geometry().cluster_size();
    let from = cluster.clusters_for(ByteCount::new(request.from.get()));
    let to = cluster.whole_clusters(ByteCount::new(request.to.get()));
    let to = Lcn::new(to.min(volume.geometry().clusters()).get());
    let least = cluster
        .clusters_for(request.least.max(unit))
        .max(ClusterCount::new(1));
    let allocator = volume.allocator()?;
    let mut at = Lcn::new(from.get());
    let mut trimmed: u64 = 0;
    // Each turn goes on behind the run that it found.
    while at < to && go_on() && volume.is_writable() {
        let Some(held) = allocator.next_free(volume, at, to, least)? else {
            break;
        };
        let run = held.run();
        at = run.end();
        let length = discard(volume, run)?;
        trimmed = trimmed.saturating_add(length.get());
    }
    Ok(ByteCount::new(trimmed))
}

/// Discards clusters that nobody can get meanwhile, and says how many bytes they have.
pub(super) fn discard<D: Device>(volume: &Volume<D>, run: Run) -> Result<ByteCount> {
    let cluster = volume.geometry().cluster_size();
    let (Some(at), Some(length)) = (cluster.lcn_to_offset(run.lcn), cluster.to_bytes(run.length))
    else {
        // No run of a volume ends behind it.
        return Ok(ByteCount::ZERO);
    };
    volume.device().discard(at, length).map_err(Error::Device)?;
    Ok(length)
}
