// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::trim`: which clusters the device is told to forget, and when.
//!
//! On the volume of these tests LCN 32 to 39 and 50 to 62 are free at first, and the file has LCN 16 to 19.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_trim))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::Error,
            trim::{
                self,
                Request, //
            },
        },
        kunit::fs::{
            disk::{
                plain,
                Action,
                CLUSTER,
                CLUSTERS, //
            },
            sample::{
                bytes,
                offset,
                Sample, //
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::atomic::Relaxed, //
    };

    const C: u64 = CLUSTER as u64;
    const EVERYTHING: Request = Request {
        from: offset(0),
        to: offset(u64::MAX),
        least: bytes(0),
    };

    /// A volume on a device that discards by whole units.
    fn sample(unit: u64) -> Result<Sample> {
        let sample = Sample::dense()?;
        sample.disk.discard_unit.store(unit, Relaxed);
        sample.disk.take_actions();
        Ok(sample)
    }

    /// Which clusters were discarded since the last call, one bit for each; no cluster twice.
    fn discarded(sample: &Sample) -> Result<u64> {
        let mut all: u64 = 0;
        for action in &sample.disk.take_actions() {
            let Action::Discard(at, length) = *action else {
                continue;
            };
            assert!(
                at % C == 0 && length % C == 0 && length != 0,
                "{at} {length}"
            );
            for lcn in at / C..(at + length) / C {
                assert!(lcn < CLUSTERS as u64 && all & (1 << lcn) == 0, "{lcn}");
                all |= 1 << lcn;
            }
        }
        Ok(all)
    }

    fn clusters(range: core::ops::Range<u64>) -> u64 {
        range.fold(0, |all, lcn| all | (1 << lcn))
    }

    fn free() -> u64 {
        clusters(32..40) | clusters(50..63)
    }

    #[test]
    fn all_free_clusters_are_discarded_and_no_other_one() -> Result {
        let sample = sample(512)?;
        let trimmed = plain(trim::trim(&sample.volume, EVERYTHING, || true))?;
        assert_eq!(discarded(&sample)?, free());
        assert_eq!(trimmed.get(), 21 * C);
        // They are as free as before.
        assert_eq!(sample.free()?, 21);
        Ok(())
    }

    #[test]
    fn only_clusters_that_are_wholly_in_the_range_are_discarded() -> Result {
        let sample = sample(512)?;
        let request = Request {
            from: offset(33 * C + 1),
            to: offset(52 * C - 1),
            ..EVERYTHING
        };
        let trimmed = plain(trim::trim(&sample.volume, request, || true))?;
        assert_eq!(discarded(&sample)?, clusters(34..40) | clusters(50..51));
        assert_eq!(trimmed.get(), 7 * C);
        Ok(())
    }

    #[test]
    fn runs_that_are_too_short_are_left_out() -> Result {
        let sample = sample(512)?;
        let request = Request {
            least: bytes(8 * C + 1),
            ..EVERYTHING
        };
        let trimmed = plain(trim::trim(&sample.volume, request, || true))?;
        // At most half of what is free is held at once: eleven clusters, and two are left.
        assert_eq!(discarded(&sample)?, clusters(50..61));
        assert_eq!(trimmed.get(), 11 * C);
        Ok(())
    }

    #[test]
    fn so_are_those_that_make_up_no_unit_of_the_device() -> Result {
        let sample = sample(9 * C)?;
        plain(trim::trim(&sample.volume, EVERYTHING, || true))?;
        assert_eq!(discarded(&sample)?, clusters(50..61));
        Ok(())
    }

    #[test]
    fn clusters_that_are_not_free_for_good_are_not_discarded() -> Result {
        let sample = sample(512)?;
        sample.set_size(C)?;
        plain(trim::trim(&sample.volume, EVERYTHING, || true))?;
        assert_eq!(discarded(&sample)?, free());
        plain(sample.volume.sync())?;
        plain(trim::trim(&sample.volume, EVERYTHING, || true))?;
        assert_eq!(discarded(&sample)?, free() | clusters(17..20));
        Ok(())
    }

    #[test]
    fn clusters_that_are_promised_are_not_discarded() -> Result {
        let sample = Sample::sparse()?;
        sample.disk.discard_unit.store(512, Relaxed);
        sample.disk.take_actions();
        sample.reserve(2 * C, 2 * C)?;
        let trimmed = plain(trim::trim(&sample.volume, EVERYTHING, || true))?;
        assert_eq!(trimmed.get(), 19 * C);
        assert_eq!(discarded(&sample)?.count_ones(), 19);
        Ok(())
    }

    /// What reached the device since the last call.
    fn order(sample: &Sample) -> Result<KVec<char>> {
        let mut order = KVec::new();
        for action in &sample.disk.take_actions() {
            let letter = match action {
                Action::Write(_) => 'w',
                Action::Flush => 'f',
                Action::Discard(..) => 'd',
            };
            order.push(letter, GFP_KERNEL)?;
        }
        Ok(order)
    }

    #[test]
    fn with_the_option_freed_clusters_are_discarded_when_that_is_durable() -> Result {
        let sample = sample(512)?;
        assert!(!sample.volume.set_discard(true));
        sample.set_size(C)?;
        assert_eq!(discarded(&sample)?, 0);
        plain(sample.volume.sync())?;
        // The record, durably; then the clusters; then their bits.
        assert_eq!(*order(&sample)?, ['f', 'w', 'f', 'd', 'w']);
        plain(sample.volume.sync())?;
        assert_eq!(discarded(&sample)?, 0);
        assert_eq!(sample.free()?, 24);
        Ok(())
    }

    #[test]
    fn what_was_freed_is_what_is_discarded() -> Result {
        let sample = sample(512)?;
        sample.volume.set_discard(true);
        sample.set_size(C)?;
        plain(sample.volume.sync())?;
        assert_eq!(discarded(&sample)?, clusters(17..20));
        Ok(())
    }

    #[test]
    fn what_could_not_be_made_durable_is_not_discarded() -> Result {
        let sample = sample(512)?;
        sample.volume.set_discard(true);
        sample.set_size(C)?;
        // The flush, the record, and the flush that makes it durable.
        for failing in 1..=3 {
            sample.disk.fail_nth(failing);
            assert!(sample.volume.sync().is_err());
            assert_eq!(discarded(&sample)?, 0);
        }
        plain(sample.volume.sync())?;
        assert_eq!(discarded(&sample)?, clusters(17..20));
        Ok(())
    }

    #[test]
    fn a_discard_that_fails_is_no_failure_of_the_sync() -> Result {
        let sample = sample(512)?;
        sample.volume.set_discard(true);
        sample.set_size(C)?;
        sample.disk.fail_nth(4);
        plain(sample.volume.sync())?;
        assert!(!sample.disk.is_yet_to_fail());
        assert_eq!(sample.free()?, 24);
        Ok(())
    }

    #[test]
    fn without_the_option_or_the_device_nothing_is_discarded() -> Result {
        for (unit, option) in [(512, false), (0, true), (4 * C, true)] {
            let sample = sample(unit)?;
            sample.volume.set_discard(option);
            sample.set_size(C)?;
            plain(sample.volume.sync())?;
            assert_eq!(discarded(&sample)?, 0);
            assert_eq!(sample.free()?, 24);
        }
        Ok(())
    }

    #[test]
    fn it_ends_when_it_is_told_to() -> Result {
        let sample = sample(512)?;
        let mut turns = 0;
        let trimmed = plain(trim::trim(&sample.volume, EVERYTHING, || {
            turns += 1;
            turns == 1
        }))?;
        assert_eq!(trimmed.get(), 8 * C);
        assert_eq!(discarded(&sample)?, clusters(32..40));
        Ok(())
    }

    #[test]
    fn a_device_that_fails_is_an_error_and_holds_nothing_back() -> Result {
        let sample = sample(512)?;
        plain(sample.volume.free_clusters())?;
        sample.disk.broken.store(true, Relaxed);
        let failed = trim::trim(&sample.volume, EVERYTHING, || true);
        assert!(matches!(failed, Err(Error::Device(_))));
        sample.disk.broken.store(false, Relaxed);
        plain(trim::trim(&sample.volume, EVERYTHING, || true))?;
        assert_eq!(discarded(&sample)?, free());
        Ok(())
    }

    #[test]
    fn what_is_not_written_is_not_trimmed() -> Result {
        let sample = sample(512)?;
        plain(sample.volume.end_writing())?;
        let refused = trim::trim(&sample.volume, EVERYTHING, || true);
        assert_eq!(refused, Err(Error::ReadOnly));
        assert_eq!(discarded(&sample)?, 0);
        Ok(())
    }

    #[test]
    fn a_device_without_discard_is_not_supported() -> Result {
        let sample = sample(0)?;
        let refused = trim::trim(&sample.volume, EVERYTHING, || true);
        assert!(matches!(refused, Err(Error::Unsupported(_))));
        Ok(())
    }
}
