//! What it costs to parse a message and put its fields into the row: every grammar on its own samples, and the
//! formats that carry most logs, in bytes per second.

use std::hint::black_box;
use std::sync::Arc;

use aludel::event::{Facts, LayoutBuilder, Options, Row, Segment, Span};
use aludel::format::{Bind, Fields, Reference, commit};
use aludel::grammar;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Bytes of input for one turn: larger than the first-level cache, as a batch is.
const INPUT_BYTES: usize = 128 * 1024;

fn parse(criterion: &mut Criterion, id: &str, name: &str, named: &[&str], lines: &[String]) {
    let parser = grammar::parser(name).expect("a format");
    let options = Options::default();
    let mut builder = LayoutBuilder::default();
    for field in parser.gives(&options).expect("its fields").fields {
        builder.add(&field.path);
    }
    for path in named {
        builder.add(path);
    }
    let layout = Arc::new(builder.build());
    let mut constants = Vec::new();
    let mut bind = Bind {
        layout: &layout,
        prefix: "",
        options: &options,
        constants: &mut constants,
        reference: Reference::at(1_719_792_000_000_000_000),
    };
    let format = parser.bind(&mut bind).expect("binds");
    let (mut text, mut spans) = (String::new(), Vec::new());
    for line in lines.iter().cycle() {
        if text.len() >= INPUT_BYTES {
            break;
        }
        let start = text.len() as u32;
        spans.push(Span { start, len: line.len() as u32, buffer: Span::SEGMENTS, facts: Facts::UNKNOWN });
        text.push_str(line);
        text.push('\n');
    }
    let mut group = criterion.benchmark_group("grammar");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut row = Row::new(layout, constants.into());
    row.swap_segments(vec![Arc::new(Segment::new(text.into_bytes()))]);
    let mut fields = Fields::new();
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            for span in &spans {
                row.clear();
                fields.clear();
                let done = format.parse(*span, &mut row.texts, &mut fields);
                assert!(done.is_ok(), "a sample parses");
                commit(&mut row, &mut fields);
            }
            black_box(&row);
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let access: Vec<String> = (0..64).map(|n| format!(
        "203.0.113.{n} - - [10/Oct/2023:13:55:{n:02} -0700] \"GET /shop/items/{n}?sort=asc HTTP/1.1\" 200 {} \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\"",
        n * 997,
    ).replace(":60 ", ":00 ").replace(":61 ", ":01 ").replace(":62 ", ":02 ").replace(":63 ", ":03 ")).collect();
    parse(criterion, "nginx.access/combined", "nginx.access", &[], &access);
    let json: Vec<String> = (0..64).map(|n| format!(
        r#"{{"timestamp":"2024-05-06T07:08:09.{n:03}Z","level":"info","logger":"com.example.orders.OrderService","message":"order {n} accepted","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","http":{{"method":"POST","path":"/api/v1/orders","status":201,"duration_ms":12.5}},"user":{{"id":{n},"name":"user-{n}","roles":["admin","ops"]}},"items":[{{"sku":"a-{n}","n":1}},{{"sku":"b","n":2}}],"ok":true}}"#
    )).collect();
    parse(criterion, "json/four named", "json", &["timestamp", "level", "http.status", "user.name"], &json);
    parse(criterion, "json/none named", "json", &[], &json);
    let syslog =
        ["<34>Oct 11 22:14:15 gate sshd[4711]: Accepted publickey for ada from 198.51.100.4 port 50123"
            .to_owned()];
    parse(criterion, "syslog/rfc3164", "syslog", &[], &syslog);
    let logfmt =
        ["ts=2024-05-06T07:08:09Z level=info msg=\"order accepted\" order=7703 user=ada took=12ms"
            .to_owned()];
    parse(criterion, "logfmt", "logfmt", &[], &logfmt);
    for grammar in grammar::all() {
        let samples: Vec<String> = grammar.samples().map(|(_, text)| text.to_owned()).collect();
        parse(criterion, grammar.name(), grammar.name(), &[], &samples);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
