// SPDX-License-Identifier: GPL-2.0-only

//! Units of a compressed value that the page cache has and the device has not.
//!
//! When a unit is to be written, all the clusters that it may take are set aside, since it may turn out that it does
//! not get smaller. That is given back exactly once: when the unit was written, or when it goes.

use kernel::rbtree::{
    RBTree,
    RBTreeNodeReservation, //
};

use super::{
    allocator::Reservation,
    compressed::Unit,
    unrecorded::ByteSpan, //
};

/// What is known of a unit.
#[derive(Default)]
pub(super) struct DirtyUnit {
    /// What is set aside for the bytes that the page cache has.
    promise: Option<Reservation>,
    /// Whether bytes are on their way.
    is_underway: bool,
    /// Whether bytes did not arrive, and what the device has behind those that the record tells of is nothing that
    /// may be seen.
    is_lost: bool,
}

impl DirtyUnit {
    fn is_over(&self) -> bool {
        self.promise.is_none() && !self.is_underway && !self.is_lost
    }
}

/// The memory that noting one more unit takes.
pub(super) type Room = RBTreeNodeReservation<u64, DirtyUnit>;

/// The units of a value, by their first bytes.
pub(super) struct DirtyUnits {
    units: RBTree<u64, DirtyUnit>,
    /// Units for whose runs MFT records are set aside, should all of them be written.
    roomy: Option<ByteSpan>,
}

impl DirtyUnits {
    /// None.
    pub(super) fn new() -> Self {
        Self {
            units: RBTree::new(),
            roomy: None,
        }
    }

    /// Whether the device has all.
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The first bytes of all of them, in ascending order.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> + '_ {
        self.units.iter().map(|(start, _)| *start)
    }

    /// Whether something is set aside for the unit.
    pub(super) fn is_promised(&self, start: u64) -> bool {
        let unit = self.units.get(&start);
        unit.is_some_and(|unit| unit.promise.is_some())
    }

    /// Whether the unit is on its way.
    pub(super) fn is_underway(&self, start: u64) -> bool {
        self.units.get(&start).is_some_and(|unit| unit.is_underway)
    }

    /// Whether bytes are lost that nobody has written again.
    pub(super) fn has_lost(&self) -> bool {
        let is_lost = |unit: &DirtyUnit| unit.is_lost && unit.promise.is_none();
        self.units.iter().any(|(_, unit)| is_lost(unit))
    }

    /// The first unit at or behind a byte.
    pub(super) fn next(&self, from: u64) -> Option<u64> {
        let cursor = self.units.cursor_lower_bound(&from)?;
        Some(*cursor.current().0)
    }

    /// The unit gets what is set aside for it.
    pub(super) fn promise(&mut self, start: u64, promise: Reservation, room: Room) {
        match self.units.get_mut(&start) {
            Some(unit) => unit.promise = Some(promise),
            None => {
                let unit = DirtyUnit {
                    promise: Some(promise),
                    ..DirtyUnit::default()
                };
                self.units.insert(room.into_node(start, unit));
            }
        }
    }

    /// What is set aside for the unit is not needed.
    pub(super) fn renounce(&mut self, start: u64) {
        if let Some(unit) = self.units.get_mut(&start) {
            unit.promise = None;
        }
        self.tidy(start);
    }

    /// The unit is on its way from now on; gives what was set aside for it.
    pub(super) fn begin(&mut self, start: u64) -> Option<Reservation> {
        let unit = self.units.get_mut(&start)?;
        let promise = unit.promise.take()?;
        unit.is_underway = true;
        Some(promise)
    }

    /// The unit is on the device.
    pub(super) fn arrived(&mut self, start: u64) {
        if let Some(unit) = self.units.get_mut(&start) {
            unit.is_underway = false;
            unit.is_lost = false;
        }
        self.tidy(start);
    }

    /// The unit did not arrive. It is to be tried again if there is a `promise`; else it is lost or not.
    pub(super) fn failed(&mut self, start: u64, promise: Option<Reservation>, is_lost: bool) {
        if let Some(unit) = self.units.get_mut(&start) {
            unit.is_underway = false;
            unit.is_lost |= is_lost;
            unit.promise = unit.promise.take().or(promise);
        }
        self.tidy(start);
    }

    /// The units that begin in a range have no bytes any more.
    pub(super) fn forget(&mut self, span: ByteSpan) {
        // Each turn takes one out.
        while let Some(start) = self.next(span.start).filter(|start| *start < span.end) {
            self.units.remove(&start);
        }
    }

    /// The first byte that the record may not tell of, if all before `settled` is on the device, and the rest, up to
    /// `initialized`, but for these units.
    pub(super) fn settled(&self, unit: Unit, settled: u64, initialized: u64) -> u64 {
        // That which the mark is in counts as well; those before it are seen as they were.
        let first = settled & !unit.bytes().saturating_sub(1);
        let limit = self.next(first).unwrap_or(initialized);
        settled.max(limit.min(initialized))
    }

    /// Whether MFT records are set aside for the runs of a unit.
    pub(super) fn is_roomy(&self, start: u64) -> bool {
        let is_in = |span: ByteSpan| (span.start..span.end).contains(&start);
        self.roomy.is_some_and(is_in)
    }

    /// MFT records are set aside for these and all that are promised.
    pub(super) fn set_roomy(&mut self, span: Option<ByteSpan>) {
        self.roomy = span;
    }

    fn tidy(&mut self, start: u64) {
        if self.units.get(&start).is_some_and(DirtyUnit::is_over) {
            self.units.remove(&start);
        }
    }
}
