//! A pipeline file compiled, in bytes of its text, and recorded container logs from framing to the encoded
//! document, in bytes of input: what one core does when nothing has to be waited for.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aludel::catalog::{self, Machine, Runnable};
use aludel::frame::FrameConfig;
use aludel::lang;
use aludel::run::{Job, Read, Reader, Worker};
use aludel::source::recorded::{Bytes, Recorded, Recording};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Input of one iteration: long enough for many batches.
const INPUT_BYTES: usize = 8 << 20;

const ACCESS: &str = r#"
source pods = files "/var/log/containers/*.log"
sink es = elasticsearch "http://localhost:9200" { data_stream = "logs-nginx-default" }
pipeline web {
  from pods
  | parse .message as nginx.access else pass
  | to es
}
"#;

const JSON: &str = r#"
source pods = files "/var/log/containers/*.log"
sink es = elasticsearch "http://localhost:9200" { data_stream = "logs-app-default" }
pipeline app {
  from pods
  | parse .message as json else pass
  | rename .msg to .message, .svc to .service.name
  | remove .pid, .hostname
  | to es
}
"#;

fn plan(text: &str) -> Runnable {
    let (_, plan, errors) = lang::compile(text, &catalog::signatures(), &Machine { folder: ".".into() });
    assert!(errors.is_empty(), "{errors:?}");
    catalog::build(plan.expect("a plan")).expect("it can be built")
}

/// Container lines of nginx's combined format, as a CRI runtime stores them.
fn access_lines() -> Vec<u8> {
    let mut text = String::with_capacity(INPUT_BYTES + 512);
    for number in 0u32.. {
        if text.len() >= INPUT_BYTES {
            break;
        }
        let (a, b, ms) = (number % 223 + 1, number / 223 % 256, number % 1000);
        let _ = writeln!(
            text,
            "2026-11-23T10:00:00.{ms:03}000001Z stdout F {a}.{b}.7.9 - - [23/Nov/2026:10:00:00 +0000] \"GET \
             /api/v1/orders/{number}?page=2 HTTP/1.1\" 200 {} \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux \
             x86_64; rv:125.0) Gecko/20100101 Firefox/125.0\"",
            number % 9000
        );
    }
    text.into_bytes()
}

/// Container lines of a program that logs JSON.
fn json_lines() -> Vec<u8> {
    let mut text = String::with_capacity(INPUT_BYTES + 512);
    for number in 0u32.. {
        if text.len() >= INPUT_BYTES {
            break;
        }
        let ms = number % 1000;
        let _ = writeln!(
            text,
            "2026-11-23T10:00:00.{ms:03}000001Z stdout F {{\"level\":\"info\",\"msg\":\"order {number} was \
             placed\",\"svc\":\"checkout\",\"hostname\":\"node-1\",\"pid\":{ms},\"http\":{{\"method\":\"POST\",\
             \"path\":\"/orders/{number}\",\"status\":201,\"duration_ms\":12.5}},\"tags\":[\"blue\",\"canary\"]}}"
        );
    }
    text.into_bytes()
}

/// Takes recorded bytes through a plan; returns the bytes that came out.
fn run(plan: &Arc<Runnable>, input: &[u8]) -> usize {
    let stats = plan.stats();
    let config = Arc::new(FrameConfig::from_options(&plan.sources[0].options).expect("options"));
    let size = input.len() as u64;
    let recording =
        Recording { path: "/var/log/containers/a.log".into(), file: Box::new(Bytes(input.to_vec())), size };
    let source = Recorded::new("pods", config, vec![recording]);
    let mut reader = Reader::new(Box::new(source), 0, stats.clone());
    let mut worker = Worker::new(plan.clone(), stats).expect("a worker");
    let mut out = 0;
    let mut number = 0;
    loop {
        match reader.step(Duration::ZERO, 0, &mut Vec::new()) {
            Read::Batch(batch) => {
                let outcome = worker.process(Job::new(number, 0, batch));
                out += outcome.bodies.iter().map(|(_, body)| body.payload_bytes()).sum::<usize>();
                number += 1;
            }
            Read::End => return out,
            Read::More | Read::Wait(_) => {}
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let text = include_str!("../pipelines/quickstart.aludel");
    let mut group = criterion.benchmark_group("compile");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("quickstart", |bench| bench.iter(|| plan(black_box(text))));
    group.finish();
    let mut group = criterion.benchmark_group("end_to_end");
    group.sample_size(10);
    for (name, pipeline, input) in [("access", ACCESS, access_lines()), ("json", JSON, json_lines())] {
        let plan = Arc::new(plan(pipeline));
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(name, |bench| bench.iter(|| run(&plan, black_box(&input))));
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
