// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::symlink`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_symlink))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::{
            error::Error,
            symlink::*, //
        },
        kunit::{
            fixtures::{
                put,
                record::resident,
                utf16, //
            },
            fs::disk::{
                mount,
                open_file,
                plain,
                Disk,
                SAMPLE, //
            },
        },
    };
    use kernel::prelude::*;

    /// The target of a file with this reparse point.
    fn read(tag: u32, data: &[u8]) -> Result<Target> {
        let mut value = KVec::from_elem(0, 8, GFP_KERNEL)?;
        put(&mut value, 0, &tag.to_le_bytes());
        put(&mut value, 4, &(data.len() as u16).to_le_bytes());
        value.extend_from_slice(data, GFP_KERNEL)?;
        let disk = Disk::new()?;
        disk.put_file(SAMPLE, &[&resident(0xc0, "", 7, &value)?])?;
        let volume = mount(&disk)?;
        let inode = open_file(&volume, SAMPLE)?;
        plain(target(&volume, &inode))
    }

    fn symlink(path: &str, relative: bool) -> Result<Target> {
        let path = utf16(path)?;
        let mut data = KVec::from_elem(0, 12, GFP_KERNEL)?;
        put(&mut data, 2, &(path.len() as u16).to_le_bytes());
        put(&mut data, 8, &[u8::from(relative)]);
        data.extend_from_slice(&path, GFP_KERNEL)?;
        read(0xa000_000c, &data)
    }

    fn within(target: &Target, depth: usize) -> Result<KVec<u8>> {
        plain(target.within_volume(depth))
    }

    #[test]
    fn relative_links_only_get_slashes() -> Result {
        let target = symlink(r"..\folder\file", true)?;
        assert!(*target.raw() == *b"../folder/file");
        assert!(within(&target, 3)? == *b"../folder/file");
        Ok(())
    }

    #[test]
    fn absolute_links_stay_on_the_volume_if_asked_to() -> Result {
        let target = symlink(r"\??\C:\folder\file", false)?;
        assert!(*target.raw() == *b"/??/C:/folder/file");
        assert!(within(&target, 0)? == *b"./folder/file");
        assert!(within(&target, 2)? == *b"./../../folder/file");
        assert!(within(&symlink(r"\??\D:", false)?, 1)? == *b"./../");
        assert!(within(&symlink(r"\rooted", false)?, 1)? == *b"./../rooted");
        Ok(())
    }

    #[test]
    fn links_to_elsewhere_are_not_turned_into_something_here() -> Result {
        for path in [
            r"\??\Volume{1234}\x",
            r"\\server\share",
            r"\??\UNC\server\share",
        ] {
            let turned = symlink(path, false)?.within_volume(1);
            assert!(matches!(turned, Err(Error::Unsupported(_))));
        }
        Ok(())
    }

    #[test]
    fn junctions_are_absolute_links() -> Result {
        let path = utf16(r"\??\E:\x")?;
        let mut data = KVec::from_elem(0, 8, GFP_KERNEL)?;
        put(&mut data, 2, &(path.len() as u16).to_le_bytes());
        data.extend_from_slice(&path, GFP_KERNEL)?;
        let target = read(0xa000_0003, &data)?;
        assert!(matches!(
            target,
            Target::Windows {
                is_relative: false,
                ..
            }
        ));
        assert!(within(&target, 0)? == *b"./x");
        Ok(())
    }

    #[test]
    fn wsl_links_are_the_bytes_that_linux_gave() -> Result {
        let target = read(0xa000_001d, b"\x02\0\0\0/usr/bin\\x")?;
        assert!(*target.raw() == *b"/usr/bin\\x");
        assert!(within(&target, 5)? == *b"/usr/bin\\x");
        Ok(())
    }
}
