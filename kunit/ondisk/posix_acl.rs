// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::posix_acl`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_posix_acl))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::ondisk::posix_acl::*;
    use kernel::prelude::*;

    const NONE: u32 = u32::MAX;
    const OWNER: u16 = 0x01;
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x04;
    const NAMED_GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const OTHERS: u16 = 0x20;

    type Entry = (u16, u16, u32);

    /// The plainest list: 0640.
    const PLAIN: [Entry; 3] = [(OWNER, 6, NONE), (GROUP, 4, NONE), (OTHERS, 0, NONE)];
    /// One with all kinds of entries.
    const FULL: [Entry; 7] = [
        (OWNER, 7, NONE),
        (USER, 6, 1000),
        (USER, 4, 1001),
        (GROUP, 5, NONE),
        (NAMED_GROUP, 7, 100),
        (MASK, 7, NONE),
        (OTHERS, 1, NONE),
    ];

    fn value(version: u32, entries: &[Entry]) -> Result<KVec<u8>> {
        let mut out = KVec::new();
        out.extend_from_slice(&version.to_le_bytes(), GFP_KERNEL)?;
        for (tag, permissions, id) in entries {
            out.extend_from_slice(&tag.to_le_bytes(), GFP_KERNEL)?;
            out.extend_from_slice(&permissions.to_le_bytes(), GFP_KERNEL)?;
            out.extend_from_slice(&id.to_le_bytes(), GFP_KERNEL)?;
        }
        Ok(out)
    }

    fn is_refused(entries: &[Entry]) -> Result<bool> {
        Ok(PosixAcl::parse(&value(2, entries)?).is_err())
    }

    /// The bytes of a list within a mode.
    fn within(entries: &[Entry], mode: u16) -> Result<KVec<u8>> {
        let value = value(2, entries)?;
        let list = PosixAcl::parse(&value).map_err(|_| EINVAL)?;
        let mut out = KVec::new();
        for byte in list.within(mode) {
            out.push(byte, GFP_KERNEL)?;
        }
        Ok(out)
    }

    #[test]
    fn a_list_comes_back_as_it_was_where_the_mode_gives_all() -> Result {
        for entries in [&PLAIN[..], &FULL[..]] {
            assert!(within(entries, 0o777)?[..] == value(2, entries)?[..]);
        }
        Ok(())
    }

    #[test]
    fn a_list_without_entries_is_none() -> Result {
        let empty = value(2, &[])?;
        let list = PosixAcl::parse(&empty).map_err(|_| EINVAL)?;
        assert!(list.is_empty());
        let plain = value(2, &PLAIN)?;
        assert!(!PosixAcl::parse(&plain).map_err(|_| EINVAL)?.is_empty());
        Ok(())
    }

    #[test]
    fn the_mode_limits_owner_mask_and_others() -> Result {
        let mut wanted = FULL;
        wanted[0].1 = 5;
        wanted[5].1 = 4;
        wanted[6].1 = 0;
        assert!(within(&FULL, 0o100_540)?[..] == value(2, &wanted)?[..]);
        Ok(())
    }

    #[test]
    fn without_a_mask_the_mode_limits_the_group() -> Result {
        let mut wanted = PLAIN;
        wanted[0].1 = 4;
        wanted[1].1 = 0;
        assert!(within(&PLAIN, 0o407)?[..] == value(2, &wanted)?[..]);
        Ok(())
    }

    #[test]
    fn a_list_that_is_cut_off_is_refused() -> Result {
        let whole = value(2, &FULL)?;
        for length in 0..whole.len() {
            let cut = whole.get(..length).unwrap_or(&[]);
            // Without any entry it is a list.
            assert_eq!(PosixAcl::parse(cut).is_err(), length != 4);
        }
        Ok(())
    }

    #[test]
    fn another_version_is_refused() -> Result {
        for version in [0, 1, 3, 0x0200] {
            assert!(PosixAcl::parse(&value(version, &PLAIN)?).is_err());
        }
        Ok(())
    }

    #[test]
    fn entries_have_to_be_complete() -> Result {
        for missing in 0..PLAIN.len() {
            let mut rest: KVec<Entry> = KVec::new();
            for (index, entry) in PLAIN.iter().enumerate() {
                if index != missing {
                    rest.push(*entry, GFP_KERNEL)?;
                }
            }
            assert!(is_refused(&rest)?);
        }
        // Who names somebody needs a mask.
        let [owner, user, _, group, named, mask, others] = FULL;
        assert!(is_refused(&[owner, user, group, others])?);
        assert!(is_refused(&[owner, group, named, others])?);
        assert!(!is_refused(&[owner, user, group, mask, others])?);
        assert!(!is_refused(&[owner, group, mask, others])?);
        Ok(())
    }

    #[test]
    fn entries_have_to_be_in_order_and_once() -> Result {
        for at in 1..FULL.len() {
            let mut swapped = FULL;
            swapped.swap(at - 1, at);
            // Two users may change places.
            assert_eq!(is_refused(&swapped)?, at != 2);
        }
        for (index, entry) in FULL.iter().enumerate() {
            let mut twice: KVec<Entry> = KVec::new();
            for (other, entry) in FULL.iter().enumerate() {
                twice.push(*entry, GFP_KERNEL)?;
                if other == index {
                    twice.push(*entry, GFP_KERNEL)?;
                }
            }
            let is_named = matches!(entry.0, USER | NAMED_GROUP);
            assert_eq!(is_refused(&twice)?, !is_named);
        }
        Ok(())
    }

    #[test]
    fn unknown_tags_permissions_and_people_are_refused() -> Result {
        for (index, entry) in FULL.iter().enumerate() {
            let mut tag = FULL;
            tag[index].0 = 0x40;
            assert!(is_refused(&tag)?);
            let mut permissions = FULL;
            permissions[index].1 |= 8;
            assert!(is_refused(&permissions)?);
            let mut nobody = FULL;
            nobody[index].2 = NONE;
            let is_named = matches!(entry.0, USER | NAMED_GROUP);
            assert_eq!(is_refused(&nobody)?, is_named);
        }
        Ok(())
    }
}
