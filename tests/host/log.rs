// SPDX-License-Identifier: GPL-2.0-only

//! The log on real fragments: every change of real records can be taken back byte by byte.

mod support;

use std::{collections::BTreeMap, fs};

use ntfs_rs::ondisk::{
    attribute::{Attribute, AttributeType, Form, Sizes},
    fixup::{self, Magic},
    index::{IndexBlock, IndexNode, IndexRoot},
    log::{
        change::{Change, Error, Page, PageKind, Result},
        prepare::Place,
    },
    record::FileRecord,
    units::{ByteCount, Vcn},
};
use support::{images, random::Random};

/// The fragments `names`, unpacked; those that this machine has.
fn pieces(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    let Some(directory) = images::directory() else {
        println!("SKIPPED: no images on this machine");
        return Vec::new();
    };
    names
        .iter()
        .filter_map(|name| {
            let packed = directory.join("pieces").join(format!("{name}.zst"));
            let unpacked = images::unpack(&packed);
            if unpacked.is_none() {
                println!("SKIPPED {name}: cannot be unpacked");
            }
            Some((
                name.to_string(),
                fs::read(unpacked?).expect("unpacked piece"),
            ))
        })
        .collect()
}

/// The records and index blocks of an image that are whole, fixups undone.
fn structures(image: &[u8], magic: Magic) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for at in (0..image.len()).step_by(512) {
        let rest = &image[at..];
        if magic.check(rest).is_err() {
            continue;
        }
        let size = match magic {
            Magic::FILE => match FileRecord::parse(&rest[..rest.len().min(4096)]) {
                Ok(record) => record.header().bytes_allocated as usize,
                Err(_) => continue,
            },
            _ => 4096,
        };
        let Some(bytes) = rest.get(..size) else {
            continue;
        };
        let mut bytes = bytes.to_vec();
        if fixup::undo(&mut bytes, magic) == Ok(fixup::Transfer::Complete) {
            found.push(bytes);
        }
    }
    found
}

fn page(kind: PageKind, bytes: &mut [u8]) -> Page<'_> {
    match kind {
        PageKind::Record => Page::Record(bytes),
        PageKind::IndexBlock => Page::IndexBlock(bytes),
        PageKind::Bitmap => Page::Bitmap(bytes),
        PageKind::Data => Page::Data(bytes),
    }
}

/// How many bytes of a page count: what is behind them is unused.
fn used(kind: PageKind, bytes: &[u8]) -> usize {
    let field =
        |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
    match kind {
        PageKind::Record => field(0x18),
        PageKind::IndexBlock => 0x18 + field(0x1c),
        PageKind::Bitmap | PageKind::Data => bytes.len(),
    }
}

#[derive(Default)]
struct Counts(BTreeMap<String, [usize; 3]>);

impl Counts {
    /// Does a change and takes it back; what is left is the page after it, unless it was refused.
    fn check(&mut self, name: &str, kind: PageKind, bytes: &[u8], change: Result<Change>) {
        let count = self.0.entry(name.to_string()).or_default();
        let change = match change {
            Ok(change) => change,
            Err(Error::NoRoom) => {
                count[1] += 1;
                return;
            }
            Err(error) => {
                if std::env::var_os("NTFS_RS_REFUSED").is_some() {
                    println!("{name}: {error:?}");
                }
                count[2] += 1;
                return;
            }
        };
        count[0] += 1;
        let mut work = bytes.to_vec();
        change
            .apply(&mut page(kind, &mut work))
            .expect("a change that was made can be done");
        let after = work.clone();
        change
            .undo(&mut page(kind, &mut work))
            .expect("a change that was done can be undone");
        let end = used(kind, bytes);
        assert!(
            work[..end] == bytes[..end],
            "{name}: undone differs: {change:?}"
        );
        // The record of the rollback does the same as the rollback.
        let mut again = after;
        change
            .compensation()
            .expect("memory")
            .apply(&mut page(kind, &mut again))
            .expect("a compensation can be done");
        assert!(again == work, "{name}: compensated differs: {change:?}");
    }
}

/// A resident attribute record of a type and with an id.
fn resident(type_: AttributeType, id: u16, value: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 0x18];
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(8), 0);
    out[..4].copy_from_slice(&type_.get().to_le_bytes());
    let length = (out.len() as u32).to_le_bytes();
    out[4..8].copy_from_slice(&length);
    out[0x0e..0x10].copy_from_slice(&id.to_le_bytes());
    out[0x10..0x14].copy_from_slice(&(value.len() as u32).to_le_bytes());
    out[0x14] = 0x18;
    out[0x16] = u8::from(type_ == AttributeType::FILE_NAME);
    out
}

