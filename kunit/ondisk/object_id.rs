// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::object_id`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_object_id))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::object_id::*;
    use kernel::prelude::*;

    #[test]
    fn the_id_is_sorted_by_four_numbers() -> Result {
        let mut value = [0; 64];
        put(
            &mut value,
            0,
            &[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3, 4, 5, 6, 7],
        );
        let id = ObjectId::parse(&value).map_err(|_| EIO)?;
        assert!(id.words().eq([1, 2, 0x0300_0000, 0x0706_0504]));
        assert_eq!(id.as_bytes(), value.get(..16).unwrap_or(&[]));
        Ok(())
    }

    #[test]
    fn an_id_cut_off_is_refused() {
        for length in 0..16 {
            assert!(ObjectId::parse([7; 16].get(..length).unwrap_or(&[])).is_err());
        }
    }

    #[test]
    fn the_index_knows_the_file_and_its_birth() -> Result {
        let mut data = [9; 56];
        put(&mut data, 0, &((3_u64 << 48) | 77).to_le_bytes());
        let entry = ObjectIdEntry::parse(&data).map_err(|_| EIO)?;
        assert_eq!(entry.file.number.get(), 77);
        assert_eq!(entry.file.sequence.get(), 3);
        assert_eq!(entry.birth, &[9; 48]);
        for length in 0..data.len() {
            assert!(ObjectIdEntry::parse(data.get(..length).unwrap_or(&[])).is_err());
        }
        Ok(())
    }
}
