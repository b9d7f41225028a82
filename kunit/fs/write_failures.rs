// SPDX-License-Identifier: GPL-2.0-only

//! Every allocation, and every transfer, of each operation that writes fails once: nothing has changed
//! then, and the same operation does later what it does when nothing fails.
//!
//! On the host only, where the shim's allocator fails on demand.

mod tests {
    use crate::{
        fs::{
            compressed_writing,
            convert,
            data,
            error::{
                Error,
                Result as FsResult, //
            },
            file,
            inode_record,
            record::Role,
            residency::Form,
            resize,
            runlist::{
                Extent,
                Target, //
            },
            transaction::Transaction,
            unit_batch::Batch,
            volume::RecordCounts, //
        },
        kunit::{
            fixtures::put,
            fs::{
                disk::{
                    plain,
                    CLUSTER,
                    MFT_LCN,
                    SAMPLE, //
                },
                sample::{
                    bytes,
                    offset,
                    Sample,
                    CHANGED,
                    UNIT, //
                },
            },
        },
        ondisk::{
            attribute::Sizes,
            units::RecordNumber, //
        },
    };
    use kernel::{
        alloc::failures,
        prelude::*, //
    };

    const C: u64 = CLUSTER as u64;

    /// An operation, and what it is done to.
    struct Case {
        name: &'static str,
        sample: fn() -> Result<Sample>,
        act: fn(&Sample) -> FsResult,
    }

    fn reserved() -> Result<Sample> {
        let sample = Sample::sparse()?;
        sample.reserve(2 * C, 3 * C)?;
        Ok(sample)
    }

    fn placed() -> Result<Sample> {
        let sample = reserved()?;
        let place = sample.allocate(2 * C)?;
        sample.transfer(place, b'n')?;
        Ok(sample)
    }

    fn settled() -> Result<Sample> {
        let sample = placed()?;
        sample.written(2 * C, C)?;
        Ok(sample)
    }

    fn recorded() -> Result<Sample> {
        let sample = settled()?;
        sample.record()?;
        Ok(sample)
    }

    /// More runs than the record has room for.
    fn outgrown() -> Result<Sample> {
        let sample = Sample::crowded(8)?;
        for vcn in [3, 5, 7] {
            fill(&sample, vcn)?;
        }
        Ok(sample)
    }

    fn spread() -> Result<Sample> {
        let sample = outgrown()?;
        sample.record()?;
        Ok(sample)
    }

    /// One more run, for a record that has room.
    fn further() -> Result<Sample> {
        let sample = spread()?;
        sample.set_size(20 * C)?;
        fill(&sample, 15)?;
        Ok(sample)
    }

    fn fill(sample: &Sample, vcn: u64) -> Result {
        sample.reserve(vcn * C, C)?;
        let place = sample.allocate(vcn * C)?;
        sample.transfer(place, b'n')?;
        sample.written(vcn * C, C)
    }

    fn resize_resident(sample: &Sample, size: u64) -> FsResult {
        let form = convert::resize_resident(&sample.volume, &sample.data, bytes(size))?;
        assert_eq!(form, Form::Resident);
        Ok(())
    }

    fn set_size(sample: &Sample, size: u64) -> FsResult {
        resize::set_size(&sample.volume, &sample.data, bytes(size))
    }

    fn preallocate(sample: &Sample) -> FsResult {
        resize::preallocate(&sample.volume, &sample.data, offset(0), bytes(6 * C))
    }

    fn write_inode(sample: &Sample) -> FsResult {
        inode_record::write_inode(&sample.volume, &sample.inode, &CHANGED, false)
    }

    fn promise(sample: &Sample) -> FsResult {
        let (at, length) = (offset(0), bytes(UNIT));
        compressed_writing::promise(&sample.volume, &sample.data, at, length)
    }

    fn promised() -> Result<Sample> {
        let sample = Sample::compressed()?;
        plain(promise(&sample))?;
        let (at, length) = (offset(UNIT), bytes(UNIT));
        let (volume, data) = (&sample.volume, &sample.data);
        plain(compressed_writing::promise(volume, data, at, length))?;
        Ok(sample)
    }

