// SPDX-License-Identifier: GPL-2.0-only

//! The log on real fragments.
//!
//! Every change of real records can be taken back byte by byte, and every record of real logs is
//! decoded and encoded again.

use std::{collections::BTreeMap, fs};

use crate::support::{images, random::Random};
use ntfs_rs::ondisk::{
    attribute::{Attribute, AttributeType, Form, Sizes},
    fixup::{self, Magic},
    index::{IndexBlock, IndexNode, IndexRoot},
    log::{
        change::{Change, Error, Page, PageKind, Result},
        geometry::Position,
        opcode::Opcode,
        page::PageHeader,
        prepare::Place,
        record::{self, ClientRecord, Flags, Header, Kind},
        restart::{LogState, RestartPage, Version},
        tables::{self, ClientRestart, DirtyPage, Format, OpenAttribute, Table},
    },
    record::FileRecord,
    units::{ByteCount, Lsn, Vcn},
};

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

/// A piece of a log.
struct Log {
    restart: RestartPage,
    /// Whole pages of the circle by their offset, fixups undone.
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Log {
    fn read(log: &[u8]) -> Self {
        let mut head = log[..65_536].to_vec();
        let state = LogState::read(&mut head).expect("the head is whole");
        let restart = *state.restart().expect("not empty");
        let mut pages = BTreeMap::new();
        for (number, page) in log.chunks_exact(4096).enumerate().skip(2) {
            let mut page = page.to_vec();
            if PageHeader::read(&mut page).is_ok() {
                pages.insert(number as u64 * 4096, page);
            }
        }
        Self { restart, pages }
    }

    /// The bytes at `position`; `None` when a page of them is missing, or another one is there.
    fn bytes(&self, position: Position, length: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let lsn = self.restart.geometry.lsn(position);
        for piece in self.restart.geometry.pieces(position, length) {
            let page = self.pages.get(&piece.page.get())?;
            let header = PageHeader::parse(page).expect("read before");
            let last = self.restart.geometry.position(header.last_lsn);
            if Some(header.last_lsn) < lsn || last.sequence != position.sequence {
                return None;
            }
            out.extend_from_slice(&page[piece.start..piece.start + piece.length]);
        }
        Some(out)
    }

    /// All records that begin in the page at `offset`.
    fn records(&self, offset: u64) -> Vec<(Header, Vec<u8>)> {
        let page = &self.pages[&offset];
        let geometry = &self.restart.geometry;
        let mut found = Vec::new();
        let mut at = usize::from(geometry.data_offset());
        while at + record::HEADER_LENGTH <= page.len() {
            let here = offset + at as u64;
            let lsn = u64::from_le_bytes(page[at..at + 8].try_into().expect("eight"));
            let lsn = Lsn::new(lsn);
            let position = geometry.position(lsn);
            let whole = (position.offset.get() == here && position.sequence != 0)
                .then(|| Header::parse(&page[at..], lsn).ok())
                .flatten()
                .and_then(|header| Some((header, self.bytes(position, header.record_length())?)));
            let Some((header, bytes)) = whole else {
                at += 8;
                continue;
            };
            assert_eq!(geometry.lsn(position), Some(lsn));
            assert!(geometry.holds(position));
            let end = geometry.end_of(position, bytes.len()).expect("short");
            let spans = end.offset.get() > offset + 4096 || end.offset.get() < here;
            assert_eq!(header.flags.is_multi_page(), spans);
            at = if spans { page.len() } else { at + bytes.len() };
            found.push((header, bytes));
        }
        found
    }
}

/// What may differ in a record that is encoded again, because it means nothing.
#[derive(Default, Debug)]
struct Excepted {
    /// Bytes between the end of data and the next multiple of 8.
    padding: usize,
    /// The place of data that has no bytes.
    offsets: usize,
}

fn check_client(header: &Header, data: &[u8], excepted: &mut Excepted) -> ClientRecord {
    let client = ClientRecord::parse(data, header.flags).expect("a client record");
    assert_eq!(client.encoded_length(header.flags), Some(data.len()));
    let mut again = vec![0; data.len()];
    client
        .encode(header.flags, &mut again)
        .expect("there is room");
    let mut original = data.to_vec();
    let field = |at: usize| usize::from(u16::from_le_bytes([data[at], data[at + 1]]));
    let actions = [
        (4, header.flags.omits_redo()),
        (8, header.flags.omits_undo()),
    ];
    for (at, omitted) in actions {
        let (offset, length) = (field(at), field(at + 2));
        if length == 0 {
            if original[at..at + 2] != again[at..at + 2] {
                excepted.offsets += 1;
            }
            original[at..at + 2].copy_from_slice(&again[at..at + 2]);
        } else if !omitted {
            let end = offset + length;
            let padded = end.next_multiple_of(8).min(original.len());
            excepted.padding += original[end..padded]
                .iter()
                .filter(|byte| **byte != 0)
                .count();
            original[end..padded].fill(0);
        }
    }
    assert!(
        original == again,
        "{client:?}\n{original:02x?}\n{again:02x?}"
    );
    // Without flags nothing is lost, only written out.
    let plain = Flags::new(0);
    let mut long = vec![0; client.encoded_length(plain).expect("short enough")];
    client.encode(plain, &mut long).expect("there is room");
    let plain = ClientRecord::parse(&long, plain).expect("our own");
    for (one, other) in [
        (&client.change.redo, &plain.change.redo),
        (&client.change.undo, &plain.change.undo),
    ] {
        assert_eq!(one.opcode, other.opcode);
        assert_eq!(one.data.length(), other.data.length());
        assert!(one.data == other.data || one.data.bytes().is_empty());
    }
    client
}

/// Decodes the tables of a checkpoint and encodes them again; how many entries there were.
fn check_tables(client: &ClientRecord, format: Format) -> usize {
    let data = client.change.redo.data.bytes();
    let mut again = vec![0; data.len()];
    let mut count = 0;
    if client.change.redo.opcode == Opcode::AttributeNamesDump {
        let names: Vec<_> = tables::names(data)
            .map(|name| name.expect("a name"))
            .collect();
        let length = tables::encode_names(names.iter().copied(), &mut again);
        assert_eq!(length, Some(data.len()));
        assert!(again == data);
        return names.len();
    }
    let table = Table::parse(data).expect("a table");
    let entry_size = usize::from(u16::from_le_bytes([data[0], data[1]]));
    let slots = usize::from(u16::from_le_bytes([data[2], data[3]]));
    let mut entries = Vec::new();
    for number in 0..slots {
        let place = tables::place(entry_size, number).expect("small");
        let Some(entry) = table.entry(place) else {
            entries.push(None);
            continue;
        };
        count += 1;
        let mut copy = vec![0; entry_size];
        match client.change.redo.opcode {
            Opcode::OpenAttributeTableDump => {
                let open = OpenAttribute::parse(entry, format).expect("an entry");
                assert!(open.type_.get() >= 0x80 && open.type_.get() <= 0x100);
                let v1 = open.to_bytes();
                assert_eq!(OpenAttribute::parse(&v1, Format::V1), Ok(open));
            }
            Opcode::DirtyPageTableDump => {
                let page = DirtyPage::parse(entry, format).expect("an entry");
                assert_eq!(page.length, 0x1000);
                let lcns: Vec<_> = page.lcns().collect();
                let mut v1 = vec![0; 0x20 + 8 * lcns.len()];
                page.encode(lcns.iter().copied(), &mut v1).expect("room");
                let again = DirtyPage::parse(&v1, Format::V1).expect("our own");
                assert!(again.lcns().eq(lcns));
                assert_eq!((again.vcn, again.attribute), (page.vcn, page.attribute));
                assert_eq!(again.oldest_lsn, page.oldest_lsn);
                if format == Format::V1 {
                    assert!(entry[..v1.len()] == v1);
                }
            }
            other => panic!("unexpected {other:?}"),
        }
        copy.copy_from_slice(entry);
        entries.push(Some(copy));
    }
    let slots = entries.iter().map(Option::as_deref);
    let length = tables::encode(entry_size, slots, &mut again).expect("there is room");
    // The order of free entries is free, and what they hold besides.
    let copy = Table::parse(&again[..length]).expect("our own");
    assert!(copy.entries().eq(table.entries()));
    count
}

fn check_head(log: &[u8], restart: &RestartPage) {
    for at in [0, 4096] {
        let mut page = log[at..at + 4096].to_vec();
        assert_eq!(
            fixup::undo(&mut page, Magic::RSTR),
            Ok(fixup::Transfer::Complete)
        );
        let parsed = RestartPage::parse(&page).expect("a restart page");
        assert!(parsed.current_lsn <= restart.current_lsn);
        let mut again = vec![0; 4096];
        parsed.encode(&mut again).expect("a usual page");
        // All but the update sequence array.
        assert!(again[..0x1e] == page[..0x1e] && again[0x30..] == page[0x30..]);
    }
}

fn check_pages(log: &Log) {
    for page in log.pages.values() {
        let header = PageHeader::parse(page).expect("read before");
        let mut again = page.clone();
        again[..0x28].fill(0);
        header.put(&mut again).expect("a whole page");
        // Windows 7 leaves ones behind the place of the next record.
        again[0x1a..0x20].copy_from_slice(&page[0x1a..0x20]);
        assert!(again == *page);
    }
}

#[test]
fn records_of_real_logs_come_back_as_they_were() {
    let names = ["LogFile_7.bin", "LogFile_10.bin", "LogFile_10_large.bin"];
    for (name, bytes) in pieces(&names) {
        let log = Log::read(&bytes);
        check_head(&bytes, &log.restart);
        check_pages(&log);
        let mut excepted = Excepted::default();
        let mut opcodes = BTreeMap::<u16, usize>::new();
        let (mut clients, mut restarts, mut entries, mut spanning) = (0, 0, 0, 0);
        let mut format = None;
        let mut dumps = Vec::new();
        let first = log.restart.geometry.first_page().get();
        for offset in log.pages.keys().copied().filter(|offset| *offset >= first) {
            for (header, record) in log.records(offset) {
                assert!(header.to_bytes() == record[..record::HEADER_LENGTH]);
                spanning += usize::from(header.flags.is_multi_page());
                let data = &record[record::HEADER_LENGTH..];
                match header.kind {
                    Kind::Restart => {
                        let restart = ClientRestart::parse(data).expect("a restart record");
                        assert!(restart.to_bytes() == data);
                        assert_eq!(restart.cluster_size, 4096);
                        format = Some(restart.format);
                        restarts += 1;
                    }
                    Kind::Client => {
                        let client = check_client(&header, data, &mut excepted);
                        let opcode = client.change.redo.opcode;
                        *opcodes.entry(opcode.to_raw()).or_default() += 1;
                        clients += 1;
                        if matches!(opcode.to_raw(), 0x1d..=0x20) {
                            dumps.push(client);
                        }
                    }
                }
            }
        }
        for dump in &dumps {
            entries += check_tables(dump, format.expect("some restart record"));
        }
        println!(
            "{name}: {clients} client records, {restarts} restart records, {spanning} over several \
             pages, {} dumps with {entries} entries, {} pages; excepted: {} offsets without data, \
             {} bytes of padding",
            dumps.len(),
            log.pages.len(),
            excepted.offsets,
            excepted.padding,
        );
        println!("  by operation: {opcodes:x?}");
        assert!(clients > 300 && restarts > 4);
    }
}

#[test]
fn heads_of_real_logs_tell_how_their_volumes_ended() {
    let expected = [
        ("LogFile_7.bin", "clean", Some(Version::V1_1)),
        ("LogFile_10.bin", "unclean", Some(Version::V2_0)),
        ("LogFile_10_large.bin", "unclean", Some(Version::V2_0)),
        ("LogFile_empty.bin", "empty", None),
    ];
    for (name, bytes) in pieces(&expected.map(|(name, ..)| name)) {
        let length = bytes.len().min(65_536);
        let mut head = bytes[..length].to_vec();
        let state = LogState::read(&mut head).expect("the head is whole");
        let ending = match state {
            LogState::Empty => "empty",
            LogState::Closed(_) => "closed",
            LogState::Clean(_) => "clean",
            LogState::Unclean(_) => "unclean",
            LogState::Chkdsk(_) => "chkdsk",
            LogState::Unknown(..) => "unknown",
        };
        let version = state.restart().map(|page| page.version);
        println!("{name}: {ending}, {version:?}");
        assert!(expected.contains(&(name.as_str(), ending, version)));
        let Some(restart) = state.restart() else {
            continue;
        };
        // The first copy torn: the second one says the same.
        let mut head = bytes[..length].to_vec();
        head[510] ^= 1;
        let second = LogState::read(&mut head).expect("the second copy is whole");
        let second = second.restart().expect("a copy");
        assert!(second.current_lsn <= restart.current_lsn);
        assert_eq!(second.geometry, restart.geometry);
        // Both torn.
        let mut head = bytes[..length].to_vec();
        head[510] ^= 1;
        head[4096 + 510] ^= 1;
        assert!(LogState::read(&mut head).is_err());
    }
}
