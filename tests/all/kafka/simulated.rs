//! The sink's state machine over a cluster that misbehaves from a seed, with crashes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::Clock;
use aludel::seam::kafka::Brokers;
use aludel::seam::kafka::simulated::Simulated;
use aludel::seam::sim::{Dice, SimClock, SimFs};
use aludel::sink::{Endpoint, Network, Next, Sink, SinkPlan, Transport, World};

use super::rows::{bodies, number, plan};

const SEEDS: u64 = 40;
const BATCHES: u64 = 30;
const ROWS: u64 = 10;

struct Net(Simulated);

impl Network for Net {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err("only Kafka here".to_owned())
    }

    fn kafka(&self) -> Option<&dyn Brokers> {
        Some(&self.0)
    }
}

fn open(plan: &dyn SinkPlan, cluster: &Simulated, clock: &Arc<SimClock>) -> Box<dyn Sink> {
    let world = World {
        fs: Arc::new(SimFs::new(1, clock.clone())),
        clock: clock.clone(),
        network: Arc::new(Net(cluster.clone())),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
        wake: Arc::new(|| {}),
    };
    let (sink, recovered) = plan.open(world).expect("opens");
    assert!(recovered.is_empty());
    sink
}

/// What all lives of one seed saw.
#[derive(Default)]
struct Seen {
    settled: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
    repeated: u32,
    said: BTreeSet<String>,
}

/// Runs lives until all is settled; a life may end at any step, and the next one is offered what was not settled, and
/// some that was: cursors of the process are written later than those in the log.
fn run(seed: u64, transactions: bool) -> (Simulated, Seen) {
    let mut dice = Dice::new(seed);
    let clock = Arc::new(SimClock::at(0));
    let cluster = Simulated::new(seed, clock.clone(), 25);
    cluster.state().refuses = |record| number(&record.value) % 41 == 7;
    let plan = plan("sim:9092", "rows", &[("transactions", OptionValue::Bool(transactions))]);
    let mut seen = Seen::default();
    for life in 0..200 {
        let first = (0..BATCHES).find(|batch| !seen.settled.contains(batch)).unwrap_or(BATCHES);
        if first == BATCHES {
            return (cluster, seen);
        }
        let first = first.saturating_sub(dice.below(4));
        let mut sink = open(&*plan, &cluster, &clock);
        sink.begin(first);
        let mut waiting = bodies(&*plan, first, BATCHES - first, ROWS, &|n| n as usize % 40);
        let rows: BTreeMap<u64, Vec<u64>> =
            (first..BATCHES).map(|batch| (batch, (batch * ROWS..(batch + 1) * ROWS).collect())).collect();
        let mut steps = if life < 6 { 5 + dice.below(60) } else { 100_000 };
        let mut settled = Vec::new();
        while steps > 0 {
            steps -= 1;
            let now = clock.monotonic();
            if !waiting.is_empty() && dice.one_in(2) {
                // Workers race.
                let at = dice.below(waiting.len().min(3) as u64) as usize;
                sink.offer(waiting.remove(at), now);
                if waiting.is_empty() {
                    sink.close();
                }
            }
            let next = sink.step(now, &mut settled);
            seen.said.extend(sink.trouble());
            for done in settled.drain(..) {
                seen.settled.insert(done.provenance.batch);
                seen.repeated += done.repeated;
                for (rejection, row) in &done.rejected {
                    let number = rows[&done.provenance.batch][rejection.row as usize];
                    assert_eq!(number, self::number(row.as_ref().expect("the row")), "seed {seed}");
                    seen.rejected.insert(number);
                }
            }
            if next == Next::Done {
                break;
            }
            clock.advance(Duration::from_millis(1 + dice.below(30)));
        }
    }
    panic!("seed {seed}: never finished, {:?}", seen.said);
}

/// However the cluster misbehaves and whenever the process dies: each row is in the log once, in order, or rejected.
#[test]
fn transactions_lose_nothing_and_repeat_nothing() {
    let mut repeated = 0;
    for seed in 0..SEEDS {
        let (cluster, seen) = run(seed, true);
        let numbers: Vec<u64> = cluster.state().log.iter().map(|record| number(&record.value)).collect();
        let expected: Vec<u64> = (0..BATCHES * ROWS).filter(|n| n % 41 != 7).collect();
        assert_eq!(numbers, expected, "seed {seed}");
        assert_eq!(seen.rejected, (0..BATCHES * ROWS).filter(|n| n % 41 == 7).collect(), "seed {seed}");
        repeated += seen.repeated;
    }
    assert!(repeated > 0, "some were found to be there already");
}

/// Without transactions nothing is lost, and what comes twice has the same id.
#[test]
fn without_transactions_nothing_is_lost() {
    let mut twice = 0;
    for seed in 0..SEEDS {
        let (cluster, _) = run(seed, false);
        let mut ids: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let state = cluster.state();
        for record in &state.log {
            ids.entry(number(&record.value)).or_default().insert(record.id.clone());
        }
        let expected: BTreeSet<u64> = (0..BATCHES * ROWS).filter(|n| n % 41 != 7).collect();
        assert_eq!(ids.keys().copied().collect::<BTreeSet<_>>(), expected, "seed {seed}");
        assert!(ids.values().all(|ids| ids.len() == 1), "seed {seed}");
        twice += state.log.len() - expected.len();
    }
    assert!(twice > 0, "crashes repeat rows, or this test shows nothing");
}

/// A process that takes the name over stops the one that had it, which says so; together they lose and repeat nothing.
#[test]
fn who_is_fenced_says_so() {
    let clock = Arc::new(SimClock::at(0));
    let cluster = Simulated::new(1, clock.clone(), 0);
    let plan = plan("sim:9092", "rows", &[]);
    let mut sinks = [open(&*plan, &cluster, &clock), open(&*plan, &cluster, &clock)];
    let mut said = BTreeSet::new();
    let mut done = [false; 2];
    for sink in &mut sinks {
        for body in bodies(&*plan, 0, 5, ROWS, &|_| 3) {
            sink.offer(body, Duration::ZERO);
        }
        sink.close();
    }
    for _ in 0..10_000 {
        for (sink, done) in sinks.iter_mut().zip(&mut done) {
            *done = *done || sink.step(clock.monotonic(), &mut Vec::new()) == Next::Done;
            said.extend(sink.trouble());
        }
        if done == [true; 2] {
            break;
        }
        clock.advance(Duration::from_millis(7));
    }
    assert_eq!(done, [true; 2], "{said:?}");
    assert!(said.iter().any(|line| line.contains("taken over the transactional id")), "{said:?}");
    let numbers: Vec<u64> = cluster.state().log.iter().map(|record| number(&record.value)).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<u64>>());
}
