// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::stream_update` and `fs::rearranged`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_stream_update))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            convert,
            directory::CaseMode,
            error::Error,
            residency::Form,
            stream_update,
            streams::is_name, //
        },
        kunit::{
            fixtures::{
                put,
                record::{
                    resident,
                    Clusters,
                    RECORD_SIZE, //
                },
            },
            fs::{
                disk::{
                    plain,
                    units,
                    CLUSTER, //
                },
                sample::Sample,
                streamed::{
                    content,
                    Streamed, //
                }, //
            },
        },
        ondisk::units::ByteCount,
    };
    use kernel::prelude::*;

    const SIZES: [usize; 12] = [0, 1, 7, 100, 500, 600, 700, 900, 4096, 5000, 20_000, 65_536];

    #[test]
    fn a_stream_of_any_size_is_made_and_replaced_and_removed() -> Result {
        for make in [Streamed::small, Streamed::directory] {
            let mut file = make()?;
            let before = (file.free_clusters()?, file.free_records()?);
            for size in SIZES {
                let value = content(1, size)?;
                file.set("stream", &value)?;
                assert!(file.has("stream", &value)?);
                assert_eq!(file.count()?, 1);
                file.check()?;
                file.sync()?;
                let found = file.after_power_cut()?;
                assert!(found.has("stream", &value)?);
                found.check()?;
                // Two of the longest ones have no room.
                for other in SIZES.into_iter().filter(|other| other + size < 80_000) {
                    let next = content(2, other)?;
                    file.set("stream", &next)?;
                    assert!(file.has("stream", &next)?);
                    file.check()?;
                    if other != size {
                        file.set("stream", &value)?;
                    }
                }
                file = file.remounted()?;
                assert!(file.remove("stream")?);
                assert!(!file.remove("stream")?);
                assert_eq!((file.count()?, file.check()?), (0, (1, 0)));
                assert!(file.get("stream")?.is_none());
                file.sync()?;
                assert_eq!((file.free_clusters()?, file.free_records()?), before);
            }
        }
        Ok(())
    }

    const COUNT: usize = 48;

    /// The name of one of many streams.
    struct Name([u8; 16]);

    impl Name {
        fn new(number: usize) -> Self {
            let mut name = *b"stream number 00";
            let digits = [number / 10, number % 10].map(|digit| b'0' + digit as u8);
            put(&mut name, 14, &digits);
            Self(name)
        }
    }

    impl core::ops::Deref for Name {
        type Target = str;

        fn deref(&self) -> &str {
            core::str::from_utf8(&self.0).unwrap_or("")
        }
    }

    #[test]
    fn many_streams_are_in_several_records() -> Result {
        for make in [Streamed::small, Streamed::directory, Streamed::many_names] {
            let mut file = make()?;
            let before = file.free_clusters()?;
            let records = plain(file.volume.record_counts())?.total;
            for number in 0..COUNT {
                let value = content(number as u8, number * 7 % 120)?;
                file.set(&Name::new(number), &value)?;
                file.check()?;
                if number % 9 == 8 {
                    file = file.remounted()?;
                }
                for earlier in 0..=number {
                    let value = content(earlier as u8, earlier * 7 % 120)?;
                    assert!(file.has(&Name::new(earlier), &value)?);
                }
            }
            assert_eq!(file.count()?, COUNT);
            file.sync()?;
            let (holders, clusters) = file.check()?;
            assert!((4..=10).contains(&holders));
            // What was made or freed on the way is as free as before, but for what $MFT has now.
            let grown = plain(file.volume.record_counts())?.total - records;
            let own = grown * RECORD_SIZE as u64 / CLUSTER as u64;
            assert_eq!(file.free_clusters()? + clusters + own, before);
            for number in 0..COUNT {
                let number = number * 29 % COUNT;
                assert!(file.remove(&Name::new(number))?);
                file.check()?;
                if number % 11 == 3 {
                    file.sync()?;
                }
            }
            assert_eq!(file.count()?, 0);
            file.sync()?;
            assert_eq!(file.check()?.1, 0);
        }
        Ok(())
    }

    #[test]
    fn the_value_stays_in_its_record_as_long_as_there_is_room() -> Result {
        let file = Streamed::full(432)?;
        let free = file.free_clusters()?;
        file.set("a", &content(1, 300)?)?;
        assert_eq!(file.free_clusters()?, free);
        file.set("b", &content(2, 300)?)?;
        // In clusters rather than in another record.
        assert_eq!((file.free_clusters()?, file.check()?.0), (free - 1, 1));
        assert!(file.has("a", &content(1, 300)?)? && file.has("b", &content(2, 300)?)?);
        file.set("a", &content(3, 10)?)?;
        file.set("b", &content(4, 10)?)?;
        file.sync()?;
        assert_eq!(file.free_clusters()?, free);
        file.check()?;
        Ok(())
    }

    #[test]
    fn a_value_in_clusters_is_replaced_in_others() -> Result {
        let file = Streamed::small()?;
        file.set("a", &content(1, 5000)?)?;
        let (list, before) = file.places()?;
        assert!(list.is_none() && before.is_some());
        file.set("a", &content(2, 5000)?)?;
        let (_, now) = file.places()?;
        assert!(now.is_some() && now != before);
        Ok(())
    }

    #[test]
    fn where_nothing_can_leave_the_record_there_is_no_room() -> Result {
        let file = Streamed::full(0x40)?;
        let (clusters, records) = (file.free_clusters()?, file.free_records()?);
        assert_eq!(file.try_set("a", &content(1, 300)?), Err(Error::NoRoom));
        assert_eq!(file.count()?, 0);
        file.check()?;
        file.sync()?;
        assert_eq!(
            (file.free_clusters()?, file.free_records()?),
            (clusters, records)
        );
        // A list in clusters is all that fits.
        let file = Streamed::full(0x48)?;
        file.set("a", &content(1, 300)?)?;
        assert_eq!(file.check()?.0, 2);
        Ok(())
    }

    #[test]
    fn names_leave_the_record_for_a_stream() -> Result {
        let file = Streamed::many_names()?;
        file.set("a", &content(1, 300)?)?;
        assert!(file.check()?.0 > 1);
        file.sync()?;
        let found = file.after_power_cut()?;
        assert!(found.has("a", &content(1, 300)?)?);
        assert_eq!(found.inode.links(), 3);
        Ok(())
    }

    #[test]
    fn streams_leave_the_record_for_a_value_that_becomes_long() -> Result {
        for room in [0, 100] {
            let sample = Sample::small()?;
            let data = sample.data.clone();
            let file = Streamed::from(sample);
            for name in ["a", "b", "c", "d", "e", "f"] {
                file.set(name, &content(1, 80)?)?;
            }
            // Up to the end of the record.
            let form = |size| {
                plain(convert::resize_resident(
                    &file.volume,
                    &data,
                    ByteCount::new(size),
                ))
            };
            let mut size = 20;
            while form(size + 8)? == Form::Resident {
                size += 8;
            }
            if room != 0 {
                assert!(form(size - room)? == Form::Resident);
            }
            let value = content(5, 5000)?;
            plain(convert::make_non_resident(&file.volume, &data, &value))?;
            file.check()?;
            file.sync()?;
            for found in [&file, &file.after_power_cut()?] {
                for name in ["a", "b", "c", "d", "e", "f"] {
                    assert!(found.has(name, &content(1, 80)?)?);
                }
                found.check()?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_stream_of_windows_in_several_records_is_replaced_whole() -> Result {
        let sample = Sample::sharing()?;
        let file = Streamed::from(sample);
        file.set("a", &content(1, 300)?)?;
        file.set("b", &content(2, 3000)?)?;
        file.check()?;
        file.sync()?;
        assert!(file.remove("a")? && file.remove("b")?);
        let (records, _) = file.check()?;
        assert_eq!(records, 2);
        Ok(())
    }

    #[test]
    fn one_of_two_streams_in_a_record_goes_without_the_other() -> Result {
        for is_synced in [false, true] {
            let file = Streamed::full(0x60)?;
            for name in ["a", "b", "c"] {
                file.set(name, &content(1, 200)?)?;
            }
            let (records, _) = file.check()?;
            assert_eq!(records, 2);
            if is_synced {
                file.sync()?;
            }
            assert!(file.remove("b")?);
            assert_eq!(file.check()?.0, 2);
            file.set("a", &content(2, 220)?)?;
            file.set("d", &content(3, 150)?)?;
            file.check()?;
            file.sync()?;
            let found = file.after_power_cut()?;
            found.check()?;
            assert!(found.has("a", &content(2, 220)?)? && found.has("c", &content(1, 200)?)?);
            assert!(found.has("d", &content(3, 150)?)? && found.get("b")?.is_none());
        }
        Ok(())
    }

    #[test]
    fn the_name_that_a_stream_has_is_kept_where_case_does_not_matter() -> Result {
        let file = Streamed::small()?;
        file.set("Name", b"1")?;
        let set = |name: &str, value: &[u8]| -> Result {
            let name = units(name)?;
            let mode = CaseMode::Ignore;
            plain(stream_update::set(
                &file.volume,
                &file.inode,
                &name,
                mode,
                value,
            ))
        };
        set("NAME", b"2")?;
        assert!(file.has("Name", b"2")? && file.count()? == 1);
        file.set("NAME", b"3")?;
        assert_eq!(file.count()?, 2);
        set("NAME", b"4")?;
        set("name", b"5")?;
        assert!(file.has("NAME", b"4")? || file.has("NAME", b"5")?);
        file.check()?;
        let (name, mode) = (units("nAME")?, CaseMode::Ignore);
        assert!(plain(stream_update::remove(
            &file.volume,
            &file.inode,
            &name,
            mode
        ))?);
        assert_eq!(file.count()?, 1);
        Ok(())
    }

    #[test]
    fn the_unnamed_stream_is_no_named_one() -> Result {
        let file = Streamed::small()?;
        assert!(!file.remove("")?);
        assert!(matches!(file.try_set("", b"x"), Err(Error::Unsupported(_))));
        assert_eq!(file.inode.size().get(), 20);
        Ok(())
    }

    #[test]
    fn names_are_those_that_windows_takes() -> Result {
        for (name, expected) in [
            ("a", true),
            ("", false),
            ("with space.and ümlaut", true),
            ("a/b", false),
            ("a:b", false),
            ("a\0b", false),
        ] {
            assert_eq!(is_name(&units(name)?), expected);
        }
        let long = KVec::from_elem(u16::from(b'x'), 256, GFP_KERNEL)?;
        assert!(!is_name(&long) && is_name(long.get(..255).ok_or(EINVAL)?));
        Ok(())
    }

    #[test]
    fn what_has_to_be_coded_is_refused() -> Result {
        let encrypted = Clusters {
            name: "e",
            flags: 0x4000,
            id: 2,
            highest_vcn: 0,
            allocated: CLUSTER as u64,
            data: 10,
            initialized: 10,
            mapping_pairs: &[0x11, 1, 0x10, 0],
            ..Clusters::DATA
        };
        let file = Streamed::with_streams(&[&encrypted.to_bytes()?])?;
        assert_eq!(file.try_set("e", b"plain"), Err(Error::Encrypted));
        file.set("f", b"plain")?;
        assert!(file.remove("e")?);
        Ok(())
    }

    #[test]
    fn what_wof_has_compressed_is_not_changed() -> Result {
        let mut point = [0; 24];
        put(&mut point, 0, &0x8000_0017_u32.to_le_bytes());
        put(&mut point, 4, &[16]);
        put(&mut point, 8, &[1, 0, 0, 0, 2, 0, 0, 0, 1]);
        let point = resident(0xc0, "", 6, &point)?;
        let hidden = resident(0x80, "WofCompressedData", 2, b"unnamed")?;
        let file = Streamed::with_streams(&[&hidden, &point])?;
        for name in ["WofCompressedData", "wofcompresseddata"] {
            assert!(matches!(
                file.try_set(name, b"x"),
                Err(Error::Unsupported(_))
            ));
            assert!(matches!(file.try_remove(name), Err(Error::Unsupported(_))));
        }
        for name in ["a", "b", "c", "d", "e"] {
            file.set(name, &content(1, 180)?)?;
        }
        file.check()?;
        assert_eq!(file.count()?, 5);
        Ok(())
    }

    #[test]
    fn ids_come_again_when_many_were_given_out() -> Result {
        for next_id in [0x6ffe, 0x6fff, 0x7000, 0xfffe, 0xffff] {
            let file = Streamed::with_next_id(&[], next_id)?;
            for turn in 0..12 {
                for name in ["a", "b", "c"] {
                    file.set(name, &content(turn, 200)?)?;
                    file.set(name, &content(turn, 30)?)?;
                }
                // With a list.
                file.set("long", &content(turn, 500)?)?;
                file.set("longer", &content(turn, 700)?)?;
                file.check()?;
                for name in ["b", "a", "long", "c", "longer"] {
                    assert!(file.remove(name)?);
                }
            }
            file.check()?;
        }
        Ok(())
    }
}
