//! Framing, in bytes of input per second: plain lines, CRI, docker json-file, and CRI with one Java trace in ten
//! events, each with and without joining of traces.

use std::fmt::Write;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::Span;
use aludel::frame::{Block, FrameConfig, Framed, Framer, Multiline};
use aludel::limits::READ_BLOCK_BYTES;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const INPUT_BYTES: usize = 16 * 1024 * 1024;

/// A small generator of numbers (Knuth, MMIX), so that the input is the same everywhere.
struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn access_line(seed: &mut Seed) -> String {
    format!(
        "10.{}.{}.{} - - [01/May/2024:12:00:00 +0000] \"GET /shop/item/{}?ref=home HTTP/1.1\" 200 {} \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"",
        seed.below(256),
        seed.below(256),
        seed.below(256),
        seed.below(100_000),
        seed.below(50_000)
    )
}

fn java_event(seed: &mut Seed) -> Vec<String> {
    let at = format!("2024-05-01 12:00:00,{:03}", seed.below(1000));
    let thread = seed.below(200);
    if seed.below(10) > 0 {
        let ms = seed.below(900);
        return vec![format!(
            "{at} INFO  [http-nio-8080-exec-{thread}] c.e.shop.OrderService - Handled request {} in {ms} ms",
            seed.below(1_000_000)
        )];
    }
    let mut lines = vec![
        format!("{at} ERROR [http-nio-8080-exec-{thread}] c.e.shop.OrderService - Request failed"),
        "java.lang.IllegalStateException: Order is already closed".to_owned(),
    ];
    for _ in 0..24 {
        lines.push(format!(
            "\tat com.example.shop.order.OrderService.process(OrderService.java:{})",
            seed.below(1400)
        ));
    }
    lines
}

fn input(mut add: impl FnMut(&mut Seed, &mut String)) -> Vec<u8> {
    let mut seed = Seed(7);
    let mut text = String::with_capacity(INPUT_BYTES + 8192);
    while text.len() < INPUT_BYTES {
        add(&mut seed, &mut text);
    }
    text.into_bytes()
}

fn cri(line: &str, text: &mut String, nanos: u64) {
    let _ = writeln!(text, "2024-05-01T12:00:00.{nanos:09}Z stdout F {line}");
}

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
    let plain = input(|seed, text| {
        text.push_str(&access_line(seed));
        text.push('\n');
    });
    let wrapped = input(|seed, text| cri(&access_line(seed), text, seed.below(1_000_000_000)));
    let docker = input(|seed, text| {
        let line = access_line(seed).replace('"', "\\\"");
        let _ = writeln!(
            text,
            "{{\"log\":\"{line}\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00.{:09}Z\"}}",
            seed.below(1_000_000_000)
        );
    });
    let traces = input(|seed, text| {
        let nanos = seed.below(1_000_000_000);
        java_event(seed).iter().for_each(|line| cri(line, text, nanos));
    });
    let mut group = criterion.benchmark_group("frame");
    let joining = Arc::new(FrameConfig::default());
    let single = Arc::new(FrameConfig { multiline: Multiline::None, ..FrameConfig::default() });
    for (name, input) in [("lines", &plain), ("cri", &wrapped), ("docker", &docker), ("cri_java", &traces)] {
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(format!("{name}/single"), |bench| bench.iter(|| run(input, &single)));
        group.bench_function(format!("{name}/joined"), |bench| bench.iter(|| run(input, &joining)));
    }
    group.finish();
}

criterion_group!(frame, benches);
criterion_main!(frame);
