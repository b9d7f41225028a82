// SPDX-License-Identifier: GPL-2.0-only

//! The volume.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
};

use super::{
    error,
    record::{Fact, Record, Role},
};

/// A volume with one record and one cluster.
pub struct Store<D> {
    record: Arc<Mutex<Fact>>,
    cluster: Atomic<u32>,
    _device: D,
}

impl<D> Store<D> {
    /// A volume with this record; nothing was ever written to the cluster.
    pub fn new(fact: Fact, device: D) -> Result<Self> {
        Ok(Self {
            record: Arc::pin_init(Mutex::new(fact), GFP_KERNEL)?,
            cluster: Atomic::new(0),
            _device: device,
        })
    }

    /// The record.
    pub fn record(&self, _number: u64, _role: Role) -> error::Result<Record> {
        Ok(Record(self.record.clone()))
    }

    /// Reads the cluster.
    pub fn read(&self) -> u32 {
        self.cluster.load(Relaxed)
    }

    /// Writes the cluster.
    pub fn write(&self, value: u32) {
        self.cluster.store(value, Relaxed);
    }
}
