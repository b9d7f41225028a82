// SPDX-License-Identifier: GPL-2.0-only

//! Restart pages: the two copies of the log's head, and what they say about the volume's end.
//!
//! They tell where the log's newest records are known to be, and whether the volume was unmounted.
//! The copies are written in turn, so that one is whole whenever the power goes.

use super::geometry::Geometry;
use crate::ondisk::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
    fixup::{
        self,
        Magic, //
    },
    log::record,
    units::{
        ByteCount,
        Lsn, //
    },
};

/// Offsets within a restart page.
mod field {
    pub(super) const USA_OFFSET: usize = 0x04;
    pub(super) const USA_COUNT: usize = 0x06;
    pub(super) const CHKDSK_LSN: usize = 0x08;
    pub(super) const SYSTEM_PAGE_SIZE: usize = 0x10;
    pub(super) const LOG_PAGE_SIZE: usize = 0x14;
    pub(super) const AREA_OFFSET: usize = 0x18;
    pub(super) const MINOR: usize = 0x1a;
    pub(super) const MAJOR: usize = 0x1c;
    pub(super) const USA: u16 = 0x1e;
}

/// Offsets within the restart area.
mod area_field {
    pub(super) const CURRENT_LSN: usize = 0x00;
    pub(super) const CLIENTS: usize = 0x08;
    pub(super) const FREE_LIST: usize = 0x0a;
    pub(super) const IN_USE_LIST: usize = 0x0c;
    pub(super) const FLAGS: usize = 0x0e;
    pub(super) const SEQUENCE_BITS: usize = 0x10;
    pub(super) const LENGTH: usize = 0x14;
    pub(super) const CLIENT_OFFSET: usize = 0x16;
    pub(super) const FILE_SIZE: usize = 0x18;
    pub(super) const LAST_LENGTH: usize = 0x20;
    pub(super) const RECORD_HEADER: usize = 0x24;
    pub(super) const DATA_OFFSET: usize = 0x26;
    pub(super) const OPEN_COUNT: usize = 0x28;
}

/// Offsets within the record of the client.
mod client_field {
    pub(super) const OLDEST_LSN: usize = 0x00;
    pub(super) const RESTART_LSN: usize = 0x08;
    pub(super) const PREVIOUS: usize = 0x10;
    pub(super) const NEXT: usize = 0x12;
    pub(super) const NAME_LENGTH: usize = 0x1c;
    pub(super) const NAME: usize = 0x20;
}

/// No client, in a list of them.
const NO_CLIENT: u16 = 0xffff;
/// Bytes of the record of a client.
const CLIENT_LENGTH: usize = 0xa0;
/// Where the client's record is in the areas that are written here.
const CLIENT_OFFSET: usize = 0x40;
/// Where the restart area is in a page of 4 KiB; larger pages need more room for fixups.
const AREA_OFFSET: usize = 0x30;
/// The client's name.
const NAME: [u8; 8] = *b"N\0T\0F\0S\0";

const FLAG_CLEAN: u16 = 0x2;

/// The form of the pages between the restart pages and the circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Two tail pages; up to Windows 7, and by all after an unmount.
    V1_1,
    /// 32 tail pages; Windows 8 and later while a volume is mounted or hibernated.
    V2_0,
}

impl Version {
    /// The number of the first page of the circle.
    pub fn first_page(self) -> u32 {
        match self {
            Self::V1_1 => 4,
            Self::V2_0 => 34,
        }
    }

    fn from_raw(major: u16, minor: u16) -> Option<Self> {
        match (major, minor) {
            (1, 1) => Some(Self::V1_1),
            (2, 0) => Some(Self::V2_0),
            _ => None,
        }
    }

    fn to_raw(self) -> (u16, u16) {
        match self {
            Self::V1_1 => (1, 1),
            Self::V2_0 => (2, 0),
        }
    }
}

/// What the flags and lists of a restart area say about its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client has closed the log (as Windows NT 4 and 2000 did).
    Closed,
    /// The client is done, and the volume holds all that was logged.
    Clean,
    /// The client was at work: it still is, or the machine is hibernated, or it crashed.
    Unclean,
}

/// A restart page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPage {
    /// The largest LSN that chkdsk found on the volume, if chkdsk wrote the page.
    pub chkdsk_lsn: Option<Lsn>,
    /// The form of the log.
    pub version: Version,
    /// Where things are.
    pub geometry: Geometry,
    /// Bytes of the log, as the page says it.
    pub file_size: ByteCount,
    /// Whether the client is done.
    pub ending: Ending,
    /// The flags; kept for what is not known.
    pub flags: u16,
    /// The last record that was known when the page was written; more can follow it.
    pub current_lsn: Lsn,
    /// Bytes of the client's part of that record.
    pub last_length: u32,
    /// Changes whenever the log is opened.
    pub open_count: u32,
    /// Nothing older is needed.
    pub oldest_lsn: Lsn,
    /// The newest restart record; 0 when there is none yet.
    pub restart_lsn: Lsn,
}

