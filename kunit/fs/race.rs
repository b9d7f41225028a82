// SPDX-License-Identifier: GPL-2.0-only

//! Threads that a test stops where another one could come between.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Completion, //
    },
};

use crate::fs::residency::{
    Point,
    Probe, //
};

/// A place at which the first thread that comes by stops, if it is armed.
#[pin_data]
pub(crate) struct Stop {
    armed: Atomic<bool>,
    #[pin]
    reached: Completion,
    #[pin]
    resume: Completion,
}

impl Stop {
    pub(crate) fn new(armed: bool) -> impl PinInit<Self> {
        pin_init!(Self {
            armed: Atomic::new(armed),
            reached <- Completion::new(),
            resume <- Completion::new(),
        })
    }

    pub(crate) fn arm(&self) {
        self.armed.store(true, Relaxed);
    }

    /// A thread comes by.
    pub(crate) fn pass(&self) {
        if self.armed.xchg(false, Relaxed) {
            self.reached.complete_all();
            self.resume.wait_for_completion();
        }
    }

    /// Waits until a thread has stopped.
    pub(crate) fn wait(&self) {
        self.reached.wait_for_completion();
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.resume.complete_all();
    }
}

/// Stops a thread at a point of the protocol, and counts what it does.
#[pin_data]
pub(crate) struct Gate {
    at: Option<Point>,
    #[pin]
    pub(crate) stop: Stop,
    hints: Atomic<u32>,
    retries: Atomic<u32>,
}

impl Gate {
    pub(crate) fn new(at: Option<Point>) -> impl PinInit<Self> {
        pin_init!(Self {
            at,
            stop <- Stop::new(true),
            hints: Atomic::new(0),
            retries: Atomic::new(0),
        })
    }

    /// How often the hint said "resident".
    pub(crate) fn hints(&self) -> u32 {
        self.hints.load(Relaxed)
    }

    /// How often the second look found that it was wrong.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.load(Relaxed)
    }
}

impl Probe for Gate {
    fn at(&self, point: Point) {
        match point {
            Point::HintResident => self.hints.add(1, Relaxed),
            Point::Flipped => self.retries.add(1, Relaxed),
            Point::Prepared | Point::FactFlipped => {}
        }
        if self.at == Some(point) {
            self.stop.pass();
        }
    }
}
