// SPDX-License-Identifier: GPL-2.0-only

//! Log records: a header that the log itself reads, and the record of its client.
//!
//! The log knows transactions and how their records hang together. What a record does to the volume
//! is in the client's part, which is a [`Change`] with the place of its page. The only client is NTFS.

use super::{
    change::{
        Action,
        Change,
        Data, //
    },
    opcode::Opcode,
};
use crate::ondisk::{
    bytes,
    error::Malformed,
    units::{
        Lcn,
        Lsn,
        Vcn, //
    },
};
use kernel::prelude::*;

/// Bytes of the log's own header.
pub const HEADER_LENGTH: usize = 0x30;
/// Bytes of the client's header, without the clusters.
const CLIENT_LENGTH: usize = 0x20;
/// The most bytes of client data that any reader takes.
pub const MAX_CLIENT_LENGTH: usize = 0xfff8;
/// The most clusters that one change covers: a page of 64 KiB in clusters of 256 bytes.
const MAX_CLUSTERS: usize = 256;

/// Offsets within the header.
mod field {
    pub(super) const LSN: usize = 0x00;
    pub(super) const PREVIOUS: usize = 0x08;
    pub(super) const UNDO_NEXT: usize = 0x10;
    pub(super) const DATA_LENGTH: usize = 0x18;
    pub(super) const CLIENT_SEQUENCE: usize = 0x1c;
    pub(super) const CLIENT_INDEX: usize = 0x1e;
    pub(super) const TYPE: usize = 0x20;
    pub(super) const TRANSACTION: usize = 0x24;
    pub(super) const FLAGS: usize = 0x28;
}

/// Offsets within the client's part.
mod client_field {
    pub(super) const REDO: usize = 0x00;
    pub(super) const UNDO: usize = 0x02;
    pub(super) const REDO_OFFSET: usize = 0x04;
    pub(super) const REDO_LENGTH: usize = 0x06;
    pub(super) const UNDO_OFFSET: usize = 0x08;
    pub(super) const UNDO_LENGTH: usize = 0x0a;
    pub(super) const TARGET_ATTRIBUTE: usize = 0x0c;
    pub(super) const CLUSTERS: usize = 0x0e;
    pub(super) const RECORD_OFFSET: usize = 0x10;
    pub(super) const ATTRIBUTE_OFFSET: usize = 0x12;
    pub(super) const BLOCK_OFFSET: usize = 0x14;
    pub(super) const BLOCK_SIZE: usize = 0x16;
    pub(super) const TARGET_VCN: usize = 0x18;
    pub(super) const LCNS: usize = 0x20;
}

/// A transaction, by the place of its entry in the transaction table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionId(pub u32);

/// What a log record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A step of a transaction, or a part of a checkpoint.
    Client,
    /// Where a restart begins: [`super::tables::ClientRestart`].
    Restart,
}

/// How a record is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    const MULTI_PAGE: u16 = 0x1;
    const NO_REDO: u16 = 0x2;
    const NO_UNDO: u16 = 0x4;

    /// Takes the field as it is on the disk.
    pub const fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the record continues in another page.
    pub const fn is_multi_page(self) -> bool {
        self.0 & Self::MULTI_PAGE != 0
    }

    /// The same, with whether the record continues in another page.
    pub const fn with_multi_page(self, value: bool) -> Self {
        if value {
            Self(self.0 | Self::MULTI_PAGE)
        } else {
            Self(self.0 & !Self::MULTI_PAGE)
        }
    }

    /// Whether redo bytes are left out (written by Windows 10; a length without bytes means zeros).
    pub const fn omits_redo(self) -> bool {
        self.0 & Self::NO_REDO != 0
    }

    /// Whether undo bytes are left out.
    pub const fn omits_undo(self) -> bool {
        self.0 & Self::NO_UNDO != 0
    }
}

