// SPDX-License-Identifier: GPL-2.0-only

//! The log's structures: heads, pages, records, tables; what is decoded can be encoded again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    log::{
        geometry::Geometry,
        page::PageHeader,
        record::{ClientRecord, Flags, Header},
        restart::LogState,
        tables::{names, ClientRestart, DirtyPage, Format, OpenAttribute, Table, Transaction},
    },
    units::{ByteCount, Lsn},
};

fn head(data: &[u8]) {
    let mut head = data.to_vec();
    let Ok(state) = LogState::read(&mut head) else {
        return;
    };
    let Some(restart) = state.restart() else {
        return;
    };
    let geometry = restart.geometry;
    let mut page = vec![0; geometry.page_size() as usize];
    let _ = restart.encode(&mut page);
    positions(&geometry, restart.current_lsn, restart.last_length as usize);
}

/// Pieces lie in the circle and add up.
fn positions(geometry: &Geometry, lsn: Lsn, length: usize) {
    let position = geometry.position(lsn);
    assert_eq!(geometry.lsn(position), Some(lsn));
    if !geometry.holds(position) || length > 0x1_0000 {
        return;
    }
    let mut sum = 0;
    for piece in geometry.pieces(position, length) {
        assert!(piece.page >= geometry.first_page() && piece.page < geometry.end());
        assert!(piece.length > 0 && piece.start + piece.length <= geometry.page_size() as usize);
        sum += piece.length;
    }
    assert_eq!(sum, length);
    if let Some(end) = geometry.end_of(position, length) {
        assert!(end >= position);
        let next = geometry.fit(end).expect("not the last LSN there is");
        assert!(geometry.holds(next) && next >= end);
    }
}

fn record(data: &[u8]) {
    let Some(lsn) = data.first_chunk::<8>() else {
        return;
    };
    let lsn = Lsn::new(u64::from_le_bytes(*lsn));
    if let Ok(header) = Header::parse(data, lsn) {
        assert_eq!(Header::parse(&header.to_bytes(), lsn), Ok(header));
    }
    for flags in [0, 2, 4, 6].map(Flags::new) {
        let Ok(client) = ClientRecord::parse(data, flags) else {
            continue;
        };
        let Some(length) = client.encoded_length(flags) else {
            continue;
        };
        let mut out = vec![0; length];
        client.encode(flags, &mut out).expect("there is room");
        let again = ClientRecord::parse(&out, flags).expect("our own");
        assert_eq!(again, client);
        let _ = client.change.compensation();
    }
}

fn tables(data: &[u8]) {
    if let Ok(table) = Table::parse(data) {
        for (place, entry) in table.entries() {
            assert_eq!(table.entry(place), Some(entry));
            for format in [Format::V0, Format::V1] {
                if let Ok(open) = OpenAttribute::parse(entry, format) {
                    let bytes = open.to_bytes();
                    assert_eq!(OpenAttribute::parse(&bytes, Format::V1), Ok(open));
                }
                if let Ok(page) = DirtyPage::parse(entry, format) {
                    assert!(page.lcns().count() * 8 <= entry.len());
                }
            }
            if let Ok(one) = Transaction::parse(entry) {
                assert_eq!(Transaction::parse(&one.to_bytes()), Ok(one));
            }
        }
    }
    assert!(names(data).count() <= data.len() / 6 + 2);
    if let Ok(restart) = ClientRestart::parse(data) {
        let bytes = restart.to_bytes();
        let again = ClientRestart::parse(&bytes).expect("our own");
        assert_eq!(again.check_point_start, restart.check_point_start);
    }
}

fuzz_target!(|data: &[u8]| {
    head(data);
    record(data);
    tables(data);
    let mut page = data.to_vec();
    if let Ok(header) = PageHeader::read(&mut page) {
        header.put(&mut page).expect("a whole page");
        assert_eq!(PageHeader::parse(&page), Ok(header));
    }
    if let Some(&[a, b, c, d, first]) = data.first_chunk::<5>() {
        let size = u64::from(u32::from_le_bytes([a, b, c, d]));
        if let Ok(geometry) = Geometry::new(4096, ByteCount::new(size), u32::from(first), 0x40) {
            let lsn = data.get(8..16).unwrap_or(&[0; 8]);
            let lsn = u64::from_le_bytes(lsn.try_into().expect("eight"));
            // Not at the very end of all LSNs.
            positions(&geometry, Lsn::new(lsn >> 1), usize::from(first) * 64);
        }
    }
});
