//! User behaviour on companies made from a seed: what share of the misuse that is hidden in them stands among the five
//! highest alerts of its day.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aludel::detect::stateful::{Alert, Engine, Observation, Rule, Sign, Traits};
use aludel::limits::BEHAVIOUR_STATE_BYTES_MAX;
use serde_json::Value;

use super::people::{Case, KINDS, Login, Setting, company};
use super::rules::{event, rules_of};
use super::scores;

/// 2026-03-01T00:00:00Z, a Sunday.
const START: i64 = 1_772_323_200;
const DAY: i64 = 86_400;
/// What comes so long after a case may be judged with it: the user returns from where the misuse was not.
const AFTER: i64 = 4 * 3600;
/// So many alerts of a day somebody looks at.
const BUDGET: usize = 5;

/// A company as most are.
const USUAL: Setting = Setting {
    seed: 1,
    users: 1000,
    days: 60,
    vpn: 7,
    trip: 120,
    holiday: 90,
    cafe: 40,
    phone: 300,
    sleepless: 200,
    overtime: 25,
    project: 150,
    one_off: 60,
    services: 4,
    cases: 15,
    quiet: 2,
};

/// One where honest people look odd far more often, and misuse is fainter: a check. Its figures were fixed before it was first run,
/// but how a profile is made was compared on both.
const RESTLESS: Setting = Setting {
    vpn: 3,
    trip: 60,
    holiday: 60,
    cafe: 20,
    phone: 150,
    sleepless: 80,
    overtime: 10,
    project: 80,
    one_off: 25,
    services: 9,
    quiet: 1,
    ..USUAL
};

/// The rule as a pipeline file has it, so that its defaults are those of people.
fn rule() -> Rule {
    let text = r#"
source in = stdin
sink out = stdout
pipeline users {
  from in
  | parse .message as json else reject "no JSON"
  | detect user_behaviour {
      key = .user
      location = [.lat, .lon]
      place = .city
      country = .country
      network = .network
      device = .device
      resource = .resource
    }
  | to out
}
"#;
    rules_of(text, "user", "").remove(0)
}

fn observation(at: usize, of: &Login) -> Observation {
    let (city, country, lat, lon, _) = of.place();
    let [network, device, resource] =
        [of.network.to_string(), format!("device{}", of.device), format!("host{}", of.resource)];
    let aspects = [country, &network, &device, &resource].map(|text| (text.as_bytes(), 0));
    let mut traits = Vec::new();
    Traits { location: Some((lat, lon)), place: city.as_bytes(), aspects }.write(&mut traits);
    Observation {
        time_ns: of.time * 1_000_000_000,
        id: event(at, "users").encode(),
        rule: 0,
        sign: Sign::Hit,
        key: u64::from(of.user),
        value: 0,
        labels: format!("{{\"user\":\"user{}\"}}", of.user).into_bytes().into(),
        evidence: b"{}"[..].into(),
        traits: traits.into(),
    }
}

/// An alert with what the scorer asks of it.
struct Raised {
    user: u32,
    time: i64,
    score: f64,
    reason: String,
}

impl Raised {
    fn new(alert: &Alert) -> Self {
        let of: Value = serde_json::from_slice(&alert.line()).expect("json");
        let user = of["labels"]["user"].as_str().and_then(|user| user.strip_prefix("user"));
        Self {
            user: user.and_then(|user| user.parse().ok()).expect("a user"),
            time: alert.time.parse::<jiff::Timestamp>().expect("a time").as_second(),
            score: alert.score.expect("a score"),
            reason: alert.reason.clone(),
        }
    }

    fn is_of(&self, case: &Case) -> bool {
        self.user == case.user && (case.from..=case.to + AFTER).contains(&self.time)
    }
}

