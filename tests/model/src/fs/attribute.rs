// SPDX-License-Identifier: GPL-2.0-only

//! The attribute of the file.

use kernel::{prelude::*, sync::Mutex};

use super::{
    error::{Place, Result},
    record::{Fact, FileRecord, Piece, Reference, OWNER},
    residency::Residency,
};
use crate::ondisk::attribute::Form;

/// As the type of that name.
#[pin_data]
pub struct Attribute {
    residency: Residency,
    /// Whether it is known where the cluster is.
    #[pin]
    pub mapping: Mutex<Option<()>>,
}

impl Attribute {
    /// One whose value is in its record.
    pub fn resident() -> impl PinInit<Self> {
        pin_init!(Self {
            residency: Residency::new(false),
            mapping <- Mutex::new(None),
        })
    }

    /// The hint.
    pub fn residency(&self) -> &Residency {
        &self.residency
    }

    /// The file.
    pub fn owner(&self) -> Reference {
        OWNER
    }

    /// Where its value or its runs are.
    pub fn first_piece(&self) -> Option<Piece> {
        Some(Piece { record: OWNER })
    }

    /// For an error.
    pub fn place(&self) -> Place {
        Place
    }

    /// What is looked for in a record.
    pub fn wanted(&self) -> Wanted {
        Wanted
    }
}

/// As the type of that name.
pub struct Wanted;

/// The attribute in its record.
pub struct AttributeRecord<'r> {
    /// Where the value is.
    pub form: Form<'r>,
}

impl Wanted {
    /// Finds the attribute.
    pub fn find<'r>(&self, record: &FileRecord<'r>, _piece: Piece) -> Result<AttributeRecord<'r>> {
        let form = match record.0 {
            Fact::Resident(value) => Form::Resident { value },
            Fact::NonResident => Form::NonResident(()),
        };
        Ok(AttributeRecord { form })
    }
}
