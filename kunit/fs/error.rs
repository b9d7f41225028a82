// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `fs::error`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_fs_error))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        fs::error::{
            Error as FsError,
            Place, //
        },
        ondisk::{
            attribute::AttributeType,
            units::RecordNumber, //
        },
    };
    use kernel::{
        fmt::Write,
        prelude::{
            fmt,
            *, //
        },
    };

    struct Line {
        bytes: [u8; 160],
        length: usize,
    }

    impl Write for Line {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            for byte in text.bytes() {
                *self.bytes.get_mut(self.length).ok_or(core::fmt::Error)? = byte;
                self.length += 1;
            }
            Ok(())
        }
    }

    fn line(error: FsError) -> Result<Line> {
        let mut line = Line {
            bytes: [0; 160],
            length: 0,
        };
        line.write_fmt(fmt!("{}", error))?;
        Ok(line)
    }

    #[test]
    fn an_error_is_one_line_that_says_what_and_where() -> Result {
        let place = Place::Attribute(RecordNumber::new(30), AttributeType::DATA);
        let line = line(FsError::rule(place, "size of the value", 16, 4))?;
        let text = line.bytes.get(..line.length).unwrap_or(&[]);
        let expected = b"$DATA of MFT record 30 is corrupt: size of the value at offset 0x0: found 0x10, expected 0x4";
        assert!(*text == *expected);
        Ok(())
    }

    #[test]
    fn only_what_is_broken_or_lost_is_damage() -> Result {
        let place = Place::Record(RecordNumber::new(1));
        let damage = [FsError::rule(place, "x", 0, 0), FsError::Unwritten(EIO)];
        assert!(damage.iter().all(FsError::is_damage));
        let others = [
            FsError::Device(EIO),
            FsError::NoMemory,
            FsError::NotNtfs,
            FsError::NoSpace,
            FsError::NotFound,
            FsError::NotDirectory,
            FsError::Unsupported("this"),
            FsError::Encrypted,
            FsError::NoRoom,
            FsError::ReadOnly,
        ];
        assert!(!others.iter().any(FsError::is_damage));
        Ok(())
    }

    #[test]
    fn only_what_may_pass_is_transient() -> Result {
        assert!(FsError::NoMemory.is_transient());
        assert!(FsError::Device(EIO).is_transient());
        assert!(!FsError::NotFound.is_transient());
        assert!(!FsError::rule(Place::Record(RecordNumber::new(1)), "x", 0, 0).is_transient());
        Ok(())
    }
}
