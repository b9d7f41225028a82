// SPDX-License-Identifier: GPL-2.0-only

//! The clusters of a volume that is written: who gets them, and who gave them back.
//!
//! The [`Allocator`] owns `$Bitmap`. Its bits commute, so that no transaction locks them: clusters are
//! set in the bitmap when they are handed out, and cleared only when the transaction that freed them is
//! durable. What is in between is held by a guard that undoes it: [`Allocation`], [`Freed`], [`Held`].
//!
//! * `blocks`: the bitmap in memory, and the counts of free clusters.
//! * `count`: counting them after the mount, while clusters are handed out.
//! * `search`: which clusters are the best ones.
//! * `free`: clusters on their way back.
//! * `reservation`: clusters that are set aside, without saying which ones.
//! * `trim`: free clusters that are discarded.
//! * `windows`: free clusters that streams find behind their last ones.
//! * `write`: bringing the changes of the bitmap to the device.
//!
//! The bits of `$MFT`'s `$BITMAP` are handed out by the same machinery, with the numbers of records in the
//! place of those of clusters: see [`super::records`].
//!
//! Lock order: see [`super`]. There is one mutex over the state, below all records; blocks are
//! allocated and read under it, and nothing is locked. Callers are in a scope where allocations do not
//! come back to the file system.

mod blocks;
mod count;
mod free;
mod home;
mod reservation;
mod run;
mod search;
mod trim;
mod windows;
mod write;

pub use count::Progress;
pub use free::{
    Epoch,
    Freed, //
};
pub use reservation::Reservation;
pub use run::{
    Run,
    Zone, //
};
pub use trim::Held;

use kernel::{
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::{
        Arc,
        Mutex, //
    },
};

use self::{
    blocks::{
        bytes_for,
        Blocks,
        Growth,
        BLOCK_BYTES,
        TRANSFER_BYTES, //
    },
    free::Pending,
    home::Home,
    reservation::Total,
    windows::{
        Window,
        Windows, //
    }, //
};
use super::{
    array,
    attribute::{
        Attribute,
        Mapping, //
    },
    bits::{
        self,
        Bit, //
    },
    device::Device,
    error::{
        Error,
        Place,
        Result, //
    },
    residency::Form,
    runlist::{
        Runlist,
        Target, //
    },
    store::Store, //
};
use crate::ondisk::{
    bytes::u64_from_usize,
    units::{
        ByteCount,
        ByteOffset,
        ClusterCount,
        Lcn,
        Vcn, //
    },
};

/// Bytes of a bitmap that are checked at once.
const CHECKED_BYTES: usize = 32 * 1024;

/// What clusters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Anything but records of `$MFT`; stays away from the zone of `$MFT` while it can.
    Data,
    /// Records of `$MFT`.
    Mft,
}

/// Whether clusters were reserved before they are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// No; what others have reserved is not touched.
    Unreserved,
    /// Yes, by [`Allocator::reserve`]; the reservation shrinks by what is allocated.
    Reserved,
}

/// What is behind the mutex.
struct State {
    blocks: Blocks,
    /// Clusters that will be allocated later and must then be there.
    reserved: Arc<Total>,
    /// Free clusters that nobody may get now.
    held: Option<Run>,
    zone: Zone,
    /// Nothing before it is handed out.
    first: Lcn,
    /// Where data goes that has no goal.
    next: Lcn,
    windows: Windows,
    /// Whether a search leaves out the windows of others.
    avoids_windows: bool,
    /// Clusters that are being freed, by the first of each run; no two runs overlap.
    pending: RBTree<Lcn, Pending>,
    /// How many of those are only waiting for their transaction to be durable.
    queued: ClusterCount,
    epoch: Epoch,
}

/// Allocates the clusters of a volume.
#[pin_data]
pub struct Allocator {
    /// Where `$Bitmap` is; no hole is in it, as far as it tells of clusters. Another one when the bitmap
    /// has grown; its lock is a leaf.
    #[pin]
    mapping: Mutex<Arc<Mapping>>,
    place: Place,
    /// Held by the one who writes changes to the device; the buffer for that.
    #[pin]
    writer: Mutex<KVVec<u8>>,
    /// Held by the one who counts; the buffer for that, until all is counted.
    #[pin]
    counter: Mutex<KVVec<u8>>,
    /// Held by the one who has free clusters held.
    #[pin]
    trimmer: Mutex<()>,
    #[pin]
    state: Mutex<State>,
}

impl Allocator {
    /// Takes over `$Bitmap`. Reads where it is, but no bit of it; may sleep.
    ///
    /// What the bitmap is too short for is never allocated. [`Error::Unsupported`] if the bitmap cannot
    /// be written by this driver, [`Error::Corrupt`] if there are holes in it.
    pub fn open<D: Device>(
        store: &Store<D>,
        bitmap: &Attribute,
        zone: Zone,
    ) -> Result<Pin<KBox<Self>>> {
        let clusters = store.geometry().clusters();
        Self::open_over(store, bitmap, clusters, zone, Lcn::ZERO)
    }

