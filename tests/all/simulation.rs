//! The whole product on one thread, from a seed: a writer appends and rotates, the source reads, workers parse, the
//! sink ships over a network that misbehaves, the power fails, and it starts again. In the end every line is in
//! the cluster once, under one id.
//!
//! A failing seed is a test case: `ALUDEL_SEED=7 cargo test --test all simulation`.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aludel::catalog::{self, Runnable};
use aludel::lang;
use aludel::run::{Job, Message, Opened, Outlet, Read, Reader, Settings, Settler, Worker};
use aludel::seam::sim::{Dice, SimClock, SimFs};
use aludel::seam::{Clock, Fs};
use aludel::sink::{Body, Endpoint, Network, Next, Request, Response, Transport, World};
use aludel::spool::CursorLog;
use bytes::Bytes;

use crate::elasticsearch::bulk_server::{Fault, Reply, Store};

const SEEDS: u64 = 10;
const CRASHES: usize = 4;
const LINES: u64 = 400;

const PIPELINE: &str = r#"
source pods = files "/logs/*" { start = beginning, line_wait = 1s }
sink es = elasticsearch "http://a:9200", "http://b:9200" { data_stream = "logs-sim-default", body_bytes = 2KiB }
pipeline sim {
  from pods
  | drop "noise" when .message contains "noise"
  # A file that was renamed is read on under its new name.
  | remove .log.file.path
  | to es
}
"#;

/// The cluster, and the wires to it. It outlives crashes of the process.
struct Cluster {
    store: Store,
    dice: Dice,
    clock: Arc<SimClock>,
    faults: usize,
    answers: Vec<(Duration, u64, u64, Result<Response, String>)>,
    wires: u64,
}

#[derive(Clone)]
struct Net(Arc<Mutex<Cluster>>);

impl Net {
    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Wire(Net, u64);

impl Network for Net {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        let mut cluster = self.lock();
        cluster.wires += 1;
        Ok(Box::new(Wire(self.clone(), cluster.wires)))
    }
}

impl Transport for Wire {
    fn start(&mut self, ticket: u64, request: Request) {
        let cluster = &mut *self.0.lock();
        if cluster.faults > 0 && cluster.dice.one_in(3) {
            cluster.faults -= 1;
            let fault = match cluster.dice.below(7) {
                0 => Fault::Status(429, 1),
                1 => Fault::Status(503, 0),
                2 => Fault::Items(2, 429),
                3 => Fault::Reset,
                4 => Fault::TakenThenReset,
                5 => Fault::HalfAnswer,
                _ => Fault::TakenThenSilent,
            };
            cluster.store.script.push_back(fault);
        }
        let gzip = request.headers.iter().any(|(name, _)| *name == "content-encoding");
        let soon = Duration::from_millis(1 + cluster.dice.below(50));
        let (delay, answer) =
            match cluster.store.answer((request.method, &request.path), &request.body, gzip, None) {
                Reply::Response(status, after, text) => {
                    let retry_after = (after > 0).then(|| Duration::from_secs(after));
                    (soon, Ok(Response { status, retry_after, body: Bytes::from(text) }))
                }
                Reply::Half(_) | Reply::Reset => (soon, Err("connection reset".to_owned())),
                Reply::Silent => (request.timeout, Err("timed out".to_owned())),
            };
        let at = cluster.clock.monotonic() + delay;
        cluster.answers.push((at, self.1, ticket, answer));
    }

    fn poll(&mut self) -> Option<(u64, Result<Response, String>)> {
        let mut cluster = self.0.lock();
        let now = cluster.clock.monotonic();
        let at = cluster.answers.iter().position(|(at, wire, ..)| *wire == self.1 && *at <= now)?;
        let (_, _, ticket, answer) = cluster.answers.swap_remove(at);
        Some((ticket, answer))
    }
}

fn plan() -> Arc<Runnable> {
    let (file, errors) = lang::parse(PIPELINE);
    assert!(errors.is_empty(), "{errors:?}");
    let machine = catalog::Machine { folder: ".".into() };
    let (plan, errors) = lang::check(&file, &catalog::signatures(), &machine);
    assert!(errors.is_empty(), "{errors:?}");
    Arc::new(catalog::build(plan.expect("a plan")).expect("it can be built"))
}

