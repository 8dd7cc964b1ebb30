//! What a key did within a sliding window, counted exactly: the last so many times, or the last so many distinct
//! values. No more is kept than the limit needs.

use super::bytes::{Get, Put};

/// The times of a key, or its distinct values with the last time of each; ascending by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window(Vec<(i64, u64)>);

/// The size of a window and how many it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its length in nanoseconds.
    pub(super) period_ns: i64,
    /// So many raise an alert.
    pub(super) limit: usize,
    /// Whether distinct values count, and not events.
    pub(super) distinct: bool,
}

impl Window {
    /// Takes in an event. Returns whether there are as many as the limit says within the window that ends with the
    /// newest event. One that is older than this window does not count.
    pub(super) fn note(&mut self, time_ns: i64, value: u64, span: Span) -> bool {
        let end = self.newest().map_or(time_ns, |newest| newest.max(time_ns));
        let start = end.saturating_sub(span.period_ns);
        self.0.retain(|(time, _)| *time > start);
        if time_ns <= start {
            return false;
        }
        if span.distinct
            && let Some(at) = self.0.iter().position(|(_, known)| *known == value)
        {
            // Seen again: its last time counts.
            if self.0[at].0 >= time_ns {
                return self.0.len() >= span.limit;
            }
            self.0.remove(at);
        }
        let at = self.0.partition_point(|(time, _)| *time <= time_ns);
        self.0.insert(at, (time_ns, value));
        if self.0.len() > span.limit {
            self.0.remove(0);
        }
        self.0.len() >= span.limit
    }

    /// Time of the last event.
    pub(super) fn newest(&self) -> Option<i64> {
        self.0.last().map(|(time, _)| *time)
    }

    /// Time of the first event that counts.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.0.first().map(|(time, _)| *time)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i64, u64)>()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.0.len() as u64);
        for (time, value) in &self.0 {
            out.put_i64(*time);
            out.put_u64(*value);
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let count = from.count()?;
        (0..count).map(|_| Some((from.i64()?, from.u64()?))).collect::<Option<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However events are out of order, the window says what a list of all of them says.
        #[test]
        fn it_agrees_with_a_list(
            limit in 1..8_usize,
            distinct in any::<bool>(),
            events in prop::collection::vec((0..300_i64, 0..6_u64), 1..120),
        ) {
            let span = Span { period_ns: 60, limit, distinct };
            let (mut window, mut all) = (Window::default(), Vec::<(i64, u64)>::new());
            for (at, (time, value)) in events.into_iter().enumerate() {
                // Mostly forward.
                let time = time / 4 + at as i64 * 5;
                let end = all.iter().map(|(time, _)| *time).chain([time]).max().unwrap_or(time);
                let reached = window.note(time, value, span);
                if time <= end - 60 {
                    prop_assert!(!reached);
                    continue;
                }
                all.push((time, value));
                let within = all.iter().filter(|(time, _)| *time > end - 60);
                let count = if distinct {
                    within.map(|(time, value)| (*value, *time)).collect::<BTreeMap<_, _>>().len()
                } else {
                    within.count()
                };
                prop_assert_eq!(reached, count >= limit);
            }
        }
    }
}
