// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::security_descriptor`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_security_descriptor)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        security::DESCRIPTOR, //
    };
    use crate::ondisk::security_descriptor::*;
    use kernel::prelude::*;

    #[test]
    fn owner_group_and_end_are_found() -> Result {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(&DESCRIPTOR, GFP_KERNEL)?;
        bytes.extend_from_slice(&[0xee; 20], GFP_KERNEL)?;
        let found = SecurityDescriptor::parse(&bytes).map_err(|_| EIO)?;
        assert_eq!(found.as_bytes(), &DESCRIPTOR[..]);
        assert_eq!(found.owner(), DESCRIPTOR.get(0x44..0x54));
        assert_eq!(found.group(), DESCRIPTOR.get(0x54..0x64));
        Ok(())
    }

    #[test]
    fn all_parts_may_be_missing() -> Result {
        let mut bytes = [0; 0x14];
        put(&mut bytes, 0, &[1, 0, 0, 0x80]);
        let found = SecurityDescriptor::parse(&bytes).map_err(|_| EIO)?;
        assert_eq!(found.as_bytes().len(), 0x14);
        assert!(found.owner().is_none() && found.group().is_none());
        Ok(())
    }

    #[test]
    fn one_cut_off_anywhere_is_refused() {
        for length in 0..DESCRIPTOR.len() {
            assert!(SecurityDescriptor::parse(DESCRIPTOR.get(..length).unwrap_or(&[])).is_err());
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        // Offset of the field, what to write there.
        let cases: [(usize, &[u8]); 14] = [
            // Revision; not self-relative.
            (0x00, &[2]),
            (0x03, &[0]),
            // Owner in the header, behind the end, and far behind it; group; SACL; DACL.
            (0x04, &[0x13]),
            (0x04, &[0x55]),
            (0x04, &[0xff, 0xff, 0xff, 0xff]),
            (0x08, &[0x64]),
            (0x0c, &[0x63]),
            (0x10, &[0x60]),
            // Sub-authorities: one too many for the place, and for any SID.
            (0x55, &[3]),
            (0x45, &[16]),
            // Length of the ACL, too long and too short.
            (0x16, &[0x51]),
            (0x16, &[0x07]),
            // An entry more than there are, and one that is too short.
            (0x18, &[3]),
            (0x1e, &[3]),
        ];
        for (at, with) in cases {
            let mut bytes = DESCRIPTOR;
            put(&mut bytes, at, with);
            assert!(SecurityDescriptor::parse(&bytes).is_err());
        }
    }
}
