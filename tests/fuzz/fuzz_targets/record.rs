// SPDX-License-Identifier: GPL-2.0-only

//! FILE records and the attributes in them: nothing lies outside, and the walk ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_rs::ondisk::{
    attribute::{Form, MIN_RESIDENT_LENGTH},
    fixup::{undo, Magic},
    record::FileRecord,
    standard_information::StandardInformation,
    units::RecordNumber,
    volume_information::VolumeInformation,
};

/// Whether `part` is a slice of `whole`.
fn lies_within(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || {
        let whole = whole.as_ptr_range();
        let part = part.as_ptr_range();
        whole.start <= part.start && part.end <= whole.end
    }
}

fn check(record: &[u8]) {
    let Ok(file) = FileRecord::parse(record) else {
        return;
    };
    let header = file.header();
    let _ = header.is_number(RecordNumber::new(u64::from(header.sequence.get())));
    let mut end = usize::from(header.attributes_offset);
    let mut count = 0;
    for attribute in file.attributes() {
        count += 1;
        let Ok(attribute) = attribute else {
            continue;
        };
        assert!(attribute.offset >= end);
        end = attribute.offset + attribute.length;
        assert!(end <= record.len());
        let own = &record[attribute.offset..end];
        assert!(lies_within(attribute.name.as_bytes(), own));
        assert_eq!(attribute.name.units().len(), attribute.name.len());
        match attribute.form {
            Form::Resident { value, .. } => {
                assert!(lies_within(value, own));
                let _ = StandardInformation::parse(value);
                let _ = VolumeInformation::parse(value);
            }
            Form::NonResident(form) => {
                assert!(lies_within(form.mapping_pairs, own));
                assert_eq!(form.sizes.is_some(), form.lowest_vcn.get() == 0);
                if let Some(highest) = form.highest_vcn {
                    assert!(highest >= form.lowest_vcn);
                }
            }
        }
    }
    assert!(count <= record.len() / MIN_RESIDENT_LENGTH + 1);
}

fuzz_target!(|data: &[u8]| {
    // Most inputs have no fixups that agree, so look at them as they are, too.
    check(data);
    let mut record = data.to_vec();
    if undo(&mut record, Magic::FILE).is_ok() {
        check(&record);
    }
});
