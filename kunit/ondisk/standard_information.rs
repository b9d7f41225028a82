// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::standard_information`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_standard_information)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::{
        secure::SecurityId,
        standard_information::*,
        time::NtTime, //
    };
    use kernel::prelude::*;

    fn sample() -> [u8; 72] {
        let mut value = [0; 72];
        for (number, at) in [(1_u64, 0x00), (2, 0x08), (3, 0x10), (4, 0x18)] {
            put(&mut value, at, &number.to_le_bytes());
        }
        put(&mut value, 0x20, &0x0000_0621_u32.to_le_bytes());
        put(&mut value, 0x28, &1_u32.to_le_bytes());
        put(&mut value, 0x34, &0x101_u32.to_le_bytes());
        value
    }

    #[test]
    fn the_long_form_is_read() -> Result {
        let value = StandardInformation::parse(&sample()).map_err(|_| EINVAL)?;
        assert_eq!(value.times.creation, NtTime::new(1));
        assert_eq!(value.times.modification, NtTime::new(2));
        assert_eq!(value.times.change, NtTime::new(3));
        assert_eq!(value.times.access, NtTime::new(4));
        assert_eq!(value.attributes.get(), 0x621);
        assert!(value.is_case_sensitive_directory);
        assert_eq!(value.security_id, Some(SecurityId::new(0x101)));
        Ok(())
    }

    #[test]
    fn the_short_form_has_no_security_id() -> Result {
        let long = sample();
        let short = long.get(..48).unwrap_or(&[]);
        let value = StandardInformation::parse(short).map_err(|_| EINVAL)?;
        assert_eq!(value.security_id, None);
        assert_eq!(value.attributes.get(), 0x621);
        Ok(())
    }

    #[test]
    fn a_security_id_of_zero_is_none() -> Result {
        let mut value = sample();
        put(&mut value, 0x34, &[0; 4]);
        let value = StandardInformation::parse(&value).map_err(|_| EINVAL)?;
        assert_eq!(value.security_id, None);
        Ok(())
    }

    #[test]
    fn what_has_no_attributes_is_refused() {
        let value = sample();
        for length in 0..0x24 {
            assert!(StandardInformation::parse(value.get(..length).unwrap_or(&[])).is_err());
        }
        assert!(StandardInformation::parse(value.get(..0x24).unwrap_or(&[])).is_ok());
    }

    #[test]
    fn attributes_are_told_apart() {
        let both = FileAttributes::new(0x1400);
        assert!(both.contains(FileAttributes::OFFLINE));
        assert!(both.contains(FileAttributes::REPARSE_POINT));
        assert!(!both.contains(FileAttributes::new(0x1401)));
        assert!(both.intersects(FileAttributes::new(0x1001)));
        assert!(!both.intersects(FileAttributes::HIDDEN));
    }
}