impl RestartPage {
    /// Decodes a page whose fixups are undone.
    pub fn parse(page: &[u8]) -> Result<Self> {
        let ran_chkdsk = Magic::CHKD.check(page).is_ok();
        if !ran_chkdsk {
            Magic::RSTR.check(page)?;
        }
        let cut = |at| Malformed::truncated("restart page cut off", at, page.len(), at);
        let u16_field = |at| bytes::u16_at(page, at).ok_or_else(|| cut(at));
        let u32_field = |at| bytes::u32_at(page, at).ok_or_else(|| cut(at));
        let u64_field = |at| bytes::u64_at(page, at).ok_or_else(|| cut(at));

        let (major, minor) = (u16_field(field::MAJOR)?, u16_field(field::MINOR)?);
        let version = Version::from_raw(major, minor).ok_or(Malformed::new(
            "version of the log",
            field::MAJOR,
            u64::from(major),
            2,
        ))?;
        let area = usize::from(u16_field(field::AREA_OFFSET)?);
        let usa_end = usize::from(u16_field(field::USA_COUNT)?)
            .saturating_mul(2)
            .saturating_add(usize::from(u16_field(field::USA_OFFSET)?));
        let at = |offset: usize| area.saturating_add(offset);
        let client_offset = usize::from(u16_field(at(area_field::CLIENT_OFFSET))?);
        let length = usize::from(u16_field(at(area_field::LENGTH))?);
        let expect = |what, at: usize, found: u64, expected: u64, right: bool| {
            if right {
                Ok(())
            } else {
                Err(Malformed::new(what, at, found, expected))
            }
        };
        expect(
            "place of the restart area",
            field::AREA_OFFSET,
            bytes::u64_from_usize(area),
            bytes::u64_from_usize(usa_end),
            area & 7 == 0 && area >= usa_end && (AREA_OFFSET..fixup::STRIDE).contains(&area),
        )?;
        let clients = u16_field(at(area_field::CLIENTS))?;
        let clients_at = at(area_field::CLIENTS);
        expect(
            "clients of the log",
            clients_at,
            u64::from(clients),
            1,
            clients == 1,
        )?;
        let client_end = client_offset.saturating_add(CLIENT_LENGTH);
        expect(
            "place of the log's client",
            at(area_field::CLIENT_OFFSET),
            bytes::u64_from_usize(client_offset),
            bytes::u64_from_usize(length),
            client_offset & 7 == 0
                && client_offset >= area_field::OPEN_COUNT
                && client_end <= length
                && at(length) <= page.len(),
        )?;
        let client = |offset: usize| at(client_offset).saturating_add(offset);
        let in_use = u16_field(at(area_field::IN_USE_LIST))?;
        expect(
            "list of the log's clients",
            at(area_field::IN_USE_LIST),
            u64::from(in_use),
            0,
            in_use == 0 || in_use == NO_CLIENT,
        )?;
        let name_length = u32_field(client(client_field::NAME_LENGTH))?;
        let name = bytes::slice_at(page, client(client_field::NAME), NAME.len());
        let is_ntfs = name_length == 8 && name == Some(&NAME);
        expect(
            "name of the log's client",
            client(client_field::NAME),
            u64::from(name_length),
            8,
            is_ntfs || in_use == NO_CLIENT,
        )?;
        let file_size = ByteCount::new(u64_field(at(area_field::FILE_SIZE))?);
        let header_length = u16_field(at(area_field::RECORD_HEADER))?;
        expect(
            "length of a log record's header",
            at(area_field::RECORD_HEADER),
            u64::from(header_length),
            bytes::u64_from_usize(record::HEADER_LENGTH),
            usize::from(header_length) == record::HEADER_LENGTH,
        )?;
        let geometry = Geometry::new(
            u32_field(field::LOG_PAGE_SIZE)?,
            file_size,
            version.first_page(),
            u16_field(at(area_field::DATA_OFFSET))?,
        )?;
        let system_page_size = u32_field(field::SYSTEM_PAGE_SIZE)?;
        expect(
            "two page sizes in one log",
            field::SYSTEM_PAGE_SIZE,
            u64::from(system_page_size),
            u64::from(geometry.page_size()),
            system_page_size == geometry.page_size(),
        )?;
        let bits = u32_field(at(area_field::SEQUENCE_BITS))?;
        expect(
            "bits of a sequence number",
            at(area_field::SEQUENCE_BITS),
            u64::from(bits),
            u64::from(geometry.sequence_bits()),
            bits == geometry.sequence_bits(),
        )?;
        let flags = u16_field(at(area_field::FLAGS))?;
        Ok(Self {
            chkdsk_lsn: if ran_chkdsk {
                Some(Lsn::new(u64_field(field::CHKDSK_LSN)?))
            } else {
                None
            },
            version,
            geometry,
            file_size,
            ending: if in_use == NO_CLIENT {
                Ending::Closed
            } else if flags & FLAG_CLEAN != 0 {
                Ending::Clean
            } else {
                Ending::Unclean
            },
            flags: flags & !FLAG_CLEAN,
            current_lsn: Lsn::new(u64_field(at(area_field::CURRENT_LSN))?),
            last_length: u32_field(at(area_field::LAST_LENGTH))?,
            open_count: u32_field(at(area_field::OPEN_COUNT))?,
            oldest_lsn: Lsn::new(u64_field(client(client_field::OLDEST_LSN))?),
            restart_lsn: Lsn::new(u64_field(client(client_field::RESTART_LSN))?),
        })
    }

