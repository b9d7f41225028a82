// SPDX-License-Identifier: GPL-2.0-only

//! Streams that are set and removed at random; and every allocation, transfer and write of a change that fails, or
//! is the last one before the power goes.
//!
//! On the host only, where the shim's allocator fails on demand.

mod tests {
    use std::{
        collections::BTreeMap,
        format,
        string::String,
        sync::atomic::{
            AtomicBool,
            Ordering, //
        },
        time::Duration,
        vec::Vec, //
    };

    use crate::{
        fs::{
            catalog::{
                Catalog,
                Entry, //
            },
            error::{
                Error,
                Result as FsResult, //
            },
            streams, //
        },
        kunit::fs::{
            disk::{
                plain,
                CLUSTER, //
            },
            streamed::{
                content,
                Streamed, //
            }, //
        },
        ondisk::units::ByteOffset,
    };
    use kernel::{
        alloc::failures,
        prelude::*, //
    };

    /// What the streams of a file should be.
    type Model = BTreeMap<String, Vec<u8>>;

    /// All streams as they are.
    fn state(file: &Streamed) -> Result<Model> {
        let mut model = Model::new();
        for name in &plain(streams::names(&file.volume, &file.inode))? {
            let name = String::from_utf16_lossy(name);
            let value = file.get(&name)?.ok_or(ENOENT)?;
            assert!(model.insert(name, value.to_vec()).is_none());
        }
        Ok(model)
    }

