// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::record`, `fs::buffer` and `fs::mft`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_record))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::Error,
            record::Role,
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                put,
                record::{
                    resident,
                    RECORD_SIZE, //
                },
            },
            fs::{
                disk::{
                    file,
                    mount,
                    open_file,
                    plain,
                    Disk,
                    Ram,
                    CLUSTER,
                    MFT_LCN,
                    SAMPLE, //
                },
                sample::Sample, //
            },
        },
        ondisk::units::{
            ByteCount,
            ByteOffset,
            MftReference,
            RecordNumber,
            SequenceNumber, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc,
            Completion, //
        },
        workqueue, //
    };

    fn files() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        for number in SAMPLE..32 {
            disk.put_file(number, &[&resident(0x80, "", 1, b"x")?])?;
        }
        Ok(disk)
    }

    fn map(volume: &Volume<Ram>, number: u64) -> crate::fs::error::Result<u16> {
        let record = volume.record(RecordNumber::new(number), Role::Base)?;
        let mapped = record.map(volume)?;
        let sequence = mapped.record()?.header().sequence.get();
        Ok(sequence)
    }

    #[test]
    fn a_record_is_read_once_and_then_comes_from_the_cache() -> Result {
        let disk = files()?;
        let volume = mount(&disk)?;
        assert_eq!(plain(map(&volume, SAMPLE))?, 1);
        let reads = disk.reads.load(Relaxed);
        assert_eq!(plain(map(&volume, SAMPLE))?, 1);
        assert_eq!(disk.reads.load(Relaxed), reads);
        Ok(())
    }

    #[test]
    fn who_walks_upwards_finds_the_next_records_read() -> Result {
        let disk = files()?;
        let volume = mount(&disk)?;
        plain(map(&volume, SAMPLE))?;
        plain(map(&volume, SAMPLE + 1))?;
        let reads = disk.reads.load(Relaxed);
        for number in SAMPLE + 2..32 {
            plain(map(&volume, number))?;
        }
        assert_eq!(disk.reads.load(Relaxed), reads);
        Ok(())
    }

    #[test]
    fn who_wants_two_records_of_a_region_finds_the_others_read() -> Result {
        let disk = files()?;
        let volume = mount(&disk)?;
        // Downwards, so that nobody walks.
        plain(map(&volume, 31))?;
        plain(map(&volume, SAMPLE + 2))?;
        let reads = disk.reads.load(Relaxed);
        for number in [SAMPLE + 1, 30, SAMPLE, 29, SAMPLE + 3] {
            assert_eq!(plain(map(&volume, number))?, 1);
        }
        assert_eq!(disk.reads.load(Relaxed), reads);
        Ok(())
    }

    #[test]
    fn what_was_read_ahead_before_a_record_was_written_is_not_kept() -> Result {
        let sample = Arc::new(Sample::dense()?, GFP_KERNEL)?;
        for number in [30, 31] {
            let record = file(number, &[&resident(0x80, "", 1, b"x")?])?;
            sample.disk.put_record(number, &record)?;
        }
        sample.volume.shrink(usize::MAX);
        plain(map(&sample.volume, 31))?;
        // With this one, all from the first on that has no copy are read.
        let first = MFT_LCN * CLUSTER + 4 * RECORD_SIZE;
        sample.disk.stop_when_read(ByteOffset::new(first as u64));
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (shared, told) = (sample.clone(), done.clone());
        workqueue::system().try_spawn(GFP_KERNEL, move || {
            let _ = map(&shared.volume, 30);
            drop(shared);
            told.complete_all();
        })?;
        sample.disk.stop.wait();
        sample.set_size(100)?;
        sample.save_all()?;
        // Nobody has the changed record any more.
        sample.volume.shrink(usize::MAX);
        sample.disk.stop.release();
        done.wait_for_completion();
        let again = open_file(&sample.volume, SAMPLE)?;
        assert_eq!(again.size(), ByteCount::new(100));
        Ok(())
    }

    #[test]
    fn a_torn_record_is_broken_for_itself_only() -> Result {
        let disk = files()?;
        disk.write(MFT_LCN * CLUSTER + 26 * 1024 + 1022, &[1, 2]);
        let volume = mount(&disk)?;
        for number in SAMPLE..32 {
            let mapped = map(&volume, number);
            if number == 26 {
                assert!(matches!(mapped, Err(Error::Corrupt(_))));
            } else {
                assert_eq!(plain(mapped)?, 1);
            }
        }
        Ok(())
    }

    #[test]
    fn a_record_beyond_the_end_is_corrupt_and_grows_nothing() -> Result {
        let volume = mount(&files()?)?;
        for number in [32, 1 << 32, (1 << 48) - 1] {
            assert!(matches!(map(&volume, number), Err(Error::Corrupt(_))));
        }
        assert_eq!(volume.record_count(), 32);
        Ok(())
    }

    #[test]
    fn a_device_error_is_not_remembered() -> Result {
        let disk = files()?;
        let volume = mount(&disk)?;
        volume.shrink(usize::MAX);
        disk.broken.store(true, Relaxed);
        assert!(matches!(map(&volume, SAMPLE), Err(Error::Device(_))));
        disk.broken.store(false, Relaxed);
        assert_eq!(plain(map(&volume, SAMPLE))?, 1);
        Ok(())
    }

    #[test]
    fn a_reference_to_another_use_of_the_record_is_stale() -> Result {
        let volume = mount(&files()?)?;
        let reference = |sequence| MftReference {
            number: RecordNumber::new(SAMPLE),
            sequence: SequenceNumber::new(sequence),
        };
        assert!(volume.inode(reference(1)).is_ok());
        assert!(volume.inode(reference(0)).is_ok());
        let stale = volume.inode(reference(2)).err();
        assert!(stale == Some(Error::Stale(reference(2))));
        Ok(())
    }

    #[test]
    fn a_free_record_is_stale() -> Result {
        let disk = files()?;
        let mut record = file(SAMPLE, &[])?;
        put(&mut record, 0x16, &[0]);
        disk.put_record(SAMPLE, &record)?;
        let volume = mount(&disk)?;
        let opened = volume.inode_number(RecordNumber::new(SAMPLE)).err();
        assert!(matches!(opened, Some(Error::Stale(_))));
        Ok(())
    }

    #[test]
    fn an_extension_record_is_no_file() -> Result {
        let disk = files()?;
        disk.put_record(SAMPLE, &crate::kunit::fs::disk::extension(25, &[]))?;
        let mut own = file(SAMPLE, &[])?;
        put(&mut own, 0x20, &25_u64.to_le_bytes());
        disk.put_record(SAMPLE, &own)?;
        let volume = mount(&disk)?;
        let opened = volume.inode_number(RecordNumber::new(SAMPLE)).err();
        assert!(matches!(opened, Some(Error::Stale(_))));
        Ok(())
    }

    #[test]
    fn what_is_not_in_use_can_be_shrunk_away_and_read_again() -> Result {
        let disk = files()?;
        let volume = mount(&disk)?;
        for number in SAMPLE..32 {
            plain(map(&volume, number))?;
        }
        assert!(volume.cached() >= 8);
        volume.shrink(usize::MAX);
        assert_eq!(volume.cached(), 0);
        assert!(open_file(&volume, SAMPLE).is_ok());
        Ok(())
    }
}
