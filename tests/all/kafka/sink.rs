//! The sink against a real broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::{Clock, RealClock, RealFs};
use aludel::sink::http::HttpNetwork;
use aludel::sink::{Body, Next, SinkPlan, World};

use super::broker::{Broker, Program};
use super::rows::{bodies, number, plan, text};

const DEADLINE: Duration = Duration::from_secs(120);

/// What became of all rows.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) delivered: u32,
    repeated: u32,
    pub(crate) rejected: Vec<(u64, String)>,
    pub(crate) said: BTreeSet<String>,
    done: bool,
}

/// Hands bodies to a sink of its own and lets it work until it is done, or `stop` says so. Sinks of one host have one
/// transactional id.
pub(crate) fn ship(
    host: &str,
    plan: &dyn SinkPlan,
    bodies: Vec<Body>,
    stop: &dyn Fn(&Total) -> bool,
) -> Total {
    let woken = Arc::new((Mutex::new(false), Condvar::new()));
    let signal = Arc::clone(&woken);
    let clock = RealClock::start();
    let world = World {
        fs: Arc::new(RealFs),
        clock: Arc::new(clock),
        network: Arc::new(HttpNetwork::start().expect("a network")),
        data_dir: std::env::temp_dir(),
        host: Arc::from(host.as_bytes()),
        wake: Arc::new(move || {
            *signal.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            signal.1.notify_all();
        }),
    };
    let (mut sink, _) = plan.open(world).expect("opens");
    sink.begin(bodies.first().map_or(0, |body| body.provenance.batch));
    for body in bodies {
        sink.offer(body, clock.monotonic());
    }
    sink.close();
    let (mut total, mut settled) = (Total::default(), Vec::new());
    loop {
        let now = clock.monotonic();
        assert!(now < DEADLINE, "{total:?}");
        let next = sink.step(now, &mut settled);
        total.said.extend(sink.trouble());
        for done in settled.drain(..) {
            total.delivered += done.delivered;
            total.repeated += done.repeated;
            let rejected = done.rejected.into_iter();
            total.rejected.extend(rejected.map(|(why, row)| (number(&row.expect("the row")), why.reason)));
        }
        let wait = match next {
            Next::Done => {
                total.done = true;
                return total;
            }
            _ if stop(&total) => return total,
            Next::Again => continue,
            Next::At(at) => at.saturating_sub(now),
            Next::Idle => Duration::from_millis(500),
        };
        let flag = woken.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*flag {
            drop(woken.1.wait_timeout(flag, wait.min(Duration::from_millis(500))));
        } else {
            drop(flag);
        }
        *woken.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

fn to_end(_: &Total) -> bool {
    false
}

fn numbers(broker: &Broker, topic: &str) -> Vec<u64> {
    broker.read(topic, "read_committed").iter().map(|record| number(record.value.as_bytes())).collect()
}

/// Topics by field, keys, ids, and the same rows again from another process, with every way to compress.
#[test]
fn rows_are_records_and_come_once() {
    let broker = match Broker::shared() {
        Ok(broker) => broker,
        Err(why) => return super::skip(&why),
    };
    for topic in ["rows-web", "rows-db", "rows-Worker_1", "other"] {
        broker.make_topic(topic, 3);
    }
    let mut first = 0;
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let options =
            [("compression", text(compression)), ("key", super::rows::template("k{.service.name}"))];
        let plan = plan(&broker.address(), "rows-{.service.name}", &options);
        let pad = |n: u64| n as usize % 300;
        let total = ship("rows", &*plan, bodies(&*plan, first, 4, 100, &pad), &to_end);
        assert_eq!((total.delivered, total.repeated, total.rejected.len()), (400, 0, 0), "{total:?}");
        // Another process with the same name is offered the last two batches again, and a new one.
        let total = ship("rows", &*plan, bodies(&*plan, first + 2, 3, 100, &pad), &to_end);
        assert_eq!((total.delivered, total.repeated), (300, 200), "{total:?}");
        first += 5;
    }
    let mut seen = BTreeMap::new();
    for (at, topic) in ["rows-web", "rows-db", "rows-Worker_1", "other"].into_iter().enumerate() {
        let read = broker.read(topic, "read_committed");
        let numbers: Vec<u64> = read.iter().map(|record| number(record.value.as_bytes())).collect();
        let ids: BTreeSet<_> = read.iter().map(|record| record.id.clone()).collect();
        assert_eq!((read.len(), ids.len()), (625, 625), "{topic}");
        assert!(numbers.iter().all(|n| *n as usize % 4 == at), "{topic}");
        if topic != "other" {
            assert!(numbers.is_sorted(), "one key, one partition, in order");
            assert_eq!(read.iter().map(|record| record.partition).collect::<BTreeSet<_>>().len(), 1);
            assert!(read.iter().all(|record| record.key.as_ref().is_some_and(|key| key.starts_with('k'))));
        } else {
            assert!(read.iter().all(|record| record.key.is_none()));
        }
        numbers.into_iter().for_each(|n| *seen.entry(n).or_insert(0) += 1);
    }
    assert!(seen.len() == 2500 && seen.values().all(|times| *times == 1));
}

/// What a broker refuses is rejected, row by row; a topic that is not there holds everything, and says so.
#[test]
fn refused_rows_and_missing_topics() {
    let broker = match Broker::shared() {
        Ok(broker) => broker,
        Err(why) => return super::skip(&why),
    };
    // Of these the broker refuses some (it takes 200,000 bytes), and the sink one before they are sent.
    let pad = |n: u64| match n {
        150 => 600_000,
        n if n % 50 == 7 => 250_000,
        n => n as usize % 100,
    };
    let refused: BTreeSet<u64> = (0..200).filter(|n| n % 50 == 7).collect();
    for transactions in [true, false] {
        let topic = format!("refused-{transactions}");
        broker.make_topic(&topic, 1);
        let options = [
            ("transactions", OptionValue::Bool(transactions)),
            ("message_bytes", OptionValue::Int(500_000)),
            ("compression", text("none")),
        ];
        let plan = plan(&broker.address(), &topic, &options);
        let total = ship(&topic, &*plan, bodies(&*plan, 0, 4, 50, &pad), &to_end);
        assert_eq!(total.rejected.iter().map(|(n, _)| *n).collect::<BTreeSet<_>>(), refused, "{total:?}");
        assert!(total.rejected.iter().all(|(_, why)| why.to_lowercase().contains("too large")), "{total:?}");
        assert_eq!(total.delivered, 195);
        let read: BTreeSet<u64> = numbers(&broker, &topic).into_iter().collect();
        assert_eq!(read.len(), 195);
        assert!(read.is_disjoint(&refused));

        let topic = format!("missing-{transactions}");
        let plan = super::rows::plan(&broker.address(), &topic, &options[..1]);
        let rows = || bodies(&*plan, 1000, 2, 50, &|_| 10);
        let held = |total: &Total| total.said.iter().any(|line| line.contains("rows wait and go"));
        let total = ship(&topic, &*plan, rows(), &held);
        assert_eq!((total.delivered, total.done), (0, false), "{total:?}");
        assert!(total.said.iter().any(|line| line.contains("Unknown topic")), "{total:?}");
        broker.make_topic(&topic, 1);
        assert_eq!(ship(&topic, &*plan, rows(), &to_end).delivered, 100);
        assert_eq!(numbers(&broker, &topic).into_iter().collect::<BTreeSet<_>>().len(), 100);
    }
}

/// A broker that dies and comes back under load: nothing lost, with transactions nothing twice and all of it in order.
#[test]
fn a_broker_that_dies_under_load() {
    let broker = match Broker::start() {
        Ok(broker) => broker,
        Err(why) => return super::skip(&why),
    };
    let folder = tempfile::tempdir().expect("a folder");
    for topic in ["once", "least"] {
        broker.make_topic(topic, 1);
    }
    let pipeline = folder.path().join("bounce.aludel");
    let sink = |name: &str, more: &str| {
        format!(
            "sink {name} = kafka \"{}\" {{ topic = \"{name}\", format = text{more} }}\n",
            broker.address()
        )
    };
    let text = format!(
        "source logs = files \"in.log\" {{ format = lines, start = beginning }}\n{}{}\
         sink there = file \"out.txt\" {{ format = text }}\npipeline p {{ from logs | to once, least, there }}\n",
        sink("once", ""),
        sink("least", ", transactions = false"),
    );
    fs::write(&pipeline, text).expect("written");
    let mut log = File::create(folder.path().join("in.log")).expect("a file");
    let data = folder.path().join("data");
    let program = Program::start(&pipeline, &data, &["--quiet"]);
    let mut number = 0;
    let mut write = |lines: u64| {
        for _ in 0..lines {
            writeln!(log, "line {number}").expect("written");
            number += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (0..75).for_each(|_| write(20));
    for _ in 0..2 {
        broker.kill();
        (0..50).for_each(|_| write(20));
        // What needs no Kafka goes on.
        let there = fs::read_to_string(folder.path().join("out.txt")).expect("written").lines().count();
        assert!(there > 1500, "{there} lines");
        broker.run().expect("starts again");
        (0..50).for_each(|_| write(20));
    }
    program.terminate();
    let said = program.end();
    assert!(said.contains("in flight 0"), "{said}");
    // What was written after the last look is read by another.
    let said = said + &Program::start(&pipeline, &data, &["--once"]).end();
    let values = |topic: &str| -> Vec<u64> {
        let read = broker.read(topic, "read_committed");
        read.iter()
            .map(|record| record.value.strip_prefix("line ").expect("a line").parse().expect("a number"))
            .collect()
    };
    let (once, least) = (values("once"), values("least"));
    eprintln!(
        "kafka: a broker died twice, {number} lines: {} once, {} at least once\n{said}",
        once.len(),
        least.len()
    );
    assert_eq!(once, (0..number).collect::<Vec<_>>());
    assert_eq!(least.iter().copied().collect::<BTreeSet<_>>(), (0..number).collect());
}
