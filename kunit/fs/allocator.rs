// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::allocator`.

use kernel::prelude::*;

use super::disk::{
    open_file,
    plain,
    Ram, //
};
use crate::{
    fs::{
        allocator::{
            Allocator,
            Run,
            Zone, //
        },
        volume::Volume, //
    },
    ondisk::units::{
        ClusterCount,
        Lcn, //
    },
};

/// The run of `length` clusters from `lcn` on.
pub(crate) fn run(lcn: u64, length: u64) -> Run {
    Run {
        lcn: Lcn::new(lcn),
        length: ClusterCount::new(length),
    }
}

/// The allocator of a volume that has a `$Bitmap`.
pub(crate) fn open(volume: &Volume<Ram>, zone: Zone) -> Result<Pin<KBox<Allocator>>> {
    let bitmap = open_file(volume, 6)?;
    let data = plain(bitmap.data())?.ok_or(ENOENT)?;
    plain(Allocator::open(volume, data, zone))
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_allocator))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::{
        open,
        run, //
    };
    use crate::{
        fs::{
            allocator::{
                Allocation,
                Allocator,
                Claim,
                Purpose,
                Run,
                Zone, //
            },
            error::{
                Error,
                Result as FsResult, //
            },
            volume::Volume, //
        },
        kunit::{
            fixtures::record::{
                resident,
                Clusters, //
            },
            fs::{
                allocator_model::{
                    free,
                    Counting,
                    Walk, //
                },
                disk::{
                    mount,
                    open_file,
                    plain,
                    Disk,
                    Ram, //
                },
            },
        },
        ondisk::units::{
            ClusterCount,
            Lcn, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };

    /// Clusters of the small volume; they are all free unless a test says otherwise.
    const SMALL: u64 = 63;
    /// Clusters of the wide volume: two blocks of the bitmap and a bit of a third one.
    const WIDE: u64 = 600_001;
    /// Clusters that a block of the bitmap tells of.
    const BLOCK: u64 = 1 << 18;

    fn small(bitmap: [u8; 8]) -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        disk.put_bitmap(8)?;
        disk.write(Disk::bitmap_at(0), &bitmap);
        Ok(disk)
    }

    fn wide() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        disk.claim(WIDE);
        disk.put_bitmap(75_008)?;
        Ok(disk)
    }

    fn data<'a>(
        allocator: &'a Allocator,
        volume: &Volume<Ram>,
        goal: u64,
        wanted: u64,
    ) -> FsResult<Allocation<'a>> {
        allocator.allocate(
            volume,
            Some(Lcn::new(goal)),
            ClusterCount::new(wanted),
            Claim::Unreserved,
            Purpose::Data,
        )
    }

    /// Allocates and keeps.
    fn take(allocator: &Allocator, volume: &Volume<Ram>, goal: u64, wanted: u64) -> Result<Run> {
        let allocation = plain(data(allocator, volume, goal, wanted))?;
        let run = allocation.run();
        allocation.keep();
        Ok(run)
    }

    /// Frees, and makes it durable at once.
    fn release(allocator: &Allocator, volume: &Volume<Ram>, run: Run) -> Result {
        plain(allocator.prepare_free(volume, [run]))?.later();
        allocator.settle(allocator.mark(), |_| {});
        Ok(())
    }

    fn is_corrupt<T>(result: &FsResult<T>) -> bool {
        matches!(result, Err(Error::Corrupt(_)))
    }

    #[test]
    fn a_run_is_near_behind_its_goal_and_long_enough() -> Result {
        // Free: 10..12, 20..26, 40..63; the 64th bit counts as used.
        let disk = small([0xff, 0xf3, 0x0f, 0xfc, 0xff, 0, 0, 0])?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        assert_eq!(free(&allocator, &volume)?, 2 + 6 + 23);
        assert_eq!(take(&allocator, &volume, 0, 4)?, run(20, 4));
        assert_eq!(take(&allocator, &volume, 11, 1)?, run(11, 1));
        assert_eq!(take(&allocator, &volume, 11, 2)?, run(24, 2));
        // Behind the end comes the begin; what is too long gets the longest.
        assert_eq!(take(&allocator, &volume, 62, 10)?, run(40, 10));
        assert_eq!(take(&allocator, &volume, 5000, 60)?, run(50, 13));
        assert_eq!(take(&allocator, &volume, 30, 60)?, run(10, 1));
        assert_eq!(
            data(&allocator, &volume, 0, 1).map(|a| a.run()),
            Err(Error::NoSpace)
        );
        assert_eq!(free(&allocator, &volume)?, 0);
        Ok(())
    }

    #[test]
    fn what_is_not_kept_is_given_back_even_after_it_was_written() -> Result {
        let disk = small([0; 8])?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let allocation = plain(data(&allocator, &volume, 5, 20))?;
        assert_eq!(allocation.run(), run(5, 20));
        assert_eq!(free(&allocator, &volume)?, SMALL - 20);
        plain(allocator.write_back(&volume))?;
        assert_eq!(allocator.dirty(), 0);
        // It needs the block, so the block stays.
        assert_eq!(allocator.shrink(usize::MAX), 0);
        disk.broken.store(true, Relaxed);
        drop(allocation);
        disk.broken.store(false, Relaxed);
        assert_eq!(free(&allocator, &volume)?, SMALL);
        assert_eq!(allocator.dirty(), 1);
        plain(allocator.write_back(&volume))?;
        assert_eq!(disk.byte(Disk::bitmap_at(1)), 0);
        assert_eq!(allocator.cached(), 1);
        assert_eq!(allocator.shrink(usize::MAX), 1);
        assert_eq!(take(&allocator, &volume, 5, 20)?, run(5, 20));
        Ok(())
    }

    #[test]
    fn reservations_are_exact_to_the_last_cluster() -> Result {
        let volume = mount(&small([0; 8])?)?;
        let allocator = open(&volume, Zone::NONE)?;
        let mut most = plain(allocator.reserve(&volume, ClusterCount::new(56)))?;
        let four = ClusterCount::new(4);
        let others = plain(allocator.reserve(&volume, four))?;
        assert_eq!(free(&allocator, &volume)?, 3);
        assert!(allocator.reserve(&volume, four).err() == Some(Error::NoSpace));
        // Who has no reservation gets no more than what is left.
        assert_eq!(take(&allocator, &volume, 0, 10)?, run(0, 3));
        assert!(data(&allocator, &volume, 0, 1).is_err());
        let reserved = |wanted| {
            let wanted = ClusterCount::new(wanted);
            allocator.allocate(&volume, None, wanted, Claim::Reserved, Purpose::Data)
        };
        // What is given back is reserved again.
        drop(plain(reserved(50))?);
        assert_eq!(free(&allocator, &volume)?, 0);
        let kept = plain(reserved(50))?;
        let kept_length = kept.run().length;
        assert_eq!(kept_length.get(), 50);
        kept.keep();
        most.claimed(kept_length);
        drop(others);
        assert_eq!(free(&allocator, &volume)?, 4);
        let kept = plain(reserved(10))?;
        assert_eq!(kept.run().length.get(), 10);
        kept.keep();
        most.claimed(most.count());
        assert_eq!(free(&allocator, &volume)?, 0);
        assert!(reserved(1).is_err());
        Ok(())
    }

    #[test]
    fn freed_clusters_are_used_again_only_when_that_is_durable() -> Result {
        let volume = mount(&small([0xff; 8])?)?;
        let allocator = open(&volume, Zone::NONE)?;
        assert!(data(&allocator, &volume, 0, 1).is_err());
        assert_eq!(allocator.pending(), ClusterCount::ZERO);

        // A transaction that is undone changes nothing.
        drop(plain(allocator.prepare_free(&volume, [run(3, 5)]))?);
        assert_eq!(allocator.pending(), ClusterCount::ZERO);

        plain(allocator.prepare_free(&volume, [run(3, 5), run(20, 0), run(30, 2)]))?.later();
        assert_eq!(allocator.pending().get(), 7);
        assert!(data(&allocator, &volume, 0, 1).is_err());
        let first = allocator.mark();
        plain(allocator.prepare_free(&volume, [run(40, 1)]))?.later();
        assert_eq!(allocator.dirty(), 0);

        let mut seen = KVec::new();
        allocator.settle(first, |run| {
            // Still nobody's: a discard in here hits no new file.
            let other = data(&allocator, &volume, run.lcn.get(), 1);
            assert!(!other.is_ok_and(|other| other.run().overlaps(run)));
            assert!(seen.push(run, GFP_KERNEL).is_ok());
        });
        assert_eq!(&*seen, &[run(3, 5), run(30, 2)]);
        assert_eq!(free(&allocator, &volume)?, 7);
        assert_eq!(allocator.pending().get(), 1);
        assert_eq!(take(&allocator, &volume, 39, 1)?, run(3, 1));
        allocator.settle(allocator.mark(), |_| {});
        assert_eq!(take(&allocator, &volume, 39, 1)?, run(40, 1));
        assert_eq!(allocator.pending(), ClusterCount::ZERO);
        Ok(())
    }

    #[test]
    fn clusters_are_not_freed_twice() -> Result {
        let volume = mount(&small([0xff, 0xff, 0xff, 0, 0, 0, 0, 0])?)?;
        let allocator = open(&volume, Zone::NONE)?;
        let wrong: [&[Run]; 6] = [
            &[run(23, 2)],
            &[run(30, 1)],
            &[run(0, 5), run(4, 1)],
            &[run(4, 4), run(2, 3)],
            &[run(62, 2)],
            &[run(u64::MAX, u64::MAX)],
        ];
        for runs in wrong {
            assert!(is_corrupt(
                &allocator.prepare_free(&volume, runs.iter().copied())
            ));
        }
        assert_eq!(allocator.dirty(), 0);
        // Prepared, queued and free: never again.
        let freed = plain(allocator.prepare_free(&volume, [run(4, 4), run(10, 2)]))?;
        assert!(is_corrupt(&allocator.prepare_free(&volume, [run(7, 1)])));
        assert!(is_corrupt(&allocator.prepare_free(&volume, [run(11, 1)])));
        freed.later();
        for run in [run(4, 4), run(3, 2), run(7, 2), run(0, 20), run(5, 1)] {
            assert!(is_corrupt(&allocator.prepare_free(&volume, [run])));
        }
        allocator.settle(allocator.mark(), |run| {
            assert!(is_corrupt(&allocator.prepare_free(&volume, [run])));
        });
        assert!(is_corrupt(&allocator.prepare_free(&volume, [run(4, 1)])));
        assert_eq!(free(&allocator, &volume)?, SMALL - 24 + 6);
        plain(allocator.prepare_free(&volume, [run(0, 4), run(8, 2)]))?.later();
        Ok(())
    }

    #[test]
    fn data_takes_the_zone_last_and_from_its_far_end() -> Result {
        let volume = mount(&small([0; 8])?)?;
        let zone = Zone::behind_mft(&volume);
        assert_eq!(zone.run(), run(12, 7));
        let allocator = open(&volume, zone)?;
        assert_eq!(take(&allocator, &volume, 12, 44)?, run(19, 44));
        assert_eq!(take(&allocator, &volume, 12, 14)?, run(0, 12));
        // Half of the zone, rounded up.
        assert_eq!(take(&allocator, &volume, 12, 7)?, run(15, 4));
        let mft = |wanted| {
            let wanted = ClusterCount::new(wanted);
            allocator.allocate(&volume, None, wanted, Claim::Unreserved, Purpose::Mft)
        };
        let grown = plain(mft(1))?;
        assert_eq!(grown.run(), run(12, 1));
        grown.keep();
        assert_eq!(take(&allocator, &volume, 12, 7)?, run(14, 1));
        assert_eq!(take(&allocator, &volume, 12, 7)?, run(13, 1));
        assert!(mft(1).is_err());
        assert_eq!(free(&allocator, &volume)?, 0);
        Ok(())
    }

    #[test]
    fn the_zone_ends_with_the_volume() -> Result {
        let clusters = ClusterCount::new(80);
        assert_eq!(Zone::behind(Lcn::new(10), clusters).run(), run(10, 10));
        assert_eq!(Zone::behind(Lcn::new(75), clusters).run(), run(75, 5));
        assert!(Zone::behind(Lcn::new(90), clusters).run().is_empty());
        Ok(())
    }

    #[test]
    fn held_clusters_are_not_handed_out() -> Result {
        // Free: 8..12, 16..63.
        let volume = mount(&small([0xff, 0xf0, 0, 0, 0, 0, 0, 0])?)?;
        let allocator = open(&volume, Zone::NONE)?;
        let hold = |from, min| {
            let (from, min) = (Lcn::new(from), ClusterCount::new(min));
            plain(allocator.next_free(&volume, from, Lcn::new(60), min))
        };
        let held = hold(0, 4)?.ok_or(ENOENT)?;
        assert_eq!(held.run(), run(8, 4));
        assert_eq!(take(&allocator, &volume, 0, 3)?, run(16, 3));
        assert_eq!(allocator.pending().get(), 4);
        drop(held);
        // Half of the 48 is held, in two parts; the rest of a run is not lost.
        let held = hold(13, 8)?.ok_or(ENOENT)?;
        assert_eq!(held.run(), run(19, 24));
        assert_eq!(take(&allocator, &volume, 18, 20)?, run(43, 20));
        assert_eq!(take(&allocator, &volume, 19, 20)?, run(8, 4));
        assert!(data(&allocator, &volume, 0, 1).is_err());
        assert_eq!(allocator.pending().get(), 24);
        drop(held);
        assert_eq!(take(&allocator, &volume, 0, 22)?, run(19, 22));
        let held = hold(0, 1)?.ok_or(ENOENT)?;
        assert_eq!(held.run(), run(41, 1));
        drop(held);
        assert!(hold(42, 2)?.is_none());
        assert!(hold(43, 1)?.is_none());
        // The bitmap is as it was before.
        assert_eq!(free(&allocator, &volume)?, 2);
        Ok(())
    }

    #[test]
    fn a_short_bitmap_ends_the_volume() -> Result {
        let disk = small([0; 8])?;
        disk.put_bitmap(3)?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        assert_eq!(free(&allocator, &volume)?, 24);
        assert_eq!(take(&allocator, &volume, 30, 60)?, run(0, 24));
        assert!(data(&allocator, &volume, 30, 1).is_err());
        plain(allocator.write_back(&volume))?;
        assert_eq!(disk.byte(Disk::bitmap_at(2)), 0xff);
        assert_eq!(disk.byte(Disk::bitmap_at(3)), 0);
        Ok(())
    }

    #[test]
    fn a_bitmap_that_cannot_be_written_is_refused() -> Result {
        let disk = small([0; 8])?;
        let refused = |attribute: &[u8]| -> Result<Error> {
            disk.put_file(6, &[attribute])?;
            let volume = mount(&disk)?;
            let bitmap = open_file(&volume, 6)?;
            let data = plain(bitmap.data())?.ok_or(ENOENT)?;
            Allocator::open(&volume, data, Zone::NONE)
                .err()
                .ok_or(EEXIST)
        };
        let whole = Clusters {
            data: 8000,
            initialized: 8000,
            ..Clusters::DATA
        };
        let hole = Clusters {
            mapping_pairs: &[0x11, 1, 0x20, 0x01, 1, 0],
            flags: 0x8000,
            compressed: Some(4096),
            ..whole
        };
        assert!(matches!(refused(&hole.to_bytes()?)?, Error::Corrupt(_)));
        let short = Clusters {
            allocated: 16384,
            data: 12000,
            initialized: 12000,
            ..whole
        };
        assert!(matches!(refused(&short.to_bytes()?)?, Error::Corrupt(_)));
        let encrypted = Clusters {
            flags: 0x4000,
            ..whole
        };
        assert_eq!(refused(&encrypted.to_bytes()?)?, Error::Encrypted);
        assert!(matches!(
            refused(&resident(0x80, "", 1, &[0; 8])?)?,
            Error::Unsupported(_)
        ));
        Ok(())
    }

    #[test]
    fn runs_cross_blocks_and_full_ones_are_not_read() -> Result {
        let disk = wide()?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        assert_eq!(free(&allocator, &volume)?, WIDE);
        let reads = disk.reads.load(Relaxed);
        assert_eq!(
            take(&allocator, &volume, 1000, WIDE)?,
            run(1000, WIDE - 1000)
        );
        assert_eq!(take(&allocator, &volume, 0, 900)?, run(0, 900));
        // The second block is full: it is not needed to find what is free.
        release(&allocator, &volume, run(2 * BLOCK, 50))?;
        plain(allocator.write_back(&volume))?;
        allocator.shrink(usize::MAX);
        let used = disk.reads.load(Relaxed) - reads;
        assert!(used <= 8);
        assert_eq!(take(&allocator, &volume, 2000, 10)?, run(2 * BLOCK, 10));
        // A free run goes on in the next block.
        release(&allocator, &volume, run(BLOCK - 7, 14))?;
        assert_eq!(
            take(&allocator, &volume, BLOCK - 100, 14)?,
            run(BLOCK - 7, 14)
        );
        assert_eq!(free(&allocator, &volume)?, 100 + 40);
        Ok(())
    }

    #[test]
    fn changes_that_lie_together_are_written_together() -> Result {
        let disk = wide()?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        take(&allocator, &volume, 100, WIDE - 200)?;
        assert_eq!(allocator.dirty(), 3);
        let before = disk.writes.load(Relaxed);
        plain(allocator.write_back(&volume))?;
        // One, which the two runs of the bitmap split.
        assert_eq!(disk.writes.load(Relaxed) - before, 2);
        for byte in 0..75_008 {
            let bit = |bit: u64| {
                let lcn = byte as u64 * 8 + bit;
                u8::from((100..WIDE - 100).contains(&lcn)) << bit
            };
            let expected: u8 = (0..8).map(bit).fold(0, |all, bit| all | bit);
            assert_eq!(disk.byte(Disk::bitmap_at(byte)), expected);
        }
        plain(allocator.write_back(&volume))?;
        assert_eq!(disk.writes.load(Relaxed) - before, 2);
        Ok(())
    }

    #[test]
    fn a_broken_device_changes_nothing() -> Result {
        let disk = wide()?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let fails = |broken| disk.broken.store(broken, Relaxed);
        let device = Some(Error::Device(EIO));
        fails(true);
        assert_eq!(allocator.free(&volume).err(), device);
        assert_eq!(data(&allocator, &volume, 0, 1).err(), device);
        fails(false);
        assert_eq!(take(&allocator, &volume, 0, 50)?, run(0, 50));
        fails(true);
        // The first block is in memory, the second one is not.
        assert_eq!(data(&allocator, &volume, 40, BLOCK).err(), device);
        let runs = [run(0, 10)];
        assert!(allocator.prepare_free(&volume, runs).is_ok());
        assert_eq!(allocator.write_back(&volume), Err(Error::Device(EIO)));
        assert_eq!(allocator.dirty(), 1);
        // What is needed is in memory, what is not can go.
        assert_eq!(allocator.shrink(usize::MAX), 0);
        fails(false);
        assert_eq!(free(&allocator, &volume)?, WIDE - 50);
        plain(allocator.write_back(&volume))?;
        assert_eq!(disk.byte(Disk::bitmap_at(5)), 0xff);
        assert_eq!(disk.byte(Disk::bitmap_at(6)), 0x03);
        assert_eq!(allocator.shrink(usize::MAX), 1);
        fails(true);
        assert_eq!(allocator.prepare_free(&volume, runs).err(), device);
        fails(false);
        // Behind the window of the one who got the first clusters.
        assert_eq!(take(&allocator, &volume, 40, BLOCK)?, run(850, BLOCK));
        Ok(())
    }

    #[test]
    fn a_bitmap_that_others_change_is_not_trusted() -> Result {
        let disk = small([0; 8])?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        assert_eq!(free(&allocator, &volume)?, SMALL);
        disk.write(Disk::bitmap_at(0), &[0x10]);
        assert!(is_corrupt(&data(&allocator, &volume, 0, 8)));
        assert_eq!(allocator.dirty(), 0);
        disk.write(Disk::bitmap_at(0), &[0]);
        assert_eq!(take(&allocator, &volume, 0, 8)?, run(0, 8));
        Ok(())
    }

    fn compare(disk: &Arc<Disk>, clusters: u64, steps: u64, longest: u64) -> Result {
        let walk = Walk {
            clusters,
            steps,
            longest,
            at: Disk::bitmap_at,
            counting: Counting::AtOnce,
        };
        walk.compare(disk)
    }

    #[test]
    fn the_small_volume_is_as_its_model() -> Result {
        compare(&small([0; 8])?, SMALL, 20_000, 12)
    }

    #[test]
    fn the_wide_volume_is_as_its_model() -> Result {
        compare(&wide()?, WIDE, 1_000, 40_000)
    }

    #[test]
    fn streams_side_by_side_get_few_runs() -> Result {
        let disk = wide()?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        let mut next = [None; 4];
        let mut runs = [0; 4];
        for _ in 0..400 {
            for (next, runs) in next.iter_mut().zip(&mut runs) {
                let mut wanted = 32;
                while wanted > 0 {
                    let count = ClusterCount::new(wanted);
                    let got = plain(allocator.allocate(
                        &**volume,
                        *next,
                        count,
                        Claim::Unreserved,
                        Purpose::Data,
                    ))?;
                    let got_run = got.run();
                    if *next != Some(got_run.lcn) {
                        *runs += 1;
                    }
                    wanted -= got_run.length.get();
                    *next = Some(got_run.end());
                    got.keep();
                }
            }
        }
        for runs in runs {
            assert!(runs <= 10);
        }
        Ok(())
    }

    #[test]
    fn windows_give_way_when_nothing_else_is_free() -> Result {
        let disk = wide()?;
        let volume = mount(&disk)?;
        let allocator = open(&volume, Zone::NONE)?;
        for goal in [1000, 50_000, 200_000] {
            assert_eq!(take(&allocator, &volume, goal, 100)?, run(goal, 100));
        }
        let mut left = free(&allocator, &volume)?;
        while left > 0 {
            let got = data(&allocator, &volume, 0, left).map_err(|_| EINVAL)?;
            left -= got.run().length.get();
            got.keep();
        }
        assert_eq!(free(&allocator, &volume)?, 0);
        Ok(())
    }
}
