//! `aludel sim`: the whole product on a virtual disk, clock and network, from seeds.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use clap::Args;

use super::{WRONG_USAGE, complain, load, print};
use crate::lang::Plan;
use crate::seam::{Clock, RealClock};
use crate::sim::{Failure, Subject, Suite, Tally, embedded};

/// Seeds per second are shown this often.
const SHOW_EVERY: Duration = Duration::from_secs(5);

/// Run pipelines on a virtual disk, clock and network that fail, from seeds
#[derive(Debug, Args)]
pub(super) struct Sim {
    /// A pipeline file whose sources are `files`; some that come with aludel if not given
    file: Option<PathBuf>,
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// Threads; as many as there are processors if not given
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Run this seed alone and print its trace
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from", "jobs"])]
    seed: Option<u64>,
    /// Begin no more seeds after so many failed ones
    #[arg(long, value_name = "N", default_value_t = 5)]
    failures: usize,
    /// Print the traces of failed seeds whole, not only their ends
    #[arg(long)]
    trace: bool,
}

/// Lines of a trace that are shown where it was not asked for.
const TRACE_LINES: usize = 40;

impl Sim {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(file) = &self.file
            && load::load(std::slice::from_ref(file))?.is_none()
        {
            return Ok(ExitCode::from(WRONG_USAGE));
        }
        let subjects = || match &self.file {
            None => embedded(),
            Some(file) => {
                let plan = plan(file).map_err(|error| format!("{error:#}"))?;
                Ok(vec![Subject::new(plan)?])
            }
        };
        if let Some(seed) = self.seed {
            return self.one(seed, &subjects);
        }
        let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let suite = Suite {
            subjects: &subjects,
            from: self.from,
            seeds: self.seeds,
            jobs,
            failures_max: self.failures,
        };
        let clock = RealClock::start();
        let shown = Mutex::new(Duration::ZERO);
        let progress = |tally: &Tally| {
            let now = clock.monotonic();
            if let Ok(mut shown) = shown.try_lock()
                && now >= *shown + SHOW_EVERY
            {
                *shown = now;
                complain(&format!("{} seeds, {}", tally.seeds, rate(tally, now)));
            }
        };
        let (tally, failures) = suite.run(&progress).map_err(anyhow::Error::msg)?;
        print(&summary(&tally, &failures, clock.monotonic()))?;
        for failure in &failures {
            print(&self.told(failure))?;
        }
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn one(
        &self,
        seed: u64,
        subjects: &(dyn Fn() -> Result<Vec<Subject>, String> + Sync),
    ) -> anyhow::Result<ExitCode> {
        let outcome = crate::sim::one(subjects, seed).map_err(anyhow::Error::msg)?;
        for line in &outcome.trace {
            print(&format!("{line}\n"))?;
        }
        for wrong in &outcome.wrong {
            print(&format!("wrong: {wrong}\n"))?;
        }
        if outcome.wrong.is_empty() {
            print(&format!("seed {seed}: all is well\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }

    fn told(&self, failure: &Failure) -> String {
        let mut out = format!("\nseed {} failed:\n", failure.seed);
        for wrong in &failure.outcome.wrong {
            out.push_str(&format!("  {wrong}\n"));
        }
        let trace = &failure.outcome.trace;
        let from = if self.trace { 0 } else { trace.len().saturating_sub(TRACE_LINES) };
        out.push_str("its last steps:\n");
        for line in trace.iter().skip(from) {
            out.push_str(&format!("  {line}\n"));
        }
        let file = self.file.as_ref().map_or(String::new(), |file| format!(" {}", file.display()));
        out.push_str(&format!("to see it again: aludel sim{file} --seed {}\n", failure.seed));
        out
    }
}

fn plan(file: &std::path::Path) -> anyhow::Result<Plan> {
    let mut all = Plan::default();
    for text in load::texts(&[file.to_path_buf()])? {
        if let Some(plan) = load::check(&text).plan {
            all.append(plan).map_err(anyhow::Error::msg)?;
        }
    }
    Ok(all)
}

fn rate(tally: &Tally, passed: Duration) -> String {
    let seconds = passed.as_secs_f64().max(1e-9);
    format!("{:.0} a second", tally.seeds as f64 / seconds)
}

fn summary(tally: &Tally, failures: &[Failure], passed: Duration) -> String {
    let mut out = format!(
        "{} seeds in {:.1} s, {}: {} lines written, {} steps, {:.1} hours of virtual time\n",
        tally.seeds,
        passed.as_secs_f64(),
        rate(tally, passed),
        tally.lines,
        tally.steps,
        tally.passed_s / 3600.0
    );
    out.push_str("faults:\n");
    for (kind, times) in &tally.faults {
        out.push_str(&format!("  {times:>9}  {kind}\n"));
    }
    out.push_str(&match failures.len() {
        0 => "nothing lost, nothing twice, every ledger balances\n".to_owned(),
        failed => format!("{failed} seeds failed\n"),
    });
    out
}
