// SPDX-License-Identifier: GPL-2.0-only

//! Every real volume is read as its ground truth says.
//!
//! Paths, types, record numbers, times, attributes, sizes, contents, streams, EAs, security descriptors, links
//! and 8.3 names are compared. Contents that the driver does not read yet are named and counted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    fs,
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread,
    time::Instant,
};

use crate::support::{
    device::FileDevice,
    images,
    walk::{self, Entry},
};
use ntfs_rs::{
    fs::{
        attribute::Attribute,
        data::{self, Source},
        device::Device,
        directory::{self, CaseMode},
        error::Error,
        inode::{Inode, Kind},
        object_id,
        residency::Form,
        security, streams, symlink,
        volume::Volume,
    },
    ondisk::{attribute::AttributeType, ea, file_name::Namespace, units::ByteOffset},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Contents up to this size are also read by extents, as the page cache does.
const BY_EXTENTS: u64 = 4 << 20;

#[derive(Default)]
struct Report {
    entries: usize,
    reads: u64,
    contents: usize,
    streams: usize,
    descriptors: usize,
    eas: usize,
    object_ids: usize,
    not_yet: BTreeMap<&'static str, Vec<String>>,
    wrong: Vec<String>,
}

impl Report {
    fn add_not_yet(&mut self, what: &'static str, path: &str) {
        self.not_yet.entry(what).or_default().push(path.to_string());
    }

    fn check(&mut self, path: &str, what: &str, found: impl ToString, expected: impl ToString) {
        let (found, expected) = (found.to_string(), expected.to_string());
        if found != expected {
            self.wrong
                .push(format!("{path}: {what} is {found}, not {expected}"));
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // A `String` takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads a content, in pieces of this many bytes.
fn read_all<R>(piece: usize, read: R) -> Result<Vec<u8>, Error>
where
    R: Fn(ByteOffset, &mut [u8]) -> Result<usize, Error>,
{
    let mut content = Vec::new();
    let mut buffer = vec![0; piece];
    loop {
        let at = ByteOffset::new(content.len() as u64);
        match read(at, &mut buffer)? {
            0 => return Ok(content),
            read => content.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Reads through [`data::map_extent`].
fn read_by_extents<D: Device>(volume: &Volume<D>, stream: &Attribute) -> Result<Vec<u8>, Error> {
    let mut content = vec![0; stream.data_size().get() as usize];
    let mut at = 0;
    while at < content.len() {
        let extent = data::map_extent(volume, stream, ByteOffset::new(at as u64))?;
        assert_eq!(extent.offset.get(), at as u64);
        let length = (extent.length.get().min((content.len() - at) as u64)) as usize;
        assert!(length > 0, "an extent has a length");
        if let Source::Device(from) = extent.source {
            volume
                .device()
                .read(from, &mut content[at..at + length])
                .map_err(Error::Device)?;
        }
        at += length;
    }
    Ok(content)
}

/// The content of a file.
fn compare_file<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    inode: &Inode,
    expected: &str,
) {
    let read = |at, buffer: &mut [u8]| inode.read_at(volume, at, buffer);
    match read_all(1 << 20, read) {
        Ok(content) => {
            report.check(path, "content", hash(&content), expected);
            report.contents += 1;
            // In pieces that are neither units nor pages.
            if inode.unit().is_some() {
                let again = read_all(5000, read).map(|content| hash(&content));
                let again = again.unwrap_or_else(|error| error.to_string());
                report.check(path, "content in small pieces", again, expected);
            }
        }
        Err(Error::Unsupported(what)) => report.add_not_yet(what, path),
        Err(Error::Encrypted) => report.add_not_yet("encrypted data", path),
        Err(error) => report.wrong.push(format!("{path}: {error}")),
    }
}

fn compare_content<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    stream: &Attribute,
    expected: &str,
) {
    match read_all(1 << 20, |at, buffer| {
        data::read_at(volume, stream, at, buffer)
    }) {
        Ok(content) => {
            report.check(path, "content", hash(&content), expected);
            report.contents += 1;
            let small = stream.data_size().get() <= BY_EXTENTS;
            let plain = stream.compression_unit().is_none();
            if small && plain && stream.residency().hint() == Form::NonResident {
                match read_by_extents(volume, stream) {
                    Ok(again) => report.check(path, "content by extents", hash(&again), expected),
                    Err(error) => report.wrong.push(format!("{path}: by extents: {error}")),
                }
            }
        }
        Err(Error::Unsupported(what)) => report.add_not_yet(what, path),
        Err(Error::Encrypted) => report.add_not_yet("encrypted data", path),
        Err(error) => report.wrong.push(format!("{path}: {error}")),
    }
}

fn compare<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    directory: &Inode,
    entry: &Entry,
    inode: &Inode,
    row: &Value,
) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let reference = inode.reference();
    report.check(path, "record", reference.number, number(&row["mft"]));
    report.check(path, "sequence", reference.sequence, number(&row["seq"]));
    let type_ = match inode.kind() {
        Kind::Directory => "dir",
        Kind::Symlink if inode.record_flags().is_directory() => "dir",
        _ => "file",
    };
    report.check(path, "type", type_, row["type"].as_str().unwrap_or(""));
    let attributes = inode.file_attributes().get();
    report.check(path, "attributes", attributes, number(&row["attributes"]));
    let times = inode.times();
    for (name, time) in [
        ("created", times.creation),
        ("modified", times.modification),
        ("changed", times.change),
        ("accessed", times.access),
    ] {
        report.check(path, name, time.get(), number(&row["times"][name]));
    }
    let nlink = row["nlink"].as_u64().unwrap_or(1);
    report.check(path, "link count", inode.links(), nlink);
    if let Some(damage) = inode.damage() {
        report.wrong.push(format!("{path}: {damage}"));
    }

    match (inode.data(), row["size"].as_u64()) {
        (Ok(None), None) => {}
        (Ok(Some(stream)), Some(size)) => {
            report.check(path, "size", stream.data_size(), size);
            let resident = stream.residency().hint() == Form::Resident;
            let expected = row["resident"].as_bool().unwrap_or(false);
            report.check(path, "residency", resident, expected);
            if let Some(allocated) = row["allocated"].as_u64() {
                report.check(path, "allocated", stream.sizes().allocated, allocated);
            }
            if let Some(initialized) = row["initialized"].as_u64() {
                report.check(path, "initialized", stream.sizes().initialized, initialized);
            }
            if let Some(sha) = row["sha256"].as_str() {
                compare_file(volume, report, path, inode, sha);
                if inode.unit().is_none() {
                    compare_content(volume, report, path, stream, sha);
                }
            }
        }
        (Ok(found), size) => report.wrong.push(format!(
            "{path}: unnamed stream {:?}, not {size:?}",
            found.map(|stream| stream.data_size())
        )),
        (Err(error), _) => report.wrong.push(format!("{path}: {error}")),
    }

    compare_streams(volume, report, path, inode, row);
    compare_small(volume, report, path, inode, row);

    if let Some(expected) = row["reparse"].as_object() {
        let tag = inode.reparse_tag().map_or(0, |tag| tag.get());
        let text = expected["tag"].as_str().unwrap_or("");
        report.check(path, "reparse tag", format!("{tag:#010x}"), text);
        let point = inode.reparse().expect("a reparse point");
        report.check(
            path,
            "reparse length",
            point.data_size(),
            number(&expected["len"]),
        );
        if let Some(sha) = expected["sha256"].as_str() {
            compare_content(volume, report, path, point, sha);
        }
        if let Some(target) = expected.get("target").and_then(Value::as_str) {
            match symlink::target(volume, inode) {
                Ok(found) => report.check(
                    path,
                    "target",
                    String::from_utf8_lossy(found.raw()),
                    target.replace('\\', "/"),
                ),
                Err(error) => report.wrong.push(format!("{path}: {error}")),
            }
        }
    } else if inode.reparse_tag().is_some() {
        report.wrong.push(format!("{path}: reparse point"));
    }

    look_up(volume, report, path, directory, entry, row);
}

/// The named streams: which there are, and what is in them.
fn compare_streams<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    inode: &Inode,
    row: &Value,
) {
    let mut expected = BTreeMap::new();
    for stream in row["ads"].as_array().into_iter().flatten() {
        let name = stream["name"].as_str().expect("name of a stream");
        expected.insert(name.encode_utf16().collect::<Vec<u16>>(), stream);
    }
    let hidden: Vec<u16> = "WofCompressedData".encode_utf16().collect();
    if inode.is_overlaid() && expected.remove(&hidden).is_none() {
        report.wrong.push(format!("{path}: no compressed stream"));
    }
    let found = match streams::names(volume, inode) {
        Ok(names) => names.iter().map(|name| name.to_vec()).collect(),
        Err(error) => {
            report.wrong.push(format!("{path}: streams: {error}"));
            BTreeSet::new()
        }
    };
    let wanted: BTreeSet<Vec<u16>> = expected.keys().cloned().collect();
    report.check(
        path,
        "names of the streams",
        format!("{found:?}"),
        format!("{wanted:?}"),
    );
    for (units, stream) in expected {
        let path = format!("{path}:{}", String::from_utf16_lossy(&units));
        match streams::open(volume, inode, &units, CaseMode::Exact) {
            Ok(Some(found)) => {
                report.streams += 1;
                let size = stream["size"].as_u64().unwrap_or(0);
                report.check(&path, "size", found.data_size(), size);
                if let Some(sha) = stream["sha256"].as_str() {
                    compare_content(volume, report, &path, &found, sha);
                }
            }
            Ok(None) => report.wrong.push(format!("{path}: not found")),
            Err(error) => report.wrong.push(format!("{path}: {error}")),
        }
    }
}

/// The security descriptor and the EAs.
fn compare_small<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    inode: &Inode,
    row: &Value,
) {
    let file = inode.reference();
    match (
        security::descriptor(volume, file),
        row["sd_sha256"].as_str(),
    ) {
        (Ok(Some(descriptor)), Some(expected)) => {
            report.descriptors += 1;
            report.check(path, "descriptor", hash(&descriptor), expected);
        }
        // Not all readers of the truth know all.
        (Ok(_), None) => {}
        (Ok(None), Some(_)) => report.wrong.push(format!("{path}: no descriptor")),
        (Err(error), _) => report.wrong.push(format!("{path}: descriptor: {error}")),
    }
    let all = match streams::value(volume, file, AttributeType::EA, &[]) {
        Ok(all) => all.map_or(Vec::new(), |all| all.to_vec()),
        Err(error) => {
            report.wrong.push(format!("{path}: EAs: {error}"));
            return;
        }
    };
    let mut found = BTreeSet::new();
    for attribute in ea::entries(&all) {
        match attribute {
            Ok(attribute) => {
                report.eas += 1;
                let name = String::from_utf8_lossy(attribute.name).into_owned();
                found.insert((name, hash(attribute.value)));
            }
            Err(what) => report.wrong.push(format!("{path}: EAs: {what}")),
        }
    }
    let expected: BTreeSet<(String, String)> = row["eas"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|attribute| {
            let text = |key: &str| attribute[key].as_str().unwrap_or("").to_string();
            (text("name"), text("sha256"))
        })
        .collect();
    report.check(path, "EAs", format!("{found:?}"), format!("{expected:?}"));
    match object_id::object_id(volume, file) {
        Ok(found) => report.object_ids += usize::from(found.is_some()),
        Err(error) => report.wrong.push(format!("{path}: object id: {error}")),
    }
}

/// Finds the entry by its name in both modes, and by its 8.3 name.
fn look_up<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    directory: &Inode,
    entry: &Entry,
    row: &Value,
) {
    let mut find = |name: &[u16], mode, what: &str| {
        let found = directory::lookup(volume, directory, name, mode);
        match &found {
            Ok(Some(found)) if found.reference == entry.reference => {}
            other => report.wrong.push(format!("{path}: {what} gives {other:?}")),
        }
        found.ok().flatten().map(|found| found.namespace)
    };
    find(&entry.name, CaseMode::Exact, "its name");
    let swapped: Vec<u16> = entry
        .name
        .iter()
        .map(|unit| match u8::try_from(*unit) {
            Ok(byte) if byte.is_ascii_alphabetic() => u16::from(byte ^ 0x20),
            _ => *unit,
        })
        .collect();
    find(&swapped, CaseMode::Ignore, "its name in the other case");
    if let Some(short) = row["dos_name"].as_str() {
        let units: Vec<u16> = short.encode_utf16().collect();
        let namespace = find(&units, CaseMode::Exact, "its 8.3 name");
        report.check(
            path,
            "namespace of its 8.3 name",
            namespace == Some(Namespace::Dos),
            true,
        );
    }
}

