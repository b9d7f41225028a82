// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::efs`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_efs))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            attribute::Attribute,
            data,
            efs::*,
            error::Error,
            volume::Volume, //
        },
        kunit::{
            fixtures::record::{
                resident,
                Clusters, //
            },
            fs::disk::{
                mount,
                open_file,
                plain,
                Disk,
                Ram,
                CLUSTER,
                SAMPLE, //
            },
        },
        ondisk::units::ByteOffset,
    };
    use kernel::{
        prelude::*,
        sync::Arc, //
    };

    /// Where the flags are in an attribute record, and that of an encrypted value.
    const FLAGS_AT: usize = 0x0c;
    const ENCRYPTED: u16 = 0x4000;
    const LCN: usize = 20;

    /// What is in the clusters.
    const fn stored(at: usize) -> u8 {
        (at / 7 % 251) as u8 | 1
    }

    fn open(attribute: &[u8]) -> Result<(KBox<Volume<Ram>>, Arc<Attribute>)> {
        let disk = Disk::new()?;
        let mut clusters = KVec::new();
        for at in 0..2 * CLUSTER {
            clusters.push(stored(at), GFP_KERNEL)?;
        }
        disk.write(LCN * CLUSTER, &clusters);
        disk.put_file(SAMPLE, &[attribute])?;
        let volume = mount(&disk)?;
        let data = plain(open_file(&volume, SAMPLE)?.data())?
            .ok_or(ENOENT)?
            .clone();
        Ok((volume, data))
    }

    /// A value in two clusters.
    fn in_clusters(size: u64, initialized: u64) -> Result<(KBox<Volume<Ram>>, Arc<Attribute>)> {
        let value = Clusters {
            flags: ENCRYPTED,
            highest_vcn: 1,
            allocated: 2 * CLUSTER as u64,
            data: size,
            initialized,
            mapping_pairs: &[0x11, 2, LCN as u8, 0],
            ..Clusters::DATA
        };
        open(&value.to_bytes()?)
    }

    /// All that can be read from `at` on.
    fn read(volume: &Volume<Ram>, value: &Attribute, at: u64, most: usize) -> Result<KVec<u8>> {
        let mut bytes = KVec::from_elem(0xee, most, GFP_KERNEL)?;
        let read = plain(read_raw(volume, value, ByteOffset::new(at), &mut bytes))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    #[test]
    fn whole_blocks_are_read_and_then_how_much_of_them_is_padding() -> Result {
        for size in [1, 511, 512, 513, 5000, 8191, 8192_usize] {
            let (volume, value) = in_clusters(size as u64, size as u64)?;
            assert!(is_raw(&value));
            let blocks = size.next_multiple_of(512);
            assert_eq!(raw_size(&value).get(), blocks as u64 + 2);
            let mut wanted = KVec::new();
            for at in 0..blocks {
                wanted.push(stored(at), GFP_KERNEL)?;
            }
            wanted.extend_from_slice(&((blocks - size) as u16).to_le_bytes(), GFP_KERNEL)?;
            assert!(read(&volume, &value, 0, 10_000)?[..] == wanted[..]);
            // From anywhere near the end, as far as it goes.
            for at in blocks - 3..blocks + 4 {
                for most in 0..6 {
                    let rest = wanted.get(at..).unwrap_or(&[]);
                    let rest = rest.get(..most).unwrap_or(rest);
                    assert!(read(&volume, &value, at as u64, most)?[..] == *rest);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_value_without_a_byte_has_no_padding() -> Result {
        let (volume, value) = in_clusters(0, 0)?;
        assert_eq!(raw_size(&value).get(), 0);
        assert!(read(&volume, &value, 0, 10)?.is_empty());
        Ok(())
    }

    #[test]
    fn a_value_in_its_record_is_as_it_is() -> Result {
        let mut attribute = resident(0x80, "", 1, b"in the record")?;
        for (to, from) in attribute
            .iter_mut()
            .skip(FLAGS_AT)
            .zip(ENCRYPTED.to_le_bytes())
        {
            *to = from;
        }
        let (volume, value) = open(&attribute)?;
        assert!(is_raw(&value));
        assert_eq!(raw_size(&value).get(), 13);
        assert!(read(&volume, &value, 0, 100)?[..] == *b"in the record");
        assert!(read(&volume, &value, 7, 100)?[..] == *b"record");
        Ok(())
    }

    #[test]
    fn what_was_not_written_up_to_its_end_is_refused() -> Result {
        let (volume, value) = in_clusters(5000, 4096)?;
        let mut bytes = [0; 16];
        let read = read_raw(&volume, &value, ByteOffset::ZERO, &mut bytes);
        assert!(matches!(read, Err(Error::Unsupported(_))));
        assert_eq!(check_raw(&value), read.map(drop));
        Ok(())
    }

    #[test]
    fn nobody_else_reads_it() -> Result {
        let (volume, value) = in_clusters(5000, 5000)?;
        let mut bytes = [0; 16];
        let read = data::read_at(&**volume, &value, ByteOffset::ZERO, &mut bytes);
        assert_eq!(read, Err(Error::Encrypted));
        let (_volume, plain) = open(&resident(0x80, "", 1, b"not encrypted")?)?;
        assert!(!is_raw(&plain));
        Ok(())
    }
}
