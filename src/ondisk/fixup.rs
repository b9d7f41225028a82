// SPDX-License-Identifier: GPL-2.0-only

//! Fixups: how NTFS notices that only some sectors of a record reached the disk.
//!
//! FILE records, INDX blocks and log pages carry an update sequence array: a number that changes
//! with every write, followed by the two bytes that were at the end of each 512 bytes. On the disk
//! those two bytes hold the number instead. [`undo`] checks and puts the bytes back, [`redo`] does
//! the opposite. The stride is 512 bytes whatever the sector size of the disk is.

use super::{
    bytes,
    error::{
        Malformed,
        Result, //
    },
};

/// The distance in bytes between two protected words.
pub const STRIDE: usize = 512;

const USA_OFFSET: usize = 4;
const USA_COUNT: usize = 6;
/// Bytes of the magic and the two fields above, which the array must not overlap.
const HEADER_LENGTH: usize = 8;

/// The four bytes that a protected structure begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Magic([u8; 4]);

impl Magic {
    /// An entry of `$MFT`.
    pub const FILE: Self = Self(*b"FILE");
    /// A block of an index.
    pub const INDX: Self = Self(*b"INDX");
    /// A page of the log with records.
    pub const RCRD: Self = Self(*b"RCRD");
    /// A page at the log's head.
    pub const RSTR: Self = Self(*b"RSTR");
    /// The same, written by chkdsk.
    pub const CHKD: Self = Self(*b"CHKD");

    /// The bytes.
    pub(super) const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// Where all known writers put the array in the newest form of the structure.
    fn usual_array_offset(self) -> usize {
        match self {
            Self::FILE => 0x30,
            Self::RSTR | Self::CHKD => 0x1e,
            _ => 0x28,
        }
    }

    /// Checks that `buffer` begins with this magic.
    pub fn check(self, buffer: &[u8]) -> Result<()> {
        let expected = u64::from(u32::from_le_bytes(self.0));
        match bytes::u32_at(buffer, 0) {
            Some(found) if u64::from(found) == expected => Ok(()),
            Some(found) => Err(Malformed::new("wrong magic", 0, u64::from(found), expected)),
            None => Err(Malformed::truncated(
                "no room for a magic",
                0,
                buffer.len(),
                4,
            )),
        }
    }
}

/// What [`undo`] found out about the last write of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a torn structure has sectors of different age"]
pub enum Transfer {
    /// All sectors are of the same write.
    Complete,
    /// At least one sector is of another write; the first such is described.
    ///
    /// The protected words are put back all the same, so the structure can be read by who dares.
    Torn(Malformed),
}

/// Where the update sequence array is.
struct Array {
    offset: usize,
    sectors: usize,
}

impl Array {
    /// Takes what the header says, which has to fit the size of the structure.
    fn stated(buffer: &[u8], magic: Magic) -> Result<Self> {
        magic.check(buffer)?;
        let cut = || Malformed::truncated("record too short", 0, buffer.len(), STRIDE);
        let offset = usize::from(bytes::u16_at(buffer, USA_OFFSET).ok_or_else(cut)?);
        let count = usize::from(bytes::u16_at(buffer, USA_COUNT).ok_or_else(cut)?);
        let array = Self::at(offset, buffer.len())?;
        if count.checked_sub(1) == Some(array.sectors) {
            Ok(array)
        } else {
            Err(Malformed::truncated(
                "update sequence count does not fit the size",
                USA_COUNT,
                count,
                array.sectors.saturating_add(1),
            ))
        }
    }

    /// An array at `offset` of a structure with `length` bytes.
    fn at(offset: usize, length: usize) -> Result<Self> {
        let sectors = length / STRIDE;
        if sectors == 0 || length & (STRIDE - 1) != 0 {
            return Err(Malformed::truncated("record too short", 0, length, STRIDE));
        }
        // The array must end before the first word that it protects.
        let end = sectors
            .saturating_add(1)
            .saturating_mul(2)
            .saturating_add(offset);
        if offset < HEADER_LENGTH || offset & 1 != 0 || end > STRIDE - 2 {
            return Err(Malformed::truncated(
                "update sequence array outside of the first sector",
                USA_OFFSET,
                offset,
                HEADER_LENGTH,
            ));
        }
        Ok(Self { offset, sectors })
    }

