// SPDX-License-Identifier: GPL-2.0-only

//! Tests of counting free clusters while they are handed out: `fs::allocator::count`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_count))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            allocator::{
                Allocation,
                Allocator,
                Claim,
                Progress,
                Purpose,
                Zone, //
            },
            error::{
                Error,
                Result as FsResult, //
            },
            volume::Volume, //
        },
        kunit::fs::{
            allocator::{
                open,
                run, //
            },
            allocator_model::{
                free,
                Counting,
                Walk, //
            },
            disk::{
                mount,
                plain,
                writable,
                Disk,
                Ram, //
            },
        },
        ondisk::units::{
            ByteOffset,
            ClusterCount,
            Lcn, //
        },
    };
    use core::cell::Cell;
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc,
            Completion, //
        },
        workqueue,
    };

    /// Clusters that a block of the bitmap tells of.
    const BLOCK: u64 = 1 << 18;
    /// Clusters of the volume: eleven blocks and a part of one. Eight are counted at once.
    const LONG: u64 = 3_000_000;
    const BITMAP_BYTES: usize = LONG as usize / 8;

    fn long() -> Result<Arc<Disk>> {
        Disk::with_long_bitmap(LONG)
    }

    /// Fills bytes of the bitmap.
    fn fill(disk: &Disk, bytes: core::ops::Range<usize>) {
        for byte in bytes {
            disk.write(Disk::long_bitmap_at(byte), &[0xff]);
        }
    }

    fn data<'a>(
        allocator: &'a Allocator,
        volume: &Volume<Ram>,
        goal: Option<u64>,
        wanted: u64,
    ) -> FsResult<Allocation<'a>> {
        let wanted = ClusterCount::new(wanted);
        let goal = goal.map(Lcn::new);
        allocator.allocate(volume, goal, wanted, Claim::Unreserved, Purpose::Data)
    }

    #[test]
    fn nothing_is_counted_before_somebody_asks() -> Result {
        let disk = long()?;
        let volume = mount(&disk)?;
        let before = disk.reads.load(Relaxed);
        let allocator = open(&volume, Zone::NONE)?;
        // Where it is, and no bit of it: the record is in the cache or is read once.
        assert!(disk.reads.load(Relaxed) - before <= 1);
        // Two reads of eight blocks at most count it all.
        let before = disk.reads.load(Relaxed);
        assert!(plain(allocator.count_some(&volume))? == Progress::Counting);
        assert!(plain(allocator.count_some(&volume))? == Progress::Done);
        assert!(plain(allocator.count_some(&volume))? == Progress::Done);
        assert_eq!(disk.reads.load(Relaxed) - before, 2);
        assert_eq!(free(&allocator, &volume)?, LONG);
        assert_eq!(disk.reads.load(Relaxed) - before, 2);
        Ok(())
    }

    #[test]
    fn who_finds_enough_does_not_wait_for_the_rest() -> Result {
        let disk = long()?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let before = disk.reads.load(Relaxed);
        // The first part of the count, and the block of the goal.
        let got = plain(data(&allocator, &volume, Some(9 * BLOCK + 5), 100))?;
        assert_eq!(got.run(), run(9 * BLOCK + 5, 100));
        assert_eq!(disk.reads.load(Relaxed) - before, 2);
        got.keep();
        let most = ClusterCount::new(8 * BLOCK);
        drop(plain(allocator.reserve(&volume, most))?);
        assert_eq!(disk.reads.load(Relaxed) - before, 2);
        // What is needed is more than is known.
        let most = ClusterCount::new(9 * BLOCK);
        drop(plain(allocator.reserve(&volume, most))?);
        assert_eq!(disk.reads.load(Relaxed) - before, 3);
        assert_eq!(free(&allocator, &volume)?, LONG - 100);
        Ok(())
    }

    #[test]
    fn the_last_free_cluster_is_found_before_the_count_is_done() -> Result {
        let disk = long()?;
        fill(&disk, 0..BITMAP_BYTES);
        // One bit in the last block, and one in the block before the last.
        disk.write(Disk::long_bitmap_at(BITMAP_BYTES - 10), &[0xdf]);
        disk.write(Disk::long_bitmap_at(10 * BLOCK as usize / 8), &[0xfe]);
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let one = plain(data(&allocator, &volume, Some(3), 7))?;
        let other = plain(data(&allocator, &volume, None, 7))?;
        assert_eq!(one.run(), run(10 * BLOCK, 1));
        assert_eq!(other.run(), run((BITMAP_BYTES as u64 - 10) * 8 + 5, 1));
        assert_eq!(
            data(&allocator, &volume, None, 1).err(),
            Some(Error::NoSpace)
        );
        assert_eq!(free(&allocator, &volume)?, 0);
        Ok(())
    }

    #[test]
    fn no_more_is_promised_than_is_free() -> Result {
        let promised = |count| -> Result<bool> {
            let disk = long()?;
            fill(&disk, 0..1000);
            let volume = mount(&disk)?;
            let allocator = open(&volume, Zone::NONE)?;
            let reserved = allocator.reserve(&volume, ClusterCount::new(count));
            let refused = reserved.as_ref().err().copied();
            assert!(refused.is_none_or(|error| error == Error::NoSpace));
            Ok(reserved.is_ok())
        };
        assert!(promised(LONG - 8000)?);
        assert!(!promised(LONG - 8000 + 1)?);
        Ok(())
    }

    #[test]
    fn the_zone_is_given_up_only_when_nothing_else_is_free() -> Result {
        let disk = long()?;
        // Free: the zone, which is counted first, and what is behind block 9.
        fill(&disk, BLOCK as usize / 8 * 2..BLOCK as usize / 8 * 9);
        let volume = mount(&disk)?;
        let zone = Zone::behind(Lcn::new(0), ClusterCount::new(16 * BLOCK));
        assert_eq!(zone.run(), run(0, 2 * BLOCK));
        let allocator = open(&volume, zone)?;
        let got = plain(data(&allocator, &volume, Some(5), 10))?;
        assert_eq!(got.run(), run(9 * BLOCK, 10));
        Ok(())
    }

    /// What two threads use.
    struct Shared {
        allocator: Pin<KBox<Allocator>>,
        volume: KBox<Volume<Ram>>,
    }

    /// A thread that counts until it is done.
    fn count_in_a_thread(shared: &Arc<Shared>) -> Result<Arc<Completion>> {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (shared, told) = (shared.clone(), done.clone());
        workqueue::system().try_spawn(GFP_KERNEL, move || {
            let Shared { allocator, volume } = &*shared;
            while allocator.count_some(volume) == Ok(Progress::Counting) {}
            drop(shared);
            told.complete_all();
        })?;
        Ok(done)
    }

    /// Changes bits while the blocks that have them are being read for the count.
    fn changes_while_counting(is_written: bool) -> Result {
        let disk = long()?;
        fill(&disk, 0..100);
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let shared = Arc::new(Shared { allocator, volume }, GFP_KERNEL)?;
        let Shared { allocator, volume } = &*shared;
        disk.stop_reading(ByteOffset::new(Disk::long_bitmap_at(0) as u64));
        let done = count_in_a_thread(&shared)?;
        disk.stop.wait();
        // These need no count.
        plain(allocator.prepare_free(volume, [run(10, 20)]))?.later();
        allocator.settle(allocator.mark(), |_| {});
        let got = plain(data(allocator, volume, Some(500), 300))?;
        assert_eq!(got.run(), run(800, 300));
        got.keep();
        let given_back = plain(data(allocator, volume, Some(2000), 50))?;
        if is_written {
            plain(allocator.write_back(volume))?;
        }
        // It is allocated when the bits are read, and free when they are counted; or it is not written at all.
        drop(given_back);
        allocator.shrink(usize::MAX);
        disk.stop.release();
        done.wait_for_completion();
        assert_eq!(free(allocator, volume)?, LONG - 800 + 20 - 300);
        plain(allocator.write_back(volume))?;
        allocator.shrink(usize::MAX);
        // All blocks are as they were counted, or this would be an error.
        for block in 0..12 {
            drop(plain(data(
                allocator,
                volume,
                Some(block * BLOCK + 3000),
                1,
            ))?);
        }
        Ok(())
    }

    #[test]
    fn what_changes_before_it_is_counted_is_counted_once() -> Result {
        changes_while_counting(false)
    }

    #[test]
    fn what_is_written_before_it_is_counted_is_counted_once() -> Result {
        changes_while_counting(true)
    }

    #[test]
    fn the_volume_is_as_its_model_while_it_is_counted() -> Result {
        let walk = Walk {
            clusters: LONG,
            steps: 600,
            longest: 150_000,
            at: Disk::long_bitmap_at,
            counting: Counting::Slowly,
        };
        walk.compare(&long()?)
    }

    #[test]
    fn a_count_that_fails_goes_on_where_it_was() -> Result {
        let disk = long()?;
        fill(&disk, 0..1000);
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let device = Some(Error::Device(EIO));
        disk.fail_nth(2);
        assert_eq!(allocator.free(&volume).err(), device);
        let known = 8 * BLOCK - 8000;
        disk.broken.store(true, Relaxed);
        assert_eq!(allocator.free(&volume).err(), device);
        // Less than is known can be promised; more may be there, so that is no lack of space.
        let reserve = |count| allocator.reserve(&volume, ClusterCount::new(count));
        assert!(reserve(known).is_ok());
        assert_eq!(reserve(known + 1).err(), device);
        assert_eq!(data(&allocator, &volume, None, known + 1).err(), device);
        disk.broken.store(false, Relaxed);
        let before = disk.reads.load(Relaxed);
        assert_eq!(free(&allocator, &volume)?, LONG - 8000);
        assert_eq!(disk.reads.load(Relaxed) - before, 1);
        Ok(())
    }

    #[test]
    fn a_volume_is_counted_as_long_as_that_is_wanted() -> Result {
        let disk = long()?;
        let volume = mount(&disk)?;
        let before = disk.reads.load(Relaxed);
        plain(volume.count_free(|| false))?;
        assert_eq!(disk.reads.load(Relaxed), before);
        let left = Cell::new(1);
        plain(volume.count_free(|| left.replace(0) > 0))?;
        assert_eq!(disk.reads.load(Relaxed) - before, 1);
        plain(volume.count_free(|| true))?;
        assert_eq!(disk.reads.load(Relaxed) - before, 2);
        let free = plain(volume.free_clusters())?.ok_or(ENOENT)?;
        assert_eq!(free.get(), LONG);
        assert_eq!(disk.reads.load(Relaxed) - before, 2);
        Ok(())
    }

    #[test]
    fn a_volume_becomes_writable_without_a_count() -> Result {
        let disk = Disk::new()?;
        disk.make_writable()?;
        let volume = mount(&disk)?;
        writable(&volume)?;
        let before = disk.reads.load(Relaxed);
        let free = plain(volume.free_clusters())?.ok_or(ENOENT)?;
        assert_eq!(free.get(), 8 + 13);
        assert_eq!(disk.reads.load(Relaxed) - before, 1);
        Ok(())
    }
}
