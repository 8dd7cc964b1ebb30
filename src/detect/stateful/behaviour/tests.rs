//! What comes out of order, which no order of logs may turn into something else.

use std::time::Duration;

use super::super::{Alert, Engine, Observation, Rule, Sign, Traits};
use crate::event::{OptionValue, Options};
use crate::position::{EventId, PipelineTag, StreamId};

const HOUR: i64 = 3600;

fn rule(learn_hours: i64) -> Rule {
    let duration = |name, seconds| (name, OptionValue::Duration(Duration::from_secs(seconds)));
    let int = |name, number| (name, OptionValue::Int(number));
    let options = vec![
        ("hours", OptionValue::Bool(false)),
        duration("half_life", 30 * 86_400),
        duration("learn", 0),
        duration("within", 4 * 3600),
        int("learn_hours", learn_hours),
        int("speed", 1000),
        int("radius", 100),
        int("threshold", 4),
    ];
    Rule::new("auth", "user_behaviour", &Options::new(Vec::new(), options), &[], "").expect("a rule")
}

/// An engine that waits for nobody.
struct Hasty(Engine, u64);

impl Hasty {
    fn new(learn_hours: i64) -> Self {
        Self(Engine::new(&[rule(learn_hours)]), 0)
    }

    /// The user comes over a network, as a log has it.
    fn come(&mut self, log: u64, second: i64, network: &str) -> Vec<Alert> {
        self.come_with(log, second, network, "")
    }

    fn come_with(&mut self, log: u64, second: i64, network: &str, device: &str) -> Vec<Alert> {
        self.1 += 100;
        let id = EventId {
            stream: StreamId(log),
            generation: 0,
            lane: 0,
            pipeline: PipelineTag::new("auth"),
            start: self.1,
            end: self.1 + 100,
            part: 0,
        };
        let mut traits = Vec::new();
        let aspects = ["", network, device, ""].map(|text| (text.as_bytes(), 0));
        Traits { aspects, ..Traits::default() }.write(&mut traits);
        let of = Observation {
            time_ns: (1_795_759_200 + second) * 1_000_000_000,
            id: id.encode(),
            rule: 0,
            sign: Sign::Hit,
            key: 1,
            value: 0,
            labels: b"{\"user\":\"ada\"}"[..].into(),
            evidence: b"{}"[..].into(),
            traits: traits.into(),
        };
        self.0.take(of, Duration::ZERO, None);
        self.0.drain();
        self.0.alerts()
    }
}

/// A log that lags behind another by an hour makes nobody known sooner: an hour counts once, however often it comes back.
#[test]
fn a_log_that_lags_teaches_nothing_twice() {
    let mut of = Hasty::new(20);
    for at in 0..15 * 12 {
        let second = at * 300;
        assert_eq!(of.come(1, second, "office").len() + of.come(2, second - HOUR, "office").len(), 0);
    }
    assert!(of.come(1, 15 * HOUR, "café").is_empty(), "sixteen or seventeen hours were enough");
    (16..22).for_each(|hour| assert!(of.come(1, hour * HOUR, "office").is_empty()));
    assert_eq!(of.come(1, 22 * HOUR, "hotel").len(), 1);
}

/// Two alerts of one user that begin in the same moment, with another session in between, are two.
#[test]
fn alerts_that_begin_at_the_same_time_are_told_apart() {
    let mut of = Hasty::new(1);
    (0..8).for_each(|hour| assert!(of.come_with(1, hour * HOUR, "office", "laptop").is_empty()));
    let first = of.come(1, 8 * HOUR, "café");
    assert!(of.come(1, 14 * HOUR, "office").is_empty());
    let second = of.come_with(2, 8 * HOUR, "", "phone");
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!((&first[0].start, first[0].severity), (&second[0].start, second[0].severity));
    assert_ne!(first[0].id, second[0].id);
}
