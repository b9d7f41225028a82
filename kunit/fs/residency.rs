// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::residency`: a thread is stopped between the hint and the map.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_residency))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            attribute::Attribute,
            convert,
            data,
            residency::{
                Form,
                Point,
                Probe, //
            },
            volume::Volume, //
        },
        kunit::{
            fixtures::record::resident,
            fs::disk::{
                mount,
                open_file,
                plain,
                writable,
                Disk,
                Ram,
                SAMPLE, //
            },
        },
        ondisk::units::ByteOffset,
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

    #[pin_data]
    struct Race {
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
                Point::Prepared | Point::FactFlipped => {}
            }
        }
    }

    /// A volume with one small file, and a race that has not begun.
    fn race() -> Result<Arc<Race>> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        disk.put_file(SAMPLE, &[&resident(0x80, "", 1, RESIDENT)?])?;
        let volume = mount(&disk)?;
        writable(&volume)?;
        let inode = open_file(&volume, SAMPLE)?;
        let attribute = plain(inode.data())?.ok_or(ENOENT)?.clone();
        Arc::pin_init(
            pin_init!(Race {
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

    /// Moves the value to clusters, with other bytes.
    fn flip(race: &Race) -> Result {
        plain(convert::make_non_resident(
            &race.volume,
            &race.attribute,
            CLUSTERED,
        ))
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
