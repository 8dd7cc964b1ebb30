//! The main paths: from a log's bytes to what is sent or written, on one thread, without a clock or a disk.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aludel::catalog::{self, Machine, Runnable};
use aludel::frame::FrameConfig;
use aludel::lang;
use aludel::run::{Job, Read, Reader, Worker};
use aludel::seam::sim::{SimClock, SimFs};
use aludel::sink::{Body, Endpoint, Network, Sink, Transport, World};
use aludel::source::recorded::{Bytes, Recorded, Recording};

use super::input;

/// Where the clock stands: 2026-11-23T10:00:00Z.
const UNIX_NS: i64 = 1_795_428_000_000_000_000;

/// One of the race's workloads, or one with detectors beside it.
pub(super) struct Path {
    pub(super) name: &'static str,
    pipeline: &'static str,
    input: fn() -> input::Log,
    /// Whether the sink's own half runs too. A node of Elasticsearch is not at hand: its path ends with bodies.
    sink: bool,
}

/// All of them, in the race's order.
pub(super) const PATHS: &[Path] = &[
    Path {
        name: "w1",
        pipeline: r#"
source pods = files "/var/log/containers/*.log" { format = cri }
sink es = elasticsearch "http://localhost:9200" { data_stream = "logs-nginx-default" }
pipeline web {
  from pods
  | parse .message as nginx.access else pass
  | to es
}"#,
        input: input::access,
        sink: false,
    },
    Path {
        name: "w1-detect",
        pipeline: r#"
source pods = files "/var/log/containers/*.log" { format = cri }
sink es = elasticsearch "http://localhost:9200" { data_stream = "logs-nginx-default" }
pipeline web {
  from pods
  | parse .message as nginx.access else pass
  | detect web_attack on .url.original, .user_agent.original, .http.request.referrer
  | to es
}"#,
        input: input::access,
        sink: false,
    },
    Path {
        name: "w2",
        pipeline: r#"
source pods = files "/var/log/containers/*.log" { format = docker }
sink es = elasticsearch "http://localhost:9200" { data_stream = "logs-app-default" }
pipeline app {
  from pods
  | parse .message as json else pass
  | rename .msg to .message, .svc to .service.name
  | remove .pid, .hostname, .v
  | to es
}"#,
        input: input::json,
        sink: false,
    },
    Path {
        name: "w3",
        pipeline: r#"
source pods = files "/var/log/containers/*.log" { format = cri, multiline = java }
sink es = elasticsearch "http://localhost:9200" { data_stream = "logs-java-default" }
pipeline java {
  from pods
  | to es
}"#,
        input: input::java,
        sink: false,
    },
    Path {
        name: "w4",
        pipeline: r#"
source pods = files "/var/log/containers/*.log" { format = lines, multiline = none }
sink out = file "/out/lines.log" { format = text }
pipeline pass {
  from pods
  | to out
}"#,
        input: input::lines,
        sink: true,
    },
    Path {
        name: "w5",
        pipeline: r#"
source pods = files "/var/log/containers/*.log" { format = cri }
sink archive = parquet "/out/archive"
pipeline web {
  from pods
  | parse .message as nginx.access else pass
  | to archive
}"#,
        input: input::access,
        sink: true,
    },
];

/// The path of this name.
pub(super) fn find(name: &str) -> Option<&'static Path> {
    PATHS.iter().find(|path| path.name == name)
}

/// Takes so many events along a path; an error if not every one of them arrives.
pub(super) fn run(path: &Path, events: u64) -> Result<(), String> {
    let input = (path.input)().first(events);
    take(path.pipeline, input, path.sink, events).map_err(|error| format!("{}: {error}", path.name))
}

/// Takes events through a pipeline, and through its sink's own half where that is asked for.
pub(super) fn take(pipeline: &str, input: Vec<u8>, sink: bool, events: u64) -> Result<(), String> {
    let (_, plan, errors) = lang::compile(pipeline, &catalog::signatures(), &Machine { folder: ".".into() });
    let plan = plan.ok_or_else(|| format!("{errors:?}"))?;
    let plan = Arc::new(catalog::build(plan).map_err(|errors| format!("{errors:?}"))?);
    let mut sink = match sink {
        true => Some(plan.sinks[0].plan.open(world()).map_err(|error| error.to_string())?.0),
        false => None,
    };
    let mut arrived = 0;
    process(&plan, input, |body| {
        arrived += u64::from(body.rows);
        match &mut sink {
            Some(sink) => write(&mut **sink, body),
            None => drop(black_box(body)),
        }
    })?;
    if let Some(mut sink) = sink {
        sink.close();
        sink.step(Duration::ZERO, &mut Vec::new());
    }
    if arrived == events { Ok(()) } else { Err(format!("{arrived} of {events} events")) }
}

fn process(plan: &Arc<Runnable>, input: Vec<u8>, mut each: impl FnMut(Body)) -> Result<(), String> {
    let stats = plan.stats();
    let config = Arc::new(FrameConfig::from_options(&plan.sources[0].options)?);
    let size = input.len() as u64;
    let path = "/var/log/containers/web-0_shop_app-0123456789abcdef.log".to_owned();
    let recording = Recording { path, file: Box::new(Bytes(input)), size };
    let source = Recorded::new("pods", config, vec![recording]);
    let mut reader = Reader::new(Box::new(source), 0, stats.clone());
    let mut worker = Worker::new(plan.clone(), stats)?;
    let mut number = 0;
    loop {
        match reader.step(Duration::ZERO, UNIX_NS, &mut Vec::new()) {
            Read::Batch(batch) => {
                let outcome = worker.process(Job::new(number, 0, batch));
                number += 1;
                outcome.bodies.into_iter().for_each(|(_, body)| each(body));
            }
            Read::End => return Ok(()),
            Read::More | Read::Wait(_) => {}
        }
    }
}

fn write(sink: &mut dyn Sink, body: Body) {
    sink.offer(body, Duration::ZERO);
    sink.step(Duration::ZERO, &mut Vec::new());
}

/// A disk in memory and a clock that stands still.
fn world() -> World {
    let clock = Arc::new(SimClock::at(UNIX_NS));
    World {
        fs: Arc::new(SimFs::new(1, clock.clone())),
        clock,
        network: Arc::new(NoNetwork),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
        wake: Arc::new(|| {}),
    }
}

struct NoNetwork;

impl Network for NoNetwork {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err("no network here".to_owned())
    }
}
