// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::convert`: threads are stopped in each window of a conversion, others come between.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_flip))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            convert,
            data,
            residency::{
                Form,
                Point, //
            }, //
        },
        kunit::fs::{
            disk::{
                plain,
                CLUSTER, //
            },
            scene::{
                Act,
                Scene,
                Thread,
                CLUSTERED,
                LENGTH,
                NOTHING,
                RESIDENT,
                WRITTEN, //
            }, //
        },
        ondisk::units::{
            ByteCount,
            ByteOffset, //
        },
    };
    use kernel::prelude::*;

    /// One who wants to change the record stops before it maps it, and the value moves to clusters.
    fn believer(act: Act) -> Result {
        let scene = Scene::new()?;
        let believer = Thread::start(&scene, act, Some(Point::HintResident))?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        believer.finish()?;
        assert_eq!(believer.turns(), (1, 1));
        assert!(believer.is_sent_away());
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    /// One who wants to change the record comes when that is changed, and the hint is not published yet.
    fn latecomer(act: Act) -> Result {
        let scene = Scene::new()?;
        let stop = Some(Point::FactFlipped);
        let converter = Thread::start(&scene, Act::Convert(CLUSTERED), stop)?;
        assert!(scene.hint() == Form::Resident);
        let latecomer = Thread::start(&scene, act, Some(Point::HintResident))?;
        latecomer.release();
        assert!(!latecomer.is_over());
        converter.finish()?;
        latecomer.finish()?;
        assert_eq!(latecomer.turns(), (1, 1));
        assert!(latecomer.is_sent_away());
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn a_writer_who_believes_in_the_record_is_sent_to_the_clusters() -> Result {
        believer(Act::Write(WRITTEN))
    }

    #[test]
    fn a_truncation_that_believes_in_the_record_is_sent_to_the_clusters() -> Result {
        believer(Act::Resize(5))
    }

    #[test]
    fn an_extension_that_believes_in_the_record_is_sent_to_the_clusters() -> Result {
        believer(Act::Resize(100))
    }

    #[test]
    fn between_fact_and_hint_writers_wait_for_the_record() -> Result {
        latecomer(Act::Write(WRITTEN))
    }

    #[test]
    fn between_fact_and_hint_truncations_wait_for_the_record() -> Result {
        latecomer(Act::Resize(5))
    }

    #[test]
    fn a_truncation_that_nobody_disturbs_cuts_at_once() -> Result {
        let scene = Scene::new()?;
        let truncation = Thread::start(&scene, Act::Resize(5), Some(Point::HintResident))?;
        truncation.finish()?;
        assert_eq!(truncation.turns(), (1, 0));
        assert!(!truncation.is_sent_away());
        let (length, bytes) = scene.content()?;
        assert!(length == 5 && bytes.get(..5) == Some(b"small"));
        Ok(())
    }

    #[test]
    fn writeback_has_the_record_until_it_changes() -> Result {
        let scene = Scene::new()?;
        let converter = Thread::start(&scene, Act::Convert(CLUSTERED), Some(Point::Prepared))?;
        // The same bytes, of the folio that the converter copied.
        let writer = Thread::start(&scene, Act::Write(CLUSTERED), None)?;
        writer.finish()?;
        assert_eq!(writer.turns(), (1, 0));
        assert!(!writer.is_sent_away() && !converter.is_over());
        assert!(scene.hint() == Form::Resident);
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        converter.finish()?;
        assert!(scene.content()? == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn who_empties_the_value_waits_for_the_converter() -> Result {
        for stop in [Point::Prepared, Point::FactFlipped] {
            let scene = Scene::new()?;
            let free = scene.free()?;
            let converter = Thread::start(&scene, Act::Convert(CLUSTERED), Some(stop))?;
            let emptier = Thread::start(&scene, Act::Empty, None)?;
            assert!(!emptier.is_over());
            converter.finish()?;
            emptier.finish()?;
            assert!(scene.hint() == Form::Resident);
            assert!(scene.content()?.0 == NOTHING);
            plain(scene.volume.sync())?;
            assert_eq!(scene.free()?, free);
        }
        Ok(())
    }

    #[test]
    fn a_writer_whom_nobody_disturbs_writes_at_once() -> Result {
        let scene = Scene::new()?;
        let writer = Thread::start(&scene, Act::Write(WRITTEN), Some(Point::HintResident))?;
        writer.finish()?;
        assert_eq!(writer.turns(), (1, 0));
        assert!(!writer.is_sent_away());
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
        assert_eq!(reader.turns(), (1, 0));
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
        early.release();
        late.release();
        assert!(!early.is_over() && !late.is_over());
        converter.finish()?;
        for reader in [early, late] {
            reader.finish()?;
            assert_eq!(reader.turns(), (1, 1));
            assert!(reader.read() == (LENGTH, CLUSTERED));
        }
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
        scene.set_size(0)?;
        assert!(scene.hint() == Form::Resident);
        // Not free before it is durable that the file has it no more.
        assert_eq!(scene.free()?, free - 1);
        assert!(scene.content()?.0 == NOTHING);
        scene.disk.stop.release();
        reader.finish()?;
        assert_eq!(reader.turns(), (0, 0));
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
        scene.set_size(0)?;
        let size = ByteCount::new(5);
        let resized = convert::resize_resident(&scene.volume, &scene.data, size);
        assert!(plain(resized)? == Form::Resident);
        Thread::start(&scene, Act::Write(WRITTEN), None)?.finish()?;
        reader.finish()?;
        assert_eq!(reader.turns(), (1, 0));
        assert!(reader.read().0 == 5);
        assert!(reader.read().1.get(..5) == Some(b"writt"));
        Ok(())
    }
}
