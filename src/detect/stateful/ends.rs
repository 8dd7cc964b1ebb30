//! When what alerts told of is over: the one way in which any rule says so.
//!
//! What raised an alert goes on until its key kept quiet for the rule's `quiet`, in the time of events: nothing raises
//! another alert before, so nothing else can be said of it before. The engine asks as the watermark passes, so the same
//! events say the same, however they were cut, whoever was killed. What only the wall clock knows says nothing here.

use std::collections::BTreeSet;

use super::alert::{Alert, Over};
use super::bytes::{Get, Put};
use super::observation::Observation;
use super::rule::{Rule, plain};
use crate::shown::number;

/// What goes on, by the time before which it is not over.
#[derive(Debug, Default)]
pub(super) struct Ends(BTreeSet<(i64, u64)>);

impl Ends {
    /// A key goes on, at least until then. That it goes on for longer need not be told.
    pub(super) fn begin(&mut self, key: u64, until_ns: i64) {
        self.0.insert((until_ns, key));
    }

    /// Whether anything may be over by a time.
    #[inline]
    pub(super) fn are_due(&self, time_ns: i64) -> bool {
        self.0.first().is_some_and(|(until_ns, _)| *until_ns <= time_ns)
    }

    /// The keys that are over by a time, and since when, in this order. `until` says how long a key really goes on;
    /// `None` for one of which nothing is to be said any more.
    pub(super) fn by(&mut self, time_ns: i64, until: impl Fn(u64) -> Option<i64>) -> Vec<(i64, u64)> {
        let mut over = Vec::new();
        while let Some((until_ns, key)) = self.0.pop_first() {
            if until_ns > time_ns {
                self.0.insert((until_ns, key));
                break;
            }
            match until(key) {
                Some(until_ns) if until_ns > time_ns => self.begin(key, until_ns),
                Some(until_ns) => over.push((until_ns, key)),
                None => {}
            }
        }
        over.sort_unstable();
        over.dedup();
        over
    }
}

/// Since an alert of a key: what the word that it is over tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Episode {
    start_ns: i64,
    /// Events, those that the alert counts included.
    pub(super) count: u64,
    /// The key.
    labels: Box<[u8]>,
}

impl Episode {
    pub(super) fn new(start_ns: i64, count: u64, of: &Observation) -> Self {
        Self { start_ns, count, labels: of.labels.clone() }
    }

    /// The word that it is over since a time; `last_ns` is when it last was not, `words` says what is over, and of what.
    pub(super) fn ends(&self, rule: &Rule, last_ns: i64, over_ns: i64, words: [&str; 2]) -> Alert {
        const SECOND: i64 = 1_000_000_000;
        let lasted_ns = last_ns.saturating_sub(self.start_ns).max(1);
        let lasted = plain(lasted_ns.saturating_add(SECOND - 1) / SECOND * SECOND);
        let [over, events] = words;
        let reason = format!("{over}: {} {events} in {lasted}", number(self.count));
        let Self { start_ns, count, ref labels } = *self;
        Alert::over(rule, Over { labels, start_ns, over_ns, count, reason, severity: None })
    }

    pub(super) fn bytes(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn save(of: &Option<Self>, out: &mut Vec<u8>) {
        out.push(u8::from(of.is_some()));
        if let Some(Self { start_ns, count, labels }) = of {
            out.put_i64(*start_ns);
            out.put_u64(*count);
            out.put_bytes(labels);
        }
    }

    /// What was saved: there was an episode, or none.
    pub(super) fn load(from: &mut Get<'_>) -> Option<Option<Self>> {
        if from.byte()? == 0 {
            return Some(None);
        }
        let (start_ns, count) = (from.i64()?, from.u64()?);
        Some(Some(Self { start_ns, count, labels: from.bytes()?.into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_for_longer_is_over_later() {
        let mut ends = Ends::default();
        (1..=4).for_each(|key| ends.begin(key, 10));
        let until = |key: u64| [None, Some(10), Some(30), Some(20), None][key as usize];
        assert!(!ends.are_due(9) && ends.are_due(10));
        assert_eq!(ends.by(9, until), []);
        assert_eq!(ends.by(10, until), [(10, 1)]);
        assert_eq!(ends.by(100, until), [(20, 3), (30, 2)]);
        assert!(!ends.are_due(i64::MAX));
    }
}
