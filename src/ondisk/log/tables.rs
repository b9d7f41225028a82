// SPDX-License-Identifier: GPL-2.0-only

//! What a checkpoint logs: restart tables, the names of open attributes, and the restart record.
//!
//! A restart table is an array of entries of one size. An entry that is in use begins with all ones,
//! a free one with the place of the next free one. Its place in bytes is how other structures name
//! it: the open attribute table has what log records call their target, and the transaction table
//! what they call their transaction.

use crate::ondisk::{
    attribute::AttributeType,
    bytes,
    error::{
        Malformed,
        Result, //
    },
    units::{
        Lcn,
        Lsn,
        MftReference,
        Vcn, //
    },
};

/// Offsets within the header of a table.
mod field {
    pub(super) const ENTRY_SIZE: usize = 0x00;
    pub(super) const COUNT: usize = 0x02;
    pub(super) const ALLOCATED: usize = 0x04;
    pub(super) const FREE_GOAL: usize = 0x0c;
    pub(super) const FIRST_FREE: usize = 0x10;
    pub(super) const LAST_FREE: usize = 0x14;
}

/// Bytes of the header of a table.
pub const TABLE_HEADER: usize = 0x18;
/// How an entry in use begins.
const ALLOCATED: u32 = 0xffff_ffff;

/// Which layout the entries have, by the major version of the restart record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Up to Windows XP.
    V0,
    /// Later.
    V1,
}

/// A restart table.
///
/// # Invariants
///
/// `bytes` has room for all entries behind the header; an entry has at least 8 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
    entry_size: usize,
    count: usize,
}

impl<'a> Table<'a> {
    /// Decodes a table at the start of `bytes`, which can be longer.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let cut = || Malformed::truncated("restart table cut off", 0, bytes.len(), TABLE_HEADER);
        let u16_field = |at| bytes::u16_at(bytes, at).map(usize::from).ok_or_else(cut);
        let entry_size = u16_field(field::ENTRY_SIZE)?;
        let count = u16_field(field::COUNT)?;
        let allocated = u16_field(field::ALLOCATED)?;
        let length = entry_size
            .saturating_mul(count)
            .saturating_add(TABLE_HEADER);
        if entry_size < 8 || length > bytes.len() {
            return Err(Malformed::truncated(
                "entries of a restart table",
                field::ENTRY_SIZE,
                length,
                bytes.len(),
            ));
        }
        // INVARIANT: Just checked.
        let table = Self {
            bytes,
            entry_size,
            count,
        };
        let in_use = table
            .entries()
            .fold(0_usize, |sum, _| sum.saturating_add(1));
        if in_use != allocated {
            return Err(Malformed::new(
                "entries in use of a restart table",
                field::ALLOCATED,
                bytes::u64_from_usize(allocated),
                bytes::u64_from_usize(in_use),
            ));
        }
        table.check_free(bytes::u32_at(bytes, field::FIRST_FREE).ok_or_else(cut)?)?;
        Ok(table)
    }

    /// Follows the free entries from `first` on.
    fn check_free(&self, first: u32) -> Result<()> {
        let mut next = first;
        // More steps than entries would be a cycle.
        for _ in 0..=self.count {
            if next == 0 {
                return Ok(());
            }
            match self.slot(next).and_then(|entry| bytes::u32_at(entry, 0)) {
                None | Some(ALLOCATED) => break,
                Some(following) => next = following,
            }
        }
        Err(Malformed::new(
            "free entries of a restart table",
            field::FIRST_FREE,
            u64::from(next),
            0,
        ))
    }

    /// The entry at `place`, in use or not.
    fn slot(&self, place: u32) -> Option<&'a [u8]> {
        let at = bytes::usize_from_u32(place);
        let within = at.checked_sub(TABLE_HEADER)?;
        if within.checked_rem(self.entry_size)? != 0
            || within.checked_div(self.entry_size)? >= self.count
        {
            return None;
        }
        bytes::slice_at(self.bytes, at, self.entry_size)
    }

    /// The entry at `place`, if it is one in use.
    pub fn entry(&self, place: u32) -> Option<&'a [u8]> {
        self.slot(place)
            .filter(|entry| bytes::u32_at(entry, 0) == Some(ALLOCATED))
    }

    /// Place and bytes of each entry in use.
    pub fn entries(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let table = *self;
        (0..self.count).filter_map(move |number| {
            let place = table.place(number)?;
            Some((place, table.entry(place)?))
        })
    }

    fn place(&self, number: usize) -> Option<u32> {
        place(self.entry_size, number)
    }
}