    /// Writes the page into `page`, which is zeroed but for its update sequence number.
    ///
    /// Fixups are not yet made. `None` when `page` is not of the log's page size, or that is too
    /// large for the update sequence array.
    pub fn encode(&self, page: &mut [u8]) -> Option<()> {
        if page.len() != bytes::usize_from_u32(self.geometry.page_size()) {
            return None;
        }
        let count = u16::try_from(page.len() / fixup::STRIDE)
            .ok()?
            .checked_add(1)?;
        let usa_end = count.checked_mul(2)?.checked_add(field::USA)?;
        let area = bytes::align_8(usize::from(usa_end))?.max(AREA_OFFSET);
        let length = CLIENT_OFFSET.checked_add(CLIENT_LENGTH)?;
        if area.checked_add(length)? > fixup::STRIDE.checked_sub(2)? {
            return None;
        }
        let (major, minor) = self.version.to_raw();
        let magic = match self.chkdsk_lsn {
            Some(_) => b"CHKD",
            None => b"RSTR",
        };
        bytes::put_at(page, 0, magic)?;
        let mut put_u16 = |at, value: u16| bytes::put_at(page, at, &value.to_le_bytes());
        put_u16(field::USA_OFFSET, field::USA)?;
        put_u16(field::USA_COUNT, count)?;
        put_u16(field::AREA_OFFSET, u16::try_from(area).ok()?)?;
        put_u16(field::MINOR, minor)?;
        put_u16(field::MAJOR, major)?;
        let mut put_u32 = |at, value: u32| bytes::put_at(page, at, &value.to_le_bytes());
        put_u32(field::SYSTEM_PAGE_SIZE, self.geometry.page_size())?;
        put_u32(field::LOG_PAGE_SIZE, self.geometry.page_size())?;
        let chkdsk_lsn = self.chkdsk_lsn.unwrap_or_default().get();
        bytes::put_at(page, field::CHKDSK_LSN, &chkdsk_lsn.to_le_bytes())?;
        self.encode_area(page.get_mut(area..)?, u16::try_from(length).ok()?)
    }

    fn encode_area(&self, area: &mut [u8], length: u16) -> Option<()> {
        let (in_use, free) = match self.ending {
            Ending::Closed => (NO_CLIENT, 0),
            Ending::Clean | Ending::Unclean => (0, NO_CLIENT),
        };
        let flags = match self.ending {
            Ending::Clean | Ending::Closed => self.flags | FLAG_CLEAN,
            Ending::Unclean => self.flags & !FLAG_CLEAN,
        };
        let mut put_u16 = |at, value: u16| bytes::put_at(area, at, &value.to_le_bytes());
        put_u16(area_field::CLIENTS, 1)?;
        put_u16(area_field::FREE_LIST, free)?;
        put_u16(area_field::IN_USE_LIST, in_use)?;
        put_u16(area_field::FLAGS, flags)?;
        put_u16(area_field::LENGTH, length)?;
        put_u16(
            area_field::CLIENT_OFFSET,
            u16::try_from(CLIENT_OFFSET).ok()?,
        )?;
        put_u16(
            area_field::RECORD_HEADER,
            u16::try_from(record::HEADER_LENGTH).ok()?,
        )?;
        put_u16(area_field::DATA_OFFSET, self.geometry.data_offset())?;
        let mut put_u32 = |at, value: u32| bytes::put_at(area, at, &value.to_le_bytes());
        put_u32(area_field::SEQUENCE_BITS, self.geometry.sequence_bits())?;
        put_u32(area_field::LAST_LENGTH, self.last_length)?;
        put_u32(area_field::OPEN_COUNT, self.open_count)?;
        let mut put_u64 = |at, value: u64| bytes::put_at(area, at, &value.to_le_bytes());
        put_u64(area_field::CURRENT_LSN, self.current_lsn.get())?;
        put_u64(area_field::FILE_SIZE, self.file_size.get())?;
        let client = area.get_mut(CLIENT_OFFSET..)?;
        let mut put = |at, bytes: &[u8]| bytes::put_at(client, at, bytes);
        put(
            client_field::OLDEST_LSN,
            &self.oldest_lsn.get().to_le_bytes(),
        )?;
        put(
            client_field::RESTART_LSN,
            &self.restart_lsn.get().to_le_bytes(),
        )?;
        put(client_field::PREVIOUS, &NO_CLIENT.to_le_bytes())?;
        put(client_field::NEXT, &NO_CLIENT.to_le_bytes())?;
        put(client_field::NAME_LENGTH, &[8])?;
        put(client_field::NAME, &NAME)
    }
}

