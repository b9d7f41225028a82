// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::parts`, `fs::records` and `fs::mft_growth`: a value that outgrows its record.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_parts))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            catalog::Catalog,
            convert,
            data,
            error::Error,
            names,
            record::Role,
            residency::Form, //
        },
        kunit::fs::{
            disk::{
                mount,
                plain,
                writable,
                Disk,
                CLUSTER,
                MFT_LCN,
                RECORDS,
                SAMPLE, //
            },
            sample::{
                offset,
                Sample,
                OLD, //
            },
        },
        ondisk::{
            attribute::AttributeType,
            units::RecordNumber, //
        },
    };
    use kernel::prelude::*;

    const C: u64 = CLUSTER as u64;
    /// Room for one more run than there are, and not for the second.
    const LITTLE: usize = 8;

    /// The records that hold parts of the value, in the order of their VCNs.
    fn holders(sample: &Sample) -> Result<KVec<u64>> {
        let catalog = plain(Catalog::load(&**sample.volume, sample.data.owner()))?;
        assert_eq!(catalog.damage, None);
        let mut numbers = KVec::new();
        for piece in catalog.pieces(AttributeType::DATA, &[]) {
            numbers.push(piece.record.number.get(), GFP_KERNEL)?;
        }
        Ok(numbers)
    }

    /// Whether a record has its bit, on the disk.
    fn is_marked(disk: &Disk, number: u64) -> bool {
        (disk.byte(Disk::record_bit_at(number)) >> (number % 8)) & 1 == 1
    }

    /// Fills a cluster of a hole, with the record told of it.
    fn fill(sample: &Sample, vcn: u64, byte: u8) -> Result {
        sample.reserve(vcn * C, C)?;
        let place = sample.allocate(vcn * C)?;
        sample.transfer(place, byte)?;
        sample.written(vcn * C, C)
    }

    /// Every other cluster of the hole, so that each is a run.
    fn shatter(sample: &Sample) -> Result {
        for vcn in [3, 5, 7] {
            fill(sample, vcn, b'n')?;
        }
        Ok(())
    }

    fn check_shattered(sample: &Sample) -> Result {
        for (vcn, byte) in [OLD, OLD, 0, b'n', 0, b'n', 0, b'n']
            .into_iter()
            .enumerate()
        {
            assert!(sample.is_full_of(vcn as u64, byte)?, "cluster {vcn}");
        }
        Ok(())
    }

    #[test]
    fn a_value_that_outgrows_its_record_gets_another_one() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        let free = plain(sample.volume.record_counts())?.free;
        shatter(&sample)?;
        sample.save()?;
        check_shattered(&sample)?;
        let found = sample.after_power_cut()?;
        check_shattered(&found)?;
        let numbers = holders(&found)?;
        assert_eq!(&numbers[..], &[25]);
        assert!(is_marked(&found.disk, 25));
        assert_eq!(plain(sample.volume.record_counts())?.free, free - 1);
        Ok(())
    }

    #[test]
    fn one_that_shrinks_comes_back() -> Result {
        for size in [0, 1, 2 * C] {
            let sample = Sample::crowded(LITTLE + 64)?;
            let free = plain(sample.volume.record_counts())?.free;
            // More than the record has room for, and what is set aside for a way back.
            sample.set_size(48 * C)?;
            for vcn in (3..35).step_by(2) {
                fill(&sample, vcn, b'n')?;
            }
            sample.save()?;
            assert_ne!(&holders(&sample)?[..], &[SAMPLE]);
            sample.set_size(size)?;
            sample.save()?;
            let found = sample.after_power_cut()?;
            assert_eq!(&holders(&found)?[..], &[SAMPLE]);
            assert_eq!(found.data.data_size().get(), size);
            assert!(!is_marked(&found.disk, 25));
            assert_eq!(plain(sample.volume.record_counts())?.free, free);
            let form = found.data.residency().hint();
            let expected = match size {
                0 => Form::Resident,
                _ => Form::NonResident,
            };
            assert_eq!(form, expected);
        }
        Ok(())
    }

    /// More runs, and then next to nothing.
    fn go_on(sample: &Sample) -> Result {
        for vcn in (9..31).step_by(2) {
            fill(sample, vcn, b'2')?;
        }
        sample.save()?;
        sample.set_size(0)?;
        sample.save()
    }

    /// Wherever the power goes, the file is there, with old bytes or new ones.
    #[test]
    fn a_power_cut_leaves_the_old_parts_or_the_new_ones() -> Result {
        let mut cuts = 0;
        for writes in 0.. {
            let sample = Sample::crowded(LITTLE + 24)?;
            sample.set_size(48 * C)?;
            for vcn in (3..9).step_by(2) {
                fill(&sample, vcn, b'1')?;
            }
            sample.save()?;
            let first = holders(&sample)?;
            sample.disk.cut_power_after(writes);
            // What nobody wrote cannot be read back, so it ends in an error then.
            let end = go_on(&sample);
            let is_over = !sample.disk.is_without_power();

            let found = sample.after_power_cut()?;
            let numbers = holders(&found)?;
            for number in &numbers {
                assert!(is_marked(&found.disk, *number));
            }
            let size = found.data.data_size().get();
            assert!(size == 48 * C || size == 0);
            if size != 0 {
                assert!(found.is_full_of(0, OLD)? && found.is_full_of(1, OLD)?);
                for vcn in 3..9 {
                    let byte = if vcn % 2 == 0 { 0 } else { b'1' };
                    assert!(found.is_full_of(vcn, byte)?);
                }
                for vcn in (9..31).step_by(2) {
                    let filled = found.is_full_of(vcn, b'2')?;
                    assert!(filled || found.is_full_of(vcn, 0)?);
                }
            }
            if is_over {
                end?;
                assert_eq!((size, &numbers[..]), (0, &[SAMPLE][..]));
                break;
            }
            cuts += usize::from(numbers[..] != first[..]);
        }
        assert!(cuts > 0);
        Ok(())
    }

    #[test]
    fn the_mft_grows_when_its_records_are_in_use() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        // Seven free ones, of which four are set aside.
        drop(plain(sample.volume.reserve_records(4))?);
        let counts = plain(sample.volume.record_counts())?;
        assert!(counts.total > RECORDS as u64);
        shatter(&sample)?;
        sample.save()?;
        plain(sample.volume.end_writing())?;
        let volume = mount(&Disk::with_image(&sample.disk.image()?)?)?;
        assert_eq!(plain(volume.record_counts())?.total, counts.total);
        for number in RECORDS as u64..counts.total {
            // A record that is free, and whole.
            let opened = volume.inode_number(RecordNumber::new(number));
            assert!(matches!(opened, Err(Error::Stale(_))));
        }
        Ok(())
    }

    #[test]
    fn the_mft_grows_as_far_as_there_are_clusters() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        sample.set_size(48 * C)?;
        let total = plain(sample.volume.record_counts())?.total;
        while sample.free()? > 3 {
            let free = sample.free()?;
            let vcn = 2 + free;
            fill(&sample, vcn, b'n')?;
        }
        let asked = sample.volume.reserve_records(20);
        assert!(asked.err() == Some(Error::NoSpace));
        // Four records fit in a cluster.
        let now = plain(sample.volume.record_counts())?;
        assert_eq!((now.total, sample.free()?), (total + 12, 0));
        drop(plain(sample.volume.reserve_records(12))?);
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert_eq!(plain(found.volume.record_counts())?.total, total + 12);
        Ok(())
    }

    #[test]
    fn a_record_that_is_in_use_without_its_bit_is_left_alone() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        sample.disk.put_file(25, &[])?;
        shatter(&sample)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert_eq!(&holders(&found)?[..], &[26]);
        // Nobody gets it from now on.
        assert!(is_marked(&found.disk, 25));
        Ok(())
    }

    #[test]
    fn what_is_set_aside_for_others_stays_so_when_a_record_is_passed_over() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        sample.disk.put_file(25, &[])?;
        let free = plain(sample.volume.record_counts())?.free;
        shatter(&sample)?;
        let others = plain(sample.volume.reserve_records(1))?;
        sample.save()?;
        // One that was in use, one for the part, one for the others.
        assert_eq!(plain(sample.volume.record_counts())?.free, free - 3);
        drop(others);
        assert_eq!(plain(sample.volume.record_counts())?.free, free - 2);
        Ok(())
    }

    #[test]
    fn what_is_set_aside_comes_back_with_the_attribute() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        let before = plain(sample.volume.record_counts())?.free;
        let clusters = sample.free()?;
        // Promised, never written, and the file is closed.
        for vcn in [3, 5, 7] {
            sample.reserve(vcn * C, C)?;
        }
        assert!(plain(sample.volume.record_counts())?.free < before);
        for vcn in [3, 5, 7] {
            sample.unreserve(vcn * C, C)?;
        }
        plain(sample.volume.sync())?;
        assert!(sample.free()? < clusters);
        let Sample {
            volume,
            inode,
            data,
            ..
        } = sample;
        drop((inode, data));
        assert_eq!(plain(volume.record_counts())?.free, before);
        let free = plain(volume.free_clusters())?.ok_or(ENOENT)?;
        assert_eq!(free.get(), clusters);
        Ok(())
    }

    #[test]
    fn bits_behind_the_last_record_do_not_count_when_the_mft_grows() -> Result {
        let disk = Disk::new()?;
        disk.make_writable()?;
        disk.write(Disk::record_bit_at(RECORDS as u64), &[0xff; 4]);
        let volume = mount(&disk)?;
        writable(&volume)?;
        plain(volume.start_change())?;
        let before = plain(volume.record_counts())?;
        drop(plain(volume.reserve_records(before.free))?);
        let after = plain(volume.record_counts())?;
        assert!(after.total > before.total);
        assert_eq!(after.free - before.free, after.total - before.total);
        plain(volume.end_writing())?;
        let volume = mount(&Disk::with_image(&disk.image()?)?)?;
        assert_eq!(plain(volume.record_counts())?, after);
        Ok(())
    }

    #[test]
    fn a_record_that_was_never_written_can_be_taken() -> Result {
        let sample = Sample::crowded(LITTLE)?;
        sample.disk.write(MFT_LCN * CLUSTER + 25 * 1024, &[0; 1024]);
        shatter(&sample)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        check_shattered(&found)?;
        assert_eq!(&holders(&found)?[..], &[25]);
        let mut bytes = [0; 16];
        let read = data::read_at(&**found.volume, &found.data, offset(3 * C), &mut bytes);
        assert_eq!((plain(read)?, bytes), (16, [b'n'; 16]));
        Ok(())
    }

    /// The types of the attributes of a record.
    fn types(sample: &Sample, number: u64) -> Result<KVec<u32>> {
        let record = plain(
            sample
                .volume
                .record(RecordNumber::new(number), Role::Extension),
        )?;
        let mapped = plain(record.map(&sample.volume))?;
        let mut types = KVec::new();
        for attribute in plain(mapped.record())?.attributes() {
            let attribute = attribute.map_err(|_| EINVAL)?;
            types.push(attribute.type_.get(), GFP_KERNEL)?;
        }
        Ok(types)
    }

    #[test]
    fn a_part_leaves_a_record_that_others_are_in_when_nobody_looks_there() -> Result {
        for writes in 0.. {
            let sample = Sample::sharing()?;
            plain(sample.volume.start_change())?;
            sample.disk.cut_power_after(writes);
            sample.set_size(0)?;
            sample.save()?;
            let is_over = !sample.disk.is_without_power();

            let found = sample.after_power_cut()?;
            let size = found.data.data_size().get();
            assert!(size == 0 || size == 4 * C);
            if size != 0 {
                assert!(found.is_full_of(3, OLD)?);
            }
            let types = types(&found, SAMPLE + 1)?;
            assert!(types[..] == [0x80, 0x100] || (types[..] == [0x100] && size == 0));
            if is_over {
                assert_eq!(&holders(&found)?[..], &[SAMPLE]);
                assert_eq!(&types[..], &[0x100]);
                break;
            }
        }
        Ok(())
    }

    #[test]
    fn a_part_that_gets_holes_leaves_the_record_to_others() -> Result {
        let sample = Sample::sharing()?;
        sample.set_size(48 * C)?;
        for vcn in (5..25).step_by(2) {
            fill(&sample, vcn, b'n')?;
        }
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert!(found.is_full_of(3, OLD)? && found.is_full_of(23, b'n')?);
        assert_eq!(&holders(&found)?[..], &[SAMPLE + 2]);
        assert_eq!(&types(&found, SAMPLE + 1)?[..], &[0x100]);
        Ok(())
    }

    /// Records that hold names of the file, in the order in which the list has them.
    fn holders_of_names(sample: &Sample) -> Result<KVec<u64>> {
        let catalog = plain(Catalog::load(&**sample.volume, sample.data.owner()))?;
        assert_eq!(catalog.damage, None);
        let mut numbers = KVec::new();
        for piece in catalog.pieces(AttributeType::FILE_NAME, &[]) {
            numbers.push(piece.record.number.get(), GFP_KERNEL)?;
        }
        Ok(numbers)
    }

    /// The lengths of the names, each found in the record that is told to have it.
    fn lengths_of_names(sample: &Sample) -> Result<KVec<usize>> {
        let catalog = plain(Catalog::load(&**sample.volume, sample.data.owner()))?;
        let mut lengths = KVec::new();
        plain(names::for_each(&**sample.volume, &catalog, |name| {
            lengths.push(name.name.len(), GFP_KERNEL)?;
            Ok(true)
        }))?;
        lengths.sort_unstable();
        Ok(lengths)
    }

    /// The link count of a record.
    fn link_count(sample: &Sample, number: u64) -> Result<u16> {
        let number = RecordNumber::new(number);
        let record = plain(sample.volume.record(number, Role::Extension))?;
        let mapped = plain(record.map(&sample.volume))?;
        let count = plain(mapped.record())?.header().link_count;
        Ok(count)
    }

    #[test]
    fn names_make_room_for_a_value_that_leaves_the_record() -> Result {
        let sample = Sample::many_names()?;
        let before = lengths_of_names(&sample)?;
        assert_eq!(before.len(), 3);
        let value = [b'v'; CLUSTER + 5];
        let (volume, data) = (&sample.volume, &sample.data);
        plain(convert::make_non_resident(volume, data, &value))?;
        assert!(data.residency().hint() == Form::NonResident);
        sample.save()?;
        for found in [&sample, &sample.after_power_cut()?] {
            assert_eq!(&holders(found)?[..], &[SAMPLE]);
            let names = holders_of_names(found)?;
            assert!(names.contains(&SAMPLE) && names.contains(&(SAMPLE + 1)));
            assert!(is_marked(&found.disk, SAMPLE + 1));
            assert_eq!(lengths_of_names(found)?, before);
            assert_eq!(found.inode.links(), 3);
            // All are counted in the base record.
            assert_eq!(link_count(found, SAMPLE)?, 3);
            assert_eq!(link_count(found, SAMPLE + 1)?, 0);
            let mut read = KVec::from_elem(0, 2 * CLUSTER, GFP_KERNEL)?;
            let length = plain(data::read_at(
                &found.volume,
                &found.data,
                offset(0),
                &mut read,
            ))?;
            assert_eq!(read.get(..length), Some(&value[..]));
        }
        Ok(())
    }

    #[test]
    fn who_knows_names_from_before_finds_them_where_they_went() -> Result {
        let sample = Sample::many_names()?;
        let old = plain(Catalog::load(&**sample.volume, sample.data.owner()))?;
        let value = [b'v'; CLUSTER];
        plain(convert::make_non_resident(
            &sample.volume,
            &sample.data,
            &value,
        ))?;
        let mut count = 0;
        plain(names::for_each(&**sample.volume, &old, |_| {
            count += 1;
            Ok(true)
        }))?;
        assert_eq!(count, 3);
        Ok(())
    }

    #[test]
    fn names_that_went_do_not_hinder_a_value_that_outgrows_the_record() -> Result {
        let sample = Sample::many_names()?;
        let count = sample.free()? - 4;
        let value = KVVec::from_elem(b'v', count as usize * CLUSTER, GFP_KERNEL)?;
        let (volume, data) = (&sample.volume, &sample.data);
        plain(convert::make_non_resident(volume, data, &value))?;
        for at in (1..count - 1).step_by(2) {
            sample.punch(at * C, C)?;
        }
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert_eq!(lengths_of_names(&found)?.len(), 3);
        for vcn in 0..count {
            let is_hole = vcn % 2 == 1 && vcn < count - 1;
            let byte = if is_hole { 0 } else { b'v' };
            assert!(found.is_full_of(vcn, byte)?);
        }
        sample.set_size(0)?;
        sample.save()?;
        let found = sample.after_power_cut()?;
        assert_eq!(lengths_of_names(&found)?.len(), 3);
        assert!(found.data.residency().hint() == Form::Resident);
        Ok(())
    }
}