/// The header of a log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The record's own LSN, that of its place.
    pub lsn: Lsn,
    /// The record before in the same transaction; 0 in its first.
    pub previous: Lsn,
    /// The record to take back next, when a rollback comes past this one; 0 when none is left.
    pub undo_next: Lsn,
    /// Bytes of the client's part.
    pub data_length: u32,
    /// What the record is for.
    pub kind: Kind,
    /// The transaction; 0 in a restart record.
    pub transaction: TransactionId,
    /// How the record is stored.
    pub flags: Flags,
}

impl Header {
    /// Decodes the header at the start of `record`; `lsn` is that of the place where it was found.
    pub fn parse(record: &[u8], lsn: Lsn) -> crate::ondisk::error::Result<Self> {
        let cut =
            || Malformed::truncated("log record header cut off", 0, record.len(), HEADER_LENGTH);
        let u16_field = |at| bytes::u16_at(record, at).ok_or_else(cut);
        let u32_field = |at| bytes::u32_at(record, at).ok_or_else(cut);
        let u64_field = |at| bytes::u64_at(record, at).ok_or_else(cut);
        let found = Lsn::new(u64_field(field::LSN)?);
        if found != lsn {
            return Err(Malformed::new(
                "LSN of a log record",
                field::LSN,
                found.get(),
                lsn.get(),
            ));
        }
        let client = (
            u16_field(field::CLIENT_SEQUENCE)?,
            u16_field(field::CLIENT_INDEX)?,
        );
        if client != (0, 0) {
            return Err(Malformed::new(
                "client of a log record",
                field::CLIENT_INDEX,
                u64::from(client.1),
                0,
            ));
        }
        let kind = match u32_field(field::TYPE)? {
            1 => Kind::Client,
            2 => Kind::Restart,
            other => {
                return Err(Malformed::new(
                    "type of a log record",
                    field::TYPE,
                    u64::from(other),
                    1,
                ))
            }
        };
        let data_length = u32_field(field::DATA_LENGTH)?;
        if data_length & 7 != 0 || bytes::usize_from_u32(data_length) > MAX_CLIENT_LENGTH {
            return Err(Malformed::truncated(
                "length of a log record",
                field::DATA_LENGTH,
                bytes::usize_from_u32(data_length),
                MAX_CLIENT_LENGTH,
            ));
        }
        Ok(Self {
            lsn,
            previous: Lsn::new(u64_field(field::PREVIOUS)?),
            undo_next: Lsn::new(u64_field(field::UNDO_NEXT)?),
            data_length,
            kind,
            transaction: TransactionId(u32_field(field::TRANSACTION)?),
            flags: Flags::new(u16_field(field::FLAGS)?),
        })
    }

    /// Bytes of the whole record.
    pub fn record_length(&self) -> usize {
        bytes::usize_from_u32(self.data_length).saturating_add(HEADER_LENGTH)
    }

    /// The form on the disk.
    pub fn to_bytes(&self) -> [u8; HEADER_LENGTH] {
        let mut out = [0; HEADER_LENGTH];
        let kind: u32 = match self.kind {
            Kind::Client => 1,
            Kind::Restart => 2,
        };
        bytes::put_at(&mut out, field::LSN, &self.lsn.get().to_le_bytes());
        bytes::put_at(
            &mut out,
            field::PREVIOUS,
            &self.previous.get().to_le_bytes(),
        );
        bytes::put_at(
            &mut out,
            field::UNDO_NEXT,
            &self.undo_next.get().to_le_bytes(),
        );
        bytes::put_at(
            &mut out,
            field::DATA_LENGTH,
            &self.data_length.to_le_bytes(),
        );
        bytes::put_at(&mut out, field::TYPE, &kind.to_le_bytes());
        bytes::put_at(
            &mut out,
            field::TRANSACTION,
            &self.transaction.0.to_le_bytes(),
        );
        bytes::put_at(&mut out, field::FLAGS, &self.flags.get().to_le_bytes());
        out
    }
}

/// The place of the page that a change is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The attribute, by the place of its entry in the open attribute table; 0 for none.
    pub attribute: u16,
    /// The first cluster of the page in that attribute.
    pub vcn: Vcn,
    /// Where the page begins in that cluster, in units of 512 bytes: which record of several.
    pub block_offset: u16,
    /// Bytes of an MFT record or index block in units of 512; 0 for other pages.
    pub block_size: u16,
    /// Where the clusters of the page are on the volume; empty if no page is touched.
    pub lcns: KVec<Lcn>,
}

