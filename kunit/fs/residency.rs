// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::residency`: a reader is stopped between the hint and the map.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_residency))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::residency::{
            Form,
            Point, //
        },
        kunit::fs::scene::{
            Act,
            Scene,
            Thread,
            CLUSTERED,
            LENGTH,
            RESIDENT, //
        },
    };
    use kernel::prelude::*;

    #[test]
    fn flip_between_hint_and_map_is_seen() -> Result {
        let scene = Scene::new()?;
        let reader = Thread::start(&scene, Act::Read, Some(Point::HintResident))?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        reader.finish()?;
        assert_eq!(reader.turns(), (1, 1));
        assert!(reader.read() == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn without_a_flip_the_record_is_read_at_once() -> Result {
        let scene = Scene::new()?;
        let reader = Thread::start(&scene, Act::Read, Some(Point::HintResident))?;
        reader.finish()?;
        assert_eq!(reader.turns(), (1, 0));
        assert!(reader.read() == (LENGTH, RESIDENT));
        Ok(())
    }

    #[test]
    fn a_flip_before_the_hint_is_read_needs_no_retry() -> Result {
        let scene = Scene::new()?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        let reader = Thread::start(&scene, Act::Read, None)?;
        reader.finish()?;
        assert_eq!(reader.turns(), (0, 0));
        assert!(reader.read() == (LENGTH, CLUSTERED));
        Ok(())
    }

    #[test]
    fn a_hint_that_stays_wrong_is_an_error_and_no_hang() -> Result {
        let scene = Scene::new()?;
        Thread::start(&scene, Act::Convert(CLUSTERED), None)?.finish()?;
        scene.data.residency().publish(Form::Resident);
        assert!(Thread::start(&scene, Act::Read, None)?.finish().is_err());
        Ok(())
    }
}
