// SPDX-License-Identifier: GPL-2.0-only

//! The codecs: what Windows and wimlib have written is decoded, and wimlib agrees on what is broken.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path};

use crate::support::{
    device::FileDevice,
    images,
    random::Random,
    samples::sample,
    walk,
    wimlib::{Codec, Wimlib},
};
use kernel::prelude::{KVec, GFP_KERNEL};
use ntfs_rs::{
    fs::{
        attribute::Attribute, catalog::Catalog, data, device::Device, inode::Inode,
        residency::Form, runlist::Target, volume::Volume,
    },
    ondisk::{
        attribute::AttributeType,
        compression::{
            lznt1, lznt1_compress, lzx,
            wof::{Algorithm, Backing, Layout, STREAM},
            xpress,
        },
        error::Malformed,
        reparse::{ReparsePoint, ReparseTag},
        units::{ByteOffset, ClusterCount, Vcn},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Clusters of a compression unit, on all of the volumes here.
const UNIT: u64 = 16;

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // A `String` takes everything.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The rows of the ground truth by their paths.
fn truth(path: &Path) -> HashMap<String, Value> {
    fs::read_to_string(path)
        .expect("truth")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a row"))
        .map(|row| (row["path"].as_str().expect("path").to_string(), row))
        .collect()
}

/// What is done with a file: its path, its volume, and what the truth says of it.
type Visitor<'a> = dyn FnMut(&str, &Volume<FileDevice>, &Inode, &Value) + 'a;

/// Visits all files of the volumes whose truth has these words; false if they are not here.
fn each_file(words: &str, visit: &mut Visitor<'_>) -> bool {
    let Some(directory) = images::directory() else {
        return false;
    };
    for image in images::volumes(&directory) {
        let text = fs::read_to_string(&image.truth).expect("truth");
        if !text.contains(words) {
            continue;
        }
        let unpacked = images::unpack(&image.packed).expect("an image that can be unpacked");
        let device = FileDevice::open(&unpacked, image.offset).expect("unpacked image");
        let volume = Volume::open(device).expect("a volume");
        let truth = truth(&image.truth);
        walk::everything(&volume, &mut |path, _, _, inode| {
            if let (Ok(inode), Some(row)) = (inode, truth.get(path)) {
                visit(path, &volume, inode, row);
            }
        })
        .expect("a walk");
    }
    true
}

/// The clusters of a compressed stream that a unit has, and whether there is a hole in it.
fn clusters<D: Device>(volume: &Volume<D>, stream: &Attribute, unit: u64) -> (Vec<u8>, bool) {
    let geometry = volume.geometry();
    let mapping = stream.mapping(volume).expect("a mapping");
    let cluster = u64::from(geometry.cluster_size().bytes());
    let mut stored = Vec::new();
    for vcn in unit * UNIT..(unit + 1) * UNIT {
        let Some(run) = mapping.runlist.lookup(Vcn::new(vcn)) else {
            return (stored, true);
        };
        let Target::Clusters(lcn) = run.target else {
            return (stored, true);
        };
        assert!(run.length > ClusterCount::ZERO);
        let at = ByteOffset::new(lcn.get() * cluster);
        let mut bytes = vec![0; cluster as usize];
        volume.device().read(at, &mut bytes).expect("clusters");
        stored.extend_from_slice(&bytes);
    }
    (stored, false)
}

#[test]
fn every_lznt1_file_is_decoded_and_encodes_as_well() {
    let mut work = KVec::<lznt1_compress::Work>::zeroed(1, GFP_KERNEL).expect("memory");
    let (mut files, mut units, mut theirs, mut ours) = (0, 0, 0, 0);
    let found = each_file("\"compressed\"", &mut |path, volume, inode, row| {
        let Ok(Some(stream)) = inode.data() else {
            return;
        };
        let non_resident = stream.residency().hint() == Form::NonResident;
        if !stream.flags().is_compressed() || !non_resident {
            return;
        }
        let cluster = volume.geometry().cluster_size().bytes() as usize;
        let size = cluster * UNIT as usize;
        let length = stream.data_size().get() as usize;
        let mut content = Vec::new();
        while content.len() < length {
            let (stored, has_hole) = clusters(volume, stream, (content.len() / size) as u64);
            let mut unit = vec![0xaa; size];
            if stored.is_empty() {
                unit.fill(0);
            } else if has_hole {
                if let Err(error) = lznt1::decompress(&stored, &mut unit) {
                    panic!("{path}: unit at {}: {error:?}", content.len());
                }
                // Ours, in the clusters that it needs.
                let mut packed = vec![0; size];
                let used = lznt1_compress::compress(&unit, &mut packed, &mut work[0]);
                let used = used.expect("a unit that has shrunk before");
                let mut again = vec![0xaa; size];
                lznt1::decompress(&packed[..used], &mut again).expect("what we encoded");
                assert!(again == unit, "{path}: encoded at {}", content.len());
                theirs += stored.len() / cluster;
                ours += used.div_ceil(cluster);
                units += 1;
            } else {
                unit.copy_from_slice(&stored);
            }
            content.extend_from_slice(&unit);
        }
        content.truncate(length);
        assert_eq!(
            Some(hash(&content).as_str()),
            row["sha256"].as_str(),
            "{path}"
        );
        files += 1;
    });
    if !found {
        println!("no images on this machine");
        return;
    }
    println!("{files} files, {units} units in {theirs} clusters; ours take {ours}");
    assert!(files >= 3 && units >= 30, "{files} files, {units} units");
}

/// Decodes a chunk of WOF.
fn decode(algorithm: Algorithm, input: &[u8], out: &mut [u8]) -> Result<(), Malformed> {
    if algorithm == Algorithm::Lzx32K {
        let mut work = KVec::<lzx::Work>::zeroed(1, GFP_KERNEL).expect("memory");
        lzx::decompress(input, out, &mut work[0])
    } else {
        let mut work = KVec::<xpress::Work>::zeroed(1, GFP_KERNEL).expect("memory");
        xpress::decompress(input, out, &mut work[0])
    }
}

fn read_all<D: Device>(volume: &Volume<D>, stream: &Attribute) -> Vec<u8> {
    let mut content = vec![0; stream.data_size().get() as usize];
    let mut done = 0;
    while done < content.len() {
        let at = ByteOffset::new(done as u64);
        let read = data::read_at(volume, stream, at, &mut content[done..]).expect("a stream");
        assert!(read > 0);
        done += read;
    }
    content
}

#[test]
fn every_wof_file_is_decoded() {
    let (mut files, mut plain, mut packed) = (0, 0, 0);
    let found = each_file("\"WOF\"", &mut |path, volume, inode, row| {
        if inode.reparse_tag() != Some(ReparseTag::WOF) {
            return;
        }
        let point = read_all(volume, inode.reparse().expect("a reparse point"));
        let point = ReparsePoint::parse(&point).expect("a reparse point");
        let Ok(Backing::File(algorithm)) = Backing::parse(point.data) else {
            panic!("{path}: {point:?}");
        };
        let catalog = Catalog::load(volume, inode.reference()).expect("catalog");
        let name: Vec<u16> = STREAM.encode_utf16().collect();
        let stream = Attribute::open(volume, &catalog, AttributeType::DATA, &name);
        let stream = stream.expect("a stream").expect("a stream");
        let stored = read_all(volume, &stream);
        let layout = Layout::new(algorithm, inode.size(), stream.data_size()).expect("a layout");
        let mut content = Vec::new();
        while let Some(number) = layout.chunk_of(ByteOffset::new(content.len() as u64)) {
            let entries = layout.entries_of(number).expect("a chunk");
            let from = entries.offset.get() as usize;
            let chunk = layout.chunk(number, &stored[from..from + entries.length]);
            let chunk = chunk.unwrap_or_else(|error| panic!("{path}: {error:?}"));
            let from = chunk.stored.offset.get() as usize;
            let input = &stored[from..from + chunk.stored.length];
            let mut out = vec![0xaa; chunk.size];
            if chunk.is_plain() {
                out.copy_from_slice(input);
                plain += 1;
            } else {
                if let Err(error) = decode(algorithm, input, &mut out) {
                    panic!("{path}: chunk {number:?}: {error:?}");
                }
                packed += 1;
            }
            content.extend_from_slice(&out);
        }
        assert_eq!(
            Some(hash(&content).as_str()),
            row["sha256"].as_str(),
            "{path}"
        );
        files += 1;
    });
    if !found {
        println!("no images on this machine");
        return;
    }
    println!("{files} files, {packed} compressed chunks and {plain} plain ones");
    assert!(files >= 32 && plain >= 10 && packed >= 100);
}

#[test]
fn what_is_encoded_with_lznt1_is_decoded_to_the_same() {
    let mut work = KVec::<lznt1_compress::Work>::zeroed(1, GFP_KERNEL).expect("memory");
    let mut random = Random(1);
    for _ in 0..300 {
        let size = 512 << random.below(8);
        let unit = sample(&mut random, size);
        let mut packed = vec![0xaa; size + 2 * size.div_ceil(4096)];
        let used = lznt1_compress::compress(&unit, &mut packed, &mut work[0]).expect("room");
        let mut again = vec![0xaa; size];
        lznt1::decompress(&packed[..used], &mut again).expect("what we encoded");
        assert!(again == unit);
        // A byte less than it needs is not enough.
        let less = lznt1_compress::compress(&unit, &mut packed[..used - 1], &mut work[0]);
        assert_eq!(less, None);
    }
}

/// What wimlib does not see, or leaves to what a table happens to hold.
const STRICTER: [&str; 6] = [
    "compressed chunk cut off",
    "XPRESS length that needs no word",
    "XPRESS code without a symbol",
    "LZX code without a symbol",
    "LZX code length without a symbol",
    "LZX code lengths beyond the last symbol",
];

#[test]
fn wimlib_and_we_agree_on_sound_and_broken_chunks() {
    let wimlib = Wimlib::load().expect("Debian's libwim15t64");
    let mut random = Random(2);
    let (mut sound, mut broken, mut stricter) = (0, 0, 0);
    for (algorithm, codec) in [
        (Algorithm::Xpress4K, Codec::Xpress),
        (Algorithm::Xpress8K, Codec::Xpress),
        (Algorithm::Xpress16K, Codec::Xpress),
        (Algorithm::Lzx32K, Codec::Lzx),
    ] {
        let size = algorithm.chunk_size();
        let decompressor = wimlib.decompressor(codec, size);
        for level in [20, 50, 100] {
            let compressor = wimlib.compressor(codec, size, level);
            for round in 0..100 {
                let length = if round < 20 {
                    size
                } else {
                    1 + random.below(size)
                };
                let chunk = sample(&mut random, length);
                let Some(packed) = compressor.compress(&chunk) else {
                    continue;
                };
                let mut ours = vec![0xaa; length];
                assert_eq!(decode(algorithm, &packed, &mut ours), Ok(()));
                assert!(ours == chunk);
                sound += 1;
                for _ in 0..30 {
                    let mut packed = packed.clone();
                    for _ in 0..=random.below(3) {
                        let at = random.below(packed.len());
                        packed[at] ^= 1 << random.below(8);
                    }
                    if random.below(4) == 0 {
                        packed.truncate(random.below(packed.len()));
                    }
                    let mut theirs = vec![0x55; length];
                    let accepted = decompressor.decompress(&packed, &mut theirs);
                    match decode(algorithm, &packed, &mut ours) {
                        Ok(()) => assert!(accepted && ours == theirs),
                        Err(error) if accepted => {
                            assert!(STRICTER.contains(&error.what), "{error:?}");
                            stricter += 1;
                        }
                        Err(_) => broken += 1,
                    }
                }
            }
        }
    }
    println!("{sound} sound, {broken} broken for both, {stricter} broken for us alone");
    assert!(sound > 800 && broken > 1000);
}
