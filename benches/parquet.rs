//! The Parquet archive, in bytes of access log per second of one core: `columns` is the worker's half (rows →
//! Arrow columns), `file` the sink's (columns → pages, compressed with zstd 1, on a disk that takes everything).
//!
//! Rows are nginx access lines as a web pipeline leaves them: few methods, statuses and agents, some hundred
//! clients, and a path, a size and an id that are different in each row.

use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Facts, LayoutBuilder, Message, Options, Row, Segment, Slot, Span, Value};
use aludel::position::{IdPrefix, PipelineTag, Stream, StreamId};
use aludel::seam::{File, FileId, FileKind, FileStat, Fs, RealClock};
use aludel::signature::Type;
use aludel::sink::{
    Body, Encoder, Endpoint, EventRef, Network, Payload, Provenance, Shape, Sink, SinkPlan, Transport, World,
    parquet,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Rows of one batch: about what a reader hands on.
const ROWS: usize = 2200;
/// Batches of a file.
const BATCHES: u64 = 40;

/// A disk that takes everything and keeps nothing.
struct Nowhere;

impl File for Nowhere {
    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        black_box(bytes);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn stat(&self) -> io::Result<FileStat> {
        let id = FileId { device: 0, inode: 0, birth_ns: 0 };
        Ok(FileStat { id, size: 0, modified_ns: 0, links: 1, kind: FileKind::File })
    }
}

impl Fs for Nowhere {
    fn open(&self, _: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Nowhere))
    }
    fn open_append(&self, _: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Nowhere))
    }
    fn stat(&self, _: &Path) -> io::Result<FileStat> {
        File::stat(&Nowhere)
    }
    fn list(&self, _: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        Ok(Vec::new())
    }
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

struct NoNetwork;

impl Network for NoNetwork {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err("no network here".to_owned())
    }
}

fn world() -> World {
    World {
        fs: Arc::new(Nowhere),
        clock: Arc::new(RealClock::start()),
        network: Arc::new(NoNetwork),
        wake: Arc::new(|| {}),
    }
}

/// A line, and where its fields are in it.
struct Line {
    text: Span,
    fields: Vec<(Slot, Value)>,
}

struct Web {
    row: Row,
    lines: Vec<Line>,
    encoder: Box<dyn Encoder>,
    stream: Stream,
    ids: IdPrefix,
    bytes: u64,
    batch: u64,
}

const PATHS: &[(&str, Type)] = &[
    ("@timestamp", Type::Timestamp),
    ("event.original", Type::Text),
    ("http.request.method", Type::Text),
    ("http.request.referrer", Type::Text),
    ("http.response.body.bytes", Type::Int),
    ("http.response.status_code", Type::Int),
    ("http.version", Type::Text),
    ("log.file.path", Type::Text),
    ("source.ip", Type::Ip),
    ("url.original", Type::Text),
    ("user_agent.original", Type::Text),
    // Of the other formats in the same pipeline, and in none of these rows.
    ("error.stack_trace", Type::Text),
    ("log.level", Type::Text),
    ("process.pid", Type::Int),
    ("process.thread.name", Type::Text),
    ("service.name", Type::Text),
    ("trace.id", Type::Text),
    ("user.name", Type::Text),
];

/// A generator good enough to pick values (Numerical Recipes' constants).
struct Pick(u64);

impl Pick {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

impl Web {
    fn new(plan: &dyn SinkPlan) -> Self {
        let mut builder = LayoutBuilder::default();
        for (path, _) in PATHS {
            assert!(builder.add(path));
        }
        let layout = Arc::new(builder.build());
        let of = |slot: usize| PATHS.iter().find(|(path, _)| *path == layout.path(slot as Slot));
        let types = (0..layout.len()).map(|slot| of(slot).map_or(Type::Object, |(_, ty)| *ty)).collect();
        let tag = PipelineTag::new("web");
        let shape = Shape { layout: Arc::clone(&layout), types, pipeline: "web".into(), tag };
        let (text, lines) = lines(&shape);
        let mut row = Row::new(layout, Arc::default());
        let bytes = text.len() as u64;
        row.swap_segments(vec![Arc::new(Segment::new(text))]);
        Self {
            row,
            lines,
            encoder: plan.encoder(&shape).expect("an encoder"),
            stream: Stream { id: StreamId(7), generation: 0, source: "pods".into(), path: "x.log".into() },
            ids: IdPrefix::new(StreamId(7), 0, 0, tag),
            bytes,
            batch: 0,
        }
    }

