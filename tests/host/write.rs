// SPDX-License-Identifier: GPL-2.0-only

//! Writing files of volumes that `mkntfs` made, with a model of the page cache in between, checked by
//! ntfs-3g's tools.
//!
//! The model keeps the bytes of each file and which of its pages are dirty, and calls `fs` as the page
//! cache does: reserve, copy, move the initialized size, allocate, transfer, tell that it ended.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use crate::support::random::Random;
use kernel::error::{code::EIO, Result as KernelResult};
use ntfs_rs::{
    fs::{
        allocator::{Claim, Purpose},
        attribute::Attribute,
        catalog::Catalog,
        convert,
        data::{self, Source},
        device::Device,
        directory::CaseMode,
        efs::Encrypted,
        error::Error,
        file,
        inode::Inode,
        inode_record::{self, Changed},
        residency::Form,
        resize,
        runlist::Target,
        stream_update, streams,
        volume::Volume,
    },
    ondisk::{
        attribute::AttributeType,
        time::NtTime,
        units::{system_record, ByteCount, ByteOffset, ClusterCount, MftReference, RecordNumber},
    },
};

const PAGE: usize = 4096;

/// A device of bytes in memory that can be written.
struct Memory(std::sync::Arc<Mutex<Vec<u8>>>);

impl Device for Memory {
    fn size(&self) -> ByteCount {
        ByteCount::new(self.0.lock().unwrap().len() as u64)
    }

    fn logical_block_size(&self) -> u32 {
        512
    }

    fn read(&self, at: ByteOffset, buf: &mut [u8]) -> KernelResult {
        let bytes = self.0.lock().unwrap();
        let start = at.get() as usize;
        buf.copy_from_slice(bytes.get(start..start + buf.len()).ok_or(EIO)?);
        Ok(())
    }

    fn write(&self, at: ByteOffset, buf: &[u8]) -> KernelResult {
        let mut bytes = self.0.lock().unwrap();
        let start = at.get() as usize;
        bytes
            .get_mut(start..start + buf.len())
            .ok_or(EIO)?
            .copy_from_slice(buf);
        Ok(())
    }

    fn flush(&self) -> KernelResult {
        Ok(())
    }
}

/// A file with its page cache.
struct File {
    inode: Inode,
    content: Vec<u8>,
    dirty: std::collections::BTreeSet<usize>,
    time: u64,
}

impl File {
    fn open(volume: &Volume<Memory>, name: &str) -> Self {
        let units: Vec<u16> = name.encode_utf16().collect();
        let root = volume.root().unwrap();
        let found = ntfs_rs::fs::directory::lookup(
            volume,
            &root,
            &units,
            ntfs_rs::fs::directory::CaseMode::Exact,
        )
        .unwrap()
        .unwrap();
        let inode = volume.inode(found.reference).unwrap();
        let data = inode.data().unwrap().unwrap().clone();
        let mut content = vec![0; data.data_size().get() as usize];
        let read = data::read_at(volume, &data, ByteOffset::ZERO, &mut content).unwrap();
        assert_eq!(read, content.len());
        Self {
            inode,
            content,
            dirty: Default::default(),
            time: 1 << 56,
        }
    }

    fn data(&self) -> &ntfs_rs::fs::attribute::Attribute {
        self.inode.data().unwrap().unwrap()
    }

    /// Whether there was room. As `write_iter` does.
    fn write(&mut self, volume: &Volume<Memory>, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let end = at + bytes.len();
        self.time += 1;
        if self.data().residency().hint() == Form::Resident {
            let size = end.max(self.content.len());
            let size = ByteCount::new(size as u64);
            match convert::resize_resident(volume, self.data(), size)? {
                Form::Resident => {
                    self.put(at, bytes);
                    return Ok(());
                }
                Form::NonResident => {
                    convert::make_non_resident(volume, self.data(), &self.content)?;
                    self.dirty.clear();
                }
            }
        }
        // Zeros from the end of what is initialized up to the write, where there are clusters.
        let initialized = self.data().sizes().initialized.get() as usize;
        if initialized < at {
            self.dirty_range(volume, initialized, at, true)?;
        }
        self.dirty_range(volume, at, end, false)?;
        self.put(at, bytes);
        file::set_initialized(self.data(), ByteCount::new(end as u64));
        Ok(())
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[at..end].copy_from_slice(bytes);
        for page in at / PAGE..end.div_ceil(PAGE) {
            self.dirty.insert(page);
        }
    }

