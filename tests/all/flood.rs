//! Floods hidden in weeks of requests made from a seed: how many are found, how soon, and how often somebody is called for
//! nothing.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use aludel::detect::stateful::{Alert, Engine, Observation, Rule, Sign, State};
use aludel::position::EventId;

use super::rules::{event, rules_of};
use super::scores;
use super::sites::{Case, KINDS, Request, Setting, sites};

/// 2026-03-04T00:00:00Z, a Wednesday: the first weekend comes when a rule has just learned two working days.
const START: i64 = 1_772_582_400;

/// Sites as most are. The seeds that are scored were not looked at while the detector was made.
const USUAL: Setting = Setting {
    seed: 1,
    days: 14,
    day_spread: 10.0,
    minute_spread: 15.0,
    campaign: 10,
    outage: 15,
    crawler: 8,
    cases: 5,
    strength: 8.0,
};

/// Sites that are never the same, and floods half as strong: a check. Its figures were fixed before it was first run.
const RESTLESS: Setting = Setting {
    day_spread: 20.0,
    minute_spread: 30.0,
    campaign: 4,
    outage: 5,
    crawler: 4,
    strength: 5.0,
    ..USUAL
};

/// The rules as a pipeline file has them: their defaults, but for sites that have as little as these.
fn rules() -> Vec<Rule> {
    let text = r#"
source in = stdin
sink out = stdout
pipeline sites {
  from in
  | parse .message as json else reject "no JSON"
  | detect flood { name = "site", key = .site, source = .client, at_least = 50 }
  | detect flood { name = "all", source = .client, at_least = 50 }
  | to out
}
"#;
    rules_of(text, "site", "client")
}

/// Spreads a number over all bits, as a hash does.
fn hash(of: u64) -> u64 {
    let mixed = (of ^ of >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// What each rule sees of the request of a number: its own site's, then that of all sites.
fn observations(number: usize, first: &EventId, of: &Request) -> [Observation; 2] {
    let start = number as u64 * 100;
    let all = Observation {
        time_ns: of.time * 1_000_000_000,
        id: EventId { start, end: start + 100, ..*first }.encode(),
        rule: 1,
        sign: Sign::Hit,
        key: 0,
        value: hash(u64::from(of.source) + 1),
        labels: b"{}"[..].into(),
        evidence: b"{}"[..].into(),
        traits: Ipv4Addr::from(of.source).to_string().into_bytes().into(),
    };
    let labels = format!("{{\"site\":\"{}\"}}", of.site).into_bytes().into();
    [Observation { rule: 0, key: of.site as u64, labels, ..all.clone() }, all]
}

/// Whether an alert is of a flood, and how long after its begin it came.
fn after(alert: &Alert, case: &Case) -> Option<i64> {
    let time = alert.time.parse::<jiff::Timestamp>().expect("a time").as_second();
    let is_site = alert.rule == "all" || alert.labels.get() == format!("{{\"site\":\"{}\"}}", case.site);
    (is_site && (case.from..=case.to + 60).contains(&time)).then_some(time - case.from)
}

/// Found and planted floods of each kind, days without a false alert, and all days that count.
fn measure(setting: &Setting, start: i64) -> ([(u64, u64); KINDS.len()], (u64, u64)) {
    let (requests, cases) = sites(setting, start);
    let mut engine = Engine::new(&rules());
    let mut alerts = Vec::new();
    let first = event(0, "sites");
    for (number, request) in requests.iter().enumerate() {
        let seen = observations(number, &first, request);
        seen.into_iter().for_each(|of| engine.take(of, Duration::ZERO, None));
        alerts.append(&mut engine.alerts());
    }
    engine.drain();
    alerts.append(&mut engine.alerts());
    assert_eq!(engine.warnings(), Vec::<String>::new());
    let (ends, alerts): (Vec<_>, Vec<_>) = alerts.into_iter().partition(|of| of.state == State::Resolved);
    let first =
        |of: &&Alert| ends.iter().any(|end| end.start == of.start && end.labels.get() == of.labels.get());
    let ended = alerts.iter().filter(first).count();
    assert_eq!(ended, alerts.len(), "each flood has an end");
    let show = std::env::var_os("ALUDEL_SHOW").is_some();
    let mut false_days = BTreeSet::new();
    let mut wrong = 0;
    for alert in &alerts {
        let kind = cases.iter().find(|case| after(alert, case).is_some()).map(|case| KINDS[case.kind]);
        if show {
            println!("{} {} {}: {}", kind.unwrap_or("HONEST"), alert.time, alert.labels.get(), alert.reason);
        }
        if kind.is_none() {
            wrong += 1;
            false_days.insert(alert.time.get(..10).map(str::to_owned));
        }
    }
    let mut found = [(0, 0); KINDS.len()];
    let mut delays = Vec::new();
    for case in &cases {
        // By the site's own rule: what the rule over all sites sees is told apart by it.
        let first = alerts.iter().filter(|of| of.rule == "site").find_map(|alert| after(alert, case));
        found[case.kind].1 += 1;
        found[case.kind].0 += u64::from(first.is_some());
        delays.extend(first);
        if show && first.is_none() {
            println!("MISSED {} of site {} from {} to {}", KINDS[case.kind], case.site, case.from, case.to);
        }
    }
    delays.sort_unstable();
    let days = (setting.days - 2) as u64;
    println!(
        "seed {}: {} requests, {} floods, {} alerts, {wrong} wrong in {days} days, half are told within {} s, {} KiB",
        setting.seed,
        requests.len(),
        cases.len(),
        alerts.len(),
        delays.get(delays.len() / 2).copied().unwrap_or_default(),
        engine.bytes() / 1024,
    );
    (found, (days - false_days.len() as u64, days))
}

fn score(set: &str, setting: &Setting, seeds: &[u64]) {
    let (mut all, mut quiet) = ([(0, 0); KINDS.len()], (0, 0));
    for seed in scores::seeds(seeds) {
        let (found, days) = measure(&Setting { seed, ..setting.clone() }, START);
        all.iter_mut().zip(found).for_each(|(all, of)| *all = (all.0 + of.0, all.1 + of.1));
        quiet = (quiet.0 + days.0, quiet.1 + days.1);
    }
    for (kind, (found, planted)) in KINDS.into_iter().zip(all) {
        scores::report(set, &format!("{kind}: found"), found, planted, 95.0);
    }
    scores::report(set, "days without a false alert", quiet.0, quiet.1, 95.0);
}

#[test]
fn floods_are_found_among_usual_traffic() {
    score("floods, usual sites", &USUAL, &[5, 6, 7, 8]);
}

#[test]
fn floods_are_found_among_restless_traffic() {
    score("floods, restless sites", &RESTLESS, &[13, 14]);
}

/// A rule that is started on a Saturday calls nobody on Monday, when those come who work, ten times as many.
#[test]
fn the_first_monday_is_no_flood() {
    let weekend_first = START + 3 * 86_400;
    for setting in [USUAL, RESTLESS] {
        for seed in 1..=2 {
            let (_, (quiet, days)) =
                measure(&Setting { seed, days: 3, cases: 0, ..setting.clone() }, weekend_first);
            assert_eq!((quiet, days), (1, 1), "seed {seed}");
        }
    }
}
