// SPDX-License-Identifier: GPL-2.0-only

//! A file or directory, opened: what a VFS inode is made of.
//!
//! Everything is read when the file is opened, except the runs of its streams. What is broken in a
//! file is kept where it belongs: a file whose data cannot be found still has its names and times,
//! and an error where its data should be.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Arc,
        Mutex,
        MutexGuard, //
    },
};

use super::{
    attribute::Attribute,
    catalog::Catalog,
    compressed::Unit,
    data,
    device::Device,
    error::{
        Error,
        Located,
        Place,
        Result, //
    },
    index::Index,
    names,
    overlay::Overlay,
    store::Store,
    unrecorded::Unrecorded,
    volume::Volume, //
};
use crate::ondisk::{
    attribute::AttributeType,
    bytes::u64_from_usize,
    record::RecordFlags,
    reparse::{
        ReparsePoint,
        ReparseTag, //
    },
    standard_information::{
        FileAttributes,
        StandardInformation,
        Times, //
    },
    units::{
        ByteCount,
        ByteOffset,
        MftReference, //
    },
    wsl::{
        DeviceNumber,
        WslAttributes, //
    },
};

/// The largest value of `$REPARSE_POINT` or `$EA`, with room for their headers.
const MAX_SMALL_VALUE: usize = 68 * 1024;

/// What a file is to Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link: of Windows, a junction or mount point, or of WSL.
    Symlink,
    /// A FIFO of WSL.
    Fifo,
    /// A socket.
    Socket,
    /// A character device of WSL.
    CharDevice(DeviceNumber),
    /// A block device of WSL.
    BlockDevice(DeviceNumber),
}

/// A file or directory.
pub struct Inode {
    reference: MftReference,
    kind: Kind,
    record_flags: RecordFlags,
    links: u32,
    standard: StandardInformation,
    parent: Option<MftReference>,
    data: Result<Option<Arc<Attribute>>>,
    /// What keeps the attributes in place.
    still: StillLock,
    /// The content of a file that WOF has compressed.
    overlay: Result<Option<Arc<Overlay>>>,
    /// Whether it is an ordinary file by now, see [`super::unpack`].
    is_unpacked: Atomic<bool>,
    /// Of directories only.
    index: Result<Index>,
    reparse: Option<Arc<Attribute>>,
    reparse_tag: Option<ReparseTag>,
    wsl: WslAttributes,
    damage: Option<Error>,
}

impl Inode {
    /// Opens a file by reference; a sequence number of 0 stands for any use of the record.
    ///
    /// [`Error::Stale`] if the record is free, is used by another file by now, or is an extension
    /// of one.
    pub fn open<D: Device>(store: &Store<D>, reference: MftReference) -> Result<Self> {
        let catalog = Catalog::load(store, reference)?;
        let mut damage = catalog.damage;
        let mut keep = |result: Result<()>| match result {
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                damage = damage.or(Some(error));
                Ok(())
            }
            Ok(()) => Ok(()),
        };

        let mut named = Named::default();
        let mut standard = None;
        keep(read_names(store, &catalog).map(|found| named = found))?;
        keep(read_standard(store, &catalog).map(|found| standard = Some(found)))?;
        let standard = standard.unwrap_or(StandardInformation {
            times: named.times,
            attributes: named.attributes,
            is_case_sensitive_directory: false,
            security_id: None,
        });

        let mut reparse = None;
        let mut reparse_tag = None;
        keep(read_reparse(store, &catalog).map(|found| {
            reparse_tag = found.as_ref().map(|(_, tag)| *tag);
            reparse = found.map(|(attribute, _)| attribute);
        }))?;
        let mut wsl = WslAttributes::default();
        keep(read_wsl(store, &catalog).map(|found| wsl = found))?;

