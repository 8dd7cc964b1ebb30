//! `parquet "s3://…"` against a store in memory: a kill between any two requests, lost answers, late requests.

use std::sync::Arc;
use std::time::Duration;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use aludel::event::{OptionValue, Row};
use aludel::seam::sim::{Dice, SimStore};
use aludel::seam::{Ask, Objects};
use aludel::signature::Type;
use aludel::sink::s3::Place;
use aludel::sink::{Endpoint, Network, Next, Settled, Shape, Sink, SinkPlan, Transport, World};
use arrow::array::AsArray;

use super::disk::Disk;
use super::parquet::{Fill, batch, id, plan, set_text, settled_by, texts};
use super::plain_sinks::{shape, world};

type Wake = Arc<dyn Fn() + Send + Sync>;

struct OnlyObjects(SimStore);

impl Network for OnlyObjects {
    fn connect(&self, _: &Endpoint, _: Wake) -> Result<Box<dyn Transport>, String> {
        Err("no network here".to_owned())
    }

    fn objects(&self, _: &Place, wake: Wake) -> Result<Box<dyn Objects>, String> {
        Ok(self.0.connect(wake))
    }
}

/// One node: its disk, and the store that it writes to.
struct Node {
    disk: Disk,
    store: SimStore,
    plan: Box<dyn SinkPlan>,
    shape: Shape,
}

const BATCHES: u64 = 4;

/// Few columns, since this writes thousands of archives.
fn small() -> Shape {
    shape(&[("http", Type::Object), ("message", Type::Text), ("service.name", Type::Text)])
}

fn fill_small(row: &mut Row, n: u64) {
    set_text(row, "message", &format!("line {n}"));
    set_text(row, "service.name", ["web", "shop/eu"][n as usize % 2]);
}

impl Node {
    fn new(store: &SimStore) -> Self {
        Self::with(store, Vec::new())
    }