/// One life of the process.
struct Process {
    reader: Reader,
    workers: Vec<Worker>,
    outlet: Outlet,
    settler: Settler,
    jobs: VecDeque<Job>,
    bodies: VecDeque<Body>,
    number: u64,
    ended: bool,
}

impl Process {
    fn start(plan: &Arc<Runnable>, settings: &Settings) -> Self {
        let (log, _) =
            CursorLog::open(settings.fs.clone(), &settings.data_dir).expect("the cursor log opens");
        let world = World {
            fs: settings.fs.clone(),
            clock: settings.clock.clone(),
            network: settings.network.clone(),
            data_dir: settings.data_dir.clone(),
            host: Arc::from(&b"host"[..]),
            wake: Arc::new(|| {}),
        };
        let (sink, recovered) = plan.sinks[0].plan.open(world).expect("the sink opens");
        assert!(recovered.is_empty());
        let cursors = Arc::new(log.cursors(&[("es", true)]));
        let world = aludel::source::World {
            fs: settings.fs.clone(),
            clock: settings.clock.clone(),
            data_dir: settings.data_dir.clone(),
            host: Arc::from(&b"simulated"[..]),
        };
        let source = plan.sources[0].plan.open(world, cursors).expect("the source opens");
        let stats = plan.stats();
        let worker = || Worker::new(plan.clone(), stats.clone()).expect("a worker");
        Self {
            reader: Reader::new(source, 0, stats.clone()),
            workers: vec![worker(), worker()],
            outlet: Outlet::new(sink),
            settler: Settler::new(plan, settings, log),
            jobs: VecDeque::new(),
            bodies: VecDeque::new(),
            number: 0,
            ended: false,
        }
    }

    fn read(&mut self, settings: &Settings) {
        let now = settings.clock.monotonic();
        match self.reader.step(now, settings.clock.now_unix_ns(), &mut Vec::new()) {
            Read::Batch(batch) => {
                let job = Job::new(self.number, 0, batch);
                self.number += 1;
                let opened = Opened::of(&job.batch);
                let message = Message::Handed { provenance: job.provenance.clone(), opened };
                self.settler.take(message, 0);
                self.jobs.push_back(job);
            }
            Read::More | Read::Wait(_) => {}
            Read::End => self.ended = true,
        }
    }

    fn work(&mut self, dice: &mut Dice) {
        let at = dice.below(self.jobs.len() as u64) as usize;
        let Some(job) = self.jobs.remove(at) else { return };
        let worker = dice.below(2) as usize;
        let outcome = self.workers[worker].process(job);
        let message = Message::Processed {
            provenance: outcome.provenance,
            source: 0,
            sinks: u64::MAX,
            expected: vec![outcome.bodies.len() as u32],
            unsent: outcome.unsent,
            letters: outcome.letters,
        };
        self.settler.take(message, 0);
        self.bodies.extend(outcome.bodies.into_iter().map(|(_, body)| body));
    }

    fn ship(&mut self, now: Duration) {
        if let Some(body) = self.bodies.pop_front() {
            self.outlet.offer(body, now);
        }
        for settled in self.outlet.step(now).settled {
            self.settler.take(Message::Settled { sink: 0, settled }, 0);
        }
    }

    fn flush(&mut self) {
        // A full disk: the ranges stay dirty.
        for (_, stream, low) in self.settler.flush().unwrap_or_default() {
            self.reader.source.settled(&stream, low);
        }
    }
}

/// Other programs, which append to two files and rotate them.
struct Writers {
    next: u64,
    rotations: u64,
}

