// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::residency`: a thread is stopped between the hint and the map.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_residency))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            attribute::Attribute,
            data,
            record::Role,
            residency::{
                Form,
                Point,
                Probe, //
            },
            volume::Volume, //
        },
        kunit::{
            fixtures::{
                put,
                record::{
                    resident,
                    Clusters, //
                },
            },
            fs::disk::{
                file,
                mount,
                open_file,
                plain,
                Disk,
                Ram,
                SAMPLE, //
            },
        },
        ondisk::{
            attribute::Sizes,
            units::{
                ByteCount,
                ByteOffset,
                RecordNumber, //
            },
        },
    };
    use kernel::{
        new_mutex,
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc,
            Completion,
            Mutex, //
        },
        workqueue,
    };

    const RESIDENT: &[u8] = b"small, in the record";
    const CLUSTERED: &[u8] = b"grown, in a cluster!";
    const LCN: usize = 20;

    #[pin_data]
    struct Race {
        disk: Arc<Disk>,
        volume: KBox<Volume<Ram>>,
        attribute: Arc<Attribute>,
        #[pin]
        reached: Completion,
        #[pin]
        resume: Completion,
        #[pin]
        done: Completion,
        stops: Atomic<u32>,
        retries: Atomic<u32>,
        #[pin]
        content: Mutex<[u8; 20]>,
        length: Atomic<usize>,
    }

    impl Probe for Race {
        fn at(&self, point: Point) {
            match point {
                Point::HintResident => {
                    if self.stops.fetch_add(1, Relaxed) == 0 {
                        self.reached.complete_all();
                        self.resume.wait_for_completion();
                    }
                }
                Point::Flipped => self.retries.add(1, Relaxed),
            }
        }
    }

    /// A volume with one small file, and a race that has not begun.
    fn race() -> Result<Arc<Race>> {
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, RESIDENT)?])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        let attribute = plain(inode.data())?.ok_or(ENOENT)?.clone();
        Arc::pin_init(
            pin_init!(Race {
                disk,
                volume,
                attribute,
                reached <- Completion::new(),
                resume <- Completion::new(),
                done <- Completion::new(),
                stops: Atomic::new(0),
                retries: Atomic::new(0),
                content <- new_mutex!([0; 20]),
                length: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    fn spawn_reader(race: &Arc<Race>) -> Result {
        let reader = race.clone();
        workqueue::system().try_spawn(GFP_KERNEL, move || {
            let mut buffer = [0; 20];
            let start = ByteOffset::ZERO;
            let read = data::read_at_probed(
                &**reader.volume,
                &reader.attribute,
                start,
                &mut buffer,
                &*reader,
            );
            *reader.content.lock() = buffer;
            reader.length.store(read.unwrap_or(0), Relaxed);
            reader.done.complete_all();
        })?;
        Ok(())
    }

    /// What a writer does that moves the value to clusters: the fact under the record lock, and the
    /// hint last.
    fn flip(race: &Race) -> Result {
        race.disk.write_cluster(LCN, CLUSTERED);
        let data = Clusters {
            highest_vcn: 0,
            allocated: 4096,
            data: CLUSTERED.len() as u64,
            initialized: CLUSTERED.len() as u64,
            mapping_pairs: &[0x11, 0x01, LCN as u8, 0x00],
            ..Clusters::DATA
        };
        let changed = file(SAMPLE, &[&data.to_bytes()?])?;
        let number = RecordNumber::new(SAMPLE);
        let record = plain(race.volume.record(number, Role::Base))?;
        let mut mapped = plain(record.map(&race.volume))?;
        put(mapped.bytes_mut(), 0, &changed);
        race.attribute.set_sizes(Sizes {
            allocated: ByteCount::new(4096),
            ..race.attribute.sizes()
        });
        race.attribute.residency().publish(Form::NonResident);
        drop(mapped);
        Ok(())
    }

    #[test]
    fn flip_between_hint_and_map_is_seen() -> Result {
        let race = race()?;
        spawn_reader(&race)?;
        race.reached.wait_for_completion();
        flip(&race)?;
        race.resume.complete_all();
        race.done.wait_for_completion();
        assert_eq!(race.retries.load(Relaxed), 1);
        assert_eq!(race.length.load(Relaxed), CLUSTERED.len());
        assert!(*race.content.lock() == *CLUSTERED);
        Ok(())
    }

    #[test]
    fn without_a_flip_the_record_is_read_at_once() -> Result {
        let race = race()?;
        spawn_reader(&race)?;
        race.reached.wait_for_completion();
        race.resume.complete_all();
        race.done.wait_for_completion();
        assert_eq!(race.retries.load(Relaxed), 0);
        assert_eq!(race.length.load(Relaxed), RESIDENT.len());
        assert!(*race.content.lock() == *RESIDENT);
        Ok(())
    }

    #[test]
    fn a_flip_before_the_hint_is_read_needs_no_retry() -> Result {
        let race = race()?;
        flip(&race)?;
        race.resume.complete_all();
        spawn_reader(&race)?;
        race.done.wait_for_completion();
        assert_eq!(race.stops.load(Relaxed), 0);
        assert_eq!(race.retries.load(Relaxed), 0);
        assert!(*race.content.lock() == *CLUSTERED);
        Ok(())
    }

    #[test]
    fn a_hint_that_stays_wrong_is_an_error_and_no_hang() -> Result {
        let race = race()?;
        flip(&race)?;
        race.attribute.residency().publish(Form::Resident);
        race.resume.complete_all();
        spawn_reader(&race)?;
        race.done.wait_for_completion();
        assert_eq!(race.length.load(Relaxed), 0);
        Ok(())
    }
}
