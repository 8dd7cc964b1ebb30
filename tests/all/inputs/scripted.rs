//! The listening sources on a simulated disk, given a script instead of sockets: what was answered is durable, whenever
//! the power fails.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aludel::event::{Batch, Span};
use aludel::position::{Ranges, Resume, StreamId};
use aludel::seam::Clock;
use aludel::seam::sim::{Dice, Life, SimClock, SimFs};
use aludel::source::bulk::{Bulk, Node};
use aludel::source::http::{Http, Page};
use aludel::source::listener::token::Token;
use aludel::source::listener::{Answer, Came, Head, Listener, Weight};
use aludel::source::spooled::{Framing, Intake, Spooled};
use aludel::source::syslog::{Config, Mode, Syslog};
use aludel::source::{Progress, Source, World};
use aludel::spool::{Limit, WhenFull};

/// What comes, and what was answered.
#[derive(Clone, Default)]
struct Script {
    came: Arc<Mutex<VecDeque<Came>>>,
    answers: Arc<Mutex<BTreeMap<u64, u16>>>,
}

impl Script {
    fn push(&self, came: Came) {
        self.came.lock().expect("a lock").push_back(came);
    }
}

impl Listener for Script {
    fn next(&mut self) -> Option<Came> {
        self.came.lock().expect("a lock").pop_front()
    }

    fn answer(&mut self, ticket: u64, answer: Answer) {
        self.answers.lock().expect("a lock").insert(ticket, answer.status);
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn close(&mut self) {}

    fn is_drained(&self) -> bool {
        true
    }
}

struct Unknown;

impl Resume for Unknown {
    fn position(&self, _: StreamId, _: u16) -> Option<u64> {
        None
    }

