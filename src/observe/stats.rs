//! The counters. Workers count in plain integers and add them here once per batch, so the locks are uncontended.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::grammar::Told;
use crate::limits::TOLD_STREAMS_MAX;
use crate::sink::RuleCounts;

/// Distinct reasons counted apart per pipeline; the rest is counted together, so that no input can grow the table.
const REASONS_MAX: usize = 256;

/// What one source has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStats {
    /// Bytes handed on, separators included.
    pub bytes: u64,
    /// Messages handed on.
    pub messages: u64,
    /// Streams known.
    pub streams: u64,
    /// Bytes seen in files and not yet read.
    pub unread_bytes: u64,
    /// NUL bytes before lines, which were skipped.
    pub padding_bytes: u64,
    /// Bytes that can never be read, by cause.
    pub gap_bytes: BTreeMap<&'static str, u64>,
    /// Gaps whose size is not known.
    pub gaps_of_unknown_size: u64,
}

/// How a format fared in one `parse` step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormatCount {
    /// Events that it parsed.
    pub parsed: u64,
}

/// What one pipeline has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineStats {
    /// Events that entered.
    pub events: u64,
    /// Events by the format that parsed them.
    pub parsed: BTreeMap<String, FormatCount>,
    /// Events that no format of a `parse` step took, by the reason of the last one tried.
    pub unparsed: BTreeMap<String, u64>,
    /// Events dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Events rejected by a step, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Events that `auto` parsed, by the format that it told.
    pub told: BTreeMap<&'static str, u64>,
    /// What `auto` tells the messages of each stream as; at most [`TOLD_STREAMS_MAX`] streams.
    pub streams: BTreeMap<String, Told>,
}

impl PipelineStats {
    /// Notes what `auto` told the next messages of a stream as.
    pub fn note(&mut self, stream: &str, messages: &[Option<&'static str>]) {
        for name in messages.iter().flatten() {
            *self.told.entry(name).or_default() += 1;
        }
        if !self.streams.contains_key(stream) {
            if self.streams.len() >= TOLD_STREAMS_MAX {
                return;
            }
            self.streams.insert(stream.to_owned(), Told::default());
        }
        if let Some(told) = self.streams.get_mut(stream) {
            messages.iter().for_each(|name| told.note(*name));
        }
    }

    /// How often the answer for a stream changed, over all streams.
    pub fn told_changes(&self) -> u64 {
        self.streams.values().map(Told::change_count).sum()
    }
}

/// What one sink has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// Rows handed to it.
    pub offered: u64,
    /// Rows that it has delivered.
    pub delivered: u64,
    /// Rows among these that the destination had already.
    pub repeated: u64,
    /// Rows refused for good, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Rows that it has delivered without a field that the destination could not take, by destination and field.
    pub set_aside: BTreeMap<String, u64>,
    /// What the rules of detectors have done whose state it owns.
    pub rules: BTreeMap<String, RuleCounts>,
    /// Encoded bytes handed to it.
    pub bytes: u64,
    /// What it waits for, if anything is wrong.
    pub trouble: Option<String>,
}

impl SinkStats {
    /// Rows that were to be handed to it are not.
    pub fn withheld(&mut self, rows: u64) {
        self.offered = self.offered.saturating_sub(rows);
    }
}

/// The account of a source and a sink, in bytes by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountStats {
    /// The source.
    pub source: String,
    /// The sink.
    pub sink: String,
    /// What became of the bytes.
    pub states: [(&'static str, u64); 7],
    /// Bytes in no account, or in two.
    pub imbalance: u64,
}

/// The dead letters of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetterStats {
    /// Letters written.
    pub written: u64,
    /// Letters that went to make room.
    pub dropped: u64,
    /// Bytes in the folder.
    pub bytes: u64,
    /// Letters that are not written yet.
    pub waiting: u64,
    /// The folder has reached its bound, and what is refused waits.
    pub is_full: bool,
}

/// All counters at one moment, in the order of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Sources by name.
    pub sources: Vec<(String, SourceStats)>,
    /// Pipelines by name.
    pub pipelines: Vec<(String, PipelineStats)>,
    /// Sinks by name.
    pub sinks: Vec<(String, SinkStats)>,
    /// Bytes held by each pool of the budget.
    pub budget: Vec<(&'static str, u64)>,
    /// The books.
    pub ledger: Vec<AccountStats>,
    /// Dead letters.
    pub letters: LetterStats,
}

/// The counters of a running plan.
#[derive(Debug, Default)]
pub struct Stats(Mutex<Snapshot>);

impl Stats {
    /// Counters for the named parts of a plan.
    pub fn new(sources: &[String], pipelines: &[String], sinks: &[String]) -> Self {
        fn named<T: Default>(names: &[String]) -> Vec<(String, T)> {
            names.iter().map(|name| (name.clone(), T::default())).collect()
        }
        Self(Mutex::new(Snapshot {
            sources: named(sources),
            pipelines: named(pipelines),
            sinks: named(sinks),
            ..Snapshot::default()
        }))
    }

    /// The counters, to add to.
    pub fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the counters.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }
}

/// Adds to the count of a reason, within the bound.
pub(crate) fn count(table: &mut BTreeMap<String, u64>, reason: &str, by: u64) {
    if let Some(count) = table.get_mut(reason) {
        *count += by;
    } else if table.len() < REASONS_MAX {
        table.insert(reason.to_owned(), by);
    } else {
        *table.entry("other reasons".to_owned()).or_default() += by;
    }
}