    /// Reserves a range page by page; whole clusters become dirty. Holes are left out with `zeroing`.
    fn dirty_range(
        &mut self,
        volume: &Volume<Memory>,
        from: usize,
        to: usize,
        zeroing: bool,
    ) -> Result<(), Error> {
        let cluster = volume.geometry().cluster_size().bytes() as usize;
        let mut at = from;
        while at < to {
            let found = data::map_extent(volume, self.data(), ByteOffset::new(at as u64))?;
            let end = match zeroing && found.source == Source::Hole {
                true => at.saturating_add(found.length.get() as usize).min(to),
                false => {
                    let length = ByteCount::new((to - at) as u64);
                    let got =
                        file::reserve(volume, self.data(), ByteOffset::new(at as u64), length)?;
                    let end = at.saturating_add(got.length.get() as usize).min(to);
                    let (mut first, mut last) = (at, end);
                    if found.source == Source::Hole || found.source == Source::Promised {
                        first = at / cluster * cluster;
                        last = end.div_ceil(cluster) * cluster;
                    }
                    for page in first / PAGE..last.div_ceil(PAGE) {
                        self.dirty.insert(page);
                    }
                    end
                }
            };
            at = end;
        }
        Ok(())
    }

    /// Writes dirty pages back; with `some` only some of them, in any order.
    fn write_back(
        &mut self,
        volume: &Volume<Memory>,
        random: Option<&mut Random>,
    ) -> Result<(), Error> {
        let mut pages: Vec<usize> = self.dirty.iter().copied().collect();
        if let Some(random) = random {
            pages.retain(|_| random.below(2) == 0);
            for index in (1..pages.len()).rev() {
                pages.swap(index, random.below(index + 1));
            }
        }
        for page in pages {
            self.dirty.remove(&page);
            let start = page * PAGE;
            if start >= self.content.len() {
                continue;
            }
            let mut bytes = vec![0; PAGE];
            let end = self.content.len().min(start + PAGE);
            bytes[..end - start].copy_from_slice(&self.content[start..end]);
            if self.data().residency().hint() == Form::Resident {
                let written = convert::write_resident(
                    volume,
                    self.data(),
                    ByteOffset::new(start as u64),
                    &bytes[..end - start],
                )?;
                assert_eq!(written, Form::Resident);
                continue;
            }
            let limit = self.content.len().div_ceil(512) * 512;
            let mut at = start;
            while at < limit.min(start + PAGE) {
                let offset = ByteOffset::new(at as u64);
                let left = limit.min(start + PAGE) - at;
                let wanted = ByteCount::new(left as u64);
                let extent = file::allocate(volume, self.data(), offset, wanted)?;
                let length = usize::try_from(extent.length.get()).unwrap().min(left);
                let part = &bytes[at - start..at - start + length];
                let place = match extent.source {
                    Source::Device(place) => place,
                    // A block of the page that nobody wrote; the kernel keeps books of that.
                    Source::Hole if part.iter().all(|byte| *byte == 0) => {
                        at += length;
                        continue;
                    }
                    other => panic!("{at} of a dirty page is {other:?}"),
                };
                volume.device().write(place, part).unwrap();
                let length = ByteCount::new(length as u64);
                file::written(volume, self.data(), offset, length, true)?;
                at += length.get() as usize;
            }
        }
        Ok(())
    }

