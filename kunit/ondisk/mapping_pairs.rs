// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::mapping_pairs`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_mapping_pairs)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::{
        error::Malformed,
        mapping_pairs::*,
        units::{
            ClusterCount,
            Lcn,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    const VOLUME: ClusterCount = ClusterCount::new(0x1_0000_0000);

    fn run(vcn: u64, lcn: Option<u64>, length: u64) -> Run {
        Run {
            vcn: Vcn::new(vcn),
            lcn: lcn.map(Lcn::new),
            length: ClusterCount::new(length),
        }
    }

    /// Decodes a part that covers the VCNs from `lowest` up to but without `end`.
    fn decode_part(
        pairs: &[u8],
        lowest: u64,
        end: u64,
    ) -> Result<core::result::Result<KVec<Run>, Malformed>> {
        let highest = (lowest != end).then(|| Vcn::new(end - 1));
        let mut runs = KVec::new();
        for run in decode(pairs, Vcn::new(lowest), highest, VOLUME) {
            match run {
                Ok(run) => runs.push(run, GFP_KERNEL)?,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(runs))
    }

    #[test]
    fn runs_are_decoded_and_encoded() -> Result {
        // Mapping pairs as Windows writes them, and what they mean.
        let cases: [(&[u8], &[Run]); 8] = [
            (&[0], &[]),
            (&[0x11, 0x02, 0x20, 0], &[run(0, Some(0x20), 2)]),
            (
                // Forward, back, and back to the start of the volume.
                &[0x11, 0x01, 0x20, 0x11, 0x02, 0xf0, 0x11, 0x03, 0xf0, 0],
                &[
                    run(0, Some(0x20), 1),
                    run(1, Some(0x10), 2),
                    run(3, Some(0), 3),
                ],
            ),
            (
                // A hole does not move the place that the next distance is counted from.
                &[0x11, 0x01, 0x20, 0x01, 0x40, 0x11, 0x01, 0x05, 0],
                &[
                    run(0, Some(0x20), 1),
                    run(1, None, 0x40),
                    run(0x41, Some(0x25), 1),
                ],
            ),
            (
                // 0x80 needs a second byte, or it would be negative.
                &[0x22, 0x80, 0x00, 0x80, 0x00, 0],
                &[run(0, Some(0x80), 0x80)],
            ),
            (
                &[0x42, 0x00, 0x40, 0x00, 0x00, 0x00, 0x40, 0],
                &[run(0, Some(0x4000_0000), 0x4000)],
            ),
            (
                &[0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0],
                &[run(0, None, 0x4000_0000_0000)],
            ),
            (
                &[0x01, 0x01, 0x01, 0x01, 0],
                &[run(0, None, 1), run(1, None, 1)],
            ),
        ];
        for (pairs, runs) in cases {
            let end = runs.iter().map(|run| run.length.get()).sum();
            let decoded = decode_part(pairs, 0, end)?.map_err(|_| EINVAL)?;
            assert_eq!(&decoded[..], runs);

            let mut encoded = [0xee; 64];
            let length = encode(runs.iter().copied(), &mut encoded).ok_or(EINVAL)?;
            assert_eq!(encoded.get(..length), Some(pairs));
        }
        Ok(())
    }

    #[test]
    fn longer_numbers_than_needed_are_read() -> Result {
        let pairs = [0x88, 2, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0];
        let decoded = decode_part(&pairs, 0, 2)?.map_err(|_| EINVAL)?;
        assert_eq!(&decoded[..], &[run(0, Some(0x20), 2)]);
        Ok(())
    }

    #[test]
    fn a_later_part_begins_at_its_lowest_vcn() -> Result {
        let decoded = decode_part(&[0x11, 4, 0x20, 0], 100, 104)?.map_err(|_| EINVAL)?;
        assert_eq!(&decoded[..], &[run(100, Some(0x20), 4)]);
        Ok(())
    }

    #[test]
    fn the_end_of_the_attribute_ends_the_runs_as_well() -> Result {
        let decoded = decode_part(&[0x11, 4, 0x20], 0, 4)?.map_err(|_| EINVAL)?;
        assert_eq!(decoded.len(), 1);
        Ok(())
    }

    #[test]
    fn a_hole_of_nt4_is_a_hole() -> Result {
        let decoded = decode_part(&[0x11, 4, 0xff, 0], 0, 4)?.map_err(|_| EINVAL)?;
        assert_eq!(&decoded[..], &[run(0, None, 4)]);
        Ok(())
    }

    #[test]
    fn a_single_part_may_leave_its_highest_vcn_zero() {
        let pairs = [0x11, 4, 0x20, 0];
        let mut runs = decode(&pairs, Vcn::new(0), Some(Vcn::new(0)), VOLUME);
        assert_eq!(runs.next(), Some(Ok(run(0, Some(0x20), 4))));
        assert_eq!(runs.next(), None);
    }

    #[test]
    fn broken_pairs_are_refused() -> Result {
        let long = 0x7f_ffff_ffff_ffff;
        // The pairs, and where the part has to end.
        let cases: [(&[u8], u64); 19] = [
            // No length, a negative one, and zero.
            (&[0x10, 0x20, 0], 4),
            (&[0x11, 0xff, 0x20, 0], 4),
            (&[0x11, 0x00, 0x20, 0], 4),
            // Numbers of more than 8 bytes.
            (&[0x19, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0], 4),
            (&[0x91, 4, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0], 4),
            (&[0xff; 32], 4),
            // Cut off in the length, and in the place.
            (&[0x12, 4], 4),
            (&[0x21, 4, 0x20], 4),
            (&[0x11], 4),
            // More and fewer clusters than the attribute has.
            (&[0x11, 5, 0x20, 0], 4),
            (&[0x11, 3, 0x20, 0], 4),
            (&[0x11, 4, 0x20, 0x11, 1, 1, 0], 4),
            (&[0], 4),
            (&[], 4),
            (&[0x11, 1, 0x20, 0], 0),
            // Before the volume, across its end, and beyond it.
            (&[0x11, 4, 0xfe, 0], 4),
            (&[0x51, 4, 0xfd, 0xff, 0xff, 0xff, 0x00, 0], 4),
            (&[0x51, 4, 0x00, 0x00, 0x00, 0x00, 0x01, 0], 4),
            (
                &[0x81, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0],
                4,
            ),
        ];
        for (pairs, end) in cases {
            assert!(decode_part(pairs, 0, end)?.is_err());
        }
        // The sum of two places, and of two lengths, overflows.
        let maximum = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let mut places = KVec::new();
        places.extend_from_slice(&[0x11, 1, 1, 0x81, 1], GFP_KERNEL)?;
        places.extend_from_slice(&maximum, GFP_KERNEL)?;
        assert!(decode_part(&places, 0, 2)?.is_err());
        let mut lengths = KVec::new();
        lengths.extend_from_slice(&[0x01, 1, 0x08], GFP_KERNEL)?;
        lengths.extend_from_slice(&maximum, GFP_KERNEL)?;
        assert!(decode_part(&lengths, 0, long)?.is_err());
        let runs = decode(&lengths, Vcn::new(0), Some(Vcn::new(0)), VOLUME);
        assert!(runs.last().is_some_and(|run| run.is_err()));
        Ok(())
    }

    #[test]
    fn the_last_cluster_of_the_volume_may_be_used() -> Result {
        let pairs = [0x51, 4, 0xfc, 0xff, 0xff, 0xff, 0x00, 0];
        let decoded = decode_part(&pairs, 0, 4)?.map_err(|_| EINVAL)?;
        assert_eq!(&decoded[..], &[run(0, Some(0xffff_fffc), 4)]);
        Ok(())
    }

    #[test]
    fn nothing_comes_after_an_error() {
        let pairs = [0x11, 0x00, 0x20, 0x11, 4, 0x20, 0];
        let mut runs = decode(&pairs, Vcn::new(0), Some(Vcn::new(3)), VOLUME);
        assert!(runs.next().is_some_and(|run| run.is_err()));
        assert!(runs.next().is_none());
        assert!(runs.next().is_none());
    }

    #[test]
    fn runs_that_do_not_fit_are_not_encoded() {
        let runs = [run(0, Some(0x20), 2)];
        for room in 0..4 {
            let mut out = [0; 4];
            let out = out.get_mut(..room).unwrap_or(&mut []);
            assert_eq!(encode(runs, out), None);
        }
        assert_eq!(encode(runs, &mut [0; 4]), Some(4));
        assert_eq!(encode([run(0, None, u64::MAX)], &mut [0; 32]), None);
    }

    #[test]
    fn numbers_of_every_size_survive_a_round_trip() -> Result {
        for bits in 0..62 {
            for length in [1_u64 << bits, (1 << bits) + 1, (2 << bits) - 1] {
                let runs = [run(0, None, length), run(length, Some(bits), 1)];
                let mut out = [0; 32];
                let size = encode(runs, &mut out).ok_or(EINVAL)?;
                let pairs = out.get(..size).unwrap_or(&[]);
                let decoded = decode_part(pairs, 0, length + 1)?.map_err(|_| EINVAL)?;
                assert_eq!(&decoded[..], &runs);
            }
        }
        Ok(())
    }

    #[test]
    fn as_many_runs_are_encoded_as_there_is_room_for() -> Result {
        let runs = [
            run(0, Some(0x20), 2),
            run(2, None, 4),
            run(6, Some(0x10), 1),
        ];
        // Pairs of 3, 2 and 3 bytes, and a zero behind those that are there.
        for (room, encoded, first_left) in [
            (4, 4, Some(2)),
            (5, 4, Some(2)),
            (6, 6, Some(6)),
            (9, 9, None),
        ] {
            let mut out = [0xff; 9];
            let out = out.get_mut(..room).unwrap_or(&mut []);
            let mut left = runs.into_iter().peekable();
            assert_eq!(encode_first(&mut left, out), Some(encoded));
            assert_eq!(out.get(encoded - 1), Some(&0));
            assert_eq!(left.peek().map(|run| run.vcn.get()), first_left);
            // What is left begins anew: its first place is no distance.
            let mut rest = [0; 16];
            if first_left.is_some() {
                let size = encode_first(&mut left, &mut rest).ok_or(EINVAL)?;
                let pairs = rest.get(..size).unwrap_or(&[]);
                let start = first_left.unwrap_or(0);
                let found = decode(pairs, Vcn::new(start), Some(Vcn::new(6)), VOLUME);
                assert_eq!(found.last(), Some(Ok(run(6, Some(0x10), 1))));
            }
        }
        let mut left = runs.into_iter().peekable();
        assert_eq!(encode_first(&mut left, &mut [0; 3]), None);
        Ok(())
    }
}
