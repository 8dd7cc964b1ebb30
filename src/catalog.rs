//! The lists: the only file that names every component, and what turns a checked plan into one that runs.

use std::sync::Arc;

use crate::sink::{Shape, SinkKind, SinkPlan};
use crate::source::{SourceKind, SourcePlan};
use crate::step::Block;

/// All kinds of sources.
pub static SOURCES: &[SourceKind] = &[];

/// All kinds of sinks.
pub static SINKS: &[SinkKind] =
    &[crate::sink::stdout::KIND, crate::sink::file::KIND, crate::sink::blackhole::KIND];

/// A plan that can run.
pub struct Runnable {
    /// Sources by number.
    pub sources: Vec<NamedSource>,
    /// Pipelines by number.
    pub pipelines: Vec<Pipeline>,
    /// Sinks by number.
    pub sinks: Vec<NamedSink>,
}

/// A source of a plan.
pub struct NamedSource {
    /// Its name in the pipeline file.
    pub name: String,
    /// Opens it.
    pub plan: Box<dyn SourcePlan>,
}

/// A sink of a plan.
pub struct NamedSink {
    /// Its name in the pipeline file.
    pub name: String,
    /// Opens it and makes its encoders.
    pub plan: Box<dyn SinkPlan>,
    /// Whether sources wait for it.
    pub required: bool,
}

/// A pipeline of a plan.
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Numbers of the sources it reads.
    pub sources: Vec<usize>,
    /// Numbers of the sinks it writes to.
    pub sinks: Vec<usize>,
    /// Fields, types, tag.
    pub shape: Shape,
    /// What constant spans point into.
    pub constants: Arc<[u8]>,
    /// The steps.
    pub steps: Block,
    /// Reasons for dropping and rejecting, by their number.
    pub reasons: Vec<String>,
    /// Formats of all its `parse` steps, by their number.
    pub formats: Vec<FormatName>,
}

/// A format of a `parse` step.
pub struct FormatName {
    /// Its name.
    pub name: String,
    /// Whether it is the first of its step: the one whose reasons tell why an event was not parsed.
    pub first: bool,
}

impl Runnable {
    /// Numbers of the required sinks that a source's events can reach.
    pub fn required_sinks(&self, source: usize) -> Vec<usize> {
        let fed = |sink: &usize| {
            self.pipelines.iter().any(|line| line.sources.contains(&source) && line.sinks.contains(sink))
        };
        (0..self.sinks.len()).filter(|sink| self.sinks[*sink].required).filter(fed).collect()
    }
}
