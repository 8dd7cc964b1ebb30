//! Benign requests through gate and detectors: path, query, referrer and agent of each; decisions on whether a key keeps
//! to its limit, among a thousand and a million keys; requests held against what their page usually has; and values looked
//! up among three million entries of lists.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use aludel::detect::stateful::gcra::{Gcra, Quota, Semantics, Verdict};
use aludel::detect::stateful::{Engine, Observation, Rule, Sign};
use aludel::detect::threat::{List, Probe, Terms, read};
use aludel::detect::{Judge, Kind, Pool};
use aludel::event::{OptionValue, Options};
use aludel::position::{EventId, PipelineTag, StreamId};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Requests of visitors: path, query, referrer, agent.
const REQUESTS: &[[&str; 4]] = &[
    ["/static/js/app.min.js", "v=20260101", "https://shop.example/", FIREFOX],
    ["/item/4711/blue-shoes", "", "https://shop.example/search?q=shoes", CHROME],
    ["/search", "q=running+shoes&page=2&sort=price", "https://shop.example/", CHROME],
    ["/images/logo@2x.png", "", "https://shop.example/cart", FIREFOX],
    ["/api/v1/cart/items", "session=8c1f2a77&currency=EUR", "https://shop.example/cart", CHROME],
    ["/healthz", "", "-", "kube-probe/1.30"],
];
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";

fn benign(criterion: &mut Criterion) {
    let judge = Judge::new("web_attack", &Options::default()).expect("a detector");
    let pool = Pool::default();
    let mut group = criterion.benchmark_group("detect");
    group.throughput(Throughput::Elements(REQUESTS.len() as u64));
    group.bench_function("benign requests", |bench| {
        let (mut hits, mut found) = (Vec::new(), Vec::new());
        bench.iter(|| {
            found.clear();
            for request in REQUESTS {
                for (value, kind) in
                    request.iter().zip([Kind::Path, Kind::Query, Kind::Referrer, Kind::Agent])
                {
                    judge.find(black_box(value.as_bytes()), kind, &pool, &mut hits, &mut found);
                }
            }
            assert!(found.is_empty());
        });
    });
    group.finish();
}

const SECOND: i64 = 1_000_000_000;
/// Decisions of one iteration.
const DECISIONS: u64 = 1 << 20;

/// Spreads a number over all bits of a key, as a hash does.
fn key(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
}

fn rate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rate");
    group.throughput(Throughput::Elements(DECISIONS));
    for keys in [1_000, 1_000_000] {
        let quota = Quota::new(60, 60 * SECOND, Some(10), Semantics::Nginx).expect("a quota");
        let mut table = Gcra::new(quota);
        for number in 0..keys {
            assert_eq!(table.decide(key(number), 0), Verdict::Within);
        }
        let (mut dice, mut clock) = (7_u64, 0_i64);
        group.bench_function(format!("{keys} keys"), |bench| {
            bench.iter(|| {
                let mut over = 0_u64;
                for _ in 0..DECISIONS {
                    dice =
                        dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    clock += 100;
                    let verdict = table.decide(key((dice >> 33) % keys), clock);
                    over += u64::from(verdict == Verdict::Over);
                }
                black_box(over)
            });
        });
    }
    group.finish();
}

/// A rule of floods with the options' defaults.
fn flood_rule(keys: &[String]) -> Rule {
    let (text, seconds) =
        (|of: &str| OptionValue::Text(of.into()), |of| OptionValue::Duration(Duration::from_secs(of)));
    let values = vec![
        ("name", text("pages")),
        ("severity", text("high")),
        ("season", text("week")),
        ("window", seconds(60)),
        ("learn", seconds(2 * 86_400)),
        ("half_life", seconds(14 * 86_400)),
        ("quiet", seconds(600)),
        ("at_least", OptionValue::Int(100)),
        ("factor", OptionValue::Int(3)),
    ];
    Rule::new("web", "flood", &Options::new(Vec::new(), values), keys, "source.ip").expect("a rule")
}

