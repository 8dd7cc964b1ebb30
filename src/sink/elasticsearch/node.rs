//! The nodes of a cluster: whose turn it is, and who is left alone for a while. And how long a while is.

use std::time::Duration;

use crate::limits::{RETRY_PAUSE_MAX, RETRY_PAUSE_MIN};
use crate::sink::Transport;

/// A small generator of numbers for jitter (SplitMix64), so that a seed gives the same run again.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
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

/// One node.
pub(super) struct Node {
    pub(super) url: String,
    pub(super) transport: Box<dyn Transport>,
    /// Requests that it has not answered.
    pub(super) in_flight: usize,
    /// Set while it is left alone, and until it answers again.
    pub(super) wait: Option<Wait>,
}

impl Node {
    /// Whether it may be sent a request now. A node that failed is sent one, and has to answer it first.
    fn is_ready(&self, now: Duration) -> bool {
        self.wait.as_ref().is_none_or(|wait| now >= wait.until && self.in_flight == 0)
    }
}

/// The node to send to: of those that may be sent a request now the one with the fewest open, in turn where
/// several have as few. A node that takes requests and does not answer holds up no more than its share.
pub(super) fn pick(nodes: &[Node], turn: &mut usize, now: Duration) -> Option<usize> {
    let count = nodes.len().max(1);
    let ready = (*turn..*turn + count)
        .map(|at| at % count)
        .filter_map(|at| Some((at, nodes.get(at).filter(|node| node.is_ready(now))?)));
    let (found, _) = ready.min_by_key(|(_, node)| node.in_flight)?;
    *turn = (found + 1) % count;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded() {
        let mut random = Random::new(1);
        for (tries, longest) in [(0, RETRY_PAUSE_MIN), (1, 2 * RETRY_PAUSE_MIN), (99, RETRY_PAUSE_MAX)] {
            for _ in 0..100 {
                let pause = random.pause(tries);
                assert!((longest / 2..=longest).contains(&pause), "{pause:?} after {tries}");
            }
        }
    }

    struct Nowhere;

    impl Transport for Nowhere {
        fn start(&mut self, _ticket: u64, _request: crate::sink::Request) {}
        fn poll(&mut self) -> Option<(u64, Result<crate::sink::Response, String>)> {
            None
        }
    }

    #[test]
    fn the_idlest_node_is_next_and_a_failed_one_when_its_time_has_come() {
        let node = |in_flight, until: Option<u64>| Node {
            url: String::new(),
            transport: Box::new(Nowhere),
            in_flight,
            wait: until.map(|until| Wait {
                until: Duration::from_secs(until),
                tries: 0,
                reason: String::new(),
            }),
        };
        let picked =
            |nodes: &[Node], turn: usize, now| pick(nodes, &mut turn.clone(), Duration::from_secs(now));
        let nodes = [node(1, None), node(1, None), node(0, Some(5))];
        assert_eq!(
            (picked(&nodes, 0, 1), picked(&nodes, 1, 1), picked(&nodes, 2, 1)),
            (Some(0), Some(1), Some(0))
        );
        assert_eq!(picked(&nodes, 0, 5), Some(2));
        assert_eq!(picked(&[node(3, None), node(1, None)], 0, 1), Some(1));
        assert_eq!((picked(&[node(1, Some(5))], 0, 9), picked(&[], 0, 9)), (None, None));
    }

    #[test]
    fn failures_of_the_same_moment_count_once() {
        let mut random = Random::new(1);
        let now = Duration::from_secs(10);
        let first = Wait::after(None, "refused".into(), None, now, &mut random);
        let same = Wait::after(Some(first.clone()), "reset".into(), None, now, &mut random);
        assert_eq!((same.until, same.tries), (first.until, 0));
        let later =
            Wait::after(Some(same), "refused".into(), Some(Duration::from_secs(7)), first.until, &mut random);
        assert_eq!((later.until, later.tries), (first.until + Duration::from_secs(7), 1));
    }
}
