// SPDX-License-Identifier: GPL-2.0-only

//! Broken volumes neither stop nor crash the driver, and show what is left of them.

use std::{
    fs,
    sync::{mpsc, Arc},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    device::{FileDevice, PatchedDevice},
    images,
    random::Random,
    walk::{self, Summary},
};
use ntfs_rs::fs::error::Error;
use serde_json::Value;

/// Longer than this is a hang.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `work` on a thread of its own; `None` if it takes too long or panics.
fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(work());
    });
    receiver.recv_timeout(LIMIT).ok()
}

fn describe(error: &Error) -> String {
    struct Line<'a>(&'a Error);
    impl std::fmt::Display for Line<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            kernel::fmt::Display::fmt(self.0, f)
        }
    }
    Line(error).to_string()
}

#[test]
fn really_broken_volumes_are_walked_or_refused_in_time() {
    let Some(directory) = images::directory().map(|path| path.join("corrupt")) else {
        println!("SKIPPED: no images on this machine");
        return;
    };
    let text = fs::read_to_string(directory.join("corrupt.json")).expect("corrupt.json");
    let list: Value = serde_json::from_str(&text).expect("corrupt.json");
    let only = std::env::var("NTFS_RS_ONLY").unwrap_or_default();
    let mut failed = 0;
    let mut fewer = 0;
    for file in list["images"]
        .as_array()
        .expect("images")
        .iter()
        .flat_map(|image| image["files"].as_array().expect("files"))
    {
        let name = file["file"].as_str().expect("file");
        if !name.contains(&only) {
            continue;
        }
        let into = images::cache().join(format!("corrupt-{}-{name}", std::process::id()));
        if !images::untar(&directory.join(name), &into) {
            println!("SKIPPED {name}: cannot be unpacked");
            let _ = fs::remove_dir_all(&into);
            continue;
        }
        let image = into.join(file["member"].as_str().expect("member"));
        let start = Instant::now();
        let found = bounded(move || {
            let device = FileDevice::open(&image, 0).expect("unpacked image");
            walk::exercise(device)
        });
        let time = start.elapsed().as_millis();
        let peer = file["peers"]["ntfs_3g_entries"].as_u64();
        let peer_text = peer.map_or("refused".to_string(), |entries| entries.to_string());
        match found {
            None => {
                println!("{name:66} HANG OR PANIC after {time} ms");
                failed += 1;
            }
            Some(Ok(summary)) => {
                let less = (summary.entries as u64) < peer.unwrap_or(0);
                fewer += usize::from(less);
                println!(
                    "{name:66} {:6} entries (ntfs-3g {peer_text}){}, {} unreadable, {} damaged, {} lost, {} notices, {time} ms",
                    summary.entries,
                    if less { " FEWER" } else { "" },
                    summary.unreadable,
                    summary.damaged,
                    summary.lost,
                    summary.notices,
                );
            }
            Some(Err(error)) => {
                fewer += usize::from(peer.is_some());
                println!(
                    "{name:66} refused (ntfs-3g {peer_text}), {time} ms: {}",
                    describe(&error)
                );
            }
        }
        let _ = fs::remove_dir_all(&into);
    }
    println!("{fewer} volumes show fewer entries than ntfs-3g counted");
    assert_eq!(failed, 0, "volumes that hang or crash the driver");
}

/// Where the metadata of an image is: sectors that begin a record, an index block or the volume.
fn metadata(image: &[u8]) -> Vec<usize> {
    (0..image.len() / 512)
        .map(|sector| sector * 512)
        .filter(|at| {
            let sector = &image[*at..];
            sector.starts_with(b"FILE") || sector.starts_with(b"INDX") || *at == 0
        })
        .collect()
}

/// One to eight bytes, near each other or not, in the metadata.
fn mutation(random: &mut Random, image: &[u8], places: &[usize]) -> Vec<(u64, u8)> {
    let mut patches = Vec::new();
    for _ in 0..1 + random.below(3) {
        let place = places[random.below(places.len())];
        // Headers and small structures are at the start of a record.
        let reach = [0x40, 0x100, 0x200, 0x1000][random.below(4)];
        let at = place + random.below(reach);
        for next in 0..1 + random.below(3) {
            let Some(old) = image.get(at + next) else {
                break;
            };
            let new = match random.below(5) {
                0 => 0,
                1 => 0xff,
                2 => old ^ (1 << random.below(8)),
                3 => old.wrapping_add(1),
                _ => random.next() as u8,
            };
            patches.push(((at + next) as u64, new));
        }
    }
    patches
}

#[test]
fn mutated_volumes_are_walked_or_refused_in_time() {
    let Some(directory) = images::directory() else {
        println!("SKIPPED: no images on this machine");
        return;
    };
    let number = |name: &str, default: u64| {
        let value = std::env::var(name).ok();
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let seed = number("NTFS_RS_SEED", 20_260_922);
    let cases = number("NTFS_RS_CASES", 400);
    let names = [
        "lin-colinfinck",
        "syz-ntfs-04",
        "syz-ntfs3-12",
        "win10-ads-attrlist",
        "win7-512-cluster-unclean",
        "win10-2k-index-slack",
    ];
    println!(
        "seed {seed}, {cases} cases on each of {} volumes",
        names.len()
    );
    let mut total = Summary::default();
    let mut refused = 0;
    let mut failed = 0;
    for name in names {
        let Some(packed) = images::volumes(&directory)
            .into_iter()
            .find(|volume| volume.name == name)
        else {
            continue;
        };
        let Some(unpacked) = images::unpack(&packed.packed) else {
            println!("SKIPPED {name}: cannot be unpacked");
            continue;
        };
        let mut bytes = fs::read(unpacked).expect("unpacked image");
        let base = Arc::new(bytes.split_off(packed.offset as usize));
        let places = metadata(&base);
        let mut random = Random(seed);
        for case in 0..cases {
            let patches = mutation(&mut random, &base, &places);
            let device = PatchedDevice::new(base.clone(), patches.clone());
            match bounded(move || walk::exercise(device)) {
                Some(Ok(summary)) => {
                    total.entries += summary.entries;
                    total.damaged += summary.damaged;
                    total.unreadable += summary.unreadable;
                }
                Some(Err(_)) => refused += 1,
                None => {
                    println!("{name} case {case}: HANG OR PANIC with {patches:?}");
                    failed += 1;
                }
            }
        }
    }
    println!(
        "{refused} refused; {} entries, {} damaged, {} unreadable in the rest",
        total.entries, total.damaged, total.unreadable
    );
    assert_eq!(failed, 0, "mutations that hang or crash the driver");
}

#[test]
fn a_zeroed_boot_sector_is_replaced_by_its_copy() {
    let Some(directory) = images::directory() else {
        println!("SKIPPED: no images on this machine");
        return;
    };
    let packed = images::volumes(&directory)
        .into_iter()
        .find(|volume| volume.name == "win10-default-10m")
        .expect("the image is in the manifest");
    let Some(unpacked) = images::unpack(&packed.packed) else {
        println!("SKIPPED: cannot be unpacked");
        return;
    };
    let base = Arc::new(fs::read(unpacked).expect("unpacked image"));
    let whole = walk::exercise(PatchedDevice::new(base.clone(), Vec::new())).expect("volume");
    let zeros = (0..512).map(|at| (at, 0)).collect();
    let found = walk::exercise(PatchedDevice::new(base, zeros)).expect("volume");
    assert_eq!(found.entries, whole.entries);
    assert_eq!(found.notices, whole.notices + 1);
}
