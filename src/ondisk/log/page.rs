// SPDX-License-Identifier: GPL-2.0-only

//! Record pages: the pages of the log that hold records.
//!
//! Records follow each other without gaps but those of alignment; data continues in the next page.
//! A page that was not full is written again when more records come. So that a torn write cannot
//! destroy what was whole, its new content goes to a tail page first, which has the same form and
//! says where its home is.

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
    units::{
        ByteOffset,
        Lsn, //
    },
};

/// Where the records begin in a page, in all logs that are known.
pub const DATA_OFFSET: u16 = 0x40;
/// Where the update sequence array is.
const USA_OFFSET: u16 = 0x28;

/// Offsets within the header.
mod field {
    pub(super) const LAST_LSN: usize = 0x08;
    pub(super) const FLAGS: usize = 0x10;
    pub(super) const PAGE_COUNT: usize = 0x14;
    pub(super) const PAGE_POSITION: usize = 0x16;
    pub(super) const NEXT_RECORD: usize = 0x18;
    pub(super) const LAST_END_LSN: usize = 0x20;
    pub(super) const HOME: usize = 0x3c;
}

/// What a page says about its records; only single bits mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFlags(u32);

impl PageFlags {
    /// A page in which some record ends.
    pub const RECORD_END: Self = Self(1);
    /// A page that one long record only passes through.
    pub const NONE: Self = Self(0);

    /// Takes the field as it is on the disk.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// The field as it is on the disk.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether some record ends in the page.
    pub const fn has_record_end(self) -> bool {
        self.0 & 1 != 0
    }
}

/// The header of a record page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// The largest LSN that begins in the page, or that of the record that only passes through.
    ///
    /// In a tail page of version 1.1 this is the place of its home, see [`PageHeader::home`].
    pub last_lsn: Lsn,
    /// Whether some record ends here.
    pub flags: PageFlags,
    /// Pages that were written at once.
    pub page_count: u16,
    /// Which of them this is, from 1 on.
    pub page_position: u16,
    /// Where the next record begins, or where the one that continues in the next page began.
    pub next_record: u16,
    /// The last record that ends in the page.
    pub last_end_lsn: Lsn,
    /// Where the home of a tail page of version 2.0 is; 0 in other pages.
    pub home_2_0: u32,
}

impl PageHeader {
    /// Checks a page just read, puts the words under its fixups back, and decodes the header.
    ///
    /// A page of which only a part was written is refused.
    pub fn read(page: &mut [u8]) -> Result<Self> {
        match fixup::undo(page, Magic::RCRD)? {
            fixup::Transfer::Complete => Self::parse(page),
            fixup::Transfer::Torn(error) => Err(error),
        }
    }

    /// Decodes the header of a page whose fixups are undone.
    pub fn parse(page: &[u8]) -> Result<Self> {
        Magic::RCRD.check(page)?;
        let cut = || {
            let needed = usize::from(DATA_OFFSET);
            Malformed::truncated("log page cut off", 0, page.len(), needed)
        };
        let u16_field = |at| bytes::u16_at(page, at).ok_or_else(cut);
        let u32_field = |at| bytes::u32_at(page, at).ok_or_else(cut);
        let u64_field = |at| bytes::u64_at(page, at).ok_or_else(cut);
        let header = Self {
            last_lsn: Lsn::new(u64_field(field::LAST_LSN)?),
            flags: PageFlags::new(u32_field(field::FLAGS)?),
            page_count: u16_field(field::PAGE_COUNT)?,
            page_position: u16_field(field::PAGE_POSITION)?,
            next_record: u16_field(field::NEXT_RECORD)?,
            last_end_lsn: Lsn::new(u64_field(field::LAST_END_LSN)?),
            home_2_0: u32_field(field::HOME)?,
        };
        let (position, count) = (header.page_position, header.page_count);
        if position == 0 || position > count {
            return Err(Malformed::new(
                "position of a log page in its transfer",
                field::PAGE_POSITION,
                u64::from(position),
                u64::from(count),
            ));
        }
        Ok(header)
    }

    /// Writes the header into a page of which it leaves the records; fixups are not yet made.
    ///
    /// The update sequence number stays if there is one. `None` when the page is too small, or not of
    /// whole sectors.
    pub fn put(&self, page: &mut [u8]) -> Option<()> {
        let sectors = u16::try_from(page.len() / fixup::STRIDE).ok()?;
        if sectors == 0 || page.len() & (fixup::STRIDE - 1) != 0 {
            return None;
        }
        bytes::put_at(page, 0, b"RCRD")?;
        bytes::put_at(page, 4, &USA_OFFSET.to_le_bytes())?;
        bytes::put_at(page, 6, &sectors.checked_add(1)?.to_le_bytes())?;
        bytes::put_at(page, field::LAST_LSN, &self.last_lsn.get().to_le_bytes())?;
        bytes::put_at(page, field::FLAGS, &self.flags.get().to_le_bytes())?;
        bytes::put_at(page, field::PAGE_COUNT, &self.page_count.to_le_bytes())?;
        bytes::put_at(
            page,
            field::PAGE_POSITION,
            &self.page_position.to_le_bytes(),
        )?;
        bytes::put_at(page, field::NEXT_RECORD, &self.next_record.to_le_bytes())?;
        bytes::put_at(
            page,
            field::LAST_END_LSN,
            &self.last_end_lsn.get().to_le_bytes(),
        )?;
        bytes::put_at(page, field::HOME, &self.home_2_0.to_le_bytes())
    }

    /// The page's content as a tail page of version 1.1 has it.
    pub fn tail_of(&self, home: ByteOffset) -> Self {
        Self {
            last_lsn: Lsn::new(home.get()),
            ..*self
        }
    }

    /// Where the home of a tail page is, in a log of version 1.1.
    pub fn home(&self) -> ByteOffset {
        ByteOffset::new(self.last_lsn.get())
    }

    /// Whether the last record of the page continues in the next one.
    pub fn continues(&self) -> bool {
        self.last_lsn > self.last_end_lsn
    }
}