/// Resumes the listing of a directory at each of its entries (at some, if they are many).
fn resume_everywhere<D: Device>(
    volume: &Volume<D>,
    report: &mut Report,
    path: &str,
    directory: &Inode,
) {
    let Ok((entries, None)) = walk::list(volume, directory) else {
        report.wrong.push(format!("{path}: cannot be listed again"));
        return;
    };
    let step = (entries.len() / 200).max(1);
    for (index, entry) in entries.iter().enumerate().step_by(step) {
        match walk::resume(volume, directory, entry.cookie) {
            Ok(rest) => {
                let expected = &entries[index..(index + rest.len()).min(entries.len())];
                let same = !rest.is_empty()
                    && rest.len() == expected.len()
                    && rest.iter().zip(expected).all(|(a, b)| a.cookie == b.cookie);
                if !same {
                    let name = entry.text();
                    report
                        .wrong
                        .push(format!("{path}: resuming at {name} goes elsewhere"));
                }
            }
            Err(error) => report.wrong.push(format!("{path}: resuming: {error}")),
        }
    }
    let cookies: BTreeSet<u64> = entries.iter().map(|entry| entry.cookie.get()).collect();
    report.check(
        path,
        "number of different cookies",
        cookies.len(),
        entries.len(),
    );
}

fn truth(path: &Path) -> HashMap<String, Value> {
    fs::read_to_string(path)
        .expect("truth")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a row"))
        .map(|row| (row["path"].as_str().expect("path").to_string(), row))
        .collect()
}

