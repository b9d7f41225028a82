// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::attribute_builder`: what is made decodes to the same, and is made as elsewhere.

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_attribute_builder)
)]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::{
        kunit::{
            fixtures::record::{
                resident,
                Clusters, //
            },
            fs::disk::units,
        },
        ondisk::{
            attribute::{
                Attribute,
                AttributeFlags,
                AttributeType,
                Form,
                Sizes, //
            },
            attribute_builder::*,
            units::{
                AttributeId,
                ByteCount,
                Vcn, //
            },
        },
    };
    use kernel::prelude::*;

    const NAMES: [&str; 4] = ["", "a", "odd", "four"];

    fn head(name: &[u16]) -> Head<'_> {
        Head {
            type_: AttributeType::DATA,
            name,
            id: AttributeId::new(0x12),
            flags: AttributeFlags::new(0),
        }
    }

    fn sizes(compressed: Option<u64>) -> Sizes {
        Sizes {
            allocated: ByteCount::new(8192),
            data: ByteCount::new(5000),
            initialized: ByteCount::new(4096),
            compressed: compressed.map(ByteCount::new),
        }
    }

    #[test]
    fn a_value_is_read_as_it_was_put() -> Result {
        for name in NAMES {
            let units = units(name)?;
            for value in [&b""[..], b"1", b"12345678", b"123456789"] {
                let head = head(&units);
                let made = head.resident(value, false).map_err(|_| EINVAL)?;
                assert_eq!(Some(made.len()), head.resident_length(value.len()));
                let found = Attribute::parse_alone(&made).map_err(|_| EINVAL)?;
                assert!(found.type_ == head.type_ && found.id == head.id);
                assert!(found.name.is(&units));
                let indexed = false;
                assert!(found.form == Form::Resident { value, indexed });
            }
        }
        Ok(())
    }

    #[test]
    fn runs_are_read_as_they_were_put() -> Result {
        let pairs = [0x11, 0x02, 0x20, 0x00];
        for name in NAMES {
            let units = units(name)?;
            for sparse in [false, true] {
                let flags = match sparse {
                    true => AttributeFlags::new(0).with_sparse(),
                    false => AttributeFlags::new(0),
                };
                let head = Head {
                    flags,
                    ..head(&units)
                };
                let part = Part {
                    lowest_vcn: Vcn::ZERO,
                    end: Vcn::new(2),
                    sizes: sizes(sparse.then_some(4096)),
                    compression_unit_shift: 0,
                    mapping_pairs: &pairs,
                };
                let made = head.non_resident(&part).map_err(|_| EINVAL)?;
                assert_eq!(Some(made.len()), head.non_resident_length(pairs.len()));
                let found = Attribute::parse_alone(&made).map_err(|_| EINVAL)?;
                assert!(found.flags == flags && found.name.is(&units));
                let Form::NonResident(found) = found.form else {
                    return Err(EINVAL);
                };
                assert!(found.sizes == Some(part.sizes));
                assert!(found.highest_vcn == Some(Vcn::new(1)));
                assert!(found.mapping_pairs.starts_with(&pairs));
            }
        }
        Ok(())
    }

    #[test]
    fn every_byte_is_where_it_should_be() -> Result {
        let name = units("name")?;
        let made = head(&name).resident(b"value", false);
        assert!(*made.map_err(|_| EINVAL)? == *resident(0x80, "name", 0x12, b"value")?);
        let part = Part {
            lowest_vcn: Vcn::ZERO,
            end: Vcn::new(2),
            sizes: sizes(None),
            compression_unit_shift: 0,
            mapping_pairs: Clusters::DATA.mapping_pairs,
        };
        let made = head(&name).non_resident(&part).map_err(|_| EINVAL)?;
        let expected = Clusters {
            name: "name",
            id: 0x12,
            ..Clusters::DATA
        };
        assert!(*made == *expected.to_bytes()?);
        Ok(())
    }

    #[test]
    fn a_copy_with_another_id_is_else_the_same() -> Result {
        let name = units("name")?;
        let made = head(&name).resident(b"value", false);
        let made = made.map_err(|_| EINVAL)?;
        let copy = with_id(&made, AttributeId::new(0x34)).map_err(|_| EINVAL)?;
        assert!(*copy == *resident(0x80, "name", 0x34, b"value")?);
        Ok(())
    }

    #[test]
    fn what_no_field_can_tell_is_not_made() -> Result {
        let name = KVec::from_elem(b'n'.into(), 256, GFP_KERNEL)?;
        assert!(head(&name).resident(b"", false) == Err(Unfit::TooLong));
        let name = name.get(..255).ok_or(EINVAL)?;
        assert!(head(name).resident(b"", false).is_ok());
        Ok(())
    }
}
