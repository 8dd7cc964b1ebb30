//! The race's pipelines from recorded lines to encoded bodies, in bytes of input: what one core does when nothing
//! has to be waited for. And a pipeline file compiled, in bytes of its text.

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aludel::catalog::Runnable;
use aludel::run::{Job, Read, Worker};
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

criterion_group!(all, benches);
criterion_main!(all);