    /// [`Allocator::open`] for any bitmap with `bits` bits, of which none before `first` is handed out.
    pub(super) fn open_over<D: Device>(
        store: &Store<D>,
        bitmap: &Attribute,
        bits: ClusterCount,
        zone: Zone,
        first: Lcn,
    ) -> Result<Pin<KBox<Self>>> {
        if bitmap.residency().hint() == Form::Resident {
            return Err(Error::Unsupported("a bitmap within its record"));
        }
        if bitmap.compression_unit().is_some() {
            return Err(Error::Unsupported("a compressed bitmap"));
        }
        if let Some(error) = bitmap.unwritable() {
            return Err(error);
        }
        let mapping = bitmap.mapping(store)?;
        let place = bitmap.place();
        let bytes = mapping.sizes.data.min(mapping.sizes.initialized);
        check_whole(store, &mapping, place, bytes)?;
        let told = ClusterCount::new(bytes.get().saturating_mul(8));
        let clusters = bits.min(told);

        let room = usize::try_from(bytes.get()).unwrap_or(usize::MAX);
        // A bitmap that grows needs a block at least.
        let buffer = KVVec::zeroed(room.clamp(BLOCK_BYTES, TRANSFER_BYTES), GFP_KERNEL)?;
        let state = State {
            blocks: Blocks::new(clusters)?,
            reserved: Total::new().map_err(|_| Error::NoMemory)?,
            held: None,
            zone,
            first,
            next: zone.run().end().max(first),
            windows: Windows::new(),
            avoids_windows: false,
            pending: RBTree::new(),
            queued: ClusterCount::ZERO,
            epoch: Epoch::FIRST,
        };
        KBox::pin_init(
            pin_init!(Self {
                mapping <- new_mutex!(mapping, "ntfs_rs::bitmap_mapping"),
                place,
                writer <- new_mutex!(buffer, "ntfs_rs::bitmap_writer"),
                counter <- new_mutex!(KVVec::new(), "ntfs_rs::bitmap_counter"),
                trimmer <- new_mutex!((), "ntfs_rs::trimmer"),
                state <- new_mutex!(state, "ntfs_rs::allocator"),
            }),
            GFP_KERNEL,
        )
        .map_err(|_| Error::NoMemory)
    }

    /// Where the bitmap is now. Who looks for bits has locked the state before: it may get longer.
    fn home<'a, D: Device>(&'a self, store: &'a Store<D>) -> Home<'a, D> {
        Home {
            store,
            mapping: self.mapping.lock().clone(),
            place: self.place,
        }
    }

