// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::writing`: who may write, the mark on the volume, and the order on the device.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_writing))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            convert,
            error::{
                Error,
                Result as FsResult, //
            },
            writing::Refusal, //
        },
        kunit::{
            fixtures::{
                index,
                record::{
                    file_record,
                    resident,
                    Clusters,
                    RECORD_SIZE, //
                },
            },
            fs::{
                disk::{
                    mount,
                    name_entry,
                    open_file,
                    plain,
                    Action,
                    Disk,
                    CLUSTER,
                    MFT_LCN,
                    MIRROR_LCN,
                    SAMPLE, //
                },
                sample::{
                    offset,
                    Sample, //
                },
            },
        },
        ondisk::{
            fixup::{
                self,
                Magic, //
            },
            log::{
                geometry::Geometry,
                restart::{
                    Ending,
                    RestartPage,
                    Version, //
                },
            },
            units::{
                ByteCount,
                Lsn, //
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc,
            Completion, //
        },
        workqueue,
    };

    const C: u64 = CLUSTER as u64;
    const DIRTY: u16 = 0x0001;
    const RESIZE_LOG: u16 = 0x0002;
    const UPGRADE: u16 = 0x0004;
    const CHKDSK: u16 = 0x4000;
    /// Where the log of these tests is: 11 clusters, 88 pages of 512 bytes.
    const LOG_LCN: usize = 21;
    const LOG_CLUSTERS: usize = 11;
    const LOG_PAGE: usize = 512;

    /// The place of a record on the device.
    fn record_at(number: usize) -> usize {
        MFT_LCN * CLUSTER + number * RECORD_SIZE
    }

    fn mirror_at(number: usize) -> usize {
        MIRROR_LCN * CLUSTER + number * RECORD_SIZE
    }

    fn disk() -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        Ok(disk)
    }

    fn put_volume(disk: &Disk, version: (u8, u8), flags: u16) -> Result {
        let [low, high] = flags.to_le_bytes();
        let value = [0, 0, 0, 0, 0, 0, 0, 0, version.0, version.1, low, high];
        disk.put_file(3, &[&resident(0x70, "", 1, &value)?])
    }

    fn refusal(disk: &Arc<Disk>, force: bool) -> Result<Option<Refusal>> {
        let volume = mount(disk)?;
        let result = volume.begin_writing(force).err();
        assert_eq!(volume.is_writable(), result.is_none());
        Ok(result)
    }

    /// A log with one restart page, whose version is then patched to be `major`.
    fn put_log(disk: &Disk, version: Version, ending: Ending, major: u8) -> Result {
        let bytes = (LOG_CLUSTERS * CLUSTER) as u64;
        let log = Clusters {
            highest_vcn: LOG_CLUSTERS as u64 - 1,
            allocated: bytes,
            data: bytes,
            initialized: bytes,
            mapping_pairs: &[0x11, LOG_CLUSTERS as u8, LOG_LCN as u8, 0],
            ..Clusters::DATA
        };
        disk.put_file(2, &[&log.to_bytes()?])?;
        let size = ByteCount::new(bytes);
        let first = version.first_page();
        let geometry = Geometry::new(LOG_PAGE as u32, size, first, 0x40).map_err(|_| EINVAL)?;
        let page = RestartPage {
            chkdsk_lsn: None,
            version,
            geometry,
            file_size: size,
            ending,
            flags: 0,
            current_lsn: Lsn::new(0x1000),
            last_length: 0,
            open_count: 1,
            oldest_lsn: Lsn::new(0x1000),
            restart_lsn: Lsn::new(0x1000),
        };
        let mut bytes = [0; LOG_PAGE];
        page.encode(&mut bytes).ok_or(EINVAL)?;
        if major != 0 {
            crate::kunit::fixtures::put(&mut bytes, 0x1c, &[major, 0]);
        }
        fixup::redo(&mut bytes, Magic::RSTR).map_err(|_| EINVAL)?;
        disk.write_cluster(LOG_LCN, &[0; LOG_CLUSTERS * CLUSTER]);
        disk.write_cluster(LOG_LCN, &bytes);
        Ok(())
    }

    /// Lets the root list `hiberfil.sys`, with this content.
    fn put_hiberfil(disk: &Disk, content: &[u8]) -> Result {
        let root = index::root(&[
            &name_entry("hiberfil.sys", SAMPLE, None)?,
            &index::entry(0, None, None)?,
        ])?;
        disk.put_directory(5, &root, &[])?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, content)?])
    }

    #[test]
    fn a_volume_in_order_may_be_written() -> Result {
        let disk = disk()?;
        assert_eq!(refusal(&disk, false)?, None);
        for version in [(1, 2), (3, 0)] {
            put_volume(&disk, version, 0)?;
            assert_eq!(refusal(&disk, false)?, None);
        }
        Ok(())
    }

    #[test]
    fn what_the_flags_say_is_heeded() -> Result {
        let disk = disk()?;
        let flags = [
            (DIRTY, Refusal::Dirty),
            (CHKDSK | DIRTY, Refusal::Chkdsk),
            (UPGRADE, Refusal::Upgrade),
            (RESIZE_LOG, Refusal::Upgrade),
        ];
        for (flags, expected) in flags {
            put_volume(&disk, (3, 1), flags)?;
            assert_eq!(refusal(&disk, false)?, Some(expected));
            let forced = Some(expected).filter(|refusal| *refusal == Refusal::Upgrade);
            assert_eq!(refusal(&disk, true)?, forced);
        }
        Ok(())
    }

    #[test]
    fn another_version_is_not_written() -> Result {
        let disk = disk()?;
        for (major, minor) in [(1, 1), (2, 0), (3, 2), (4, 0)] {
            put_volume(&disk, (major, minor), 0)?;
            let expected = Some(Refusal::Version(major, minor));
            assert_eq!(refusal(&disk, false)?, expected);
            assert_eq!(refusal(&disk, true)?, expected);
        }
        Ok(())
    }

    #[test]
    fn a_log_that_is_not_clean_keeps_writers_out() -> Result {
        let disk = disk()?;
        let logs = [
            (Version::V1_1, Ending::Clean, 0, None),
            (Version::V1_1, Ending::Closed, 0, None),
            (Version::V2_0, Ending::Clean, 0, None),
            (Version::V1_1, Ending::Unclean, 0, Some(Refusal::Log)),
            (Version::V2_0, Ending::Unclean, 0, Some(Refusal::LogInUse)),
            (Version::V1_1, Ending::Clean, 3, Some(Refusal::LogVersion)),
        ];
        for (version, ending, major, expected) in logs {
            put_log(&disk, version, ending, major)?;
            assert_eq!(refusal(&disk, false)?, expected);
            assert_eq!(refusal(&disk, true)?, None);
        }
        disk.write_cluster(LOG_LCN, &[0x5a; CLUSTER]);
        assert!(matches!(
            refusal(&disk, false)?,
            Some(Refusal::LogBroken(_))
        ));
        Ok(())
    }

    #[test]
    fn a_windows_that_sleeps_is_not_disturbed() -> Result {
        let disk = disk()?;
        for content in [&b"hibr"[..], b"HIBR", b"what nobody knows"] {
            put_hiberfil(&disk, content)?;
            assert_eq!(refusal(&disk, false)?, Some(Refusal::Hibernated));
            assert_eq!(refusal(&disk, true)?, Some(Refusal::Hibernated));
        }
        for content in [&b"wake"[..], b"RSTR", &[0; 100], b""] {
            put_hiberfil(&disk, content)?;
            assert_eq!(refusal(&disk, false)?, None);
        }
        Ok(())
    }

    #[test]
    fn copies_that_differ_keep_writers_out() -> Result {
        let disk = disk()?;
        disk.put_mirror(2, &file_record(2, 9, &[]))?;
        assert_eq!(refusal(&disk, false)?, Some(Refusal::Mirror));
        assert_eq!(refusal(&disk, true)?, None);
        Ok(())
    }

    #[test]
    fn what_was_forced_stays_marked() -> Result {
        let broken: [fn(&Disk) -> Result; 3] = [
            |disk| put_volume(disk, (3, 1), DIRTY),
            |disk| disk.put_mirror(2, &file_record(2, 9, &[])),
            |disk| put_log(disk, Version::V1_1, Ending::Unclean, 0),
        ];
        for put in broken {
            let disk = disk()?;
            put(&disk)?;
            let volume = mount(&disk)?;
            assert!(volume.begin_writing(true).is_ok());
            plain(volume.start_change())?;
            plain(volume.end_writing())?;
            assert_eq!(refusal(&disk, false)?, Some(Refusal::Dirty));
        }
        Ok(())
    }

    #[test]
    fn what_is_damaged_is_not_written() -> Result {
        let disk = disk()?;
        disk.write(mirror_at(1), &[0; RECORD_SIZE]);
        assert!(refusal(&disk, true)?.is_some());
        let disk = Disk::new()?;
        assert!(matches!(refusal(&disk, true)?, Some(Refusal::Broken(_))));
        Ok(())
    }

    #[test]
    fn nothing_is_written_to_a_volume_that_is_only_read() -> Result {
        let disk = disk()?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, b"abc")?])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let data = plain(inode.data())?.ok_or(ENOENT)?;
        let write = || convert::write_resident(&volume, data, offset(0), b"x");
        assert_eq!(write(), Err(Error::ReadOnly));
        assert!(volume.begin_writing(false).is_ok());
        plain(volume.sync())?;
        plain(volume.end_writing())?;
        assert_eq!(write(), Err(Error::ReadOnly));
        assert_eq!(disk.writes.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn the_mark_is_durable_before_anything_else() -> Result {
        let sample = Sample::dense()?;
        put_log(&sample.disk, Version::V1_1, Ending::Clean, 0)?;
        let sample = Sample::open(sample.disk)?;
        assert!(sample.volume.begin_writing(false).is_ok());
        sample.disk.take_actions();
        sample.set_size(C)?;
        let log = LOG_LCN * CLUSTER;
        let expected = [
            Action::Write(record_at(3)),
            Action::Write(mirror_at(3)),
            Action::Flush,
            Action::Write(log),
            Action::Flush,
        ];
        assert!(*sample.disk.take_actions() == expected);
        let found = sample.after_power_cut()?;
        assert!(found.volume.begin_writing(false) == Err(Refusal::Dirty));
        // The second change finds it marked.
        sample.set_size(10)?;
        assert!(sample.disk.take_actions().is_empty());
        Ok(())
    }

    #[test]
    fn the_mark_goes_when_all_else_is_durable() -> Result {
        let sample = Sample::dense()?;
        sample.set_size(C)?;
        sample.disk.take_actions();
        plain(sample.volume.end_writing())?;
        let bitmap = Disk::bitmap_at(0);
        let expected = [
            // Nothing is in use that was not.
            Action::Flush,
            Action::Write(record_at(SAMPLE as usize)),
            Action::Flush,
            Action::Write(bitmap),
            Action::Flush,
            Action::Write(record_at(3)),
            Action::Write(mirror_at(3)),
            Action::Flush,
        ];
        assert!(*sample.disk.take_actions() == expected);
        assert_eq!(refusal(&sample.disk, false)?, None);
        Ok(())
    }

    #[test]
    fn clusters_are_marked_before_a_record_tells_of_them() -> Result {
        let sample = Sample::sparse()?;
        sample.reserve(2 * C, C)?;
        sample.allocate(2 * C)?;
        sample.written(2 * C, C)?;
        sample.record()?;
        sample.disk.take_actions();
        plain(sample.volume.sync())?;
        let expected = [
            Action::Write(Disk::bitmap_at(0)),
            Action::Flush,
            Action::Write(record_at(SAMPLE as usize)),
            Action::Flush,
        ];
        assert!(*sample.disk.take_actions() == expected);
        Ok(())
    }

    /// Fills a cluster of the file's hole, and tells its record.
    fn fill(sample: &Sample, vcn: u64) -> Result {
        sample.reserve(vcn * C, C)?;
        let place = sample.allocate(vcn * C)?;
        sample.transfer(place, b'n')?;
        sample.written(vcn * C, C)?;
        sample.record()
    }

    /// Does something while another thread syncs, between its copy of the bits and the first record.
    fn sync_while(sample: &Arc<Sample>, act: impl FnOnce() -> Result) -> Result {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (synced, thread_sample) = (done.clone(), sample.clone());
        sample.disk.stop_flushing();
        workqueue::system().try_spawn(GFP_KERNEL, move || {
            let result: FsResult = thread_sample.volume.sync();
            assert_eq!(result, Ok(()));
            drop(thread_sample);
            synced.complete_all();
        })?;
        sample.disk.stop.wait();
        let acted = act();
        sample.disk.stop.release();
        done.wait_for_completion();
        acted
    }

    #[test]
    fn a_record_that_changes_during_a_sync_waits_for_its_clusters() -> Result {
        let sample = Arc::new(Sample::sparse()?, GFP_KERNEL)?;
        fill(&sample, 2)?;
        sample.disk.take_actions();
        sync_while(&sample, || fill(&sample, 4))?;
        let bitmap = Action::Write(Disk::bitmap_at(0));
        let record = Action::Write(record_at(SAMPLE as usize));
        let actions = sample.disk.take_actions();
        // Among them is the data of the second cluster.
        let end = [bitmap, Action::Flush, record, Action::Flush];
        assert!(actions.first() == Some(&bitmap) && actions.ends_with(&end));
        assert!(actions.iter().filter(|action| **action == record).count() == 1);
        // It was dirty when the sync began, so it is durable now, as it is.
        assert!(sample.after_power_cut()?.is_full_of(4, b'n')?);
        Ok(())
    }

    #[test]
    fn a_record_that_was_clean_when_a_sync_began_waits_for_the_next() -> Result {
        let sample = Arc::new(Sample::sparse()?, GFP_KERNEL)?;
        plain(sample.volume.start_change())?;
        sync_while(&sample, || fill(&sample, 2))?;
        sample.disk.take_actions();
        plain(sample.volume.sync())?;
        let expected = [
            Action::Write(Disk::bitmap_at(0)),
            Action::Flush,
            Action::Write(record_at(SAMPLE as usize)),
            Action::Flush,
        ];
        let actions = sample.disk.take_actions();
        // The end of the sync before may have written the bits.
        assert!(*actions == expected || Some(&*actions) == expected.get(1..));
        Ok(())
    }

    #[test]
    fn a_volume_that_was_dirty_stays_marked() -> Result {
        let sample = Sample::dense()?;
        put_volume(&sample.disk, (3, 1), DIRTY)?;
        let sample = Sample::open(sample.disk)?;
        assert!(sample.volume.begin_writing(true).is_ok());
        sample.set_size(C)?;
        plain(sample.volume.end_writing())?;
        assert_eq!(sample.after_power_cut()?.data.data_size().get(), C);
        assert_eq!(refusal(&sample.disk, false)?, Some(Refusal::Dirty));
        Ok(())
    }

    #[test]
    fn what_could_not_be_written_is_written_later_and_the_mark_stays() -> Result {
        let sample = Sample::dense()?;
        sample.set_size(C)?;
        sample.disk.broken.store(true, Relaxed);
        assert!(matches!(sample.volume.sync(), Err(Error::Unwritten(_))));
        sample.disk.broken.store(false, Relaxed);
        assert_eq!(sample.after_power_cut()?.data.data_size().get(), 4 * C);
        plain(sample.volume.sync())?;
        assert_eq!(sample.after_power_cut()?.data.data_size().get(), C);
        plain(sample.volume.end_writing())?;
        assert_eq!(refusal(&sample.disk, false)?, Some(Refusal::Dirty));
        Ok(())
    }

    #[test]
    fn after_a_shutdown_nothing_reaches_the_device() -> Result {
        let sample = Sample::dense()?;
        sample.set_size(C)?;
        sample.disk.take_actions();
        assert!(sample.volume.shutdown());
        assert!(!sample.volume.shutdown());
        assert!(!sample.volume.is_writable());
        plain(sample.volume.sync())?;
        plain(sample.volume.end_writing())?;
        assert!(sample.disk.take_actions().is_empty());
        assert_eq!(refusal(&sample.disk, false)?, Some(Refusal::Dirty));
        Ok(())
    }

    #[test]
    fn after_a_shutdown_it_is_never_written_again() -> Result {
        let sample = Sample::dense()?;
        sample.set_size(C)?;
        sample.volume.shutdown();
        assert!(sample.volume.is_stopped());
        for force in [false, true] {
            let refused = sample.volume.begin_writing(force);
            assert_eq!(refused, Err(Refusal::Stopped));
        }
        Ok(())
    }

    #[test]
    fn a_shutdown_before_the_first_change_leaves_no_trace() -> Result {
        let sample = Sample::dense()?;
        sample.disk.take_actions();
        assert!(sample.volume.shutdown());
        assert_eq!(sample.volume.start_change(), Err(Error::ReadOnly));
        plain(sample.volume.end_writing())?;
        assert!(sample.disk.take_actions().is_empty());
        Ok(())
    }

    #[test]
    fn damage_that_was_only_seen_marks_the_volume_at_the_end() -> Result {
        let sample = Sample::dense()?;
        sample.volume.note_damage();
        assert!(sample.volume.is_writable());
        plain(sample.volume.end_writing())?;
        assert_eq!(refusal(&sample.disk, false)?, Some(Refusal::Dirty));
        Ok(())
    }

    #[test]
    fn damage_that_was_seen_keeps_the_mark() -> Result {
        let sample = Sample::dense()?;
        sample.set_size(C)?;
        sample.volume.note_damage();
        plain(sample.volume.end_writing())?;
        assert_eq!(refusal(&sample.disk, false)?, Some(Refusal::Dirty));
        Ok(())
    }

    #[test]
    fn a_mark_that_cannot_be_written_is_metadata_that_cannot() -> Result {
        let sample = Sample::dense()?;
        sample.disk.broken.store(true, Relaxed);
        let failed = sample.volume.start_change();
        assert!(matches!(failed, Err(Error::Unwritten(_))));
        Ok(())
    }
}
