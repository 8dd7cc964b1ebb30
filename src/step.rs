//! Pipeline steps, one per file, and how they are run over a row.
//!
//! A step sees a row, its worker's counters and the outlets; no file, no clock, no lock. It either does its work
//! or leaves the event as it was: what can fail is computed first and written after.

use crate::event::Row;
use crate::format::Fields;

/// Number of a [`Counted`] in its pipeline.
pub type Counter = u16;

/// What is counted, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Events that a format parsed.
    Parsed(Box<str>),
    /// Events dropped, for a reason.
    Dropped(Box<str>),
    /// Events refused, for a reason.
    Rejected(Box<str>),
}

/// What becomes of the event after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Next,
    /// It ends here, counted under a [`Counted::Dropped`].
    Drop(Counter),
    /// It goes to the dead letters, counted under a [`Counted::Rejected`].
    Reject(Counter),
}

/// Where `to` hands rows.
pub trait Emit {
    /// Hands the row, as it is now, to the sink with this number in the plan.
    fn emit(&mut self, sink: usize, row: &mut Row);
}

/// A step, shared by all workers.
pub trait Step: Send + Sync {
    /// Works on one event.
    fn run(&self, row: &mut Row, context: &mut Context, out: &mut dyn Emit) -> Flow;
}

/// Steps in order.
#[derive(Default)]
pub struct Block(pub Vec<Box<dyn Step>>);

impl Block {
    /// Runs the steps until one ends the event.
    #[inline]
    pub fn run(&self, row: &mut Row, context: &mut Context, out: &mut dyn Emit) -> Flow {
        for step in &self.0 {
            match step.run(row, context, out) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }
}

/// What one worker keeps for one pipeline: counts since the last report, and buffers that are used again.
#[derive(Debug, Default)]
pub struct Context {
    counts: Vec<u64>,
    unparsed: Vec<(&'static str, u64)>,
    /// Fields of the format that is being tried.
    pub fields: Fields,
}

impl Context {
    /// For a pipeline with this many counters.
    pub fn new(counters: usize) -> Self {
        Self { counts: vec![0; counters], ..Self::default() }
    }

    /// Counts one.
    #[inline]
    pub fn count(&mut self, counter: Counter) {
        if let Some(count) = self.counts.get_mut(usize::from(counter)) {
            *count += 1;
        }
    }

    /// Counts an event that no format took. Reasons are static texts, so there are few.
    pub fn unparsed(&mut self, reason: &'static str) {
        match self.unparsed.iter_mut().find(|(known, _)| std::ptr::eq(*known, reason)) {
            Some((_, count)) => *count += 1,
            None => self.unparsed.push((reason, 1)),
        }
    }

    /// The counts since the last call, by counter, where not zero.
    pub fn drain_counts(&mut self) -> impl Iterator<Item = (Counter, u64)> {
        let counts = self.counts.iter_mut().enumerate();
        counts.map(|(counter, count)| (counter as Counter, std::mem::take(count))).filter(|(_, count)| *count > 0)
    }

    /// The reasons of unparsed events since the last call.
    pub fn drain_unparsed(&mut self) -> impl Iterator<Item = (&'static str, u64)> {
        self.unparsed.drain(..)
    }
}
