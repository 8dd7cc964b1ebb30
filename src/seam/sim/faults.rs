//! What goes wrong with operations of the simulated process, how often, and when it dies in the middle of a step.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Dice;

/// How often operations of the process go wrong: once in so many, 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// A read, look or listing fails with EIO.
    pub read: u64,
    /// A read gives fewer bytes than were asked for and are there.
    pub short_read: u64,
    /// A write fails with EIO after some of its bytes.
    pub write: u64,
    /// An fsync fails, and the pages are dropped: the next one succeeds without them.
    pub sync: u64,
    /// Opening, renaming, removing or cutting fails with EIO.
    pub name: u64,
    /// A folder's fsync fails.
    pub sync_folder: u64,
}

/// What the faults of a disk are counted by.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    /// What went wrong since somebody asked, oldest first.
    said: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, kind: &'static str, path: &Path) {
        *self.counts.entry(kind).or_default() += 1;
        self.said.push(format!("{kind}: {}", path.display()));
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.clone()
    }

    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

/// Rolls the dice for one operation; true once in `rate`.
pub(super) fn strikes(dice: &mut Dice, rate: u64) -> bool {
    rate > 0 && dice.one_in(rate)
}

pub(super) fn eio(what: &str) -> io::Error {
    io::Error::other(format!("simulated I/O error: {what}"))
}

/// One life of the simulated process: how many operations on the disk it has left.
#[derive(Debug)]
pub struct Life {
    /// Changes of the disk until it dies in the middle of a step; `u64::MAX` for never.
    fuse: AtomicU64,
    dead: AtomicBool,
}

impl Life {
    /// A life that ends after so many operations that change the disk; `None` for never.
    pub fn new(operations: Option<u64>) -> Self {
        Self { fuse: AtomicU64::new(operations.unwrap_or(u64::MAX)), dead: AtomicBool::new(false) }
    }

    /// Whether it is over: nothing that the process does has any effect.
    pub fn is_over(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// From now on, so many changes of the disk are left; `u64::MAX` for all that may come.
    pub fn set_fuse(&self, operations: u64) {
        self.fuse.store(operations, Ordering::Relaxed);
    }

    /// Ends it.
    pub fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// One more operation on the disk; `changes` where it is one that a kill may come before.
    pub(super) fn spend(&self, changes: bool) -> io::Result<()> {
        if changes && !self.is_over() {
            let left = self.fuse.load(Ordering::Relaxed);
            if left == 0 {
                self.end();
            } else if left < u64::MAX {
                self.fuse.store(left - 1, Ordering::Relaxed);
            }
        }
        if self.is_over() {
            return Err(io::Error::new(ErrorKind::NotConnected, "the simulated process is dead"));
        }
        Ok(())
    }
}