/// What the client logged: a change and its place, or what a transaction or checkpoint needs.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// The operations. Those that touch no page have data, too: tables and names.
    pub change: Change,
    /// The page.
    pub target: Target,
}

/// Bytes that an action takes in the record.
fn present(data: &Data, omitted: bool) -> usize {
    if omitted {
        0
    } else {
        usize::from(data.length())
    }
}

impl ClientRecord {
    /// Decodes the client's part of a record, all of it, with the flags of the header.
    pub fn parse(data: &[u8], flags: Flags) -> super::change::Result<Self> {
        let cut = || Malformed::truncated("client record cut off", 0, data.len(), CLIENT_LENGTH);
        let u16_field = |at| bytes::u16_at(data, at).ok_or_else(cut);
        let opcode = |at| {
            let raw = u16_field(at)?;
            Opcode::from_raw(raw)
                .ok_or_else(|| Malformed::new("unknown log operation", at, u64::from(raw), 0x25))
        };
        let count = usize::from(u16_field(client_field::CLUSTERS)?);
        if count > MAX_CLUSTERS {
            return Err(Malformed::truncated(
                "clusters of a log record",
                client_field::CLUSTERS,
                count,
                MAX_CLUSTERS,
            )
            .into());
        }
        let mut lcns = KVec::with_capacity(count, GFP_KERNEL)?;
        for number in 0..count {
            let at = number.saturating_mul(8).saturating_add(client_field::LCNS);
            let lcn = bytes::u64_at(data, at).ok_or_else(cut)?;
            // There is room, so this cannot fail.
            let _ = lcns.push_within_capacity(Lcn::new(lcn));
        }
        let redo = opcode(client_field::REDO)?;
        let undo = opcode(client_field::UNDO)?;
        let action = |opcode, at, omitted| -> super::change::Result<Action> {
            let offset = u16_field(at)?;
            let length = u16_field(at.saturating_add(2))?;
            Ok(Action {
                opcode,
                data: Self::data(data, count, (offset, length), omitted)?,
            })
        };
        Ok(Self {
            change: Change {
                redo: action(redo, client_field::REDO_OFFSET, flags.omits_redo())?,
                undo: action(
                    undo,
                    client_field::UNDO_OFFSET,
                    // Its length tells what the redo removes, and older writers have no flag for it.
                    flags.omits_undo() || undo == Opcode::CompensationLogRecord,
                )?,
                record_offset: u16_field(client_field::RECORD_OFFSET)?,
                attribute_offset: u16_field(client_field::ATTRIBUTE_OFFSET)?,
            },
            target: Target {
                attribute: u16_field(client_field::TARGET_ATTRIBUTE)?,
                vcn: Vcn::new(bytes::u64_at(data, client_field::TARGET_VCN).ok_or_else(cut)?),
                block_offset: u16_field(client_field::BLOCK_OFFSET)?,
                block_size: u16_field(client_field::BLOCK_SIZE)?,
                lcns,
            },
        })
    }

    fn data(
        record: &[u8],
        clusters: usize,
        (offset, length): (u16, u16),
        omitted: bool,
    ) -> super::change::Result<Data> {
        if omitted || length == 0 {
            return Ok(Data::Absent(length));
        }
        let offset = usize::from(offset);
        let first = header_length(clusters);
        let bytes = bytes::slice_at(record, offset, usize::from(length))
            .filter(|_| offset & 7 == 0 && offset >= first)
            .ok_or_else(|| {
                Malformed::truncated(
                    "data of a log record",
                    offset,
                    record.len(),
                    usize::from(length),
                )
            })?;
        Data::copied(bytes)
    }

    /// Whether both directions use the same bytes, which are then stored once: ranges of bits.
    fn shares(&self) -> bool {
        let bits = |opcode| {
            matches!(
                opcode,
                Opcode::SetBitsInNonresidentBitMap | Opcode::ClearBitsInNonresidentBitMap
            )
        };
        bits(self.change.redo.opcode)
            && bits(self.change.undo.opcode)
            && self.change.redo.data == self.change.undo.data
    }