/// The place of entry `number` in a table with entries of this size.
pub fn place(entry_size: usize, number: usize) -> Option<u32> {
    let at = number.checked_mul(entry_size)?.checked_add(TABLE_HEADER)?;
    u32::try_from(at).ok()
}

/// Bytes of a table with `count` entries.
pub fn table_length(entry_size: usize, count: usize) -> Option<usize> {
    count.checked_mul(entry_size)?.checked_add(TABLE_HEADER)
}

/// Writes a table into `out`: entry by entry its bytes, or `None` for a free one.
///
/// Answers how long the table is; `None` when it does not fit, or an entry has another size.
pub fn encode<'a>(
    entry_size: usize,
    slots: impl IntoIterator<Item = Option<&'a [u8]>>,
    out: &mut [u8],
) -> Option<usize> {
    let mut count: usize = 0;
    let mut allocated: u16 = 0;
    let (mut first_free, mut last_free): (u32, u32) = (0, 0);
    for slot in slots {
        let here = place(entry_size, count)?;
        let at = bytes::usize_from_u32(here);
        let target = out.get_mut(at..)?.get_mut(..entry_size)?;
        match slot {
            Some(entry) => {
                if entry.len() != entry_size {
                    return None;
                }
                bytes::put_at(target, 0, entry)?;
                bytes::put_at(target, 0, &ALLOCATED.to_le_bytes())?;
                allocated = allocated.checked_add(1)?;
            }
            None => {
                bytes::fill_zero(target, 0, entry_size);
                if last_free == 0 {
                    first_free = here;
                } else {
                    bytes::put_at(out, bytes::usize_from_u32(last_free), &here.to_le_bytes())?;
                }
                last_free = here;
            }
        }
        count = count.checked_add(1)?;
    }
    let mut put_u16 = |at, value: u16| bytes::put_at(out, at, &value.to_le_bytes());
    put_u16(field::ENTRY_SIZE, u16::try_from(entry_size).ok()?)?;
    put_u16(field::COUNT, u16::try_from(count).ok()?)?;
    put_u16(field::ALLOCATED, allocated)?;
    bytes::put_at(out, field::ALLOCATED.checked_add(2)?, &[0; 6])?;
    bytes::put_at(out, field::FREE_GOAL, &u32::MAX.to_le_bytes())?;
    bytes::put_at(out, field::FIRST_FREE, &first_free.to_le_bytes())?;
    bytes::put_at(out, field::LAST_FREE, &last_free.to_le_bytes())?;
    table_length(entry_size, count)
}

/// Bytes of an entry of the open attribute table that is written here.
pub const OPEN_ATTRIBUTE_LENGTH: usize = 0x28;
/// Bytes of an entry of the transaction table.
pub const TRANSACTION_LENGTH: usize = 0x28;

/// An entry of the open attribute table: an attribute that log records have as their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAttribute {
    /// The base record of its file.
    pub file: MftReference,
    /// Its type; the name is in the dump of names.
    pub type_: AttributeType,
    /// Bytes of an index block in `$INDEX_ALLOCATION`, else 0.
    pub index_block_size: u32,
    /// Whether pages of it were dirty.
    pub dirty_pages: bool,
    /// The newest record when it was opened.
    pub lsn: Lsn,
}

impl OpenAttribute {
    /// Decodes an entry.
    pub fn parse(entry: &[u8], format: Format) -> Result<Self> {
        let cut = || {
            let needed = OPEN_ATTRIBUTE_LENGTH;
            Malformed::truncated("open attribute cut off", 0, entry.len(), needed)
        };
        let (block, type_, dirty, file, lsn) = match format {
            Format::V0 => (0x28, 0x1c, 0x18, 0x08, 0x10),
            Format::V1 => (0x04, 0x08, 0x0c, 0x10, 0x18),
        };
        Ok(Self {
            file: MftReference::from_raw(bytes::u64_at(entry, file).ok_or_else(cut)?),
            type_: AttributeType::new(bytes::u32_at(entry, type_).ok_or_else(cut)?),
            index_block_size: bytes::u32_at(entry, block).ok_or_else(cut)?,
            dirty_pages: bytes::u8_at(entry, dirty).ok_or_else(cut)? != 0,
            lsn: Lsn::new(bytes::u64_at(entry, lsn).ok_or_else(cut)?),
        })
    }

