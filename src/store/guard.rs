//! A file that is not modified before it is known to be a store.
//!
//! The database repairs a file that was not closed properly while opening it; only then can its contents be checked. So all
//! writes until [`Guard::release`] are kept in memory, in order, and read from there. If the file is not a store, or is a
//! newer or damaged one, they are discarded. Who only reads never releases them: reading changes no byte.

use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use super::blocks::Blocks;

/// One thing that the database wanted done to the file.
#[derive(Debug)]
enum Held {
    Length(u64),
    Write(u64, Vec<u8>),
    Sync,
}

#[derive(Debug)]
struct Inner {
    file: Blocks,
    /// Who only reads shares the file with others who do.
    shared: bool,
    holding: AtomicBool,
    held: Mutex<Vec<Held>>,
}

/// The file as the database sees it; clones are the same file.
#[derive(Debug, Clone)]
pub(super) struct Guard(Arc<Inner>);

impl Guard {
    /// Nothing reaches the file before [`Guard::release`]. With `shared`, others may read it at the same time.
    pub(super) fn new(file: Blocks, shared: bool) -> Self {
        Self(Arc::new(Inner { file, shared, holding: AtomicBool::new(true), held: Mutex::new(Vec::new()) }))
    }

    /// Shows a file whose writer crashed as one that was closed: what was committed is whole in any case. The bits say that a
    /// repair is due, and that the last commit may not be on the disk.
    pub(super) fn without_repair(&self) -> Result<(), Error> {
        const REPAIR: u8 = 2 | 8;
        const PLACE: u64 = 9;
        let mut flags = [0u8; 1];
        self.0.file.read(PLACE, &mut flags)?;
        let [flags] = flags;
        self.held().push(Held::Write(PLACE, vec![flags & !REPAIR]));
        Ok(())
    }

    /// Whether the end of the file is missing.
    pub(super) fn is_cut(&self) -> bool {
        self.0.file.is_cut()
    }

    /// Performs the held writes in order (a crash in between is then like a crash while opening), and stops holding.
    pub(super) fn release(&self) -> Result<(), Error> {
        let mut held = self.held();
        for one in held.drain(..) {
            match one {
                Held::Length(length) => self.0.file.set_len(length)?,
                Held::Write(offset, data) => self.0.file.write(offset, &data)?,
                Held::Sync => self.0.file.sync_data()?,
            }
        }
        self.0.holding.store(false, Ordering::Release);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was held back, if this still holds.
    fn holding(&self) -> Option<MutexGuard<'_, Vec<Held>>> {
        if !self.0.holding.load(Ordering::Acquire) {
            return None;
        }
        let held = self.held();
        // Released while this waited for the lock.
        self.0.holding.load(Ordering::Acquire).then_some(held)
    }

    fn length(&self, held: &[Held]) -> Result<u64, Error> {
        let mut length = self.0.file.len()?;
        for one in held {
            match one {
                Held::Length(new) => length = *new,
                Held::Write(offset, data) => length = length.max(end(*offset, data.len())),
                Held::Sync => {}
            }
        }
        Ok(length)
    }
}

impl StorageBackend for Guard {
    fn len(&self) -> Result<u64, Error> {
        match self.holding() {
            Some(held) => self.length(&held),
            None => self.0.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let Some(held) = self.holding() else { return self.0.file.read(offset, out) };
        if end(offset, out.len()) > self.length(&held)? {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        // What is written over as a whole is not read: after a crash it need not match its checksums.
        let covers = |one: &Held| matches!(one, Held::Write(at, data) if *at <= offset && end(*at, data.len()) >= end(offset, out.len()));
        let covered = held.iter().rposition(covers);
        out.fill(0);
        if covered.is_none() {
            let there = self.0.file.len()?.saturating_sub(offset);
            let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
            if let Some(part) = out.get_mut(..there).filter(|part| !part.is_empty()) {
                self.0.file.read(offset, part)?;
            }
        }
        for one in held.iter().skip(covered.unwrap_or(0)) {
            match one {
                Held::Length(length) => {
                    let kept = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
                    if let Some(cut) = out.get_mut(kept..) {
                        cut.fill(0);
                    }
                }
                Held::Write(at, data) => overlay(out, offset, data, *at),
                Held::Sync => {}
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        match self.holding() {
            Some(mut held) => held.push(Held::Length(len)),
            None => self.0.file.set_len(len)?,
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        match self.holding() {
            Some(mut held) => held.push(Held::Sync),
            None => self.0.file.sync_data()?,
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        match self.holding() {
            Some(mut held) => held.push(Held::Write(offset, data.to_vec())),
            None => self.0.file.write(offset, data)?,
        }
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.shared { self.0.file.try_lock_shared_range(start, end) } else { self.0.file.try_lock_range(start, end) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.shared { self.0.file.lock_shared_range(start, end) } else { self.0.file.lock_range(start, end) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.query_lock_range(start, end)
    }
}

fn end(offset: u64, length: usize) -> u64 {
    offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX))
}

/// Copies the part of `data` (at file offset `at`) that overlaps `out` (at file offset `offset`).
fn overlay(out: &mut [u8], offset: u64, data: &[u8], at: u64) {
    let distance = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    let (into, from) = (distance(offset, at), distance(at, offset));
    let (Some(target), Some(source)) = (out.get_mut(into..), data.get(from..)) else { return };
    for (byte, new) in target.iter_mut().zip(source) {
        *byte = *new;
    }
}

#[cfg(test)]
mod tests {
    use super::overlay;

    #[test]
    fn overlays_only_what_overlaps() {
        let cases: [(u64, &[u8], [u8; 4]); 5] = [
            (8, &[1, 2, 3], [3, 0, 0, 0]),
            (11, &[1, 2], [0, 1, 2, 0]),
            (13, &[1, 2], [0, 0, 0, 1]),
            (2, &[9], [0; 4]),
            (14, &[9], [0; 4]),
        ];
        for (at, data, expected) in cases {
            let mut out = [0u8; 4];
            overlay(&mut out, 10, data, at);
            assert_eq!(out, expected, "data at {at}");
        }
    }
}