fn check_volume(image: &images::Volume, unpacked: &Path) -> Report {
    let mut report = Report::default();
    let mut truth = truth(&image.truth);
    let device = FileDevice::open(unpacked, image.offset).expect("unpacked image");
    let volume = match Volume::open(device) {
        Ok(volume) => volume,
        Err(error) => {
            report.wrong.push(format!("cannot be opened: {error}"));
            return report;
        }
    };
    for notice in volume.notices() {
        println!(
            "    notice: {}",
            text(|f| kernel::fmt::Display::fmt(notice, f))
        );
    }
    let geometry = &image.geometry;
    if let Some(label) = geometry["label"].as_str() {
        let found = String::from_utf16_lossy(volume.label());
        report.check("volume", "label", found, label);
    }
    if let Some(version) = geometry["ntfs_version"].as_str() {
        let (major, minor) = volume.version();
        report.check("volume", "version", format!("{major}.{minor}"), version);
    }
    if let Some(serial) = geometry["serial"].as_str() {
        report.check(
            "volume",
            "serial",
            format!("{:x}", volume.serial()),
            serial.trim_start_matches('0'),
        );
    }
    if let Some(records) = geometry["mft_records"].as_u64() {
        let counts = volume.record_counts().expect("record counts");
        report.check("volume", "records", counts.total, records);
    }
    let free = volume
        .free_clusters()
        .expect("free clusters")
        .expect("bitmap");
    assert!(free <= volume.geometry().clusters());

    let mut directories = Vec::new();
    let walked = walk::everything(&volume, &mut |path, directory, entry, inode| {
        report.entries += 1;
        let Some(row) = truth.remove(path) else {
            report
                .wrong
                .push(format!("{path}: not in the ground truth"));
            return;
        };
        match inode {
            Ok(inode) => {
                compare(&volume, &mut report, path, directory, entry, inode, &row);
                if inode.kind() == Kind::Directory {
                    directories.push((path.to_string(), inode.reference()));
                }
            }
            Err(error) => report.wrong.push(format!("{path}: {error}")),
        }
    });
    match walked {
        Ok(damage) => {
            for (path, error) in damage {
                report.wrong.push(format!("{path}: {error}"));
            }
        }
        Err(error) => report.wrong.push(format!("root: {error}")),
    }
    report.reads = volume.device().reads.load(Ordering::Relaxed);
    for path in truth.keys() {
        report.wrong.push(format!("{path}: not found"));
    }
    directories.push(("/".to_string(), volume.root().expect("root").reference()));
    for (path, reference) in directories {
        let directory = volume.inode(reference).expect("directory");
        resume_everywhere(&volume, &mut report, &path, &directory);
    }
    report
}

