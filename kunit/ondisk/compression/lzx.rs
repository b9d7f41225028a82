// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::compression::lzx`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_lzx))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        compression::{
            words,
            BitWriter,
            LZX, //
        },
        put,
    };
    use crate::ondisk::{
        compression::lzx::*,
        error::Malformed, //
    };
    use kernel::prelude::*;

    /// Lengths of the code of the lengths: a complete one in which each symbol can be had.
    const OF_LENGTHS: [u8; 20] = [4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 2, 3, 4];

    /// Lengths of the code of low bits of distances.
    const OF_LOW_BITS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 7];

    /// Slots and lengths of the matches that the main code of the tests has, beside four bytes.
    const MATCHES: [(usize, usize); 12] = [
        (0, 0),
        (0, 7),
        (1, 0),
        (2, 0),
        (3, 0),
        (3, 7),
        (4, 1),
        (5, 0),
        (6, 2),
        (8, 0),
        (9, 3),
        (10, 0),
    ];

    /// The main code: four bytes and twelve matches, four bits each.
    fn main_code() -> [u8; 496] {
        let mut lengths = [0; 496];
        lengths[97..101].fill(4);
        for (slot, length) in MATCHES {
            lengths[256 + slot * 8 + length] = 4;
        }
        lengths
    }

    /// The code of long lengths: the shortest and the longest.
    fn length_code() -> [u8; 249] {
        let mut lengths = [0; 249];
        lengths[0] = 1;
        lengths[248] = 1;
        lengths
    }

    /// A chunk that is written, and what it has to become.
    struct Made {
        writer: BitWriter,
        text: KVec<u8>,
        recent: [usize; 3],
        /// Whether the block has a code of low bits.
        aligned: bool,
    }

    impl Made {
        fn new() -> Result<Self> {
            Ok(Self {
                writer: BitWriter::new(&[])?,
                text: KVec::new(),
                recent: [1; 3],
                aligned: false,
            })
        }

        fn header(&mut self, kind: u32, size: usize) -> Result {
            self.writer.bits(kind, 3)?;
            self.writer.bits(0, 1)?;
            self.writer.bits(size as u32, 16)
        }

        /// The lengths of one part of a code, by what changed.
        fn lengths(&mut self, before: &[u8], after: &[u8]) -> Result {
            for length in OF_LENGTHS {
                self.writer.bits(length.into(), 4)?;
            }
            for (before, after) in before.iter().zip(after) {
                let symbol = (before + 17 - after) % 17;
                self.writer.symbol(&OF_LENGTHS, symbol.into())?;
            }
            Ok(())
        }

        /// The lengths of both codes.
        fn codes(&mut self, before: (&[u8], &[u8]), after: (&[u8], &[u8])) -> Result {
            self.lengths(&before.0[..256], &after.0[..256])?;
            self.lengths(&before.0[256..], &after.0[256..])?;
            self.lengths(before.1, after.1)
        }

        /// The first block, with the usual codes.
        fn first(kind: u32, size: usize) -> Result<Self> {
            let mut made = Self::new()?;
            made.header(kind, size)?;
            made.low_bits(kind)?;
            made.codes((&[0; 496], &[0; 249]), (&main_code(), &length_code()))?;
            Ok(made)
        }

        /// Another block, with the codes of the one before.
        fn next(&mut self, kind: u32, size: usize) -> Result {
            self.header(kind, size)?;
            self.low_bits(kind)?;
            let (main, length) = (main_code(), length_code());
            self.codes((&main, &length), (&main, &length))
        }

        fn low_bits(&mut self, kind: u32) -> Result {
            self.aligned = kind == 2;
            if self.aligned {
                for length in OF_LOW_BITS {
                    self.writer.bits(length.into(), 3)?;
                }
            }
            Ok(())
        }

        fn literal(&mut self, byte: u8) -> Result {
            self.text.push(byte, GFP_KERNEL)?;
            self.writer.symbol(&main_code(), byte.into())
        }

        /// A match; `extra` are the bits of its distance, `more` is the symbol of a long length.
        fn phrase(&mut self, slot: usize, length: usize, more: usize, extra: usize) -> Result {
            self.writer.symbol(&main_code(), 256 + slot * 8 + length)?;
            let mut bytes = length + 2;
            if length == 7 {
                self.writer.symbol(&length_code(), more)?;
                bytes += more;
            }
            if slot < 3 {
                self.recent.swap(0, slot);
            } else {
                let width = slot / 2 - 1;
                if self.aligned && width >= 3 {
                    self.writer.bits(extra as u32 >> 3, width as u32 - 3)?;
                    self.writer.symbol(&OF_LOW_BITS, extra & 7)?;
                } else {
                    self.writer.bits(extra as u32, width as u32)?;
                }
                let distance = ((2 + slot % 2) << width) + extra - 2;
                self.recent = [distance, self.recent[0], self.recent[1]];
            }
            for _ in 0..bytes {
                let from = self.text.len() - self.recent[0];
                self.text.push(self.text[from], GFP_KERNEL)?;
            }
            Ok(())
        }

        /// A block of bytes as they are.
        fn plain(mut self, bytes: &[u8], recent: [u32; 3]) -> Result<Self> {
            self.header(3, bytes.len())?;
            let mut input = self.writer.finish_for_bytes()?;
            for distance in recent {
                input.extend_from_slice(&distance.to_le_bytes(), GFP_KERNEL)?;
            }
            input.extend_from_slice(bytes, GFP_KERNEL)?;
            if bytes.len() % 2 != 0 {
                input.push(0, GFP_KERNEL)?;
            }
            self.text.extend_from_slice(bytes, GFP_KERNEL)?;
            Ok(Self {
                writer: BitWriter::new(&input)?,
                text: self.text,
                recent: recent.map(|distance| distance as usize),
                aligned: false,
            })
        }

        /// Sees that the chunk is decoded, and that no part of it is enough.
        fn check(self) -> Result {
            let input = self.writer.finish();
            let mut out = KVec::from_elem(0, self.text.len(), GFP_KERNEL)?;
            assert_eq!(decode(&input, &mut out)?, Ok(()));
            assert!(out[..] == self.text[..]);
            for length in (0..input.len() - 4).rev().step_by(17) {
                assert!(decode(&input[..length], &mut out)?.is_err());
            }
            Ok(())
        }
    }

    fn decode(input: &[u8], out: &mut [u8]) -> Result<core::result::Result<(), Malformed>> {
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        Ok(decompress(input, out, &mut work[0]))
    }

    /// What is wrong with a chunk.
    fn refused(input: &[u8], length: usize) -> Result<Option<&'static str>> {
        let mut out = KVec::from_elem(0, length, GFP_KERNEL)?;
        Ok(decode(input, &mut out)?.err().map(|error| error.what))
    }

    #[test]
    fn a_chunk_of_wimlib_is_decoded_and_no_less_of_it() -> Result {
        let text = words(1500)?;
        let mut work = KVec::<Work>::zeroed(1, GFP_KERNEL)?;
        let mut out = KVec::from_elem(0, 1500, GFP_KERNEL)?;
        for length in 0..LZX.len() {
            // Only the last word may have nothing.
            let done = decompress(&LZX[..length], &mut out, &mut work[0]);
            assert!(done.is_err() || length + 2 >= LZX.len());
        }
        // The memory needs no clearing.
        assert_eq!(decompress(LZX, &mut out, &mut work[0]), Ok(()));
        assert!(out[..] == text[..]);
        Ok(())
    }

    #[test]
    fn blocks_of_both_compressed_kinds_are_decoded() -> Result {
        for kind in [1, 2] {
            let mut made = Made::first(kind, 4 + 2 + 2 + 3 + 6 + 2 + 3 + 4)?;
            for byte in *b"abcd" {
                made.literal(byte)?;
            }
            // The last three distances are 1 at first.
            made.phrase(2, 0, 0, 0)?;
            // 1, then 2 or 3, then 4 to 7 back.
            made.phrase(3, 0, 0, 0)?;
            made.phrase(4, 1, 0, 1)?;
            made.phrase(6, 2, 0, 3)?;
            made.phrase(1, 0, 0, 0)?;
            made.phrase(4, 1, 0, 0)?;
            let rest = 4 + 2 + 2 + 3 + 6 + 2 + 3 + 4 - made.text.len();
            for _ in 0..rest {
                made.literal(b'd')?;
            }
            made.check()?;
        }
        Ok(())
    }

    #[test]
    fn codes_go_on_from_block_to_block_and_lengths_are_long() -> Result {
        let mut made = Made::first(1, 40 + 9)?;
        for at in 0..40 {
            made.literal(97 + (at ^ (at >> 2)) % 4)?;
        }
        made.phrase(3, 7, 0, 0)?;
        made.next(2, 257 + 2 + 5 + 2)?;
        // 14 + 3 back by a code, 24 + 4 back, 32 + 13 back.
        made.phrase(8, 0, 0, 3)?;
        made.phrase(9, 3, 0, 4)?;
        made.phrase(10, 0, 0, 13)?;
        made.phrase(0, 7, 248, 0)?;
        made.next(1, 2 + 2 + 2 + 2)?;
        made.phrase(2, 0, 0, 0)?;
        made.phrase(1, 0, 0, 0)?;
        made.phrase(2, 0, 0, 0)?;
        made.phrase(10, 0, 0, 15)?;
        made.check()
    }

    #[test]
    fn bytes_as_they_are_come_between_blocks_wherever_a_word_ends() -> Result {
        for literals in 1..10 {
            for bytes in [&b"1234567"[..], b"12345678"] {
                let mut made = Made::first(1, literals)?;
                for _ in 0..literals {
                    made.literal(b'b')?;
                }
                let mut made = made.plain(bytes, [5, 6, 7])?;
                made.next(1, 6)?;
                made.phrase(1, 0, 0, 0)?;
                made.phrase(2, 0, 0, 0)?;
                made.phrase(0, 0, 0, 0)?;
                made.check()?;
            }
        }
        // Only such bytes; the last one has none to fill its word.
        let input = Made::new()?.plain(b"abc", [1; 3])?.writer.finish();
        assert_eq!(refused(&input[..4 + 12 + 3], 3)?, None);
        Ok(())
    }

    #[test]
    fn targets_of_calls_are_made_relative() -> Result {
        const LENGTH: usize = 40;
        // Where the call is, its target as stored, and as it has to be.
        let cases: [(usize, i32, i32); 12] = [
            (0, 0, 0),
            (0, 100, 100),
            (0, -1, -1),
            (7, 100, 93),
            (7, 0, -7),
            (7, -7, 11_999_993),
            (7, -8, -8),
            (7, 11_999_999, 11_999_992),
            (7, 12_000_000, 12_000_000),
            (7, i32::MIN, i32::MIN),
            (LENGTH - 11, 1, 1 - (LENGTH as i32 - 11)),
            (LENGTH - 10, 1, 1),
        ];
        for (at, stored, relative) in cases {
            let mut bytes = [0x90; LENGTH];
            put(&mut bytes, at, &[0xe8]);
            put(&mut bytes, at + 1, &stored.to_le_bytes());
            let input = Made::new()?.plain(&bytes, [1; 3])?.writer.finish();
            let mut out = [0; LENGTH];
            assert_eq!(decode(&input, &mut out)?, Ok(()));
            put(&mut bytes, at + 1, &relative.to_le_bytes());
            assert_eq!(out, bytes);
        }
        // A target has no call in it, and the one behind it is the next.
        let mut bytes = [0xe8; LENGTH];
        put(&mut bytes, 1, &[0xe8, 0, 0, 0, 0xe8, 5, 0, 0, 0]);
        let input = Made::new()?.plain(&bytes[..15], [1; 3])?.writer.finish();
        let mut out = [0; 15];
        assert_eq!(decode(&input, &mut out)?, Ok(()));
        put(&mut bytes, 1, &[0xe8, 0, 0, 0, 0xe8, 5, 0, 0, 0]);
        assert_eq!(out[..], bytes[..15]);
        let input = Made::new()?.plain(&bytes[..16], [1; 3])?.writer.finish();
        let mut out = [0; 16];
        assert_eq!(decode(&input, &mut out)?, Ok(()));
        put(&mut bytes, 6, &[0]);
        assert_eq!(out[..], bytes[..16]);
        // A chunk that is too small for any.
        for length in 1..=10 {
            let bytes = &[0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 0][..length];
            let input = Made::new()?.plain(bytes, [1; 3])?.writer.finish();
            let mut out = [0; 10];
            assert_eq!(decode(&input, &mut out[..length])?, Ok(()));
            assert_eq!(out[..length], *bytes);
        }
        Ok(())
    }

    #[test]
    fn runs_of_lengths_are_read() -> Result {
        let mut made = Made::new()?;
        made.header(1, 4)?;
        let writer = &mut made.writer;
        // The lengths of the bytes, those of the matches, and those of long lengths.
        for (part, total) in [(0, 256), (1, 240), (2, 249)] {
            for length in OF_LENGTHS {
                writer.bits(length.into(), 4)?;
            }
            let mut left = total;
            if part == 0 {
                // Four or five of the same: 17 - 15 is 2; the last one is taken back at once.
                writer.symbol(&OF_LENGTHS, 19)?;
                writer.bits(0, 1)?;
                writer.symbol(&OF_LENGTHS, 15)?;
                // Five with the length that they had, which is none.
                writer.symbol(&OF_LENGTHS, 19)?;
                writer.bits(1, 1)?;
                writer.symbol(&OF_LENGTHS, 17)?;
                left -= 9;
            }
            while left >= 20 {
                let run = left.min(51);
                writer.symbol(&OF_LENGTHS, 18)?;
                writer.bits(run - 20, 5)?;
                left -= run;
            }
            if left >= 4 {
                writer.symbol(&OF_LENGTHS, 17)?;
                writer.bits(left - 4, 4)?;
                left = 0;
            }
            for _ in 0..left {
                writer.symbol(&OF_LENGTHS, 0)?;
            }
        }
        // The codes of the first four bytes have two bits each.
        writer.bits(0b11_10_01_00, 8)?;
        made.text.extend_from_slice(&[3, 2, 1, 0], GFP_KERNEL)?;
        made.check()
    }

    #[test]
    fn blocks_of_a_wrong_kind_or_size_are_refused() -> Result {
        for kind in [0, 4, 5, 6, 7] {
            let mut made = Made::new()?;
            made.header(kind, 4)?;
            assert_eq!(
                refused(&made.writer.finish(), 4)?,
                Some("kind of an LZX block")
            );
        }
        for size in [0, 5, 0xffff] {
            let mut made = Made::new()?;
            made.header(1, size)?;
            assert_eq!(
                refused(&made.writer.finish(), 4)?,
                Some("size of an LZX block")
            );
        }
        // The usual size is that of a whole chunk only.
        let mut writer = BitWriter::new(&[])?;
        writer.bits(0b0011, 4)?;
        let what = Some("size of an LZX block");
        assert_eq!(refused(&writer.finish(), CHUNK - 1)?, what);
        assert_eq!(refused(LZX, CHUNK + 1)?, Some("LZX chunk"));
        assert_eq!(refused(&[], 0)?, None);
        assert_eq!(refused(&[], 1)?, Some("compressed chunk cut off"));
        Ok(())
    }

    #[test]
    fn a_last_distance_of_zero_is_refused() -> Result {
        for recent in [[0, 1, 1], [1, 0, 1], [1, 1, 0]] {
            let input = Made::new()?.plain(b"ab", recent)?.writer.finish();
            let what = Some("last distance of an LZX block");
            assert_eq!(refused(&input, 2)?, what);
        }
        let input = Made::new()?.plain(b"ab", [1; 3])?.writer.finish();
        for length in 0..4 + 12 + 2 {
            let what = Some("compressed chunk cut off");
            assert_eq!(refused(&input[..length], 2)?, what);
        }
        Ok(())
    }

    #[test]
    fn matches_outside_of_the_chunk_or_their_block_are_refused() -> Result {
        let before = Some("match before the begin of its chunk");
        let behind = Some("match beyond the end of its block");
        // The slot, its bits, and whether four bytes are enough before it.
        for (slot, length, extra, what) in [
            (4, 1, 1, None),
            (5, 0, 0, None),
            (5, 0, 1, before),
            (10, 0, 15, before),
            (3, 7, 0, behind),
        ] {
            let mut made = Made::first(1, 4 + 3)?;
            for byte in *b"abcd" {
                made.literal(byte)?;
            }
            made.writer.symbol(&main_code(), 256 + slot * 8 + length)?;
            if length == 7 {
                made.writer.symbol(&length_code(), 0)?;
            }
            made.writer.bits(extra, slot as u32 / 2 - 1)?;
            made.literal(b'a')?;
            // The block ends in the chunk, which has room for more.
            let input = made.writer.finish();
            assert_eq!(refused(&input, 7)?, what);
            assert!(refused(&input, 40)?.is_some());
        }
        // From the begin, there is nothing to repeat.
        let mut made = Made::first(1, 4)?;
        made.writer.symbol(&main_code(), 256)?;
        assert_eq!(refused(&made.writer.finish(), 4)?, before);
        Ok(())
    }

    #[test]
    fn sets_that_are_no_code_are_refused() -> Result {
        let none = ([0; 496], [0; 249]);
        let (sound, of_length) = (main_code(), length_code());
        let mut less = sound;
        less[97] = 0;
        let mut more = sound;
        more[20] = 16;
        let mut one = [0; 249];
        one[3] = 1;
        let incomplete = Some("incomplete Huffman code");
        let oversubscribed = Some("oversubscribed Huffman code");
        let cases = [
            (&less, &of_length, incomplete),
            (&more, &of_length, oversubscribed),
            (&sound, &one, incomplete),
            (&none.0, &of_length, Some("LZX code without a symbol")),
            // A code of long lengths that is empty is usual, where there is none.
            (&sound, &none.1, None),
        ];
        for (main, length, what) in cases {
            let mut made = Made::new()?;
            made.header(1, 1)?;
            made.codes((&none.0, &none.1), (main, length))?;
            made.writer.symbol(&sound, 97)?;
            made.writer.bits(0, 16)?;
            assert_eq!(refused(&made.writer.finish(), 1)?, what);
        }
        // But not where there is one.
        let mut made = Made::new()?;
        made.header(1, 40)?;
        made.codes((&none.0, &none.1), (&sound, &none.1))?;
        made.writer.symbol(&sound, 97)?;
        made.writer.symbol(&sound, 256 + 7)?;
        made.writer.bits(0, 16)?;
        let what = Some("LZX code without a symbol");
        assert_eq!(refused(&made.writer.finish(), 40)?, what);
        // Low bits of distances.
        for (lengths, what) in [
            ([1, 1, 1, 0, 0, 0, 0, 0], oversubscribed),
            ([1, 0, 0, 0, 0, 0, 0, 0], incomplete),
        ] {
            let mut made = Made::new()?;
            made.header(2, 1)?;
            for length in lengths {
                made.writer.bits(length, 3)?;
            }
            made.codes((&none.0, &none.1), (&sound, &of_length))?;
            made.writer.symbol(&sound, 97)?;
            assert_eq!(refused(&made.writer.finish(), 1)?, what);
        }
        Ok(())
    }

    #[test]
    fn broken_lengths_of_codes_are_refused() -> Result {
        let begun = |of_lengths: &[u8; 20]| -> Result<BitWriter> {
            let mut made = Made::new()?;
            made.header(1, 4)?;
            for length in of_lengths {
                made.writer.bits((*length).into(), 4)?;
            }
            Ok(made.writer)
        };
        let mut code = [0; 20];
        let mut writer = begun(&code)?;
        writer.bits(0, 32)?;
        let what = Some("LZX code length without a symbol");
        assert_eq!(refused(&writer.finish(), 4)?, what);
        code[0] = 1;
        let mut writer = begun(&code)?;
        writer.bits(0, 32)?;
        let what = Some("incomplete Huffman code");
        assert_eq!(refused(&writer.finish(), 4)?, what);
        code[..3].fill(1);
        let mut writer = begun(&code)?;
        writer.bits(0, 32)?;
        let what = Some("oversubscribed Huffman code");
        assert_eq!(refused(&writer.finish(), 4)?, what);

        // 255 are there of 256, and then a run; five runs of 51 are 255.
        for (symbol, count) in [(17, 4), (18, 5), (19, 1)] {
            let mut writer = begun(&OF_LENGTHS)?;
            for _ in 0..5 {
                writer.symbol(&OF_LENGTHS, 18)?;
                writer.bits(31, 5)?;
            }
            writer.symbol(&OF_LENGTHS, symbol)?;
            writer.bits(0, count)?;
            writer.symbol(&OF_LENGTHS, 0)?;
            writer.bits(0, 32)?;
            let what = Some("LZX code lengths beyond the last symbol");
            assert_eq!(refused(&writer.finish(), 4)?, what);
        }
        for symbol in [18, 19] {
            let mut writer = begun(&OF_LENGTHS)?;
            writer.symbol(&OF_LENGTHS, 19)?;
            writer.bits(0, 1)?;
            writer.symbol(&OF_LENGTHS, symbol)?;
            writer.bits(0, 32)?;
            let what = Some("run of LZX code lengths in a run");
            assert_eq!(refused(&writer.finish(), 4)?, what);
        }
        Ok(())
    }
}