impl Writers {
    fn write(&mut self, fs: &SimFs, clock: &SimClock, dice: &mut Dice) {
        let log = format!("/logs/{}.log", dice.below(2));
        if dice.one_in(40) {
            self.rotations += 1;
            let _ = fs.rename(Path::new(&log), Path::new(&format!("{log}.{}", self.rotations)));
        }
        if self.next == LINES {
            return;
        }
        let ms = clock.now_unix_ns() / 1_000_000 % 1000;
        let noise = if self.next.is_multiple_of(10) { "noise " } else { "" };
        let line = format!("2026-11-23T10:00:00.{ms:03}Z stdout F {noise}line {}\n", self.next);
        fs.write(Path::new(&log), line.as_bytes()).expect("the writers' disk is well");
        self.next += 1;
    }
}

fn simulate(seed: u64) {
    let clock = Arc::new(SimClock::at(1_764_000_000_000_000_000));
    let fs = SimFs::new(seed, clock.clone());
    fs.make_folder(Path::new("/logs")).expect("a folder");
    fs.make_folder(Path::new("/data")).expect("a folder");
    let cluster = Cluster {
        store: Store::default(),
        dice: Dice::new(seed ^ 0xc1u64),
        clock: clock.clone(),
        faults: 30,
        answers: Vec::new(),
        wires: 0,
    };
    let net = Net(Arc::new(Mutex::new(cluster)));
    let settings = Settings {
        data_dir: "/data".into(),
        workers: 2,
        once: false,
        fs: Arc::new(fs.clone()),
        clock: clock.clone(),
        network: Arc::new(net.clone()),
    };
    let plan = plan();
    let mut dice = Dice::new(seed);
    let mut writers = Writers { next: 0, rotations: 0 };
    for life in 0..=CRASHES {
        let last = life == CRASHES;
        let mut process = Process::start(&plan, &settings);
        let steps = if last { usize::MAX } else { 100 + dice.below(900) as usize };
        let mut quiet = 0;
        for _ in 0..steps {
            clock.advance(Duration::from_millis(dice.below(20)));
            match dice.below(5) {
                0 => writers.write(&fs, &clock, &mut dice),
                1 => process.read(&settings),
                2 => process.work(&mut dice),
                3 => process.ship(clock.monotonic()),
                _ => process.flush(),
            }
            if last && writers.next == LINES {
                let backlog = process.reader.source.backlog();
                let idle = backlog.unread_bytes == 0 && process.jobs.is_empty() && process.bodies.is_empty();
                quiet = if idle { quiet + 1 } else { 0 };
                if quiet > 20_000 {
                    break;
                }
            }
        }
        if last {
            finish(&mut process, &settings, &clock);
            let ledger = process.settler.ledger();
            assert!(ledger.balances(), "seed {seed}: {ledger:?}");
        }
        drop(process);
        fs.crash(Path::new("/data"));
    }
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    for document in net.lock().store.documents.values() {
        let document: serde_json::Value = serde_json::from_str(document).expect("a document");
        let message = document["message"].as_str().expect("a message");
        let number = message.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        *seen.entry(number).or_default() += 1;
    }
    let expected: BTreeMap<u64, usize> =
        (0..LINES).filter(|line| !line.is_multiple_of(10)).map(|line| (line, 1)).collect();
    assert_eq!(seen, expected, "seed {seed}");
}

/// Lets everything go through and be settled.
fn finish(process: &mut Process, settings: &Settings, clock: &SimClock) {
    process.reader.source.finish();
    for _ in 0..1_000_000 {
        clock.advance(Duration::from_millis(5));
        process.read(settings);
        process.work(&mut Dice::new(1));
        if process.ended && process.jobs.is_empty() && process.bodies.is_empty() {
            process.outlet.close();
        }
        if process.bodies.is_empty() {
            let stepped = process.outlet.step(clock.monotonic());
            for settled in stepped.settled {
                process.settler.take(Message::Settled { sink: 0, settled }, 0);
            }
            if stepped.next == Next::Done {
                process.flush();
                return;
            }
        } else {
            process.ship(clock.monotonic());
        }
        process.flush();
    }
    panic!("it does not come to an end");
}

/// Whatever fails, every line is in the cluster once, and every byte is in the ledger.
#[test]
fn nothing_is_lost_and_nothing_twice() {
    if let Some(seed) = std::env::var("ALUDEL_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return simulate(seed);
    }
    (0..SEEDS).for_each(simulate);
}
