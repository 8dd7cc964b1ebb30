//! The race's pipelines from recorded lines to encoded bodies, in bytes of input: what one core does when nothing
//! has to be waited for. And a pipeline file compiled, in bytes of its text.
//!
//! `promises` is what it costs that nothing is lost and nothing comes twice, over W1: `without` is the way to bodies with
//! neither books nor cursors, `with` the same with every range handed, processed, settled, and written to a cursor log
//! on the disk (once in 8 MiB, more often than a run does). `ids` is the making of the ids that both have in their
//! documents. So the share is `(with - without + ids) / with`.

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aludel::catalog::Runnable;
use aludel::position::{EVENT_ID_LEN, IdPrefix, PipelineTag};
use aludel::run::{Job, Message, Read, Settings, Settler, Worker};
use aludel::seam::{RealClock, RealFs};
use aludel::sink::Settled;
use aludel::sink::http::HttpNetwork;
use aludel::spool::CursorLog;
use course::{Course, W1, W1Z, W2, W3, W4, W5};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Input of one iteration: long enough for many batches.
const INPUT_BYTES: usize = 8 << 20;

/// Takes recorded bytes through a plan; returns the bytes that came out.
fn run(course: &Course, plan: &Arc<Runnable>, input: &[u8]) -> usize {
    let mut reader = course.reader(plan, input);
    let mut worker = Worker::new(plan.clone(), plan.stats()).expect("a worker");
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

/// The same with the books kept and cursors written.
fn run_with_books(
    course: &Course,
    plan: &Arc<Runnable>,
    input: &[u8],
    settler: &mut Settler,
    number: &mut u64,
) {
    let mut reader = course.reader(plan, input);
    let mut worker = Worker::new(plan.clone(), plan.stats()).expect("a worker");
    loop {
        match reader.step(Duration::ZERO, 0, &mut Vec::new()) {
            Read::Batch(batch) => {
                let job = Job::new(*number, 0, batch);
                *number += 1;
                settler.take(job.handed(), 0);
                let (processed, deliveries) = worker.process(job).divide(plan);
                settler.take(processed, 0);
                for (sink, body) in deliveries.first.into_iter().chain(deliveries.rest) {
                    settler.take(Message::Settled { sink, settled: Settled::whole(body) }, 0);
                }
            }
            Read::End => {
                settler.flush().expect("a disk");
                return;
            }
            Read::More | Read::Wait(_) => {}
        }
    }
}

/// The ids of all events of some input; returns how many.
fn ids(course: &Course, plan: &Arc<Runnable>) -> impl FnMut() -> [u8; EVENT_ID_LEN] + use<> {
    let input = course::input(course.kind, INPUT_BYTES);
    let mut reader = course.reader(plan, &input);
    let mut batches = Vec::new();
    loop {
        match reader.step(Duration::ZERO, 0, &mut Vec::new()) {
            Read::Batch(batch) => batches.push(batch),
            Read::End => break,
            Read::More | Read::Wait(_) => {}
        }
    }
    move || {
        let mut last = [0; EVENT_ID_LEN];
        for batch in &batches {
            for run in &batch.runs {
                let prefix = IdPrefix::new(run.stream.id, run.stream.generation, 0, PipelineTag::new("race"));
                for message in &batch.messages[run.messages.start as usize..run.messages.end as usize] {
                    last = black_box(prefix.id(message.start, message.end, message.part));
                }
            }
        }
        last
    }
}

fn promises(criterion: &mut Criterion) {
    let plan = Arc::new(W1.runnable());
    let input = course::input(W1.kind, INPUT_BYTES);
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        data_dir: folder.path().into(),
        workers: 1,
        once: true,
        fs: Arc::new(RealFs),
        clock: Arc::new(RealClock::start()),
        network: Arc::new(HttpNetwork::start().expect("a network")),
    };
    let (log, _) = CursorLog::open(settings.fs.clone(), folder.path()).expect("a log");
    let (mut settler, mut number) = (Settler::new(&plan, &settings, log), 0);
    let mut group = criterion.benchmark_group("promises");
    group.sample_size(20).throughput(Throughput::Bytes(input.len() as u64));
    group.bench_function("without", |bench| bench.iter(|| run(&W1, &plan, black_box(&input))));
    group.bench_function("with", |bench| {
        bench.iter(|| run_with_books(&W1, &plan, black_box(&input), &mut settler, &mut number));
    });
    group.bench_function("ids", |bench| bench.iter(ids(&W1, &plan)));
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    let text = include_str!("../pipelines/quickstart.aludel");
    let mut group = criterion.benchmark_group("compile");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("quickstart", |bench| bench.iter(|| course::runnable(black_box(text))));
    group.finish();
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10);
    for course in [W1, W1Z, W2, W3, W4, W5] {
        let plan = Arc::new(course.runnable());
        let input = course::input(course.kind, INPUT_BYTES);
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(course.name, |bench| bench.iter(|| run(&course, &plan, black_box(&input))));
    }
    group.finish();
}

criterion_group!(all, benches, promises);
criterion_main!(all);