fn change_entries(
    counts: &mut Counts,
    random: &mut Random,
    bytes: &[u8],
    place: Place,
    node: &IndexNode<'_>,
    buffer: &[u8],
) {
    let (kind, root) = match place {
        Place::Root(_) => (PageKind::Record, "Root"),
        Place::Block => (PageKind::IndexBlock, "Block"),
    };
    let entries: Vec<_> = node.entries().flatten().collect();
    for entry in &entries {
        let offset = entry.offset;
        let own = &buffer[offset..offset + entry.length];
        let name = |what: &str| format!("{what}{root}");
        if entry.key.is_some() {
            counts.check(
                &name("delete_index_entry "),
                kind,
                bytes,
                Change::delete_index_entry(bytes, place, offset),
            );
            let before = &entries[random.below(entries.len())];
            counts.check(
                &name("add_index_entry "),
                kind,
                bytes,
                Change::add_index_entry(bytes, place, before.offset, own),
            );
        } else {
            assert!(Change::delete_index_entry(bytes, place, offset).is_err());
        }
        let vcn = Vcn::new(random.next());
        let change = Change::set_index_entry_vcn(bytes, place, offset, vcn);
        assert_eq!(change.is_ok(), entry.sub_node.is_some());
        if change.is_ok() {
            counts.check(&name("set_index_entry_vcn "), kind, bytes, change);
        }
        if let Some(key) = entry.key.filter(|key| key.len() >= 0x42) {
            let mut new = key.to_vec();
            for byte in &mut new[8..0x40] {
                *byte = random.next() as u8;
            }
            counts.check(
                &name("update_index_file_name "),
                kind,
                bytes,
                Change::update_index_file_name(bytes, place, offset, &new),
            );
        }
        if place == Place::Block {
            // The last entry alone, as a split leaves it.
            let last = &entries[entries.len() - 1];
            counts.check(
                "write_end_of_index",
                kind,
                bytes,
                Change::write_end_of_index(bytes, offset, &bytes[last.offset..][..last.length]),
            );
        }
    }
}

fn change_record(counts: &mut Counts, random: &mut Random, record: &[u8], other: &[u8]) {
    let file = FileRecord::parse(record).expect("checked before");
    let kind = PageKind::Record;
    let header = file.header();
    if !header.flags.is_in_use() {
        assert!(Change::deallocate_record(record).is_err());
        counts.check(
            "announce_record",
            kind,
            record,
            Ok(Change::announce_record()),
        );
        return;
    }
    counts.check(
        "deallocate_record",
        kind,
        record,
        Change::deallocate_record(record),
    );
    if record.len() == other.len() {
        if let Ok([back, forth]) = Change::rewrite_record(record, other) {
            let mut work = record.to_vec();
            back.apply(&mut page(kind, &mut work)).expect("nothing");
            forth.apply(&mut page(kind, &mut work)).expect("an image");
            let end = used(kind, other);
            assert!(work[..0x30] == other[..0x30] && work[0x38..end] == other[0x38..end]);
            assert!(work[end..].iter().all(|byte| *byte == 0));
            forth.undo(&mut page(kind, &mut work)).expect("nothing");
            back.undo(&mut page(kind, &mut work)).expect("an image");
            let end = used(kind, record);
            assert!(work[..end] == record[..end]);
            counts.0.entry("rewrite_record".into()).or_default()[0] += 1;
        }
    }
    for attribute in file.attributes().flatten() {
        let at = attribute.offset;
        counts.check(
            "delete_attribute",
            kind,
            record,
            Change::delete_attribute(record, at),
        );
        let mut value = vec![0; random.below(80)];
        value
            .iter_mut()
            .for_each(|byte| *byte = random.next() as u8);
        counts.check(
            "create_attribute",
            kind,
            record,
            Change::create_attribute(
                record,
                at,
                &resident(attribute.type_, header.next_attribute_id, &value),
            ),
        );
        match attribute.form {
            Form::Resident { value, .. } => {
                change_value(counts, random, record, &attribute, value);
            }
            Form::NonResident(form) => {
                let pairs = form.mapping_pairs;
                let end = ntfs_rs::ondisk::mapping_pairs::decode(
                    pairs,
                    form.lowest_vcn,
                    form.highest_vcn,
                    ntfs_rs::ondisk::units::ClusterCount::new(u64::MAX),
                );
                let mut new = vec![0; 64];
                let runs: Vec<_> = end.flatten().collect();
                let kept = random.below(runs.len() + 1);
                let length =
                    ntfs_rs::ondisk::mapping_pairs::encode(runs.into_iter().take(kept), &mut new);
                if let Some(length) = length {
                    new.truncate(length);
                    counts.check(
                        "update_mapping_pairs",
                        kind,
                        record,
                        Change::update_mapping_pairs(record, at, 0, &new),
                    );
                }
                if let Some(sizes) = form.sizes {
                    let mut size = || ByteCount::new(random.next() >> 1);
                    let new = Sizes {
                        allocated: size(),
                        data: size(),
                        initialized: size(),
                        compressed: sizes.compressed.map(|_| size()),
                    };
                    let change = Change::set_attribute_sizes(record, at, new);
                    if let Ok(change) = &change {
                        let mut work = record.to_vec();
                        change.apply(&mut page(kind, &mut work)).expect("sizes");
                        let file = FileRecord::parse(&work).expect("still a record");
                        let found = file.attributes().flatten().find(|one| one.offset == at);
                        let Form::NonResident(form) = found.expect("still there").form else {
                            panic!("became resident");
                        };
                        assert_eq!(form.sizes, Some(new));
                    }
                    counts.check("set_attribute_sizes", kind, record, change);
                }
            }
        }
    }
}

