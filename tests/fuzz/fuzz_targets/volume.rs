// SPDX-License-Identifier: GPL-2.0-only

//! Whole volumes: a small image with some bytes replaced is mounted and walked through.
//!
//! The images are the `*.raw` files in the folder that `NTFS_RS_FUZZ_IMAGES` names. The input is not
//! an image but says what to change in one, so that small changes of the input are small changes of
//! the volume: the first byte chooses the image; then each five bytes choose a structure (a record,
//! an index block, or the boot sector), an offset in it, and the byte to put there.

#![no_main]

use std::{
    fs,
    sync::{Arc, LazyLock},
};

use libfuzzer_sys::fuzz_target;

#[path = "../../host/support/device.rs"]
#[allow(dead_code)]
mod device;
#[path = "../../host/support/walk.rs"]
#[allow(dead_code)]
mod walk;

/// More changes than that leave nothing to walk through.
const MAX_CHANGES: usize = 64;

/// Bytes of a structure that an input can reach.
const REACH: usize = 4096;

struct Image {
    bytes: Arc<Vec<u8>>,
    /// Where structures begin.
    places: Vec<usize>,
}

static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| {
    let folder = std::env::var("NTFS_RS_FUZZ_IMAGES").expect("NTFS_RS_FUZZ_IMAGES names a folder");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder of images")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "raw"))
        .collect();
    // An input means the same image in every run.
    paths.sort();
    let images: Vec<_> = paths
        .iter()
        .map(|path| {
            let bytes = fs::read(path).expect("an image");
            let places = (0..bytes.len())
                .step_by(512)
                .filter(|&at| {
                    at == 0 || bytes[at..].starts_with(b"FILE") || bytes[at..].starts_with(b"INDX")
                })
                .collect();
            Image {
                bytes: Arc::new(bytes),
                places,
            }
        })
        .collect();
    assert!(!images.is_empty(), "no image to fuzz");
    images
});

fuzz_target!(|data: &[u8]| {
    let Some((&which, changes)) = data.split_first() else {
        return;
    };
    let image = &IMAGES[usize::from(which) % IMAGES.len()];
    let patches = changes
        .chunks_exact(5)
        .take(MAX_CHANGES)
        .map(|change| {
            let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
            let offset = usize::from(u16::from_le_bytes([change[2], change[3]]));
            let at = image.places[place % image.places.len()] + offset % REACH;
            (at as u64, change[4])
        })
        .collect();
    let device = device::PatchedDevice::new(Arc::clone(&image.bytes), patches);
    // Errors are as good as entries here; only crashes and hangs count.
    let _ = walk::exercise(device);
});
