// SPDX-License-Identifier: GPL-2.0-only

//! Every allocation fails once: that is a clean error, or it is made up for, and nothing leaks.
//!
//! On the host only, where the shim's allocator fails on demand.

mod tests {
    use crate::{
        fs::{
            allocator::{
                Allocator,
                Claim,
                Purpose,
                Zone, //
            },
            data::{
                map_extent,
                read_at, //
            },
            directory::{
                lookup,
                CaseMode, //
            },
            error::{
                Error,
                Result as FsResult, //
            },
            readdir::{
                Batch,
                Walk, //
            },
            security,
            streams,
            symlink,
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                index, put,
                record::{
                    file_name,
                    file_record,
                    resident,
                    Clusters, //
                },
            },
            fs::{
                allocator::run,
                disk::{
                    allocation,
                    extension,
                    list_entry,
                    mount,
                    name_entry,
                    open_file,
                    plain,
                    units,
                    Disk,
                    Ram,
                    SAMPLE, //
                },
                secured::secure,
            },
        },
        ondisk::{
            attribute::AttributeType,
            units::{
                ByteOffset,
                ClusterCount,
                Lcn,
                RecordNumber, //
            },
        },
    };
    use kernel::{
        alloc::failures,
        prelude::*,
        sync::Arc, //
    };

    /// A volume with a bit of everything: a tree, a list, streams of both kinds, a link.
    fn disk() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        let end = index::entry(0, None, None)?;
        let root = index::root(&[
            &name_entry("m", 26, Some(0))?,
            &index::entry(0, None, Some(1))?,
        ])?;
        disk.put_directory(5, &root, &[&allocation(30, 2)?])?;
        disk.put_block(30, &index::block(0, &[&name_entry("a", 26, None)?, &end])?)?;
        disk.put_block(
            31,
            &index::block(1, &[&name_entry("z", SAMPLE, None)?, &end])?,
        )?;

        let mut list = KVec::new();
        for entry in [list_entry(0x80, 0, 25, 1), list_entry(0x80, 2, 27, 1)] {
            list.extend_from_slice(&entry, GFP_KERNEL)?;
        }
        let name = resident(0x30, "", 3, &file_name("z", 1)?)?;
        disk.put_file(SAMPLE, &[&resident(0x20, "", 1, &list)?, &name])?;
        let first = Clusters {
            allocated: 3 * 4096,
            data: 3 * 4096,
            initialized: 3 * 4096,
            ..Clusters::DATA
        };
        let second = Clusters {
            lowest_vcn: 2,
            highest_vcn: 2,
            ..first
        };
        let second = Clusters {
            mapping_pairs: &[0x11, 1, 0x28, 0],
            ..second
        };
        disk.put_record(25, &extension(25, &[&first.to_bytes()?]))?;
        disk.put_record(27, &extension(27, &[&second.to_bytes()?]))?;

        let mut point = [0; 16];
        put(&mut point, 0, &0xa000_001d_u32.to_le_bytes());
        put(&mut point, 4, &[8, 0, 0, 0, 2, 0, 0, 0]);
        put(&mut point, 12, b"link");
        disk.put_file(26, &[&resident(0xc0, "", 7, &point)?])?;
        disk.put_file(6, &[&resident(0x80, "", 1, &[0; 8])?])?;
        Ok(disk)
    }

    /// Uses everything; gives the number of entries.
    fn exercise(disk: &Arc<Disk>, name: &[u16]) -> FsResult<usize> {
        let volume = Volume::open(Ram(disk.clone()))?;
        let root = volume.root()?;
        let mut batch = Batch::new();
        let mut walk = Walk::start()?;
        let mut entries = 0;
        while walk.fill(&volume, &root, &mut batch)? {
            for at in 0..batch.len() {
                let entry = batch.get(at).ok_or(Error::NotFound)?;
                Walk::resume(&volume, &root, entry.cookie)?;
            }
            entries += batch.len();
        }
        if let Some(damage) = walk.damage() {
            return Err(damage);
        }
        lookup(&volume, &root, name, CaseMode::Ignore)?.ok_or(Error::NotFound)?;
        let file = volume.inode_number(RecordNumber::new(SAMPLE))?;
        volume.parent(&file)?;
        let stream = file.data()?.ok_or(Error::NotFound)?;
        let mut bytes = [0; 64];
        read_at(&volume, stream, ByteOffset::new(2 * 4096), &mut bytes)?;
        map_extent(&volume, stream, ByteOffset::ZERO)?;
        let link = volume.inode_number(RecordNumber::new(26))?;
        symlink::target(&volume, &link)?.within_volume(2)?;
        volume.free_clusters()?;
        volume.shrink(usize::MAX);
        Ok(entries)
    }

    #[test]
    fn every_allocation_may_fail() -> Result {
        let disk = disk()?;
        let name = units("Z")?;
        assert_eq!(exercise(&disk, &name), Ok(3));
        let before = failures::live();
        let mut made_up_for = 0;
        for nth in 0.. {
            let (result, failed) = failures::with_nth_failing(nth, || exercise(&disk, &name));
            assert_eq!(failures::live(), before, "allocation {nth} leaks");
            match result {
                Ok(entries) => {
                    assert_eq!(entries, 3, "allocation {nth}");
                    made_up_for += u32::from(failed);
                }
                Err(error) => assert_eq!(error, Error::NoMemory, "allocation {nth}"),
            }
            if !failed {
                assert!(nth > 100, "only {nth} allocations");
                println!("{nth} allocations, {made_up_for} of them made up for");
                break;
            }
        }
        Ok(())
    }

    /// A file with two streams, one of them in clusters, an EA and a descriptor in `$Secure`.
    fn adorned() -> Result<Arc<Disk>> {
        let disk = secure()?;
        let mut information = [0; 0x48];
        put(&mut information, 0x34, &0x102_u32.to_le_bytes());
        let large = Clusters {
            name: "large",
            id: 2,
            ..Clusters::DATA
        };
        let record = file_record(
            SAMPLE as u32,
            1,
            &[
                &resident(0x10, "", 0, &information)?,
                &resident(0x80, "small", 1, b"in the record")?,
                &large.to_bytes()?,
                &resident(0xe0, "", 3, b"\x10\0\0\0\0\x03\x02\0ABC\0xy\0\0")?,
            ],
        );
        disk.put_record(SAMPLE, &record)?;
        Ok(disk)
    }

    /// Lists and reads all of that; gives the number of bytes.
    fn look_at_all(volume: &Volume<Ram>) -> FsResult<usize> {
        let file = volume.inode_number(RecordNumber::new(SAMPLE))?;
        let mut total = 0;
        for name in &streams::names(volume, &file)? {
            let stream = streams::open(volume, &file, name, CaseMode::Exact)?;
            let stream = stream.ok_or(Error::NotFound)?;
            let mut bytes = [0; 6000];
            total += read_at(volume, &stream, ByteOffset::ZERO, &mut bytes)?;
        }
        let ea = streams::value(volume, file.reference(), AttributeType::EA, &[])?;
        total += ea.map_or(0, |ea| ea.len());
        let descriptor = security::descriptor(volume, file.reference())?;
        Ok(total + descriptor.map_or(0, |descriptor| descriptor.len()))
    }

    /// What [`look_at_all`] gives.
    const ALL: usize = 13 + 5000 + 16 + 0x64;

    #[test]
    fn every_allocation_for_streams_and_attributes_may_fail() -> Result {
        let disk = adorned()?;
        let before = failures::live();
        for nth in 0.. {
            let volume = mount(&disk)?;
            let (result, failed) = failures::with_nth_failing(nth, || look_at_all(&volume));
            match result {
                Ok(total) => assert_eq!(total, ALL, "allocation {nth}"),
                Err(error) => assert_eq!(error, Error::NoMemory, "allocation {nth}"),
            }
            assert_eq!(look_at_all(&volume), Ok(ALL), "allocation {nth}");
            drop(volume);
            assert_eq!(failures::live(), before, "allocation {nth} leaks");
            if !failed {
                assert!(nth > 30, "only {nth} allocations");
                break;
            }
        }
        Ok(())
    }

    #[test]
    fn every_read_for_streams_and_attributes_may_fail() -> Result {
        let disk = adorned()?;
        for nth in 1.. {
            let volume = mount(&disk)?;
            disk.fail_nth(nth);
            let result = look_at_all(&volume);
            let failed = !disk.is_yet_to_fail();
            disk.fail_nth(0);
            match result {
                // What was to be read ahead is read again.
                Ok(total) => assert_eq!(total, ALL, "read {nth}"),
                Err(error) => assert!(matches!(error, Error::Device(_)), "read {nth}"),
            }
            assert_eq!(look_at_all(&volume), Ok(ALL), "read {nth}");
            if !failed {
                // A block of `$SII`, a piece of `$SDS`, a stream.
                assert!(nth > 3, "only {nth} reads");
                break;
            }
        }
        Ok(())
    }

    /// Frees and allocates over two blocks of `$Bitmap`; on an error, all has to be as it was.
    fn exchange(volume: &Volume<Ram>, allocator: &Allocator) -> FsResult {
        const BLOCK: u64 = 1 << 18;
        let wanted = ClusterCount::new(1000);
        let goal = Some(Lcn::new(BLOCK - 600));
        let got = allocator.allocate(volume, goal, wanted, Claim::Unreserved, Purpose::Data)?;
        let freed = allocator.prepare_free(volume, (0..6).map(|n| run(BLOCK - 30 + 10 * n, 10)))?;
        assert_eq!(got.run(), run(BLOCK - 600, 1000));
        freed.later();
        allocator.settle(allocator.mark(), |_| {});
        drop(allocator.next_free(volume, Lcn::ZERO, Lcn::new(BLOCK), wanted)?);
        got.keep();
        Ok(())
    }

    #[test]
    fn the_allocator_is_as_before_when_an_allocation_fails() -> Result {
        let disk = Disk::new()?;
        disk.claim(600_001);
        disk.put_bitmap(75_008)?;
        let before = failures::live();
        for nth in 0.. {
            let volume = mount(&disk)?;
            let bitmap = open_file(&volume, 6)?;
            let data = plain(bitmap.data())?.ok_or(ENOENT)?;
            plain(data.mapping(&volume))?;
            let opened = || Allocator::open(&volume, data, Zone::NONE);
            let (result, failed) = failures::with_nth_failing(nth, opened);
            let expected = Some(Error::NoMemory).filter(|_| failed);
            assert_eq!(result.err(), expected, "allocation {nth}");
            let allocator = plain(opened())?;
            let exchanged = || exchange(&volume, &allocator);
            let (result, failed) = failures::with_nth_failing(nth, exchanged);
            let free = plain(allocator.free(&volume))?.get();
            match result {
                Ok(()) => assert_eq!(free, 600_001 - 940, "allocation {nth}"),
                Err(error) => {
                    assert_eq!(error, Error::NoMemory, "allocation {nth}");
                    assert_eq!(allocator.pending(), ClusterCount::ZERO);
                    assert_eq!(free, 600_001, "allocation {nth}");
                    plain(allocator.write_back(&volume))?;
                    assert!(allocator.shrink(usize::MAX) <= 2);
                    assert_eq!(allocator.cached(), 0, "allocation {nth}");
                    plain(exchange(&volume, &allocator))?;
                }
            }
            // The next turn finds the volume as this one did.
            plain(allocator.prepare_free(&volume, [run((1 << 18) - 600, 570)]))?.later();
            plain(allocator.prepare_free(&volume, [run((1 << 18) + 30, 370)]))?.later();
            allocator.settle(allocator.mark(), |_| {});
            plain(allocator.write_back(&volume))?;
            drop((allocator, bitmap, volume));
            assert_eq!(failures::live(), before, "allocation {nth} leaks");
            if !failed {
                assert!(nth > 10, "only {nth} allocations");
                break;
            }
        }
        Ok(())
    }
}