    fn with(store: &SimStore, mut options: Vec<(&'static str, OptionValue)>) -> Self {
        options.push(("partition", texts(&["service.name"])));
        options.push(("compression", OptionValue::Text("none".to_owned())));
        Self {
            disk: Disk::default(),
            store: store.clone(),
            plan: plan(options, "s3://logs/web"),
            shape: small(),
        }
    }

    fn world(&self) -> World {
        World { network: Arc::new(OnlyObjects(self.store.clone())), ..world(&self.disk) }
    }

    /// One run: offers the batches that are not settled by the archive's own account, as a restart does, and gives
    /// up where the store is dead. `late` comes to the store once the run has begun. Returns the numbers of the
    /// batches that were settled.
    fn life(&self, batches: u64, late: Vec<Ask>, fill: Fill<'_>) -> Result<Vec<u64>, String> {
        let (mut sink, cursors) = self.plan.open(self.world()).map_err(|error| error.to_string())?;
        for ask in late {
            let _ = self.store.late(ask);
        }
        let mut encoder = self.plan.encoder(&self.shape)?;
        let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
        for n in 0..batches {
            let events = n * 4..n * 4 + 4;
            if settled_by(&cursors, events.start * 10..events.end * 10) {
                continue;
            }
            sink.offer(batch(&mut *encoder, &self.shape, n, events, fill), now);
            self.drive(&mut *sink, &mut now, &mut settled);
            // Every other batch ends an epoch by its age.
            now += Duration::from_secs(if n % 2 == 0 { 1 } else { 600 });
        }
        sink.close();
        self.drive(&mut *sink, &mut now, &mut settled);
        Ok(settled.iter().map(|settled| settled.provenance.batch).collect())
    }

    /// Steps until the sink waits for more rows, or the store is dead.
    fn drive(&self, sink: &mut dyn Sink, now: &mut Duration, settled: &mut Vec<Settled>) {
        let mut quiet = 0;
        for _ in 0..5000 {
            let (asks, before) = (self.store.asks(), settled.len());
            let next = sink.step(*now, settled);
            if next == Next::Done || self.store.is_dead() {
                return;
            }
            quiet = if self.store.asks() == asks && settled.len() == before { quiet + 1 } else { 0 };
            match next {
                Next::At(at) if at <= *now + Duration::from_secs(30) => *now = (*now).max(at),
                _ if quiet > 3 => return,
                _ => {}
            }
        }
        panic!("the sink does not come to rest: {:?}", sink.trouble());
    }

    fn reboot(&self, lucky: bool) {
        self.store.lives();
        self.disk.reboot(lucky);
    }
}

/// Ids of all rows that a reader of the whole prefix finds.
fn ids(store: &SimStore) -> Vec<String> {
    let mut ids = Vec::new();
    let objects = store.objects();
    for (_, bytes) in objects.iter().filter(|(key, _)| key.ends_with(".parquet")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a parquet file");
        for rows in reader.build().expect("a reader") {
            let rows = rows.expect("rows");
            let column = rows.column_by_name("event.id").expect("a column").as_string::<i32>();
            ids.extend(column.iter().map(|id| id.expect("an id").to_owned()));
        }
    }
    ids.sort();
    ids
}

fn all_ids(events: u64) -> Vec<String> {
    let mut all: Vec<_> = (0..events).map(id).collect();
    all.sort();
    all
}

fn staged(node: &Node) -> usize {
    node.disk.paths().iter().filter(|path| path.starts_with("/data/parquet/archive/staging")).count()
}

#[test]
fn rows_are_where_readers_look() {
    let store = SimStore::new(1);
    let node = Node::new(&store);
    assert_eq!(node.life(BATCHES, Vec::new(), &fill_small), Ok(vec![0, 1, 2, 3]));
    assert_eq!(ids(&store), all_ids(BATCHES * 4));
    let keys: Vec<_> = store.objects().into_keys().collect();
    assert!(keys[0].starts_with("web/_aludel/") && keys[0].ends_with("/000000000000.done"), "{keys:?}");
    assert!(keys[1].ends_with("/000000000000.json"), "{keys:?}");
    let folders: Vec<_> = keys[4..].iter().map(|key| key.rsplit_once('/').expect("a folder").0).collect();
    let (eu, web) = ("web/service.name=shop%2Feu", "web/service.name=web");
    assert_eq!(folders, [eu, eu, web, web]);
    assert_eq!((store.uploads(), staged(&node)), (0, 0));
}

/// Wherever it is killed, whether or not the last request was done, and even if that is done only once the next run
/// has begun: after the next start no row is missing, none is there twice, and nothing is left behind.
#[test]
fn a_kill_between_any_two_requests_neither_loses_nor_repeats() {
    let whole = SimStore::new(1);
    Node::new(&whole).life(BATCHES, Vec::new(), &fill_small).expect("it opens");
    let requests = whole.asks();
    assert!(requests > 15, "{requests}");
    let all = all_ids(BATCHES * 4);
    let mut ghosts = 0;
    for (done, delivered) in [(true, false), (false, false), (false, true)] {
        for at in 1..=requests {
            for second in [1, 3, 7, 13] {
                let store = SimStore::new(at);
                let node = Node::new(&store);
                store.dies_after(at, done);
                let first = node.life(BATCHES, Vec::new(), &fill_small).unwrap_or_default();
                node.reboot(at % 2 == 0);
                let mut late = store.lost();
                late.truncate(if delivered { 1 } else { 0 });
                ghosts += late.len();
                store.dies_after(second, at % 3 == 0);
                let second_life = node.life(BATCHES, late, &fill_small).unwrap_or_default();
                node.reboot(at % 2 == 1);
                let third = node.life(BATCHES, Vec::new(), &fill_small).expect("it opens");
                let about =
                    format!("killed in request {at} (done: {done}, late: {delivered}), then in {second}");
                assert_eq!(ids(&store), all, "{about}");
                for n in first.iter().chain(&second_life) {
                    assert!(!third.contains(n), "batch {n} was settled and came again: {about}");
                }
                // Uploads that were begun late are found by the start after.
                node.life(BATCHES, Vec::new(), &fill_small).expect("it opens");
                assert_eq!((store.uploads(), staged(&node)), (0, 0), "{about}");
                assert_eq!(ids(&store), all, "{about}");
            }
        }
    }
    assert!(ghosts > 50, "{ghosts}");
}

/// Requests that are refused, whose answers are lost, or both, over several kills.
#[test]
fn a_store_that_stumbles_gets_every_row_once() {
    for seed in 0..150 {
        let store = SimStore::new(seed);
        let node = Node::new(&store);
        let mut dice = Dice::new(seed);
        let mut settled = Vec::new();
        let mut late = Vec::new();
        for _ in 0..3 {
            store.faults(3 + dice.below(5));
            store.dies_after(1 + dice.below(60), dice.one_in(2));
            let life = node.life(BATCHES, std::mem::take(&mut late), &fill_small).unwrap_or_default();
            assert!(life.iter().all(|n| !settled.contains(n)), "seed {seed}: settled twice");
            settled.extend(life);
            node.reboot(dice.one_in(2));
            late = store.lost();
            store.faults(0);
        }
        let last = node.life(BATCHES, late, &fill_small).expect("it opens");
        assert!(last.iter().all(|n| !settled.contains(n)), "seed {seed}: settled twice");
        assert_eq!(ids(&store), all_ids(BATCHES * 4), "seed {seed}");
        node.life(BATCHES, Vec::new(), &fill_small).expect("it opens");
        assert_eq!(store.uploads(), 0, "seed {seed}");
    }
}

/// A file of several parts, sent while it grows, one of which a late request overwrites after the commit.
#[test]
fn a_large_file_goes_in_parts_ahead_of_its_commit() {
    let store = SimStore::new(3);
    let node = Node::with(&store, vec![("row_group_rows", OptionValue::Int(1024))]);
    let (mut sink, _) = node.plan.open(node.world()).expect("it opens");
    let mut encoder = node.plan.encoder(&node.shape).expect("an encoder");
    let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
    let fill = |row: &mut Row, n: u64| {
        set_text(row, "message", &format!("{n:08}").repeat(512));
        set_text(row, "service.name", "web");
    };
    for n in 0..32 {
        sink.offer(batch(&mut *encoder, &node.shape, n, n * 128..(n + 1) * 128, &fill), now);
        node.drive(&mut *sink, &mut now, &mut settled);
    }
    assert!(settled.is_empty());
    assert_eq!(store.uploads(), 1, "parts are sent ahead");
    assert_eq!(ids(&store).len(), 0, "and not seen");
    sink.close();
    node.drive(&mut *sink, &mut now, &mut settled);
    assert_eq!(settled.len(), 32);
    assert_eq!(ids(&store), all_ids(32 * 128));
    let size = store.objects().iter().find(|(key, _)| key.ends_with(".parquet")).map(|(_, o)| o.len());
    assert!(size > Some(2 * aludel::limits::OBJECT_PART_BYTES), "{size:?}");
}

/// Runs until the commit record is there and nothing more; returns the requests that this took.
fn killed_after_commit(node: &Node) {
    let whole = SimStore::new(1);
    Node::new(&whole).life(2, Vec::new(), &fill_small).expect("it opens");
    for at in 1..whole.asks() {
        let store = SimStore::new(1);
        let probe = Node::new(&store);
        store.dies_after(at, true);
        let _ = probe.life(2, Vec::new(), &fill_small);
        if store.objects().keys().any(|key| key.ends_with(".json")) {
            node.store.dies_after(at, true);
            let _ = node.life(2, Vec::new(), &fill_small);
            node.reboot(false);
            return;
        }
    }
    panic!("nothing is ever committed");
}

/// A bucket's rule removed the uploads of a committed epoch while nobody ran: its rows come again, all of them.
#[test]
fn an_epoch_that_cannot_be_finished_is_undone() {
    let store = SimStore::new(1);
    let node = Node::new(&store);
    killed_after_commit(&node);
    assert!(store.uploads() > 0 && store.objects().keys().any(|key| key.ends_with(".json")));
    store.forget_uploads();
    assert_eq!(node.life(BATCHES, Vec::new(), &fill_small), Ok(vec![0, 1, 2, 3]));
    assert_eq!(ids(&store), all_ids(BATCHES * 4));
}

/// Uploads that vanish under a running process are sent again from the disk.
#[test]
fn uploads_that_vanish_are_sent_again() {
    for at in 1..40 {
        let store = SimStore::new(at);
        let node = Node::new(&store);
        let (mut sink, _) = node.plan.open(node.world()).expect("it opens");
        let mut encoder = node.plan.encoder(&node.shape).expect("an encoder");
        sink.offer(batch(&mut *encoder, &node.shape, 0, 0..8, &fill_small), Duration::ZERO);
        sink.close();
        let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
        for _ in 0..at {
            sink.step(now, &mut settled);
        }
        store.forget_uploads();
        node.drive(&mut *sink, &mut now, &mut settled);
        assert_eq!(settled.len(), 1);
        assert_eq!(ids(&store), all_ids(8), "after step {at}");
    }
}

/// What an owner removes from a finished epoch stays removed, and its rows do not come again.
#[test]
fn a_finished_epoch_is_not_looked_into() {
    let store = SimStore::new(1);
    let node = Node::new(&store);
    node.life(2, Vec::new(), &fill_small).expect("it opens");
    let key = store.objects().into_keys().find(|key| key.ends_with(".parquet")).expect("a file");
    store.remove(&key);
    assert_eq!(node.life(2, Vec::new(), &fill_small), Ok(vec![]));
    assert_eq!(ids(&store).len(), 4);
}

/// Many short lives and epochs: the records stay few, and still say all that is settled.
#[test]
fn records_stay_few() {
    let store = SimStore::new(1);
    let node = Node::new(&store);
    for lives in 1..=10 {
        store.faults(if lives % 2 == 0 { 20 } else { 0 });
        node.life(lives * 30, Vec::new(), &fill_small).expect("it opens");
    }
    store.faults(0);
    let own = || store.objects().keys().filter(|key| key.contains("/_aludel/")).count();
    assert!(own() <= 2 * (aludel::limits::PARQUET_COMMITS_MAX + 2), "{} records", own());
    let (_, cursors) = node.plan.open(node.world()).expect("it opens");
    assert!(settled_by(&cursors, 0..300 * 40));
    assert_eq!(ids(&store), all_ids(1200));
}

/// Two nodes write to one prefix; what one leaves behind is not touched by the other.
#[test]
fn nodes_share_a_prefix() {
    let store = SimStore::new(1);
    let (a, b) = (Node::new(&store), Node::new(&store));
    a.life(1, Vec::new(), &fill_small).expect("it opens");
    store.dies_after(7, true);
    let _ = a.life(2, Vec::new(), &fill_small);
    store.lives();
    let (uploads, rows) = (store.uploads(), ids(&store).len());
    assert!(uploads > 0);
    b.life(1, Vec::new(), &fill_small).expect("it opens");
    assert_eq!((store.uploads(), ids(&store).len()), (uploads, rows + 4));
    a.reboot(true);
    a.life(2, Vec::new(), &fill_small).expect("it opens");
    assert_eq!((store.uploads(), ids(&store).len()), (0, 12));
}

#[test]
fn a_damaged_record_is_named() {
    let store = SimStore::new(1);
    let node = Node::new(&store);
    node.life(2, Vec::new(), &fill_small).expect("it opens");
    let (key, bytes) = store.objects().into_iter().find(|(key, _)| key.ends_with(".json")).expect("a record");
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    store.late(Ask::Put { key: key.clone(), bytes: bytes.into(), create: false }).expect("put");
    let error = node.life(2, Vec::new(), &fill_small).expect_err("it does not open");
    assert!(error.contains(&key) && error.contains("damaged"), "{error}");
}

/// A store that is not reached is said, rows wait, and go on when it is back; a full disk likewise.
#[test]
fn what_is_wrong_is_said_and_rows_wait() {
    let store = SimStore::new(1);
    let node = Node::new(&store);
    let (mut sink, _) = node.plan.open(node.world()).expect("it opens");
    let mut encoder = node.plan.encoder(&node.shape).expect("an encoder");
    let (mut settled, mut now) = (Vec::new(), Duration::ZERO);
    sink.offer(batch(&mut *encoder, &node.shape, 0, 0..8, &fill_small), now);
    sink.close();
    node.disk.space(Some(100));
    for _ in 0..5 {
        sink.step(now, &mut settled);
        now += Duration::from_secs(2);
    }
    assert!(sink.trouble().expect("trouble").contains("s3://logs/web: "));
    node.disk.space(None);
    store.dies_after(1, false);
    for _ in 0..10 {
        sink.step(now, &mut settled);
        now += Duration::from_secs(40);
    }
    let trouble = sink.trouble().expect("trouble");
    assert!(trouble.contains("the network is gone") && trouble.contains("rows wait"), "{trouble}");
    assert!(settled.is_empty());
    store.lives();
    node.drive(&mut *sink, &mut now, &mut settled);
    assert_eq!((settled.len(), sink.trouble()), (1, None));
    assert_eq!(ids(&store), all_ids(8));
}

#[test]
fn mistakes_are_named() {
    let text = |text: &str| OptionValue::Text(text.to_owned());
    let cases = [
        ("s3://", vec![], "names no bucket"),
        ("s3://b/../x", vec![], "prefix"),
        ("archive", vec![("region", text("eu-west-1"))], "`region` is for archives in `s3://`"),
        ("s3://b", vec![("access_key_id", text("a"))], "belong together"),
        ("s3://b", vec![("session_token", text("a"))], "`session_token`"),
        ("s3://b", vec![("endpoint", text("minio:9000"))], "begins with"),
        ("s3://b", vec![("roll_bytes", OptionValue::Int(1 << 40))], "`roll_bytes`"),
        ("s3://b", vec![("staging", OptionValue::Int(1))], "`staging`"),
    ];
    for (url, options, expected) in cases {
        let options = aludel::event::Options::new(vec![url.to_owned()], options);
        let error = (aludel::sink::parquet::KIND.plan)("archive", &options).err().expect("a mistake");
        assert!(error.contains(expected), "{url}: {error}");
    }
}
