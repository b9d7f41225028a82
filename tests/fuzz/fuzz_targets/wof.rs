// SPDX-License-Identifier: GPL-2.0-only

//! WOF: chunks are within their stream, one behind the other, whatever the table says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    compression::wof::{Backing, ChunkNumber, Layout},
    units::{ByteCount, ByteOffset},
};

fuzz_target!(|data: &[u8]| {
    // The data of a reparse point, the size of the file and of the stream, and a table.
    let Some((point, rest)) = data.split_first_chunk::<16>() else {
        return;
    };
    let Some((sizes, table)) = rest.split_first_chunk::<16>() else {
        return;
    };
    let Ok(Backing::File(algorithm)) = Backing::parse(point) else {
        return;
    };
    let number = |at: usize| u64::from_le_bytes(sizes[at..at + 8].try_into().unwrap());
    let (size, stored) = (number(0), number(8));
    let Ok(layout) = Layout::new(algorithm, ByteCount::new(size), ByteCount::new(stored)) else {
        return;
    };
    let chunk_size = algorithm.chunk_size() as u64;
    assert_eq!(layout.chunks(), size.div_ceil(chunk_size));
    let mut before = None;
    for at in 0..layout.chunks().min(64) {
        let chunk = ChunkNumber::new(at);
        assert_eq!(
            layout.chunk_of(ByteOffset::new(at * chunk_size)),
            Some(chunk)
        );
        let part = layout.entries_of(chunk).unwrap();
        assert!(part.length <= 16);
        let from = (part.offset.get() as usize).min(table.len());
        let entries = &table[from..(from + part.length).min(table.len())];
        let Ok(found) = layout.chunk(chunk, entries) else {
            before = None;
            continue;
        };
        assert_eq!(entries.len(), part.length);
        assert!(found.stored.length >= 1 && found.stored.length <= found.size);
        assert_eq!(found.size as u64, chunk_size.min(size - at * chunk_size));
        let begin = found.stored.offset.get();
        let end = begin + found.stored.length as u64;
        assert!(end <= stored);
        assert!(before.is_none_or(|before| before == begin));
        before = Some(end);
    }
    assert!(layout
        .entries_of(ChunkNumber::new(layout.chunks()))
        .is_none());
});