    /// Gets ready for a bitmap of `bits` bits. Only one at a time may do so.
    pub(super) fn prepare_growth<D: Device>(
        &self,
        store: &Store<D>,
        bits: ClusterCount,
    ) -> Result<Growing<'_>> {
        let mut state = self.state.lock();
        let home = self.home(store);
        let last = state.blocks.last();
        state.blocks.pin(&home, last)?;
        match state.blocks.prepare_growth(bits) {
            Ok(growth) => Ok(Growing {
                allocator: self,
                last,
                growth: Some(growth),
            }),
            Err(error) => {
                state.blocks.unpin(last);
                Err(error)
            }
        }
    }

    /// Clusters that will be free as soon as what was done up to now is durable, and those that are
    /// being trimmed.
    ///
    /// Not 0 after [`Error::NoSpace`]: to make everything durable, to [`settle`](Self::settle), and to
    /// try again may help.
    pub fn pending(&self) -> ClusterCount {
        let state = self.state.lock();
        sum(state.queued, state.held())
    }

    /// Sets `count` free clusters aside, without saying which; [`Error::NoSpace`] if there are not so
    /// many. Waits until so many are known to be free, or all are counted.
    pub fn reserve<D: Device>(&self, store: &Store<D>, count: ClusterCount) -> Result<Reservation> {
        let state = self.counted_until(store, |state| state.available() >= count)?;
        if state.available() < count {
            return Err(Error::NoSpace);
        }
        state.reserved.add(count);
        Ok(Reservation::new(state.reserved.clone(), count))
    }

    /// Allocates one run of `wanted` clusters, or of as many as there are.
    ///
    /// It is as near behind `goal` as there is one that is long enough; behind the end of the volume
    /// comes its begin. Who has a goal is taken for a stream, for which the clusters behind are kept free while
    /// there are others. If none was found in a bounded search it is the longest that was. A very long
    /// one is handed out in parts. [`Error::NoSpace`] if there is no free cluster.
    ///
    /// As long as the free clusters are being counted, it looks where `goal` is and where they are counted; it
    /// waits until `wanted` clusters are known to be free, and until all are counted before it gives up.
    pub fn allocate<D: Device>(
        &self,
        store: &Store<D>,
        goal: Option<Lcn>,
        wanted: ClusterCount,
        claim: Claim,
        purpose: Purpose,
    ) -> Result<Allocation<'_>> {
        let mut own: Option<Window> = None;
        // Each turn but the last counts some blocks more.
        let (mut state, home, available, run) = loop {
            let mut state = self.counted_until(store, |state| state.room(claim) >= wanted)?;
            let home = self.home(store);
            let wanted = wanted.min(state.room(claim));
            if wanted == ClusterCount::ZERO {
                return Err(Error::NoSpace);
            }
            // The window of the one who goes on here is not in his way.
            if let (Purpose::Data, Some(goal), None) = (purpose, goal, own) {
                own = Some(state.windows.take(goal));
            }
            let aim = own.unwrap_or_default().aim;
            let available = state.available();
            if let Some(run) = state.find(&home, goal, aim, wanted, purpose)? {
                break (state, home, available, run);
            }
            if state.blocks.progress() == Progress::Done {
                return Err(Error::NoSpace);
            }
            drop(state);
            self.count_some(store)?;
        };
        state.blocks.pin(&home, run)?;
        if let Some(lcn) = state.blocks.first(run, Bit::Used) {
            state.blocks.unpin(run);
            return Err(home.corrupt("cluster allocated twice", lcn.get(), 0));
        }
        state.blocks.set(run, Bit::Used);
        match purpose {
            Purpose::Data => {
                state.next = run.end();
                if let (Some(goal), Some(own)) = (goal, own) {
                    let most = ClusterCount::new(available.get() >> 5);
                    state.open_window(run, goal, own, most.min(home.most_ahead()));
                }
            }
            Purpose::Mft => state.zone.advance(run),
        }
        let reserved = match claim {
            Claim::Unreserved => ClusterCount::ZERO,
            Claim::Reserved => run.length.min(state.reserved.get()),
        };
        state.reserved.subtract(reserved);
        Ok(Allocation {
            allocator: self,
            run,
            reserved,
        })
    }

    /// Allocates clusters for `runs` up to `end`, run by run, each behind the last one if it can be. The first
    /// `reserved` of them were reserved.
    ///
    /// On an error nothing is allocated, but `runs` may have become longer.
    pub(super) fn extend<D: Device>(
        &self,
        store: &Store<D>,
        runs: &mut Runlist,
        end: Vcn,
        reserved: ClusterCount,
        purpose: Purpose,
    ) -> Result<KVec<Allocation<'_>>> {
        let mut allocations = KVec::new();
        let mut reserved = reserved;
        // Each turn adds at least a cluster.
        while let Some(missing) = end.distance_from(runs.end()) {
            if missing == ClusterCount::ZERO {
                break;
            }
            let (claim, wanted) = match reserved {
                ClusterCount::ZERO => (Claim::Unreserved, missing),
                reserved => (Claim::Reserved, missing.min(reserved)),
            };
            let got = self.allocate(store, runs.behind(runs.end()), wanted, claim, purpose)?;
            let Run { lcn, length } = got.run();
            array::push(&mut allocations, got)?;
            runs.push(Target::Clusters(lcn), length)?;
            reserved = less(reserved, length);
        }
        Ok(allocations)
    }

    /// Checks that a run is in use, as long as nothing is changed. Reads no more than its bits.
    pub(super) fn check_used<D: Device>(&self, store: &Store<D>, run: Run) -> Result {
        let home = self.home(store);
        let length = usize::try_from(run.length.get() >> 3).unwrap_or(usize::MAX);
        // Up to two bytes more, as it need not begin with one; whole words are searched.
        let room = length.saturating_add(16).min(CHECKED_BYTES) & !7;
        let mut bytes = KVec::<u8>::zeroed(room, GFP_KERNEL)?;
        let most = ClusterCount::new(u64_from_usize(room).saturating_mul(8));
        let told = home.mapping.sizes.data.min(home.mapping.sizes.initialized);
        let mut left = run.before(Lcn::new(told.get().saturating_mul(8)));
        // Each turn goes on to the next bits.
        while !left.is_empty() {
            let first = left.lcn.get() & !7;
            let all = Run::between(Lcn::new(first), left.end()).at_most(most);
            let count = usize::try_from(all.length.get()).unwrap_or(0);
            let part = bytes.get_mut(..bytes_for(count)).unwrap_or(&mut []);
            home.read(ByteOffset::new(first >> 3), part)?;
            let from = usize::try_from(left.lcn.get().saturating_sub(first)).unwrap_or(0);
            if let Some(bit) = bits::find(&bytes, from, count, Bit::Free) {
                let lcn = first.saturating_add(u64_from_usize(bit));
                return Err(home.corrupt("cluster of the volume's own is free", lcn, 0));
            }
            left = left.from(all.end());
        }
        Ok(())
    }

    /// Blocks of the bitmap that have to be written.
    pub fn dirty(&self) -> usize {
        self.state.lock().blocks.changed()
    }

    /// Blocks that [`Self::shrink`] could give back. Never waits.
    pub fn cached(&self) -> usize {
        self.state
            .try_lock()
            .map_or(0, |state| state.blocks.cached())
    }

    /// Gives back up to `wanted` blocks that nobody uses; says how many. For the shrinker: never waits,
    /// as the one who has the lock may be waiting for memory.
    pub fn shrink(&self, wanted: usize) -> usize {
        self.state
            .try_lock()
            .map_or(0, |mut state| state.blocks.evict(wanted))
    }
}

