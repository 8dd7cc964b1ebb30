//! The sink on a virtual clock and a virtual network that misbehaves from a seed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::{Clock, RealFs};
use aludel::sink::{Body, Endpoint, Network, Next, Request, Response, Transport, World};
use bytes::Bytes;
use proptest::prelude::*;

use super::bulk_server::{Fault, Reply, Store};
use super::rows::{Total, bodies, number, plan};

/// One cluster behind several nodes, and the requests under way.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) now: Duration,
    pub(crate) seed: u64,
    /// Requests that may still go wrong.
    pub(crate) faults: usize,
    /// Whether the process is only cut off from some requests, and for how long they are at work then at most.
    pub(crate) faults_late: Option<Duration>,
    /// When the requests in [`Store::late`] are done.
    pub(crate) late: Vec<Duration>,
    most_in_flight: usize,
    pub(crate) open: usize,
    /// Answers on their way: when they arrive, at which transport, ticket, answer.
    pub(crate) answers: Vec<(Duration, usize, u64, Result<Response, String>)>,
    transports: usize,
}

impl Cluster {
    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// Lets time pass. Requests that the process was cut off from are done by the way.
    pub(crate) fn pass_to(&mut self, to: Duration) {
        self.now = to;
        while let Some(at) = self.late.iter().position(|done| *done <= to) {
            self.late.swap_remove(at);
            self.store.arrive(at);
        }
    }

    fn fault(&mut self) -> Fault {
        self.faults -= 1;
        if self.faults_late.is_some() && self.random(4) == 0 {
            return Fault::Late;
        }
        match self.random(14) {
            0 => Fault::Status(429, self.random(3)),
            1 => Fault::Status(503, 0),
            2 => Fault::Status(401, 0),
            3 => Fault::Status(403, 5),
            4 => Fault::Status(404, 0),
            5 => Fault::Items(1 + self.random(4) as usize, 429),
            6 => Fault::Items(1 + self.random(4) as usize, 503),
            7 => Fault::Items(2 + self.random(9) as usize, 403),
            8 => Fault::TooLarge(1 + self.random(20) as usize),
            9 => Fault::Reset,
            10 => Fault::TakenThenReset,
            11 => Fault::TakenThenSilent,
            12 => Fault::HalfAnswer,
            _ => Fault::OneItemShort,
        }
    }

    fn request(&mut self, transport: usize, ticket: u64, request: &Request) {
        if self.faults > 0 {
            let fault = self.fault();
            self.store.script.push_back(fault);
        }
        let gzip = request.headers.iter().any(|(name, _)| *name == "content-encoding");
        let delay = Duration::from_millis(1 + self.random(40));
        let (delay, answer) =
            match self.store.answer((request.method, &request.path), &request.body, gzip, None) {
                Reply::Response(status, after, text) => {
                    let retry_after = (after > 0).then(|| Duration::from_secs(after));
                    (delay, Ok(Response { status, retry_after, body: Bytes::from(text) }))
                }
                Reply::Half(_) | Reply::Reset => (delay, Err("connection reset".to_owned())),
                Reply::Silent => (request.timeout, Err("timed out".to_owned())),
            };
        if self.store.late.len() > self.late.len() {
            let id = request.headers.iter().find(|(name, _)| *name == "x-opaque-id").expect("an id");
            self.store.working.push(id.1.clone());
            let most = self.faults_late.unwrap_or_default().as_millis() as u64;
            let done = self.now + Duration::from_millis(self.random(most));
            self.late.push(done);
        }
        self.open += 1;
        self.most_in_flight = self.most_in_flight.max(self.open);
        self.answers.push((self.now + delay, transport, ticket, answer));
    }
}

#[derive(Clone, Default)]
pub(crate) struct Virtual(Arc<Mutex<Cluster>>);

impl Virtual {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Virtual {
    fn now_unix_ns(&self) -> i64 {
        self.lock().now.as_nanos() as i64
    }