        let record_flags = catalog.header.flags;
        let kind = kind(record_flags, reparse_tag, &wsl);
        let refusal = refusal(reparse_tag, standard.attributes);
        let data = settled(Attribute::open_refusing(
            store,
            &catalog,
            AttributeType::DATA,
            &[],
            refusal,
        ))?;
        let overlay = match (reparse_tag, &reparse, &data) {
            (Some(ReparseTag::WOF), Some(point), Ok(data)) if kind == Kind::File => {
                let size = data
                    .as_ref()
                    .map_or(ByteCount::ZERO, |data| data.data_size());
                settled(open_overlay(store, &catalog, point, size).map(Some))?
            }
            _ => Ok(None),
        };
        let index = if kind == Kind::Directory {
            settled(Index::open(store, &catalog))?
        } else {
            Err(Error::NotDirectory)
        };
        let still = match &data {
            Ok(Some(data)) => StillLock::Data(data.clone()),
            _ => StillLock::Other(new_still()?),
        };
        let links = match named.links {
            0 => u32::from(catalog.header.link_count.max(1)),
            links => links,
        };
        Ok(Self {
            reference: catalog.owner,
            kind,
            record_flags,
            links,
            standard,
            parent: named.parent,
            data,
            still,
            overlay,
            is_unpacked: Atomic::new(false),
            index,
            reparse,
            reparse_tag,
            wsl,
            damage,
        })
    }

    /// The file, with the sequence number that its record has.
    pub fn reference(&self) -> MftReference {
        self.reference
    }

    /// What the file is to Linux.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The flags of its record; a link can have the directory flag of Windows.
    pub fn record_flags(&self) -> RecordFlags {
        self.record_flags
    }

    /// Names of the file, without those that are only 8.3 twins.
    pub fn links(&self) -> u32 {
        self.links
    }

    /// Its four times.
    pub fn times(&self) -> Times {
        self.standard.times
    }

    /// Its attributes in the sense of Windows.
    pub fn file_attributes(&self) -> FileAttributes {
        self.standard.attributes
    }

    /// Whether names in this directory are told apart by case whatever the mount option says.
    pub fn is_case_sensitive_directory(&self) -> bool {
        self.standard.is_case_sensitive_directory
    }

    /// A directory that lists the file; of a directory, the one above.
    pub fn parent(&self) -> Option<MftReference> {
        self.parent
    }

    /// The unnamed stream, if there is one, or why it cannot be opened.
    pub fn data(&self) -> Result<Option<&Arc<Attribute>>> {
        match &self.data {
            Ok(data) => Ok(data.as_ref()),
            Err(error) => Err(*error),
        }
    }

    /// Keeps the attributes of the file in the records in which they are, and their clusters theirs: nobody else
    /// moves, replaces or removes one meanwhile. Of a file with an unnamed stream that is the lock of its mapping.
    pub(super) fn keep_still(&self) -> Still<'_> {
        match &self.still {
            StillLock::Data(data) => Still::Data(data, data.unrecorded()),
            StillLock::Other(lock) => Still::Other(lock.lock()),
        }
    }

    /// Reads the content of a file from `offset` on; says how many bytes, less than `buf` has only at its end.
    ///
    /// It is cheapest to read whole [units](Self::unit). May sleep; takes the record lock for a value that is in
    /// its record only.
    pub fn read_at<D: Device>(
        &self,
        store: &Store<D>,
        offset: ByteOffset,
        buf: &mut [u8],
    ) -> Result<usize> {
        match (self.overlay()?, self.data()?) {
            (Some(overlay), _) => overlay.read(store, offset, buf),
            (None, Some(data)) => data::read_at(store, data, offset, buf),
            (None, None) => Ok(0),
        }
    }

    /// Why the content cannot be read, as far as that is known without reading it.
    pub fn check_readable(&self) -> Result {
        match (self.overlay()?, self.data()?) {
            (Some(_), _) | (None, None) => Ok(()),
            (None, Some(data)) => data.unsupported().map_or(Ok(()), Err),
        }
    }

    /// The content that WOF has compressed, if it is so; or why it cannot be read.
    pub(super) fn overlay(&self) -> Result<Option<&Arc<Overlay>>> {
        match &self.overlay {
            _ if self.is_unpacked.load(Acquire) => Ok(None),
            Ok(overlay) => Ok(overlay.as_ref()),
            Err(error) => Err(*error),
        }
    }

    /// The unnamed stream is the content from now on.
    pub(super) fn set_unpacked(&self) {
        self.is_unpacked.store(true, Release);
    }

    /// Whether the file has to be [unpacked](super::unpack::unpack) before it can be changed.
    pub fn is_packed(&self) -> bool {
        matches!(self.overlay(), Ok(Some(_)))
    }

    /// The bytes, a power of two, of the units in which the content is compressed; `None` if it is not.
    pub fn unit(&self) -> Option<u64> {
        match (self.overlay(), &self.data) {
            (Ok(Some(overlay)), _) => Some(u64_from_usize(overlay.chunk_size())),
            (_, Ok(Some(data))) => data.compression_unit().map(Unit::bytes),
            _ => None,
        }
    }

    /// Whether the content is that which WOF has compressed: where it is on the device the unnamed stream does
    /// not tell.
    pub fn is_overlaid(&self) -> bool {
        !matches!(self.overlay(), Ok(None))
    }

    /// The size of the unnamed stream; 0 if there is none, or none that can be opened.
    pub fn size(&self) -> ByteCount {
        match &self.data {
            Ok(Some(data)) => data.data_size(),
            _ => ByteCount::ZERO,
        }
    }

    /// The bytes that the file takes on the volume, outside of its MFT records.
    pub fn allocated(&self) -> ByteCount {
        let data = match (self.overlay(), &self.data) {
            (Ok(Some(overlay)), _) => overlay.allocated(),
            (_, Ok(Some(data))) => data.allocated(),
            _ => ByteCount::ZERO,
        };
        let index = match &self.index {
            Ok(index) => index.sizes().1.map(|sizes| sizes.allocated),
            Err(_) => None,
        };
        data.checked_add(index.unwrap_or_default()).unwrap_or(data)
    }

    /// The index of a directory; [`Error::NotDirectory`] of other files, another error if broken.
    pub fn index(&self) -> Result<&Index> {
        self.index.as_ref().map_err(|error| *error)
    }

    /// The tag of the reparse point, if there is one.
    pub fn reparse_tag(&self) -> Option<ReparseTag> {
        self.reparse_tag
    }

    /// The reparse point, if there is one.
    pub fn reparse(&self) -> Option<&Arc<Attribute>> {
        self.reparse.as_ref()
    }

    /// Owner, group, mode and device that WSL stored.
    pub fn wsl(&self) -> &WslAttributes {
        &self.wsl
    }

    /// The first thing that was found broken, for the log. The file is usable as far as it goes.
    pub fn damage(&self) -> Option<Error> {
        self.damage
    }
}