/// The text that a formatter writes.
fn text(write: impl Fn(&mut std::fmt::Formatter<'_>) -> std::fmt::Result) -> String {
    struct With<F>(F);
    impl<F: Fn(&mut std::fmt::Formatter<'_>) -> std::fmt::Result> std::fmt::Display for With<F> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            (self.0)(f)
        }
    }
    With(write).to_string()
}

#[test]
fn every_real_volume_is_read_as_its_ground_truth_says() {
    let Some(directory) = images::directory() else {
        println!("SKIPPED: no images on this machine");
        return;
    };
    let only = std::env::var("NTFS_RS_ONLY").unwrap_or_default();
    let mut wrong = 0;
    let mut skipped = 0;
    for image in images::volumes(&directory) {
        if !image.name.contains(&only) {
            continue;
        }
        let Some(unpacked) = images::unpack(&image.packed) else {
            println!("SKIPPED {}: cannot be unpacked", image.name);
            skipped += 1;
            continue;
        };
        let start = Instant::now();
        let report = check_volume(&image, &unpacked);
        println!(
            "{:28} {:5} entries, {:4} contents, {:3} streams, {:4} descriptors, {:2} EAs, {:2} object ids, {:2} wrong, {:5} reads, {:4} ms",
            image.name,
            report.entries,
            report.contents,
            report.streams,
            report.descriptors,
            report.eas,
            report.object_ids,
            report.wrong.len(),
            report.reads,
            start.elapsed().as_millis()
        );
        for (what, paths) in &report.not_yet {
            println!("    not yet compared, {what}: {}", paths.join(" "));
        }
        for line in report.wrong.iter().take(20) {
            println!("    WRONG {line}");
        }
        wrong += report.wrong.len();
    }
    println!("{skipped} volumes skipped");
    assert_eq!(wrong, 0, "differences from the ground truth");
}

