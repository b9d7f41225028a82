// SPDX-License-Identifier: GPL-2.0-only

//! A small file whose value leaves its record, and threads that meet there.

use core::ops::Deref;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Completion,
        Mutex, //
    },
    workqueue,
};

use super::{
    disk::plain,
    race::Gate,
    sample::Sample, //
};
use crate::{
    fs::{
        convert,
        data,
        residency::{
            Form,
            Point, //
        }, //
    },
    ondisk::units::{
        ByteCount,
        ByteOffset, //
    },
};

pub(crate) const LENGTH: usize = 20;
/// What is in the record at first.
pub(crate) const RESIDENT: [u8; LENGTH] = *b"small, in the record";
/// What a converter takes to clusters.
pub(crate) const CLUSTERED: [u8; LENGTH] = *b"grown, in a cluster!";
pub(crate) const WRITTEN: [u8; LENGTH] = *b"written by a writer.";
pub(crate) const NOTHING: usize = 0;
const FAILED: usize = usize::MAX;

/// A small file, and what is asked of it.
pub(crate) struct Scene(Sample);

impl Deref for Scene {
    type Target = Sample;

    fn deref(&self) -> &Sample {
        &self.0
    }
}

impl Scene {
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(Sample::small()?), GFP_KERNEL)?)
    }

    pub(crate) fn hint(&self) -> Form {
        self.data.residency().hint()
    }

    /// What one who comes later reads.
    pub(crate) fn content(&self) -> Result<(usize, [u8; LENGTH])> {
        let mut bytes = [0; LENGTH];
        let read = data::read_at(&**self.volume, &self.data, ByteOffset::ZERO, &mut bytes);
        Ok((plain(read)?, bytes))
    }
}

/// What a thread does.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// Reads all.
    Read,
    /// Writes these bytes to the record.
    Write([u8; LENGTH]),
    /// Makes the value so long in its record.
    Resize(u64),
    /// Takes all bytes from a value in clusters.
    Empty,
    /// Moves the value to clusters, with these bytes.
    Convert([u8; LENGTH]),
}

/// A thread, and what became of it.
#[pin_data]
pub(crate) struct Thread {
    scene: Arc<Scene>,
    #[pin]
    gate: Gate,
    #[pin]
    done: Completion,
    over: Atomic<bool>,
    /// What was read.
    #[pin]
    content: Mutex<[u8; LENGTH]>,
    /// How much was read, or [`FAILED`].
    length: Atomic<usize>,
    /// Whether one who wanted to change the record was told of clusters.
    sent_away: Atomic<bool>,
}

impl Thread {
    /// Starts a thread, and waits until it has stopped if it is to.
    pub(crate) fn start(scene: &Arc<Scene>, act: Act, stop: Option<Point>) -> Result<Arc<Self>> {
        let thread = Arc::pin_init(
            pin_init!(Self {
                scene: scene.clone(),
                gate <- Gate::new(stop),
                done <- Completion::new(),
                over: Atomic::new(false),
                content <- new_mutex!([0; LENGTH]),
                length: Atomic::new(NOTHING),
                sent_away: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        let runner = thread.clone();
        workqueue::system().try_spawn(GFP_KERNEL, move || runner.run(act))?;
        if stop.is_some() {
            thread.gate.stop.wait();
        }
        Ok(thread)
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.gate.stop.release();
    }

    fn run(&self, act: Act) {
        let Sample { volume, data, .. } = &**self.scene;
        let start = ByteOffset::ZERO;
        let failed = match act {
            Act::Read => {
                let mut bytes = [0; LENGTH];
                let store = &***volume;
                let read = data::read_at_probed(store, data, start, &mut bytes, &self.gate);
                *self.content.lock() = bytes;
                self.length.store(read.unwrap_or(FAILED), Relaxed);
                read.is_err()
            }
            Act::Write(bytes) => {
                let gate = &self.gate;
                let form = convert::write_resident_probed(volume, data, start, &bytes, gate);
                self.sent_away.store(form == Ok(Form::NonResident), Relaxed);
                form.is_err()
            }
            Act::Resize(size) => {
                let size = ByteCount::new(size);
                let form = convert::resize_resident_probed(volume, data, size, &self.gate);
                self.sent_away.store(form == Ok(Form::NonResident), Relaxed);
                form.is_err()
            }
            Act::Empty => self.scene.set_size(0).is_err(),
            Act::Convert(value) => {
                convert::make_non_resident_probed(volume, data, &value, &self.gate).is_err()
            }
        };
        if failed {
            self.length.store(FAILED, Relaxed);
        }
        self.over.store(true, Relaxed);
        self.done.complete_all();
    }

    /// How often the hint said "resident", and how often that was wrong.
    pub(crate) fn turns(&self) -> (u32, u32) {
        (self.gate.hints(), self.gate.retries())
    }

    pub(crate) fn is_sent_away(&self) -> bool {
        self.sent_away.load(Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    pub(crate) fn finish(&self) -> Result {
        self.release();
        self.done.wait_for_completion();
        match self.length.load(Relaxed) {
            FAILED => Err(EIO),
            _ => Ok(()),
        }
    }

    /// What it read.
    pub(crate) fn read(&self) -> (usize, [u8; LENGTH]) {
        (self.length.load(Relaxed), *self.content.lock())
    }
}
