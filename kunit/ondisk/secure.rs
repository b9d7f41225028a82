// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::secure`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_secure))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        security::{
            sds_entry,
            sds_header,
            DESCRIPTOR,
            HASH, //
        },
    };
    use crate::ondisk::secure::*;
    use kernel::prelude::*;

    fn header(bytes: &[u8]) -> Result<SdsEntry> {
        SdsEntry::parse(bytes).map_err(|_| EIO)
    }

    #[test]
    fn the_hash_is_that_of_windows() {
        assert_eq!(SecurityHash::of(&DESCRIPTOR).get(), HASH);
        assert_eq!(SecurityHash::of(&[]).get(), 0);
    }

    #[test]
    fn a_header_leads_to_the_entry_and_to_its_copy() -> Result {
        let entry = header(&sds_header(0x107, 0x8_0040))?;
        assert_eq!(entry.id(), SecurityId::new(0x107));
        assert_eq!(entry.offset().get(), 0x8_0040);
        assert_eq!(entry.offset_of_copy().ok_or(EIO)?.get(), 0xc_0040);
        assert_eq!(entry.length(), 0x14 + DESCRIPTOR.len());
        Ok(())
    }

    #[test]
    fn the_descriptor_is_taken_out_of_its_entry() -> Result {
        let mut bytes = sds_entry(0x107, 0x40)?;
        let wanted = header(&sds_header(0x107, 0x40))?;
        bytes.extend_from_slice(&[7; 12], GFP_KERNEL)?;
        assert_eq!(wanted.descriptor(&bytes), Ok(&DESCRIPTOR[..]));
        Ok(())
    }

    #[test]
    fn an_entry_that_is_another_one_or_not_whole_is_refused() -> Result {
        let wanted = header(&sds_header(0x107, 0x40))?;
        // Hash, id, offset and length in the header; first and last byte of the descriptor.
        for at in [0x00, 0x04, 0x08, 0x10, 0x14, 0x14 + DESCRIPTOR.len() - 1] {
            let mut bytes = sds_entry(0x107, 0x40)?;
            let byte = bytes.get_mut(at).ok_or(EIO)?;
            *byte ^= 0x10;
            assert!(wanted.descriptor(&bytes).is_err());
        }
        let bytes = sds_entry(0x107, 0x40)?;
        for length in 0..bytes.len() {
            assert!(wanted
                .descriptor(bytes.get(..length).unwrap_or(&[]))
                .is_err());
        }
        Ok(())
    }

    #[test]
    fn a_length_that_no_entry_can_have_is_refused() {
        for length in [0_u32, 0x13, 0x4_0001, u32::MAX] {
            let mut bytes = sds_header(0x107, 0x40);
            put(&mut bytes, 0x10, &length.to_le_bytes());
            assert!(SdsEntry::parse(&bytes).is_err());
        }
        let bytes = sds_header(0x107, 0x40);
        for length in 0..bytes.len() {
            assert!(SdsEntry::parse(bytes.get(..length).unwrap_or(&[])).is_err());
        }
    }

    #[test]
    fn a_key_is_an_id() {
        assert_eq!(SecurityId::parse(&[1, 2, 0, 0]), Ok(SecurityId::new(0x201)));
        assert!(SecurityId::parse(&[1, 2, 0]).is_err());
    }
}