    fn settled(&self, _: StreamId, _: u16) -> Option<Arc<[Ranges]>> {
        None
    }
}

fn open<I: Intake>(fs: &SimFs, clock: &Arc<SimClock>, life: Arc<Life>, intake: I) -> Option<Spooled<I>> {
    let world = World {
        fs: Arc::new(fs.process(life)),
        clock: clock.clone(),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
    };
    let limit = Limit { bytes: 1 << 20, when_full: WhenFull::Block };
    Spooled::open("net", Framing::Messages, limit, intake, world, &Unknown).ok()
}

fn texts(batch: &Batch) -> Vec<String> {
    let text = |span: Span| {
        let segment = &batch.segments[usize::from(span.buffer - Span::SEGMENTS)];
        let start = span.start as usize;
        String::from_utf8_lossy(&segment.bytes()[start..start + span.len as usize]).into_owned()
    };
    batch.messages.iter().map(|message| text(message.text)).collect()
}

/// All that a fresh process finds in the spool.
fn read_back(fs: &SimFs, clock: &Arc<SimClock>) -> Vec<String> {
    let page = Arc::new(Page::new("/", "lines", Token::new(None)));
    let intake = Http::new(page, Box::new(Script::default()));
    let mut source = open(fs, clock, Arc::new(Life::new(None)), intake).expect("the disk is well again");
    let mut found = Vec::new();
    loop {
        let mut batch = Batch::default();
        let progress = source.step(clock.monotonic(), &mut batch);
        found.extend(texts(&batch));
        if !matches!(progress, Progress::More) {
            return found;
        }
    }
}

/// A life: requests are made while steps are taken, until the fuse has burnt down or all are made. Then the power fails.
fn live<I: Intake>(
    seed: u64,
    intake: impl Fn(Script) -> I,
    ask: impl Fn(u64) -> Came,
    wanted: impl Fn(u64) -> Vec<String>,
) {
    const REQUESTS: u64 = 12;
    let mut dice = Dice::new(seed);
    let clock = Arc::new(SimClock::at(1_767_323_045_000_000_000));
    let fs = SimFs::new(seed, clock.clone());
    let script = Script::default();
    // Every other seed ends in the middle of an operation.
    let fuse = seed.is_multiple_of(2).then(|| dice.below(60));
    let life = Arc::new(Life::new(fuse));
    if let Some(mut source) = open(&fs, &clock, life.clone(), intake(script.clone())) {
        let last = dice.below(REQUESTS + 1);
        let mut asked = 0;
        while !life.is_over() && asked < last {
            for _ in 0..=dice.below(3) {
                script.push(ask(asked));
                asked += 1;
            }
            for _ in 0..=dice.below(3) {
                source.step(clock.monotonic(), &mut Batch::default());
                clock.advance(Duration::from_millis(dice.below(8)));
            }
        }
        // It is dead from here on: what it does when it is dropped has no effect.
        life.end();
    }
    let answered: Vec<_> = {
        let answers = script.answers.lock().expect("a lock");
        answers.iter().filter(|(_, status)| **status == 200).map(|(ticket, _)| *ticket).collect()
    };
    fs.crash(Path::new("/"));
    let found = read_back(&fs, &clock);
    let mut counts = BTreeMap::new();
    for text in &found {
        *counts.entry(text.clone()).or_insert(0) += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "seed {seed}: {counts:?}");
    for ticket in answered {
        for text in wanted(ticket) {
            assert!(
                counts.contains_key(&text),
                "seed {seed}: {text} was acknowledged and is lost: {found:?}"
            );
        }
    }
}

fn request(ticket: u64, path: &str, body: String) -> Came {
    let head = Head { method: "POST".into(), path: path.into(), ..Head::default() };
    Came::Request {
        ticket,
        peer: "http://192.0.2.1:7".into(),
        head,
        body: body.into_bytes(),
        weight: Weight::default(),
    }
}

#[test]
fn an_answer_outlives_the_power() {
    let lines = |ticket: u64| (0..=ticket % 4).map(|line| format!("{ticket}-{line}")).collect::<Vec<_>>();
    for seed in 0..300 {
        let page = Arc::new(Page::new("/", "lines", Token::new(None)));
        live(
            seed,
            |script| Http::new(page.clone(), Box::new(script)),
            |ticket| request(ticket, "/", lines(ticket).join("\n")),
            lines,
        );
    }
}

#[test]
fn a_bulk_answer_outlives_the_power() {
    let documents = |ticket: u64| {
        (0..=ticket % 4).map(|line| format!("{{\"n\":\"{ticket}-{line}\"}}")).collect::<Vec<_>>()
    };
    for seed in 0..100 {
        let node = Arc::new(Node::new("9.1.0", Token::new(None)));
        live(
            seed,
            |script| Bulk::new(node.clone(), 7, Box::new(script)),
            |ticket| {
                let lines: Vec<_> =
                    documents(ticket).iter().map(|text| format!("{{\"create\":{{}}}}\n{text}\n")).collect();
                request(ticket, "/logs-a-b/_bulk", lines.concat())
            },
            documents,
        );
    }
}

/// Connections of a script: a silent one is let go by time, a closed one at once, and the order is kept.
#[test]
fn open_messages_are_let_go() {
    let clock = Arc::new(SimClock::at(1_767_323_045_000_000_000));
    let fs = SimFs::new(1, clock.clone());
    let script = Script::default();
    let config = Config { mode: Mode::Auto, message_bytes: 1024, wait: Duration::from_secs(5) };
    let intake = Syslog::new(config, Box::new(script.clone()));
    let mut source = open(&fs, &clock, Arc::new(Life::new(None)), intake).expect("it opens");
    let step = |source: &mut Spooled<Syslog>, wait: u64| {
        clock.advance(Duration::from_millis(wait));
        let mut batch = Batch::default();
        for _ in 0..4 {
            source.step(clock.monotonic(), &mut batch);
            clock.advance(Duration::from_millis(10));
        }
        let paths: Vec<_> = batch.runs.iter().map(|run| run.stream.path.to_string()).collect();
        (texts(&batch), paths)
    };
    let bytes = |connection, bytes: &[u8]| Came::Bytes {
        connection,
        bytes: bytes.to_vec(),
        weight: Weight::default(),
    };
    for connection in [1, 2] {
        script.push(Came::Opened { connection, peer: format!("tcp://192.0.2.{connection}:5").into() });
    }
    script.push(bytes(1, b"<1>one\n<1>op"));
    script.push(bytes(2, b"9 <2>counted"));
    let (found, paths) = step(&mut source, 20);
    assert_eq!(found, ["<1>one", "<2>counte"]);
    assert_eq!(paths, ["tcp://192.0.2.1:5", "tcp://192.0.2.2:5"]);
    script.push(bytes(1, b"en"));
    assert_eq!(step(&mut source, 4000).0, Vec::<String>::new());
    // The first connection said something meanwhile, the second did not.
    assert_eq!(step(&mut source, 1100).0, ["d"]);
    script.push(Came::Closed { connection: 1 });
    assert_eq!(step(&mut source, 20).0, ["<1>open"]);
    let said: Vec<_> = source.notices().into_iter().map(|notice| format!("{notice:?}")).collect();
    assert!(said.len() == 1 && said[0].contains("counts the bytes of its messages wrong"), "{said:?}");
}