/// What keeps the attributes of a file in place.
enum StillLock {
    /// The lock of the mapping of the unnamed stream.
    Data(Arc<Attribute>),
    /// A lock of their own, if there is no unnamed stream that can be opened.
    Other(Pin<KBox<Mutex<()>>>),
}

/// The attributes of a file stay where they are as long as it lives.
#[must_use = "nothing is kept in place when this is not used"]
pub(super) enum Still<'a> {
    /// By the lock of the mapping of the unnamed stream.
    Data(&'a Attribute, MutexGuard<'a, Unrecorded>),
    /// By a lock of their own.
    Other(#[expect(dead_code, reason = "held")] MutexGuard<'a, ()>),
}

impl Still<'_> {
    /// Sees to it that what is promised for the unnamed stream can be recorded when the base record has `taken` bytes
    /// less for it.
    pub(super) fn ensure_room<D: Device>(&mut self, volume: &Volume<D>, taken: usize) -> Result {
        match self {
            Self::Data(data, unrecorded) => data.ensure_room_beside(volume, unrecorded, taken),
            Self::Other(_) => Ok(()),
        }
    }
}

fn new_still() -> Result<Pin<KBox<Mutex<()>>>> {
    KBox::pin_init(new_mutex!((), "ntfs_rs::still"), GFP_KERNEL).map_err(|_| Error::NoMemory)
}

/// Lets what may be better next time fail the whole; everything else is kept as the result.
fn settled<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if error.is_transient() => Err(error),
        settled => Ok(settled),
    }
}

/// What the `$FILE_NAME`s of a file tell.
#[derive(Default)]
struct Named {
    links: u32,
    parent: Option<MftReference>,
    times: Times,
    attributes: FileAttributes,
}

fn read_names<D: Device>(store: &Store<D>, catalog: &Catalog) -> Result<Named> {
    let mut named = Named::default();
    names::for_each(store, catalog, |name| {
        if named.parent.is_none() {
            named.parent = Some(name.parent);
            named.times = name.times;
            named.attributes = name.attributes;
        }
        if !name.namespace.is_dos_twin() {
            named.links = named.links.saturating_add(1);
        }
        Ok(true)
    })?;
    Ok(named)
}

