// SPDX-License-Identifier: GPL-2.0-only

//! How fast the codecs are: `cargo bench`. Beside ours, wimlib's on the same chunks, if it is there.
//!
//! wimlib has no LZNT1, and ntfs-3g only as a part of reading a file. So that is compared as a whole, if
//! `NTFS_RS_SPEED_VOLUME` names the volume that `tests/run.sh --only speed` makes: the file `lznt1` on it is
//! read unit by unit, from the memory in which the host keeps the image.

mod support;

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use kernel::prelude::{KVec, GFP_KERNEL};
use ntfs_rs::{
    fs::{
        directory::{self, CaseMode},
        volume::Volume,
    },
    ondisk::{
        compression::{lznt1, lznt1_compress, lzx, xpress},
        units::ByteOffset,
    },
};
use support::{
    device::FileDevice,
    ntfs3g,
    random::Random,
    samples::sample,
    wimlib::{Codec, Wimlib},
};

/// Bytes of each kind that are worked on.
const TOTAL: usize = 512 << 10;

/// How long each is measured, in rounds that are short enough not to be interrupted all the time.
const FOR: Duration = Duration::from_millis(300);

/// Prints how many MB of plain bytes a second are worked on; the best round counts.
fn measure(what: &str, who: &str, bytes: usize, mut work: impl FnMut()) {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    while begin.elapsed() < FOR || best == Duration::MAX {
        let round = Instant::now();
        work();
        best = best.min(round.elapsed());
    }
    let speed = bytes as f64 / best.as_secs_f64() / 1e6;
    println!("{what:24} {who:8} {speed:8.0} MB/s");
}

fn lznt1(chunks: &[Vec<u8>], kind: &str) {
    let mut work = KVec::<lznt1_compress::Work>::zeroed(1, GFP_KERNEL).expect("memory");
    let work = &mut work[0];
    let bytes = chunks.iter().map(Vec::len).sum();
    let mut packed = vec![0; 65536];
    measure(&format!("LZNT1 compress {kind}"), "ours", bytes, || {
        for chunk in chunks {
            black_box(lznt1_compress::compress(chunk, &mut packed, work));
        }
    });
    let units: Vec<(Vec<u8>, usize)> = chunks
        .iter()
        .map(|chunk| {
            let mut packed = vec![0; chunk.len() + 32];
            let used = lznt1_compress::compress(chunk, &mut packed, work).expect("room");
            packed.truncate(used);
            (packed, chunk.len())
        })
        .collect();
    let small: usize = units.iter().map(|unit| unit.0.len()).sum();
    let mut out = vec![0; 65536];
    measure(&format!("LZNT1 decompress {kind}"), "ours", bytes, || {
        for (unit, length) in &units {
            lznt1::decompress(unit, &mut out[..*length]).expect("a sound unit");
        }
    });
    println!("  to {:.1} %", 100.0 * small as f64 / bytes as f64);
}

fn wof(wimlib: &Wimlib, codec: Codec, size: usize, data: &[u8], kind: &str) {
    let compressor = wimlib.compressor(codec, size, 50);
    let chunks: Vec<(Vec<u8>, usize)> = data
        .chunks(size)
        .filter_map(|chunk| Some((compressor.compress(chunk)?, chunk.len())))
        .collect();
    let bytes: usize = chunks.iter().map(|chunk| chunk.1).sum();
    if bytes == 0 {
        return;
    }
    let what = format!("{codec:?} {}K {kind}", size >> 10);
    let mut out = vec![0; size];
    let mut for_xpress = KVec::<xpress::Work>::zeroed(1, GFP_KERNEL).expect("memory");
    let mut for_lzx = KVec::<lzx::Work>::zeroed(1, GFP_KERNEL).expect("memory");
    measure(&what, "ours", bytes, || {
        for (chunk, length) in &chunks {
            let out = &mut out[..*length];
            match codec {
                Codec::Xpress => xpress::decompress(chunk, out, &mut for_xpress[0]),
                Codec::Lzx => lzx::decompress(chunk, out, &mut for_lzx[0]),
            }
            .expect("a sound chunk");
        }
    });
    let decompressor = wimlib.decompressor(codec, size);
    measure(&what, "wimlib", bytes, || {
        for (chunk, length) in &chunks {
            assert!(decompressor.decompress(chunk, &mut out[..*length]));
        }
    });
}

/// Bytes of the file that are compared, and those of a unit.
const OF_FILE: usize = 4 << 20;
const UNIT: usize = 65536;

/// Reads a compressed file unit by unit.
fn file(image: &Path) {
    let device = FileDevice::open(image, 0).expect("the image");
    let volume = Volume::open(device).expect("a volume");
    let root = volume.root().expect("the root");
    let name: Vec<u16> = "lznt1".encode_utf16().collect();
    let found = directory::lookup(&volume, &root, &name, CaseMode::Exact).expect("the root");
    let inode = volume.inode(found.expect("the file").reference);
    let inode = inode.expect("the file");
    let mut out = vec![0; OF_FILE];
    measure("LZNT1 file", "ours", OF_FILE, || {
        for (number, unit) in out.chunks_mut(UNIT).enumerate() {
            let at = ByteOffset::new((number * UNIT) as u64);
            let read = inode.read_at(&volume, at, unit).expect("the content");
            assert_eq!(read, unit.len());
        }
    });
    let Some(theirs) = ntfs3g::Stream::open(image, "/lznt1") else {
        println!("LZNT1 file: no library of ntfs-3g here (libntfs-3g89t64)");
        return;
    };
    let mut other = vec![0; OF_FILE];
    measure("LZNT1 file", "ntfs-3g", OF_FILE, || {
        for (number, unit) in other.chunks_mut(UNIT).enumerate() {
            assert_eq!(theirs.read((number * UNIT) as u64, unit), unit.len());
        }
    });
    assert!(out == other, "both have read the same");
}

fn main() {
    let program = std::fs::read(std::env::current_exe().expect("this program")).expect("it");
    let mut random = Random(7);
    let mixed: Vec<u8> = (0..TOTAL / 65536)
        .flat_map(|_| sample(&mut random, 65536))
        .collect();
    let program = &program[..program.len().min(TOTAL)];
    let wimlib = Wimlib::load();
    for (kind, data) in [("mixed", &mixed[..]), ("program", program)] {
        let chunks: Vec<Vec<u8>> = data.chunks(65536).map(<[u8]>::to_vec).collect();
        lznt1(&chunks, kind);
        if let Some(wimlib) = &wimlib {
            for size in [4096, 8192, 16384] {
                wof(wimlib, Codec::Xpress, size, data, kind);
            }
            wof(wimlib, Codec::Lzx, lzx::CHUNK, data, kind);
        }
    }
    if let Some(image) = std::env::var_os("NTFS_RS_SPEED_VOLUME") {
        file(Path::new(&image));
    }
    if wimlib.is_none() {
        println!("XPRESS and LZX: no wimlib here, which would have to encode (libwim15t64)");
    }
}
