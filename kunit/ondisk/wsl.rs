// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::wsl`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_wsl))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::wsl::*;
    use kernel::prelude::*;

    /// A chain of extended attributes.
    fn chain(attributes: &[(&[u8], &[u8])]) -> Result<KVec<u8>> {
        let mut out = KVec::new();
        for (name, value) in attributes {
            let used = 8 + name.len() + 1 + value.len();
            let padding = used.next_multiple_of(4) - used;
            let next = (used + padding) as u32;
            out.extend_from_slice(&next.to_le_bytes(), GFP_KERNEL)?;
            out.extend_from_slice(&[0, name.len() as u8], GFP_KERNEL)?;
            out.extend_from_slice(&(value.len() as u16).to_le_bytes(), GFP_KERNEL)?;
            out.extend_from_slice(name, GFP_KERNEL)?;
            out.push(0, GFP_KERNEL)?;
            out.extend_from_slice(value, GFP_KERNEL)?;
            out.resize(out.len() + padding, 0, GFP_KERNEL)?;
        }
        Ok(out)
    }

    #[test]
    fn all_four_are_found_among_others() -> Result {
        let value = chain(&[
            (b"OTHER", b"something"),
            (b"$LXUID", &1000_u32.to_le_bytes()),
            (b"$LXGID", &100_u32.to_le_bytes()),
            (b"$LXMOD", &0o20_644_u32.to_le_bytes()),
            (b"$LXDEV", &[8, 0, 0, 0, 3, 1, 0, 0]),
        ])?;
        assert_eq!(
            WslAttributes::parse(&value),
            Ok(WslAttributes {
                uid: Some(1000),
                gid: Some(100),
                mode: Some(0o20_644),
                device: Some(DeviceNumber {
                    major: 8,
                    minor: 0x103,
                }),
            })
        );
        Ok(())
    }

    #[test]
    fn what_is_not_there_is_missing() -> Result {
        assert_eq!(WslAttributes::parse(&[]), Ok(WslAttributes::default()));
        let value = chain(&[(b"$LXMOD", &[1, 0, 0, 0])])?;
        assert_eq!(
            WslAttributes::parse(&value),
            Ok(WslAttributes {
                mode: Some(1),
                ..WslAttributes::default()
            })
        );
        Ok(())
    }

    #[test]
    fn a_value_of_another_size_counts_as_missing() -> Result {
        for size in [0, 3, 5, 7, 9] {
            let bytes = [1; 9];
            let bytes = bytes.get(..size).unwrap_or(&[]);
            let value = chain(&[(b"$LXUID", bytes), (b"$LXDEV", bytes)])?;
            assert_eq!(WslAttributes::parse(&value), Ok(WslAttributes::default()));
        }
        Ok(())
    }

    #[test]
    fn a_broken_chain_is_an_error() -> Result {
        let mut value = chain(&[(b"$LXUID", &[1, 0, 0, 0])])?;
        value.push(1, GFP_KERNEL)?;
        assert!(WslAttributes::parse(&value).is_err());
        Ok(())
    }
}
