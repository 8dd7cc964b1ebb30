//! `file`, `stdout` and `blackhole`: what a row looks like as a line, order, and what failures leave.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{LayoutBuilder, Mask, Message, OptionValue, Options, Row, Segment, Span, Value};
use aludel::position::{IdPrefix, PipelineTag, Stream, StreamId};
use aludel::signature::Type;
use aludel::sink::stdout::Stdout;
use aludel::sink::{
    Body, Encoder, Endpoint, EventRef, Network, Next, Payload, Provenance, Settled, Shape, Sink, SinkKind,
    SinkPlan, Transport, World, blackhole, file, stdout,
};

use super::disk::Disk;

pub(crate) struct NoNetwork;

impl Network for NoNetwork {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err("no network here".to_owned())
    }
}

/// A world with this disk.
pub(crate) fn world(disk: &Disk) -> World {
    World {
        fs: Arc::new(disk.clone()),
        clock: Arc::new(aludel::seam::RealClock::start()),
        network: Arc::new(NoNetwork),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
        wake: Arc::new(|| {}),
    }
}

pub(crate) fn stream() -> Stream {
    Stream { id: StreamId(7), generation: 0, source: "pods".into(), path: "/var/log/a.log".into() }
}

/// A shape with these paths and types.
pub(crate) fn shape(paths: &[(&str, Type)]) -> Shape {
    let mut builder = LayoutBuilder::default();
    for (path, _) in paths {
        assert!(builder.add(path));
    }
    let layout = Arc::new(builder.build());
    let types = (0..layout.len() as u16)
        .map(|slot| paths.iter().find(|(path, _)| *path == layout.path(slot)).map_or(Type::Object, |p| p.1))
        .collect();
    Shape { layout, types, pipeline: "web".into(), tag: PipelineTag::new("web"), sent: Mask::ALL }
}

fn message(text: &str) -> (Arc<Segment>, Message) {
    let span = Span { start: 0, len: text.len() as u32, buffer: Span::SEGMENTS, facts: Default::default() };
    let none = Span { len: 0, ..span };
    let message = Message { text: span, time: none, start: 0, end: text.len() as u64 + 1, lane: 0, part: 0 };
    (Arc::new(Segment::new(text.as_bytes().to_vec())), message)
}

