// SPDX-License-Identifier: GPL-2.0-only

//! What the threads do: step by step what `fs::data`, `fs::convert` and the page cache do, and the same
//! with a step left out or in the wrong place.

use core::cell::Cell;

use kernel::{error, prelude::*, sync::Arc};

use crate::fs::{
    attribute::Attribute,
    device::Device,
    error::{Error, Result},
    record::{Fact, Role},
    residency::{Form, Mapped, Point, Probe},
    store::Store,
};

/// The value in the record, and what was in the cluster before it had one.
pub(crate) const OLD: u8 = b'o';
/// The value in the page cache, which the converter takes to the cluster, and writeback to where it is.
pub(crate) const NEW: u8 = b'n';

/// No device.
pub(crate) struct Nothing;

impl Device for Nothing {}

/// A step that is left out, or in the wrong place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All is as it should be.
    None,
    /// Who believes in the record maps it, and does not compare.
    NoSecondLook,
    /// The hint is published before the fact changes.
    HintFirst,
    /// The hint is published when the record is not locked any more.
    HintAfterUnlock,
}

/// Counts how often a thread has to begin again.
#[derive(Default)]
pub(crate) struct Turns {
    retries: Cell<u32>,
}

impl Probe for Turns {
    fn at(&self, point: Point) {
        if point == Point::Flipped {
            self.retries.set(self.retries.get() + 1);
        }
    }
}

impl Turns {
    /// The value flips once, and who saw that the hint was wrong finds it right.
    fn check(&self) {
        assert!(self.retries.get() <= 1, "the hint was wrong twice");
    }
}

/// A volume with one small file.
pub(crate) struct Scene {
    store: Store<Nothing>,
    attribute: Arc<Attribute>,
    fault: Fault,
}

impl Scene {
    pub(crate) fn new(fault: Fault) -> error::Result<Self> {
        Ok(Self {
            store: Store::new(Fact::Resident([OLD]), Nothing)?,
            attribute: Arc::pin_init(Attribute::resident(), GFP_KERNEL)?,
            fault,
        })
    }

    /// `fs::data::read_at`.
    pub(crate) fn read(&self) -> Result<u8> {
        let turns = Turns::default();
        let first = |value: &[u8]| value.first().copied().ok_or(Error::NotFound);
        let value = match self.fault {
            Fault::NoSecondLook => self.believe(|fact| match fact {
                Fact::Resident(value) => first(value),
                // What a value would be is a part of the runs.
                Fact::NonResident => Ok(0),
            }),
            _ => self.attribute.with_resident(&self.store, &turns, first),
        };
        turns.check();
        match value? {
            Some(value) => value,
            None => {
                self.mapping()?;
                Ok(u8::try_from(self.store.read()).unwrap_or(0))
            }
        }
    }

    /// `fs::convert::write_resident`, and where the page cache goes when it is told of clusters.
    pub(crate) fn write_back(&self) -> Result {
        let turns = Turns::default();
        let form = match self.fault {
            Fault::NoSecondLook => self
                .believe(|fact| *fact = Fact::Resident([NEW]))?
                .map_or(Form::NonResident, |()| Form::Resident),
            _ => self.write_resident(&turns)?,
        };
        turns.check();
        if form == Form::NonResident {
            self.mapping()?;
            self.store.write(u32::from(NEW));
        }
        Ok(())
    }

    fn write_resident(&self, probe: &Turns) -> Result<Form> {
        loop {
            if self.attribute.residency().hint() == Form::NonResident {
                return Ok(Form::NonResident);
            }
            probe.at(Point::HintResident);
            let holder = self.attribute.holder(&self.store)?;
            let mut record = holder.map(&self.store)?;
            if let Fact::Resident(value) = &mut *record.0 {
                *value = [NEW];
                return Ok(Form::Resident);
            }
            drop(record);
            probe.at(Point::Flipped);
        }
    }

    /// Acts on a hint without a second look.
    fn believe<R>(&self, act: impl FnOnce(&mut Fact) -> R) -> Result<Option<R>> {
        if self.attribute.residency().hint() == Form::NonResident {
            return Ok(None);
        }
        let holder = self.attribute.holder(&self.store)?;
        let mut record = holder.map(&self.store)?;
        Ok(Some(act(&mut record.0)))
    }

    /// Where the cluster is, `fs::attribute::Attribute::mapping`: from the record, if it is not known yet.
    fn mapping(&self) -> Result {
        if self.attribute.mapping.lock().is_some() {
            return Ok(());
        }
        let record = self.store.record(0, Role::Base)?;
        let fact = *record.map(&self.store)?.0;
        match fact {
            Fact::NonResident => Ok(()),
            Fact::Resident(_) => Err(Error::Rule("resident where runs are expected")),
        }
    }

    /// `fs::convert::make_non_resident`.
    pub(crate) fn convert(&self) -> Result {
        let residency = self.attribute.residency();
        self.store.write(u32::from(NEW));
        let holder = self.attribute.holder(&self.store)?;
        if self.fault == Fault::HintFirst {
            residency.publish(Form::NonResident);
        }
        let mut record = holder.map(&self.store)?;
        *record.0 = Fact::NonResident;
        *self.attribute.mapping.lock() = Some(());
        if self.fault == Fault::HintAfterUnlock {
            drop(record);
            residency.publish(Form::NonResident);
        } else {
            residency.publish(Form::NonResident);
        }
        Ok(())
    }

    /// What must be so when all have come to their end.
    pub(crate) fn check_end(&self) -> Result {
        let holder = self.attribute.holder(&self.store)?;
        assert!(*holder.map(&self.store)?.0 == Fact::NonResident);
        assert!(self.attribute.residency().hint() == Form::NonResident);
        assert_eq!(self.read()?, NEW);
        Ok(())
    }

    /// Maps the record, and says whether the second look finds the value there.
    pub(crate) fn is_resident(&self) -> Result<bool> {
        let holder = self.attribute.holder(&self.store)?;
        let mapped = self.attribute.lock_resident(&self.store, &holder)?;
        Ok(matches!(mapped, Mapped::Resident(_)))
    }
}
