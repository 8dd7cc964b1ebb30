//! The outside world made of memory: a disk that forgets what was not fsynced, and a clock that is moved by hand.
//!
//! In: a seed. Out: the same faults at the same places every time, so that a failing seed is a test case.

mod disk;
mod faults;
mod fs;
mod objects;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use faults::{FaultRates, Life};
pub use fs::SimFs;
pub use objects::SimStore;

use super::Clock;

/// Numbers from a seed (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>): good enough to choose faults.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that roll the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.roll() % bound }
    }

    /// True once in `times`, on average.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// A clock that stands still until it is moved. Wall and monotonic time move together, but the wall clock may jump.
#[derive(Debug)]
pub struct SimClock {
    start_ns: AtomicI64,
    passed_ns: AtomicU64,
}

impl SimClock {
    /// A clock that shows this wall time.
    pub fn at(unix_ns: i64) -> Self {
        Self { start_ns: AtomicI64::new(unix_ns), passed_ns: AtomicU64::new(0) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.passed_ns.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Sets the wall clock forward or back, as an administrator or a time server does.
    pub fn jump(&self, by_ns: i64) {
        self.start_ns.fetch_add(by_ns, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_unix_ns(&self) -> i64 {
        self.start_ns.load(Ordering::Relaxed).saturating_add(self.passed_ns.load(Ordering::Relaxed) as i64)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.passed_ns.load(Ordering::Relaxed))
    }
}
