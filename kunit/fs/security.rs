// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::security`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_security))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::{
                Error,
                Result as FsResult, //
            },
            security::*,
        },
        kunit::{
            fixtures::{
                put,
                record::{
                    file_record,
                    resident, //
                },
                security::DESCRIPTOR,
            },
            fs::{
                disk::{
                    mount,
                    open_file,
                    plain,
                    Disk,
                    CLUSTER,
                    SAMPLE, //
                },
                secured::{
                    secure,
                    COPY_LCN,
                    PLACES,
                    SDS_LCN, //
                },
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    /// Puts a file with a security id, and perhaps a descriptor of its own.
    fn put_file(disk: &Disk, id: u32, own: Option<&[u8]>) -> Result {
        let mut information = [0; 0x48];
        put(&mut information, 0x34, &id.to_le_bytes());
        let information = resident(0x10, "", 0, &information)?;
        let record = match own {
            Some(own) => {
                let own = resident(0x50, "", 2, own)?;
                file_record(SAMPLE as u32, 1, &[&information, &own])
            }
            None => file_record(SAMPLE as u32, 1, &[&information]),
        };
        disk.put_record(SAMPLE, &record)
    }

    fn read(disk: &Arc<Disk>) -> Result<FsResult<Option<KVVec<u8>>>> {
        let volume = mount(disk)?;
        let file = open_file(&volume, SAMPLE)?.reference();
        Ok(descriptor(&volume, file))
    }

    fn is_sample(found: FsResult<Option<KVVec<u8>>>) -> Result<bool> {
        Ok(plain(found)?.is_some_and(|found| *found == DESCRIPTOR))
    }

    #[test]
    fn every_id_leads_to_its_descriptor() -> Result {
        let disk = secure()?;
        for (id, _) in PLACES {
            put_file(&disk, id, None)?;
            assert!(is_sample(read(&disk)?)?);
        }
        Ok(())
    }

    #[test]
    fn the_copy_is_taken_for_an_entry_that_is_broken() -> Result {
        for at in [0x00, 0x04, 0x08, 0x10, 0x14, 0x30] {
            let disk = secure()?;
            put_file(&disk, 0x101, None)?;
            let place = SDS_LCN * CLUSTER + 0x80 + at;
            disk.write(place, &[!disk.byte(place)]);
            assert!(is_sample(read(&disk)?)?);
            let place = COPY_LCN * CLUSTER + 0x80 + at;
            disk.write(place, &[!disk.byte(place)]);
            assert!(matches!(read(&disk)?, Err(Error::Corrupt(_))));
        }
        Ok(())
    }

    #[test]
    fn an_id_that_nobody_knows_is_damage() -> Result {
        let disk = secure()?;
        for id in [0x99, 0x103] {
            put_file(&disk, id, None)?;
            assert!(matches!(read(&disk)?, Err(Error::Corrupt(_))));
            // What the file has itself is better than nothing.
            put_file(&disk, id, Some(&DESCRIPTOR))?;
            assert!(is_sample(read(&disk)?)?);
        }
        Ok(())
    }

    #[test]
    fn a_file_without_an_id_may_have_its_own_descriptor_or_none() -> Result {
        let disk = secure()?;
        put_file(&disk, 0, Some(&DESCRIPTOR))?;
        assert!(is_sample(read(&disk)?)?);
        put_file(&disk, 0, None)?;
        assert!(plain(read(&disk)?)?.is_none());
        put_file(&disk, 0, DESCRIPTOR.get(..0x60))?;
        assert!(matches!(read(&disk)?, Err(Error::Corrupt(_))));
        Ok(())
    }

    #[test]
    fn a_device_that_fails_is_no_damage() -> Result {
        let disk = secure()?;
        put_file(&disk, 0x102, Some(&DESCRIPTOR))?;
        let mut reads = 0;
        for nth in 1.. {
            let volume = mount(&disk)?;
            let file = open_file(&volume, SAMPLE)?.reference();
            disk.fail_nth(nth);
            let found = descriptor(&volume, file);
            if disk.is_yet_to_fail() {
                disk.fail_nth(0);
                break;
            }
            // What was read ahead is read again.
            match found {
                Err(Error::Device(_)) => {}
                found => assert!(is_sample(found)?),
            }
            assert!(is_sample(descriptor(&volume, file))?);
            reads = nth;
        }
        // A block of `$SII`, a piece of `$SDS`.
        assert!(reads >= 2);
        Ok(())
    }
}
