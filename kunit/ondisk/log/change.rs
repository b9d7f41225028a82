// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::log::{change, perform, prepare}`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_log_change))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        index,
        put,
        record::*, //
    };
    use crate::ondisk::{
        attribute::{
            Form,
            Sizes, //
        },
        bytes::{
            u16_at,
            u32_at,
            u64_at, //
        },
        index::IndexBlock,
        log::{
            change::{
                Action,
                Change,
                Data,
                Error,
                Page, //
            },
            opcode::Opcode,
            prepare::Place,
        },
        record::FileRecord,
        units::{
            ByteCount,
            Lsn,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    /// Where the second attribute of [`sample`] begins: its data, not resident.
    const DATA: usize = 0x80;
    /// Where the third begins: the root of an index.
    const ROOT: usize = 0xc8;
    /// Where the end mark is.
    const END: usize = 0x130;

    /// Standard information, data in clusters, an index root with one entry.
    fn sample() -> Result<[u8; RECORD_SIZE]> {
        let standard = resident(0x10, "", 0, &[0x5a; 48])?;
        let data = Clusters::DATA.to_bytes()?;
        let last = index::entry(0, None, None)?;
        let entry = index::entry(9, Some(b"ninechars"), None)?;
        let root = index::root(&[&entry, &last])?;
        let root = resident(0x90, "", 2, &root)?;
        Ok(file_record(64, 3, &[&standard, &data, &root]))
    }

    fn change(redo: (Opcode, &[u8]), undo: (Opcode, &[u8]), at: (u16, u16)) -> Result<Change> {
        Ok(Change {
            redo: Action::with(redo.0, redo.1).map_err(|_| ENOMEM)?,
            undo: Action::with(undo.0, undo.1).map_err(|_| ENOMEM)?,
            record_offset: at.0,
            attribute_offset: at.1,
        })
    }

    /// Does and takes back a change of a record; what it was in between.
    fn round_trip(record: &[u8; RECORD_SIZE], change: &Change) -> Result<[u8; RECORD_SIZE]> {
        let mut work = *record;
        change
            .apply(&mut Page::Record(&mut work))
            .map_err(|_| EINVAL)?;
        let between = work;
        change
            .undo(&mut Page::Record(&mut work))
            .map_err(|_| EINVAL)?;
        assert_eq!(&work, record);
        Ok(between)
    }

    /// Whether a change is refused, and the record stays as it is.
    fn refused(record: &[u8; RECORD_SIZE], change: &Change) -> bool {
        let mut work = *record;
        let failed = change.apply(&mut Page::Record(&mut work)).is_err();
        failed && work == *record
    }

    fn made<T>(made: core::result::Result<T, Error>) -> Result<T> {
        made.map_err(|_| EINVAL)
    }

    #[test]
    fn the_sample_is_as_it_says() -> Result {
        let record = sample()?;
        let file = FileRecord::parse(&record).map_err(|_| EINVAL)?;
        let offsets = [0x38, DATA, ROOT];
        for (attribute, expected) in file.attributes().zip(offsets) {
            assert_eq!(attribute.map_err(|_| EINVAL)?.offset, expected);
        }
        assert_eq!(u32_at(&record, END), Some(u32::MAX));
        Ok(())
    }

    #[test]
    fn an_attribute_comes_and_goes() -> Result {
        let record = sample()?;
        let new = resident(0x80, "s", 7, b"abc")?;
        let create = made(Change::create_attribute(&record, ROOT, &new))?;
        let with = round_trip(&record, &create)?;
        assert_eq!(with.get(ROOT..ROOT + new.len()), Some(&new[..]));
        assert_eq!(u32_at(&with, END + new.len()), Some(u32::MAX));
        assert_eq!(u16_at(&with, 0x28), Some(8));
        assert_eq!(u16_at(&with, 0x12), Some(1));
        // A new deletion does not hand the id out again.
        let delete = made(Change::delete_attribute(&with, ROOT))?;
        let without = round_trip(&with, &delete)?;
        assert_eq!(u16_at(&without, 0x28), Some(8));
        assert_eq!(without.get(0x30..), record.get(0x30..));
        Ok(())
    }

    #[test]
    fn growth_by_deletion_and_creation_is_taken_back_as_a_whole() -> Result {
        let newest = resident(0x100, "", 6, &[1; 8])?;
        let record = file_record(64, 3, &[&newest]);
        let mut work = record;
        let delete = made(Change::delete_attribute(&work, 0x38))?;
        made(delete.apply(&mut Page::Record(&mut work)))?;
        let longer = resident(0x100, "", 6, &[1; 40])?;
        let create = made(Change::create_attribute(&work, 0x38, &longer))?;
        made(create.apply(&mut Page::Record(&mut work)))?;
        made(create.undo(&mut Page::Record(&mut work)))?;
        made(delete.undo(&mut Page::Record(&mut work)))?;
        assert_eq!(work, record);
        Ok(())
    }

    #[test]
    fn a_name_counts_as_a_link() -> Result {
        let record = sample()?;
        let mut name = resident(0x30, "", 7, &file_name("x", 0)?)?;
        put(&mut name, 0x16, &[1]);
        let create = made(Change::create_attribute(&record, DATA, &name))?;
        let with = round_trip(&record, &create)?;
        assert_eq!(u16_at(&with, 0x12), Some(2));
        let delete = made(Change::delete_attribute(&with, DATA))?;
        assert_eq!(u16_at(&round_trip(&with, &delete)?, 0x12), Some(1));
        let mut unlinked = with;
        put(&mut unlinked, 0x12, &[0, 0]);
        assert!(refused(&unlinked, &delete));
        Ok(())
    }

    #[test]
    fn an_attribute_in_a_wrong_place_comes_back_to_it() -> Result {
        let first = resident(0x80, "", 0, b"")?;
        let second = resident(0x30, "", 0xffff, b"")?;
        let record = file_record(64, 3, &[&first, &second]);
        let delete = made(Change::delete_attribute(&record, 0x38 + first.len()))?;
        let without = round_trip(&record, &delete)?;
        assert!(Change::create_attribute(&without, 0x38 + first.len(), &second).is_err());
        Ok(())
    }

    #[test]
    fn attributes_that_do_not_belong_are_refused() -> Result {
        let record = sample()?;
        let right = resident(0x80, "s", 7, b"abc")?;
        for at in [0x38, 0x3c, END, END + 8, 0x3f8, 0xffff] {
            assert!(Change::create_attribute(&record, at, &right).is_err());
        }
        assert_eq!(
            Change::create_attribute(&record, ROOT, &resident(0x80, "", 7, &[0; 0x300])?),
            Err(Error::NoRoom)
        );
        // An id of the future, and one that leaves none for the next.
        assert!(Change::create_attribute(&record, ROOT, &resident(0x80, "", 8, b"")?).is_err());
        let mut last = record;
        put(&mut last, 0x28, &[0xff, 0xff]);
        let newest = resident(0x80, "", 0xffff, b"")?;
        assert!(Change::create_attribute(&last, ROOT, &newest).is_err());
        let cut = right.get(..right.len() - 8).unwrap_or(&[]);
        assert!(Change::create_attribute(&record, ROOT, cut).is_err());
        Ok(())
    }

    #[test]
    fn a_free_or_broken_record_is_left_alone() -> Result {
        let record = sample()?;
        let delete = made(Change::delete_attribute(&record, DATA))?;
        for (at, bytes) in [
            (0x00, &b"BAAD"[..]),
            (0x16, &[0, 0]),
            (0x18, &[0xff, 0xff, 0, 0]),
            (DATA + 4, &[0x4c]),
            (0x38 + 4, &[0]),
            (END, &[0x20, 0, 0, 0]),
        ] {
            let mut broken = record;
            put(&mut broken, at, bytes);
            assert!(refused(&broken, &delete));
            assert!(Change::delete_attribute(&broken, DATA).is_err());
        }
        Ok(())
    }

    #[test]
    fn bytes_of_a_value_change() -> Result {
        let record = sample()?;
        let update = made(Change::update_resident_value(&record, 0x38, 5, b"new"))?;
        assert_eq!(update.attribute_offset, 0x1d);
        let after = round_trip(&record, &update)?;
        assert_eq!(after.get(0x54..0x59), Some(&b"\x5anew\x5a"[..]));
        assert!(Change::update_resident_value(&record, 0x38, 46, b"new").is_err());
        assert!(Change::update_resident_value(&record, DATA, 0, b"new").is_err());
        assert!(Change::update_resident_value(&record, 0x3a, 0, b"new").is_err());
        Ok(())
    }

    #[test]
    fn a_value_changes_its_length_where_the_log_says_so() -> Result {
        let record = sample()?;
        let op = Opcode::UpdateResidentValue;
        // From offset 0x40 of the attribute the last 8 bytes become 20.
        let grow = change((op, &[7; 20]), (op, &[0x5a; 8]), (0x38, 0x40))?;
        let after = round_trip(&record, &grow)?;
        assert_eq!(u32_at(&after, 0x38 + 4), Some(0x58));
        assert_eq!(u32_at(&after, 0x38 + 0x10), Some(60));
        assert_eq!(u32_at(&after, 0x18), Some(END as u32 + 8 + 0x10));
        let shrink = change((op, &[]), (op, &[0x5a; 16]), (0x38, 0x38))?;
        let after = round_trip(&record, &shrink)?;
        assert_eq!(u32_at(&after, 0x38 + 4), Some(0x38));
        assert_eq!(u32_at(&after, 0x38 + 0x10), Some(32));
        // The header is not a part of the value.
        assert!(refused(
            &record,
            &change((op, &[0; 4]), (op, &[0; 4]), (0x38, 0x10))?
        ));
        Ok(())
    }

    #[test]
    fn bytes_that_the_log_leaves_out_are_zeros() -> Result {
        let record = sample()?;
        let mut update = made(Change::update_resident_value(&record, 0x38, 5, b"new"))?;
        update.redo.data = Data::Absent(3);
        let after = round_trip(&record, &update)?;
        assert_eq!(after.get(0x54..0x59), Some(&b"\x5a\0\0\0\x5a"[..]));
        let mut create = made(Change::create_attribute(
            &record,
            ROOT,
            &resident(0x80, "s", 7, b"")?,
        ))?;
        create.redo.data = Data::Absent(0x20);
        assert!(refused(&record, &create));
        Ok(())
    }

    #[test]
    fn mapping_pairs_tell_the_highest_vcn() -> Result {
        let record = sample()?;
        let pairs = [0x11, 0x02, 0x20, 0x11, 0x05, 0x10, 0x01, 0x03, 0x00];
        let update = made(Change::update_mapping_pairs(&record, DATA, 0, &pairs))?;
        assert_eq!(update.redo.data.length(), 16);
        let after = round_trip(&record, &update)?;
        assert_eq!(u64_at(&after, DATA + 0x18), Some(9));
        assert_eq!(u32_at(&after, DATA + 4), Some(0x50));
        // Only the end of them.
        let pairs = [0x11, 0x01, 0x10, 0x00];
        let update = made(Change::update_mapping_pairs(&record, DATA, 3, &pairs))?;
        assert_eq!(update.attribute_offset, 0x43);
        let after = round_trip(&record, &update)?;
        assert_eq!(u64_at(&after, DATA + 0x18), Some(2));
        // None at all.
        let update = made(Change::update_mapping_pairs(&record, DATA, 0, &[0]))?;
        let after = round_trip(&record, &update)?;
        assert_eq!(u64_at(&after, DATA + 0x18), Some(u64::MAX));
        for wrong in [
            &[0x21, 1, 1, 1, 0x11, 1, 0x18, 0x11][..],
            &[0x91, 1],
            &[0x10, 1],
            &[0x01, 0x80, 0],
        ] {
            assert!(Change::update_mapping_pairs(&record, DATA, 0, wrong).is_err());
        }
        assert!(Change::update_mapping_pairs(&record, 0x38, 0, &[0]).is_err());
        Ok(())
    }

    #[test]
    fn sizes_change_in_both_orders() -> Result {
        let record = sample()?;
        let sizes = Sizes {
            allocated: ByteCount::new(0x3000),
            data: ByteCount::new(0x2fff),
            initialized: ByteCount::new(0x1000),
            compressed: None,
        };
        let update = made(Change::set_attribute_sizes(&record, DATA, sizes))?;
        assert_eq!(u64_at(update.redo.data.bytes(), 8), Some(0x1000));
        let after = round_trip(&record, &update)?;
        let file = FileRecord::parse(&after).map_err(|_| EINVAL)?;
        let data = file.attributes().nth(1).ok_or(EINVAL)?;
        match data.map_err(|_| EINVAL)?.form {
            Form::NonResident(form) => assert_eq!(form.sizes, Some(sizes)),
            Form::Resident { .. } => return Err(EINVAL),
        }
        let compressed = Some(ByteCount::new(0));
        let wrong = Sizes {
            compressed,
            ..sizes
        };
        assert!(Change::set_attribute_sizes(&record, DATA, wrong).is_err());
        assert!(Change::set_attribute_sizes(&record, 0x38, sizes).is_err());
        let allocated = ByteCount::new(u64::MAX);
        let wrong = Sizes { allocated, ..sizes };
        assert!(Change::set_attribute_sizes(&record, DATA, wrong).is_err());
        Ok(())
    }

    #[test]
    fn a_record_is_freed_once() -> Result {
        let record = sample()?;
        let free = made(Change::deallocate_record(&record))?;
        let mut after = round_trip(&record, &free)?;
        assert_eq!(u16_at(&after, 0x10), Some(4));
        assert_eq!(u16_at(&after, 0x16), Some(0));
        assert_eq!(after.get(0x18..), record.get(0x18..));
        let before = after;
        made(free.apply(&mut Page::Record(&mut after)))?;
        assert_eq!(after, before);
        assert!(Change::deallocate_record(&after).is_err());
        Ok(())
    }

    #[test]
    fn a_sequence_number_is_never_zero() -> Result {
        let mut record = sample()?;
        put(&mut record, 0x10, &[0xff, 0xff]);
        let free = made(Change::deallocate_record(&record))?;
        assert_eq!(u16_at(&round_trip(&record, &free)?, 0x10), Some(1));
        Ok(())
    }

    #[test]
    fn a_new_record_replaces_all_but_the_number_of_the_write() -> Result {
        let mut old = sample()?;
        put(&mut old, 0x30, &[9, 0]);
        put(&mut old, 0x200, &[0xee; 0x200]);
        let new = file_record(64, 4, &[&resident(0x10, "", 0, b"")?[..]]);
        let fill = made(Change::initialize_record(&old, &new))?;
        assert_eq!(fill.redo.data.length(), 0x58);
        made(fill.apply(&mut Page::Record(&mut old)))?;
        let mut expected = new;
        put(&mut expected, 0x30, &[9, 0]);
        assert_eq!(old, expected);
        // What never was a record has no number.
        let mut blank = [0xff; RECORD_SIZE];
        made(fill.apply(&mut Page::Record(&mut blank)))?;
        assert_eq!(blank, new);
        Ok(())
    }

    #[test]
    fn an_announced_record_is_freed_by_a_rollback_only() -> Result {
        let announce = Change::announce_record();
        let mut record = sample()?;
        let before = record;
        made(announce.apply(&mut Page::Record(&mut record)))?;
        assert_eq!(record, before);
        made(announce.undo(&mut Page::Record(&mut record)))?;
        assert_eq!(u16_at(&record, 0x16), Some(0));
        let mut blank = [0; RECORD_SIZE];
        made(announce.undo(&mut Page::Record(&mut blank)))?;
        assert_eq!(blank, [0; RECORD_SIZE]);
        Ok(())
    }

    #[test]
    fn the_end_of_a_record_is_written_and_zeroed() -> Result {
        let record = sample()?;
        let op = Opcode::WriteEndOfFileRecordSegment;
        let old = record.get(DATA..END + 8).ok_or(EINVAL)?;
        let end = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let at = DATA as u16;
        let after = round_trip(&record, &change((op, &end), (op, old), (at, 0))?)?;
        assert_eq!(u32_at(&after, 0x18), Some(DATA as u32 + 8));
        assert!(refused(
            &record,
            &change((op, &[0; 8]), (op, old), (at, 0))?
        ));

        let mut zero = change(
            (Opcode::ZeroEndOfFileRecord, &[]),
            (Opcode::Noop, &[]),
            (END as u16 + 8, 0),
        )?;
        zero.redo.data = Data::Absent(RECORD_SIZE as u16 - END as u16 - 8);
        let mut dirty = record;
        put(&mut dirty, END + 8, &[0xee; 0x100]);
        made(zero.apply(&mut Page::Record(&mut dirty)))?;
        assert_eq!(dirty, record);
        zero.record_offset = END as u16;
        assert!(refused(&record, &zero));
        Ok(())
    }

    #[test]
    fn entries_of_a_root_come_and_go() -> Result {
        let record = sample()?;
        let entry = index::entry(8, Some(b"eight"), None)?;
        let add = made(Change::add_index_entry(
            &record,
            Place::Root(ROOT),
            0x20,
            &entry,
        ))?;
        assert_eq!(add.attribute_offset, 0x38);
        let with = round_trip(&record, &add)?;
        let length = entry.len() as u32;
        assert_eq!(u32_at(&with, ROOT + 4), Some(0x68 + length));
        assert_eq!(u32_at(&with, ROOT + 0x10), Some(0x50 + length));
        assert_eq!(u32_at(&with, 0x18), Some(END as u32 + 8 + length));
        let delete = made(Change::delete_index_entry(&with, Place::Root(ROOT), 0x20))?;
        assert_eq!(round_trip(&with, &delete)?, record);
        // Neither the last entry, nor what is none, nor one of another kind of node.
        for wrong in [0x58, 0x24, 0, 0x100] {
            assert!(Change::delete_index_entry(&with, Place::Root(ROOT), wrong).is_err());
        }
        let branch = index::entry(8, Some(b"eight"), Some(3))?;
        assert!(Change::add_index_entry(&record, Place::Root(ROOT), 0x20, &branch).is_err());
        let last = index::entry(0, None, None)?;
        assert!(Change::add_index_entry(&record, Place::Root(ROOT), 0x20, &last).is_err());
        assert!(Change::add_index_entry(&record, Place::Root(DATA), 0x20, &entry).is_err());
        assert!(Change::add_index_entry(&record, Place::Root(0x38), 0x20, &entry).is_err());
        Ok(())
    }

    fn block() -> Result<KVec<u8>> {
        let name = file_name("abc", 1)?;
        let first = index::entry(5, Some(&name), Some(7))?;
        let last = index::entry(0, None, Some(8))?;
        index::block(2, &[&first, &last])
    }

    fn block_round_trip(block: &[u8], change: &Change) -> Result<KVec<u8>> {
        let mut work = KVec::new();
        work.extend_from_slice(block, GFP_KERNEL)?;
        made(change.apply(&mut Page::IndexBlock(&mut work)))?;
        let mut between = KVec::new();
        between.extend_from_slice(&work, GFP_KERNEL)?;
        made(change.undo(&mut Page::IndexBlock(&mut work)))?;
        assert_eq!(&work[..], block);
        Ok(between)
    }

    #[test]
    fn entries_of_a_block_come_and_go() -> Result {
        let block = block()?;
        let entry = index::entry(6, Some(&file_name("abd", 1)?), Some(9))?;
        let add = made(Change::add_index_entry(&block, Place::Block, 0x40, &entry))?;
        let with = block_round_trip(&block, &add)?;
        let parsed = IndexBlock::parse(&with).map_err(|_| EINVAL)?;
        assert_eq!(parsed.node.entries().count(), 3);
        assert_eq!(u32_at(&with, 0x20), u32_at(&block, 0x20));
        let delete = made(Change::delete_index_entry(&with, Place::Block, 0x40))?;
        assert_eq!(&block_round_trip(&with, &delete)?[..], &block[..]);
        let long = index::entry(6, Some(&[0; 4000]), Some(9))?;
        let full = Change::add_index_entry(&block, Place::Block, 0x40, &long);
        assert_eq!(full, Err(Error::NoRoom));
        Ok(())
    }

    #[test]
    fn entries_of_a_block_change_in_place() -> Result {
        let block = block()?;
        let vcn = Vcn::new(0x1234);
        let set = made(Change::set_index_entry_vcn(&block, Place::Block, 0x40, vcn))?;
        let after = block_round_trip(&block, &set)?;
        let parsed = IndexBlock::parse(&after).map_err(|_| EINVAL)?;
        let first = parsed.node.entries().next().ok_or(EINVAL)?;
        assert_eq!(first.map_err(|_| EINVAL)?.sub_node, Some(vcn));

        let mut name = file_name("abc", 1)?;
        put(&mut name, 0x30, &78_u64.to_le_bytes());
        let update = made(Change::update_index_file_name(
            &block,
            Place::Block,
            0x40,
            &name,
        ))?;
        assert_eq!(update.redo.data.length(), 0x38);
        let after = block_round_trip(&block, &update)?;
        assert_eq!(u64_at(&after, 0x40 + 0x10 + 0x30), Some(78));
        let last = 0x40 + usize::from(u16_at(&block, 0x48).ok_or(EINVAL)?);
        assert!(Change::update_index_file_name(&block, Place::Block, last, &name).is_err());
        Ok(())
    }

    #[test]
    fn the_end_of_a_block_moves_away() -> Result {
        let block = block()?;
        let last = index::entry(0, None, Some(7))?;
        let cut = made(Change::write_end_of_index(&block, 0x40, &last))?;
        let after = block_round_trip(&block, &cut)?;
        assert_eq!(u32_at(&after, 0x1c), Some(0x40));
        // An end without an end, and one of another kind of node.
        let entry = index::entry(6, Some(b"key"), Some(9))?;
        assert!(Change::write_end_of_index(&block, 0x40, &entry).is_err());
        let leaf = index::entry(0, None, None)?;
        assert!(Change::write_end_of_index(&block, 0x40, &leaf).is_err());
        Ok(())
    }

    #[test]
    fn a_new_block_replaces_all_but_the_number_of_the_write() -> Result {
        let new = block()?;
        let mut old = KVec::from_elem(0xee, 4096, GFP_KERNEL)?;
        let fill = made(Change::initialize_index_block(&old, &new))?;
        made(fill.apply(&mut Page::IndexBlock(&mut old)))?;
        assert_eq!(&old[..], &new[..]);
        assert_eq!(fill.undo, Action::NOTHING);
        Ok(())
    }

    #[test]
    fn the_data_of_a_view_changes() -> Result {
        let mut entry = index::entry(0, Some(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), None)?;
        // The data stands behind a key of four bytes.
        put(&mut entry, 0, &[0x14, 0, 8, 0]);
        put(&mut entry, 0x0a, &[4, 0]);
        let last = index::entry(0, None, None)?;
        let block = index::block(0, &[&entry, &last])?;
        let op = Opcode::UpdateRecordDataAllocation;
        let old = [5, 6, 7, 8, 9, 10, 11, 12];
        let update = change((op, &[0xaa; 8]), (op, &old), (0, 0x40))?;
        let after = block_round_trip(&block, &update)?;
        assert_eq!(after.get(0x54..0x5c), Some(&[0xaa; 8][..]));
        let mut work = after;
        let long = change((op, &[0; 16]), (op, &old), (0, 0x40))?;
        assert!(long.apply(&mut Page::IndexBlock(&mut work)).is_err());
        Ok(())
    }

    #[test]
    fn bits_are_set_and_cleared_across_bytes() -> Result {
        let mut bitmap = [0; 8];
        for (first, count, expected) in [
            (0, 0, [0; 8]),
            (3, 2, [0x18, 0, 0, 0, 0, 0, 0, 0]),
            (6, 4, [0xc0, 0x03, 0, 0, 0, 0, 0, 0]),
            (8, 16, [0, 0xff, 0xff, 0, 0, 0, 0, 0]),
            (63, 1, [0, 0, 0, 0, 0, 0, 0, 0x80]),
            (0, 64, [0xff; 8]),
        ] {
            let set = made(Change::set_bits(&bitmap, first, count))?;
            made(set.apply(&mut Page::Bitmap(&mut bitmap)))?;
            assert_eq!(bitmap, expected);
            // Twice does no harm: a replay does not know.
            made(set.apply(&mut Page::Bitmap(&mut bitmap)))?;
            assert_eq!(bitmap, expected);
            let clear = made(Change::clear_bits(&bitmap, first, count))?;
            made(clear.apply(&mut Page::Bitmap(&mut bitmap)))?;
            assert_eq!(bitmap, [0; 8]);
        }
        assert!(Change::set_bits(&bitmap, 60, 5).is_err());
        assert!(Change::set_bits(&bitmap, u32::MAX, u32::MAX).is_err());
        assert!(Change::clear_bits(&bitmap, 3, 1).is_err());
        bitmap = [0, 1, 0, 0, 0, 0, 0, 0];
        assert!(Change::set_bits(&bitmap, 4, 8).is_err());
        Ok(())
    }

    #[test]
    fn other_data_is_overwritten_within_its_page() -> Result {
        let mut data = *b"0123456789";
        let update = made(Change::update_nonresident(&data, 7, b"abc"))?;
        made(update.apply(&mut Page::Data(&mut data)))?;
        assert_eq!(&data, b"0123456abc");
        made(update.undo(&mut Page::Data(&mut data)))?;
        assert_eq!(&data, b"0123456789");
        assert!(Change::update_nonresident(&data, 8, b"abc").is_err());
        let append = made(Change::append_nonresident(&data, 0, b"x"))?;
        assert_eq!(append.undo, Action::NOTHING);
        Ok(())
    }

    #[test]
    fn the_rollback_has_a_record_of_its_own() -> Result {
        let record = sample()?;
        let entry = index::entry(8, Some(b"eight"), None)?;
        let place = Place::Root(ROOT);
        let add = made(Change::add_index_entry(&record, place, 0x20, &entry))?;
        let back = made(add.compensation())?;
        assert_eq!(back.redo, add.undo);
        assert_eq!(back.undo.opcode, Opcode::CompensationLogRecord);
        assert_eq!(back.undo.data, Data::Absent(entry.len() as u16));
        let mut work = record;
        made(add.apply(&mut Page::Record(&mut work)))?;
        made(back.apply(&mut Page::Record(&mut work)))?;
        assert_eq!(work, record);
        // It is never taken back itself.
        assert!(back.undo(&mut Page::Record(&mut work)).is_err());
        Ok(())
    }

    #[test]
    fn operations_stay_with_their_pages() -> Result {
        let mut record = sample()?;
        let set = made(Change::set_bits(&[0], 0, 1))?;
        assert!(refused(&record, &set));
        for raw in 0..0x26 {
            let opcode = Opcode::from_raw(raw).ok_or(EINVAL)?;
            assert_eq!(opcode.to_raw(), raw);
            let change = change((opcode, &[]), (Opcode::Noop, &[]), (0, 0))?;
            let known = matches!(opcode, Opcode::Noop);
            let mut data = [0; 16];
            let bare = matches!(opcode, Opcode::UpdateNonresidentValue);
            let done = change.apply(&mut Page::Data(&mut data)).is_ok();
            assert_eq!(done, known || bare);
            assert_eq!(data, [0; 16]);
        }
        assert_eq!(Opcode::from_raw(0x26), None);
        let mut page = Page::Record(&mut record);
        assert_eq!(page.lsn(), Some(Lsn::new(0x1234)));
        page.stamp(Lsn::new(0x5678));
        assert_eq!(page.lsn(), Some(Lsn::new(0x5678)));
        assert_eq!(Page::Data(&mut [0; 64]).lsn(), None);
        Ok(())
    }

    #[test]
    fn a_name_behind_the_value_keeps_a_record_from_being_changed() -> Result {
        let standard = resident(0x10, "", 0, &[0x5a; 48])?;
        let named = resident(0x80, "ab", 1, b"the value, which is longer than the name")?;
        let record = file_record(64, 3, &[&standard, &named]);
        // The second attribute.
        let at = 0x38 + standard.len();
        let standard_at = 0x38;
        assert!(Change::update_resident_value(&record, standard_at, 0, b"new").is_ok());
        assert!(Change::delete_attribute(&record, at).is_ok());
        // Its name is in its value now: it would be cut when that gets shorter.
        for offset in [0x20_u8, 0x30] {
            let mut broken = record;
            put(&mut broken, at + 0x0a, &[offset, 0]);
            assert!(FileRecord::parse(&broken)
                .is_ok_and(|record| record.attributes().all(|a| a.is_ok())));
            assert!(Change::update_resident_value(&broken, standard_at, 0, b"new").is_err());
            assert!(Change::delete_attribute(&broken, at).is_err());
        }
        Ok(())
    }
}
