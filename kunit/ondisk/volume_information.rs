// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::volume_information`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_volume_information)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::volume_information::*;

    #[test]
    fn version_and_flags_are_read() {
        let value = [0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0x01, 0x80];
        assert_eq!(
            VolumeInformation::parse(&value),
            Ok(VolumeInformation {
                major_version: 3,
                minor_version: 1,
                flags: VolumeFlags::new(0x8001),
            })
        );
    }

    #[test]
    fn flags_are_told_apart() {
        let flags = VolumeFlags::new(0x8001);
        assert!(flags.contains(VolumeFlags::DIRTY));
        assert!(flags.contains(VolumeFlags::MODIFIED_BY_CHKDSK));
        assert!(!flags.contains(VolumeFlags::CHKDSK_UNDERWAY));
        assert!(!flags.contains(VolumeFlags::new(0x8003)));
        assert_eq!(flags.get(), 0x8001);
    }

    #[test]
    fn a_value_cut_off_anywhere_is_refused() {
        let value = [0; 12];
        for length in 0..12 {
            assert!(VolumeInformation::parse(value.get(..length).unwrap_or(&[])).is_err());
        }
    }
}
