//! How long a destination that failed is left alone.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::limits::{RETRY_PAUSE_MAX, RETRY_PAUSE_MIN};

/// A small generator of numbers for jitter (SplitMix64), so that a seed gives the same run again.
pub(super) struct Random(u64);

impl Random {
    /// One for a sink: agents that were started together must not come back together; a simulation's clock gives the
    /// same again.
    pub(super) fn of_sink(name: &str, unix_ns: i64) -> Self {
        let seed = Sha256::digest(format!("{name} {unix_ns}"));
        Self(seed.iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// How long to wait when the other side asks for a time of its own.
    pub(super) fn pause_asked(&mut self, tries: u32, asked: Option<Duration>) -> Duration {
        self.pause(tries).max(asked.unwrap_or_default().min(ASKED_MAX))
    }

    /// How long to wait after so many failed tries: doubled each time up to a bound, then anything from half of
    /// that to the whole, so that a thousand agents do not come back at the same moment.
    pub(super) fn pause(&mut self, tries: u32) -> Duration {
        let whole = RETRY_PAUSE_MIN.saturating_mul(1 << tries.min(16)).min(RETRY_PAUSE_MAX);
        whole / 2 + Duration::from_micros(self.next() % (whole.as_micros() as u64 / 2 + 1))
    }
}

/// Something that is left alone until a time, and longer each time it fails again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// Not before this monotonic time.
    pub(super) until: Duration,
    tries: u32,
    /// Why.
    pub(super) reason: String,
}

impl Wait {
    /// A first wait, without a reason.
    #[cfg(test)]
    pub(super) fn until(until: Duration) -> Self {
        Self { until, tries: 0, reason: String::new() }
    }

    /// The wait after a failure, given the one before it. Failures of requests that were sent before that wait
    /// began say nothing new.
    pub(super) fn after(
        before: Option<Self>,
        reason: String,
        asked: Option<Duration>,
        now: Duration,
        random: &mut Random,
    ) -> Self {
        let tries = match before {
            Some(before) if now < before.until => return Self { reason, ..before },
            Some(before) => before.tries + 1,
            None => 0,
        };
        let pause = random.pause_asked(tries, asked);
        Self { until: now + pause, tries, reason }
    }
}

/// The longest `Retry-After` that is believed.
const ASKED_MAX: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded() {
        let mut random = Random::of_sink("es", 1);
        for (tries, longest) in [(0, RETRY_PAUSE_MIN), (1, 2 * RETRY_PAUSE_MIN), (99, RETRY_PAUSE_MAX)] {
            for _ in 0..100 {
                let pause = random.pause(tries);
                assert!((longest / 2..=longest).contains(&pause), "{pause:?} after {tries}");
            }
        }
    }

    #[test]
    fn failures_of_the_same_moment_count_once() {
        let mut random = Random::of_sink("es", 1);
        let now = Duration::from_secs(10);
        let first = Wait::after(None, "refused".into(), None, now, &mut random);
        let same = Wait::after(Some(first.clone()), "reset".into(), None, now, &mut random);
        assert_eq!((same.until, same.tries), (first.until, 0));
        let later =
            Wait::after(Some(same), "refused".into(), Some(Duration::from_secs(7)), first.until, &mut random);
        assert_eq!((later.until, later.tries), (first.until + Duration::from_secs(7), 1));
    }
}
