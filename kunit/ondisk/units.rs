// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::units`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_units))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::units::*;
    use kernel::prelude::*;

    #[test]
    fn arithmetic_ends_where_the_numbers_do() {
        let last = Vcn::new(u64::MAX);
        assert_eq!(last.checked_add(ClusterCount::new(1)), None);
        assert_eq!(
            Vcn::new(5).checked_add(ClusterCount::new(2)),
            Some(Vcn::new(7))
        );
        assert_eq!(
            Lcn::new(7).distance_from(Lcn::new(5)),
            Some(ClusterCount::new(2))
        );
        assert_eq!(Lcn::new(5).distance_from(Lcn::new(7)), None);
        assert_eq!(ByteCount::new(1).checked_sub(ByteCount::new(2)), None);
        assert_eq!(
            ByteCount::new(1).checked_add(ByteCount::new(u64::MAX)),
            None
        );
    }

    #[test]
    fn a_reference_keeps_number_and_sequence_apart() {
        let cases = [
            (0, 0, 0),
            (0x0005_0000_0000_0005, 5, 5),
            (0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff, 0xffff),
            (0x8000_0000_0000_0001, 1, 0x8000),
        ];
        for (raw, number, sequence) in cases {
            let reference = MftReference::from_raw(raw);
            assert_eq!(reference.number.get(), number);
            assert_eq!(reference.sequence.get(), sequence);
            assert_eq!(reference.to_raw(), raw);
        }
        assert_eq!(MftReference::from_raw(u64::MAX).number, RecordNumber::MAX);
    }

    #[test]
    fn records_from_16_on_can_be_files_of_users() {
        // chkdsk makes found.000 there.
        assert_eq!(system_record::FIRST_USER.get(), 16);
        assert!(system_record::EXTEND < system_record::FIRST_USER);
    }

    #[test]
    fn only_powers_of_two_within_the_limits_are_sizes() {
        for bytes in [0, 1, 3, 128, 500, 4_194_304, u32::MAX] {
            assert_eq!(ClusterSize::new(bytes), None);
            assert_eq!(IndexBlockSize::new(bytes), None);
            assert_eq!(RecordSize::new(bytes), None);
            assert_eq!(SectorSize::new(bytes), None);
        }
        for (bytes, shift) in [(512, 9), (4096, 12), (65_536, 16), (2_097_152, 21)] {
            let size = ClusterSize::new(bytes);
            assert_eq!(size.map(ClusterSize::shift), Some(shift));
            assert_eq!(size.map(ClusterSize::bytes), Some(bytes));
        }
        assert_eq!(SectorSize::new(8192), None);
        assert_eq!(RecordSize::new(131_072), None);
    }

    #[test]
    fn bytes_and_clusters_convert_with_the_remainder_named() -> Result {
        for bytes in [512, 4096, 2_097_152] {
            let size = ClusterSize::new(bytes).ok_or(EINVAL)?;
            let unit = u64::from(bytes);
            for (count, whole, touched, within) in [
                (0, 0, 0, 0),
                (1, 0, 1, 1),
                (unit - 1, 0, 1, unit - 1),
                (unit, 1, 1, 0),
                (unit + 1, 1, 2, 1),
            ] {
                let offset = ByteOffset::new(count);
                assert_eq!(size.whole_clusters(ByteCount::new(count)).get(), whole);
                assert_eq!(size.clusters_for(ByteCount::new(count)).get(), touched);
                assert_eq!(size.offset_within(offset).get(), within);
                assert_eq!(size.vcn_of(offset), Vcn::new(whole));
                assert_eq!(size.lcn_of(offset), Lcn::new(whole));
            }
            let last = u64::MAX / unit;
            assert!(size.vcn_to_offset(Vcn::new(last)).is_some());
            assert_eq!(size.vcn_to_offset(Vcn::new(last + 1)), None);
            assert_eq!(size.lcn_to_offset(Lcn::new(last + 1)), None);
            assert_eq!(size.to_bytes(ClusterCount::new(last + 1)), None);
            assert_eq!(
                size.lcn_to_offset(Lcn::new(3)),
                Some(ByteOffset::new(3 * unit))
            );
            // The last byte that there is does not overflow the rounding.
            assert_eq!(size.clusters_for(ByteCount::new(u64::MAX)).get(), last + 1);
        }
        Ok(())
    }
}
