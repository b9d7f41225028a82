// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::file` and `fs::resize`: promises, places, transfers that end well or badly, and sizes.
//!
//! What a power cut leaves is looked at by mounting a copy of the device.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_file))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            convert,
            data::{
                self,
                ByteExtent,
                Source, //
            },
            error::Error,
            file,
            residency::Form,
            resize, //
        },
        kunit::fs::{
            disk::{
                plain,
                CLUSTER,
                CLUSTERS, //
            },
            sample::{
                bytes,
                offset,
                Sample,
                OLD, //
            },
        },
    };
    use kernel::prelude::*;

    const C: u64 = CLUSTER as u64;

    fn is_device(extent: ByteExtent) -> bool {
        matches!(extent.source, Source::Device(_))
    }

    #[test]
    fn a_promise_takes_whole_clusters_and_is_given_back() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        let got = sample.reserve(2 * C + 100, 5000)?;
        assert_eq!(got.offset, offset(2 * C + 100));
        assert_eq!(got.length, bytes(2 * C - 100));
        assert!(got.source == Source::Promised);
        assert_eq!(sample.free()?, free - 2);
        // No cluster lies wholly within.
        sample.unreserve(2 * C + 100, 5000)?;
        assert_eq!(sample.free()?, free - 2);
        sample.unreserve(2 * C, 2 * C)?;
        assert!(sample.at(2 * C)?.source == Source::Hole);
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free);
        Ok(())
    }

    #[test]
    fn a_promise_behind_the_end_that_is_given_back_leaves_no_hole() -> Result {
        let sample = Sample::dense()?;
        sample.reserve(4 * C, 2 * C)?;
        sample.unreserve(4 * C, 2 * C)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert_eq!(found.data.sizes().allocated, bytes(4 * C));
        assert!(!found.data.flags().is_sparse());
        Ok(())
    }

    #[test]
    fn what_has_clusters_needs_no_promise() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        assert!(is_device(sample.reserve(100, 50)?));
        // Up to the next hole, and no further.
        assert_eq!(sample.reserve(C, 4 * C)?.length, bytes(C));
        assert_eq!(sample.free()?, free);
        Ok(())
    }

    #[test]
    fn more_than_is_free_is_not_promised() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        reserve_all(&sample, 8 * C, free)?;
        assert_eq!(sample.free()?, 0);
        let (at, length) = (offset((8 + free) * C), bytes(C));
        let result = file::reserve(&sample.volume, &sample.data, at, length);
        assert_eq!(result, Err(Error::NoSpace));
        Ok(())
    }

    #[test]
    fn clusters_that_are_free_after_a_sync_are_had_at_once() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        reserve_all(&sample, 8 * C, free)?;
        sample.set_size(7 * C)?;
        assert_eq!(sample.free()?, 0);
        let end = offset(20 * C);
        plain(resize::preallocate(
            &sample.volume,
            &sample.data,
            end,
            bytes(C),
        ))?;
        Ok(())
    }

    #[test]
    fn a_value_moves_to_clusters_that_are_free_after_a_sync() -> Result {
        let sample = Sample::small()?;
        let (volume, data) = (&sample.volume, &sample.data);
        let free = sample.free()?;
        let all = KVVec::from_elem(b'a', (free * C) as usize, GFP_KERNEL)?;
        plain(convert::make_non_resident(volume, data, &all))?;
        assert_eq!(sample.free()?, 0);
        sample.set_size(0)?;
        assert!(data.residency().hint() == Form::Resident);
        assert_eq!(sample.free()?, 0);
        plain(convert::make_non_resident(volume, data, &[b'b'; CLUSTER]))?;
        assert_eq!(data.data_size(), bytes(C));
        Ok(())
    }

    /// Promises so many clusters from a hole on, in as many pieces as it takes.
    fn reserve_all(sample: &Sample, at: u64, clusters: u64) -> Result {
        let end = at + clusters * C;
        let mut at = at;
        while at < end {
            at += sample.reserve(at, end - at)?.length.get();
        }
        Ok(())
    }

    #[test]
    fn data_goes_to_the_place_that_was_promised() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        sample.reserve(2 * C, 4 * C)?;
        let got = sample.allocate(3 * C)?;
        assert!(is_device(got));
        assert_eq!(got.length, bytes(3 * C));
        // For this one none is on the way yet.
        assert!(sample.at(2 * C)?.source == Source::Promised);
        assert_eq!(sample.free()?, free - 4);
        Ok(())
    }

    #[test]
    fn clusters_are_in_the_record_when_their_data_is_there() -> Result {
        let sample = Sample::sparse()?;
        sample.reserve(3 * C, C)?;
        let place = sample.allocate(3 * C)?;
        sample.save()?;
        assert!(sample.after_power_cut()?.is_full_of(3, 0)?);
        sample.transfer(place, b'n')?;
        sample.written(3 * C, C)?;
        sample.save()?;
        assert!(sample.after_power_cut()?.is_full_of(3, b'n')?);
        Ok(())
    }

    #[test]
    fn a_transfer_tells_nothing_of_another_hole() -> Result {
        let sample = Sample::sparse()?;
        for vcn in [2, 5] {
            sample.reserve(vcn * C, C)?;
        }
        let first = sample.allocate(2 * C)?;
        sample.allocate(5 * C)?;
        sample.transfer(first, b'n')?;
        sample.written(2 * C, C)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert!(found.is_full_of(2, b'n')?);
        // What was in the cluster before must not show.
        assert!(found.is_full_of(5, 0)?);
        Ok(())
    }

    #[test]
    fn a_cluster_is_there_when_all_its_parts_are() -> Result {
        let sample = Sample::sparse()?;
        sample.reserve(2 * C, C)?;
        let place = sample.allocate(2 * C)?;
        sample.transfer(place, b'n')?;
        for (at, length) in [(1024, 1024), (3072, 1024), (0, 1024)] {
            sample.written(2 * C + at, length)?;
            sample.save()?;
            assert!(sample.after_power_cut()?.is_full_of(2, 0)?);
        }
        sample.written(2 * C + 2048, 1024)?;
        sample.save()?;
        assert!(sample.after_power_cut()?.is_full_of(2, b'n')?);
        Ok(())
    }

    #[test]
    fn a_cluster_is_whole_when_the_value_is_cut_behind_its_data() -> Result {
        let sample = Sample::sparse()?;
        sample.reserve(7 * C, C)?;
        let place = sample.allocate(7 * C)?;
        sample.transfer(place, b'n')?;
        sample.written(7 * C, 1024)?;
        sample.set_size(7 * C + 1024)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert!(is_device(found.at(7 * C)?));
        Ok(())
    }

    #[test]
    fn a_hole_that_was_full_before_begins_anew() -> Result {
        let sample = Sample::sparse()?;
        sample.reserve(2 * C, C)?;
        sample.allocate(2 * C)?;
        sample.written(2 * C, 3072)?;
        sample.punch(2 * C, C)?;
        sample.reserve(2 * C, C)?;
        sample.allocate(2 * C)?;
        sample.written(2 * C + 3072, 1024)?;
        sample.save()?;
        assert!(sample.after_power_cut()?.is_full_of(2, 0)?);
        Ok(())
    }

    #[test]
    fn data_that_did_not_arrive_leaves_a_hole() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        sample.reserve(2 * C, 3 * C)?;
        sample.allocate(2 * C)?;
        sample.lost(3 * C, C)?;
        assert!(sample.at(3 * C)?.source == Source::Hole);
        assert!(is_device(sample.at(2 * C)?) && is_device(sample.at(4 * C)?));
        // Clusters that the record has are not touched by a failed rewrite.
        sample.lost(0, C)?;
        assert!(is_device(sample.at(0)?));
        sample.save()?;
        assert_eq!(sample.free()?, free - 2);
        assert!(sample.after_power_cut()?.is_full_of(0, OLD)?);
        Ok(())
    }

    /// Clusters of a value that is `initialized` bytes long so far are taken, and all are to be written.
    fn taken(initialized: u64, size: u64) -> Result<Sample> {
        let sample = Sample::dense()?;
        sample.set_size(initialized)?;
        sample.preallocate(size)?;
        sample.set_size(size)?;
        sample.save()?;
        file::set_initialized(&sample.data, bytes(size));
        Ok(sample)
    }

    fn write(sample: &Sample, vcn: u64, byte: u8) -> Result {
        let extent = sample.allocate(vcn * C)?;
        sample.transfer(extent, byte)?;
        sample.written(vcn * C, C)
    }

    #[test]
    fn what_comes_behind_lost_data_is_there_all_the_same() -> Result {
        let sample = taken(4 * C, 7 * C)?;
        let free = sample.free()?;
        sample.lost(4 * C, 2 * C)?;
        write(&sample, 6, 0x6e)?;
        sample.save_all()?;
        let found = sample.after_power_cut()?;
        assert!(found.is_full_of(3, OLD)? && found.is_full_of(6, 0x6e)?);
        assert!(found.is_full_of(4, 0)? && found.is_full_of(5, 0)?);
        assert_eq!(sample.free()?, free + 2);
        Ok(())
    }

    #[test]
    fn nothing_is_durable_behind_data_that_is_lost_in_the_middle_of_a_cluster() -> Result {
        let sample = taken(3 * C + 100, 6 * C)?;
        sample.lost(3 * C, 2 * C)?;
        write(&sample, 5, 0x6e)?;
        assert!(sample.save_all().is_err());
        // Another attempt does not make it better.
        assert!(sample.save_all().is_err());
        assert!(sample.after_power_cut()?.is_full_of(2, OLD)?);
        write(&sample, 3, 0x6e)?;
        sample.save_all()?;
        let found = sample.after_power_cut()?;
        assert!(found.is_full_of(3, 0x6e)? && found.is_full_of(4, 0)?);
        assert!(found.is_full_of(5, 0x6e)?);
        Ok(())
    }

    #[test]
    fn nobody_reads_what_is_on_the_device_in_the_place_of_lost_data() -> Result {
        let sample = taken(3 * C + 100, 6 * C)?;
        let sequence = sample.data.sequence();
        sample.lost(3 * C, 2 * C)?;
        // Who has looked before looks again.
        assert!(sample.data.sequence() != sequence);
        let place = |at| sample.at(at);
        assert!(is_device(place(2 * C)?) && place(2 * C)?.length == bytes(C));
        // A block is transferred as a whole, so the bytes before in it are in doubt as well.
        for at in [3 * C, 3 * C + 100, 4 * C - 1] {
            let found = place(at)?;
            assert!(matches!(found.source, Source::Lost(_)));
            assert_eq!(found.length, bytes(4 * C - at));
            let (volume, data) = (&**sample.volume, &sample.data);
            let read = data::read_at(volume, data, offset(at), &mut [0; 1]);
            assert_eq!(read, Err(Error::Device(EIO)));
            assert!(data::map_extent_at_once(volume, data, offset(at)).is_none());
        }
        let mut whole = KVec::from_elem(0, 4 * CLUSTER, GFP_KERNEL)?;
        let read = data::read_at(&**sample.volume, &sample.data, offset(0), &mut whole);
        assert_eq!(read, Err(Error::Device(EIO)));
        assert!(sample.is_full_of(2, OLD)? && sample.is_full_of(4, 0)?);
        write(&sample, 3, 0x6e)?;
        assert!(sample.is_full_of(3, 0x6e)?);
        assert!(data::map_extent_at_once(&**sample.volume, &sample.data, offset(3 * C)).is_some());
        Ok(())
    }

    #[test]
    fn lost_data_that_is_cut_off_is_forgotten() -> Result {
        let sample = taken(3 * C + 100, 6 * C)?;
        sample.lost(3 * C, C)?;
        assert!(sample.save_all().is_err());
        sample.set_size(3 * C + 100)?;
        sample.save_all()
    }

    #[test]
    fn clusters_of_lost_data_are_not_free_before_the_record_knows() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.reserve(4 * C, C)?;
        sample.allocate(4 * C)?;
        // Behind the initialized size, where nobody sees it, the record tells of the cluster already.
        sample.save()?;
        sample.lost(4 * C, C)?;
        plain(sample.volume.sync())?;
        let found = sample.after_power_cut()?;
        let told = matches!(found.at(4 * C)?.source, Source::Hole);
        assert!(told || sample.free()? == free - 1);
        sample.save()?;
        assert_eq!(sample.free()?, free);
        Ok(())
    }

    #[test]
    fn a_value_that_grows_reads_zeros_there() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.set_size(7 * C + 10)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert_eq!(found.data.data_size(), bytes(7 * C + 10));
        assert!(found.is_full_of(3, OLD)?);
        assert!(found.is_full_of(6, 0)?);
        assert_eq!(sample.free()?, free);
        Ok(())
    }

    #[test]
    fn the_end_that_a_record_has_is_not_cut_when_the_hole_before_it_is_promised() -> Result {
        let sample = Sample::dense()?;
        sample.set_size(7 * C + 10)?;
        sample.save()?;
        sample.reserve(5 * C, 4 * C)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert!(found.data.data_size() >= bytes(7 * C + 10));
        assert!(found.is_full_of(3, OLD)?);
        assert!(found.is_full_of(6, 0)?);
        Ok(())
    }

    #[test]
    fn a_value_that_shrinks_gives_clusters_back_when_that_is_durable() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.set_size(C + 1)?;
        assert_eq!(sample.free()?, free);
        assert_eq!(sample.data.sizes().allocated, bytes(2 * C));
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free + 2);
        assert_eq!(sample.after_power_cut()?.data.data_size(), bytes(C + 1));
        Ok(())
    }

    #[test]
    fn freed_clusters_are_not_used_before_they_are_durably_free() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.set_size(2 * C)?;
        // All that is free, and then there is nothing; so a sync is made, and there are two more.
        sample.set_size(40 * C)?;
        reserve_all(&sample, 10 * C, free)?;
        assert_eq!(sample.free()?, 0);
        reserve_all(&sample, 2 * C, 2)?;
        assert_eq!(sample.free()?, 0);
        assert_eq!(sample.after_power_cut()?.data.data_size(), bytes(2 * C));
        Ok(())
    }

    #[test]
    fn without_a_byte_the_value_is_in_its_record() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.set_size(0)?;
        assert!(sample.data.residency().hint() == Form::Resident);
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free + 4);
        let found = sample.after_power_cut()?;
        assert!(found.data.residency().hint() == Form::Resident);
        assert_eq!(found.data.data_size(), bytes(0));
        Ok(())
    }

    #[test]
    fn a_promise_goes_with_the_end_of_the_value() -> Result {
        let sample = Sample::sparse()?;
        let free = sample.free()?;
        sample.reserve(4 * C, 4 * C)?;
        sample.set_size(6 * C)?;
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free - 2);
        sample.punch(0, 6 * C)?;
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free + 2);
        Ok(())
    }

    #[test]
    fn only_whole_clusters_become_a_hole() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.punch(1, 2 * C)?;
        plain(sample.volume.sync())?;
        assert_eq!(sample.free()?, free + 1);
        let found = sample.after_power_cut()?;
        assert!(found.is_full_of(0, OLD)?);
        assert!(found.is_full_of(1, 0)?);
        assert!(found.is_full_of(2, OLD)?);
        // The last cluster counts as whole where the value ends in the range.
        sample.punch(3 * C, C)?;
        assert!(sample.at(3 * C)?.source == Source::Hole);
        Ok(())
    }

    #[test]
    fn clusters_that_were_only_taken_read_as_zeros() -> Result {
        let sample = Sample::dense()?;
        let free = sample.free()?;
        sample.preallocate(6 * C)?;
        assert_eq!(sample.free()?, free - 2);
        assert!(matches!(sample.at(4 * C)?.source, Source::Uninitialized(_)));
        sample.set_size(6 * C)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert!(found.is_full_of(5, 0)?);
        assert!(matches!(found.at(5 * C)?.source, Source::Uninitialized(_)));
        Ok(())
    }

    #[test]
    fn a_value_may_be_cut_into_pieces_as_long_as_its_record_has_room() -> Result {
        let sample = Sample::sparse()?;
        sample.set_size(CLUSTERS as u64 * C)?;
        let free = sample.free()?;
        for vcn in (8..8 + 2 * free).step_by(2) {
            sample.reserve(vcn * C, C)?;
            let place = sample.allocate(vcn * C)?;
            sample.transfer(place, b'n')?;
            sample.written(vcn * C, C)?;
        }
        sample.save()?;
        let found = sample.after_power_cut()?;
        for vcn in 8..8 + 2 * free {
            let byte = if vcn % 2 == 0 { b'n' } else { 0 };
            assert!(found.is_full_of(vcn, byte)?);
        }
        Ok(())
    }
}
