// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::convert`: threads are stopped in each window of a conversion, others come between.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_flip))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            attribute::Attribute,
            convert,
            data,
            residency::{
                Form,
                Point, //
            },
            resize,
            volume::Volume, //
        },
        kunit::{
            fixtures::record::resident,
            fs::{
                disk::{
                    mount,
                    open_file,
                    plain,
                    writable,
                    Disk,
                    Ram,
                    CLUSTER,
                    SAMPLE, //
                },
                race::Gate, //
            },
        },
        ondisk::units::{
            ByteCount,
            ByteOffset, //
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

    const LENGTH: usize = 20;
    const RESIDENT: [u8; LENGTH] = *b"small, in the record";
    const CLUSTERED: [u8; LENGTH] = *b"grown, in a cluster!";
    const WRITTEN: [u8; LENGTH] = *b"written by a writer.";
    const NOTHING: usize = 0;
    const FAILED: usize = usize::MAX;

    /// A volume with one small file.
    struct Scene {
        disk: Arc<Disk>,
        volume: KBox<Volume<Ram>>,
        data: Arc<Attribute>,
    }

    impl Scene {
        fn new() -> Result<Arc<Self>> {
            let disk = Disk::new()?;
            disk.make_writable()?;
            disk.put_file(SAMPLE, &[&resident(0x80, "", 1, &RESIDENT)?])?;
            let volume = mount(&disk)?;
            writable(&volume)?;
            let inode = open_file(&volume, SAMPLE)?;
            let data = plain(inode.data())?.ok_or(ENOENT)?.clone();
            Ok(Arc::new(Self { disk, volume, data }, GFP_KERNEL)?)
        }

        fn hint(&self) -> Form {
            self.data.residency().hint()
        }

        fn free(&self) -> Result<u64> {
            Ok(plain(self.volume.free_clusters())?.ok_or(ENOENT)?.get())
        }

        /// What one who comes later reads.
        fn content(&self) -> Result<(usize, [u8; LENGTH])> {
            let mut bytes = [0; LENGTH];
            let volume = &**self.volume;
            let read = data::read_at(volume, &self.data, ByteOffset::ZERO, &mut bytes);
            Ok((plain(read)?, bytes))
        }

        fn truncate(&self) -> Result {
            plain(resize::set_size(&self.volume, &self.data, ByteCount::ZERO))
        }
    }

    #[derive(Clone, Copy)]
    enum Act {
        Read,
        Write,
        Convert([u8; LENGTH]),
    }

    /// A thread, and what became of it.
    #[pin_data]
    struct Thread {
        scene: Arc<Scene>,
        #[pin]
        gate: Gate,
        #[pin]
        done: Completion,
        over: Atomic<bool>,
        /// What was read.
        #[pin]
        content: Mutex<[u8; LENGTH]>,
        /// How much was read, or [`FAILED`].
        length: Atomic<usize>,
        /// Whether a writer was told of clusters.
        sent_away: Atomic<bool>,
    }

    impl Thread {
        /// Starts a thread, and waits until it has stopped if it is to.
        fn start(scene: &Arc<Scene>, act: Act, stop: Option<Point>) -> Result<Arc<Self>> {
            let thread = Arc::pin_init(
                pin_init!(Self {
                    scene: scene.clone(),
                    gate <- Gate::new(stop),
                    done <- Completion::new(),
                    over: Atomic::new(false),
                    content <- new_mutex!([0; LENGTH]),
                    length: Atomic::new(NOTHING),
                    sent_away: Atomic::new(false),
                }),
                GFP_KERNEL,
            )?;
            let runner = thread.clone();
            workqueue::system().try_spawn(GFP_KERNEL, move || runner.run(act))?;
            if stop.is_some() {
                thread.gate.stop.wait();
            }
            Ok(thread)
        }

        fn run(&self, act: Act) {
            let Scene { volume, data, .. } = &*self.scene;
            let start = ByteOffset::ZERO;
            let failed = match act {
                Act::Read => {
                    let mut bytes = [0; LENGTH];
                    let store = &***volume;
                    let read = data::read_at_probed(store, data, start, &mut bytes, &self.gate);
                    *self.content.lock() = bytes;
                    self.length.store(read.unwrap_or(FAILED), Relaxed);
                    read.is_err()
                }
                Act::Write => {
                    let gate = &self.gate;
                    let form = convert::write_resident_probed(volume, data, start, &WRITTEN, gate);
                    self.sent_away.store(form == Ok(Form::NonResident), Relaxed);
                    form.is_err()
                }
                Act::Convert(value) => {
                    convert::make_non_resident_probed(volume, data, &value, &self.gate).is_err()
                }
            };
            if failed {
                self.length.store(FAILED, Relaxed);
            }
            self.over.store(true, Relaxed);
            self.done.complete_all();
        }

        fn is_over(&self) -> bool {
            self.over.load(Relaxed)
        }

        fn finish(&self) -> Result {
            self.gate.stop.release();
            self.done.wait_for_completion();
            match self.length.load(Relaxed) {
                FAILED => Err(EIO),
                _ => Ok(()),
            }
        }

        /// What it read.
        fn read(&self) -> (usize, [u8; LENGTH]) {
            (self.length.load(Relaxed), *self.content.lock())
        }
    }

    #[test]
    fn a_reader_who_believes_in_the_record_finds_the_clusters() -> Result {
        let scene = Scene::new()?;
        let reader = Thread::start(&scene, Act::Read, Some(Point::HintResident))?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        reader.finish()?;
        assert_eq!((reader.gate.hints(), reader.gate.retries()), (1, 1));
        assert!(reader.read() == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn a_writer_who_believes_in_the_record_is_sent_to_the_clusters() -> Result {
        let scene = Scene::new()?;
        let writer = Thread::start(&scene, Act::Write, Some(Point::HintResident))?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        writer.finish()?;
        assert_eq!((writer.gate.hints(), writer.gate.retries()), (1, 1));
        assert!(writer.sent_away.load(Relaxed));
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn a_writer_whom_nobody_disturbs_writes_at_once() -> Result {
        let scene = Scene::new()?;
        let writer = Thread::start(&scene, Act::Write, Some(Point::HintResident))?;
        writer.finish()?;
        assert_eq!((writer.gate.hints(), writer.gate.retries()), (1, 0));
        assert!(!writer.sent_away.load(Relaxed));
        assert!(scene.content()? == (LENGTH, WRITTEN));
        Ok(())
    }

    #[test]
    fn readers_have_the_record_until_it_changes() -> Result {
        let scene = Scene::new()?;
        let converter = Thread::start(&scene, Act::Convert(CLUSTERED), Some(Point::Prepared))?;
        let reader = Thread::start(&scene, Act::Read, None)?;
        reader.finish()?;
        assert!(!converter.is_over());
        assert_eq!((reader.gate.hints(), reader.gate.retries()), (1, 0));
        assert!(reader.read() == (LENGTH, RESIDENT));
        assert!(scene.hint() == Form::Resident);
        converter.finish()?;
        assert!(scene.hint() == Form::NonResident);
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn between_fact_and_hint_readers_wait_for_the_record() -> Result {
        let scene = Scene::new()?;
        let early = Thread::start(&scene, Act::Read, Some(Point::HintResident))?;
        let stop = Some(Point::FactFlipped);
        let converter = Thread::start(&scene, Act::Convert(CLUSTERED), stop)?;
        assert!(scene.hint() == Form::Resident);
        let late = Thread::start(&scene, Act::Read, Some(Point::HintResident))?;
        early.gate.stop.release();
        late.gate.stop.release();
        assert!(!early.is_over() && !late.is_over());
        converter.finish()?;
        for reader in [early, late] {
            reader.finish()?;
            assert_eq!((reader.gate.hints(), reader.gate.retries()), (1, 1));
            assert!(reader.read() == (LENGTH, CLUSTERED));
        }
        Ok(())
    }

    #[test]
    fn between_fact_and_hint_writers_wait_for_the_record() -> Result {
        let scene = Scene::new()?;
        let stop = Some(Point::FactFlipped);
        let converter = Thread::start(&scene, Act::Convert(CLUSTERED), stop)?;
        assert!(scene.hint() == Form::Resident);
        let writer = Thread::start(&scene, Act::Write, Some(Point::HintResident))?;
        writer.gate.stop.release();
        assert!(!writer.is_over());
        converter.finish()?;
        writer.finish()?;
        assert_eq!((writer.gate.hints(), writer.gate.retries()), (1, 1));
        assert!(writer.sent_away.load(Relaxed));
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn of_two_converters_one_converts() -> Result {
        let scene = Scene::new()?;
        let free = scene.free()?;
        let first = Thread::start(&scene, Act::Convert(CLUSTERED), Some(Point::Prepared))?;
        let second = Thread::start(&scene, Act::Convert(WRITTEN), None)?;
        first.finish()?;
        second.finish()?;
        assert_eq!(scene.free()?, free - 1);
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn clusters_that_are_being_read_are_not_given_to_others() -> Result {
        let scene = Scene::new()?;
        let free = scene.free()?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        let start = ByteOffset::ZERO;
        let place = match plain(data::map_extent(&**scene.volume, &scene.data, start))?.source {
            data::Source::Device(place) => place,
            _ => return Err(EINVAL),
        };
        scene.disk.stop_reading(place);
        let reader = Thread::start(&scene, Act::Read, None)?;
        scene.disk.stop.wait();
        scene.truncate()?;
        assert!(scene.hint() == Form::Resident);
        // Not free before it is durable that the file has it no more.
        assert_eq!(scene.free()?, free - 1);
        assert!(scene.content()?.0 == NOTHING);
        scene.disk.stop.release();
        reader.finish()?;
        assert_eq!((reader.gate.hints(), reader.gate.retries()), (0, 0));
        assert!(reader.read() == (LENGTH, CLUSTERED));
        plain(scene.volume.sync())?;
        assert_eq!(scene.free()?, free);
        assert!(place.get() % CLUSTER as u64 == 0);
        Ok(())
    }

    #[test]
    fn who_looks_after_the_way_there_and_back_reads_what_is_there_now() -> Result {
        let scene = Scene::new()?;
        let reader = Thread::start(&scene, Act::Read, Some(Point::HintResident))?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        scene.truncate()?;
        let size = ByteCount::new(5);
        let resized = convert::resize_resident(&scene.volume, &scene.data, size);
        assert!(plain(resized)? == Form::Resident);
        Thread::start(&scene, Act::Write, None)?.finish()?;
        reader.finish()?;
        assert_eq!((reader.gate.hints(), reader.gate.retries()), (1, 0));
        assert!(reader.read().0 == 5);
        assert!(reader.read().1.get(..5) == Some(b"writt"));
        Ok(())
    }
}