    /// One unit that gets smaller, and one that does not.
    fn write_units(sample: &Sample) -> FsResult {
        let mut batch = Batch::new(&sample.volume, &sample.data)?;
        for unit in [0, UNIT] {
            let mut noise = unit;
            for byte in batch.begin(offset(unit))? {
                noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ unit;
                *byte = (noise >> 40) as u8 | 1;
            }
            let _ = batch.encode();
        }
        batch.write()
    }

    fn superseded() -> Result<Sample> {
        let sample = promised()?;
        plain(write_units(&sample))?;
        Ok(sample)
    }

    const CASES: [Case; 27] = [
        Case {
            name: "resize_resident, longer",
            sample: Sample::small,
            act: |sample| resize_resident(sample, 100),
        },
        Case {
            name: "resize_resident, shorter",
            sample: Sample::small,
            act: |sample| resize_resident(sample, 3),
        },
        Case {
            name: "write_resident",
            sample: Sample::small,
            act: |sample| {
                convert::write_resident(&sample.volume, &sample.data, offset(2), b"new").map(|_| ())
            },
        },
        Case {
            name: "make_non_resident",
            sample: Sample::small,
            act: |sample| {
                convert::make_non_resident(&sample.volume, &sample.data, &[b'v'; 2 * CLUSTER])
            },
        },
        Case {
            name: "make_non_resident, with names in its way",
            sample: Sample::many_names,
            act: |sample| {
                convert::make_non_resident(&sample.volume, &sample.data, &[b'v'; 2 * CLUSTER])
            },
        },
        Case {
            name: "reserve",
            sample: Sample::sparse,
            act: |sample| {
                file::reserve(&sample.volume, &sample.data, offset(3 * C), bytes(C)).map(|_| ())
            },
        },
        Case {
            name: "allocate",
            sample: reserved,
            act: |sample| {
                file::allocate(&sample.volume, &sample.data, offset(2 * C), bytes(C)).map(|_| ())
            },
        },
        Case {
            name: "written",
            sample: placed,
            act: |sample| {
                let (at, length) = (offset(2 * C), bytes(C));
                file::written(&sample.volume, &sample.data, at, length, true)
            },
        },
        Case {
            name: "set_size, larger",
            sample: Sample::dense,
            act: |sample| set_size(sample, 9 * C),
        },
        Case {
            name: "set_size, smaller",
            sample: Sample::dense,
            act: |sample| set_size(sample, C + 1),
        },
        Case {
            name: "set_size, nothing",
            sample: Sample::dense,
            act: |sample| set_size(sample, 0),
        },
        Case {
            name: "punch_hole",
            sample: placed,
            act: |sample| resize::punch_hole(&sample.volume, &sample.data, offset(C), bytes(2 * C)),
        },
        Case {
            name: "preallocate",
            sample: Sample::dense,
            act: preallocate,
        },
        Case {
            name: "write_inode",
            sample: settled,
            act: write_inode,
        },
        Case {
            name: "write_inode, outgrowing the record",
            sample: outgrown,
            act: write_inode,
        },
        Case {
            name: "write_inode, in another record",
            sample: further,
            act: write_inode,
        },
        Case {
            name: "set_size, nothing, back from another record",
            sample: spread,
            act: |sample| set_size(sample, 0),
        },
        Case {
            name: "$MFT gets longer",
            sample: || Sample::crowded(8),
            // Seven free ones, of which four are set aside.
            act: |sample| sample.volume.reserve_records(4).map(drop),
        },
        Case {
            name: "promise of units",
            sample: Sample::compressed,
            act: promise,
        },
        Case {
            name: "writing units",
            sample: promised,
            act: write_units,
        },
        Case {
            name: "write_inode, of units",
            sample: superseded,
            act: write_inode,
        },
        Case {
            name: "set_size, within a unit",
            sample: superseded,
            act: |sample| set_size(sample, UNIT + 1),
        },
        Case {
            name: "set_size, nothing, of units",
            sample: superseded,
            act: |sample| set_size(sample, 0),
        },
        Case {
            name: "punch_hole, of units",
            sample: superseded,
            act: |sample| {
                resize::punch_hole(&sample.volume, &sample.data, offset(UNIT), bytes(UNIT))
            },
        },
        Case {
            name: "make_non_resident, of units",
            sample: Sample::compressed_small,
            act: |sample| {
                convert::make_non_resident(&sample.volume, &sample.data, &[b'v'; 2 * CLUSTER])
            },
        },
        Case {
            name: "sync, of several records",
            sample: further,
            act: |sample| sample.volume.sync(),
        },
        Case {
            name: "sync",
            sample: recorded,
            act: |sample| sample.volume.sync(),
        },
    ];

