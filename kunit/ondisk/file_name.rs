// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::file_name`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_file_name))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        put,
        record::file_name, //
    };
    use crate::ondisk::{
        file_name::*,
        time::NtTime,
        units::{
            ByteCount,
            MftReference, //
        },
    };
    use kernel::prelude::*;

    #[test]
    fn a_name_is_read() -> Result {
        let value = file_name("Größe.txt", 1)?;
        let name = FileName::parse(&value).map_err(|_| EINVAL)?;
        assert_eq!(name.parent, MftReference::from_raw((5 << 48) | 5));
        assert_eq!(name.times.creation, NtTime::new(1000));
        assert_eq!(name.times.access, NtTime::new(1003));
        assert_eq!(name.allocated_size, ByteCount::new(4096));
        assert_eq!(name.data_size, ByteCount::new(77));
        assert_eq!(name.attributes.get(), 0x20);
        assert_eq!(name.namespace, Namespace::Win32);
        assert!(name.name.units().eq("Größe.txt".encode_utf16()));
        assert_eq!(name.reparse_tag(), None);
        Ok(())
    }

    #[test]
    fn a_tag_is_one_only_with_the_attribute() -> Result {
        let mut value = file_name("link", 0)?;
        put(&mut value, 0x3c, &0xa000_000c_u32.to_le_bytes());
        let name = FileName::parse(&value).map_err(|_| EINVAL)?;
        assert_eq!(name.reparse_tag(), None);
        put(&mut value, 0x38, &0x400_u32.to_le_bytes());
        let name = FileName::parse(&value).map_err(|_| EINVAL)?;
        assert_eq!(name.reparse_tag(), Some(0xa000_000c));
        Ok(())
    }

    #[test]
    fn namespaces_are_told_apart() -> Result {
        let cases = [
            (0, Namespace::Posix),
            (1, Namespace::Win32),
            (2, Namespace::Dos),
            (3, Namespace::Win32AndDos),
            (4, Namespace::Posix),
            (0xff, Namespace::Posix),
        ];
        for (raw, namespace) in cases {
            let value = file_name("A", raw)?;
            let name = FileName::parse(&value).map_err(|_| EINVAL)?;
            assert_eq!(name.namespace, namespace);
            assert_eq!(namespace.is_dos_twin(), raw == 2);
        }
        Ok(())
    }

    #[test]
    fn names_that_linux_cannot_have_are_decoded() -> Result {
        for text in ["", "a/b", "a\0b", ".", ".."] {
            let value = file_name(text, 0)?;
            let name = FileName::parse(&value).map_err(|_| EINVAL)?;
            assert!(name.name.units().eq(text.encode_utf16()));
        }
        Ok(())
    }

    #[test]
    fn a_value_cut_off_anywhere_is_refused() -> Result {
        let value = file_name("name", 0)?;
        for length in 0..value.len() {
            assert!(FileName::parse(value.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_name_longer_than_its_value_is_refused() -> Result {
        for length in [5, 0xff] {
            let mut value = file_name("name", 0)?;
            put(&mut value, 0x40, &[length]);
            assert_eq!(FileName::parse(&value).map_err(|error| error.at), Err(0x42));
        }
        Ok(())
    }
}
