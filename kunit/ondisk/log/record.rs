// SPDX-License-Identifier: GPL-2.0-only

//! Tests of `ondisk::log::record`.

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(ntfs_rs_ondisk_log_record))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use crate::kunit::fixtures::put;
    use crate::ondisk::{
        bytes::u16_at,
        log::{
            change::{
                Action,
                Change,
                Data, //
            },
            opcode::Opcode,
            record::*,
        },
        units::{
            Lcn,
            Lsn,
            Vcn, //
        },
    };
    use kernel::prelude::*;

    const HEADER: Header = Header {
        lsn: Lsn::new(0x10_0808),
        previous: Lsn::new(0x10_07f0),
        undo_next: Lsn::new(0x10_07e0),
        data_length: 0x38,
        kind: Kind::Client,
        transaction: TransactionId(0x18),
        flags: Flags::new(0),
    };

    fn client(redo: &[u8], undo: &[u8]) -> Result<ClientRecord> {
        let op = Opcode::UpdateResidentValue;
        let mut lcns = KVec::new();
        lcns.push(Lcn::new(0x1234), GFP_KERNEL)?;
        Ok(ClientRecord {
            change: Change {
                redo: Action::with(op, redo).map_err(|_| ENOMEM)?,
                undo: Action::with(op, undo).map_err(|_| ENOMEM)?,
                record_offset: 0x38,
                attribute_offset: 0x18,
            },
            target: Target {
                attribute: 0x18,
                vcn: Vcn::new(0x14a),
                block_offset: 4,
                block_size: 2,
                lcns,
            },
        })
    }

    fn encoded(client: &ClientRecord, flags: Flags) -> Result<KVec<u8>> {
        let length = client.encoded_length(flags).ok_or(EINVAL)?;
        let mut out = KVec::from_elem(0, length, GFP_KERNEL)?;
        client.encode(flags, &mut out).ok_or(EINVAL)?;
        Ok(out)
    }

    fn decoded(data: &[u8], flags: Flags) -> Result<ClientRecord> {
        ClientRecord::parse(data, flags).map_err(|_| EINVAL)
    }

    #[test]
    fn a_header_comes_back() {
        let bytes = HEADER.to_bytes();
        assert_eq!(Header::parse(&bytes, HEADER.lsn), Ok(HEADER));
        assert_eq!(HEADER.record_length(), 0x68);
        let restart = Header {
            kind: Kind::Restart,
            transaction: TransactionId(0),
            flags: Flags::new(0).with_multi_page(true),
            ..HEADER
        };
        assert_eq!(Header::parse(&restart.to_bytes(), HEADER.lsn), Ok(restart));
        assert!(restart.flags.is_multi_page());
        assert_eq!(restart.flags.with_multi_page(false), Flags::new(0));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for (at, bytes) in [
            (0x00, &[9][..]),
            (0x18, &[0x39]),
            (0x1a, &[1]),
            (0x1c, &[1]),
            (0x1e, &[1]),
            (0x20, &[0]),
            (0x20, &[3]),
        ] {
            let mut header = HEADER.to_bytes();
            put(&mut header, at, bytes);
            assert!(Header::parse(&header, HEADER.lsn).is_err());
        }
        let header = HEADER.to_bytes();
        assert!(Header::parse(header.get(..0x29).unwrap_or(&[]), HEADER.lsn).is_err());
    }

    #[test]
    fn both_directions_have_their_data() -> Result {
        let record = client(b"redo data", b"undo")?;
        let bytes = encoded(&record, Flags::new(0))?;
        assert_eq!(bytes.len(), 0x28 + 0x10 + 8);
        assert_eq!(u16_at(&bytes, 4), Some(0x28));
        assert_eq!(u16_at(&bytes, 8), Some(0x38));
        assert_eq!(decoded(&bytes, Flags::new(0))?, record);
        Ok(())
    }

    #[test]
    fn a_range_of_bits_is_stored_once() -> Result {
        let mut record = client(&[1, 0, 0, 0, 2, 0, 0, 0], &[1, 0, 0, 0, 2, 0, 0, 0])?;
        record.change.redo.opcode = Opcode::SetBitsInNonresidentBitMap;
        record.change.undo.opcode = Opcode::ClearBitsInNonresidentBitMap;
        let bytes = encoded(&record, Flags::new(0))?;
        assert_eq!(bytes.len(), 0x30);
        assert_eq!(u16_at(&bytes, 8), Some(0x28));
        assert_eq!(decoded(&bytes, Flags::new(0))?, record);
        Ok(())
    }

    #[test]
    fn data_can_be_left_out() -> Result {
        let mut record = client(b"", b"undo")?;
        record.change.redo.data = Data::Absent(10);
        let no_redo = Flags::new(2);
        let bytes = encoded(&record, no_redo)?;
        assert_eq!(bytes.len(), 0x30);
        assert_eq!(u16_at(&bytes, 6), Some(10));
        assert_eq!(decoded(&bytes, no_redo)?, record);
        // Every reader understands zeros.
        let bytes = encoded(&record, Flags::new(0))?;
        assert_eq!(bytes.len(), 0x40);
        let plain = decoded(&bytes, Flags::new(0))?;
        assert_eq!(plain.change.redo.data.bytes(), &[0; 10]);
        // But what is there is not lost.
        let record = client(b"redo", b"undo")?;
        let mut out = [0; 0x40];
        assert_eq!(record.encode(no_redo, &mut out), None);
        assert_eq!(record.encode(Flags::new(4), &mut out), None);
        Ok(())
    }

    #[test]
    fn a_compensation_tells_a_length_without_bytes() -> Result {
        let mut record = client(b"", b"")?;
        record.change.undo = Action {
            opcode: Opcode::CompensationLogRecord,
            data: Data::Absent(0x70),
        };
        for flags in [Flags::new(0), Flags::new(4)] {
            let bytes = encoded(&record, flags)?;
            assert_eq!(bytes.len(), 0x28);
            assert_eq!(u16_at(&bytes, 0x0a), Some(0x70));
            assert_eq!(decoded(&bytes, flags)?, record);
        }
        Ok(())
    }

    #[test]
    fn a_record_without_a_page_has_no_clusters() -> Result {
        let record = ClientRecord {
            change: Change {
                redo: Action::bare(Opcode::ForgetTransaction),
                undo: Action::bare(Opcode::CompensationLogRecord),
                record_offset: 0,
                attribute_offset: 0,
            },
            target: Target::default(),
        };
        let bytes = encoded(&record, Flags::new(0))?;
        assert_eq!(bytes.len(), 0x28);
        assert_eq!(bytes.get(0x20..), Some(&[0xff; 8][..]));
        assert_eq!(decoded(&bytes, Flags::new(0))?, record);
        Ok(())
    }

    #[test]
    fn what_is_no_client_record_is_refused() -> Result {
        let good = encoded(&client(b"redo data", b"undo")?, Flags::new(0))?;
        for (at, bytes) in [
            // An operation without a meaning.
            (0x00, &[0x26, 0][..]),
            (0x02, &[0xff, 0xff]),
            // Data within the header, unaligned, or beyond the end.
            (0x04, &[0x20, 0]),
            (0x04, &[0x2c, 0]),
            (0x04, &[0x40, 0]),
            (0x06, &[0x19, 0]),
            (0x08, &[0xf8, 0xff]),
            (0x0a, &[9, 0]),
            // More clusters than there is room for, and more than make sense.
            (0x0e, &[5, 0]),
            (0x0e, &[1, 1]),
            (0x0e, &[0xff, 0xff]),
        ] {
            let mut bad = KVec::new();
            bad.extend_from_slice(&good, GFP_KERNEL)?;
            put(&mut bad, at, bytes);
            assert!(ClientRecord::parse(&bad, Flags::new(0)).is_err());
        }
        for length in 0..good.len() - 4 {
            let cut = good.get(..length).unwrap_or(&[]);
            assert!(ClientRecord::parse(cut, Flags::new(0)).is_err());
        }
        Ok(())
    }
}