fn change_value(
    counts: &mut Counts,
    random: &mut Random,
    record: &[u8],
    attribute: &Attribute<'_>,
    value: &[u8],
) {
    let start = random.below(value.len());
    let mut new = vec![0; random.below(value.len() - start + 1)];
    new.iter_mut().for_each(|byte| *byte = random.next() as u8);
    counts.check(
        "update_resident_value",
        PageKind::Record,
        record,
        Change::update_resident_value(record, attribute.offset, start, &new),
    );
    if attribute.type_ == AttributeType::INDEX_ROOT {
        if let Ok(root) = IndexRoot::parse(value) {
            let place = Place::Root(attribute.offset);
            change_entries(counts, random, record, place, &root.node, value);
        }
    }
}

fn change_block(counts: &mut Counts, random: &mut Random, bytes: &[u8], other: &[u8]) {
    let Ok(block) = IndexBlock::parse(bytes) else {
        return;
    };
    change_entries(counts, random, bytes, Place::Block, &block.node, bytes);
    if let Ok(change) = Change::initialize_index_block(bytes, other) {
        let mut work = bytes.to_vec();
        change
            .apply(&mut Page::IndexBlock(&mut work))
            .expect("an image");
        let end = used(PageKind::IndexBlock, other);
        assert!(work[..0x28] == other[..0x28] && work[0x2a..end] == other[0x2a..end]);
        assert!(work[end..].iter().all(|byte| *byte == 0));
        let count = counts.0.entry("initialize_index_block".into());
        count.or_default()[0] += 1;
    }
}

#[test]
fn changes_of_real_pages_can_be_taken_back() {
    let names = [
        "4k-large.mft",
        "compressed_sparse.mft",
        "mapping_pairs_1.mft",
        "slack.mft",
        "dissect-boot_2m.bin",
    ];
    let mut random = Random(20_261_122);
    let mut counts = Counts::default();
    let (mut records, mut blocks) = (0, 0);
    let mut images = pieces(&names);
    if let Some(directory) = images::directory() {
        for name in [
            "win10-ads-attrlist",
            "win10-2k-index-slack",
            "win7-512-cluster-unclean",
        ] {
            let volumes = images::volumes(&directory);
            let volume = volumes.into_iter().find(|volume| volume.name == name);
            if let Some(image) = volume.and_then(|volume| images::unpack(&volume.packed)) {
                images.push((name.to_string(), fs::read(image).expect("unpacked image")));
            }
        }
    }
    for (_, image) in &images {
        let found = structures(image, Magic::FILE);
        records += found.len();
        for record in &found {
            let other = &found[random.below(found.len())];
            change_record(&mut counts, &mut random, record, other);
        }
        let found = structures(image, Magic::INDX);
        blocks += found.len();
        for block in &found {
            let other = &found[random.below(found.len())];
            change_block(&mut counts, &mut random, block, other);
        }
    }
    println!("{records} records, {blocks} index blocks");
    for (name, [done, no_room, refused]) in &counts.0 {
        println!("{name:28} {done:6} done, {no_room:5} without room, {refused:5} refused");
    }
}

#[test]
fn changes_of_bits_and_bytes_can_be_taken_back() {
    let mut random = Random(7);
    let mut counts = Counts::default();
    for _ in 0..2000 {
        let mut bytes = vec![[0, 0xff][random.below(2)]; 64];
        for _ in 0..random.below(3) {
            bytes[random.below(64)] = random.next() as u8;
        }
        let first = random.below(520) as u32;
        let count = random.below(40) as u32;
        counts.check(
            "set_bits",
            PageKind::Bitmap,
            &bytes,
            Change::set_bits(&bytes, first, count),
        );
        counts.check(
            "clear_bits",
            PageKind::Bitmap,
            &bytes,
            Change::clear_bits(&bytes, first, count),
        );
        let mut new = vec![0; random.below(70)];
        new.iter_mut().for_each(|byte| *byte = random.next() as u8);
        counts.check(
            "update_nonresident",
            PageKind::Data,
            &bytes,
            Change::update_nonresident(&bytes, random.below(64), &new),
        );
    }
    for (name, [done, no_room, refused]) in &counts.0 {
        println!("{name:28} {done:6} done, {no_room:5} without room, {refused:5} refused");
        assert!(*done > 100);
    }
}