    /// Where redo and undo data begin, and where the record ends.
    fn layout(&self, flags: Flags) -> Option<(usize, usize, usize)> {
        let redo = header_length(self.target.lcns.len());
        let redo_end = redo
            .checked_add(present(&self.change.redo.data, flags.omits_redo()))
            .and_then(bytes::align_8)?;
        if self.shares() && !flags.omits_redo() && !flags.omits_undo() {
            return Some((redo, redo, redo_end));
        }
        let end = redo_end
            .checked_add(present(&self.change.undo.data, self.omits_undo(flags)))
            .and_then(bytes::align_8)?;
        Some((redo, redo_end, end))
    }

    fn omits_undo(&self, flags: Flags) -> bool {
        flags.omits_undo() || self.change.undo.opcode == Opcode::CompensationLogRecord
    }

    /// Bytes of the form on the disk; `None` when no reader takes so many.
    pub fn encoded_length(&self, flags: Flags) -> Option<usize> {
        let (_, _, end) = self.layout(flags)?;
        (end <= MAX_CLIENT_LENGTH && self.target.lcns.len() <= MAX_CLUSTERS).then_some(end)
    }

    /// Writes the form on the disk into `out`, which is zeroed and as long as it takes.
    ///
    /// With no flags, which every reader understands, data that is absent is written as zeros; bytes
    /// that are there must not be left out. `None` when that is so, or `out` is too short.
    pub fn encode(&self, flags: Flags, out: &mut [u8]) -> Option<()> {
        let (redo_at, undo_at, end) = self.layout(flags)?;
        let Change { redo, undo, .. } = &self.change;
        let loses = |data: &Data, omitted: bool| omitted && !data.bytes().is_empty();
        if end > out.len()
            || loses(&redo.data, flags.omits_redo())
            || loses(&undo.data, self.omits_undo(flags))
        {
            return None;
        }
        let mut put_u16 = |at, value: u16| bytes::put_at(out, at, &value.to_le_bytes());
        put_u16(client_field::REDO, redo.opcode.to_raw())?;
        put_u16(client_field::UNDO, undo.opcode.to_raw())?;
        put_u16(client_field::REDO_OFFSET, u16::try_from(redo_at).ok()?)?;
        put_u16(client_field::REDO_LENGTH, redo.data.length())?;
        put_u16(client_field::UNDO_OFFSET, u16::try_from(undo_at).ok()?)?;
        put_u16(client_field::UNDO_LENGTH, undo.data.length())?;
        put_u16(client_field::TARGET_ATTRIBUTE, self.target.attribute)?;
        let clusters = u16::try_from(self.target.lcns.len()).ok()?;
        put_u16(client_field::CLUSTERS, clusters)?;
        put_u16(client_field::RECORD_OFFSET, self.change.record_offset)?;
        put_u16(client_field::ATTRIBUTE_OFFSET, self.change.attribute_offset)?;
        put_u16(client_field::BLOCK_OFFSET, self.target.block_offset)?;
        put_u16(client_field::BLOCK_SIZE, self.target.block_size)?;
        let vcn = self.target.vcn.get().to_le_bytes();
        bytes::put_at(out, client_field::TARGET_VCN, &vcn)?;
        if clusters == 0 {
            // The place of a first cluster is there in any case, and holds this.
            bytes::put_at(out, client_field::LCNS, &[0xff; 8])?;
        }
        let mut at = client_field::LCNS;
        for lcn in &self.target.lcns {
            bytes::put_at(out, at, &lcn.get().to_le_bytes())?;
            at = at.checked_add(8)?;
        }
        bytes::put_at(out, redo_at, redo.data.bytes())?;
        bytes::put_at(out, undo_at, undo.data.bytes())
    }
}

/// Bytes of the client's header with the places of so many clusters, of which one is always there.
fn header_length(clusters: usize) -> usize {
    clusters
        .max(1)
        .saturating_mul(8)
        .saturating_add(CLIENT_LENGTH)
}
