// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::reparse`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_reparse))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        utf16, //
    };
    use crate::ondisk::reparse::*;
    use kernel::prelude::*;

    /// A reparse point with this tag and data.
    fn point(tag: ReparseTag, data: &[u8]) -> Result<KVec<u8>> {
        let mut out = KVec::new();
        out.extend_from_slice(&tag.get().to_le_bytes(), GFP_KERNEL)?;
        out.extend_from_slice(&(data.len() as u16).to_le_bytes(), GFP_KERNEL)?;
        out.extend_from_slice(&[0; 2], GFP_KERNEL)?;
        out.extend_from_slice(data, GFP_KERNEL)?;
        Ok(out)
    }

    /// The data of a link; `flags` are those of a symbolic link.
    fn link(substitute: &str, print: &str, flags: Option<u32>) -> Result<KVec<u8>> {
        let substitute = utf16(substitute)?;
        let print = utf16(print)?;
        let mut out = KVec::from_elem(0, 8, GFP_KERNEL)?;
        if let Some(flags) = flags {
            out.extend_from_slice(&flags.to_le_bytes(), GFP_KERNEL)?;
        }
        // Windows writes the name to print first.
        out.extend_from_slice(&print, GFP_KERNEL)?;
        out.extend_from_slice(&substitute, GFP_KERNEL)?;
        put(&mut out, 0, &(print.len() as u16).to_le_bytes());
        put(&mut out, 2, &(substitute.len() as u16).to_le_bytes());
        put(&mut out, 6, &(print.len() as u16).to_le_bytes());
        Ok(out)
    }

    #[test]
    fn a_symbolic_link_is_read() -> Result {
        for (flags, relative) in [(0, false), (1, true)] {
            let value = point(
                ReparseTag::SYMLINK,
                &link(r"\??\C:\Users", r"C:\Users", Some(flags))?,
            )?;
            let point = ReparsePoint::parse(&value).map_err(|_| EINVAL)?;
            assert_eq!(point.tag, ReparseTag::SYMLINK);
            let link = Link::parse_symlink(point.data).map_err(|_| EINVAL)?;
            assert!(link
                .substitute_name
                .units()
                .eq(r"\??\C:\Users".encode_utf16()));
            assert!(link.print_name.units().eq(r"C:\Users".encode_utf16()));
            assert_eq!(link.print_name.len(), 8);
            assert_eq!(link.is_relative, relative);
        }
        Ok(())
    }

    #[test]
    fn a_junction_is_read() -> Result {
        let data = link(r"\??\C:\Users", "", None)?;
        let link = Link::parse_mount_point(&data).map_err(|_| EINVAL)?;
        assert!(link
            .substitute_name
            .units()
            .eq(r"\??\C:\Users".encode_utf16()));
        assert!(link.print_name.is_empty());
        assert!(!link.is_relative);
        Ok(())
    }

    #[test]
    fn a_link_of_wsl_is_read() {
        assert_eq!(parse_lx_symlink(b"\x02\0\0\0../a b"), Ok(&b"../a b"[..]));
        assert_eq!(parse_lx_symlink(b"\x02\0\0\0"), Ok(&b""[..]));
        for broken in [&b""[..], b"\x02\0\0", b"\x01\0\0\0a", b"\x02\0\0\x01a"] {
            assert!(parse_lx_symlink(broken).is_err());
        }
    }

    #[test]
    fn a_tag_of_others_is_followed_by_a_guid() -> Result {
        let tag = ReparseTag::new(0x0000_1234);
        let mut value = point(tag, &[7; 16])?;
        value.extend_from_slice(b"their data", GFP_KERNEL)?;
        put(&mut value, 4, &10_u16.to_le_bytes());
        let point = ReparsePoint::parse(&value).map_err(|_| EINVAL)?;
        assert_eq!(point.data, b"their data");
        put(&mut value, 4, &11_u16.to_le_bytes());
        assert!(ReparsePoint::parse(&value).is_err());
        Ok(())
    }

    #[test]
    fn tags_are_told_apart() {
        // Tag; stands for another object, belongs to a cloud service.
        let cases = [
            (ReparseTag::SYMLINK, true, false),
            (ReparseTag::MOUNT_POINT, true, false),
            (ReparseTag::LX_SYMLINK, true, false),
            (ReparseTag::WOF, false, false),
            (ReparseTag::AF_UNIX, false, false),
            (ReparseTag::new(0x9000_001a), false, true),
            (ReparseTag::new(0x9000_601a), false, true),
            (ReparseTag::new(0x9000_f01a), false, true),
            (ReparseTag::new(0x9001_001a), false, false),
        ];
        for (tag, surrogate, cloud) in cases {
            assert_eq!(tag.is_name_surrogate(), surrogate);
            assert_eq!(tag.is_cloud(), cloud);
        }
    }

    #[test]
    fn data_beyond_the_value_is_refused_and_less_is_not() -> Result {
        let mut value = point(ReparseTag::WOF, b"12345678")?;
        for (length, sound) in [
            (8_u16, true),
            (7, true),
            (0, true),
            (9, false),
            (0xffff, false),
        ] {
            put(&mut value, 4, &length.to_le_bytes());
            assert_eq!(ReparsePoint::parse(&value).is_ok(), sound);
        }
        for length in 0..8 {
            assert!(ReparsePoint::parse(value.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }

    #[test]
    fn paths_outside_of_the_data_are_refused() -> Result {
        // Offset of the field, its value, and where the error is reported.
        let cases = [
            (0, 0xffff_u16, 0),
            (0, 9, 0),
            (2, 0xffff, 0),
            (2, 5, 2),
            (4, 0xffff, 4),
            (6, 0x20, 4),
            (6, 1, 6),
        ];
        for (at, value, reported) in cases {
            let mut data = link("abc", "defg", Some(0))?;
            put(&mut data, at, &value.to_le_bytes());
            assert_eq!(
                Link::parse_symlink(&data).map_err(|error| error.at),
                Err(reported)
            );
        }
        Ok(())
    }

    #[test]
    fn a_link_cut_off_anywhere_is_refused() -> Result {
        let symlink = link("abc", "d", Some(0))?;
        for length in 0..symlink.len() {
            assert!(Link::parse_symlink(symlink.get(..length).unwrap_or(&[])).is_err());
        }
        let junction = link("abc", "d", None)?;
        for length in 0..junction.len() {
            assert!(Link::parse_mount_point(junction.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }
}