    /// What memory has of the file, and the clusters that are free.
    #[derive(Debug, PartialEq)]
    struct State {
        form: Form,
        sizes: Sizes,
        runs: std::vec::Vec<Extent>,
        record: std::vec::Vec<u8>,
        free: u64,
        /// Those that `$MFT` has.
        records: u64,
    }

    impl State {
        fn of(sample: &Sample) -> Result<Self> {
            let form = sample.data.residency().hint();
            let runs = match form {
                Form::Resident => std::vec::Vec::new(),
                Form::NonResident => {
                    let mapping = plain(sample.data.mapping(&sample.volume))?;
                    mapping.runlist.extents().collect()
                }
            };
            let record = plain(sample.volume.record(RecordNumber::new(SAMPLE), Role::Base))?;
            // One without changes, only to look.
            let mut transaction = Transaction::begin();
            let owner = sample.data.owner();
            let page = plain(transaction.map_record(&sample.volume, &record, owner))?;
            let mut record = transaction.bytes(page).to_vec();
            // Counts the attempts to write the record.
            put(&mut record, 0x30, &[0, 0]);
            let state = Self {
                form,
                sizes: sample.data.sizes(),
                runs,
                record,
                free: sample.free()?,
                records: plain(sample.volume.record_counts())?.total,
            };
            Ok(state)
        }
    }

    /// What there is in the end, wherever the clusters are.
    #[derive(Debug, PartialEq)]
    struct End {
        form: Form,
        sizes: Sizes,
        runs: std::vec::Vec<(u64, u64, bool)>,
        content: std::vec::Vec<u8>,
        free: u64,
        records: RecordCounts,
    }

    impl End {
        /// Makes all durable, and looks at the file as a new mount has it.
        fn of(sample: &Sample) -> Result<Self> {
            sample.save()?;
            let found = sample.after_power_cut()?;
            let state = State::of(&found)?;
            let has_place = |target| matches!(target, Target::Clusters(_));
            let run = |run: Extent| (run.vcn.get(), run.length.get(), has_place(run.target));
            let mut content = std::vec![0; found.data.data_size().get() as usize];
            let read = data::read_at(&**found.volume, &found.data, offset(0), &mut content);
            assert_eq!(plain(read)?, content.len());
            Ok(Self {
                form: state.form,
                sizes: state.sizes,
                runs: state.runs.into_iter().map(run).collect(),
                content,
                free: sample.free()?,
                records: plain(found.volume.record_counts())?,
            })
        }
    }

    /// The sample of a case, marked as changed, with nothing in the caches that can go.
    fn ready(case: &Case) -> Result<(Sample, State)> {
        let sample = (case.sample)()?;
        plain(sample.volume.start_change())?;
        let before = State::of(&sample)?;
        sample.volume.shrink(usize::MAX);
        plain(sample.volume.allocator())?.shrink(usize::MAX);
        Ok((sample, before))
    }

    fn end_without_failure(case: &Case) -> Result<End> {
        let (sample, _) = ready(case)?;
        plain((case.act)(&sample))?;
        End::of(&sample)
    }