    /// The entry in the newer layout.
    pub fn to_bytes(&self) -> [u8; OPEN_ATTRIBUTE_LENGTH] {
        let mut out = [0; OPEN_ATTRIBUTE_LENGTH];
        bytes::put_at(&mut out, 0x00, &ALLOCATED.to_le_bytes());
        bytes::put_at(&mut out, 0x04, &self.index_block_size.to_le_bytes());
        bytes::put_at(&mut out, 0x08, &self.type_.get().to_le_bytes());
        bytes::put_at(&mut out, 0x0c, &[u8::from(self.dirty_pages)]);
        bytes::put_at(&mut out, 0x10, &self.file.to_raw().to_le_bytes());
        bytes::put_at(&mut out, 0x18, &self.lsn.get().to_le_bytes());
        out
    }
}

/// An entry of the dirty page table: a page that may be older on the volume than in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirtyPage<'a> {
    /// The attribute, by its place in the open attribute table.
    pub attribute: u32,
    /// Bytes of the page.
    pub length: u32,
    /// The first cluster of the page in the attribute.
    pub vcn: Vcn,
    /// The first record that made it dirty.
    pub oldest_lsn: Lsn,
    lcns: &'a [u8],
}

impl<'a> DirtyPage<'a> {
    /// Decodes an entry.
    pub fn parse(entry: &'a [u8], format: Format) -> Result<Self> {
        let cut = || Malformed::truncated("dirty page cut off", 0, entry.len(), 0x20);
        let later: usize = match format {
            Format::V0 => 4,
            Format::V1 => 0,
        };
        let field = |at: usize| at.saturating_add(later);
        let count = bytes::usize_from_u32(bytes::u32_at(entry, 0x0c).ok_or_else(cut)?);
        Ok(Self {
            attribute: bytes::u32_at(entry, 0x04).ok_or_else(cut)?,
            length: bytes::u32_at(entry, 0x08).ok_or_else(cut)?,
            vcn: Vcn::new(bytes::u64_at(entry, field(0x10)).ok_or_else(cut)?),
            oldest_lsn: Lsn::new(bytes::u64_at(entry, field(0x18)).ok_or_else(cut)?),
            lcns: bytes::slice_at(entry, field(0x20), count.saturating_mul(8)).ok_or_else(cut)?,
        })
    }

    /// Where the clusters of the page are; 0 for one that is not allocated any more.
    pub fn lcns(&self) -> impl Iterator<Item = Lcn> + 'a {
        let lcns = self.lcns;
        (0..lcns.len() / 8)
            .map_while(move |number| bytes::u64_at(lcns, number.checked_mul(8)?).map(Lcn::new))
    }

    /// Writes an entry in the newer layout into `out`, which is zeroed and as long as an entry.
    ///
    /// `lcns` take the place of those that `self` was decoded with.
    pub fn encode(&self, lcns: impl IntoIterator<Item = Lcn>, out: &mut [u8]) -> Option<()> {
        let mut at: usize = 0x20;
        let mut count: u32 = 0;
        for lcn in lcns {
            bytes::put_at(out, at, &lcn.get().to_le_bytes())?;
            at = at.checked_add(8)?;
            count = count.checked_add(1)?;
        }
        bytes::put_at(out, 0x00, &ALLOCATED.to_le_bytes())?;
        bytes::put_at(out, 0x04, &self.attribute.to_le_bytes())?;
        bytes::put_at(out, 0x08, &self.length.to_le_bytes())?;
        bytes::put_at(out, 0x0c, &count.to_le_bytes())?;
        bytes::put_at(out, 0x10, &self.vcn.get().to_le_bytes())?;
        bytes::put_at(out, 0x18, &self.oldest_lsn.get().to_le_bytes())
    }

    /// An entry without clusters, for [`DirtyPage::encode`].
    pub const fn new(attribute: u32, length: u32, vcn: Vcn, oldest_lsn: Lsn) -> Self {
        Self {
            attribute,
            length,
            vcn,
            oldest_lsn,
            lcns: &[],
        }
    }
}

/// How far a transaction had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// It is to be taken back.
    Active,
    /// Another volume decides.
    Prepared,
    /// It stays.
    Committed,
}

