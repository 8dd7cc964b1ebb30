//! Encoding for sinks, in bytes of what is sent per second: one nginx access line as a document, as the web
//! pipeline makes it.
//!
//! `bulk` goes on through the sink with a network that answers at once, so that buffers go round as they do in a
//! run; what it costs beyond `encode` is the state machine.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{
    Facts, LayoutBuilder, Message, OptionValue, Options, Row, Segment, Span, Template, Value,
};
use aludel::position::{IdPrefix, PipelineTag, Stream, StreamId};
use aludel::seam::{RealClock, RealFs};
use aludel::signature::Type;
use aludel::sink::elasticsearch::KIND;
use aludel::sink::{
    Encoder, Endpoint, EventRef, Network, Provenance, Request, Response, Shape, SinkPlan, Transport, World,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Rows of one batch: about what a reader hands on.
const ROWS: u64 = 2000;

const LINE: &str = "203.0.113.77 - frank [10/Oct/2026:13:55:36 +0000] \"GET /shop/items/4711?color=blue HTTP/1.1\" \
                    200 5120 \"https://shop.example/cart\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0\"";

/// Fields of the document that are stretches of the line.
const TEXTS: &[(&str, &str)] = &[
    ("http.request.method", "GET"),
    ("http.request.referrer", "https://shop.example/cart"),
    ("http.version", "1.1"),
    ("source.ip", "203.0.113.77"),
    ("url.original", "/shop/items/4711?color=blue"),
    ("user.name", "frank"),
    ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0"),
];

struct Web {
    row: Row,
    encoder: Box<dyn Encoder>,
    stream: Stream,
    ids: IdPrefix,
    provenance: Arc<Provenance>,
}

impl Web {
    fn new(plan: &dyn SinkPlan) -> Self {
        let mut builder = LayoutBuilder::default();
        let more = ["@timestamp", "event.original", "http.response.status_code", "http.response.body.bytes"];
        for path in TEXTS.iter().map(|(path, _)| *path).chain(more).chain(["service.name", "log.file.path"]) {
            assert!(builder.add(path));
        }
        let layout = Arc::new(builder.build());
        let tag = PipelineTag::new("web");
        let types = vec![Type::Any; layout.len()].into();
        let shape = Shape { layout: Arc::clone(&layout), types, pipeline: "web".into(), tag };
        let encoder = plan.encoder(&shape).expect("an encoder");
        let stream = Stream { id: StreamId(7), generation: 0, source: "pods".into(), path: "x.log".into() };
        let mut row = Row::new(layout, b"web-0_shop_nginx-0123.logweb".as_slice().into());
        row.swap_segments(vec![Arc::new(Segment::new(LINE.as_bytes().to_vec()))]);
        let ids = IdPrefix::new(stream.id, 0, 0, tag);
        Self { row, encoder, stream, ids, provenance: Arc::new(Provenance { batch: 1, ranges: Vec::new() }) }
    }

    fn fill(&mut self, n: u64) {
        let row = &mut self.row;
        row.clear();
        let slot = |row: &Row, path: &str| row.layout().slot(path).expect("named");
        let span = |start: usize, len: usize, buffer: u16, facts: Facts| Span {
            start: start as u32,
            len: len as u32,
            buffer,
            facts,
        };
        for (path, text) in TEXTS {
            let start = LINE.find(text).expect("in the line");
            let at = slot(row, path);
            row.set(at, Value::Text(span(start, text.len(), Span::SEGMENTS, Facts::PLAIN)));
        }
        for (path, value) in [
            ("@timestamp", Value::Timestamp(1_791_000_000_000_000_000 + n as i64 * 1_000_000)),
            ("event.original", Value::Text(span(0, LINE.len(), Span::SEGMENTS, Facts::UNKNOWN))),
            ("http.response.status_code", Value::Int(200)),
            ("http.response.body.bytes", Value::Int(5120)),
            ("log.file.path", Value::Text(span(0, 25, Span::CONSTANTS, Facts::PLAIN))),
            ("service.name", Value::Text(span(25, 3, Span::CONSTANTS, Facts::PLAIN))),
        ] {
            let at = slot(row, path);
            row.set(at, value);
        }
    }

    fn batch(&mut self) -> Vec<aludel::sink::Body> {
        // The row is filled once: filling is the parser's work.
        self.fill(1);
        let span = Span { start: 0, len: LINE.len() as u32, buffer: Span::SEGMENTS, facts: Facts::UNKNOWN };
        for n in 0..ROWS {
            let message =
                Message { text: span, time: span, start: n * 200, end: n * 200 + 200, lane: 0, part: 0 };
            let id = self.ids.id(message.start, message.end, 0);
            let event = EventRef { id: &id, message: &message, stream: &self.stream };
            self.encoder.push(&mut self.row, event).expect("fits");
        }
        self.encoder.finish(&self.provenance)
    }
}

fn plan(compression: &str) -> Box<dyn SinkPlan> {
    let template = Template::parse("logs-{.service.name}-prod").expect("a template");
    let values = vec![
        ("data_stream", OptionValue::Template(template)),
        ("fallback", OptionValue::Text("logs-other-prod".into())),
        ("compression", OptionValue::Text(compression.into())),
    ];
    (KIND.plan)("es", &Options::new(vec!["http://localhost:9200".into()], values)).expect("a plan")
}

/// A network whose nodes take every row at once.
struct Instant;

struct Wire(Vec<(u64, usize)>);

impl Network for Instant {
    fn connect(
        &self,
        _endpoint: &Endpoint,
        _wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Transport>, String> {
        Ok(Box::new(Wire(Vec::new())))
    }
}

impl Transport for Wire {
    fn start(&mut self, ticket: u64, request: Request) {
        self.0.push((ticket, memchr::memchr_iter(b'\n', &request.body).count() / 2));
    }

    fn poll(&mut self) -> Option<(u64, Result<Response, String>)> {
        let (ticket, rows) = self.0.pop()?;
        let items = vec!["{\"create\":{\"status\":201}}"; rows].join(",");
        let body = format!("{{\"errors\":false,\"items\":[{items}]}}").into();
        Some((ticket, Ok(Response { status: 200, retry_after: None, body })))
    }
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for compression in ["none", "gzip"] {
        let plan = plan(compression);
        let mut web = Web::new(&*plan);
        let ends = |body: &aludel::sink::Body| u64::from(body.row_ends.last().copied().unwrap_or_default());
        let bytes: u64 = web.batch().iter().map(ends).sum();
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(format!("elasticsearch/{compression}"), |b| b.iter(|| black_box(web.batch())));

        let world = World {
            fs: Arc::new(RealFs),
            clock: Arc::new(RealClock::start()),
            network: Arc::new(Instant),
            wake: Arc::new(|| ()),
        };
        let (mut sink, _) = plan.open(world).expect("opens");
        let mut settled = Vec::new();
        group.bench_function(format!("elasticsearch/{compression}/bulk"), |b| {
            b.iter(|| {
                for body in web.batch() {
                    sink.offer(body, Duration::ZERO);
                }
                while settled.is_empty() {
                    sink.step(Duration::ZERO, &mut settled);
                }
                black_box(std::mem::take(&mut settled))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
