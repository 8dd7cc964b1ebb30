//! Framing, in bytes of input per second: the race's lines (CRI with split lines, docker json-file, CRI with a Java
//! trace in ten events) and the first as plain lines, each with and without joining of traces.

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;

use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::Span;
use aludel::frame::{Block, FrameConfig, Framed, Framer, Multiline};
use aludel::limits::READ_BLOCK_BYTES;
use course::{W1, W2, W3, W4};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Input of one iteration: larger than the caches.
const INPUT_BYTES: usize = 16 << 20;

/// Frames all of it in blocks as a source would, and gives the number of messages.
fn run(input: &[u8], config: &Arc<FrameConfig>) -> usize {
    let mut framer = Framer::new(config.clone());
    let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    let (mut at, mut count) = (0, 0);
    while at < input.len() {
        let end = (at + READ_BLOCK_BYTES).min(input.len());
        let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| -> io::Result<()> {
            out.extend_from_slice(&input[range.start as usize..range.end as usize]);
            Ok(())
        };
        let block = Block {
            position: at as u64,
            bytes: &input[at..end],
            buffer: Span::SEGMENTS + 1,
            last: end == input.len(),
            now: Duration::ZERO,
            fetch: &mut fetch,
        };
        let mut out = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
        at += framer.frame(block, &mut out);
        count += messages.len();
        black_box((&messages, &joined, &ranges));
        messages.clear();
        joined.clear();
        ranges.clear();
    }
    count
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    for course in [W1, W2, W3, W4] {
        let input = course::input(course.kind, INPUT_BYTES);
        group.throughput(Throughput::Bytes(input.len() as u64));
        for (name, multiline) in [("single", Multiline::None), ("joined", FrameConfig::default().multiline)] {
            let config = Arc::new(FrameConfig { multiline, ..(*course.framing()).clone() });
            group.bench_function(format!("{}/{name}", course.name), |bench| {
                bench.iter(|| run(&input, &config))
            });
        }
    }
    group.finish();
}

criterion_group!(frame, benches);
criterion_main!(frame);