/// Encodes one event: `text` as read, `json` as the pipeline left it.
fn encode(encoder: &mut dyn Encoder, shape: &Shape, text: &str, json: &str) -> Result<Vec<u8>, String> {
    let (segment, message) = message(text);
    let mut row = Row::new(shape.layout.clone(), Arc::default());
    row.swap_segments(vec![segment]);
    let span = row.texts.push(json.as_bytes());
    row.write(0, Value::Object(span));
    let stream = stream();
    let ids = IdPrefix::new(stream.id, stream.generation, 0, shape.tag);
    encoder.push(&mut row, EventRef { ids: &ids, message: &message, stream: &stream })?;
    let provenance = Arc::new(Provenance { batch: 0, ranges: Vec::new() });
    let mut bodies = encoder.finish(&provenance);
    assert_eq!(bodies.len(), 1);
    match bodies.remove(0).payload {
        Payload::Bytes(bytes) => Ok(bytes.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn plan(kind: SinkKind, arguments: &[&str], format: &str) -> Box<dyn SinkPlan> {
    let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
    let options = Options::new(arguments, vec![("format", OptionValue::Text(format.to_owned()))]);
    (kind.plan)("out", &options).expect("a plan")
}

/// `fixtures/sink/lines/*.case`: the paths that the pipeline names, the message as read, the event, and its line
/// in each form.
#[test]
fn a_row_as_a_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sink/lines");
    for entry in fs::read_dir(folder).expect("fixtures") {
        let path = entry.expect("fixtures").path();
        let text = fs::read_to_string(&path).expect("a case");
        let mut sections: Vec<(&str, &str)> = Vec::new();
        for part in text.split("--- ").skip(1) {
            let (name, body) = part.split_once('\n').expect("a section");
            sections.push((name, body));
        }
        let section = |name| sections.iter().find(|(known, _)| *known == name).map_or("", |(_, body)| *body);
        let paths: Vec<_> = section("paths").split_whitespace().map(|path| (path, Type::Any)).collect();
        let shape = shape(&paths);
        let message = section("message").strip_suffix('\n').unwrap_or_default();
        for (name, expected) in &sections {
            let plan = match *name {
                "ndjson" | "text" => plan(file::KIND, &["out"], name),
                "pretty" => plan(stdout::KIND, &[], name),
                _ => continue,
            };
            let mut encoder = plan.encoder(&shape).expect("an encoder");
            let line = encode(&mut *encoder, &shape, message, section("event").trim());
            let line = line
                .map_or_else(|why| format!("error: {why}\n"), |line| String::from_utf8(line).expect("text"));
            assert_eq!(&line, expected, "{} in {}", name, path.display());
        }
    }
}

#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges that holds one is what is meant")]
fn body(batch: u64, text: &str) -> Body {
    let ranges = vec![(Arc::new(stream()), vec![batch * 100..(batch + 1) * 100])];
    let provenance = Arc::new(Provenance { batch, ranges });
    Body {
        provenance,
        payload: Payload::Bytes(text.as_bytes().to_vec().into()),
        row_ends: Vec::new(),
        rows: u32::from(!text.is_empty()),
        bytes: text.len(),
    }
}

/// Steps until the sink is idle or done, letting time pass as it asks for it.
pub(crate) fn run(sink: &mut dyn Sink, now: &mut Duration, settled: &mut Vec<Settled>) -> Next {
    for _ in 0..1000 {
        match sink.step(*now, settled) {
            Next::Again => {}
            Next::At(at) if sink.trouble().is_none() => *now = at.max(*now),
            other => return other,
        }
    }
    panic!("the sink never comes to rest");
}

#[test]
fn a_file_is_written_in_order_and_settled_when_synced() {
    let disk = Disk::default();
    disk.put("out/a.ndjson", b"{\"old\":1}\n{\"torn\":\"li");
    let plan = plan(file::KIND, &["out/a.ndjson"], "ndjson");
    assert!(plan.ordered());
    let (mut sink, cursors) = plan.open(world(&disk)).expect("it opens");
    assert!(cursors.is_empty());
    let (mut now, mut settled) = (Duration::ZERO, Vec::new());
    sink.begin(5);
    sink.offer(body(6, "{\"n\":6}\n"), now);
    sink.offer(body(7, ""), now);
    run(&mut *sink, &mut now, &mut settled);
    assert!(settled.is_empty(), "6 waits for 5");
    sink.offer(body(5, "{\"n\":5}\n"), now);
    run(&mut *sink, &mut now, &mut settled);
    assert_eq!(settled.iter().map(|s| s.provenance.batch).collect::<Vec<_>>(), [5, 6, 7]);
    disk.reboot(false);
    assert_eq!(disk.read("out/a.ndjson").expect("a file"), b"{\"old\":1}\n{\"n\":5}\n{\"n\":6}\n");
    sink.close();
    assert_eq!(run(&mut *sink, &mut now, &mut settled), Next::Done);
}

#[test]
fn a_last_line_of_somebody_else_is_ended_not_cut() {
    let disk = Disk::default();
    disk.put("a.log", b"one\ntwo");
    let (_sink, _) = plan(file::KIND, &["a.log"], "text").open(world(&disk)).expect("it opens");
    assert_eq!(disk.read("a.log").expect("a file"), b"one\ntwo\n");
}

/// Disk full: the sink says so, keeps the rows, leaves no torn line, and goes on when there is room.
#[test]
fn a_full_disk_loses_nothing() {
    let disk = Disk::default();
    let (mut sink, _) = plan(file::KIND, &["a.log"], "text").open(world(&disk)).expect("it opens");
    disk.space(Some(20));
    let (mut now, mut settled) = (Duration::ZERO, Vec::new());
    sink.offer(body(0, "twelve bytes\n"), now);
    sink.offer(body(1, "thirteen bytes\n"), now);
    let next = run(&mut *sink, &mut now, &mut settled);
    assert!(matches!(next, Next::At(_)) && settled.is_empty());
    assert!(sink.trouble().expect("trouble").contains("a.log"));
    disk.space(None);
    now += Duration::from_secs(2);
    sink.close();
    for _ in 0..3 {
        run(&mut *sink, &mut now, &mut settled);
    }
    assert_eq!(settled.len(), 2);
    assert_eq!(sink.trouble(), None);
    assert_eq!(disk.read("a.log").expect("a file"), b"twelve bytes\nthirteen bytes\n");
}

/// After a sync that failed, the next may succeed and mean nothing: the rows are written again, and once.
#[test]
fn a_failed_sync_is_not_believed() {
    let disk = Disk::default();
    let (mut sink, _) = plan(file::KIND, &["a.log"], "text").open(world(&disk)).expect("it opens");
    let (mut now, mut settled) = (Duration::ZERO, Vec::new());
    sink.offer(body(0, "one\n"), now);
    sink.close();
    disk.syncs_fail(2);
    for _ in 0..10 {
        if sink.step(now, &mut settled) == Next::Done {
            break;
        }
        now += Duration::from_secs(2);
    }
    assert_eq!(settled.len(), 1);
    disk.reboot(false);
    assert_eq!(disk.read("a.log").expect("a file"), b"one\n");
}

struct Pipe {
    takes: usize,
    got: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl std::io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.takes == 0 {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        self.takes -= 1;
        let part = &bytes[..bytes.len().min(3)];
        self.got.lock().expect("not poisoned").extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_leaves_ends_it() {
    let got = Arc::default();
    let mut sink = Stdout::new(Pipe { takes: 3, got: Arc::clone(&got) });
    let mut settled = Vec::new();
    sink.offer(body(1, "second\n"), Duration::ZERO);
    sink.offer(body(0, "first\n"), Duration::ZERO);
    assert_eq!(sink.step(Duration::ZERO, &mut settled), Next::Done);
    assert_eq!(settled.len(), 1, "the second was not taken whole");
    assert_eq!(*got.lock().expect("not poisoned"), b"first\nsec");
}

#[test]
fn a_blackhole_settles_at_once() {
    let plan = plan(blackhole::KIND, &[], "none");
    let shape = shape(&[("message", Type::Text)]);
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    assert_eq!(encode(&mut *encoder, &shape, "x", "{\"message\":\"x\"}"), Ok(Vec::new()));
    let (mut sink, _) = plan.open(world(&Disk::default())).expect("it opens");
    let mut settled = Vec::new();
    sink.offer(body(3, "abc"), Duration::ZERO);
    assert_eq!(sink.step(Duration::ZERO, &mut settled), Next::Idle);
    assert_eq!((settled[0].delivered, settled[0].bytes), (1, 3));
}