/// A bitmap that is about to get longer; dropping it means that it does not.
pub(super) struct Growing<'a> {
    allocator: &'a Allocator,
    /// In the block that is the last up to now, which stays in memory.
    last: Run,
    growth: Option<Growth>,
}

impl Growing<'_> {
    /// The bitmap is at `mapping` now. The bits that are new are free; whole bytes of them are zero there.
    pub(super) fn commit(mut self, mapping: Arc<Mapping>) {
        let mut state = self.allocator.state.lock();
        if let Some(growth) = self.growth.take() {
            state.blocks.grow(growth);
        }
        let old = core::mem::replace(&mut *self.allocator.mapping.lock(), mapping);
        drop(state);
        // Freed here, after the locks were given back.
        drop(old);
    }
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        self.allocator.state.lock().blocks.unpin(self.last);
    }
}

impl State {
    /// Free clusters that are neither reserved nor held, as far as they are counted.
    fn available(&self) -> ClusterCount {
        less(less(self.blocks.free(), self.reserved.get()), self.held())
    }

    /// Free clusters that can be allocated with this claim, as far as they are counted.
    fn room(&self, claim: Claim) -> ClusterCount {
        match claim {
            Claim::Unreserved => self.available(),
            Claim::Reserved => sum(self.available(), self.reserved.get()),
        }
    }

    /// Free clusters that are held.
    fn held(&self) -> ClusterCount {
        self.held.unwrap_or_default().length
    }
}

/// Clusters that are in use in the bitmap, and in no record yet. Dropping it gives them back.
#[must_use = "the clusters are given back at once when they are not kept"]
pub struct Allocation<'a> {
    allocator: &'a Allocator,
    run: Run,
    /// How many of them were reserved before.
    reserved: ClusterCount,
}

impl Allocation<'_> {
    /// Which clusters.
    pub fn run(&self) -> Run {
        self.run
    }

    /// The clusters are in a record now, and only freeing it gives them back.
    pub fn keep(mut self) {
        self.allocator.state.lock().blocks.unpin(self.run);
        self.run = Run::default();
    }

    /// The clusters turned out to be in use, so nobody gets them from now on. What of them was reserved still
    /// is, for others.
    pub fn keep_unclaimed(self) {
        self.allocator.state.lock().reserved.add(self.reserved);
        self.keep();
    }
}

impl Drop for Allocation<'_> {
    fn drop(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let mut state = self.allocator.state.lock();
        state.blocks.set(self.run, Bit::Free);
        state.blocks.unpin(self.run);
        state.reserved.add(self.reserved);
    }
}

/// Checks that all of the bitmap that counts has clusters, so that it can be read and written.
fn check_whole<D: Device>(
    store: &Store<D>,
    mapping: &Mapping,
    place: Place,
    bytes: ByteCount,
) -> Result {
    let end = store.geometry().cluster_size().clusters_for(bytes);
    let mut at = Vcn::ZERO;
    // Each turn goes on to the next run.
    while at.get() < end.get() {
        let extent = mapping.runlist.lookup(at);
        let extent = extent.filter(|extent| matches!(extent.target, Target::Clusters(_)));
        let next = extent.and_then(|extent| at.checked_add(extent.length));
        at = next.ok_or_else(|| {
            let hole = Error::rule(place, "clusters of the bitmap", at.get(), end.get());
            mapping.damage.unwrap_or(hole)
        })?;
    }
    Ok(())
}

/// The sum of two counts of clusters of one volume, which always exists.
fn sum(one: ClusterCount, other: ClusterCount) -> ClusterCount {
    ClusterCount::new(one.get().saturating_add(other.get()))
}

/// What remains of a count without another, or nothing.
fn less(count: ClusterCount, other: ClusterCount) -> ClusterCount {
    count.checked_sub(other).unwrap_or_default()
}