/// Observations of one iteration, all within the time of one window: so many that all keys have a baseline.
const OBSERVATIONS: u64 = 1 << 16;

/// Requests of visitors who come from ten thousand addresses: as one key, as ten sites, as a thousand pages. What a worker made
/// of them is cloned on the way, which stands for reading it back.
fn flood(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flood");
    group.throughput(Throughput::Elements(OBSERVATIONS));
    group.sample_size(10);
    let id = |at: u64| {
        let (stream, pipeline) = (StreamId(1), PipelineTag::new("web"));
        EventId { stream, generation: 0, lane: 0, pipeline, start: at, end: at + 1, part: 0 }.encode()
    };
    let mut dice = 7_u64;
    let mut seen: Vec<Observation> = (0..OBSERVATIONS)
        .map(|at| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let source = (dice >> 33) % 10_000;
            Observation {
                time_ns: 0,
                id: id(at),
                rule: 0,
                sign: Sign::Hit,
                key: dice >> 48,
                value: key(source),
                labels: b"{\"url.path\":\"/item/4711/blue-shoes\"}"[..].into(),
                evidence: b"{\"source.ip\":\"203.0.113.7\"}"[..].into(),
                traits: Ipv4Addr::from(key(source) as u32).to_string().into_bytes().into(),
            }
        })
        .collect();
    for keys in [1, 10, 1000] {
        let names = if keys == 1 { Vec::new() } else { vec!["url.path".to_owned()] };
        let mut engine = Engine::new(&[flood_rule(&names)]);
        let mut minute = 0;
        group.bench_function(format!("{keys} keys"), |bench| {
            bench.iter(|| {
                for (at, of) in seen.iter_mut().enumerate() {
                    of.time_ns = (minute * 60 + at as i64 * 60 / OBSERVATIONS as i64) * SECOND;
                    let of = Observation { key: key(of.key % keys), ..of.clone() };
                    engine.take(of, Duration::ZERO, None);
                }
                minute += 1;
                black_box(engine.alerts().len())
            });
        });
    }
    group.finish();
}

/// A list of a million lines.
fn list(line: impl Fn(u64) -> String) -> List {
    let text: Vec<String> = (0..1_000_000).map(line).collect();
    read(&mut text.join("\n").as_bytes(), &Terms::default()).expect("a list").0
}

/// Addresses with networks among them, domains and hashes: a million of each, and what of them is held.
fn threat(criterion: &mut Criterion) {
    let address = |number: u64| {
        let [a, b, c, d, ..] = key(number).to_be_bytes();
        match number % 10 {
            0 => format!("{a}.{b}.{c}.0/24"),
            1 => format!("2001:db8:{a:x}:{b:x}::{c:x}{d:02x}"),
            _ => format!("{a}.{b}.{c}.{d}"),
        }
    };
    let domain = |number: u64| format!("{:012x}.example", key(number) >> 16);
    let hash =
        |number: u64| (0..4).map(|part| format!("{:016x}", key(number * 4 + part))).collect::<String>();
    let lists = [list(address), list(domain), list(hash)];
    let bytes: usize = lists.iter().map(List::bytes).sum();
    assert!(bytes <= 64 << 20, "{bytes} bytes are held");
    let value = |number: u64| [address(number * 10 + 5), format!("www.{}", domain(number)), hash(number)];
    let mut group = criterion.benchmark_group("threat");
    group.throughput(Throughput::Elements(3 * 1024));
    for (name, from) in [("listed", 0), ("not listed", 2_000_000)] {
        let values: Vec<String> = (from..from + 1024).map(|number| number * 17).flat_map(value).collect();
        group.bench_function(name, |bench| {
            let (mut probe, mut found) = (Probe::default(), Vec::new());
            bench.iter(|| {
                found.clear();
                for value in &values {
                    probe.set(black_box(value.as_bytes()), true);
                    lists.iter().for_each(|list| list.find(&probe, 0, &mut found));
                }
                black_box(found.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, benign, rate, flood, threat);
criterion_main!(benches);