    /// Looks for the array where it is likely, when the header does not say it.
    ///
    /// What is found counts only if all sectors carry its number, so the guess is checked as well
    /// as a statement would be.
    fn guessed(buffer: &[u8], magic: Magic) -> Option<Self> {
        let stated = usize::from(bytes::u16_at(buffer, USA_OFFSET)?);
        [stated, magic.usual_array_offset()]
            .into_iter()
            .filter_map(|offset| Self::at(offset, buffer.len()).ok())
            .find(|array| array.is_on_all_sectors(buffer))
    }

    fn is_on_all_sectors(&self, buffer: &[u8]) -> bool {
        match bytes::u16_at(buffer, self.offset) {
            None | Some(0 | u16::MAX) => false,
            number => self
                .words()
                .all(|(_, protected)| bytes::u16_at(buffer, protected) == number),
        }
    }

    /// Offsets of each saved word and of the word that it belongs to.
    fn words(&self) -> impl Iterator<Item = (usize, usize)> {
        let first = self.offset.saturating_add(2);
        (0..self.sectors).map(move |sector| {
            (
                first.saturating_add(sector.saturating_mul(2)),
                sector.saturating_mul(STRIDE).saturating_add(STRIDE - 2),
            )
        })
    }
}

fn beyond(at: usize, buffer: &[u8]) -> Malformed {
    Malformed::truncated("protected word beyond the end", at, buffer.len(), 2)
}

/// Checks the sectors of a structure just read, and puts the protected words back.
///
/// `buffer` is the whole structure. It is not changed when an error comes back. A header that does
/// not fit the structure is overruled by sectors that agree.
pub fn undo(buffer: &mut [u8], magic: Magic) -> Result<Transfer> {
    let array = match Array::stated(buffer, magic) {
        Ok(array) => array,
        Err(error) => {
            magic.check(buffer)?;
            Array::guessed(buffer, magic).ok_or(error)?
        }
    };
    let number = bytes::u16_at(buffer, array.offset).ok_or_else(|| beyond(array.offset, buffer))?;
    let mut transfer = Transfer::Complete;
    for (saved, protected) in array.words() {
        let word = bytes::u16_at(buffer, saved).ok_or_else(|| beyond(saved, buffer))?;
        let found = bytes::u16_at(buffer, protected).ok_or_else(|| beyond(protected, buffer))?;
        if found != number && transfer == Transfer::Complete {
            transfer = Transfer::Torn(Malformed::new(
                "sector from another write",
                protected,
                u64::from(found),
                u64::from(number),
            ));
        }
        bytes::put_at(buffer, protected, &word.to_le_bytes());
    }
    Ok(transfer)
}

/// Where the update sequence array of a structure ends, if it is as [`redo`] needs it.
pub fn array_end(buffer: &[u8], magic: Magic) -> Result<usize> {
    let array = Array::stated(buffer, magic)?;
    let words = array.sectors.saturating_add(1);
    Ok(words.saturating_mul(2).saturating_add(array.offset))
}

/// Saves the protected words and stamps all sectors with the next update sequence number.
///
/// The opposite of [`undo`], for a structure that is about to be written.
pub fn redo(buffer: &mut [u8], magic: Magic) -> Result<()> {
    let array = Array::stated(buffer, magic)?;
    let number = bytes::u16_at(buffer, array.offset).ok_or_else(|| beyond(array.offset, buffer))?;
    // 0 and 0xffff are not used, so that neither zeros nor an erased flash pass for a sector.
    let number = match number {
        0xfffe | 0xffff => 1,
        number => number.saturating_add(1),
    };
    bytes::put_at(buffer, array.offset, &number.to_le_bytes());
    for (saved, protected) in array.words() {
        let word = bytes::u16_at(buffer, protected).ok_or_else(|| beyond(protected, buffer))?;
        bytes::put_at(buffer, saved, &word.to_le_bytes());
        bytes::put_at(buffer, protected, &number.to_le_bytes());
    }
    Ok(())
}
