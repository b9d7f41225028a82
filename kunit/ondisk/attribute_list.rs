// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::attribute_list`.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_attribute_list)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::{
        pad_to_8,
        put,
        utf16, //
    };
    use crate::ondisk::{
        attribute::AttributeType,
        attribute_list::*,
        units::{
            AttributeId,
            MftReference,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    /// An entry for `$DATA` in record 77.
    fn entry(name: &str, lowest_vcn: u64) -> Result<KVec<u8>> {
        let name = utf16(name)?;
        let mut out = KVec::from_elem(0, MIN_ENTRY_LENGTH, GFP_KERNEL)?;
        out.extend_from_slice(&name, GFP_KERNEL)?;
        pad_to_8(&mut out)?;
        let length = out.len() as u16;
        put(&mut out, 0x00, &0x80_u32.to_le_bytes());
        put(&mut out, 0x04, &length.to_le_bytes());
        put(&mut out, 0x06, &[(name.len() / 2) as u8, 0x1a]);
        put(&mut out, 0x08, &lowest_vcn.to_le_bytes());
        put(&mut out, 0x10, &((2_u64 << 48) | 77).to_le_bytes());
        put(&mut out, 0x18, &5_u16.to_le_bytes());
        Ok(out)
    }

    fn list(entries: &[&[u8]]) -> Result<KVec<u8>> {
        let mut out = KVec::new();
        for entry in entries {
            out.extend_from_slice(entry, GFP_KERNEL)?;
        }
        Ok(out)
    }

    /// How many entries are sound, and how many are not.
    fn count(list: &[u8]) -> (usize, usize) {
        entries(list).fold((0, 0), |(good, bad), entry| match entry {
            Ok(_) => (good + 1, bad),
            Err(_) => (good, bad + 1),
        })
    }

    #[test]
    fn entries_are_read_in_order() -> Result {
        let list = list(&[&entry("", 0)?, &entry("stream", 0)?, &entry("stream", 9)?])?;
        let mut entries = entries(&list);
        let first = entries.next().ok_or(EINVAL)?.map_err(|_| EINVAL)?;
        assert_eq!(first.type_, AttributeType::DATA);
        assert!(first.name.is_empty());
        assert_eq!(first.lowest_vcn, Vcn::new(0));
        assert_eq!(first.reference, MftReference::from_raw((2 << 48) | 77));
        assert_eq!(first.id, AttributeId::new(5));
        let second = entries.next().ok_or(EINVAL)?.map_err(|_| EINVAL)?;
        assert!(second.name.units().eq("stream".encode_utf16()));
        let third = entries.next().ok_or(EINVAL)?.map_err(|_| EINVAL)?;
        assert_eq!(third.lowest_vcn, Vcn::new(9));
        assert!(entries.next().is_none());
        Ok(())
    }

    #[test]
    fn an_empty_list_has_no_entries() {
        assert_eq!(count(&[]), (0, 0));
    }

    #[test]
    fn an_entry_without_a_usable_length_ends_the_list() -> Result {
        for length in [0_u16, 1, 0x19, 0x41, 0xffff] {
            let mut list = list(&[&entry("", 0)?, &entry("", 0)?, &entry("", 0)?])?;
            put(&mut list, 0x20 + 4, &length.to_le_bytes());
            assert_eq!(count(&list), (1, 1));
        }
        Ok(())
    }

    #[test]
    fn an_entry_that_is_broken_inside_does_not_hide_the_next() -> Result {
        // Name beyond the entry, by its length and by its offset; negative VCN.
        let cases: [(usize, &[u8]); 4] = [
            (0x06, &[0xff]),
            (0x07, &[0xff]),
            (0x07, &[0x1f]),
            (0x0f, &[0x80]),
        ];
        for (at, bytes) in cases {
            let mut list = list(&[&entry("ab", 0)?, &entry("", 0)?])?;
            put(&mut list, at, bytes);
            assert_eq!(count(&list), (1, 1));
        }
        Ok(())
    }

    #[test]
    fn the_offset_of_no_name_means_nothing() -> Result {
        let mut list = list(&[&entry("", 0)?])?;
        put(&mut list, 0x07, &[0xff]);
        assert_eq!(count(&list), (1, 0));
        Ok(())
    }

    #[test]
    fn a_list_cut_off_anywhere_says_so() -> Result {
        let list = list(&[&entry("", 0)?, &entry("", 0)?])?;
        for length in 0..list.len() {
            let (good, bad) = count(list.get(..length).unwrap_or(&[]));
            assert_eq!(good, length / 0x20);
            assert_eq!(bad, usize::from(length % 0x20 != 0));
        }
        Ok(())
    }

    #[test]
    fn what_is_put_is_what_was_there() -> Result {
        let whole = list(&[&entry("ab", 7)?, &entry("", 0)?])?;
        let mut made = [0; 0x48];
        let mut at = 0;
        for found in entries(&whole) {
            let found = found.map_err(|_| EINVAL)?;
            let end = found.put(&mut made, at).ok_or(EINVAL)?;
            assert_eq!(Some(end - at), found.length());
            at = end;
        }
        let good = |list: &[u8]| -> Result<KVec<u64>> {
            let mut all = KVec::new();
            for found in entries(list) {
                let found = found.map_err(|_| EINVAL)?;
                all.push(
                    found.reference.to_raw() ^ found.lowest_vcn.get(),
                    GFP_KERNEL,
                )?;
                all.push(u64::from(found.type_.get()), GFP_KERNEL)?;
                all.push(found.name.len() as u64, GFP_KERNEL)?;
            }
            Ok(all)
        };
        assert_eq!(
            &good(made.get(..at).unwrap_or(&[]))?[..],
            &good(&whole)?[..]
        );
        Ok(())
    }

    #[test]
    fn without_room_nothing_is_put() -> Result {
        let whole = list(&[&entry("ab", 7)?])?;
        for found in entries(&whole) {
            let found = found.map_err(|_| EINVAL)?;
            let length = found.length().ok_or(EINVAL)?;
            assert_eq!(found.put(&mut [0; 0x40], 0x40 - length), Some(0x40));
            let mut short = [0; 0x40];
            assert_eq!(found.put(&mut short, 0x41 - length), None);
            assert!(short.iter().all(|byte| *byte == 0));
        }
        Ok(())
    }
}