/// An entry of the transaction table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// How far it had come.
    pub state: TransactionState,
    /// Its first record.
    pub first_lsn: Lsn,
    /// Its newest record.
    pub previous_lsn: Lsn,
    /// The record that a rollback takes back first.
    pub undo_next_lsn: Lsn,
    /// How many records have an undo.
    pub undo_records: u32,
    /// How many bytes those take in the log when they are taken back.
    pub undo_bytes: u32,
}

impl Transaction {
    /// Decodes an entry.
    pub fn parse(entry: &[u8]) -> Result<Self> {
        let cut = || {
            let needed = TRANSACTION_LENGTH;
            Malformed::truncated("transaction cut off", 0, entry.len(), needed)
        };
        let lsn = |at| bytes::u64_at(entry, at).map(Lsn::new).ok_or_else(cut);
        Ok(Self {
            state: match bytes::u8_at(entry, 4).ok_or_else(cut)? {
                1 => TransactionState::Active,
                2 => TransactionState::Prepared,
                3 => TransactionState::Committed,
                other => {
                    return Err(Malformed::new(
                        "state of a transaction",
                        4,
                        u64::from(other),
                        1,
                    ))
                }
            },
            first_lsn: lsn(0x08)?,
            previous_lsn: lsn(0x10)?,
            undo_next_lsn: lsn(0x18)?,
            undo_records: bytes::u32_at(entry, 0x20).ok_or_else(cut)?,
            undo_bytes: bytes::u32_at(entry, 0x24).ok_or_else(cut)?,
        })
    }

    /// The form on the disk.
    pub fn to_bytes(&self) -> [u8; TRANSACTION_LENGTH] {
        let mut out = [0; TRANSACTION_LENGTH];
        let state = match self.state {
            TransactionState::Active => 1,
            TransactionState::Prepared => 2,
            TransactionState::Committed => 3,
        };
        bytes::put_at(&mut out, 0x00, &ALLOCATED.to_le_bytes());
        bytes::put_at(&mut out, 0x04, &[state]);
        bytes::put_at(&mut out, 0x08, &self.first_lsn.get().to_le_bytes());
        bytes::put_at(&mut out, 0x10, &self.previous_lsn.get().to_le_bytes());
        bytes::put_at(&mut out, 0x18, &self.undo_next_lsn.get().to_le_bytes());
        bytes::put_at(&mut out, 0x20, &self.undo_records.to_le_bytes());
        bytes::put_at(&mut out, 0x24, &self.undo_bytes.to_le_bytes());
        out
    }
}

/// The names in a dump: the place of an open attribute, and its name in UTF-16.
pub fn names(dump: &[u8]) -> Names<'_> {
    Names {
        dump,
        next: Some(0),
    }
}

/// Iterator over the names in a dump.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    dump: &'a [u8],
    next: Option<usize>,
}

impl<'a> Iterator for Names<'a> {
    type Item = Result<(u16, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next.take()?;
        let cut = || Malformed::truncated("names of open attributes", at, self.dump.len(), 4);
        let place = bytes::u16_at(self.dump, at);
        let length = bytes::u16_at(self.dump, at.checked_add(2)?).map(usize::from);
        let (Some(place), Some(length)) = (place, length) else {
            return Some(Err(cut()));
        };
        if place == 0 {
            return None;
        }
        let start = at.checked_add(4)?;
        let name = bytes::slice_at(self.dump, start, length).filter(|name| name.len() & 1 == 0);
        let Some(name) = name else {
            return Some(Err(cut()));
        };
        // A zero unit ends each name. Ends in any case: every step is at least 6 bytes long.
        self.next = start.checked_add(length)?.checked_add(2);
        Some(Ok((place, name)))
    }
}

/// Writes a dump of names into `out`, which is zeroed, and says how long it is.
///
/// Replayers exist that read only the first name, so the most important one should come first.
pub fn encode_names<'a>(
    names: impl IntoIterator<Item = (u16, &'a [u8])>,
    out: &mut [u8],
) -> Option<usize> {
    let mut at: usize = 0;
    for (place, name) in names {
        let length = u16::try_from(name.len()).ok()?;
        bytes::put_at(out, at, &place.to_le_bytes())?;
        bytes::put_at(out, at.checked_add(2)?, &length.to_le_bytes())?;
        bytes::put_at(out, at.checked_add(4)?, name)?;
        at = at.checked_add(6)?.checked_add(name.len())?;
    }
    let end = at.checked_add(4)?;
    (end <= out.len()).then_some(end)
}

