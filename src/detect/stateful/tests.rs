//! The engine on observations made here: order, bounds, snapshots, and attacks hidden in a day of logins.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bytes::Get;
use super::*;
use crate::event::{OptionValue, Options};
use crate::position::{EventId, PipelineTag, StreamId};
use crate::seam::sim::Dice;

const SECOND: i64 = 1_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);

fn rule(detector: &str, name: &str, count: i64, period: Duration, more: &[(&'static str, i64)]) -> Rule {
    let mut values = vec![
        ("limit", OptionValue::Rate(count, period)),
        ("name", OptionValue::Text(name.into())),
        ("quiet", OptionValue::Duration(Duration::from_secs(3600))),
        ("severity", OptionValue::Text("high".into())),
        ("semantics", OptionValue::Text("nginx".into())),
    ];
    values.extend(more.iter().map(|(name, value)| (*name, OptionValue::Int(*value))));
    Rule::new("auth", detector, &Options::new(Vec::new(), values), &["source.ip".into()], "user.name")
        .expect("a rule")
}

fn hash(text: &str) -> u64 {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// An observation of an event that stands at a position of a stream.
fn seen(rule: usize, stream: u64, at: u64, time_ns: i64, key: &str, value: &str) -> Observation {
    let id = EventId {
        stream: StreamId(stream),
        generation: 0,
        lane: 0,
        pipeline: PipelineTag::new("auth"),
        start: at * 100,
        end: at * 100 + 100,
        part: 0,
    };
    let labels = format!("{{\"source.ip\":\"{key}\"}}");
    Observation {
        time_ns,
        id: id.encode(),
        rule,
        sign: Sign::Hit,
        key: hash(&labels),
        value: hash(value),
        labels: labels.into_bytes().into(),
        evidence: format!("{{\"user.name\":\"{value}\"}}").into_bytes().into(),
        traits: Box::default(),
    }
}

fn lines(engine: &mut Engine) -> Vec<String> {
    engine.alerts().iter().map(|alert| String::from_utf8(alert.line()).expect("text")).collect()
}

#[test]
fn the_fifth_failure_raises_one_alert_with_its_evidence() {
    let mut engine = Engine::new(&[rule("brute_force", "ssh", 5, MINUTE, &[])]);
    for at in 0..20 {
        let user = format!("user{at}");
        engine.take(seen(0, 1, at, at as i64 * SECOND, "203.0.113.7", &user), Duration::ZERO, None);
    }
    let success = seen(0, 1, 30, 40 * SECOND, "203.0.113.7", "root");
    engine.take(Observation { sign: Sign::Success, ..success }, Duration::ZERO, None);
    engine.drain();
    let alerts: Vec<serde_json::Value> =
        lines(&mut engine).iter().map(|line| serde_json::from_str(line).expect("json")).collect();
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert_eq!(alerts[0]["reason"], "5 failures within 1m");
    assert_eq!((&alerts[0]["count"], &alerts[0]["severity"]), (&5.into(), &"high".into()));
    assert_eq!(alerts[0]["start"], "1970-01-01T00:00:00.000Z");
    assert_eq!(alerts[0]["time"], "1970-01-01T00:00:04.000Z");
    assert_eq!(alerts[0]["labels"]["source.ip"], "203.0.113.7");
    let evidence = alerts[0]["evidence"].as_array().expect("a list");
    assert_eq!(evidence.len(), 5);
    assert_eq!(evidence[4]["user.name"], "user4");
    assert_eq!(alerts[1]["reason"], "a success after 5 failures within 1m");
    assert_eq!(alerts[1]["severity"], "critical");
}

#[test]
fn a_key_that_was_quiet_raises_another() {
    let mut engine = Engine::new(&[rule("spread", "spray", 3, MINUTE, &[])]);
    let mut at = 0;
    for hour in [0, 1, 3] {
        for user in ["a", "b", "b", "a", "c", "d", "e"] {
            at += 1;
            let time = (hour * 3600 + at as i64 % 7) * SECOND;
            engine.take(seen(0, 1, at, time, "203.0.113.7", user), Duration::ZERO, None);
        }
    }
    engine.drain();
    let states: Vec<_> = engine
        .alerts()
        .iter()
        .map(|alert| (alert.state, alert.time.get(11..16).unwrap_or_default().to_owned()))
        .collect();
    let told = |state, time: &str| (state, time.to_owned());
    assert_eq!(
        states,
        [told(State::Firing, "00:00"), told(State::Resolved, "02:00"), told(State::Firing, "03:00")],
        "at the second hour it was not quiet for long enough"
    );
}

/// What ends, and what is said of it; what comes from anybody tells that time has passed.
#[test]
fn what_was_told_is_said_to_be_over() {
    let rules = [
        rule("brute_force", "ssh", 5, MINUTE, &[]),
        rule("spread", "spray", 3, MINUTE, &[]),
        rule("rate", "often", 60, MINUTE, &[("burst", 0)]),
    ];
    let mut engine = Engine::new(&rules);
    for at in 0..60 {
        for rule in 0..3 {
            let (key, user) = (["a", "b", "c"][rule], format!("user{at}"));
            let time = at as i64 * SECOND / 2;
            engine.take(seen(rule, 1, at, time, key, &user), Duration::ZERO, None);
        }
    }
    engine.drain();
    assert_eq!(engine.alerts().iter().filter(|of| of.state == State::Firing).count(), 3);
    let nobody = |engine: &mut Engine, time| {
        engine.take(seen(0, 1, 1000, time, "nobody", ""), Duration::ZERO, None);
        engine.alerts()
    };
    let hour = 3600 * SECOND;
    assert!(nobody(&mut engine, hour + 39 * SECOND).is_empty(), "that time has not passed on all streams");
    let mut saved = Vec::new();
    engine.save(&mut saved);
    let over: Vec<String> = nobody(&mut engine, hour + 42 * SECOND).into_iter().map(|of| of.reason).collect();
    let wanted = [
        "the failures are over: 60 failures in 30s",
        "it is over: 60 events in 30s",
        "it keeps to the limit again: 30 events too many in 29s",
    ];
    assert_eq!(over, wanted);
    assert!(nobody(&mut engine, 2 * hour).is_empty(), "it is said once");
    let mut engine = Engine::new(&rules);
    engine.load(&mut Get(&saved), Duration::ZERO).expect("what was saved");
    assert_eq!(nobody(&mut engine, hour + 42 * SECOND).len(), 3, "also by the next run");
}

/// Whether somebody who got in is gone, nothing tells.
#[test]
fn a_success_is_never_over() {
    let mut engine = Engine::new(&[rule("brute_force", "ssh", 5, MINUTE, &[])]);
    for at in 0..10 {
        engine.take(seen(0, 1, at, at as i64 * SECOND, "a", "root"), Duration::ZERO, None);
    }
    let success = seen(0, 1, 30, 40 * SECOND, "a", "root");
    engine.take(Observation { sign: Sign::Success, ..success }, Duration::ZERO, None);
    engine.take(seen(0, 1, 31, 7200 * SECOND, "b", "root"), Duration::ZERO, None);
    let alerts = engine.alerts();
    assert_eq!(alerts.len(), 2);
    assert!(alerts.iter().all(|of| of.state == State::Firing), "{alerts:?}");
}

/// A rule of floods that knows a key at once.
fn flood_rule(name: &str, at_least: i64, learn: Duration) -> Rule {
    let duration = |name, of| (name, OptionValue::Duration(of));
    let values = vec![
        ("name", OptionValue::Text(name.into())),
        ("severity", OptionValue::Text("medium".into())),
        ("season", OptionValue::Text("week".into())),
        duration("window", MINUTE),
        duration("learn", learn),
        duration("half_life", Duration::from_secs(14 * 86_400)),
        duration("quiet", 10 * MINUTE),
        ("at_least", OptionValue::Int(at_least)),
        ("factor", OptionValue::Int(3)),
    ];
    Rule::new("auth", "flood", &Options::new(Vec::new(), values), &["url.domain".into()], "source.ip")
        .expect("a rule")
}

/// An event of a key with the name of its source.
fn request(at: u64, time_ns: i64, key: &str, source: &str) -> Observation {
    Observation { traits: source.as_bytes().into(), ..seen(0, 1, at, time_ns, key, source) }
}

#[test]
fn a_flood_is_told_with_what_is_usual_who_sends_it_and_its_end() {
    let mut engine = Engine::new(&[flood_rule("flood", 60, Duration::from_secs(3600))]);
    let mut at = 0;
    let mut minute = |engine: &mut Engine, minute: i64, count: i64, source: &dyn Fn(i64) -> String| {
        for n in 0..count {
            at += 1;
            let time = minute * 60 * SECOND + n * 60 * SECOND / count;
            engine.take(request(at, time, "shop.example", &source(n)), Duration::ZERO, None);
        }
    };
    let usual = |n: i64| format!("192.0.2.{}", n % 5);
    for of in 0..185 {
        minute(&mut engine, of, 20, &usual);
    }
    // The hour was never seen: it takes ten times as much. Four of ten from one network, the others each from another one.
    let many = |n: i64| match n % 10 {
        0..4 => format!("203.0.113.{}", n % 97),
        _ => format!("2001:db8:{n:x}:1::/64"),
    };
    for of in 185..187 {
        minute(&mut engine, of, 5000, &many);
    }
    for of in 187..200 {
        minute(&mut engine, of, 20, &usual);
    }
    engine.drain();
    let alerts: Vec<serde_json::Value> =
        lines(&mut engine).iter().map(|line| serde_json::from_str(line).expect("json")).collect();
    let reasons: Vec<_> = alerts.iter().map(|of| of["reason"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        reasons,
        [
            "244 events within 3 s, usual are 20 ± 4 within 1m; 229 sources, usual are 5 ± 2, and 61 of so many events; 203.0.113.0/24 sends 40 %",
            "3,828 events within 46 s, usual are 20 ± 4 within 1m; 2,369 sources, usual are 5 ± 2, and 957 of so many events; 203.0.113.0/24 sends 40 %",
            "the flood is over after 2m: 10,000 events, at most 5,000 within 1m; 3,088 sources",
        ]
    );
    let severities: Vec<_> = alerts.iter().map(|of| of["severity"].as_str().unwrap_or_default()).collect();
    assert_eq!(severities, ["medium", "high", "high"]);
    assert_eq!((&alerts[0]["state"], &alerts[2]["state"]), (&serde_json::Value::Null, &"resolved".into()));
    assert_eq!(alerts[2]["labels"]["source.ip"], "shop.example");
    assert_eq!(alerts[2]["time"], "1970-01-01T03:17:00.000Z");
    let evidence = alerts[0]["evidence"].as_array().expect("a list");
    assert_eq!(evidence.len(), 5, "{evidence:?}");
}

/// Keys of an attacker's choice are forgotten before one that is known well, and memory is bounded.
#[test]
fn paths_that_somebody_makes_up_push_no_busy_one_out() {
    let mut engine = Engine::new(&[flood_rule("flood", 60, Duration::from_secs(3600))]);
    for at in 0..400 {
        engine.take(request(at, at as i64 * SECOND / 2, "/busy", "192.0.2.1"), Duration::ZERO, None);
    }
    for at in 400..60_400 {
        let key = format!("/made/up/{at}");
        engine.take(request(at, 4000 * SECOND, &key, "203.0.113.9"), Duration::ZERO, None);
    }
    for at in 60_400..61_000 {
        engine.take(request(at, 4100 * SECOND, "/busy", "203.0.113.9"), Duration::ZERO, None);
    }
    engine.drain();
    assert!(engine.bytes() < crate::limits::FLOOD_STATE_BYTES_MAX + 65_536, "{}", engine.bytes());
    let alerts = lines(&mut engine);
    assert!(alerts[0].contains("203.0.113.9 sends 100 %"), "{alerts:?}");
    assert!(engine.warnings()[0].contains("keys were forgotten"));
}

/// Observations of three streams, not in order within a stream, with some that are late.
fn traffic(seed: u64, len: u64) -> Vec<Observation> {
    let mut dice = Dice::new(seed);
    let mut clock = 1_795_759_200 * SECOND;
    (0..len)
        .map(|at| {
            clock += dice.below(2_000_000_000) as i64;
            let back = if dice.one_in(50) { 40 * SECOND } else { dice.below(8_000_000_000) as i64 };
            let (rule, stream) = (dice.below(4) as usize, dice.below(3));
            let (key, user) = (format!("203.0.113.{}", dice.below(12)), format!("u{}", dice.below(9)));
            let traits = if rule == 3 { user.as_bytes() } else { b"" }.into();
            Observation { traits, ..seen(rule, stream, at, clock - back, &key, &user) }
        })
        .collect()
}

fn rules() -> Vec<Rule> {
    vec![
        rule("rate", "often", 6, MINUTE, &[("burst", 2)]),
        rule("brute_force", "failures", 5, MINUTE, &[]),
        rule("spread", "users", 5, MINUTE, &[]),
        flood_rule("flood", 4, Duration::ZERO),
    ]
}

/// Written down and read back after each few observations, it goes on as if it had not been.
#[test]
fn a_snapshot_changes_nothing() {
    let traffic = traffic(3, 3000);
    let mut plain = Engine::new(&rules());
    traffic.iter().for_each(|of| plain.take(of.clone(), Duration::ZERO, None));
    plain.drain();
    let wanted = lines(&mut plain);
    assert!(wanted.len() > 20, "{}", wanted.len());
    for detector in ["rate", "brute_force", "spread", "flood"] {
        let name = format!("\"detector\":\"{detector}\"");
        assert!(wanted.iter().any(|line| line.contains(&name)), "no alert of {detector}");
    }
    assert!(wanted.iter().any(|line| line.contains("the flood is over")));
    for every in [1, 7, 100] {
        let (mut engine, mut came) = (Engine::new(&rules()), Vec::new());
        for chunk in traffic.chunks(every * 10) {
            chunk.iter().for_each(|of| engine.take(of.clone(), Duration::ZERO, None));
            came.extend(lines(&mut engine));
            let mut state = Vec::new();
            engine.save(&mut state);
            engine = Engine::new(&rules());
            assert_eq!(engine.load(&mut Get(&state), Duration::ZERO), Some(Vec::new()));
            for cut in [0, state.len() / 2, state.len() - 1] {
                assert_eq!(Engine::new(&rules()).load(&mut Get(&state[..cut]), Duration::ZERO), None);
            }
        }
        engine.drain();
        came.extend(lines(&mut engine));
        assert_eq!(came, wanted);
    }
}

/// A rule that counts something else begins anew; the others go on.
#[test]
fn a_rule_that_was_changed_begins_anew() {
    let mut engine = Engine::new(&rules());
    traffic(5, 500).into_iter().for_each(|of| engine.take(of, Duration::ZERO, None));
    let mut state = Vec::new();
    engine.save(&mut state);
    let mut others = rules();
    others.swap(0, 2);
    others[1] = rule("brute_force", "failures", 6, MINUTE, &[]);
    let mut other = Engine::new(&others);
    assert_eq!(other.load(&mut Get(&state), Duration::ZERO), Some(vec!["failures".to_owned()]));
}

/// Streams are put in the order of their times, and one that is quiet holds nobody up.
#[test]
fn streams_wait_for_each_other_but_not_for_ever() {
    let mut engine = Engine::new(&[rule("brute_force", "ssh", 2, MINUTE, &[])]);
    let mut now = Duration::ZERO;
    engine.take(seen(0, 1, 0, 100 * SECOND, "a", "x"), now, None);
    engine.take(seen(0, 2, 0, 190 * SECOND, "a", "x"), now, None);
    engine.take(seen(0, 1, 1, 150 * SECOND, "a", "x"), now, None);
    assert!(lines(&mut engine).is_empty());
    assert_eq!(engine.tick(now), Some(Duration::from_secs(5)));
    now += Duration::from_secs(6);
    assert_eq!(engine.tick(now), None);
    let alerts = lines(&mut engine);
    assert_eq!(alerts.len(), 1);
    assert!(
        alerts[0].contains("\"start\":\"1970-01-01T00:01:40.000Z\",\"end\":\"1970-01-01T00:02:30.000Z\"")
    );
}

/// A clock that is wrong does not make everything else late.
#[test]
fn what_happens_in_the_future_does_not_count() {
    let mut engine = Engine::new(&[rule("brute_force", "ssh", 2, MINUTE, &[])]);
    let wall = Some(1000 * SECOND);
    engine.take(seen(0, 1, 0, 1_000_000 * SECOND, "a", "x"), Duration::ZERO, wall);
    engine.take(seen(0, 1, 1, 998 * SECOND, "a", "x"), Duration::ZERO, wall);
    engine.take(seen(0, 1, 2, 999 * SECOND, "a", "x"), Duration::ZERO, wall);
    engine.drain();
    assert_eq!(lines(&mut engine).len(), 1);
    assert_eq!(engine.warnings(), ["1 observations say that they happen in the future, and do not count"]);
    assert!(engine.warnings().is_empty());
}

/// Keys of an attacker's choice fill what there is for them, and no more; that is said, and is an alert.
#[test]
fn more_keys_than_there_is_room_for_are_an_alert() {
    let mut engine = Engine::new(&[rule("brute_force", "ssh", 1000, MINUTE, &[])]);
    let value = "x".repeat(crate::limits::OBSERVE_EVIDENCE_BYTES_MAX);
    for at in 0..40_000 {
        engine.take(seen(0, 1, at, at as i64, &format!("key{at}"), &value), Duration::ZERO, None);
    }
    engine.drain();
    assert!(engine.bytes() < crate::limits::WINDOW_STATE_BYTES_MAX + 4096, "{}", engine.bytes());
    let alerts = lines(&mut engine);
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].contains("more keys than this rule can watch"), "{}", alerts[0]);
    assert!(engine.warnings()[0].contains("found no place"));
}

/// What was planted in a day of logins.
#[derive(Default)]
struct Truth {
    /// Kind of attack and the key by which it is to be found, with the number of its first attempt.
    attacks: BTreeMap<(&'static str, String), i64>,
}

/// A day of logins: people who mistype, offices behind one address, and four kinds of attacks.
fn day(seed: u64) -> (Vec<(i64, String, String)>, Truth) {
    const DAY: u64 = 86_400;
    let mut dice = Dice::new(seed);
    let mut failures = Vec::new();
    // 40,000 people log in once or twice; one in twelve mistypes, up to three times in a row.
    for person in 0..40_000_u64 {
        let office = person % 5 == 0;
        let address = if office { format!("office{}", person / 5 % 200) } else { format!("home{person}") };
        for _ in 0..1 + dice.below(2) {
            if dice.one_in(12) {
                let at = dice.below(DAY) as i64;
                for again in 0..=dice.below(3) as i64 {
                    failures.push(((at + again * 6) * SECOND, address.clone(), format!("person{person}")));
                }
            }
        }
    }
    let mut truth = Truth::default();
    let mut plant = |kind, key: &str, at: i64| {
        truth.attacks.insert((kind, key.to_owned()), at);
    };
    for n in 0..20 {
        let begun = 1000 + dice.below(DAY - 20_000) as i64;
        let key = format!("single{n}");
        plant("single", &key, begun * SECOND);
        (0..200).for_each(|at| failures.push(((begun + at * 2) * SECOND, key.clone(), "root".into())));
        let key = format!("slow{n}");
        plant("slow", &key, begun * SECOND);
        (0..24).for_each(|at| failures.push(((begun + at * 600) * SECOND, key.clone(), "admin".into())));
        let key = format!("spray{n}");
        plant("spray", &key, begun * SECOND);
        (0..60).for_each(|at| {
            failures.push(((begun + at * 45) * SECOND, key.clone(), format!("person{}", at * 317)));
        });
    }
    let begun = 40_000;
    plant("distributed", "", begun * SECOND);
    for bot in 0..10_000_u64 {
        for _ in 0..1 + dice.below(2) {
            let at = begun + dice.below(3600) as i64;
            failures.push((at * SECOND, format!("bot{bot}"), format!("person{}", dice.below(40_000))));
        }
    }
    failures.sort();
    (failures, truth)
}

/// All that was planted is found, one address within five attempts, and hardly anybody else is.
#[test]
fn attacks_in_a_day_of_logins_are_found() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let rules = [
        rule("brute_force", "single", 5, MINUTE, &[]),
        rule("brute_force", "slow", 10, hours(6), &[]),
        rule("spread", "spray", 10, hours(1), &[]),
        rule("rate", "distributed", 120, MINUTE, &[("burst", 60)]),
    ];
    let (mut planted, mut found, mut wrong, mut attempts_max) = (0, 0, 0, 0);
    for seed in 1..=2 {
        let (failures, truth) = day(seed);
        let mut engine = Engine::new(&rules);
        for (at, (time, address, user)) in failures.iter().enumerate() {
            let both = format!("{address} {user}");
            for (rule, key) in [address.as_str(), &both, address, ""].into_iter().enumerate() {
                engine.take(seen(rule, 1, at as u64, *time, key, user), Duration::ZERO, None);
            }
        }
        engine.drain();
        let mut hits = BTreeSet::new();
        for alert in engine.alerts().into_iter().filter(|of| of.state == State::Firing) {
            let labels: BTreeMap<String, String> = serde_json::from_str(alert.labels.get()).expect("labels");
            let key = labels["source.ip"].split(' ').next().unwrap_or_default().to_owned();
            if alert.rule == "single" && key.starts_with("single") {
                let begun = truth.attacks[&("single", key.clone())];
                let until: i64 =
                    alert.time.parse::<jiff::Timestamp>().expect("a time").as_nanosecond() as i64;
                attempts_max = attempts_max.max((until - begun) / (2 * SECOND) + 1);
            }
            // One attack may be seen by several rules.
            let attacker = ["single", "slow", "spray", "bot"].iter().any(|kind| key.starts_with(kind));
            let campaign = alert.rule == "distributed"
                && (38_000..44_000)
                    .contains(&(alert.time.parse::<jiff::Timestamp>().expect("a time").as_second()));
            if !attacker && !campaign {
                wrong += 1;
                eprintln!("wrong: {} {} {}", alert.rule, alert.time, alert.labels.get());
            }
            let kind = rules.iter().find(|rule| rule.name == alert.rule).map(|rule| rule.name.clone());
            hits.insert((kind.unwrap_or_default(), key));
        }
        planted += truth.attacks.len();
        found += truth
            .attacks
            .keys()
            .filter(|(kind, key)| hits.contains(&((*kind).to_owned(), key.clone())))
            .count();
    }
    eprintln!(
        "{found} of {planted} attacks found, {attempts_max} attempts at most, {wrong} wrong in two days"
    );
    assert_eq!(found, planted);
    assert!(attempts_max <= 5 && wrong <= 4, "{attempts_max} attempts, {wrong} wrong");
}
