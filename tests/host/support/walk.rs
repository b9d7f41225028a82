// SPDX-License-Identifier: GPL-2.0-only

//! A walk through all directories of a volume.

use std::collections::VecDeque;

use ntfs_rs::{
    fs::{
        data,
        device::Device,
        directory::{self, CaseMode},
        error::Error,
        inode::{Inode, Kind},
        object_id,
        readdir::{Batch, Cookie, Walk},
        security, streams, symlink,
        volume::Volume,
    },
    ondisk::{
        attribute::AttributeType,
        standard_information::FileAttributes,
        units::{system_record, ByteOffset, MftReference},
    },
};

/// An entry of a directory, copied.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: Vec<u16>,
    pub reference: MftReference,
    pub attributes: FileAttributes,
    pub cookie: Cookie,
}

impl Entry {
    /// The name as text; lone surrogates are replaced.
    pub fn text(&self) -> String {
        String::from_utf16_lossy(&self.name)
    }
}

/// All entries of a directory, and what was broken in it.
pub fn list<D: Device>(
    volume: &Volume<D>,
    directory: &Inode,
) -> Result<(Vec<Entry>, Option<Error>), Error> {
    let mut walk = Walk::start()?;
    let entries = rest_of(volume, directory, &mut walk)?;
    Ok((entries, walk.damage()))
}

/// The entries from where a walk is to the end.
pub fn rest_of<D: Device>(
    volume: &Volume<D>,
    directory: &Inode,
    walk: &mut Walk,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut batch = Batch::new();
    while walk.fill(volume, directory, &mut batch)? {
        copy(&batch, &mut entries);
    }
    Ok(entries)
}

fn copy(batch: &Batch, entries: &mut Vec<Entry>) {
    for index in 0..batch.len() {
        let entry = batch.get(index).expect("an entry below the length");
        entries.push(Entry {
            name: entry.name.to_vec(),
            reference: entry.reference,
            attributes: entry.attributes,
            cookie: entry.cookie,
        });
    }
}

/// The first entries from a cookie on.
pub fn resume<D: Device>(
    volume: &Volume<D>,
    directory: &Inode,
    cookie: Cookie,
) -> Result<Vec<Entry>, Error> {
    let mut walk = Walk::resume(volume, directory, cookie)?;
    let mut batch = Batch::new();
    let mut entries = Vec::new();
    walk.fill(volume, directory, &mut batch)?;
    copy(&batch, &mut entries);
    Ok(entries)
}

/// What a walk meets: the path, the directory, the entry, and the file or why it cannot be opened.
pub type Visitor<'a> = dyn FnMut(&str, &Inode, &Entry, Result<&Inode, Error>) + 'a;

/// What was broken where.
pub type Damage = Vec<(String, Error)>;

/// More entries than this are not walked through: a damaged tree may have loops between directories.
const MAX_ENTRIES: usize = 1_000_000;

/// Walks through all directories under every path that leads to them, but not into a directory that
/// the path came through already.
pub fn everything<D: Device>(volume: &Volume<D>, visit: &mut Visitor<'_>) -> Result<Damage, Error> {
    let mut damage = Damage::new();
    let mut left = MAX_ENTRIES;
    let mut queue = VecDeque::new();
    queue.push_back((String::new(), volume.root()?, vec![system_record::ROOT]));
    while let Some((path, directory, way)) = queue.pop_front() {
        let (entries, broken) = match list(volume, &directory) {
            Ok(listed) => listed,
            Err(error) => {
                damage.push((path, error));
                continue;
            }
        };
        if let Some(error) = broken {
            damage.push((path.clone(), error));
        }
        for entry in entries {
            let name = entry.text();
            if name == "." || left == 0 {
                continue;
            }
            left -= 1;
            let path = format!("{path}/{name}");
            match volume.inode(entry.reference) {
                Ok(inode) => {
                    visit(&path, &directory, &entry, Ok(&inode));
                    let number = inode.reference().number;
                    if inode.kind() == Kind::Directory && !way.contains(&number) {
                        let mut way = way.clone();
                        way.push(number);
                        queue.push_back((path, inode, way));
                    }
                }
                Err(error) => {
                    damage.push((path.clone(), error));
                    visit(&path, &directory, &entry, Err(error));
                }
            }
        }
    }
    Ok(damage)
}

/// Opens a volume and does with it what a user would: lists all, reads the start of every file and
/// stream, looks every name up, follows links to their text, and asks for EAs, descriptors and object ids. Errors are counted, not judged.
pub fn exercise<D: Device>(device: D) -> Result<Summary, Error> {
    let volume = Volume::open(device)?;
    let mut summary = Summary {
        notices: volume.notices().len(),
        ..Summary::default()
    };
    let _ = volume.free_clusters();
    let _ = volume.record_counts();
    let mut buffer = vec![0; 64 << 10];
    let damage = everything(&volume, &mut |_, directory, entry, inode| {
        summary.entries += 1;
        let found = directory::lookup(&volume, directory, &entry.name, CaseMode::Ignore);
        summary.lost += usize::from(!matches!(found, Ok(Some(_))));
        let Ok(inode) = inode else {
            summary.unreadable += 1;
            return;
        };
        let read = match inode.data() {
            Ok(Some(data)) => data::read_at(&volume, data, ByteOffset::ZERO, &mut buffer),
            Ok(None) => Ok(0),
            Err(error) => Err(error),
        };
        summary.unreadable += usize::from(
            matches!(read, Err(ref e) if !matches!(e, Error::Unsupported(_) | Error::Encrypted)),
        );
        if inode.kind() == Kind::Symlink {
            let _ = symlink::target(&volume, inode);
        }
        for name in &streams::names(&volume, inode).unwrap_or_default() {
            if let Ok(Some(stream)) = streams::open(&volume, inode, name, CaseMode::Ignore) {
                let _ = data::read_at(&volume, &stream, ByteOffset::ZERO, &mut buffer);
            }
        }
        let file = inode.reference();
        let _ = streams::value(&volume, file, AttributeType::EA, &[]);
        let _ = security::descriptor(&volume, file);
        let _ = object_id::object_id(&volume, file);
        let _ = Walk::resume(&volume, directory, entry.cookie).is_ok();
    })?;
    summary.damaged = damage.len();
    Ok(summary)
}

/// What [`exercise`] met.
#[derive(Default, Debug, Clone, Copy)]
pub struct Summary {
    /// Entries that were listed.
    pub entries: usize,
    /// Files whose content cannot be read.
    pub unreadable: usize,
    /// Directories and files that are damaged.
    pub damaged: usize,
    /// Entries that are listed but not found by name.
    pub lost: usize,
    /// What the mount would say.
    pub notices: usize,
}
