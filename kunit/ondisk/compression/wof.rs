// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::compression::wof`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_wof))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::{
        compression::wof::*,
        error::Result as OndiskResult,
        units::{
            ByteCount,
            ByteOffset, //
        },
    };
    use kernel::prelude::*;

    const ALL: [(Algorithm, usize); 4] = [
        (Algorithm::Xpress4K, 4096),
        (Algorithm::Lzx32K, 32768),
        (Algorithm::Xpress8K, 8192),
        (Algorithm::Xpress16K, 16384),
    ];

    /// The data of a reparse point.
    fn data(words: [u32; 4]) -> [u8; 16] {
        let mut data = [0; 16];
        for (number, word) in words.iter().enumerate() {
            put(&mut data, number * 4, &word.to_le_bytes());
        }
        data
    }

    fn layout(algorithm: Algorithm, size: u64, stored: u64) -> OndiskResult<Layout> {
        Layout::new(algorithm, ByteCount::new(size), ByteCount::new(stored))
    }

    /// Where a chunk is: its first byte, how many are stored, and how many they become.
    fn found(layout: &Layout, number: u64, entries: &[u8]) -> Option<(u64, usize, usize)> {
        let chunk = layout.chunk(ChunkNumber::new(number), entries).ok()?;
        assert_eq!(chunk.is_plain(), chunk.stored.length == chunk.size);
        Some((chunk.stored.offset.get(), chunk.stored.length, chunk.size))
    }

    #[test]
    fn the_reparse_point_tells_the_algorithm() {
        for (number, (algorithm, size)) in (0..).zip(ALL) {
            let backing = Backing::parse(&data([1, 2, 1, number]));
            assert_eq!(backing, Ok(Backing::File(algorithm)));
            assert_eq!(algorithm.chunk_size(), size);
        }
        // In a WIM something else follows.
        assert_eq!(Backing::parse(&data([1, 1, 7, 9])), Ok(Backing::Wim));
        assert_eq!(Backing::parse(&data([1, 1, 7, 9])[..8]), Ok(Backing::Wim));
    }

    #[test]
    fn a_broken_reparse_point_is_refused_with_its_place() {
        let cases = [
            ([0, 2, 1, 0], 0),
            ([2, 2, 1, 0], 0),
            ([1, 0, 1, 0], 4),
            ([1, 3, 1, 0], 4),
            ([1, 2, 0, 0], 8),
            ([1, 2, 2, 0], 8),
            ([1, 2, 1, 4], 12),
            ([1, 2, 1, u32::MAX], 12),
        ];
        for (words, at) in cases {
            assert_eq!(
                Backing::parse(&data(words)).map_err(|error| error.at),
                Err(at)
            );
        }
        for length in 0..16 {
            let part = &data([1, 2, 1, 0])[..length];
            assert_eq!(
                Backing::parse(part).map_err(|error| error.at),
                Err(length & !3)
            );
        }
    }

    #[test]
    fn an_only_chunk_needs_no_table() -> Result {
        for (algorithm, size) in ALL {
            for bytes in [1, 2, size - 1, size] {
                let layout = layout(algorithm, bytes as u64, 1).map_err(|_| EINVAL)?;
                assert_eq!(layout.chunks(), 1);
                let part = layout.entries_of(ChunkNumber::new(0)).ok_or(EINVAL)?;
                assert_eq!((part.offset, part.length), (ByteOffset::ZERO, 0));
                assert_eq!(found(&layout, 0, &[]), Some((0, 1, bytes)));
                assert_eq!(found(&layout, 1, &[]), None);
            }
            let empty = layout(algorithm, 0, 0).map_err(|_| EINVAL)?;
            assert_eq!(empty.chunks(), 0);
            assert_eq!(empty.chunk_of(ByteOffset::ZERO), None);
            assert_eq!(empty.entries_of(ChunkNumber::new(0)), None);
            assert_eq!(found(&empty, 0, &[]), None);
        }
        Ok(())
    }

    #[test]
    fn chunks_are_found_by_the_entries_around_them() -> Result {
        // Three chunks and 100 bytes; stored in 10, 4096, 1 and 50 bytes behind three entries.
        let layout = layout(Algorithm::Xpress4K, 3 * 4096 + 100, 12 + 4157).map_err(|_| EINVAL)?;
        assert_eq!(layout.algorithm(), Algorithm::Xpress4K);
        let mut table = [0; 12];
        for (number, entry) in [10_u32, 4106, 4107].iter().enumerate() {
            put(&mut table, number * 4, &entry.to_le_bytes());
        }
        let expected = [
            (0..4, (12, 10, 4096)),
            (0..8, (22, 4096, 4096)),
            (4..12, (12 + 4106, 1, 4096)),
            (8..12, (12 + 4107, 50, 100)),
        ];
        for (number, (range, chunk)) in (0..).zip(expected) {
            let part = layout.entries_of(ChunkNumber::new(number)).ok_or(EINVAL)?;
            assert_eq!(part.offset.get(), range.start as u64);
            assert_eq!(part.length, range.len());
            assert_eq!(found(&layout, number, &table[range.clone()]), Some(chunk));
            // Entries that are cut off.
            let cut = &table[range.start..range.end - 1];
            assert_eq!(found(&layout, number, cut), None);
        }
        assert_eq!(found(&layout, 4, &table), None);
        for (offset, number) in [(0, 0), (4095, 0), (4096, 1), (3 * 4096 + 99, 3)] {
            let chunk = layout.chunk_of(ByteOffset::new(offset));
            assert_eq!(chunk.map(ChunkNumber::get), Some(number));
        }
        assert_eq!(layout.chunk_of(ByteOffset::new(3 * 4096 + 100)), None);
        Ok(())
    }

    #[test]
    fn entries_are_wide_from_four_gib_on() -> Result {
        for (size, width) in [((1_u64 << 32) - 1, 4), (1 << 32, 8), ((1 << 32) + 1, 8_u64)] {
            let chunks = size.div_ceil(32768);
            let table = (chunks - 1) * width;
            let stored = table + chunks;
            assert!(layout(Algorithm::Lzx32K, size, stored - 1).is_err());
            let layout = layout(Algorithm::Lzx32K, size, stored).map_err(|_| EINVAL)?;
            let last = ChunkNumber::new(chunks - 1);
            let part = layout.entries_of(last).ok_or(EINVAL)?;
            assert_eq!(part.offset.get(), (chunks - 2) * width);
            assert_eq!(part.length as u64, width);
            let entry = (chunks - 1).to_le_bytes();
            let rest = size - (chunks - 1) * 32768;
            assert_eq!(
                found(&layout, last.get(), &entry[..width as usize]),
                Some((stored - 1, 1, rest as usize))
            );
        }
        // The largest sizes there are.
        assert!(layout(Algorithm::Xpress4K, i64::MAX as u64, 0).is_err());
        assert!(layout(Algorithm::Xpress4K, u64::MAX, 0).is_err());
        let largest = layout(Algorithm::Xpress4K, u64::MAX, u64::MAX).map_err(|_| EINVAL)?;
        assert_eq!(largest.chunks(), 1 << 52);
        let mut far = [0; 16];
        far[8..].fill(0xff);
        assert_eq!(found(&largest, (1 << 52) - 2, &far), None);
        Ok(())
    }

    #[test]
    fn a_table_that_cannot_be_is_refused() -> Result {
        // Two chunks behind one entry, 5000 bytes for both; the entry, and which of them are sound.
        let layout = layout(Algorithm::Xpress4K, 8192, 4 + 5000).map_err(|_| EINVAL)?;
        let cases = [
            (0_u32, false, false),
            (1, true, false),
            (903, true, false),
            (904, true, true),
            (4096, true, true),
            (4097, false, true),
            (4999, false, true),
            (5000, false, false),
            (5001, false, false),
            (u32::MAX, false, false),
        ];
        for (entry, first, second) in cases {
            let table = entry.to_le_bytes();
            assert_eq!(found(&layout, 0, &table).is_some(), first);
            assert_eq!(found(&layout, 1, &table).is_some(), second);
        }
        // Entries that go back.
        let layout = self::layout(Algorithm::Xpress4K, 12288, 8 + 5000).map_err(|_| EINVAL)?;
        let mut table = [0; 8];
        put(&mut table, 0, &700_u32.to_le_bytes());
        for (entry, sound) in [(699_u32, false), (700, false), (701, true)] {
            put(&mut table, 4, &entry.to_le_bytes());
            assert_eq!(found(&layout, 1, &table).is_some(), sound);
        }
        Ok(())
    }
}