    fn batch(&mut self) -> Body {
        let base = self.batch * self.bytes;
        for line in &self.lines {
            self.row.clear();
            for (slot, value) in &line.fields {
                self.row.set(*slot, *value);
            }
            let (start, len) = (base + u64::from(line.text.start), u64::from(line.text.len));
            let message = Message {
                text: line.text,
                time: Span { len: 0, ..line.text },
                start,
                end: start + len + 1,
                lane: 0,
                part: 0,
            };
            let id = self.ids.id(message.start, message.end, 0);
            let event = EventRef { id: &id, message: &message, stream: &self.stream };
            self.encoder.push(&mut self.row, event).expect("encodes");
        }
        let provenance = Arc::new(Provenance { batch: self.batch, ranges: Vec::new() });
        self.batch += 1;
        Body::joined(&provenance, self.encoder.finish(&provenance))
    }
}

fn lines(shape: &Shape) -> (Vec<u8>, Vec<Line>) {
    let mut pick = Pick(42);
    let (mut text, mut lines) = (Vec::new(), Vec::new());
    let slot = |path: &str| shape.layout.slot(path).expect("named");
    for n in 0..ROWS as u64 {
        let ip = format!("{}.{}.7.9", 20 + pick.below(200), pick.below(3));
        let method = ["GET", "GET", "GET", "POST", "PUT"][pick.below(5) as usize];
        let path = format!("/api/v{}/orders?sid=seq-{:09}", pick.below(3), n * 7919);
        let status = [200, 200, 200, 302, 404, 500][pick.below(6) as usize];
        let bytes = pick.below(30_000) as i64;
        let referrer =
            ["-", "https://shop.example/", "https://www.example.org/search"][pick.below(3) as usize];
        let agent =
            format!("Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko Firefox/{0}.0", 90 + pick.below(40));
        let start = text.len();
        let line = format!(
            "{ip} - - [01/May/2024:12:00:00 +0000] \"{method} {path} HTTP/1.1\" {status} {bytes} \"{referrer}\" \"{agent}\""
        );
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        let whole = Span {
            start: start as u32,
            len: line.len() as u32,
            buffer: Span::SEGMENTS,
            facts: Facts::UNKNOWN,
        };
        let part = |of: &str| whole.part(line.find(of).expect("in the line"), of.len());
        let name = whole.part(0, 7);
        lines.push(Line {
            text: whole,
            fields: vec![
                (slot("@timestamp"), Value::Timestamp(1_714_564_800_000_000_000 + n as i64 * 180_000_000)),
                (slot("event.original"), Value::Text(whole)),
                (slot("http.request.method"), Value::Text(part(method))),
                (slot("http.request.referrer"), Value::Text(part(referrer))),
                (slot("http.response.body.bytes"), Value::Int(bytes)),
                (slot("http.response.status_code"), Value::Int(status)),
                (slot("http.version"), Value::Text(part("1.1"))),
                (slot("log.file.path"), Value::Text(name)),
                (slot("source.ip"), Value::Ip(part(&ip))),
                (slot("url.original"), Value::Text(part(&path))),
                (slot("user_agent.original"), Value::Text(part(&agent))),
            ],
        });
    }
    (text, lines)
}

fn archive(c: &mut Criterion) {
    let options = Options::new(vec!["archive".to_owned()], Vec::new());
    let plan = (parquet::KIND.plan)("archive", &options).expect("a plan");
    let mut web = Web::new(&*plan);
    let mut group = c.benchmark_group("parquet");
    group.throughput(Throughput::Bytes(web.bytes));
    group.bench_function("columns", |b| b.iter(|| black_box(web.batch())));

    let bodies: Vec<Body> = (0..BATCHES).map(|_| web.batch()).collect();
    group.throughput(Throughput::Bytes(web.bytes * BATCHES));
    group.sample_size(10);
    group.bench_function(BenchmarkId::new("file", "11 columns"), |b| {
        b.iter(|| {
            let (mut sink, _) = plan.open(world()).expect("it opens");
            write(&mut *sink, &bodies)
        });
    });
    group.finish();
}

fn write(sink: &mut dyn Sink, bodies: &[Body]) -> usize {
    let mut settled = Vec::new();
    for body in bodies {
        let Payload::Columns(columns) = &body.payload else { continue };
        let copy = Body {
            provenance: Arc::clone(&body.provenance),
            payload: Payload::Columns(columns.clone()),
            row_ends: Vec::new(),
            rows: body.rows,
            bytes: body.bytes,
        };
        sink.offer(copy, Duration::ZERO);
        sink.step(Duration::ZERO, &mut settled);
    }
    sink.close();
    sink.step(Duration::ZERO, &mut settled);
    settled.len()
}

criterion_group!(benches, archive);
criterion_main!(benches);
