//! Data streams roll over and the process is killed, between any two steps: no row is lost, none is in two backing
//! indices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::Fs;
use aludel::seam::sim::{Dice, SimClock, SimFs};
use aludel::sink::{Next, Sink, SinkPlan, World};

use super::bulk_server::{Fault, Server};
use super::rows::{bodies, number, plan};
use super::sim::Virtual;
use super::wire::ship_in;

const STREAMS: &[&str] = &["logs-web-prod", "logs-db-prod", "logs-worker_1-prod", "logs-other-prod"];

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest that one may still be at work which is thought lost.
const LATE: Duration = Duration::from_secs(30);

const BATCHES: u64 = 40;
const ROWS: u64 = 8;

/// The world that outlives the process, and what the process wrote to its cursor log.
struct Story {
    net: Virtual,
    disk: SimFs,
    dice: Dice,
    /// Batches that are settled, durably.
    durable: BTreeSet<u64>,
    rollovers: usize,
    kills: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        let net = Virtual::default();
        {
            let mut cluster = net.lock();
            (cluster.seed, cluster.faults, cluster.faults_late) = (seed, 120, Some(LATE));
            cluster.store.script_for_all = true;
        }
        let disk = SimFs::new(seed, Arc::new(SimClock::at(0)));
        disk.make_folder(Path::new("/data")).expect("a folder");
        let dice = Dice::new(seed ^ 0x9e37);
        Self { net, disk, dice, durable: BTreeSet::new(), rollovers: 0, kills: 0 }
    }

    /// Perhaps something happens to the cluster.
    fn perhaps_roll_over(&mut self) {
        if !self.dice.one_in(12) {
            return;
        }
        let stream = STREAMS[self.dice.below(STREAMS.len() as u64) as usize];
        self.net.lock().store.roll_over(stream);
        self.rollovers += 1;
    }

    fn open(&self, plan: &dyn SinkPlan) -> Box<dyn Sink> {
        let world = World {
            fs: Arc::new(self.disk.clone()),
            clock: Arc::new(self.net.clone()),
            network: Arc::new(self.net.clone()),
            data_dir: "/data".into(),
            host: Arc::from(&b"host"[..]),
            wake: Arc::new(|| ()),
        };
        plan.open(world).expect("opens").0
    }

    /// One life of the process: what is not durably settled is offered in the order of the stream. Ends when all is,
    /// or by a kill after so many steps.
    fn live(&mut self, steps: u64) -> bool {
        let urls = ["http://a:9200".to_owned(), "http://b:9200".to_owned()];
        let plan = plan(&urls, &[("timeout", OptionValue::Duration(TIMEOUT))]);
        let mut sink = self.open(&*plan);
        let todo: Vec<u64> = (0..BATCHES).filter(|batch| !self.durable.contains(batch)).collect();
        let mut todo = todo.into_iter().peekable();
        let mut settled = Vec::new();
        let mut rows: BTreeMap<u64, u64> = BTreeMap::new();
        for _ in 0..steps {
            let now = self.net.lock().now;
            for batch in todo.by_ref().take(1 + self.dice.below(3) as usize) {
                bodies(&*plan, batch, 1, ROWS).into_iter().for_each(|body| sink.offer(body, now));
            }
            if todo.peek().is_none() {
                sink.close();
            }
            let next = sink.step(now, &mut settled);
            for settled in settled.drain(..) {
                assert!(settled.rejected.is_empty(), "{:?}", settled.rejected);
                *rows.entry(settled.provenance.batch).or_default() += u64::from(settled.delivered);
            }
            if self.dice.one_in(4) {
                // The settler writes its cursors.
                let whole = rows.iter().filter(|(_, rows)| **rows == ROWS).map(|(batch, _)| *batch);
                self.durable.extend(whole);
            }
            if next == Next::Done {
                self.durable.extend(rows.keys());
                return true;
            }
            self.perhaps_roll_over();
            let soon = todo.peek().map(|_| now + Duration::from_millis(5));
            let due = match next {
                Next::At(at) => Some(at),
                Next::Again => Some(now),
                _ => None,
            };
            let mut cluster = self.net.lock();
            let answer = cluster.answers.iter().map(|(at, ..)| *at).min();
            let to = [answer, soon, due].into_iter().flatten().min().expect("the sink waits for nothing");
            cluster.pass_to(to);
            assert!(cluster.now < Duration::from_secs(48 * 3600), "it never ends: {:?}", sink.trouble());
        }
        false
    }

    fn kill(&mut self) {
        self.kills += 1;
        self.disk.crash(Path::new("/data"));
        let mut cluster = self.net.lock();
        cluster.answers.clear();
        cluster.open = 0;
        let to = cluster.now + Duration::from_millis(1 + self.dice.below(3000));
        cluster.pass_to(to);
        drop(cluster);
        self.perhaps_roll_over();
    }
}

