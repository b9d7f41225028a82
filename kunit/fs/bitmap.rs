// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::bitmap`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_bitmap))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::error::Error,
        kunit::{
            fixtures::record::resident,
            fs::disk::{
                mount,
                plain,
                Disk, //
            },
        },
    };
    use kernel::{
        prelude::*,
        sync::atomic::Relaxed, //
    };

    fn free(bitmap: &[u8]) -> Result<u64> {
        let disk = Disk::new()?;
        disk.put_file(6, &[&resident(0x80, "", 1, bitmap)?])?;
        let free = plain(mount(&disk)?.free_clusters())?;
        Ok(free.ok_or(ENOENT)?.get())
    }

    #[test]
    fn zeros_are_free_clusters() -> Result {
        // The volume has 63 whole clusters; the last 7 bits count, the 64th does not.
        assert_eq!(free(&[0; 8])?, 63);
        assert_eq!(free(&[0xff; 8])?, 0);
        assert_eq!(free(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])?, 1);
        assert_eq!(free(&[0, 0, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0])?, 20);
        Ok(())
    }

    #[test]
    fn what_a_short_bitmap_does_not_tell_is_in_use() -> Result {
        assert_eq!(free(&[0; 3])?, 24);
        assert_eq!(free(&[])?, 0);
        Ok(())
    }

    #[test]
    fn without_a_bitmap_nothing_is_claimed() -> Result {
        let volume = mount(&Disk::new()?)?;
        assert!(plain(volume.free_clusters())?.is_none());
        assert_eq!(plain(volume.record_counts())?.total, 32);
        Ok(())
    }

    #[test]
    fn the_count_is_kept() -> Result {
        let disk = Disk::new()?;
        disk.put_file(6, &[&resident(0x80, "", 1, &[0; 8])?])?;
        let volume = mount(&disk)?;
        plain(volume.free_clusters())?;
        volume.shrink(usize::MAX);
        disk.broken.store(true, Relaxed);
        assert!(matches!(
            volume.free_clusters(),
            Ok(Some(_)) | Err(Error::NotFound)
        ));
        Ok(())
    }
}
