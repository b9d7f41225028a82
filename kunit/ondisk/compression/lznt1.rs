// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::compression::lznt1` and of its way there.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_lznt1))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        compression::{
            noise,
            words, //
        },
        put,
    };
    use crate::ondisk::compression::{
        lznt1::*,
        lznt1_compress::{
            compress,
            Work, //
        },
    };
    use kernel::prelude::*;

    /// A unit with one compressed chunk of these tokens.
    fn chunk(tokens: &[u8]) -> Result<KVec<u8>> {
        let mut unit = KVec::new();
        let header = 0xb000 | (tokens.len() as u16 - 1);
        unit.extend_from_slice(&header.to_le_bytes(), GFP_KERNEL)?;
        unit.extend_from_slice(tokens, GFP_KERNEL)?;
        Ok(unit)
    }

    /// What a unit becomes in a buffer that is not clean.
    fn decoded(unit: &[u8], length: usize) -> Result<KVec<u8>> {
        let mut out = KVec::from_elem(0xaa, length, GFP_KERNEL)?;
        decompress(unit, &mut out).map_err(|_| EINVAL)?;
        Ok(out)
    }

    /// Where a unit is refused.
    fn refused(unit: &[u8], length: usize) -> Result<Option<usize>> {
        let mut out = KVec::from_elem(0, length, GFP_KERNEL)?;
        Ok(decompress(unit, &mut out).err().map(|error| error.at))
    }

    /// Encodes with so much room, and sees that it is decoded to the same; how many bytes it took.
    fn round_trip(unit: &[u8], room: usize, work: &mut Work) -> Result<Option<usize>> {
        let mut out = KVec::from_elem(0xaa, room, GFP_KERNEL)?;
        let Some(length) = compress(unit, &mut out, work) else {
            return Ok(None);
        };
        assert!(length <= room);
        assert!(out[length..].iter().all(|byte| *byte == 0));
        // With the zeros of its last cluster, and without.
        assert!(decoded(&out, unit.len())?[..] == *unit);
        assert!(decoded(&out[..length], unit.len())?[..] == *unit);
        Ok(Some(length))
    }

    #[test]
    fn the_example_of_the_description_is_decoded() -> Result {
        // [MS-XCA] 3.3.
        const UNIT: &[u8] = b"\x38\xb0\x88\x46\x23\x20\x00\x20\x47\x20\x41\x00\x10\xa2\x47\x01\xa0\x45\x20\x44\
            \x00\x08\x45\x01\x50\x79\x00\xc0\x45\x20\x05\x24\x13\x88\x05\xb4\x02\x4a\x44\xef\x03\x58\x02\x8c\x09\x16\
            \x01\x48\x45\x00\xbe\x00\x9e\x00\x04\x01\x18\x90\x00";
        const TEXT: &[u8] =
            b"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# \
            D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
        assert!(decoded(UNIT, TEXT.len())?[..] == *TEXT);
        Ok(())
    }

    #[test]
    fn a_chunk_may_be_plain_and_the_rest_is_zero() -> Result {
        let content = noise(CHUNK, 1)?;
        let mut unit = KVec::new();
        unit.extend_from_slice(&[0xff, 0x3f], GFP_KERNEL)?;
        unit.extend_from_slice(&content, GFP_KERNEL)?;
        // Nothing, half a header, a header that ends it, and what is behind that.
        for end in [&[][..], &[0], &[0, 0], &[0, 0, 7, 7, 7]] {
            let mut unit = {
                let mut copy = KVec::new();
                copy.extend_from_slice(&unit, GFP_KERNEL)?;
                copy
            };
            unit.extend_from_slice(end, GFP_KERNEL)?;
            let out = decoded(&unit, 4 * CHUNK)?;
            assert!(out[..CHUNK] == content[..]);
            assert!(out[CHUNK..].iter().all(|byte| *byte == 0));
        }
        // A full unit needs no end, and what follows is not looked at.
        unit.extend_from_slice(b"\xff\xff\xff", GFP_KERNEL)?;
        assert!(decoded(&unit, CHUNK)?[..] == content[..]);
        assert_eq!(refused(&unit, 2 * CHUNK)?, Some(CHUNK + 2));
        Ok(())
    }

    #[test]
    fn flags_without_a_token_are_no_error() -> Result {
        let unit = chunk(b"\x00abcdefgh\xff")?;
        assert!(decoded(&unit, CHUNK)?[..9] == *b"abcdefgh\0");
        Ok(())
    }

    #[test]
    fn each_distance_and_length_is_copied() -> Result {
        let pattern = b"0123456789abcdef";
        for distance in 1..=16_usize {
            for length in 3..=40_usize {
                let mut tokens = KVec::new();
                tokens.extend_from_slice(&[0], GFP_KERNEL)?;
                tokens.extend_from_slice(&pattern[..8], GFP_KERNEL)?;
                tokens.extend_from_slice(&[0], GFP_KERNEL)?;
                tokens.extend_from_slice(&pattern[8..], GFP_KERNEL)?;
                let token = (((distance - 1) << 12) | (length - 3)) as u16;
                tokens.extend_from_slice(&[1], GFP_KERNEL)?;
                tokens.extend_from_slice(&token.to_le_bytes(), GFP_KERNEL)?;
                let unit = chunk(&tokens)?;
                // With room behind it, and with none.
                for room in [CHUNK, 16 + length] {
                    let out = decoded(&unit, room)?;
                    assert!(out[..16] == pattern[..]);
                    for at in 16..16 + length {
                        assert_eq!(out[at], out[at - distance]);
                    }
                    assert!(out[16 + length..].iter().all(|byte| *byte == 0));
                }
                assert_eq!(refused(&unit, 16 + length - 1)?, Some(2 + 19));
            }
        }
        Ok(())
    }

    #[test]
    fn broken_units_are_refused_with_their_place() -> Result {
        let cases = [
            // Half a header, and chunks that are cut off.
            (KVec::from_elem(0x38, 1, GFP_KERNEL)?, 0),
            (chunk(b"\x00ab")?, 0),
            // A match at the begin, one that begins before it, a token that is cut off.
            (chunk(b"\x01\x00\x00")?, 3),
            (chunk(b"\x02a\x00\x10")?, 4),
            (chunk(b"\x02a\x00")?, 4),
            // A match beyond the end.
            (chunk(b"\x02a\xff\x0f")?, 4),
        ];
        for (number, (mut unit, at)) in cases.into_iter().enumerate() {
            if number == 1 {
                unit.truncate(4);
            }
            assert_eq!(refused(&unit, CHUNK)?, Some(at));
        }
        // Another signature.
        let mut unit = chunk(b"\x00a")?;
        for header in [0x8001_u16, 0xa001, 0xf001, 0x0001, 0x4001] {
            put(&mut unit, 0, &header.to_le_bytes());
            assert_eq!(refused(&unit, CHUNK)?, Some(0));
        }
        // A plain chunk that is too short.
        put(&mut unit, 0, &0x3001_u16.to_le_bytes());
        assert_eq!(refused(&unit, CHUNK)?, Some(0));
        assert_eq!(refused(&unit, 2)?, None);
        // Bytes after the chunk is full, in a group of bytes only and in another one.
        let mut tokens = KVec::new();
        tokens.extend_from_slice(b"\x02a\xfc\x0f", GFP_KERNEL)?;
        assert!(decoded(&chunk(&tokens)?, CHUNK)?
            .iter()
            .all(|byte| *byte == b'a'));
        tokens.extend_from_slice(b"b", GFP_KERNEL)?;
        assert_eq!(refused(&chunk(&tokens)?, CHUNK)?, Some(6));
        assert_eq!(refused(&chunk(b"\x00abcdefghi")?, 8)?, None);
        assert_eq!(refused(&chunk(b"\x00abcdefgh\x00i")?, 8)?, Some(12));
        assert_eq!(refused(&chunk(b"\x00abcdefgh")?, 7)?, Some(10));
        Ok(())
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() -> Result {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        let work = &mut work[0];
        for length in [512, 1024, 2048, 4096, 8192, 65536] {
            let text = words(length)?;
            let small = round_trip(&text, length, work)?;
            assert!(small.is_some_and(|small| small < length - length / 4));
            let zeros = KVec::from_elem(0, length, GFP_KERNEL)?;
            let chunks = length.div_ceil(CHUNK);
            assert_eq!(round_trip(&zeros, length, work)?, Some(6 * chunks));
            // With less room than it needs there is nothing.
            assert_eq!(round_trip(&zeros, 6 * chunks, work)?, Some(6 * chunks));
            assert_eq!(round_trip(&zeros, 6 * chunks - 1, work)?, None);
            let plain = noise(length, length as u32)?;
            let large = length + 2 * chunks;
            assert_eq!(round_trip(&plain, length, work)?, None);
            assert_eq!(round_trip(&plain, large, work)?, Some(large));
        }
        Ok(())
    }

    #[test]
    fn a_chunk_that_does_not_shrink_is_plain_among_others() -> Result {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        let mut unit = words(CHUNK)?;
        unit.extend_from_slice(&noise(CHUNK, 5)?, GFP_KERNEL)?;
        unit.extend_from_slice(&words(CHUNK)?, GFP_KERNEL)?;
        let mut out = KVec::from_elem(0, unit.len(), GFP_KERNEL)?;
        let used = compress(&unit, &mut out, &mut work[0]).ok_or(EINVAL)?;
        let first = usize::from(u16::from_le_bytes([out[0], out[1]]) & 0xfff) + 3;
        assert_eq!(out[first..first + 2], [0xff, 0x3f]);
        assert_eq!(used, 2 * first + CHUNK + 2);
        assert!(decoded(&out[..used], unit.len())?[..] == unit[..]);
        Ok(())
    }

    #[test]
    fn a_match_is_found_at_each_place_of_the_chunk() -> Result {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        let (text, noise) = (words(CHUNK)?, noise(16, 9)?);
        // Sixteen bytes that were there before, near and far, around each change of the division.
        for power in 4..=12_usize {
            for near in 0..6_usize {
                let place = (1 << power) + near - 3;
                for from in [0, 1, place / 2, place - 3] {
                    let mut unit = KVec::new();
                    unit.extend_from_slice(&text, GFP_KERNEL)?;
                    put(&mut unit, from, &noise);
                    for at in place..(place + 16).min(CHUNK) {
                        unit[at] = unit[at - (place - from)];
                    }
                    let length = round_trip(&unit, CHUNK, &mut work[0])?;
                    assert!(length.is_some());
                }
            }
        }
        Ok(())
    }

    #[test]
    fn an_empty_unit_is_nothing() -> Result {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        assert_eq!(compress(&[], &mut [], &mut work[0]), Some(0));
        assert!(decompress(b"\xff", &mut []).is_ok());
        Ok(())
    }
}