    /// After a failure: all as before, and the second attempt comes to the end of the first.
    fn check_failed(
        case: &Case,
        sample: &Sample,
        before: &State,
        expected: &End,
        turn: &str,
    ) -> Result {
        let mut now = State::of(sample)?;
        if case.name == "writing units" {
            // What is lost needs nothing that was set aside for it.
            now.free = now.free.min(before.free);
        }
        // The copies in directories come after the record, each in a transaction of its own.
        let told = now.record != before.record || now.sizes != before.sizes;
        if case.name.starts_with("write_inode") && told {
            assert_eq!((&now.runs, now.free), (&before.runs, before.free), "{turn}");
        } else {
            assert_eq!(now, *before, "{turn}");
        }
        plain((case.act)(sample)).inspect_err(|_| println!("{turn}, again"))?;
        assert_eq!(End::of(sample)?, *expected, "{turn}");
        Ok(())
    }

    #[test]
    fn every_allocation_of_an_operation_may_fail() -> Result {
        for case in &CASES {
            let expected = end_without_failure(case)?;
            let live = failures::live();
            for nth in 0.. {
                let turn = std::format!("{}, allocation {nth}", case.name);
                let (sample, before) = ready(case)?;
                let image = sample.disk.image()?;
                let (result, failed) = failures::with_nth_failing(nth, || (case.act)(&sample));
                match result {
                    Ok(()) => assert_eq!(End::of(&sample)?, expected, "{turn}"),
                    Err(error) => {
                        assert_eq!(error, Error::NoMemory, "{turn}");
                        let now = sample.disk.image()?;
                        let changed = (0..now.len()).find(|at| now.get(*at) != image.get(*at));
                        // Clusters that are given back may have been written, and a sync has begun.
                        let in_mft = |at: usize| (MFT_LCN..MFT_LCN + 8).contains(&(at / CLUSTER));
                        let may_write =
                            ["make_non_resident", "sync", "outgrowing", "$MFT", "writing"];
                        let may_write = may_write.iter().any(|word| case.name.contains(word));
                        assert!(
                            changed.is_none_or(|at| may_write && !in_mft(at)),
                            "{turn}: {changed:?}"
                        );
                        check_failed(case, &sample, &before, &expected, &turn)?;
                    }
                }
                drop((sample, image));
                assert_eq!(failures::live(), live, "{turn} leaks");
                if !failed {
                    break;
                }
            }
        }
        Ok(())
    }

    #[test]
    fn every_transfer_of_an_operation_may_fail() -> Result {
        let mut transfers = 0;
        for case in &CASES {
            let expected = end_without_failure(case)?;
            for nth in 1.. {
                let turn = std::format!("{}, transfer {nth}", case.name);
                let (sample, before) = ready(case)?;
                sample.disk.fail_nth(nth);
                let result = (case.act)(&sample);
                let is_over = sample.disk.is_yet_to_fail();
                sample.disk.fail_nth(0);
                match result {
                    Ok(()) => assert_eq!(End::of(&sample)?, expected, "{turn}"),
                    Err(error) => {
                        let is_of_device = matches!(error, Error::Device(_) | Error::Unwritten(_));
                        assert!(is_of_device, "{turn}: {error}");
                        check_failed(case, &sample, &before, &expected, &turn)?;
                    }
                }
                if is_over {
                    break;
                }
                transfers += 1;
            }
        }
        assert!(transfers > 15, "only {transfers} transfers");
        Ok(())
    }

    #[test]
    fn every_transfer_of_the_first_change_may_fail() -> Result {
        for nth in 1.. {
            let sample = Sample::dense()?;
            sample.volume.shrink(usize::MAX);
            sample.disk.fail_nth(nth);
            let result = sample.volume.start_change();
            let is_over = sample.disk.is_yet_to_fail();
            sample.disk.fail_nth(0);
            // A read may be made up for by that of the mirror.
            if let Err(error) = result {
                assert!(matches!(error, Error::Unwritten(_)) && !is_over, "{error}");
            }
            plain(sample.volume.start_change())?;
            // Marked in any case.
            let found = sample.after_power_cut()?;
            assert!(found.volume.begin_writing(false).is_err(), "transfer {nth}");
            plain(sample.volume.end_writing())?;
            let found = sample.after_power_cut()?;
            assert!(found.volume.begin_writing(false).is_ok(), "transfer {nth}");
            if is_over {
                return Ok(());
            }
        }
        Err(EINVAL)
    }
}
