// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::boot`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_boot))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        boot::BootSector,
        put, //
    };
    use crate::ondisk::{
        boot::Geometry,
        units::{
            ClusterCount,
            Lcn, //
        },
    };
    use kernel::prelude::*;

    #[test]
    fn a_boot_sector_of_windows_is_read() -> Result {
        let sector = BootSector::WINDOWS.to_bytes();
        let geometry = Geometry::parse(&sector).map_err(|_| EINVAL)?;
        assert_eq!(geometry.sector_size().bytes(), 512);
        assert_eq!(geometry.cluster_size().bytes(), 4096);
        assert_eq!(geometry.record_size().bytes(), 1024);
        assert_eq!(geometry.index_block_size().bytes(), 4096);
        assert_eq!(geometry.volume_size().get(), 0x4fff * 512);
        assert_eq!(geometry.clusters(), ClusterCount::new(0x4fff / 8));
        assert_eq!(geometry.mft(), Lcn::new(0x355));
        assert_eq!(geometry.mft_mirror(), Lcn::new(2));
        assert_eq!(geometry.serial(), 0x1234_5678_9abc_def0);
        assert!(geometry.has_signature());
        Ok(())
    }

    #[test]
    fn all_codings_of_the_sizes_are_read() {
        // Sector; then cluster, record and index block, each as field and in bytes.
        let cases = [
            (256, (8, 2048), (0xf6, 1024), (2, 4096)),
            (512, (1, 512), (2, 1024), (8, 4096)),
            (512, (1, 512), (8, 4096), (0xf7, 512)),
            (512, (128, 65_536), (0xf6, 1024), (0xf4, 4096)),
            (512, (0xf8, 131_072), (0xf6, 1024), (0xf4, 4096)),
            (512, (0xf4, 2_097_152), (0xf6, 1024), (0xf4, 4096)),
            (512, (8, 4096), (0xf6, 1024), (16, 65_536)),
            (4096, (1, 4096), (1, 4096), (1, 4096)),
            (4096, (0xf7, 2_097_152), (0xf4, 4096), (0xf4, 4096)),
        ];
        for (sector_size, cluster, record, block) in cases {
            let sector = BootSector {
                sector_size,
                sectors_per_cluster: cluster.0,
                record_size: record.0,
                index_block_size: block.0,
                total_sectors: 1 << 30,
                ..BootSector::WINDOWS
            };
            let sizes = Geometry::parse(&sector.to_bytes()).map(|geometry| {
                (
                    geometry.sector_size().bytes(),
                    geometry.cluster_size().bytes(),
                    geometry.record_size().bytes(),
                    geometry.index_block_size().bytes(),
                )
            });
            assert_eq!(
                sizes,
                Ok((u32::from(sector_size), cluster.1, record.1, block.1))
            );
        }
    }

    #[test]
    fn each_field_that_makes_no_sense_is_named() {
        const GOOD: BootSector = BootSector::WINDOWS;
        // The field's offset, and a sector with nonsense there.
        let cases = [
            (
                0x0b,
                BootSector {
                    sector_size: 0,
                    ..GOOD
                },
            ),
            (
                0x0b,
                BootSector {
                    sector_size: 500,
                    ..GOOD
                },
            ),
            (
                0x0b,
                BootSector {
                    sector_size: 8192,
                    ..GOOD
                },
            ),
            (
                0x0d,
                BootSector {
                    sectors_per_cluster: 0,
                    ..GOOD
                },
            ),
            (
                0x0d,
                BootSector {
                    sectors_per_cluster: 127,
                    ..GOOD
                },
            ),
            (
                0x0d,
                BootSector {
                    sectors_per_cluster: 0x81,
                    ..GOOD
                },
            ),
            (
                0x0d,
                BootSector {
                    sectors_per_cluster: 0xf3,
                    ..GOOD
                },
            ),
            (
                0x28,
                BootSector {
                    total_sectors: u64::MAX,
                    ..GOOD
                },
            ),
            (
                0x28,
                BootSector {
                    total_sectors: 1 << 54,
                    ..GOOD
                },
            ),
            (
                0x30,
                BootSector {
                    total_sectors: 0,
                    ..GOOD
                },
            ),
            (
                0x30,
                BootSector {
                    total_sectors: 0x64,
                    ..GOOD
                },
            ),
            (
                0x30,
                BootSector {
                    mft: 0x4fff / 8,
                    ..GOOD
                },
            ),
            (
                0x30,
                BootSector {
                    mft: u64::MAX - 4,
                    ..GOOD
                },
            ),
            (
                0x38,
                BootSector {
                    mft_mirror: u64::MAX,
                    ..GOOD
                },
            ),
            (
                0x38,
                BootSector {
                    mft_mirror: GOOD.mft,
                    ..GOOD
                },
            ),
            (
                0x40,
                BootSector {
                    record_size: 0,
                    ..GOOD
                },
            ),
            (
                0x40,
                BootSector {
                    record_size: 3,
                    ..GOOD
                },
            ),
            (
                0x40,
                BootSector {
                    record_size: 0x80,
                    ..GOOD
                },
            ),
            (
                0x40,
                BootSector {
                    record_size: 0xff,
                    ..GOOD
                },
            ),
            (
                0x40,
                BootSector {
                    record_size: 32,
                    ..GOOD
                },
            ),
            (
                0x44,
                BootSector {
                    index_block_size: 0,
                    ..GOOD
                },
            ),
            (
                0x44,
                BootSector {
                    index_block_size: 7,
                    ..GOOD
                },
            ),
            (
                0x44,
                BootSector {
                    index_block_size: 0xf8,
                    ..GOOD
                },
            ),
            (
                0x44,
                BootSector {
                    index_block_size: 0xe0,
                    ..GOOD
                },
            ),
        ];
        for (at, sector) in cases {
            let result = Geometry::parse(&sector.to_bytes());
            assert_eq!(result.map_err(|error| error.at), Err(at));
        }
    }

    #[test]
    fn another_file_system_is_told_apart() {
        let mut sector = BootSector::WINDOWS.to_bytes();
        put(&mut sector, 3, b"EXFAT   ");
        assert_eq!(
            Geometry::parse(&sector).map_err(|error| error.at),
            Err(0x03)
        );
        assert!(Geometry::parse(&[0; 512]).is_err());
    }

    #[test]
    fn a_sector_without_signature_is_read_and_says_so() {
        let mut sector = BootSector::WINDOWS.to_bytes();
        put(&mut sector, 0x1fe, &[0, 0]);
        assert_eq!(
            Geometry::parse(&sector).map(|geometry| geometry.has_signature()),
            Ok(false)
        );
    }

    #[test]
    fn a_sector_cut_off_anywhere_is_refused() {
        let sector = BootSector::WINDOWS.to_bytes();
        for length in [0, 3, 0x0b, 0x28, 0x45, 0x4f, 0x1ff] {
            assert!(Geometry::parse(sector.get(..length).unwrap_or(&[])).is_err());
        }
    }
}
