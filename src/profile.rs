//! Recorded bytes through a pipeline with probes around its parts: for `aludel explain --profile`.
//!
//! In: a plan, its outline, recordings and a clock. Out: how many rows went through each part, what a row cost
//! there, what became of the rest, and what to change. Nothing of this is in a run: the probes are put around
//! steps, formats and encoders when the plan is built ([`crate::catalog::Around`]), and no sink is opened.
//!
//! A clock costs as much as a small step, so only one part is timed for each row, chosen by dice; what the clock
//! itself costs is taken off, and the whole is timed in passes of its own, without a look at the clock inside.

mod advice;
mod desk;
mod encode;
mod measure;
mod probe;
mod report;
mod spans;

use std::sync::Arc;

use crate::lang::Plan;
use crate::lang::outline::Entry;
use crate::seam::Clock;
use crate::source::recorded::Recording;

pub use measure::{Measured, PartCount, SinkCount};

/// What is profiled.
pub struct Subject<'a> {
    /// The parts of the plan.
    pub outline: &'a [Entry<'a>],
    /// Number of the source that the recordings stand for.
    pub source: usize,
    /// Opens the recordings; each pass reads them anew.
    pub recordings: &'a dyn Fn() -> Result<Vec<Recording>, String>,
    /// The time of events that have none; decides the year of times without one.
    pub unix_ns: i64,
    /// Timed passes; where it is not said, as many as give [`crate::limits::PROFILE_TIME_MIN`].
    pub repeat: Option<u32>,
}

/// A profile in words: what each part of a plan costs, and what to change. `plan` is another copy of the plan that
/// the outline shows.
pub fn profile(subject: &Subject<'_>, plan: Plan, clock: Arc<dyn Clock>) -> Result<String, String> {
    let measured = measure::measure(subject, plan, clock)?;
    let advice = advice::advice(subject.outline, &measured);
    Ok(report::text(subject, &measured) + &report::advice(&advice))
}