    fn truncate(&mut self, volume: &Volume<Memory>, size: usize) -> Result<(), Error> {
        self.time += 1;
        let bytes = ByteCount::new(size as u64);
        if self.data().residency().hint() == Form::Resident {
            match convert::resize_resident(volume, self.data(), bytes)? {
                Form::Resident => {
                    self.content.resize(size, 0);
                    self.dirty.clear();
                    self.dirty.insert(0);
                    return Ok(());
                }
                Form::NonResident => {
                    convert::make_non_resident(volume, self.data(), &self.content)?;
                    self.dirty.clear();
                }
            }
        }
        if size < self.content.len() && size % PAGE != 0 {
            // The rest of the last page is zeroed and dirty, if it is there.
            let at = ByteOffset::new(size as u64);
            let found = data::map_extent(volume, self.data(), at)?;
            if matches!(found.source, Source::Device(_)) {
                self.dirty.insert(size / PAGE);
            }
        }
        self.content.resize(size, 0);
        let behind = size.div_ceil(PAGE);
        self.dirty.retain(|page| *page < behind);
        resize::set_size(volume, self.data(), bytes)
    }

    /// Makes whole clusters a hole, of a value in clusters.
    fn punch(&mut self, volume: &Volume<Memory>, at: usize, length: usize) -> Result<(), Error> {
        self.write_back(volume, None)?;
        let end = (at + length).min(self.content.len());
        if at < end {
            self.content[at..end].fill(0);
        }
        let (at, length) = (ByteOffset::new(at as u64), ByteCount::new(length as u64));
        resize::punch_hole(volume, self.data(), at, length)
    }

    fn record(&mut self, volume: &Volume<Memory>, waited: bool) -> Result<(), Error> {
        let changed = Changed {
            modification: Some(NtTime::new(self.time)),
            change: Some(NtTime::new(self.time)),
            access: Some(NtTime::new(self.time)),
            read_only: None,
        };
        inode_record::write_inode(volume, &self.inode, &changed, waited)
    }

    /// Compares what is on the volume with the model, where no page is dirty.
    fn compare(&self, volume: &Volume<Memory>) {
        let mut read = vec![0xaa; self.content.len()];
        let length = data::read_at(volume, self.data(), ByteOffset::ZERO, &mut read).unwrap();
        assert_eq!(length, self.content.len());
        for page in 0..self.content.len().div_ceil(PAGE) {
            if !self.dirty.contains(&page) {
                let range = page * PAGE..self.content.len().min((page + 1) * PAGE);
                assert!(
                    read[range.clone()] == self.content[range.clone()],
                    "page {page}"
                );
            }
        }
    }
}

struct Image {
    path: PathBuf,
}

impl Image {
    fn make(name: &str, cluster: usize, bytes: u64, files: &[(&str, usize)]) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("ntfs_rs-{name}-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(bytes).unwrap();
        drop(file);
        let image = Self { path };
        let mut mkntfs = Command::new("mkntfs");
        mkntfs.args([
            "-F",
            "-q",
            "-Q",
            "-s",
            "512",
            "-c",
            &cluster.to_string(),
            "-p",
            "0",
        ]);
        if !image.run(mkntfs.args(["-H", "255", "-S", "63"]).arg(&image.path)) {
            return None;
        }
        for (name, size) in files {
            let source = image.path.with_extension("source");
            std::fs::write(&source, pattern(name, *size)).unwrap();
            let mut ntfscp = Command::new("ntfscp");
            ntfscp.arg("-q").arg(&image.path).arg(&source).arg(name);
            assert!(image.run(&mut ntfscp), "ntfscp {name}");
            std::fs::remove_file(&source).unwrap();
        }
        Some(image)
    }

