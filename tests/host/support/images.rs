// SPDX-License-Identifier: GPL-2.0-only

//! Finding and unpacking the images of real volumes.
//!
//! They are in `NTFS_RS_IMAGES`, or in `../shared/images` beside the checkout, and not on a user's
//! machine. Unpacked images are kept in `NTFS_RS_IMAGE_CACHE`, or in the directory for temporary
//! files; a packed image whose size changed is unpacked again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use serde_json::Value;

/// The directory with the images, if this machine has it.
pub fn directory() -> Option<PathBuf> {
    let path = match std::env::var_os("NTFS_RS_IMAGES") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/images"),
    };
    path.join("manifest.json").is_file().then_some(path)
}

/// Where unpacked images are kept.
pub fn cache() -> PathBuf {
    let path = match std::env::var_os("NTFS_RS_IMAGE_CACHE") {
        Some(path) => PathBuf::from(path),
        None => std::env::temp_dir().join("ntfs_rs-images"),
    };
    fs::create_dir_all(&path).expect("the image cache can be made");
    path
}

/// One volume of an image.
pub struct Volume {
    /// The image's name, with the number of the volume if there are several.
    pub name: String,
    /// The packed image.
    pub packed: PathBuf,
    /// Where the volume begins in the unpacked image.
    pub offset: u64,
    /// What must be read from it.
    pub truth: PathBuf,
    /// What the manifest says about it.
    pub geometry: Value,
}

/// All volumes of the manifest.
pub fn volumes(directory: &Path) -> Vec<Volume> {
    let text = fs::read_to_string(directory.join("manifest.json")).expect("manifest");
    let manifest: Value = serde_json::from_str(&text).expect("manifest");
    let mut found = Vec::new();
    for image in manifest["images"].as_array().expect("images") {
        let id = image["id"].as_str().expect("id");
        let volumes = image["volumes"].as_array().expect("volumes");
        for (number, volume) in volumes.iter().enumerate() {
            let name = match volumes.len() {
                1 => id.to_string(),
                _ => format!("{id}.p{}", number + 1),
            };
            found.push(Volume {
                name,
                packed: directory.join(image["file"].as_str().expect("file")),
                offset: volume["offset"].as_u64().expect("offset"),
                truth: directory.join(volume["truth"].as_str().expect("truth")),
                geometry: volume["geometry"].clone(),
            });
        }
    }
    found
}

/// Runs a program; whether it succeeded.
fn run(program: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Unpacks an image, or takes the one that was unpacked before; `None` if a program is missing.
pub fn unpack(packed: &Path) -> Option<PathBuf> {
    // Tests run at the same time, and two may want the same image.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let size = fs::metadata(packed).ok()?.len();
    let stem = packed.file_name()?.to_str()?;
    let unpacked = cache().join(format!("{stem}.{size}.raw"));
    if unpacked.is_file() {
        return Some(unpacked);
    }
    let partial = cache().join(format!("{stem}.{}.partial", std::process::id()));
    let done = match packed.extension()?.to_str()? {
        "zst" => run(
            "zstd",
            &[
                "-dqf".as_ref(),
                "--sparse".as_ref(),
                packed.as_os_str(),
                "-o".as_ref(),
                partial.as_os_str(),
            ],
        ),
        "qcow2" => run(
            "qemu-img",
            &[
                "convert".as_ref(),
                "-O".as_ref(),
                "raw".as_ref(),
                packed.as_os_str(),
                partial.as_os_str(),
            ],
        ),
        _ => false,
    };
    if !done {
        let _ = fs::remove_file(&partial);
        return None;
    }
    fs::rename(&partial, &unpacked).ok()?;
    Some(unpacked)
}

/// Unpacks one member of a tar file into a directory of its own; the caller removes it.
pub fn untar(packed: &Path, into: &Path) -> bool {
    fs::create_dir_all(into).is_ok()
        && run(
            "tar",
            &[
                "xSf".as_ref(),
                packed.as_os_str(),
                "-C".as_ref(),
                into.as_os_str(),
            ],
        )
}