pub(super) fn read_standard<D: Device>(
    store: &Store<D>,
    catalog: &Catalog,
) -> Result<StandardInformation> {
    let type_ = AttributeType::STANDARD_INFORMATION;
    let place = Place::Attribute(catalog.owner.number, type_);
    let attribute = Attribute::open(store, catalog, type_, &[])?
        .ok_or_else(|| Error::rule(place, "file without $STANDARD_INFORMATION", 0, 1))?;
    attribute
        .with_resident(store, &(), |value| {
            StandardInformation::parse(value).at(place)
        })?
        .unwrap_or_else(|| Err(Error::rule(place, "in clusters", 1, 0)))
}

fn read_reparse<D: Device>(
    store: &Store<D>,
    catalog: &Catalog,
) -> Result<Option<(Arc<Attribute>, ReparseTag)>> {
    let type_ = AttributeType::REPARSE_POINT;
    if catalog.pieces(type_, &[]).next().is_none() {
        return Ok(None);
    }
    let Some(attribute) = Attribute::open(store, catalog, type_, &[])? else {
        return Ok(None);
    };
    let value = read_small(store, &attribute)?;
    let point = ReparsePoint::parse(&value).at(attribute.place())?;
    Ok(Some((attribute, point.tag)))
}

fn open_overlay<D: Device>(
    store: &Store<D>,
    catalog: &Catalog,
    point: &Attribute,
    size: ByteCount,
) -> Result<Arc<Overlay>> {
    let value = read_small(store, point)?;
    let point = ReparsePoint::parse(&value).at(point.place())?;
    Overlay::open(store, catalog, point.data, size)
}

fn read_wsl<D: Device>(store: &Store<D>, catalog: &Catalog) -> Result<WslAttributes> {
    let type_ = AttributeType::EA;
    if catalog.pieces(type_, &[]).next().is_none() {
        return Ok(WslAttributes::default());
    }
    let Some(attribute) = Attribute::open(store, catalog, type_, &[])? else {
        return Ok(WslAttributes::default());
    };
    let value = read_small(store, &attribute)?;
    WslAttributes::parse(&value).at(attribute.place())
}

/// Reads the whole of a value that is small on every volume that is not broken.
pub(super) fn read_small<D: Device>(store: &Store<D>, attribute: &Attribute) -> Result<KVVec<u8>> {
    let size = attribute.data_size().get();
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if length > MAX_SMALL_VALUE {
        return Err(Error::rule(
            attribute.place(),
            "size of the value",
            size,
            u64_from_usize(MAX_SMALL_VALUE),
        ));
    }
    let mut value = KVVec::<u8>::zeroed(length, GFP_KERNEL)?;
    let read = data::read_at(store, attribute, ByteOffset::ZERO, &mut value)?;
    value.truncate(read);
    Ok(value)
}

fn kind(flags: RecordFlags, tag: Option<ReparseTag>, wsl: &WslAttributes) -> Kind {
    let device = wsl.device;
    match tag {
        Some(ReparseTag::SYMLINK | ReparseTag::MOUNT_POINT | ReparseTag::LX_SYMLINK) => {
            Kind::Symlink
        }
        Some(ReparseTag::AF_UNIX) => Kind::Socket,
        Some(ReparseTag::LX_FIFO) => Kind::Fifo,
        Some(ReparseTag::LX_CHR) => device.map_or(Kind::File, Kind::CharDevice),
        Some(ReparseTag::LX_BLK) => device.map_or(Kind::File, Kind::BlockDevice),
        _ if flags.is_directory() => Kind::Directory,
        _ => Kind::File,
    }
}

/// Why the unnamed stream is not the content of the file, if it is not.
fn refusal(tag: Option<ReparseTag>, attributes: FileAttributes) -> Option<&'static str> {
    match tag {
        Some(ReparseTag::WOF) => return Some("data compressed by the Windows overlay filter"),
        Some(ReparseTag::DEDUP) => return Some("deduplicated data"),
        _ => {}
    }
    let elsewhere = [
        FileAttributes::OFFLINE,
        FileAttributes::RECALL_ON_OPEN,
        FileAttributes::RECALL_ON_DATA_ACCESS,
    ];
    if elsewhere.iter().any(|bit| attributes.contains(*bit)) {
        return Some("data that is off-line or in the cloud");
    }
    None
}