    /// Numbers that look like chance.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 16) as usize % bound
        }
    }

    #[test]
    fn random_changes_leave_what_a_model_has() -> Result {
        for seed in 1..=24_u64 {
            let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut file = match seed % 4 {
                0 => Streamed::small()?,
                1 => Streamed::directory()?,
                2 => Streamed::many_names()?,
                _ => Streamed::full(0x50 + dice.below(300))?,
            };
            let (_, own) = file.check()?;
            let before = file.free_clusters()? + own;
            let total = plain(file.volume.record_counts())?.total;
            let mut model = Model::new();
            for step in 0..160 {
                let turn = format!("seed {seed}, step {step}");
                let long = if dice.below(6) == 0 { 60 } else { 0 };
                let name = format!("{:x<1$}", dice.below(14), long);
                match dice.below(12) {
                    0 => file.sync()?,
                    1 if step % 3 == 0 => file = file.remounted()?,
                    2..=4 => {
                        let there = model.contains_key(&name);
                        match file.try_remove(&name) {
                            Ok(removed) => {
                                assert_eq!(removed, there, "{turn}");
                                model.remove(&name);
                            }
                            // A new list may need a cluster.
                            Err(Error::NoSpace) if file.free_clusters()? < 2 => {}
                            Err(error) => panic!("{turn}: {error}"),
                        }
                    }
                    _ => {
                        let kind = dice.below(8);
                        let size = [1, 30, 100, 200, 500, 800, 5000, 14_000];
                        let size = size.get(kind).copied().unwrap_or(1);
                        let value = content(dice.below(256) as u8, dice.below(size + 1))?;
                        match file.try_set(&name, &value) {
                            Ok(()) => {
                                model.insert(name, value.to_vec());
                            }
                            // The volume is small.
                            Err(Error::NoSpace) if kind >= 5 || file.free_clusters()? < 4 => {}
                            Err(error) => panic!("{turn}: {error}"),
                        }
                    }
                }
                assert_eq!(state(&file)?, model, "{turn}");
                let (records, clusters) = file.check()?;
                assert!(records < 16, "{turn}: {records}");
                if step % 20 == 19 {
                    file.sync()?;
                    // Four records are in a cluster.
                    let grown = plain(file.volume.record_counts())?.total - total;
                    let now = file.free_clusters()? + clusters + grown / 4;
                    assert_eq!(now, before, "{turn}");
                }
            }
        }
        Ok(())
    }

    /// A change, and what it is made to.
    struct Case {
        name: &'static str,
        file: fn() -> Result<Streamed>,
        act: fn(&Streamed) -> FsResult,
    }

    fn set(file: &Streamed, name: &str, seed: u8, length: usize) -> FsResult {
        let value = content(seed, length).map_err(|_| Error::NoMemory)?;
        file.try_set(name, &value)
    }

    fn remove(file: &Streamed, name: &str) -> FsResult {
        assert!(file.try_remove(name)?);
        Ok(())
    }

    /// A file with several streams, of which some are in another record, as it is after a sync.
    fn several() -> Result<Streamed> {
        let file = unsynced()?;
        file.sync()?;
        Ok(file)
    }

    /// The same before the sync.
    fn unsynced() -> Result<Streamed> {
        let file = Streamed::full(0x150)?;
        for (name, length) in [("a", 80), ("b", 2000), ("c", 200), ("d", 150), ("e", 5000)] {
            plain(set(&file, name, 1, length))?;
        }
        Ok(file)
    }

    /// One in a record.
    fn one() -> Result<Streamed> {
        let file = Streamed::small()?;
        plain(set(&file, "a", 1, 40))?;
        file.sync()?;
        Ok(file)
    }

    /// One in clusters.
    fn long() -> Result<Streamed> {
        let file = Streamed::small()?;
        plain(set(&file, "a", 1, 9000))?;
        file.sync()?;
        Ok(file)
    }

    const CASES: [Case; 16] = [
        Case {
            name: "made in the record",
            file: Streamed::small,
            act: |file| set(file, "a", 2, 100),
        },
        Case {
            name: "made in clusters",
            file: Streamed::directory,
            act: |file| set(file, "a", 2, 6000),
        },
        Case {
            name: "made, with names in its way",
            file: Streamed::many_names,
            act: |file| set(file, "a", 2, 300),
        },
        Case {
            name: "made in clusters in another record",
            file: Streamed::many_names,
            act: |file| set(file, "a", 2, 10_000),
        },
        Case {
            name: "longer in the record",
            file: one,
            act: |file| set(file, "a", 2, 90),
        },
        Case {
            name: "from the record to clusters",
            file: one,
            act: |file| set(file, "a", 2, 9000),
        },
        Case {
            name: "from clusters to the record",
            file: long,
            act: |file| set(file, "a", 2, 9),
        },
        Case {
            name: "from clusters to others",
            file: long,
            act: |file| set(file, "a", 2, 9001),
        },
        Case {
            name: "removed from the record",
            file: one,
            act: |file| remove(file, "a"),
        },
        Case {
            name: "removed from clusters",
            file: long,
            act: |file| remove(file, "a"),
        },
        Case {
            name: "made beside others",
            file: several,
            act: |file| set(file, "f", 2, 120),
        },
        Case {
            name: "made beside others that the device has not",
            file: unsynced,
            act: |file| set(file, "f", 2, 120),
        },
        Case {
            name: "longer, so that it leaves its record",
            file: several,
            act: |file| set(file, "c", 2, 700),
        },
        Case {
            name: "removed from others",
            file: several,
            act: |file| remove(file, "d"),
        },
        Case {
            name: "removed from others that the device has not",
            file: unsynced,
            act: |file| remove(file, "d"),
        },
        Case {
            name: "from the record of others to clusters",
            file: several,
            act: |file| set(file, "d", 2, 5000),
        },
    ];

    /// What there is in the end, wherever it is.
    type End = (Model, u64, u64, usize, u64);

    fn end(file: &Streamed) -> Result<End> {
        file.sync()?;
        let found = file.after_power_cut()?;
        let (records, clusters) = found.check()?;
        let free = (file.free_clusters()?, file.free_records()?);
        assert_eq!((found.free_clusters()?, found.free_records()?), free);
        Ok((state(&found)?, free.0, free.1, records, clusters))
    }

    /// The file of a case, on a volume that is marked as changed, with nothing in the caches that can go.
    fn ready(case: &Case) -> Result<(Streamed, Model)> {
        let file = (case.file)()?;
        plain(file.volume.start_change())?;
        let before = state(&file)?;
        file.volume.shrink(usize::MAX);
        plain(file.volume.allocator())?.shrink(usize::MAX);
        Ok((file, before))
    }

    fn end_without_failure(case: &Case) -> Result<End> {
        let (file, _) = ready(case)?;
        plain((case.act)(&file)).inspect_err(|_| println!("{}", case.name))?;
        file.check()?;
        end(&file)
    }

    /// After a failure: all as before, and the second attempt comes to the end of the first.
    fn check_failed(
        case: &Case,
        file: &Streamed,
        before: &Model,
        expected: &End,
        turn: &str,
    ) -> Result {
        assert_eq!(state(file)?, *before, "{turn}");
        file.check()?;
        plain((case.act)(file)).inspect_err(|_| println!("{turn}, again"))?;
        let found = end(file)?;
        // A record that was taken and given back may have made $MFT longer.
        assert_eq!(found.0, expected.0, "{turn}");
        assert_eq!(
            (found.1, found.3, found.4),
            (expected.1, expected.3, expected.4),
            "{turn}"
        );
        Ok(())
    }

    #[test]
    fn every_allocation_of_a_change_may_fail() -> Result {
        for case in &CASES {
            let expected = end_without_failure(case)?;
            let live = failures::live();
            for nth in 0.. {
                let turn = format!("{}, allocation {nth}", case.name);
                let (file, before) = ready(case)?;
                let (result, failed) = failures::with_nth_failing(nth, || (case.act)(&file));
                match result {
                    Ok(()) => assert_eq!(end(&file)?, expected, "{turn}"),
                    Err(error) => {
                        assert_eq!(error, Error::NoMemory, "{turn}");
                        check_failed(case, &file, &before, &expected, &turn)?;
                    }
                }
                drop((file, before));
                assert_eq!(failures::live(), live, "{turn} leaks");
                if !failed {
                    break;
                }
            }
        }
        Ok(())
    }

    #[test]
    fn every_transfer_of_a_change_may_fail() -> Result {
        let mut transfers = 0;
        for case in &CASES {
            let expected = end_without_failure(case)?;
            for nth in 1.. {
                let turn = format!("{}, transfer {nth}", case.name);
                let (file, before) = ready(case)?;
                file.disk.fail_nth(nth);
                let result = (case.act)(&file);
                let is_over = file.disk.is_yet_to_fail();
                file.disk.fail_nth(0);
                match result {
                    Ok(()) => assert_eq!(end(&file)?, expected, "{turn}"),
                    Err(error) => {
                        let is_of_device = matches!(error, Error::Device(_) | Error::Unwritten(_));
                        assert!(is_of_device, "{turn}: {error}");
                        check_failed(case, &file, &before, &expected, &turn)?;
                    }
                }
                if is_over {
                    break;
                }
                transfers += 1;
            }
        }
        assert!(transfers > 15, "only {transfers} transfers");
        Ok(())
    }

    #[test]
    fn a_power_cut_leaves_the_old_streams_or_the_new_ones() -> Result {
        for case in &CASES {
            let (new, ..) = end_without_failure(case)?;
            let mut seen = (0, 0);
            for writes in 0.. {
                let turn = format!("{}, after {writes} writes", case.name);
                let file = (case.file)()?;
                let old = state(&file)?;
                // What was not synced before need not be there.
                let last = state(&file.after_power_cut()?)?;
                file.disk.cut_power_after(writes);
                plain((case.act)(&file)).inspect_err(|_| println!("{turn}"))?;
                // What nobody wrote cannot be read back, so it may end in an error then.
                let synced = file.sync();
                let is_over = !file.disk.is_without_power();
                let found = file.after_power_cut()?;
                found.check()?;
                let now = state(&found)?;
                match () {
                    () if now == new => seen.1 += 1,
                    () if now == old || now == last => seen.0 += 1,
                    () => panic!("{turn}: {:?}", now.keys()),
                }
                if is_over {
                    synced?;
                    assert!(now == new, "{turn}");
                    break;
                }
            }
            assert!(seen.0 > 0 && seen.1 > 0, "{}: {seen:?}", case.name);
        }
        Ok(())
    }

    #[test]
    fn a_list_that_is_replaced_while_somebody_reads_it_is_read_again() -> Result {
        let file = Streamed::full(0x48)?;
        for name in ["a", "b"] {
            plain(set(&file, name, 1, 300))?;
        }
        file.sync()?;
        let (list, _) = file.places()?;
        let list = list.ok_or(ENOENT)?;
        file.disk.stop_reading(ByteOffset::new(list));
        let owner = file.inode.reference();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| Catalog::load(&file.volume, owner));
            file.disk.stop.wait();
            plain(set(&file, "c", 1, 300))?;
            file.sync()?;
            // Somebody else has the clusters now.
            file.disk.write(list as usize, &[0x5a; CLUSTER]);
            file.disk.stop.release();
            let catalog = reader.join().map_err(|_| EIO)?;
            let catalog = plain(catalog)?;
            assert_eq!(catalog.damage, None);
            let is_stream = |entry: &&Entry| !entry.name.is_empty();
            assert_eq!(catalog.entries.iter().filter(is_stream).count(), 3);
            Ok(())
        })
    }

    #[test]
    fn a_stream_is_not_replaced_while_somebody_reads_it() -> Result {
        for make in [Streamed::small, Streamed::directory] {
            let file = make()?;
            plain(set(&file, "a", 1, 9000))?;
            file.sync()?;
            let (_, place) = file.places()?;
            file.disk
                .stop_reading(ByteOffset::new(place.ok_or(ENOENT)?));
            let is_set = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| file.has("a", &content(1, 9000)?));
                file.disk.stop.wait();
                let writer = scope.spawn(|| {
                    let result = set(&file, "a", 2, 9000).and_then(|()| file.volume.sync());
                    is_set.store(true, Ordering::SeqCst);
                    result
                });
                std::thread::sleep(Duration::from_millis(50));
                assert!(!is_set.load(Ordering::SeqCst));
                file.disk.stop.release();
                assert_eq!(reader.join().map_err(|_| EIO)?, Ok(true));
                plain(writer.join().map_err(|_| EIO)?)?;
                assert!(file.has("a", &content(2, 9000)?)?);
                Ok::<(), kernel::error::Error>(())
            })?;
        }
        Ok(())
    }
}
