//! What happened, for the one who looks for the cause of a failure. Kept only when it is wanted: a failing seed is
//! run again for it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::limits::SIM_TRACE_LINES;

/// The last steps and faults, in order, and how many faults there were of each kind.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: Option<VecDeque<String>>,
    left_out: u64,
    faults: BTreeMap<&'static str, u64>,
    /// Changes with every step and its time: the same seed gives the same.
    digest: u64,
}

impl Trace {
    /// A trace that keeps its last lines, or only counts.
    pub(super) fn new(kept: bool) -> Self {
        Self { lines: kept.then(VecDeque::new), ..Self::default() }
    }

    /// Notes a step.
    pub(super) fn step(&mut self, now: Duration, actor: u64, line: impl FnOnce() -> String) {
        let mixed = self.digest ^ (now.as_nanos() as u64).rotate_left(17) ^ actor;
        self.digest = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.say(now, line);
    }

    /// Notes a fault that was injected.
    pub(super) fn fault(&mut self, now: Duration, kind: &'static str, line: impl FnOnce() -> String) {
        *self.faults.entry(kind).or_default() += 1;
        self.say(now, || format!("fault: {kind}: {}", line()));
    }

    /// Notes anything else.
    pub(super) fn say(&mut self, now: Duration, line: impl FnOnce() -> String) {
        let Some(lines) = &mut self.lines else { return };
        let line = line();
        if line.is_empty() {
            return;
        }
        if lines.len() == SIM_TRACE_LINES {
            lines.pop_front();
            self.left_out += 1;
        }
        lines.push_back(format!("{:>10.3}s {line}", now.as_secs_f64()));
    }

    /// Adds to what happened.
    pub(super) fn add(&mut self, kind: &'static str, times: u64) {
        if times > 0 {
            *self.faults.entry(kind).or_default() += times;
        }
    }

    /// Adds faults that somebody else counted.
    pub(super) fn count(&mut self, faults: BTreeMap<&'static str, u64>) {
        for (kind, times) in faults {
            *self.faults.entry(kind).or_default() += times;
        }
    }

    /// Faults by kind.
    pub(super) fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.faults
    }

    /// Stands for all steps and their times.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// The lines that are kept.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.left_out > 0 {
            all.push(format!("({} lines before)", self.left_out));
        }
        all.extend(self.lines.iter().flatten().cloned());
        all
    }
}
