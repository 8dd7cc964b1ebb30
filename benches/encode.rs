//! Encoding for sinks, in bytes of what is sent per second (before compression): the race's events as its pipelines
//! leave them, as documents for Elasticsearch and as lines.
//!
//! `…/bulk` goes on through the sink with a network that answers at once, so that buffers go round as they do in a
//! run; what it costs beyond the encoder is the state machine.

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;
#[path = "support/rows.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod rows;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aludel::seam::{RealClock, RealFs};
use aludel::sink::{Body, Endpoint, Network, Request, Response, SinkPlan, Transport, World};
use course::{W1, W1Z, W2, W3, W4};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rows::Rows;

/// Distinct rows: enough to differ, few enough to stay in the cache as the one row of a run does.
const ROWS: usize = 64;
/// How often the rows are encoded for one batch: about as many as a reader hands on.
const TIMES: u64 = 32;

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

/// Bytes before compression.
fn bytes(bodies: &[Body]) -> u64 {
    let end = |body: &Body| body.row_ends.last().map_or(body.payload_bytes() as u64, |end| u64::from(*end));
    bodies.iter().map(end).sum()
}

/// Offers a batch and waits until all of it has settled.
fn bulk(plan: &dyn SinkPlan, rows: &mut Rows) -> impl FnMut() -> usize {
    let world = World {
        fs: Arc::new(RealFs),
        clock: Arc::new(RealClock::start()),
        network: Arc::new(Instant),
        data_dir: std::env::temp_dir(),
        host: Arc::from(&b"bench"[..]),
        wake: Arc::new(|| ()),
    };
    let (mut sink, _) = plan.open(world).expect("opens");
    let mut encoder = plan.encoder(&rows.shape).expect("an encoder");
    move || {
        let bodies = rows.encode(&mut *encoder, TIMES, 1);
        let offered = bodies.len();
        bodies.into_iter().for_each(|body| sink.offer(body, Duration::ZERO));
        let mut settled = Vec::new();
        while settled.len() < offered {
            sink.step(Duration::ZERO, &mut settled);
        }
        settled.len()
    }
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for course in [W1, W1Z, W2, W3, W4] {
        let plan = course.runnable();
        let (sink, mut rows) = (&plan.sinks[0].plan, Rows::new(&course, ROWS));
        let mut encoder = sink.encoder(&rows.shape).expect("an encoder");
        group.throughput(Throughput::Bytes(bytes(&rows.encode(&mut *encoder, TIMES, 1))));
        group.bench_function(course.name, |bench| {
            bench.iter(|| black_box(rows.encode(&mut *encoder, TIMES, 1)));
        });
        // Packed bodies would have to be unpacked to be counted; the way through the sink is the same.
        if course.name == W1.name {
            group.bench_function(format!("{}/bulk", course.name), |bench| {
                bench.iter(bulk(&**sink, &mut rows))
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