    fn run(&self, command: &mut Command) -> bool {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Has `ntfscat` read a stream.
    fn check_stream(&self, file: &str, stream: &str, content: &[u8]) {
        let output = Command::new("ntfscat")
            .args(["-n", stream])
            .arg(&self.path)
            .arg(file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "ntfscat {file}:{stream}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            output.stdout == *content,
            "{file}:{stream}: {} bytes instead of {}",
            output.stdout.len(),
            content.len()
        );
    }

    fn check(&self, files: &[(String, Vec<u8>)]) {
        let output = Command::new("ntfsfix")
            .arg("-n")
            .arg(&self.path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        for (name, content) in files {
            let output = Command::new("ntfscat")
                .arg(&self.path)
                .arg(name)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "ntfscat {name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(
                output.stdout == *content,
                "{name}: {} bytes",
                output.stdout.len()
            );
        }
        let Some(checker) = std::env::var_os("NTFSCK") else {
            return;
        };
        let output = Command::new(checker)
            .arg("-n")
            .arg(&self.path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "ntfsck: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if std::env::var_os("KEEP").is_none() {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn pattern(name: &str, size: usize) -> Vec<u8> {
    let seed = name
        .bytes()
        .fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    (0..size)
        .map(|at| seed.wrapping_add((at / 7) as u8))
        .collect()
}

fn load(path: &Path) -> std::sync::Arc<Mutex<Vec<u8>>> {
    std::sync::Arc::new(Mutex::new(std::fs::read(path).unwrap()))
}

fn mount(bytes: &std::sync::Arc<Mutex<Vec<u8>>>) -> kernel::alloc::KBox<Volume<Memory>> {
    let volume = Volume::open(Memory(bytes.clone())).unwrap();
    if let Err(refusal) = volume.begin_writing(false) {
        panic!("{refusal}");
    }
    volume
}

/// The named streams of a file, by their names.
type Streams = BTreeMap<String, Vec<u8>>;

/// Sets or removes a stream of a file.
fn change_stream(
    volume: &Volume<Memory>,
    inode: &Inode,
    streams: &mut Streams,
    random: &mut Random,
) -> Result<(), Error> {
    let name = format!("stream {}", random.below(20));
    let units: Vec<u16> = name.encode_utf16().collect();
    if random.below(4) == 0 {
        let removed = stream_update::remove(volume, inode, &units, CaseMode::Exact)?;
        assert_eq!(removed, streams.remove(&name).is_some());
        return Ok(());
    }
    let size = match random.below(4) {
        0 => random.below(20),
        1 | 2 => random.below(300),
        _ => random.below(20_000),
    };
    let value = vec![random.below(256) as u8; size];
    stream_update::set(volume, inode, &units, CaseMode::Exact, &value)?;
    streams.insert(name, value);
    Ok(())
}

/// Whether a file has these streams and no others.
fn compare_streams(volume: &Volume<Memory>, inode: &Inode, streams: &Streams) {
    let names = streams::names(volume, inode).unwrap();
    assert_eq!(names.len(), streams.len());
    let mut buffer = vec![0; 1 << 16];
    for (name, value) in streams {
        let units: Vec<u16> = name.encode_utf16().collect();
        let size = streams::read(
            volume,
            inode,
            &units,
            CaseMode::Exact,
            Encrypted::Refused,
            &mut buffer,
        )
        .unwrap();
        assert_eq!(size.map(|size| size.get() as usize), Some(value.len()));
        assert!(buffer[..value.len()] == **value, "{name}");
    }
}

/// Random operations on files of all sizes, with a check by other programs after each unmount.
fn exercise(cluster: usize, seed: u64, rounds: usize) {
    let files = [
        ("empty", 0),
        ("tiny", 10),
        ("small", 500),
        ("page", 4096),
        ("large", 300_000),
    ];
    let Some(image) = Image::make(&format!("{cluster}-{seed}"), cluster, 24 << 20, &files) else {
        eprintln!("skipped: no mkntfs");
        return;
    };
    let bytes = load(&image.path);
    let mut random = Random(seed);
    let mut streams = vec![Streams::new(); files.len()];
    for round in 0..rounds {
        let volume = mount(&bytes);
        let free = volume.free_clusters().unwrap().unwrap();
        let mut open: Vec<File> = files
            .iter()
            .map(|(name, _)| File::open(&volume, name))
            .collect();
        for _ in 0..60 {
            let which = random.below(files.len());
            let (file, streams) = (&mut open[which], &mut streams[which]);
            let size = file.content.len();
            let result = match random.below(12) {
                0..=2 => {
                    let at = match random.below(3) {
                        0 => size,
                        1 => random.below(size + 1),
                        _ => random.below(size + 50_000),
                    };
                    let length = match random.below(3) {
                        0 => random.below(100),
                        1 => random.below(5000),
                        _ => random.below(100_000),
                    };
                    let fill = random.below(256) as u8;
                    file.write(&volume, at, &vec![fill; length])
                }
                3 => file.truncate(&volume, random.below(size + 1000)),
                4 => file.truncate(&volume, random.below(700)),
                5 => file.write_back(&volume, Some(&mut random)),
                6 => file.record(&volume, false),
                8.. => change_stream(&volume, &file.inode, streams, &mut random),
                _ => file
                    .write_back(&volume, None)
                    .and_then(|()| file.record(&volume, true))
                    .and_then(|()| volume.sync()),
            };
            result.unwrap_or_else(|error| panic!("round {round}: {error}"));
            file.compare(&volume);
            compare_streams(&volume, &file.inode, streams);
        }
        for file in &mut open {
            file.write_back(&volume, None).unwrap();
            file.record(&volume, true).unwrap();
            file.compare(&volume);
        }
        volume.end_writing().unwrap();
        let end = volume.free_clusters().unwrap();
        println!("round {round}: {free} free clusters before, {end:?} after");
        std::fs::write(&image.path, &*bytes.lock().unwrap()).unwrap();
        let contents: Vec<(String, Vec<u8>)> = files
            .iter()
            .zip(open)
            .map(|((name, _), file)| (name.to_string(), file.content))
            .collect();
        image.check(&contents);
        for ((file, _), streams) in files.iter().zip(&streams) {
            for (name, value) in streams {
                image.check_stream(file, name, value);
            }
        }
    }
}

#[test]
fn random_writes_leave_what_other_programs_read() {
    for (cluster, seed) in [(4096, 1), (512, 2), (65536, 3), (2048, 4)] {
        println!("clusters of {cluster}");
        exercise(cluster, seed, 4);
    }
}

/// All records of a file are marked as in use.
fn check_records(volume: &Volume<Memory>, file: &File) {
    let mft = MftReference {
        number: system_record::MFT,
        sequence: Default::default(),
    };
    let catalog = Catalog::load(volume, mft).unwrap();
    let bitmap = Attribute::open(volume, &catalog, AttributeType::BITMAP, &[]);
    let bitmap = bitmap.unwrap().unwrap();
    let mut bits = vec![0; bitmap.data_size().get() as usize];
    data::read_at(volume, &bitmap, ByteOffset::ZERO, &mut bits).unwrap();
    let catalog = Catalog::load(volume, file.inode.reference()).unwrap();
    assert_eq!(catalog.damage, None);
    for piece in catalog.pieces(AttributeType::DATA, &[]) {
        let number = piece.record.number.get() as usize;
        assert!(
            (bits[number / 8] >> (number % 8)) & 1 == 1,
            "record {number}"
        );
    }
}

/// A file of thousands of runs, in tens of records, and back to none.
fn shatter(cluster: usize, seed: u64, pieces: usize) {
    let files = [("whole", 3000), ("shattered", 10)];
    let Some(image) = Image::make(&format!("s{cluster}-{seed}"), cluster, 24 << 20, &files) else {
        eprintln!("skipped: no mkntfs");
        return;
    };
    let bytes = load(&image.path);
    let mut random = Random(seed);
    let volume = mount(&bytes);
    let before = volume.record_counts().unwrap();
    drop(volume);
    let step = 2 * cluster.max(512);
    for round in 0..4 {
        let volume = mount(&bytes);
        println!(
            "round {round}: {:?} records",
            volume.record_counts().unwrap()
        );
        let mut file = File::open(&volume, "shattered");
        let mut places: Vec<usize> = (0..pieces).collect();
        for index in (1..pieces).rev() {
            places.swap(index, random.below(index + 1));
        }
        for (turn, place) in places.iter().enumerate() {
            let at = place * step;
            let done = match round {
                // Holes of one cluster between, in any order.
                0 => file.write(&volume, at, &vec![turn as u8; cluster]),
                // Some of the pieces get longer, others become holes.
                1 if turn % 3 == 0 => file.write(&volume, at + cluster, &[turn as u8; 100]),
                1 if turn % 3 == 1 => file.punch(&volume, at, cluster),
                // Most of it goes, from the end.
                2 if turn % (pieces / 16) == 0 => {
                    let size = file.content.len();
                    file.truncate(&volume, size - size / 9)
                }
                _ => Ok(()),
            };
            done.unwrap_or_else(|error| panic!("round {round}, turn {turn}: {error}"));
            if turn % (pieces / 8) == 5 {
                file.write_back(&volume, Some(&mut random)).unwrap();
                file.record(&volume, false).unwrap();
                file.compare(&volume);
            }
            if turn % (pieces / 3) == 7 {
                volume.sync().unwrap();
                check_records(&volume, &file);
            }
        }
        if round == 3 {
            file.truncate(&volume, 0).unwrap();
            file.write(&volume, 0, b"whole again").unwrap();
        }
        file.write_back(&volume, None).unwrap();
        file.record(&volume, true).unwrap();
        file.compare(&volume);
        let counts = volume.record_counts().unwrap();
        volume.end_writing().unwrap();
        check_records(&volume, &file);
        std::fs::write(&image.path, &*bytes.lock().unwrap()).unwrap();
        let whole = pattern("whole", 3000);
        image.check(&[
            ("whole".to_owned(), whole),
            ("shattered".to_owned(), file.content.clone()),
        ]);
        println!("clusters of {cluster}, round {round}: {counts:?} records");
        let used = counts.total - counts.free;
        let used_before = before.total - before.free;
        match round {
            0 => assert!(
                used > used_before + (pieces as u64 * 4 / 1000),
                "{counts:?}"
            ),
            3 => {
                let volume = mount(&bytes);
                let counts = volume.record_counts().unwrap();
                assert_eq!(counts.total - counts.free, used_before);
            }
            _ => {}
        }
    }
}

#[test]
fn a_file_of_thousands_of_runs_is_in_several_records() {
    for (cluster, seed, pieces) in [(512, 1, 3000), (4096, 2, 1000)] {
        shatter(cluster, seed, pieces);
    }
}

/// `$MFT` itself in more pieces than its record can tell of.
fn scatter_mft(cluster: usize, pieces: usize) {
    let files = [("whole", 3000)];
    let Some(image) = Image::make(&format!("m{cluster}"), cluster, 48 << 20, &files) else {
        eprintln!("skipped: no mkntfs");
        return;
    };
    let bytes = load(&image.path);
    let volume = mount(&bytes);
    volume.start_change().unwrap();
    let total = volume.record_counts().unwrap().total;
    for _ in 0..pieces {
        // Somebody takes the cluster behind.
        let mft = volume.mft();
        let last = mft.runlist.extents().last().unwrap();
        let Target::Clusters(lcn) = last.target else {
            panic!("{last:?}");
        };
        let goal = lcn.checked_add(last.length);
        let allocator = volume.allocator().unwrap();
        let one = ClusterCount::new(1);
        let taken = allocator.allocate(&**volume, goal, one, Claim::Unreserved, Purpose::Mft);
        taken.unwrap().keep();
        let free = volume.record_counts().unwrap().free;
        drop(volume.reserve_records(free).unwrap());
    }
    let grown = volume.record_counts().unwrap().total;
    assert!(
        grown >= total + pieces as u64,
        "{total} records, then {grown}"
    );
    let runs = volume.mft().runlist.len();
    assert!(runs > pieces, "{runs} runs");
    volume.end_writing().unwrap();
    std::fs::write(&image.path, &*bytes.lock().unwrap()).unwrap();
    image.check(&[("whole".to_owned(), pattern("whole", 3000))]);

    let volume = mount(&bytes);
    assert_eq!(volume.notices(), []);
    assert_eq!(volume.record_counts().unwrap().total, grown);
    assert_eq!(volume.mft().runlist.len(), runs);
    let mft = volume.inode_number(system_record::MFT).unwrap();
    let catalog = Catalog::load(&**volume, mft.reference()).unwrap();
    let parts = catalog.pieces(AttributeType::DATA, &[]).count();
    println!("clusters of {cluster}: {grown} records in {runs} runs, told of by {parts} records");
    assert!(parts > 1, "{parts} parts");
    for number in total..grown {
        let opened = volume.inode_number(RecordNumber::new(number));
        // The parts are in some of the new ones.
        assert!(matches!(opened, Err(Error::Stale(_))), "record {number}");
    }
}

#[test]
fn the_mft_is_in_several_records() {
    for cluster in [512, 4096] {
        scatter_mft(cluster, 300);
    }
}
