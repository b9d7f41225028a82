// SPDX-License-Identifier: GPL-2.0-only

//! Tests of writing to volumes that are broken: a clean error or success, and nothing else comes to harm.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_broken))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            attribute::Attribute,
            convert,
            data,
            error::{
                Error,
                Result as FsResult, //
            },
            inode::Inode,
            inode_record,
            residency::Form,
            resize,
            volume::Volume,
            writing::Refusal, //
        },
        kunit::{
            fixtures::{
                put,
                record::{
                    file_record,
                    resident,
                    Clusters,
                    RECORD_SIZE, //
                },
            },
            fs::{
                disk::{
                    extension,
                    file,
                    list_entry,
                    mount,
                    open_file,
                    plain,
                    reference,
                    writable,
                    Disk,
                    Ram,
                    CLUSTER,
                    MFT_LCN,
                    SAMPLE, //
                },
                sample::{
                    bytes,
                    offset,
                    Sample,
                    CHANGED,
                    OLD, //
                },
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    const C: u64 = CLUSTER as u64;
    /// Where the broken file has its clusters.
    const OWN_LCN: u8 = 16;
    /// A file that is whole, and where it is.
    const WHOLE: u64 = 27;
    const WHOLE_LCN: u8 = 28;
    /// Extension records.
    const E1: u64 = 25;
    const E2: u64 = 26;

    /// What becomes of an operation on a broken file.
    #[derive(Clone, Copy, PartialEq)]
    enum Outcome {
        /// An error, whatever is done.
        Refused,
        /// An error, or what was asked for: as far as the operation comes to the broken part.
        Either,
    }

    struct Case {
        name: &'static str,
        /// Makes the file.
        make: fn(&Disk) -> Result,
        outcome: Outcome,
    }

    /// The data attribute with these runs, `count` clusters from `lowest` on, of a value of `size` clusters.
    fn part(lowest: u64, count: u64, size: u64, pairs: &[u8]) -> Result<KVec<u8>> {
        Clusters {
            lowest_vcn: lowest,
            highest_vcn: (lowest + count).wrapping_sub(1),
            allocated: size * C,
            data: size * C,
            initialized: size * C,
            mapping_pairs: pairs,
            ..Clusters::DATA
        }
        .to_bytes()
    }

    fn sized(allocated: u64, data: u64, initialized: u64) -> Result<KVec<u8>> {
        Clusters {
            highest_vcn: 3,
            allocated,
            data,
            initialized,
            mapping_pairs: &[0x11, 4, OWN_LCN, 0],
            ..Clusters::DATA
        }
        .to_bytes()
    }

    /// Four clusters, as they should be.
    fn dense() -> Result<KVec<u8>> {
        part(0, 4, 4, &[0x11, 4, OWN_LCN, 0])
    }

    fn first_half() -> Result<KVec<u8>> {
        part(0, 2, 4, &[0x11, 2, OWN_LCN, 0])
    }

    fn second_half() -> Result<KVec<u8>> {
        part(2, 2, 4, &[0x11, 2, OWN_LCN + 2, 0])
    }

    /// The file with a list of these parts of its data, by first VCN and record.
    fn put_list(disk: &Disk, parts: &[(u64, u64)]) -> Result {
        let mut list = KVec::new();
        let own = list_entry(0x10, 0, SAMPLE, 0);
        list.extend_from_slice(&own, GFP_KERNEL)?;
        for (vcn, record) in parts {
            list.extend_from_slice(&list_entry(0x80, *vcn, *record, 1), GFP_KERNEL)?;
        }
        disk.put_file(SAMPLE, &[&resident(0x20, "", 4, &list)?])
    }

    fn put_halves(disk: &Disk) -> Result {
        disk.put_record(E1, &extension(E1, &[&first_half()?]))?;
        disk.put_record(E2, &extension(E2, &[&second_half()?]))
    }

    /// A record with some bytes replaced.
    fn patched(mut record: [u8; RECORD_SIZE], at: usize, bytes: &[u8]) -> [u8; RECORD_SIZE] {
        put(&mut record, at, bytes);
        record
    }

    /// Takes the bit of a cluster away.
    fn free_cluster(disk: &Disk, lcn: u8) {
        let at = Disk::bitmap_at(usize::from(lcn) / 8);
        disk.write(at, &[disk.byte(at) & !(1 << (lcn % 8))]);
    }

    const CASES: [Case; 26] = [
        Case {
            name: "a list with an entry twice",
            make: |disk| {
                put_halves(disk)?;
                put_list(disk, &[(0, E1), (2, E2), (2, E2)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list with a part in two records",
            make: |disk| {
                disk.put_record(E1, &extension(E1, &[&dense()?]))?;
                disk.put_record(E2, &extension(E2, &[&dense()?]))?;
                put_list(disk, &[(0, E1), (0, E2)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "parts that overlap",
            make: |disk| {
                disk.put_record(E1, &extension(E1, &[&dense()?]))?;
                disk.put_record(E2, &extension(E2, &[&second_half()?]))?;
                put_list(disk, &[(0, E1), (2, E2)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a part that is not listed",
            make: |disk| {
                put_halves(disk)?;
                put_list(disk, &[(0, E1)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a gap between two parts",
            make: |disk| {
                let first = part(0, 1, 4, &[0x11, 1, OWN_LCN, 0])?;
                disk.put_record(E1, &extension(E1, &[&first]))?;
                disk.put_record(E2, &extension(E2, &[&second_half()?]))?;
                put_list(disk, &[(0, E1), (2, E2)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list that leads to another file",
            make: |disk| {
                put_halves(disk)?;
                put_list(disk, &[(0, E1), (2, WHOLE)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list that leads to $MFT",
            make: |disk| {
                put_halves(disk)?;
                put_list(disk, &[(0, E1), (2, 0)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list that leads to a free record",
            make: |disk| {
                put_halves(disk)?;
                let free = extension(E2, &[&second_half()?]);
                disk.put_record(E2, &patched(free, 0x16, &[0, 0]))?;
                put_list(disk, &[(0, E1), (2, E2)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list that leads behind the end of $MFT",
            make: |disk| {
                put_halves(disk)?;
                put_list(disk, &[(0, E1), (2, 100_000)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list that leads back to the base record",
            make: |disk| {
                put_halves(disk)?;
                put_list(disk, &[(0, E1), (2, SAMPLE)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "an extension record of another file",
            make: |disk| {
                put_halves(disk)?;
                let other = extension(E2, &[&second_half()?]);
                let other = patched(other, 0x20, &reference(WHOLE).to_le_bytes());
                disk.put_record(E2, &other)?;
                put_list(disk, &[(0, E1), (2, E2)])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "a list with an entry that is cut off",
            make: |disk| {
                put_halves(disk)?;
                let mut list = KVec::new();
                list.extend_from_slice(&list_entry(0x80, 0, E1, 1), GFP_KERNEL)?;
                list.extend_from_slice(&[0x80, 0, 0, 0, 0xff, 0, 0, 0], GFP_KERNEL)?;
                disk.put_file(SAMPLE, &[&resident(0x20, "", 4, &list)?])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "two lists",
            make: |disk| {
                put_halves(disk)?;
                let mut list = KVec::new();
                for (vcn, record) in [(0, E1), (2, E2)] {
                    list.extend_from_slice(&list_entry(0x80, vcn, record, 1), GFP_KERNEL)?;
                }
                let (one, other) = (resident(0x20, "", 4, &list)?, resident(0x20, "", 5, &list)?);
                disk.put_file(SAMPLE, &[&one, &other])
            },
            outcome: Outcome::Either,
        },
        Case {
            name: "a value in the record, and a part of it elsewhere",
            make: |disk| {
                put_halves(disk)?;
                let mut list = KVec::new();
                for (vcn, record) in [(0, SAMPLE), (2, E2)] {
                    list.extend_from_slice(&list_entry(0x80, vcn, record, 1), GFP_KERNEL)?;
                }
                let value = resident(0x80, "", 1, b"in the record")?;
                disk.put_file(SAMPLE, &[&resident(0x20, "", 4, &list)?, &value])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "two values of one name",
            make: |disk| {
                let value = resident(0x80, "", 2, b"another one")?;
                disk.put_file(SAMPLE, &[&dense()?, &value])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "runs behind the end of the volume",
            make: |disk| {
                let data = part(0, 4, 4, &[0x11, 2, OWN_LCN, 0x11, 2, 100, 0])?;
                disk.put_file(SAMPLE, &[&data])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "runs that are too short",
            make: |disk| disk.put_file(SAMPLE, &[&part(0, 2, 4, &[0x11, 2, OWN_LCN, 0])?]),
            outcome: Outcome::Refused,
        },
        Case {
            name: "a cluster that is in the value twice",
            make: |disk| {
                let data = part(0, 4, 4, &[0x11, 2, OWN_LCN, 0x11, 2, 1, 0])?;
                disk.put_file(SAMPLE, &[&data])
            },
            outcome: Outcome::Either,
        },
        Case {
            name: "a negative size",
            make: |disk| disk.put_file(SAMPLE, &[&sized(4 * C, 1 << 63, 0)?]),
            outcome: Outcome::Refused,
        },
        Case {
            name: "sizes in the wrong order",
            make: |disk| disk.put_file(SAMPLE, &[&sized(C, 3 * C, 1 << 40)?]),
            outcome: Outcome::Either,
        },
        Case {
            name: "a value behind its attribute",
            make: |disk| {
                let mut value = resident(0x80, "", 1, b"in the record")?;
                put(&mut value, 0x14, &0x1f0_u16.to_le_bytes());
                disk.put_file(SAMPLE, &[&value])
            },
            outcome: Outcome::Refused,
        },
        Case {
            name: "more bytes in use than the record has",
            make: |disk| {
                let record = file(SAMPLE, &[&dense()?])?;
                disk.put_record(SAMPLE, &patched(record, 0x18, &5000_u32.to_le_bytes()))
            },
            outcome: Outcome::Either,
        },
        Case {
            name: "an update sequence array within an attribute",
            make: |disk| {
                let record = file(SAMPLE, &[&dense()?])?;
                disk.put_record(SAMPLE, &patched(record, 0x04, &0x60_u16.to_le_bytes()))
            },
            outcome: Outcome::Either,
        },
        Case {
            name: "a next attribute id that was given out",
            make: |disk| {
                put_halves(disk)?;
                let mut list = KVec::new();
                for (vcn, record) in [(0, E1), (2, E2)] {
                    list.extend_from_slice(&list_entry(0x80, vcn, record, 1), GFP_KERNEL)?;
                }
                let record = file(SAMPLE, &[&resident(0x20, "", 4, &list)?])?;
                disk.put_record(SAMPLE, &patched(record, 0x28, &[0, 0]))
            },
            outcome: Outcome::Either,
        },
        Case {
            name: "clusters without their bits",
            make: |disk| {
                free_cluster(disk, OWN_LCN + 3);
                disk.put_file(SAMPLE, &[&dense()?])
            },
            outcome: Outcome::Either,
        },
        Case {
            name: "an extension record that cannot be changed, and one without its bit",
            make: |disk| {
                let mut odd = resident(0x100, "", 6, &[1; 8])?;
                // An attribute whose length is no multiple of 8, without a value.
                put(&mut odd, 0x04, &0x1c_u32.to_le_bytes());
                put(&mut odd, 0x10, &[0; 4]);
                put(&mut odd, 0x1c, &u32::MAX.to_le_bytes());
                disk.put_record(E1, &extension(E1, &[&first_half()?]))?;
                let second = file_record(E2 as u32, 1, &[&second_half()?, &odd]);
                let second = patched(second, 0x20, &reference(SAMPLE).to_le_bytes());
                disk.put_record(E2, &second)?;
                disk.write(Disk::record_bit_at(SAMPLE), &[0x0d]);
                put_list(disk, &[(0, E1), (2, E2)])
            },
            outcome: Outcome::Either,
        },
    ];

    type Act = fn(&Volume<Ram>, &Inode, &Attribute) -> FsResult;

    const ACTS: [(&str, Act); 9] = [
        ("cut off", |volume, _, data| set_size(volume, data, C + 1)),
        ("emptied", |volume, _, data| set_size(volume, data, 0)),
        ("longer", |volume, _, data| set_size(volume, data, 9 * C)),
        ("with a hole", |volume, _, data| {
            change_clusters(data, |data| {
                resize::punch_hole(volume, data, offset(C), bytes(2 * C))
            })
        }),
        ("preallocated", |volume, _, data| {
            change_clusters(data, |data| {
                resize::preallocate(volume, data, offset(4 * C), bytes(3 * C))
            })
        }),
        ("with a range taken out", |volume, _, data| {
            change_clusters(data, |data| {
                resize::collapse_range(volume, data, offset(C), bytes(C))
            })
        }),
        ("with a range put in", |volume, _, data| {
            change_clusters(data, |data| {
                resize::insert_range(volume, data, offset(C), bytes(C))
            })
        }),
        ("written behind its end", |volume, _, data| {
            change_clusters(data, |data| append(volume, data))
        }),
        ("recorded", |volume, inode, data| {
            change_clusters(data, |_| {
                inode_record::write_inode(volume, inode, &CHANGED, true)
            })
        }),
    ];

    /// What can be done to clusters only is something else for a value in its record.
    fn change_clusters(data: &Attribute, act: impl FnOnce(&Attribute) -> FsResult) -> FsResult {
        match data.residency().hint() {
            Form::NonResident => act(data),
            Form::Resident => match data.damage() {
                Some(damage) => Err(damage),
                None => Ok(()),
            },
        }
    }

    fn set_size(volume: &Volume<Ram>, data: &Attribute, size: u64) -> FsResult {
        if data.residency().hint() == Form::NonResident {
            return resize::set_size(volume, data, bytes(size));
        }
        match convert::resize_resident(volume, data, bytes(size))? {
            Form::Resident => Ok(()),
            Form::NonResident => convert::make_non_resident(volume, data, &[b'v'; CLUSTER]),
        }
    }

    /// A write behind the end, up to the record.
    fn append(volume: &Volume<Ram>, data: &Attribute) -> FsResult {
        use crate::fs::file;
        let at = offset(8 * C);
        file::reserve(volume, data, at, bytes(C))?;
        file::set_initialized(data, bytes(9 * C));
        file::allocate(volume, data, at, bytes(C))?;
        file::written(volume, data, at, bytes(C), true)
    }

    /// A volume with the file of a case, and one that is whole.
    fn broken(case: &Case) -> Result<Arc<Disk>> {
        let disk = Disk::new()?;
        disk.make_writable()?;
        for lcn in Iterator::chain(OWN_LCN..OWN_LCN + 4, WHOLE_LCN..WHOLE_LCN + 2) {
            disk.write_cluster(usize::from(lcn), &[OLD; CLUSTER]);
        }
        disk.write(Disk::record_bit_at(SAMPLE), &[0x0f]);
        let whole = part(0, 2, 2, &[0x11, 2, WHOLE_LCN, 0])?;
        disk.put_file(WHOLE, &[&whole])?;
        (case.make)(&disk)?;
        Ok(disk)
    }

    /// The file that is whole gets a cluster more, and all of it is there after a mount.
    fn check_whole(disk: &Arc<Disk>, volume: &Volume<Ram>) -> Result {
        let inode = open_file(volume, WHOLE)?;
        let data = plain(inode.data())?.ok_or(ENOENT)?;
        plain(resize::set_size(volume, data, bytes(3 * C)))?;
        plain(resize::preallocate(volume, data, offset(2 * C), bytes(C)))?;
        plain(inode_record::write_inode(volume, &inode, &CHANGED, true))?;
        plain(volume.sync())?;
        let volume = mount(&Disk::with_image(&disk.image()?)?)?;
        let inode = open_file(&volume, WHOLE)?;
        let data = plain(inode.data())?.ok_or(ENOENT)?;
        let mut content = KVec::from_elem(1, 3 * CLUSTER, GFP_KERNEL)?;
        let read = plain(data::read_at(&volume, data, offset(0), &mut content))?;
        assert_eq!(read, 3 * CLUSTER);
        let (old, new) = content.split_at(2 * CLUSTER);
        assert!(old.iter().all(|byte| *byte == OLD) && new.iter().all(|byte| *byte == 0));
        Ok(())
    }

    fn free(volume: &Volume<Ram>) -> Result<(u64, u64)> {
        let clusters = plain(volume.free_clusters())?.ok_or(ENOENT)?;
        Ok((clusters.get(), plain(volume.record_counts())?.free))
    }

    /// Does it, unless the file cannot even be opened.
    fn attempt(volume: &Volume<Ram>, act: Act) -> Result<FsResult> {
        let inode = open_file(volume, SAMPLE)?;
        let done = match inode.data() {
            Ok(Some(data)) => act(volume, &inode, data),
            Ok(None) => Err(Error::NotFound),
            Err(error) => Err(error),
        };
        Ok(match done {
            Ok(()) => inode_record::write_inode(volume, &inode, &CHANGED, true),
            error => error,
        })
    }

    #[test]
    fn nothing_else_comes_to_harm_when_a_broken_file_is_changed() -> Result {
        for case in &CASES {
            for (what, act) in ACTS {
                let disk = broken(case)?;
                let volume = mount(&disk)?;
                writable(&volume)?;
                plain(volume.start_change())?;
                let before = free(&volume)?;
                let done = attempt(&volume, act)?;
                let is_right = match done {
                    Ok(()) => case.outcome == Outcome::Either,
                    Err(error) => matches!(error, Error::Corrupt(_)),
                };
                let is_as_before = free(&volume)? == before;
                if !is_right || (case.outcome == Outcome::Refused && !is_as_before) {
                    pr_err!("{}, {}: {:?}\n", case.name, what, done);
                    return Err(EINVAL);
                }
                check_whole(&disk, &volume)?;
                // It can be tried again.
                let _ = attempt(&volume, act)?;
                plain(volume.sync())?;
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_behind_the_end_reads_as_zeros_whatever_was_said_to_be_initialized() -> Result {
        let disk = Disk::new()?;
        disk.make_writable()?;
        for lcn in OWN_LCN..OWN_LCN + 4 {
            disk.write_cluster(usize::from(lcn), &[OLD; CLUSTER]);
        }
        disk.put_file(SAMPLE, &[&sized(4 * C, 2 * C, 4 * C)?])?;
        let sample = Sample::open(disk)?;
        writable(&sample.volume)?;
        sample.set_size(4 * C)?;
        sample.save()?;
        for sample in [&sample, &sample.after_power_cut()?] {
            assert!(sample.is_full_of(1, OLD)? && sample.is_full_of(2, 0)?);
        }
        Ok(())
    }

    #[test]
    fn a_volume_is_not_written_whose_own_clusters_are_free() -> Result {
        // The boot sector, the mirror, $MFT and both bitmaps.
        for lcn in [0, 2, MFT_LCN as u8 + 7, 12, 40] {
            let disk = Disk::new()?;
            disk.make_writable()?;
            free_cluster(&disk, lcn);
            let refusal = mount(&disk)?.begin_writing(true);
            assert!(matches!(refusal, Err(Refusal::Broken(Error::Corrupt(_)))));
        }
        Ok(())
    }

    #[test]
    fn a_system_file_is_not_written() -> Result {
        let disk = Disk::new()?;
        disk.make_writable()?;
        let volume = mount(&disk)?;
        writable(&volume)?;
        for number in [0, 2, 6] {
            let inode = open_file(&volume, number)?;
            let data = plain(inode.data())?.ok_or(ENOENT)?;
            let done = resize::set_size(&volume, data, bytes(0));
            assert!(matches!(done, Err(Error::Unsupported(_))));
        }
        Ok(())
    }
}