    fn monotonic(&self) -> Duration {
        self.lock().now
    }
}

impl Network for Virtual {
    fn connect(
        &self,
        _endpoint: &Endpoint,
        _wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Transport>, String> {
        let mut cluster = self.lock();
        cluster.transports += 1;
        Ok(Box::new(Wire { cluster: self.clone(), number: cluster.transports }))
    }
}

struct Wire {
    cluster: Virtual,
    number: usize,
}

impl Transport for Wire {
    fn start(&mut self, ticket: u64, request: Request) {
        self.cluster.lock().request(self.number, ticket, &request);
    }

    fn poll(&mut self) -> Option<(u64, Result<Response, String>)> {
        let mut cluster = self.cluster.lock();
        let now = cluster.now;
        let due = |&(at, number, ..): &(Duration, usize, u64, _)| number == self.number && at <= now;
        let at = cluster.answers.iter().position(due)?;
        cluster.open -= 1;
        let (_, _, ticket, answer) = cluster.answers.swap_remove(at);
        Some((ticket, answer))
    }
}

/// Runs bodies through the sink until all have settled; gives the totals and everything that it said.
fn run(
    seed: u64,
    faults: usize,
    gzip: bool,
    input: impl FnOnce(&dyn aludel::sink::SinkPlan) -> Vec<Body>,
) -> (Virtual, Total, BTreeSet<String>) {
    let world = Virtual::default();
    (world.lock().seed, world.lock().faults) = (seed, faults);
    let urls = ["http://a:9200".to_owned(), "http://b:9200".to_owned()];
    let compression = OptionValue::Text(if gzip { "gzip" } else { "none" }.into());
    let plan = plan(&urls, &[("compression", compression), ("body_bytes", OptionValue::Int(4096))]);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut sink, known) = plan
        .open(World {
            fs: Arc::new(RealFs),
            clock: Arc::new(world.clone()),
            network: Arc::new(world.clone()),
            data_dir: folder.path().into(),
            host: Arc::from(&b"host"[..]),
            wake: Arc::new(|| ()),
        })
        .expect("opens");
    assert!(known.is_empty());
    let mut bodies = input(&*plan).into_iter().peekable();
    let (mut total, mut said, mut settled) = (Total::default(), BTreeSet::new(), Vec::new());
    loop {
        let now = world.lock().now;
        for body in bodies.by_ref().take(3) {
            sink.offer(body, now);
        }
        if bodies.peek().is_none() {
            sink.close();
        }
        let next = sink.step(now, &mut settled);
        said.extend(sink.trouble());
        total.add(std::mem::take(&mut settled));
        let mut cluster = world.lock();
        let answer = cluster.answers.iter().map(|(at, ..)| *at).min();
        let soon = bodies.peek().map(|_| now + Duration::from_millis(5));
        let due = match next {
            Next::Done => break,
            Next::Again => Some(now),
            Next::At(at) => {
                assert!(at > now, "a wait is in the future");
                Some(at)
            }
            Next::Idle => None,
        };
        cluster.now = [answer, soon, due].into_iter().flatten().min().expect("the sink waits for nothing");
        assert!(cluster.now < Duration::from_secs(24 * 3600), "it never ends; last said: {said:?}");
    }
    // A node that was not needed again since it failed is still left alone; nothing else is wrong.
    let trouble = sink.trouble().unwrap_or_default();
    assert!(trouble.is_empty() || trouble.contains("left alone"), "in the end: {trouble}");
    (world, total, said)
}

/// Whatever a cluster does to it, every row arrives exactly once, and every byte of memory is given back.
#[test]
fn every_row_arrives_once() {
    let mut said = BTreeSet::new();
    for seed in 0..60 {
        let gzip = seed % 4 == 0;
        let mut offered = 0;
        let (world, total, troubles) = run(seed, 60, gzip, |plan| {
            let bodies = bodies(plan, 0, 30, 25);
            offered = bodies.iter().map(|body| body.bytes).sum();
            bodies
        });
        said.extend(troubles);
        let cluster = world.lock();
        let stored: BTreeSet<u64> =
            cluster.store.once().into_iter().map(|document| number(document)).collect();
        assert_eq!(cluster.store.documents.len(), 750, "seed {seed}: documents");
        assert_eq!(stored, (0..750).collect(), "seed {seed}");
        assert_eq!((total.delivered, total.rejected.len()), (750, 0), "seed {seed}");
        assert!(total.batches.values().all(|rows| *rows == 25), "seed {seed}: {:?}", total.batches);
        assert_eq!(total.bytes, offered, "seed {seed}: memory is given back");
        assert!(cluster.most_in_flight <= 4, "seed {seed}: {} in flight", cluster.most_in_flight);
    }
    for word in ["status 401", "status 403", "status 404", "429", "503", "reset", "timed out", "does not fit"]
    {
        assert!(said.iter().any(|line| line.contains(word)), "nothing was said of `{word}`: {said:#?}");
    }
}

/// A row that Elasticsearch will never take is rejected with its reason; its neighbours arrive.
#[test]
fn bad_rows_are_kept_aside() {
    for (fault, reason) in [
        (Fault::Items(5, 400), "as_told_exception: row "),
        (Fault::TooLarge(0), "status 413"),
        (Fault::Status(400, 0), "status 400: {\"error\":\"as told\"}"),
    ] {
        let script = if fault == Fault::Items(5, 400) { 1 } else { 2 * 25 };
        let world = Virtual::default();
        world.lock().store.script.extend(std::iter::repeat_n(fault.clone(), script));
        let total = scripted(&world);
        let expected = if script == 1 { 5 } else { 25 };
        assert_eq!(total.rejected.len(), expected, "{fault:?}");
        assert_eq!(total.delivered as usize, 25 - expected, "{fault:?}");
        assert!(total.rejected.values().all(|why| why.contains(reason)), "{fault:?}: {:?}", total.rejected);
    }
}

/// One batch against a script.
fn scripted(world: &Virtual) -> Total {
    let plan = plan(&["http://a:9200".to_owned()], &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut sink, _) = plan
        .open(World {
            fs: Arc::new(RealFs),
            clock: Arc::new(world.clone()),
            network: Arc::new(world.clone()),
            data_dir: folder.path().into(),
            host: Arc::from(&b"host"[..]),
            wake: Arc::new(|| ()),
        })
        .expect("opens");
    for body in bodies(&*plan, 0, 1, 25) {
        sink.offer(body, Duration::ZERO);
    }
    sink.close();
    let (mut total, mut settled) = (Total::default(), Vec::new());
    while sink.step(world.monotonic(), &mut settled) != Next::Done {
        world.lock().now += Duration::from_millis(50);
    }
    total.add(settled);
    total
}

/// The parts that answers are made of, good and bad.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{\"errors\":false,\"items\":[".to_owned()),
        Just("{\"errors\":true,\"items\":[".to_owned()),
        Just("]}".to_owned()),
        (0u16..1000).prop_map(|status| format!("{{\"create\":{{\"status\":{status}}}}},")),
        (0u16..1000).prop_map(|status| {
            let item = format!("{{\"create\":{{\"status\":{status},\"error\":{{\"type\":\"t\"}}}}}}");
            let items = vec![item; 25].join(",");
            format!("{{\"errors\":true,\"items\":[{items}]}}")
        }),
        ".{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a node answers, nothing panics, and in the end every row has settled once.
    #[test]
    fn any_answers(answers in prop::collection::vec((any::<u16>(), 100u16..600, any::<bool>(), prop::collection::vec(piece(), 0..4)), 0..12)) {
        let world = Virtual::default();
        for (any, usual, ok, pieces) in answers {
            let status = if ok { 200 } else if any % 4 == 0 { any } else { usual };
            world.lock().store.script.push_back(Fault::Raw(status, pieces.concat()));
        }
        let total = scripted(&world);
        prop_assert_eq!(total.delivered as usize + total.rejected.len(), 25);
        prop_assert_eq!(&total.batches.into_iter().collect::<Vec<_>>(), &[(0, 25)]);
    }
}
