// SPDX-License-Identifier: GPL-2.0-only

//! The operations that log records name.
//!
//! A record has two: how to do a change again, and how to take it back. The names are those that
//! the format's own documentation and all replayers use. Which of them a driver has to write is in
//! [`super::prepare`]; a reader meets all.

use kernel::fmt;

macro_rules! opcodes {
    ($($(#[$meta:meta])* $name:ident = $code:literal,)*) => {
        /// What a log record asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Opcode {
            $($(#[$meta])* $name,)*
        }

        impl Opcode {
            /// Decodes the number in a log record; `None` for one without a known meaning.
            pub const fn from_raw(raw: u16) -> Option<Self> {
                match raw {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The number in a log record.
            pub const fn to_raw(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }

        impl fmt::Display for Opcode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => stringify!($name),)*
                })
            }
        }
    };
}

opcodes! {
    /// Nothing; stands where a change has only one direction.
    Noop = 0x00,
    /// Only as undo: the record itself takes back another one and is never undone.
    CompensationLogRecord = 0x01,
    /// Fills an MFT record with an image.
    InitializeFileRecordSegment = 0x02,
    /// Gives an MFT record free.
    DeallocateFileRecordSegment = 0x03,
    /// Replaces an MFT record from an attribute on.
    WriteEndOfFileRecordSegment = 0x04,
    /// Inserts an attribute record.
    CreateAttribute = 0x05,
    /// Removes an attribute record.
    DeleteAttribute = 0x06,
    /// Changes bytes, and perhaps the length, of a resident value.
    UpdateResidentValue = 0x07,
    /// Changes bytes of a non-resident value, or writes a whole index block.
    UpdateNonresidentValue = 0x08,
    /// Replaces the end of the mapping pairs of an attribute record.
    UpdateMappingPairs = 0x09,
    /// Clusters whose dirty pages a replay must forget.
    DeleteDirtyClusters = 0x0a,
    /// Changes the sizes of a non-resident attribute.
    SetNewAttributeSizes = 0x0b,
    /// Inserts an entry into an index root.
    AddIndexEntryRoot = 0x0c,
    /// Removes an entry from an index root.
    DeleteIndexEntryRoot = 0x0d,
    /// Inserts an entry into an index block.
    AddIndexEntryAllocation = 0x0e,
    /// Removes an entry from an index block.
    DeleteIndexEntryAllocation = 0x0f,
    /// Replaces the entries of an index block from one of them on.
    WriteEndOfIndexBuffer = 0x10,
    /// Points an entry of an index root to another sub-node.
    SetIndexEntryVcnRoot = 0x11,
    /// Points an entry of an index block to another sub-node.
    SetIndexEntryVcnAllocation = 0x12,
    /// Changes times, sizes and flags in a directory's root.
    UpdateFileNameRoot = 0x13,
    /// Changes times, sizes and flags in a block of a directory.
    UpdateFileNameAllocation = 0x14,
    /// Sets a range of bits.
    SetBitsInNonresidentBitMap = 0x15,
    /// Clears a range of bits.
    ClearBitsInNonresidentBitMap = 0x16,
    /// A bad cluster was replaced.
    HotFix = 0x17,
    /// Ends a part of a transaction that is not undone with it.
    EndTopLevelAction = 0x18,
    /// A transaction across volumes is about to commit.
    PrepareTransaction = 0x19,
    /// A transaction across volumes is committed.
    CommitTransaction = 0x1a,
    /// The transaction is over.
    ForgetTransaction = 0x1b,
    /// Gives a non-resident attribute its place in the open attribute table.
    OpenNonresidentAttribute = 0x1c,
    /// The open attribute table at a checkpoint.
    OpenAttributeTableDump = 0x1d,
    /// The names of the open attributes at a checkpoint.
    AttributeNamesDump = 0x1e,
    /// The dirty page table at a checkpoint.
    DirtyPageTableDump = 0x1f,
    /// The transaction table at a checkpoint.
    TransactionTableDump = 0x20,
    /// Changes the data of a view's entry in an index root.
    UpdateRecordDataRoot = 0x21,
    /// Changes the data of a view's entry in an index block.
    UpdateRecordDataAllocation = 0x22,
    /// Changes the data of a view's entry in an index root, in a way that is not known.
    UpdateRelativeDataInIndex = 0x23,
    /// Changes the data of a view's entry in an index block, in a way that is not known.
    UpdateRelativeDataInIndex2 = 0x24,
    /// Zeros the unused end of an MFT record.
    ZeroEndOfFileRecord = 0x25,
}
