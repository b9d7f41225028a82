// SPDX-License-Identifier: GPL-2.0-only

//! A compressed value is changed at random, as the page cache does it, and compared with a model of it in memory:
//! with what fails in between, on a full volume, and after power cuts.
//!
//! On the host only, where failures come on demand.

mod tests {
    use std::{
        collections::BTreeSet,
        vec::Vec, //
    };

    use crate::{
        fs::{
            compressed_writing, convert, data,
            error::{
                Error,
                Result as FsResult, //
            },
            file, inode_record,
            residency::Form,
            resize,
            unit_batch::{
                is_transient,
                Batch, //
            },
        },
        kunit::fs::{
            disk::plain,
            sample::{
                bytes,
                offset,
                Sample,
                CHANGED,
                UNIT, //
            },
        },
    };
    use kernel::{
        alloc::failures,
        prelude::*, //
    };

    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % sides
        }
    }

    /// What the page cache does.
    struct Pages {
        sample: Sample,
        model: Vec<u8>,
        /// The units that are dirty, by their first bytes.
        dirty: BTreeSet<u64>,
        /// Those whose last transfer failed: the device has an older version.
        stale: BTreeSet<u64>,
    }

    fn unit_of(pos: u64) -> u64 {
        pos / UNIT * UNIT
    }

    impl Pages {
        fn new() -> Result<Self> {
            let sample = Sample::compressed()?;
            let mut model = std::vec![0; 3 * UNIT as usize];
            model[..2 * UNIT as usize].fill(b'o');
            Ok(Self {
                sample,
                model,
                dirty: BTreeSet::new(),
                stale: BTreeSet::new(),
            })
        }

        fn size(&self) -> u64 {
            self.model.len() as u64
        }

        fn is_resident(&self) -> bool {
            self.sample.data.residency().hint() == Form::Resident
        }

        fn promise(&mut self, unit: u64) -> FsResult {
            let Sample { volume, data, .. } = &self.sample;
            compressed_writing::promise(volume, data, offset(unit), bytes(1))?;
            self.dirty.insert(unit);
            Ok(())
        }

        fn is_hole(&self, pos: u64) -> FsResult<bool> {
            let Sample { volume, data, .. } = &self.sample;
            compressed_writing::is_hole(volume, data, offset(pos))
        }

        fn extend(&mut self, pos: u64) -> FsResult {
            let valid = self.sample.data.sizes().initialized.get();
            if valid >= pos {
                return Ok(());
            }
            if valid % UNIT != 0 && !self.is_hole(valid)? {
                self.promise(unit_of(valid))?;
            }
            let Sample { volume, data, .. } = &self.sample;
            compressed_writing::hide_behind(volume, data, offset(pos))?;
            file::set_initialized(data, bytes(pos));
            Ok(())
        }

        fn leave_record(&mut self) -> FsResult {
            if self.is_resident() {
                let Sample { volume, data, .. } = &self.sample;
                convert::make_non_resident(volume, data, &self.model)?;
            }
            Ok(())
        }

        fn write(&mut self, pos: u64, piece: &[u8]) -> FsResult {
            self.leave_record()?;
            if pos > self.size() {
                self.grow(pos)?;
            }
            self.extend(pos)?;
            let end = pos + piece.len() as u64;
            let mut at = pos;
            while at < end {
                let next = end.min(unit_of(at) + UNIT);
                self.promise(unit_of(at))?;
                let new = self.model.len().max(next as usize);
                self.model.resize(new, 0);
                let part = &piece[(at - pos) as usize..(next - pos) as usize];
                self.model[at as usize..next as usize].copy_from_slice(part);
                file::set_initialized(&self.sample.data, bytes(next));
                at = next;
            }
            Ok(())
        }

        fn grow(&mut self, size: u64) -> FsResult {
            resize::set_size(&self.sample.volume, &self.sample.data, bytes(size))?;
            self.model.resize(size as usize, 0);
            Ok(())
        }

        fn truncate(&mut self, size: u64) -> FsResult {
            self.leave_record()?;
            if size >= self.size() {
                return self.grow(size);
            }
            // The page cache first: this is not taken back.
            self.model.truncate(size as usize);
            self.dirty.retain(|start| *start < size);
            self.stale.retain(|start| *start < size);
            resize::set_size(&self.sample.volume, &self.sample.data, bytes(size))
        }

        fn zero(&mut self, start: u64, end: u64) -> FsResult {
            let end = end.min(self.sample.data.sizes().initialized.get());
            if start < end && !self.is_hole(start)? {
                self.promise(unit_of(start))?;
                self.model[start as usize..end as usize].fill(0);
            }
            Ok(())
        }

        fn punch(&mut self, start: u64, end: u64) -> FsResult {
            self.leave_record()?;
            let end = end.min(self.size());
            if start >= end {
                return Ok(());
            }
            let first = start.next_multiple_of(UNIT).min(end);
            let last = match end == self.size() {
                true => end,
                false => unit_of(end).max(first),
            };
            self.zero(start, first)?;
            self.zero(last, end)?;
            if first < last {
                // In the page cache first: after an error they are as they were on the device.
                let gone = self
                    .dirty
                    .iter()
                    .filter(|unit| (first..last).contains(unit));
                self.stale.extend(gone);
                self.dirty.retain(|unit| *unit < first || *unit >= last);
                let (at, length) = (offset(first), bytes(last - first));
                resize::punch_hole(&self.sample.volume, &self.sample.data, at, length)?;
                self.stale.retain(|unit| *unit < first || *unit >= last);
                self.model[first as usize..last as usize].fill(0);
            }
            Ok(())
        }

        /// Writes back those that a coin chooses.
        fn write_back(&mut self, mut chosen: impl FnMut() -> bool) -> FsResult {
            let Sample { volume, data, .. } = &self.sample;
            let mut batch = Batch::new(volume, data)?;
            let units: Vec<u64> = self.dirty.iter().copied().filter(|_| chosen()).collect();
            let mut begun = Vec::new();
            let mut result = Ok(());
            for unit in units {
                let memory = match batch.begin(offset(unit)) {
                    Ok(memory) => memory,
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                };
                memory.fill(0);
                let from = &self.model[unit as usize..];
                let length = from.len().min(UNIT as usize);
                memory[..length].copy_from_slice(&from[..length]);
                begun.push(unit);
                let _ = batch.encode();
            }
            let written = batch.write();
            drop(batch);
            for unit in begun {
                match &written {
                    Ok(()) => {
                        self.dirty.remove(&unit);
                        self.stale.remove(&unit);
                    }
                    Err(error) if is_transient(error) => {}
                    // An error for who asks, and an old version.
                    Err(_) => {
                        self.dirty.remove(&unit);
                        self.stale.insert(unit);
                    }
                }
            }
            result.and(written)
        }

        fn record(&self, waited: bool) -> FsResult {
            let Sample { volume, inode, .. } = &self.sample;
            inode_record::write_inode(volume, inode, &CHANGED, waited)
        }

        /// All is to be durable.
        fn save(&mut self) -> FsResult {
            if !self.is_resident() {
                self.write_back(|| true)?;
            }
            self.record(true)?;
            self.sample.volume.sync()
        }

        /// What is not dirty is as in the model.
        fn check(&self, sample: &Sample, turn: &str) -> Result {
            assert_eq!(sample.data.data_size(), bytes(self.size()), "{turn}");
            let mut found = std::vec![0xaa; self.model.len()];
            let read = data::read_at(&**sample.volume, &sample.data, offset(0), &mut found);
            assert_eq!(plain(read)?, found.len(), "{turn}");
            for (index, (found, model)) in found
                .chunks(UNIT as usize)
                .zip(self.model.chunks(UNIT as usize))
                .enumerate()
            {
                let start = index as u64 * UNIT;
                if !self.dirty.contains(&start) && !self.stale.contains(&start) {
                    assert!(found == model, "{turn}, unit {index}");
                }
            }
            Ok(())
        }

        fn step(&mut self, dice: &mut Dice) -> FsResult {
            const LARGEST: u64 = 6 * UNIT;
            let size = self.size();
            let pos = match dice.roll(4) {
                0 => size,
                1 => dice.roll(size + 1),
                2 => unit_of(dice.roll(size + 1)),
                _ => dice.roll(LARGEST),
            };
            let length = match dice.roll(4) {
                0 => 1 + dice.roll(10),
                1 => 1 + dice.roll(5000),
                2 => UNIT,
                _ => 1 + dice.roll(2 * UNIT),
            };
            match dice.roll(16) {
                0..=5 => {
                    let kind = dice.roll(3);
                    let piece: Vec<u8> = (0..length)
                        .map(|at| match kind {
                            0 => 0,
                            1 => (at / 700) as u8 | 1,
                            _ => dice.roll(256) as u8,
                        })
                        .collect();
                    self.write(pos, &piece)
                }
                6 => self.truncate(dice.roll(LARGEST)),
                7 => self.truncate(if dice.roll(3) == 0 {
                    0
                } else {
                    pos.min(LARGEST)
                }),
                8 | 9 => self.punch(pos, pos + length),
                10..=12 if !self.is_resident() => self.write_back(|| dice.roll(2) == 0),
                13 => self.record(false),
                14 => self.sample.volume.sync(),
                _ => self.save(),
            }
        }

        /// Gives all back that is set aside, and tells how many clusters are free but for those of the value.
        fn account(&mut self) -> Result<u64> {
            plain(self.save())?;
            let taken = self.sample.data.allocated().get() / crate::kunit::fs::disk::CLUSTER as u64;
            Ok(self.sample.free()? + taken)
        }
    }

    #[test]
    fn the_value_is_as_the_model() -> Result {
        let mut full = 0;
        for seed in 1..20 {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let mut pages = Pages::new()?;
            let all = pages.account()?;
            for step in 0..120 {
                let turn = std::format!("seed {seed}, step {step}");
                match pages.step(&mut dice) {
                    Ok(()) => {}
                    Err(Error::NoSpace) => {
                        full += 1;
                        plain(pages.save())?;
                    }
                    Err(error) => panic!("{turn}: {error}"),
                }
                pages.check(&pages.sample, &turn)?;
                if dice.roll(12) == 0 {
                    plain(pages.save())?;
                    let found = pages.sample.after_power_cut()?;
                    pages.check(&found, &std::format!("{turn}, another mount"))?;
                }
            }
            assert_eq!(pages.account()?, all, "seed {seed}");
        }
        assert!(full > 3, "only {full} times full");
        Ok(())
    }

    #[test]
    fn what_fails_in_between_is_told_and_does_no_harm() -> Result {
        let (mut transfers, mut allocations) = (0, 0);
        for seed in 1..30 {
            let mut dice = Dice(0x2545_f491_4f6c_dd1d_u64.wrapping_mul(seed));
            let mut pages = Pages::new()?;
            let all = pages.account()?;
            for step in 0..80 {
                let turn = std::format!("seed {seed}, step {step}");
                let nth = dice.roll(20);
                let result = match dice.roll(3) {
                    0 => {
                        pages.sample.disk.fail_nth(nth % 5 + 1);
                        let result = pages.step(&mut dice);
                        transfers += u32::from(!pages.sample.disk.is_yet_to_fail());
                        pages.sample.disk.fail_nth(0);
                        result
                    }
                    1 => {
                        let (result, failed) =
                            failures::with_nth_failing(nth, || pages.step(&mut dice));
                        allocations += u32::from(failed);
                        result
                    }
                    _ => pages.step(&mut dice),
                };
                if result.is_err() {
                    // What was cut off in the page cache is to be so on the device.
                    let (size, initialized) = (pages.size(), pages.sample.data.sizes().initialized);
                    if pages.sample.data.data_size() > bytes(size) {
                        let Sample { volume, data, .. } = &pages.sample;
                        plain(resize::set_size(volume, data, bytes(size)))?;
                    } else if initialized > bytes(size) {
                        panic!("{turn}: initialized up to {initialized:?}");
                    }
                }
                pages.check(&pages.sample, &turn)?;
            }
            // A lost unit is written again.
            let stale: Vec<u64> = pages.stale.iter().copied().collect();
            for unit in stale {
                match pages.promise(unit) {
                    Ok(()) => {}
                    Err(Error::NoSpace) => {
                        let _ = pages.write_back(|| true);
                        plain(pages.record(false))?;
                        plain(pages.promise(unit))?;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(pages.account()?, all, "seed {seed}");
            let found = pages.sample.after_power_cut()?;
            pages.check(&found, &std::format!("seed {seed}, another mount"))?;
        }
        assert!(
            transfers > 50 && allocations > 50,
            "{transfers}, {allocations}"
        );
        Ok(())
    }

    /// Each unit is full of the number of its version.
    #[test]
    fn a_power_cut_leaves_each_unit_as_it_was_or_as_it_is() -> Result {
        let mut versions = BTreeSet::new();
        for writes in 0.. {
            let mut pages = Pages::new()?;
            plain(pages.save())?;
            pages.sample.disk.cut_power_after(writes);
            let mut saved = 0;
            let mut run = || -> FsResult {
                for version in 1..5_u8 {
                    for unit in [0, 1, 2] {
                        // Some of them do not get smaller.
                        let piece: Vec<u8> = (0..UNIT).map(|_| version).collect();
                        pages.write(unit * UNIT, &piece)?;
                    }
                    if version == 3 {
                        pages.write_back(|| true)?;
                        pages.record(false)?;
                        continue;
                    }
                    pages.save()?;
                    if !pages.sample.disk.is_without_power() {
                        saved = version;
                    }
                }
                Ok(())
            };
            let end = run();
            let is_over = !pages.sample.disk.is_without_power();
            let found = pages.sample.after_power_cut()?;
            assert_eq!(found.data.data_size(), bytes(3 * UNIT));
            let mut content = std::vec![0xaa; 3 * UNIT as usize];
            let read = data::read_at(&**found.volume, &found.data, offset(0), &mut content);
            assert_eq!(plain(read)?, content.len());
            for (index, unit) in content.chunks(UNIT as usize).enumerate() {
                let version = match unit[0] {
                    b'o' => 0,
                    version => version,
                };
                assert!(
                    unit.iter().all(|byte| *byte == unit[0]),
                    "{writes}: {index}"
                );
                assert!(
                    version >= saved && version < 5,
                    "{writes}: {version} < {saved}"
                );
                versions.insert(version);
            }
            if is_over {
                plain(end)?;
                assert_eq!(saved, 4);
                break;
            }
        }
        assert!(versions.len() >= 3, "{versions:?}");
        Ok(())
    }
}