/// Wherever the process is killed and whenever the data streams roll over, every row is there once.
#[test]
fn killed_anywhere_while_data_streams_roll_over() {
    let (mut rollovers, mut kills, mut looks) = (0, 0, 0);
    for seed in 0..25 {
        let mut story = Story::new(seed);
        for _ in 0..12 {
            let steps = story.dice.below(60);
            if story.live(steps) {
                break;
            }
            story.kill();
        }
        if story.durable.len() < BATCHES as usize {
            assert!(story.live(100_000), "seed {seed}: it ends");
        }
        let mut cluster = story.net.lock();
        cluster.pass_to(Duration::from_secs(72 * 3600));
        let stored: BTreeSet<u64> =
            cluster.store.once().into_iter().map(|document| number(document)).collect();
        assert_eq!(stored, (0..BATCHES * ROWS).collect(), "seed {seed}");
        looks += cluster.store.asked.iter().filter(|path| path.contains("_mget")).count();
        (rollovers, kills) = (rollovers + story.rollovers, kills + story.kills);
    }
    assert!(
        rollovers > 100 && kills > 60 && looks > 100,
        "{rollovers} rollovers, {kills} kills, {looks} looks"
    );
}

/// The same rows without the records of the life before are sent as new ones: which is what the records are for.
#[test]
fn without_records_a_rollover_would_duplicate() {
    let server = Server::start(&[]);
    let plan = plan(&[server.url()], &[("timeout", OptionValue::Duration(Duration::from_millis(500)))]);
    let folder = tempfile::tempdir().expect("a folder");
    ship_in(folder.path(), &*plan, bodies(&*plan, 0, 1, 40));
    server.store().roll_over("logs-web-prod");
    let (total, _) = ship_in(folder.path(), &*plan, bodies(&*plan, 0, 1, 40));
    assert_eq!((total.delivered, total.repeated), (40, 40));
    assert_eq!(server.store().once().len(), 40);
    std::fs::remove_file(folder.path().join("elasticsearch-es.log")).expect("records");
    let (total, _) = ship_in(folder.path(), &*plan, bodies(&*plan, 0, 1, 40));
    assert_eq!((total.delivered, total.repeated), (40, 30), "the server takes ten rows a second time");
    assert_eq!(server.store().documents.len(), 50);
}

/// A row that is sent for the first time costs no request beside its own.
#[test]
fn new_rows_are_not_looked_up() {
    let server = Server::start(&[]);
    let plan = plan(&[server.url()], &[]);
    let (total, said) =
        ship_in(tempfile::tempdir().expect("a folder").path(), &*plan, bodies(&*plan, 0, 50, 40));
    assert_eq!((total.delivered, said.len()), (2000, 0));
    let store = server.store();
    let asked = |what: &str| store.asked.iter().filter(|path| path.starts_with(what)).count();
    let once = (STREAMS.len(), STREAMS.len(), 2 * STREAMS.len());
    let counts =
        (asked("GET /_resolve/index/"), asked("POST /_index_template/_simulate_index/"), store.asked.len());
    assert_eq!(counts, once, "once for each data stream: {:?}", store.asked);
}

/// An answer that is lost while the data stream rolls over is waited for before the rows are looked up.
#[test]
fn a_lost_answer_across_a_rollover() {
    for fault in [Fault::TakenThenReset, Fault::HalfAnswer, Fault::Reset] {
        let server = Server::start(&[Fault::None, fault.clone()]);
        let timeout = ("timeout", OptionValue::Duration(Duration::from_millis(600)));
        let plan = plan(&[server.url()], &[timeout, ("concurrency", OptionValue::Int(1))]);
        server.roll_over_after(2, "logs-web-prod");
        let folder = tempfile::tempdir().expect("a folder");
        let (total, said) = ship_in(folder.path(), &*plan, bodies(&*plan, 0, 5, 40));
        assert_eq!((total.delivered, total.rejected.len()), (200, 0), "{fault:?}");
        assert_eq!(server.store().once().len(), 200, "{fault:?}: {said:?}");
        assert_eq!(server.store().generations["logs-web-prod"], 1, "{fault:?}");
        assert!(server.store().asked.iter().any(|path| path.contains("_mget")), "{fault:?}");
    }
}

/// A request that the server is at work on for longer than its time-out, with a rollover meanwhile: its rows are not
/// created again before it is done.
#[test]
fn an_old_request_that_is_still_at_work_is_waited_for() {
    for seed in 0..20 {
        let mut story = Story::new(seed);
        {
            let mut cluster = story.net.lock();
            (cluster.faults, cluster.store.script_for_all) = (0, false);
            cluster.store.script.push_back(Fault::Late);
        }
        let urls = ["http://a:9200".to_owned()];
        let plan = plan(&urls, &[("timeout", OptionValue::Duration(TIMEOUT))]);
        let mut sink = story.open(&*plan);
        bodies(&*plan, 0, 1, ROWS).into_iter().for_each(|body| sink.offer(body, Duration::ZERO));
        sink.close();
        let mut settled = Vec::new();
        for _ in 0..10_000 {
            let now = story.net.lock().now;
            let next = sink.step(now, &mut settled);
            if next == Next::Done {
                break;
            }
            let mut cluster = story.net.lock();
            if story.rollovers == 0 && !cluster.late.is_empty() {
                STREAMS.iter().for_each(|stream| cluster.store.roll_over(stream));
                story.rollovers += 1;
            }
            let answer = cluster.answers.iter().map(|(at, ..)| *at).min();
            let due = if let Next::At(at) = next { Some(at) } else { None };
            let to = answer.into_iter().chain(due).min().unwrap_or(now + Duration::from_millis(10));
            cluster.pass_to(to);
        }
        let mut cluster = story.net.lock();
        let took = cluster.now;
        cluster.pass_to(took + 2 * LATE);
        assert_eq!(cluster.store.once().len() as u64, ROWS, "seed {seed}, settled after {took:?}");
        assert_eq!(story.rollovers, 1, "seed {seed}");
    }
}
