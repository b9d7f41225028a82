// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::compressed_writing`: units that are written elsewhere, and what a power cut leaves of them.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_fs_compressed_writing)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            compressed_writing,
            convert,
            data::{
                self,
                Source, //
            },
            error::{
                Error,
                Result as FsResult, //
            },
            file,
            residency::Form,
            unit_batch::Batch, //
        },
        kunit::fs::{
            disk::{
                plain,
                CLUSTER, //
            },
            sample::{
                bytes,
                offset,
                Sample,
                OLD,
                UNIT, //
            },
        },
    };
    use kernel::prelude::*;

    const C: u64 = CLUSTER as u64;

    /// Bytes that do not get smaller.
    fn noise(at: usize) -> u8 {
        let mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as u8 ^ (mixed >> 31) as u8
    }

    fn promise(sample: &Sample, unit: u64) -> FsResult {
        let at = offset(unit * UNIT);
        compressed_writing::promise(&sample.volume, &sample.data, at, bytes(1))
    }

    fn write_back(sample: &Sample, units: &[u64], byte_at: impl Fn(usize) -> u8) -> FsResult {
        let mut batch = Batch::new(&sample.volume, &sample.data)?;
        for unit in units {
            let memory = batch.begin(offset(unit * UNIT))?;
            for (at, byte) in memory.iter_mut().enumerate() {
                *byte = byte_at(at);
            }
            let _ = batch.encode();
        }
        batch.write()
    }

    fn write(sample: &Sample, unit: u64, byte_at: impl Fn(usize) -> u8) -> FsResult {
        promise(sample, unit)?;
        file::set_initialized(&sample.data, bytes((unit + 1) * UNIT));
        write_back(sample, &[unit], byte_at)
    }

    fn is(sample: &Sample, unit: u64, byte_at: impl Fn(usize) -> u8) -> Result<bool> {
        let mut found = KVVec::from_elem(!byte_at(0), UNIT as usize, GFP_KERNEL)?;
        let read = data::read_at(
            &**sample.volume,
            &sample.data,
            offset(unit * UNIT),
            &mut found,
        );
        let same = |(at, byte): (usize, &u8)| *byte == byte_at(at);
        Ok(plain(read)? == UNIT as usize && found.iter().enumerate().all(same))
    }

    fn taken(sample: &Sample) -> u64 {
        sample.data.allocated().get() / C
    }

    #[test]
    fn the_sample_is_what_it_says() -> Result {
        let sample = Sample::compressed()?;
        assert!(is(&sample, 0, |_| OLD)? && is(&sample, 1, |_| OLD)? && is(&sample, 2, |_| 0)?);
        assert_eq!(taken(&sample), 5);
        Ok(())
    }

    #[test]
    fn a_unit_takes_the_clusters_that_it_needs() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        plain(write(&sample, 2, |at| (at / 512) as u8))?;
        assert_eq!(taken(&sample), 6);
        plain(write(&sample, 0, noise))?;
        assert_eq!(taken(&sample), 9);
        plain(write(&sample, 1, |_| 0))?;
        assert_eq!(taken(&sample), 5);
        sample.save()?;
        assert_eq!(sample.free()?, free);
        let found = sample.after_power_cut()?;
        assert!(is(&found, 0, noise)? && is(&found, 1, |_| 0)?);
        assert!(is(&found, 2, |at| (at / 512) as u8)?);
        assert_eq!(taken(&found), 5);
        assert!(found.data.flags() == sample.data.flags() && found.inode.unit() == Some(UNIT));
        Ok(())
    }

    #[test]
    fn all_clusters_of_a_unit_are_set_aside_once() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        plain(promise(&sample, 0))?;
        assert!(sample.free()? <= free);
        let rest = plain(sample.volume.allocator())?;
        let most = |count: u64| {
            let count = crate::ondisk::units::ClusterCount::new(count);
            rest.reserve(&**sample.volume, count).is_ok()
        };
        assert!(most(free - 4) && !most(free - 3));
        plain(promise(&sample, 0))?;
        assert!(most(free - 4));
        compressed_writing::renounce(&sample.data, offset(0), bytes(UNIT));
        assert!(most(free));
        plain(promise(&sample, 1))?;
        sample.set_size(UNIT)?;
        assert!(most(free));
        plain(promise(&sample, 0))?;
        sample.punch(0, UNIT)?;
        assert!(most(free));
        Ok(())
    }

    #[test]
    fn more_than_is_free_is_not_promised() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        let mut unit = 3;
        while free >= (unit - 2) * 4 {
            plain(promise(&sample, unit))?;
            unit += 1;
        }
        assert_eq!(promise(&sample, unit), Err(Error::NoSpace));
        Ok(())
    }

    #[test]
    fn old_clusters_are_free_when_the_record_tells_of_the_new_ones() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        plain(write(&sample, 1, noise))?;
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free - 4);
        assert!(is(&sample.after_power_cut()?, 1, |_| OLD)?);
        sample.record()?;
        assert_eq!(sample.free()?, free - 4);
        assert!(is(&sample.after_power_cut()?, 1, |_| OLD)?);
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free);
        assert!(is(&sample.after_power_cut()?, 1, noise)?);
        Ok(())
    }

    #[test]
    fn what_did_not_arrive_leaves_the_unit_as_it_was() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        plain(promise(&sample, 1))?;
        sample.disk.fail_nth(1);
        let failed = write_back(&sample, &[1], noise);
        assert!(matches!(failed, Err(Error::Device(_))));
        assert!(is(&sample, 1, |_| OLD)?);
        sample.save_all()?;
        assert_eq!(sample.free()?, free);
        assert!(is(&sample.after_power_cut()?, 1, |_| OLD)?);
        Ok(())
    }

    #[test]
    fn the_record_tells_of_no_byte_that_is_not_there() -> Result {
        // The rest of the unit has what nobody may see.
        let sample = Sample::compressed_until(UNIT + 100)?;
        let zeros = |at| if at < 100 { OLD } else { 0 };
        assert!(is(&sample, 1, zeros)?);
        plain(promise(&sample, 1))?;
        plain(compressed_writing::hide_behind(
            &sample.volume,
            &sample.data,
            offset(3 * UNIT),
        ))?;
        file::set_initialized(&sample.data, bytes(3 * UNIT));
        sample.save()?;
        assert!(is(&sample.after_power_cut()?, 1, zeros)?);
        sample.disk.fail_nth(1);
        assert!(write_back(&sample, &[1], noise).is_err());
        // Not before it is written again.
        assert!(sample.save_all().is_err());
        assert!(is(&sample.after_power_cut()?, 1, zeros)?);
        plain(write(&sample, 1, noise))?;
        sample.save_all()?;
        assert!(is(&sample.after_power_cut()?, 1, noise)?);
        Ok(())
    }

    #[test]
    fn clusters_behind_what_was_written_never_come_to_light() -> Result {
        for gives_up in [false, true] {
            let sample = Sample::compressed_until(100)?;
            if gives_up {
                plain(promise(&sample, 1))?;
                compressed_writing::renounce(&sample.data, offset(UNIT), bytes(1));
            }
            plain(promise(&sample, 0))?;
            let end = offset(2 * UNIT);
            plain(compressed_writing::hide_behind(
                &sample.volume,
                &sample.data,
                end,
            ))?;
            file::set_initialized(&sample.data, bytes(2 * UNIT));
            plain(write_back(&sample, &[0], |_| b'n'))?;
            sample.save()?;
            let found = sample.after_power_cut()?;
            assert!(is(&found, 0, |_| b'n')? && is(&found, 1, |_| 0)?);
            assert_eq!(found.data.sizes().initialized, bytes(2 * UNIT));
        }
        Ok(())
    }

    #[test]
    fn a_value_is_cut_within_a_unit() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        sample.set_size(UNIT + 10)?;
        sample.set_size(2 * UNIT)?;
        let rest = |at| if at < 10 { OLD } else { 0 };
        assert!(is(&sample, 1, rest)?);
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert!(is(&found, 0, |_| OLD)? && is(&found, 1, rest)?);
        assert_eq!(found.data.sizes().allocated, bytes(2 * UNIT));
        sample.set_size(10)?;
        sample.save()?;
        assert_eq!(sample.free()?, free + 4);
        let found = sample.after_power_cut()?;
        assert_eq!(found.data.sizes().allocated, bytes(UNIT));
        assert_eq!(found.data.sizes().data, bytes(10));
        Ok(())
    }

    #[test]
    fn a_value_without_a_byte_comes_back_into_its_record() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        plain(promise(&sample, 1))?;
        sample.set_size(0)?;
        assert!(sample.data.residency().hint() == Form::Resident);
        sample.save()?;
        assert_eq!(sample.free()?, free + 5);
        let found = sample.after_power_cut()?;
        assert!(found.data.residency().hint() == Form::Resident);
        assert!(found.data.flags().is_compressed());
        Ok(())
    }

    #[test]
    fn a_value_that_leaves_its_record_is_compressed() -> Result {
        let sample = Sample::compressed_small()?;
        let (volume, data) = (&sample.volume, &sample.data);
        let value = KVVec::from_elem(b'v', 3 * CLUSTER, GFP_KERNEL)?;
        plain(convert::make_non_resident(volume, data, &value))?;
        assert_eq!(taken(&sample), 1);
        sample.save()?;
        let found = sample.after_power_cut()?;
        // As Windows makes them.
        assert_eq!(found.inode.unit(), Some(16 * C));
        assert_eq!(taken(&found), 1);
        assert_eq!(found.data.sizes().allocated, bytes(16 * C));
        let mut read = KVVec::from_elem(0_u8, 4 * CLUSTER, GFP_KERNEL)?;
        let length = data::read_at(&**found.volume, &found.data, offset(0), &mut read);
        assert_eq!(plain(length)?, 3 * CLUSTER);
        assert!(read.iter().take(3 * CLUSTER).all(|byte| *byte == b'v'));
        Ok(())
    }

    #[test]
    fn units_become_holes() -> Result {
        let sample = Sample::compressed()?;
        let free = sample.free()?;
        sample.punch(UNIT - 1, UNIT)?;
        assert_eq!(sample.free()?, free);
        sample.punch(UNIT - 1, UNIT + 1)?;
        sample.save()?;
        assert_eq!(sample.free()?, free + 4);
        let found = sample.after_power_cut()?;
        assert!(is(&found, 0, |_| OLD)? && is(&found, 1, |_| 0)?);
        Ok(())
    }

    #[test]
    fn a_hole_whose_bytes_are_to_come_is_none() -> Result {
        let sample = Sample::compressed()?;
        sample.set_size(6 * UNIT)?;
        assert!(sample.at(3 * UNIT)?.source == Source::Hole);
        plain(promise(&sample, 4))?;
        let found = sample.at(2 * UNIT + 1)?;
        assert_eq!(
            (found.source, found.length.get()),
            (Source::Hole, 2 * UNIT - 1)
        );
        let found = sample.at(4 * UNIT + 1)?;
        assert_eq!(
            (found.source, found.length.get()),
            (Source::Promised, UNIT - 1)
        );
        Ok(())
    }

    #[test]
    fn clusters_are_not_given_away_as_they_are() -> Result {
        let sample = Sample::compressed()?;
        let (volume, data) = (&sample.volume, &sample.data);
        let start = offset(2 * UNIT);
        assert!(file::reserve(volume, data, start, bytes(C)).is_err());
        assert!(sample.preallocate(3 * UNIT).is_err());
        Ok(())
    }
}
