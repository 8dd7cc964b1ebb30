//! Times of single rows, kept as a histogram, so that the few that an interrupt fell into can be left out, and
//! those of a batch during which others had the core.

use std::time::Duration;

/// Times by the power of two below them, in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    buckets: [(u64, u64); 64],
}

impl Default for Spans {
    fn default() -> Self {
        Self { buckets: [(0, 0); 64] }
    }
}

impl Spans {
    /// One in so many spans, the longest, is left out: an interrupt or another process took the core.
    const LEFT_OUT_ONE_IN: u64 = 1000;

    /// Adds a span.
    pub(super) fn add(&mut self, span: Duration) {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let (count, sum) = &mut self.buckets[63 - (ns | 1).leading_zeros() as usize];
        *count += 1;
        *sum = sum.saturating_add(ns);
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(count, _)| count).sum()
    }

    /// The mean without the longest, in nanoseconds.
    pub(super) fn mean(&self) -> f64 {
        self.mean_without(self.count() / Self::LEFT_OUT_ONE_IN)
    }

    fn merge(&mut self, other: &mut Self) {
        for ((count, sum), (more, ns)) in self.buckets.iter_mut().zip(&mut other.buckets) {
            *count += std::mem::take(more);
            *sum = sum.saturating_add(std::mem::take(ns));
        }
    }

    fn mean_without(&self, mut longest: u64) -> f64 {
        let (mut total, mut kept) = (0.0, 0);
        for (count, sum) in self.buckets.iter().rev().filter(|(count, _)| *count > 0) {
            let out = longest.min(*count);
            longest -= out;
            kept += count - out;
            total += *sum as f64 * (count - out) as f64 / *count as f64;
        }
        if kept == 0 { 0.0 } else { total / kept as f64 }
    }
}

/// Times of a part, batch by batch.
#[derive(Debug, Default)]
pub(super) struct Times {
    batch: Spans,
    quiet: Spans,
    disturbed: Spans,
}

impl Times {
    /// Adds a time of the batch that is going on.
    pub(super) fn add(&mut self, span: Duration) {
        self.batch.add(span);
    }

    /// Ends a batch; `quiet` says whether it ran undisturbed.
    pub(super) fn settle(&mut self, quiet: bool) {
        let kept = if quiet { &mut self.quiet } else { &mut self.disturbed };
        kept.merge(&mut self.batch);
    }

    /// The times of quiet batches; of all others where none was.
    pub(super) fn spans(&self) -> &Spans {
        if self.quiet.count() > 0 { &self.quiet } else { &self.disturbed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_among_a_thousand_rows_is_left_out() {
        let mut spans = Spans::default();
        assert_eq!((spans.count(), spans.mean()), (0, 0.0));
        (0..999).for_each(|_| spans.add(Duration::from_nanos(100)));
        spans.add(Duration::from_millis(4));
        assert_eq!((spans.count(), spans.mean()), (1000, 100.0));
    }

    #[test]
    fn quiet_batches_count_where_there_are_any() {
        let mut times = Times::default();
        times.add(Duration::from_nanos(900));
        times.settle(false);
        assert_eq!(times.spans().mean(), 900.0);
        times.add(Duration::from_nanos(100));
        times.settle(true);
        assert_eq!((times.spans().count(), times.spans().mean()), (1, 100.0));
    }
}