/// Bytes of a restart record as it is written here.
pub const RESTART_LENGTH: usize = 0x70;
/// Bytes of the restart record of Windows XP, which has not the last field.
const OLD_RESTART_LENGTH: usize = 0x68;

/// A part of a checkpoint that was logged before the restart record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Its record; 0 for none.
    pub lsn: Lsn,
    /// Bytes of its data; 0 for none.
    pub length: u32,
}

/// A restart record: where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientRestart {
    /// The layout of the tables.
    pub format: Format,
    /// The last record before the dumps; the replay analyses what follows. 0 in a new log.
    pub check_point_start: Lsn,
    /// The open attribute table.
    pub open_attributes: Dump,
    /// The names of the open attributes.
    pub names: Dump,
    /// The dirty page table.
    pub dirty_pages: Dump,
    /// The transaction table.
    pub transactions: Dump,
    /// Where the change journal goes on.
    pub usn_offset: u64,
    /// The newest record when the volume was last restarted.
    pub previous_restart: Lsn,
    /// Bytes of a cluster.
    pub cluster_size: u32,
    /// The change journal; 0 for none.
    pub usn_journal: u64,
    /// Where the change journal begins.
    pub usn_base: u64,
    /// Nothing older is needed; not stored by Windows XP.
    pub oldest_lsn: Option<Lsn>,
}

impl ClientRestart {
    /// Decodes the client's part of a record of type 2.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let cut = || Malformed::truncated("restart record cut off", 0, data.len(), 0x40);
        let u32_field = |at| bytes::u32_at(data, at).ok_or_else(cut);
        let u64_field = |at| bytes::u64_at(data, at).ok_or_else(cut);
        let lsn = |at| u64_field(at).map(Lsn::new);
        let dump = |at, length| {
            Ok(Dump {
                lsn: lsn(at)?,
                length: u32_field(length)?,
            })
        };
        let format = match u32_field(0)? {
            0 => Format::V0,
            1 => Format::V1,
            other => {
                return Err(Malformed::new(
                    "version of a restart record",
                    0,
                    u64::from(other),
                    1,
                ))
            }
        };
        if data.len() < OLD_RESTART_LENGTH {
            return Err(cut());
        }
        Ok(Self {
            format,
            check_point_start: lsn(0x08)?,
            open_attributes: dump(0x10, 0x30)?,
            names: dump(0x18, 0x34)?,
            dirty_pages: dump(0x20, 0x38)?,
            transactions: dump(0x28, 0x3c)?,
            usn_offset: u64_field(0x40)?,
            previous_restart: lsn(0x48)?,
            cluster_size: u32_field(0x50)?,
            usn_journal: u64_field(0x58)?,
            usn_base: u64_field(0x60)?,
            oldest_lsn: bytes::u64_at(data, 0x68).map(Lsn::new),
        })
    }

    /// The form on the disk.
    pub fn to_bytes(&self) -> [u8; RESTART_LENGTH] {
        let mut out = [0; RESTART_LENGTH];
        let mut put_u64 = |at, value: u64| bytes::put_at(&mut out, at, &value.to_le_bytes());
        put_u64(0x08, self.check_point_start.get());
        put_u64(0x10, self.open_attributes.lsn.get());
        put_u64(0x18, self.names.lsn.get());
        put_u64(0x20, self.dirty_pages.lsn.get());
        put_u64(0x28, self.transactions.lsn.get());
        put_u64(0x40, self.usn_offset);
        put_u64(0x48, self.previous_restart.get());
        put_u64(0x58, self.usn_journal);
        put_u64(0x60, self.usn_base);
        put_u64(0x68, self.oldest_lsn.unwrap_or_default().get());
        let major = match self.format {
            Format::V0 => 0,
            Format::V1 => 1,
        };
        let mut put_u32 = |at, value: u32| bytes::put_at(&mut out, at, &value.to_le_bytes());
        put_u32(0x00, major);
        put_u32(0x30, self.open_attributes.length);
        put_u32(0x34, self.names.length);
        put_u32(0x38, self.dirty_pages.length);
        put_u32(0x3c, self.transactions.length);
        put_u32(0x50, self.cluster_size);
        out
    }
}