/// What a reader of everything ends with: entries, bytes, and a hash over all.
fn read_everything<D: Device>(volume: &Volume<D>) -> (usize, usize, String) {
    let mut entries = 0;
    let mut bytes = 0;
    let mut all = Sha256::new();
    walk::everything(volume, &mut |path, _, _, inode| {
        entries += 1;
        all.update(path);
        let data = inode.ok().and_then(|inode| inode.data().ok().flatten());
        if let Some(Ok(content)) = data
            .filter(|data| data.data_size().get() <= BY_EXTENTS)
            .map(|data| {
                read_all(1 << 20, |at, buffer| {
                    data::read_at(volume, data, at, buffer)
                })
            })
        {
            bytes += content.len();
            all.update(content);
        }
    })
    .expect("root");
    (entries, bytes, format!("{:x}", all.finalize()))
}

#[test]
fn eight_readers_and_a_shrinker_see_what_one_reader_sees() {
    let Some(directory) = images::directory() else {
        println!("SKIPPED: no images on this machine");
        return;
    };
    for name in ["lin-colinfinck", "win-lznt1-bigdir", "win10-ads-attrlist"] {
        let image = images::volumes(&directory)
            .into_iter()
            .find(|volume| volume.name == name)
            .expect("the image is in the manifest");
        let Some(unpacked) = images::unpack(&image.packed) else {
            println!("SKIPPED {name}: cannot be unpacked");
            continue;
        };
        let open = || {
            let device = FileDevice::open(&unpacked, image.offset).expect("unpacked image");
            Volume::open(device).unwrap_or_else(|_| panic!("{name} cannot be opened"))
        };
        let alone = read_everything(&*open());
        let shared = Arc::new(open());
        let stop = Arc::new(AtomicBool::new(false));
        let shrinker = {
            let (shared, stop) = (shared.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    shared.shrink(16);
                    thread::yield_now();
                }
            })
        };
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || read_everything(&**shared))
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().expect("a reader"), alone, "{name}");
        }
        stop.store(true, Ordering::Relaxed);
        shrinker.join().expect("the shrinker");
    }
}
