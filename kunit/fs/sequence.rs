// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `Attribute::sequence`: who has looked up a place, and locks its folio only then, sees by it that
//! the place is another one now.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_sequence))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            convert,
            resize, //
        },
        kunit::fs::{
            disk::{
                plain,
                CLUSTER, //
            },
            sample::{
                bytes,
                offset,
                Sample, //
            },
        },
    };
    use kernel::prelude::*;

    const C: u64 = CLUSTER as u64;

    type Step = fn(&Sample) -> Result;

    /// Each step makes the places stale that were looked up before it.
    fn each_is_seen(sample: &Sample, steps: &[(&str, Step)]) -> Result {
        for (name, step) in steps {
            let before = sample.data.sequence();
            step(sample)?;
            if sample.data.sequence() == before {
                pr_err!("not seen: {}\n", name);
                return Err(EINVAL);
            }
        }
        Ok(())
    }

    #[test]
    fn every_change_of_a_place_is_seen() -> Result {
        let steps: &[(&str, Step)] = &[
            ("a promise", |sample| sample.reserve(2 * C, 3 * C).map(drop)),
            ("a promise taken back", |sample| sample.unreserve(4 * C, C)),
            ("data on its way", |sample| sample.allocate(2 * C).map(drop)),
            ("data that arrived", |sample| sample.written(2 * C, C)),
            ("data that did not arrive", |sample| sample.lost(3 * C, C)),
            ("a hole", |sample| sample.punch(0, C)),
            ("clusters without data", |sample| {
                let (at, length) = (offset(8 * C), bytes(C));
                plain(resize::preallocate(
                    &sample.volume,
                    &sample.data,
                    at,
                    length,
                ))
            }),
            ("a part taken out", |sample| {
                let (at, length) = (offset(C), bytes(C));
                plain(resize::collapse_range(
                    &sample.volume,
                    &sample.data,
                    at,
                    length,
                ))
            }),
            ("room put in", |sample| {
                let (at, length) = (offset(C), bytes(C));
                plain(resize::insert_range(
                    &sample.volume,
                    &sample.data,
                    at,
                    length,
                ))
            }),
            ("a larger size", |sample| sample.set_size(12 * C)),
            ("a smaller size", |sample| sample.set_size(C)),
            ("no byte", |sample| sample.set_size(0)),
            ("the way to clusters", |sample| {
                plain(convert::make_non_resident(
                    &sample.volume,
                    &sample.data,
                    b"again",
                ))
            }),
        ];
        each_is_seen(&Sample::sparse()?, steps)
    }

    #[test]
    fn a_look_and_a_record_change_no_place() -> Result {
        let sample = Sample::sparse()?;
        sample.at(0)?;
        let before = sample.data.sequence();
        sample.at(2 * C)?;
        assert!(sample.is_full_of(2, 0)?);
        sample.reserve(0, C)?;
        sample.save()?;
        assert_eq!(sample.data.sequence(), before);
        Ok(())
    }
}
