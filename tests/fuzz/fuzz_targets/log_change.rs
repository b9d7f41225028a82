// SPDX-License-Identifier: GPL-2.0-only

//! Logged operations on any page: a refusal changes nothing, and what was made can be taken back.

#![no_main]

use kernel::prelude::*;
use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    attribute::Form,
    index::{IndexBlock, IndexRoot},
    log::{
        change::{Action, Change, Data, Page},
        opcode::Opcode,
        prepare::Place,
    },
    record::FileRecord,
};

fn page(kind: u8, bytes: &mut [u8]) -> Page<'_> {
    match kind & 3 {
        0 => Page::Record(bytes),
        1 => Page::IndexBlock(bytes),
        2 => Page::Bitmap(bytes),
        _ => Page::Data(bytes),
    }
}

fn action(opcode: u8, data: &[u8], absent: bool) -> Option<Action> {
    let data = if absent {
        Data::Absent(u16::try_from(data.len()).ok()?)
    } else {
        Data::copied(data).ok()?
    };
    Some(Action {
        opcode: Opcode::from_raw(u16::from(opcode) % 0x26)?,
        data,
    })
}

/// Does any operation in both directions.
fn perform(head: &[u8; 8], redo: &[u8], undo: &[u8], bytes: &[u8]) -> Option<()> {
    let [kind, redo_op, undo_op, absent, r0, r1, a0, a1] = *head;
    let change = Change {
        redo: action(redo_op, redo, absent & 1 != 0)?,
        undo: action(undo_op, undo, absent & 2 != 0)?,
        record_offset: u16::from_le_bytes([r0, r1]),
        attribute_offset: u16::from_le_bytes([a0, a1]),
    };
    let mut work = bytes.to_vec();
    for _ in 0..2 {
        let before = work.clone();
        if change.apply(&mut page(kind, &mut work)).is_err() {
            assert!(work == before);
        }
        let before = work.clone();
        if change.undo(&mut page(kind, &mut work)).is_err() {
            assert!(work == before);
        }
    }
    Some(())
}

/// Does a change that was made for this page, and takes it back.
fn round_trip<E>(kind: u8, bytes: &[u8], used: usize, change: Result<Change, E>) {
    let Ok(change) = change else {
        return;
    };
    let mut work = bytes.to_vec();
    let done = change.apply(&mut page(kind, &mut work));
    assert!(done.is_ok());
    let undone = change.undo(&mut page(kind, &mut work));
    assert!(undone.is_ok());
    if let (0, Some(next_id)) = (kind, bytes.get(0x28..0x2a)) {
        // One that is too low is put right; that right ones come back is tested on real records.
        work[0x28..0x2a].copy_from_slice(next_id);
    }
    assert!(work[..used] == bytes[..used]);
}

fn prepare(bytes: &[u8], content: &[u8]) {
    if let Ok(file) = FileRecord::parse(bytes) {
        let used = bytes.len().min(file.header().bytes_in_use as usize);
        round_trip(0, bytes, used, Change::deallocate_record(bytes));
        for attribute in file.attributes().flatten().take(64) {
            let at = attribute.offset;
            round_trip(0, bytes, used, Change::delete_attribute(bytes, at));
            let new = Change::update_resident_value(bytes, at, 0, content);
            round_trip(0, bytes, used, new);
            let new = Change::create_attribute(bytes, at, content);
            round_trip(0, bytes, used, new);
            let Form::Resident { value, .. } = attribute.form else {
                continue;
            };
            let Ok(root) = IndexRoot::parse(value) else {
                continue;
            };
            let place = Place::Root(at);
            for entry in root.node.entries().flatten().take(64) {
                let at = entry.offset;
                let new = Change::delete_index_entry(bytes, place, at);
                round_trip(0, bytes, used, new);
                let new = Change::add_index_entry(bytes, place, at, content);
                round_trip(0, bytes, used, new);
            }
        }
    }
    if let Ok(block) = IndexBlock::parse(bytes) {
        let end = u32::from_le_bytes(bytes[0x1c..0x20].try_into().expect("four"));
        let used = bytes.len().min((end as usize).saturating_add(0x18));
        for entry in block.node.entries().flatten().take(64) {
            let at = entry.offset;
            let new = Change::delete_index_entry(bytes, Place::Block, at);
            round_trip(1, bytes, used, new);
            let new = Change::add_index_entry(bytes, Place::Block, at, content);
            round_trip(1, bytes, used, new);
            let new = Change::write_end_of_index(bytes, at, content);
            round_trip(1, bytes, used, new);
            let new = Change::update_index_file_name(bytes, Place::Block, at, content);
            round_trip(1, bytes, used, new);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    // The page comes last, so that seeds can be structures with a head before them.
    let Some((head, rest)) = data.split_first_chunk::<8>() else {
        return;
    };
    let Some((&[redo_length, undo_length], rest)) = rest.split_first_chunk::<2>() else {
        return;
    };
    let Some((redo, rest)) = rest.split_at_checked(usize::from(redo_length)) else {
        return;
    };
    let Some((undo, bytes)) = rest.split_at_checked(usize::from(undo_length)) else {
        return;
    };
    // What has no memory is not performed.
    let _ = perform(head, redo, undo, bytes);
    prepare(bytes, redo);
});
