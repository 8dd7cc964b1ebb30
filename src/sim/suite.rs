//! Many seeds: over several threads, each with parts of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::scenario::{Expected, Outcome, expectations, simulate};
use super::subject::Subject;

/// A seed that failed.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// Which of the subjects it ran.
    pub subject: usize,
    /// What it came to, with its trace.
    pub outcome: Outcome,
}

/// What many seeds came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Seeds that were run.
    pub seeds: u64,
    /// Lines that their programs wrote.
    pub lines: u64,
    /// Steps that they took.
    pub steps: u64,
    /// Virtual seconds that passed.
    pub passed_s: f64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.lines += outcome.lines;
        self.steps += outcome.steps;
        self.passed_s += outcome.passed.as_secs_f64();
        for (kind, times) in &outcome.faults {
            *self.faults.entry(kind).or_default() += times;
        }
    }
}

/// What to run.
pub struct Suite<'a> {
    /// Makes the subjects; called once on each thread. A seed runs one of them.
    pub subjects: &'a (dyn Fn() -> Result<Vec<Subject>, String> + Sync),
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Threads.
    pub jobs: usize,
    /// Failures after which no more seeds are begun.
    pub failures_max: usize,
}

impl Suite<'_> {
    /// Runs all seeds. `progress` is told of each seed that is done. Failures come in the order of their seeds.
    pub fn run(&self, progress: &(dyn Fn(&Tally) + Sync)) -> Result<(Tally, Vec<Failure>), String> {
        let next = AtomicU64::new(0);
        let enough = AtomicBool::new(false);
        let shared = Mutex::new((Tally::default(), Vec::new()));
        let work = || -> Result<(), String> {
            let subjects = (self.subjects)()?;
            let expected = subjects.iter().map(expectations).collect::<Result<Vec<_>, _>>()?;
            while !enough.load(Ordering::Relaxed) {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= self.seeds {
                    break;
                }
                let seed = self.from.wrapping_add(at);
                let subject = (seed % subjects.len().max(1) as u64) as usize;
                let mut outcome = simulate(&subjects[subject], &expected[subject], seed, false);
                let failed = !outcome.wrong.is_empty();
                if failed {
                    outcome = retrace(&subjects[subject], &expected[subject], seed, outcome);
                }
                let (tally, failures) = &mut *shared.lock().unwrap_or_else(PoisonError::into_inner);
                tally.add(&outcome);
                if failed {
                    failures.push(Failure { seed, subject, outcome });
                    if failures.len() >= self.failures_max {
                        enough.store(true, Ordering::Relaxed);
                    }
                }
                progress(tally);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs.max(1)).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err("a seed panicked; its message is above".to_owned()))
            })
        })?;
        let (tally, mut failures) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures.sort_by_key(|failure: &Failure| failure.seed);
        Ok((tally, failures))
    }
}

/// Runs a failed seed again for its trace.
fn retrace(subject: &Subject, expected: &Expected, seed: u64, first: Outcome) -> Outcome {
    let mut again = simulate(subject, expected, seed, true);
    if again.digest != first.digest {
        again.wrong = first.wrong;
        again.wrong.push("the trace is of another run: this seed did not do the same twice".to_owned());
    }
    again
}

/// Runs one seed, with its trace.
pub fn one(subjects: &dyn Fn() -> Result<Vec<Subject>, String>, seed: u64) -> Result<Outcome, String> {
    let mut subjects = subjects()?;
    let subject = subjects.swap_remove((seed % subjects.len().max(1) as u64) as usize);
    Ok(simulate(&subject, &expectations(&subject)?, seed, true))
}

/// Checks that a seed does the same twice, which everything else depends on.
pub fn is_repeatable(subject: &Subject, expected: &Expected, seed: u64) -> bool {
    let run = || simulate(subject, expected, seed, false);
    let (first, second) = (run(), run());
    first.digest == second.digest && first.wrong == second.wrong
}
