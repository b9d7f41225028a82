// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::transaction`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_transaction))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::Error,
            record::{
                Record,
                Role, //
            },
            transaction::*,
            volume::Volume, //
        },
        kunit::{
            fixtures::record::resident,
            fs::disk::{
                extension,
                mount,
                plain,
                Disk,
                Ram,
                SAMPLE, //
            },
        },
        ondisk::{
            log::change::Change,
            record::FileRecord,
            units::{
                MftReference,
                RecordNumber,
                SequenceNumber, //
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };

    /// An extension record of [`SAMPLE`]: two base records would be two locks of one class.
    const OTHER: u64 = SAMPLE + 1;

    fn volume() -> Result<(Arc<Disk>, KBox<Volume<Ram>>)> {
        let disk = Disk::new()?;
        let data = resident(0x80, "", 1, b"old value")?;
        disk.put_file(SAMPLE, &[&data])?;
        disk.put_record(OTHER, &extension(OTHER, &[&data]))?;
        let volume = mount(&disk)?;
        Ok((disk, volume))
    }

    fn reference(number: u64, sequence: u16) -> MftReference {
        MftReference {
            number: RecordNumber::new(number),
            sequence: SequenceNumber::new(sequence),
        }
    }

    fn record(volume: &Volume<Ram>, number: u64) -> Result<Record> {
        let role = match number {
            SAMPLE => Role::Base,
            _ => Role::Extension,
        };
        plain(volume.record(RecordNumber::new(number), role))
    }

    /// The bytes of a record as others see them.
    fn bytes(volume: &Volume<Ram>, number: u64) -> Result<KVec<u8>> {
        let record = record(volume, number)?;
        let mut transaction = Transaction::begin();
        let page = plain(transaction.map_record(volume, &record, reference(number, 1)))?;
        let mut bytes = KVec::new();
        bytes.extend_from_slice(transaction.bytes(page), GFP_KERNEL)?;
        Ok(bytes)
    }

    /// Where the data is in a record.
    fn data_at(record: &[u8]) -> usize {
        let found = FileRecord::parse(record).ok().and_then(|record| {
            let attributes = record.attributes().filter_map(core::result::Result::ok);
            attributes.last().map(|attribute| attribute.offset)
        });
        found.unwrap_or(0)
    }

    /// Another value in one record; in the other one the attribute goes, and a longer one comes.
    fn change(
        transaction: &mut Transaction<'_>,
        one: PageId,
        other: PageId,
    ) -> crate::fs::error::Result {
        let at = data_at(transaction.bytes(one));
        transaction.change(one, |record| {
            Change::update_resident_value(record, at, 0, b"new")
        })?;
        let at = data_at(transaction.bytes(other));
        transaction.change(other, |record| Change::delete_attribute(record, at))?;
        let longer = resident(0x80, "", 1, &[b'n'; 300]).map_err(|_| Error::NoMemory)?;
        transaction.change(other, |record| {
            Change::create_attribute(record, at, &longer)
        })
    }

    #[test]
    fn what_is_dropped_never_was() -> Result {
        let (disk, volume) = volume()?;
        let before = (bytes(&volume, SAMPLE)?, bytes(&volume, OTHER)?);
        let (one, other) = (record(&volume, SAMPLE)?, record(&volume, OTHER)?);
        let mut transaction = Transaction::begin();
        let first = plain(transaction.map_record(&volume, &one, reference(SAMPLE, 1)))?;
        let second = plain(transaction.map_record(&volume, &other, reference(OTHER, 1)))?;
        plain(change(&mut transaction, first, second))?;
        assert!(transaction.bytes(first) != &*before.0);
        assert!(transaction.bytes(second) != &*before.1);
        drop(transaction);
        assert!(*bytes(&volume, SAMPLE)? == *before.0);
        assert!(*bytes(&volume, OTHER)? == *before.1);
        plain(volume.write_dirty())?;
        assert_eq!(disk.writes.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn what_is_committed_is_written_later() -> Result {
        let (disk, volume) = volume()?;
        let image = disk.image()?;
        let (one, other) = (record(&volume, SAMPLE)?, record(&volume, OTHER)?);
        let mut transaction = Transaction::begin();
        let first = plain(transaction.map_record(&volume, &one, reference(SAMPLE, 1)))?;
        let second = plain(transaction.map_record(&volume, &other, reference(OTHER, 1)))?;
        plain(change(&mut transaction, first, second))?;
        transaction.commit();
        let after = (bytes(&volume, SAMPLE)?, bytes(&volume, OTHER)?);
        // They stay in the cache, and only there.
        volume.shrink(usize::MAX);
        volume.shrink(usize::MAX);
        assert!(*bytes(&volume, SAMPLE)? == *after.0);
        assert!(*disk.image()? == *image);
        plain(volume.write_dirty())?;
        assert_eq!(disk.writes.load(Relaxed), 2);
        let found = mount(&disk)?;
        for (number, after) in [(SAMPLE, after.0), (OTHER, after.1)] {
            let found = bytes(&found, number)?;
            // But for the number of the update, which each write counts up.
            assert!(found.get(0x38..0x1fe) == after.get(0x38..0x1fe));
        }
        plain(volume.write_dirty())?;
        assert_eq!(disk.writes.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_page_that_is_only_looked_at_is_not_written() -> Result {
        let (disk, volume) = volume()?;
        let (one, other) = (record(&volume, SAMPLE)?, record(&volume, OTHER)?);
        let mut transaction = Transaction::begin();
        let first = plain(transaction.map_record(&volume, &one, reference(SAMPLE, 1)))?;
        plain(transaction.map_record(&volume, &other, reference(OTHER, 1)))?;
        let at = data_at(transaction.bytes(first));
        plain(transaction.change(first, |record| Change::delete_attribute(record, at)))?;
        transaction.commit();
        plain(volume.write_dirty())?;
        assert_eq!(disk.writes.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn a_change_that_cannot_be_made_leaves_those_before_it() -> Result {
        let (_, volume) = volume()?;
        let before = bytes(&volume, SAMPLE)?;
        let one = record(&volume, SAMPLE)?;
        let mut transaction = Transaction::begin();
        let page = plain(transaction.map_record(&volume, &one, reference(SAMPLE, 1)))?;
        let at = data_at(transaction.bytes(page));
        plain(transaction.change(page, |record| {
            Change::update_resident_value(record, at, 0, b"new")
        }))?;
        let mut changed = KVec::new();
        changed.extend_from_slice(transaction.bytes(page), GFP_KERNEL)?;
        let beyond = transaction.change(page, |record| {
            Change::update_resident_value(record, at, 8, b"beyond")
        });
        assert!(matches!(beyond, Err(Error::Corrupt(_))));
        let large = resident(0x80, "more", 1, &[0; 900])?;
        let no_room =
            transaction.change(page, |record| Change::create_attribute(record, at, &large));
        assert_eq!(no_room, Err(Error::NoRoom));
        assert!(transaction.bytes(page) == &*changed);
        drop(transaction);
        assert!(*bytes(&volume, SAMPLE)? == *before);
        Ok(())
    }

    #[test]
    fn a_record_of_another_use_is_not_mapped() -> Result {
        let (_, volume) = volume()?;
        let one = record(&volume, SAMPLE)?;
        let mut transaction = Transaction::begin();
        let stale = transaction.map_record(&volume, &one, reference(SAMPLE, 2));
        assert!(matches!(stale, Err(Error::Stale(_))));
        // It is not locked either.
        plain(transaction.map_record(&volume, &one, reference(SAMPLE, 1)))?;
        Ok(())
    }
}