/// What the head of a log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Nothing: filled with ones, as formatting and drivers without a log leave it.
    Empty,
    /// There is nothing to replay: the client had closed the log.
    Closed(RestartPage),
    /// There is nothing to replay.
    Clean(RestartPage),
    /// There is something to replay, unless the volume is in use elsewhere: a version 2.0 then means
    /// Windows 8 or later, perhaps hibernated or shut down by "fast startup".
    Unclean(RestartPage),
    /// chkdsk has repaired the volume: the records mean nothing any more.
    Chkdsk(RestartPage),
    /// A version that is not known (major, minor).
    Unknown(u16, u16),
}

impl LogState {
    /// Looks at the head of a log: `head` is how it begins, with two pages at least.
    ///
    /// Fixups in `head` are undone where they are. With two whole copies, the newer one counts.
    pub fn read(head: &mut [u8]) -> Result<Self> {
        if head.iter().all(|byte| *byte == 0xff) {
            return Ok(Self::Empty);
        }
        let first = read_copy(head, 0);
        if let Some(state) = unknown(head) {
            return Ok(state);
        }
        let second = match &first {
            Ok(page) => read_copy(head, bytes::usize_from_u32(page.geometry.page_size())),
            // The first copy is torn or gone, and only the second tells its own place.
            Err(error) => (9..=16)
                .map(|shift| read_copy(head, 1 << shift))
                .find(Result::is_ok)
                .unwrap_or(Err(*error)),
        };
        let page = match (first, second) {
            (Ok(first), Ok(second)) if second.current_lsn > first.current_lsn => second,
            (Ok(page), _) | (Err(_), Ok(page)) => page,
            (Err(error), Err(_)) => return Err(error),
        };
        Ok(match (page.chkdsk_lsn, page.ending) {
            (Some(_), _) => Self::Chkdsk(page),
            (None, Ending::Closed) => Self::Closed(page),
            (None, Ending::Clean) => Self::Clean(page),
            (None, Ending::Unclean) => Self::Unclean(page),
        })
    }

    /// The restart page, if there is one.
    pub fn restart(&self) -> Option<&RestartPage> {
        match self {
            Self::Empty | Self::Unknown(..) => None,
            Self::Closed(page) | Self::Clean(page) | Self::Unclean(page) | Self::Chkdsk(page) => {
                Some(page)
            }
        }
    }
}

/// The version of a page at the start that is a restart page of a kind that is not known.
fn unknown(head: &[u8]) -> Option<LogState> {
    Magic::RSTR.check(head).ok()?;
    let major = bytes::u16_at(head, field::MAJOR)?;
    let minor = bytes::u16_at(head, field::MINOR)?;
    match Version::from_raw(major, minor) {
        Some(_) => None,
        None => Some(LogState::Unknown(major, minor)),
    }
}

/// The copy that begins at `at`; its own fields say how long it is.
fn read_copy(head: &mut [u8], at: usize) -> Result<RestartPage> {
    let rest = head.get_mut(at..).unwrap_or(&mut []);
    let length = bytes::u32_at(rest, field::SYSTEM_PAGE_SIZE).map_or(0, bytes::usize_from_u32);
    let room = rest.len();
    let page = rest.get_mut(..length).ok_or(Malformed::truncated(
        "restart page beyond the log's head",
        at,
        room,
        length,
    ))?;
    let magic = match Magic::CHKD.check(page) {
        Ok(()) => Magic::CHKD,
        Err(_) => Magic::RSTR,
    };
    // chkdsk may leave out the fixups altogether.
    if magic != Magic::CHKD || bytes::u16_at(page, field::USA_COUNT) != Some(0) {
        if let fixup::Transfer::Torn(error) = fixup::undo(page, magic)? {
            return Err(error);
        }
    }
    let restart = RestartPage::parse(page).map_err(|error| error.within(at))?;
    if bytes::usize_from_u32(restart.geometry.page_size()) != length {
        return Err(Malformed::truncated(
            "restart page of another length",
            at,
            length,
            0,
        ));
    }
    Ok(restart)
}
