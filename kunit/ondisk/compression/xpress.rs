// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::compression::xpress`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_xpress))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::compression::{
        words,
        BitWriter,
        XPRESS, //
    };
    use crate::ondisk::{
        compression::xpress::*,
        error::Malformed, //
    };
    use kernel::prelude::*;

    /// The lengths of the codes of these symbols.
    fn lengths(symbols: &[(usize, u8)]) -> [u8; 512] {
        let mut lengths = [0; 512];
        for (symbol, length) in symbols {
            lengths[*symbol] = *length;
        }
        lengths
    }

    /// A writer behind the lengths.
    fn begin(lengths: &[u8; 512]) -> Result<BitWriter> {
        let mut packed = [0; 256];
        for (byte, pair) in packed.iter_mut().zip(lengths.chunks(2)) {
            *byte = pair[0] | (pair[1] << 4);
        }
        BitWriter::new(&packed)
    }

    /// Three bytes and one match, two bits each.
    fn with_match(symbol: usize) -> [u8; 512] {
        lengths(&[(97, 2), (98, 2), (99, 2), (symbol, 2)])
    }

    fn decode(input: &[u8], out: &mut [u8]) -> Result<core::result::Result<(), Malformed>> {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        Ok(decompress(input, out, &mut work[0]))
    }

    /// What is wrong with a chunk, and where.
    fn refused(input: &[u8], length: usize) -> Result<Option<(&'static str, usize)>> {
        let mut out = KVec::from_elem(0, length, GFP_KERNEL)?;
        let result = decode(input, &mut out)?;
        Ok(result.err().map(|error| (error.what, error.at)))
    }

    #[test]
    fn a_chunk_of_wimlib_is_decoded_and_no_less_of_it() -> Result {
        let text = words(1000)?;
        let mut out = KVec::from_elem(0, 1000, GFP_KERNEL)?;
        assert_eq!(decode(XPRESS, &mut out)?, Ok(()));
        assert!(out[..] == text[..]);
        // The end has a mark, and words that are taken early, all of which may be left out.
        for length in 0..XPRESS.len() {
            if decode(&XPRESS[..length], &mut out)?.is_ok() {
                assert!(length + 4 >= XPRESS.len());
                assert!(out[..] == text[..]);
            }
        }
        Ok(())
    }

    #[test]
    fn the_memory_needs_no_clearing() -> Result {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        let mut out = KVec::from_elem(0, 1000, GFP_KERNEL)?;
        assert!(decompress(&[0xff; 300], &mut out, &mut work[0]).is_err());
        for _ in 0..2 {
            assert_eq!(decompress(XPRESS, &mut out, &mut work[0]), Ok(()));
            assert!(out[..] == words(1000)?[..]);
        }
        Ok(())
    }

    #[test]
    fn each_width_of_a_distance_is_read() -> Result {
        for width in 0..=11_u32 {
            for distance in [
                1 << width,
                (1 << width) + (1 << width) / 2,
                (2 << width) - 1_usize,
            ] {
                let symbol = 256 + (width as usize) * 16 + 2;
                let lengths = with_match(symbol);
                let mut writer = begin(&lengths)?;
                let mut text = KVec::new();
                for at in 0..distance + 3 {
                    let byte = 97 + at * at % 3;
                    writer.symbol(&lengths, byte)?;
                    text.push(byte as u8, GFP_KERNEL)?;
                }
                writer.symbol(&lengths, symbol)?;
                writer.bits(distance as u32, width)?;
                writer.symbol(&lengths, 98)?;
                for _ in 0..5 {
                    text.push(text[text.len() - distance], GFP_KERNEL)?;
                }
                text.push(98, GFP_KERNEL)?;
                let input = writer.finish();
                let mut out = KVec::from_elem(0, text.len(), GFP_KERNEL)?;
                assert_eq!(decode(&input, &mut out)?, Ok(()));
                assert!(out[..] == text[..]);
            }
        }
        Ok(())
    }

    #[test]
    fn each_form_of_a_length_is_read() -> Result {
        for length in [3, 4, 17, 18, 19, 272, 273, 300, 4000] {
            let short = (length - 3).min(15);
            // Distance 2 or 3: a bit behind the symbol.
            let symbol = 256 + 16 + short;
            let lengths = with_match(symbol);
            for literals in 3..20 {
                let mut writer = begin(&lengths)?;
                let mut text = KVec::new();
                for at in 0..literals {
                    writer.symbol(&lengths, 97 + at % 3)?;
                    text.push((97 + at % 3) as u8, GFP_KERNEL)?;
                }
                writer.symbol(&lengths, symbol)?;
                if short == 15 && length - 18 < 255 {
                    writer.bytes(&[(length - 18) as u8])?;
                } else if short == 15 {
                    writer.bytes(&[255])?;
                    writer.bytes(&(length as u16 - 3).to_le_bytes())?;
                }
                writer.bits(1, 1)?;
                writer.symbol(&lengths, 99)?;
                for _ in 0..length {
                    text.push(text[text.len() - 3], GFP_KERNEL)?;
                }
                text.push(99, GFP_KERNEL)?;
                let input = writer.finish();
                let mut out = KVec::from_elem(0, text.len(), GFP_KERNEL)?;
                assert_eq!(decode(&input, &mut out)?, Ok(()));
                assert!(out[..] == text[..]);
            }
        }
        Ok(())
    }

    #[test]
    fn codes_longer_than_the_table_are_decoded() -> Result {
        // Lengths 1 to 14, and two of 15.
        let mut all = [0; 512];
        for (symbol, length) in (0..16_usize).zip(1_u8..) {
            all[symbol * 7] = length.min(15);
        }
        let mut writer = begin(&all)?;
        for at in 0..32_usize {
            let symbol = at.min(31 - at);
            writer.symbol(&all, symbol * 7)?;
        }
        let input = writer.finish();
        let mut out = [0; 32];
        assert_eq!(decode(&input, &mut out)?, Ok(()));
        for (at, byte) in out.iter().enumerate() {
            assert_eq!(usize::from(*byte), at.min(31 - at) * 7);
        }
        Ok(())
    }

    #[test]
    fn sets_that_are_no_code_are_refused() -> Result {
        let cases: [(&[(usize, u8)], &str); 5] = [
            (&[(97, 1)], "incomplete Huffman code"),
            (&[(97, 15)], "incomplete Huffman code"),
            (&[(97, 1), (98, 2)], "incomplete Huffman code"),
            (&[(97, 1), (98, 1), (99, 15)], "oversubscribed Huffman code"),
            (&[(97, 1), (98, 1), (99, 1)], "oversubscribed Huffman code"),
        ];
        for (symbols, what) in cases {
            let mut input = begin(&lengths(symbols))?.finish();
            input.extend_from_slice(&[0; 16], GFP_KERNEL)?;
            assert_eq!(refused(&input, 4)?, Some((what, 0)));
        }
        // Without any symbol nothing can be decoded, which is enough for nothing.
        let input = begin(&lengths(&[]))?.finish();
        assert_eq!(refused(&input, 0)?, None);
        let what = "XPRESS code without a symbol";
        assert_eq!(refused(&input, 1)?, Some((what, 258)));
        Ok(())
    }

    #[test]
    fn broken_chunks_are_refused() -> Result {
        let what = "lengths of the XPRESS codes cut off";
        for length in [0, 1, 255] {
            assert_eq!(refused(&XPRESS[..length], 1)?, Some((what, 0)));
        }
        let cut = "compressed chunk cut off";
        assert_eq!(refused(&XPRESS[..256], 1)?, Some((cut, 256)));

        let symbol = 256 + 16 + 15;
        let all = with_match(symbol);
        let begun = |bytes: &[u8]| -> Result<BitWriter> {
            let mut writer = begin(&all)?;
            writer.symbol(&all, 97)?;
            writer.symbol(&all, 98)?;
            writer.symbol(&all, symbol)?;
            writer.bytes(bytes)?;
            writer.bits(0, 1)?;
            Ok(writer)
        };
        // Two back, and 18, 272 or 273 bytes long.
        for (bytes, length) in [
            (&[0][..], 18),
            (&[254], 272),
            (&[255, 15, 0], 18),
            (&[255, 14, 1], 273),
        ] {
            let input = begun(bytes)?.finish();
            assert_eq!(refused(&input, 2 + length)?, None);
            let what = "match beyond the end of its block";
            assert_eq!(
                refused(&input, 1 + length)?,
                Some((what, 260 + bytes.len()))
            );
        }
        let what = "XPRESS length that needs no word";
        for short in [0, 14] {
            let input = begun(&[255, short, 0])?.finish();
            assert_eq!(refused(&input, 20)?, Some((what, 263)));
        }
        // A length that is cut off.
        for bytes in [&[][..], &[255], &[255, 15]] {
            assert_eq!(
                refused(&begun(bytes)?.finish(), 20)?,
                Some((cut, 260 + bytes.len()))
            );
        }
        // Further back than there is anything.
        for (literals, far) in [(0, 0), (1, 0), (2, 1)] {
            let mut writer = begin(&all)?;
            for _ in 0..literals {
                writer.symbol(&all, 97)?;
            }
            writer.symbol(&all, symbol)?;
            writer.bytes(&[0])?;
            writer.bits(far, 1)?;
            let what = "match before the begin of its chunk";
            assert_eq!(refused(&writer.finish(), 40)?, Some((what, 261)));
        }
        Ok(())
    }
}