/// Found and planted cases of each kind, and the most alerts of a day.
fn measure(setting: &Setting) -> ([(u64, u64); 4], usize) {
    let (logins, cases) = company(setting, START);
    let mut engine = Engine::new(&[rule()]);
    let mut days = BTreeMap::<i64, Vec<Raised>>::new();
    let mut count = 0;
    for (at, login) in logins.iter().enumerate() {
        engine.take(observation(at, login), Duration::ZERO, None);
        for alert in engine.alerts() {
            let raised = Raised::new(&alert);
            count += 1;
            days.entry((raised.time - START).div_euclid(DAY)).or_default().push(raised);
        }
    }
    assert_eq!(engine.warnings(), Vec::<String>::new());
    let most = days.values().map(Vec::len).max().unwrap_or_default();
    let show = std::env::var_os("ALUDEL_SHOW").is_some();
    let mut found = [(0, 0); 4];
    // Of a user's alerts of a day the highest counts: the others were on the way to it.
    for alerts in days.values_mut() {
        alerts.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut seen = BTreeSet::new();
        alerts.retain(|alert| seen.insert(alert.user));
    }
    for case in &cases {
        found[case.kind].1 += 1;
        let is_found = days.values().any(|alerts| alerts.iter().take(BUDGET).any(|alert| alert.is_of(case)));
        found[case.kind].0 += u64::from(is_found);
        if show && !is_found {
            let best = days
                .values()
                .flatten()
                .filter(|alert| alert.is_of(case))
                .max_by(|a, b| a.score.total_cmp(&b.score));
            let day = (case.from - START).div_euclid(DAY);
            let fifth = days.get(&day).and_then(|alerts| alerts.get(BUDGET - 1)).map(|alert| alert.score);
            println!("FROM {} TO {}", case.from, case.to);
            println!(
                "missed {} of user{} on day {day}, fifth is {fifth:?}: {:?}",
                KINDS[case.kind],
                case.user,
                best.map(|of| (of.score, &of.reason))
            );
        }
    }
    if show {
        for (day, alerts) in &days {
            for alert in alerts.iter().take(BUDGET) {
                let kind =
                    cases.iter().find(|case| alert.is_of(case)).map_or("honest", |case| KINDS[case.kind]);
                println!("day {day} {} {kind}: {}", alert.score, alert.reason);
            }
        }
    }
    println!(
        "seed {}: {} events, {} cases, {count} alerts in {} days, at most {most} a day, {} KiB",
        setting.seed,
        logins.len(),
        cases.len(),
        setting.days - 7,
        engine.bytes() / 1024,
    );
    (found, most)
}

/// What is planted stands among the five highest alerts of its day, and nobody is flooded.
fn score(set: &str, setting: &Setting, seeds: &[u64], alerts_max: usize) {
    let mut all = [(0, 0); 4];
    for seed in scores::seeds(seeds) {
        let (found, most) = measure(&Setting { seed, ..setting.clone() });
        assert!(most <= alerts_max, "{most} alerts on one day");
        all.iter_mut().zip(found).for_each(|(all, of)| *all = (all.0 + of.0, all.1 + of.1));
    }
    for (kind, (found, planted)) in KINDS.into_iter().zip(all) {
        let measured = format!("{kind} within the 5 highest alerts of the day");
        scores::report(set, &measured, found, planted, 90.0);
    }
}

#[test]
fn misuse_is_among_the_highest_alerts_of_its_day() {
    score("users, a usual company", &USUAL, &[1, 2], 80);
}

#[test]
fn misuse_is_found_among_restless_people() {
    score("users, a restless company", &RESTLESS, &[11, 12], 120);
}

/// However many users there are and whatever they come with, profiles stay within their bound; that some were forgotten is
/// told, and who is seen again and again is not among them.
#[test]
fn profiles_stay_within_their_bound() {
    const NAMES: u32 = 30_000;
    let mut engine = Engine::new(&[rule()]);
    let (mut most, mut at) = (0, 0);
    let mut see = |engine: &mut Engine, user: u32, time: i64| {
        let of = Login {
            time: START + time,
            user,
            city: user as usize % 26,
            network: user,
            device: user as u16,
            resource: at as u16,
        };
        engine.take(observation(at, &of), Duration::ZERO, None);
        at += 1;
    };
    // Ten users on as many days as it takes to know them well, then names that nobody has.
    for hour in 0..40 * 24 {
        (0..10).for_each(|user| see(&mut engine, user, hour * 3600 + i64::from(user)));
    }
    for name in 0..NAMES {
        see(&mut engine, 1000 + name, 40 * DAY + i64::from(name));
        if name % 1000 == 0 {
            (0..10).for_each(|user| see(&mut engine, user, 40 * DAY + i64::from(name)));
        }
        most = most.max(engine.bytes());
    }
    engine.drain();
    // What is known of all of them together has a bound of its own, which these do not reach.
    let crowd = 80 * 65_536;
    assert!(most > BEHAVIOUR_STATE_BYTES_MAX, "{most} bytes: too few to reach the bound");
    assert!(most <= BEHAVIOUR_STATE_BYTES_MAX + crowd, "{most} bytes");
    let mut state = Vec::new();
    engine.save(&mut state);
    assert!(state.len() <= engine.bytes(), "{} bytes of {}", state.len(), engine.bytes());
    let said = engine.warnings();
    assert!(said.iter().any(|said| said.contains("keys were forgotten")), "{said:?}");
    assert!(!said.iter().any(|said| said.contains("found no place")), "{said:?}");
    // They are still known well: what is new to one of them raises an alert, and nothing else did.
    assert!(engine.alerts().iter().all(|alert| alert.detector == "user_behaviour" && alert.score.is_some()));
}
